"""NiceGUI's pages: whose they are, and who may click on them. A page stays open for hours; a right may end in between."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from nicegui import Client, ui

from dashboards.console.language import say
from dashboards.console.roles import Forbidden, may
from edge_gateway.errors import KanhuError, Rejected, Unavailable

if TYPE_CHECKING:
    from starlette.requests import Request

    from dashboards.console.access import Session
    from dashboards.console.roles import Right
    from dashboards.console.server import Console

_KEY: Final = "kanhu_session"
LOOK_S: Final = 30.0
PAGES: Final = 12


class Page:
    """One open page of one session: what its builder and its clicks work with."""

    def __init__(self, request: "Request", right: "Right") -> None:
        session: Session | None = getattr(request.state, "session", None)
        if session is None or not may(session.user, right):
            raise Forbidden(right.value)
        self.console: Console = request.state.console
        self.session = session
        self.right = right
        self.lang = session.user.language
        self.client = ui.context.client
        _make_room(session)
        self.client.storage[_KEY] = session.key
        ui.timer(LOOK_S, self._look, immediate=False)

    async def _look(self) -> None:
        """What is on a screen that was left goes away with the session."""
        try:
            now = await self.console.access.still(self.session, touch=False)
        except Unavailable:
            return
        if now is None or not may(now.user, self.right):
            ui.navigate.to("/login")

    def say(self, key: str, **words: object) -> str:
        """A text in the reader's language."""
        return say(key, self.lang, **words)

    def click(self, work: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
        """A handler that first asks whether the session still lives and still has the right, then says what went wrong."""

        # One argument without default: so NiceGUI knows that the event is wanted.
        async def handler(event: Any) -> None:
            try:
                now = await self.console.access.still(self.session)
                if now is None or not may(now.user, self.right):
                    ui.navigate.to("/login")
                    return
                self.session = now
                await work(event)
            except Forbidden:
                self.tell(self.say("not_allowed"))
            except Unavailable:
                self.tell(self.say("no_answer"))
            except Rejected as error:
                self.tell(self.say("refused_because", why=error.detail))
            except KanhuError as error:
                self.tell(str(error))

        return handler

    def tell(self, text: str) -> None:
        """A message at the foot of the page; as text, never as HTML."""
        ui.notify(text, position="bottom", type="warning", multi_line=True, timeout=8000)


def belongs(client_id: str, session: "Session") -> bool:
    """Whether an open page was given to this session."""
    client = Client.instances.get(client_id)
    return client is not None and client.storage.get(_KEY) == session.key


def _make_room(session: "Session") -> None:
    """A session has so many open pages; more are a fault or an attack on our memory, and the oldest goes."""
    mine = [client for client in Client.instances.values() if client.storage.get(_KEY) == session.key]
    for old in sorted(mine, key=lambda client: client.created)[: max(0, len(mine) - PAGES + 1)]:
        old.delete()


async def close_pages(session: "Session") -> None:
    """Send every open page of a session that ended to the log-in."""
    for client in [client for client in Client.instances.values() if client.storage.get(_KEY) == session.key]:
        client.open("/login")
    await asyncio.sleep(0)
