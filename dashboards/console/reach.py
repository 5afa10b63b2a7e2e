"""The one door to the gateway: reads the ledger's file, and asks the gateway to change something. Rights are checked here.

Reading works while the gateway is away; changing waits for it. Nothing here is on the gateway's own way of a message.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dashboards.console.audit import Audit
from dashboards.console.roles import Forbidden, Right, may, may_see, sees_some_of
from edge_gateway import commands, registry
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.registry import Registry
from edge_gateway.settings import Settings

if TYPE_CHECKING:
    from dashboards.console.access import Session
    from edge_gateway.homes.look import HomesLook
    from edge_gateway.visits.look import Ledger

_T = TypeVar("_T")
TIMEOUT_S: Final = 10.0
_SHOWN: Final = 10_000
# What a logged-in person may ask for, and the right it takes. A command that is not here is refused.
COMMANDS: Final[Mapping[str, Right]] = {
    "visits.decide": Right.DECIDE,
    "visits.plan": Right.PLAN,
    "visits.plan_remove": Right.PLAN,
    "visits.except": Right.PLAN,
    "visits.holidays": Right.PLAN,
    "visits.link": Right.DECIDE,
    "visits.unlink": Right.DECIDE,
    "alerts.accept": Right.CARE,
    "alerts.close": Right.CARE,
    "homes.pause": Right.CARE,
    "homes.resume": Right.CARE,
    "homes.away": Right.CARE,
    "homes.back": Right.CARE,
    "homes.seen": Right.CARE,
    "homes.unseen": Right.CARE,
    "homes.consent": Right.CARE,
    "homes.test": Right.CARE,
    "homes.emergency": Right.CARE,
}
# What pages may ask for that are open to people with a personal link or one of a message, a phone at a tag, a provider.
PUBLIC_COMMANDS: Final = frozenset(
    {
        "visits.object",
        "visits.tap",
        "alerts.look_link",
        "alerts.accept_link",
        "alerts.close_link",
        "alerts.heard",
        "alerts.report",
        "alerts.watched",
    }
)


class Reach:
    """Reads and asks; each call works in a thread of its own.

    Args:
        open_ledger: opens the ledger's file for one thread.
    """

    def __init__(self, settings: Settings, audit: Audit, open_ledger: "Callable[[Path], Ledger] | None" = None) -> None:
        self._settings, self._audit = settings, audit
        self._open = open_ledger
        self._known: tuple[tuple[int, int, int], Registry] | None = None
        self._shown: dict[tuple[bytes, str, str, str], None] = {}  # pages that were written down: session, home, what

    @contextmanager
    def ledger(self) -> "Iterator[Ledger]":
        """The ledger, for one thread and one page.

        Raises:
            Unavailable: there is none yet.
        """
        opened = self._open
        if opened is None:
            from edge_gateway.visits import look

            opened = look.open_ledger
        with opened(self._settings.data_dir / "visits.db") as ledger:
            yield ledger

    async def read(self, question: "Callable[[Ledger], _T]") -> _T:
        """What a function finds in the ledger. It is run in a thread; it sees one state of the file."""

        def ask() -> _T:
            with self.ledger() as ledger:
                return question(ledger)

        return await asyncio.to_thread(ask)

    async def look(self, question: "Callable[[HomesLook], _T]") -> _T:
        """What a function finds in the gateway's file of its homes and alerts, as `read`. Rights are the page's to check.

        Raises:
            Unavailable: there is none yet, or it cannot be read now.
        """
        from edge_gateway.homes.look import open_homes

        def ask() -> _T:
            with open_homes(self._settings.store_file) as homes:
                return question(homes)

        return await asyncio.to_thread(ask)

    async def looked(self, session: "Session", site: str, place: str, what: str, again: bool = False) -> None:
        """Somebody is about to see a home: written down here, and in the home's own log while the gateway is there.

        Args:
            again: the page says that it only draws itself anew. That is believed of a page which was written down in this
                session, for anybody can say so.
        Raises:
            Forbidden: it is not his to see.
            Unavailable: it cannot be written down; then nothing may be shown.
        """
        if not may(session.user, Right.HOMES) or not may_see(session.user, site, place):
            raise Forbidden(f"{site}/{place}")
        page = session.key, site, place, what
        if again and page in self._shown:
            return
        await asyncio.to_thread(
            self._audit.write, session.user.id, "looked", f"{site}/{place}", session.address, {"what": what}
        )
        self._shown[page] = None
        if len(self._shown) > _SHOWN:
            del self._shown[next(iter(self._shown))]
        with suppress(Unavailable, Rejected):
            await self._ask("homes.looked", site=site, place=place, what=what, by=session.user.id)

    async def call(self, session: "Session", command: str, *, site: str, place: str = "", **arguments: Any) -> Any:
        """Ask the gateway in the name of somebody who is logged in; what cannot be written down is not asked.

        Args:
            place: what it is about; "" the whole site.
        Raises:
            Forbidden: his role or his places do not reach so far.
            Unavailable: the gateway is away.
            Rejected: it does not accept this.
        """
        right = COMMANDS.get(command)
        if right is None or not may(session.user, right):
            raise Forbidden(command)
        if not may_see(session.user, site, place):
            raise Forbidden(f"{site}/{place}")
        told = {"command": command, **{key: arguments[key] for key in ("action",) if key in arguments}}
        if command.startswith("homes.") and place:
            arguments["place"] = place
        where = f"{site}/{place}" if place else site
        subject = str(arguments.get("visit") or arguments.get("courier") or arguments.get("id") or where)
        await asyncio.to_thread(self._audit.write, session.user.id, "asked", subject, session.address, told)
        return await self._ask(command, site=site, **arguments, by=session.user.id)

    def call_for(self, command: str, timeout_s: float = TIMEOUT_S, /, **arguments: Any) -> Any:
        """Ask in the name of nobody here: the page that calls has its own proof of who it is. Blocks.

        Raises:
            Forbidden, Unavailable, Rejected: as `call`.
        """
        if command not in PUBLIC_COMMANDS:
            raise Forbidden(command)
        return commands.call(self._settings.command_socket, command, timeout_s, **arguments)

    async def names(self, session: "Session", ids: Iterable[str], site: str, why: str) -> dict[str, dict[str, str]]:
        """Who is behind pseudonyms: id -> name, phone, address. Written down, here and at the gateway, before it is shown.

        Returns:
            Nothing for who may not know, and while the gateway is away.
        """
        wanted = sorted({id_ for id_ in ids if id_})
        if not wanted or not may(session.user, Right.NAMES) or not sees_some_of(session.user, site):
            return {}
        await asyncio.to_thread(
            self._audit.write, session.user.id, "looked", why, session.address, {"site": site, "people": wanted}
        )
        try:
            found = await self._ask("people.reveal", ids=wanted, by=session.user.id, why=why)
        except Unavailable:
            return {}
        return {str(id_): dict(entry) for id_, entry in found.items()}

    async def alive(self) -> bool:
        """Whether the gateway answers."""
        try:
            await asyncio.to_thread(commands.call, self._settings.command_socket, "ping", timeout_s=2.0)
        except Unavailable:
            return False
        return True

    def registry(self) -> Registry:
        """Sites, places and zones; an empty one when the file cannot be read now.

        Read anew only when it has changed: 20,000 devices take a third of a second, and a phone's tap asks for it too.
        """
        try:
            file = self._settings.registry.stat()
            seen = file.st_mtime_ns, file.st_size, file.st_ino
            if self._known is None or self._known[0] != seen:
                self._known = seen, registry.load(self._settings.registry)
            return self._known[1]
        except (OSError, Misconfigured):
            return Registry()

    async def _ask(self, command: str, **arguments: Any) -> Any:
        return await asyncio.to_thread(commands.call, self._settings.command_socket, command, TIMEOUT_S, **arguments)
