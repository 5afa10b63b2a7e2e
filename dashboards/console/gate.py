"""What stands before every page: is it called by our name, by our own page, and who is it? Then the page, or log-in.

Paths that a part names as public get no session, whatever cookies come with them, so they have nothing to be misused;
everything else needs somebody who is logged in. Nothing is open because somebody forgot to close it.
"""

import logging
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.console import csrf
from dashboards.console.live import belongs
from dashboards.console.roles import Forbidden
from edge_gateway.errors import KanhuError, Unavailable

if TYPE_CHECKING:
    from dashboards.console.access import Session
    from dashboards.console.server import Console

log = logging.getLogger(__name__)
BODY_MAX: Final = 256 << 10  # bytes; a day of a phone's stored taps is some 20 kB
LOOK: Final = "x-look"  # the header of a request that a page's own timer makes
_NO_PAGE: Final = ("", "null")  # what programs send as their Origin, and browsers that hide it
_SOCKET: Final = "/_nicegui_ws/"
_OPEN: Final = ("/static/", "/_nicegui/")  # files that say nothing of anybody


class Gate:
    """ASGI middleware.

    Args:
        public: paths; one that ends with `/` stands for all below it.
        called: those of them that are called without an Origin.
    """

    def __init__(self, app: ASGIApp, console: "Console", public: Sequence[str], called: Sequence[str] = ()) -> None:
        self._app, self._console = app, console
        self._origins = csrf.Origins(console.settings.console)
        self._public = tuple(public) + tuple(called) + _OPEN
        self._called = tuple(called)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            refusal, receive = await self._admit(scope, receive)
        except Unavailable as error:
            log.warning("cannot tell who asks: %s", error)
            refusal = PlainTextResponse("busy, try again 请稍后再试", 503, {"retry-after": "5"})
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Before it was accepted: the server answers 403, and the body has no reader.
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive) -> tuple[Response | None, Receive]:
        headers, path = Headers(scope=scope), scope["path"]
        state = scope.setdefault("state", {})
        state["console"], state["session"] = self._console, None
        host = headers.get("host", "")
        if not self._origins.is_ours(host):
            return PlainTextResponse(f"{host[:100]!r} is not this console; set [console] public_url", 421), receive
        changes = scope["type"] == "websocket" or path.startswith(_SOCKET) or scope["method"] not in csrf.SAFE
        origin = headers.get("origin", "")
        theirs = origin in _NO_PAGE and _below(path, self._called)
        if changes and not theirs and not self._origins.same(origin, scope["scheme"], host):
            return PlainTextResponse("this did not come from a page of this console", 403), receive
        body = b""
        if changes and scope["type"] == "http":
            taken = await _take(receive)
            if taken is None:
                return PlainTextResponse(f"more than {BODY_MAX} bytes", 413), receive
            body, receive = taken
        if self._is_public(path):
            return None, receive
        # A page that draws itself anew is no person: by that alone nobody stays logged in.
        touch = headers.get(LOOK, "") == ""
        session = state["session"] = await self._console.access.find(cookie(scope, self._console.cookie), touch)
        return self._judge(scope, session, headers, body), receive

    def _judge(self, scope: Scope, session: "Session | None", headers: Headers, body: bytes) -> Response | None:
        path = scope["path"]
        if path.startswith(_SOCKET):
            # The page's own id is the token: given to this session alone, and known to its page alone.
            client = (parse_qs(scope["query_string"].decode("latin-1")).get("client_id") or [""])[0]
            if session is None or not belongs(client, session):
                return PlainTextResponse("log in again", 403)
            return None
        if path in ("/login", "/first"):
            return None
        if session is None:
            there = _asked(scope) if scope["method"] in csrf.SAFE else "/"
            return RedirectResponse("/login" if there == "/" else f"/login?next={quote(there)}", 303)
        if scope["method"] not in csrf.SAFE:
            given, kind = headers.get("x-csrf", ""), headers.get("content-type", "")
            if not csrf.token_fits(session.csrf, given, kind, body):
                return PlainTextResponse("this form is not of your session; load the page again 请刷新页面后重试", 403)
        return None

    def _is_public(self, path: str) -> bool:
        return _below(path, self._public)


def _asked(scope: Scope) -> str:
    """Path and query: whoever logs in comes to the page he asked for."""
    query = scope["query_string"].decode("latin-1")
    return f"{scope['path']}?{query}" if query else str(scope["path"])


def _below(path: str, entries: Sequence[str]) -> bool:
    return any(path == entry or (entry.endswith("/") and path.startswith(entry)) for entry in entries)


def cookie(scope: Scope, name: str) -> str:
    """The value of a cookie; "" when it did not come."""
    try:
        found = SimpleCookie(Headers(scope=scope).get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _take(receive: Receive) -> tuple[bytes, Receive] | None:
    """The whole body, and a `receive` that gives it once more; None: it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if len(body) > BODY_MAX:
            return None
        if not message.get("more_body"):
            break
    given: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def again() -> Message:
        return given.pop() if given else await receive()

    return bytes(body), again


class Errors:
    """ASGI middleware: what a page raised, as an answer a person can read; nothing of the inside is told."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except KanhuError as error:
            if begun or scope["type"] != "http":
                raise
            answer: Any = await _answer(scope, error)
            await answer(scope, receive, send)


async def _answer(scope: Scope, error: KanhuError) -> Response:
    from starlette.requests import Request

    from dashboards.console.html import trouble

    status = 403 if isinstance(error, Forbidden) else 503 if isinstance(error, Unavailable) else 400
    return trouble(Request(scope), status, error)
