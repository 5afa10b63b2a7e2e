"""Logging in and staying logged in: sessions that are known here only by their hash, and a brake on guessing."""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from dashboards.console.audit import Audit
from dashboards.console.roles import Role
from dashboards.console.store import Store
from dashboards.console.users import LONGEST, User, Users, fits, hashed
from edge_gateway.errors import Unavailable
from edge_gateway.settings import Console

TRIES: Final = 5  # failures in a minute, for an address and for an account
MINUTE_S: Final = 60.0
KIOSK_DAYS: Final = 30.0
LONGEST_WAIT_S: Final = 900.0
_REMEMBERED: Final = 10_000  # addresses and accounts of guessers; the oldest are forgotten
_WAITING: Final = 8  # passwords waiting to be hashed; more is a flood
_TOUCH_S: Final = 60.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is logged in.

    Attributes:
        key: hash of what his cookie holds.  csrf: what his forms carry.
        address: where he logged in from.
    """

    key: bytes
    user: User
    csrf: str
    address: str


class Throttle:
    """Counts failures; after five in a minute the next tries wait, each round twice as long."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._locked: dict[str, tuple[float, float]] = {}  # until, how long it was

    def wait_s(self, *names: str) -> float:
        """How long these have to wait; 0: they may try."""
        now = self._clock_s()
        return max(0.0, *(self._locked.get(name, (0.0, 0.0))[0] - now for name in names))

    def failed(self, *names: str) -> None:
        """One more wrong try."""
        now = self._clock_s()
        for name in names:
            recent = [at for at in self._failures.pop(name, []) if at > now - MINUTE_S] + [now]
            self._failures[name] = recent
            if len(recent) >= TRIES:
                until, before = self._locked.get(name, (0.0, 0.0))
                if now - until > LONGEST_WAIT_S:  # long ago: begin anew
                    before = 0.0
                wait = min(LONGEST_WAIT_S, max(MINUTE_S, before * 2))
                self._locked[name] = (now + wait, wait)
                self._failures[name] = []
        while len(self._failures) > _REMEMBERED:
            old, _ = self._failures.popitem(last=False)
            self._locked.pop(old, None)

    def right(self, address: str, account: str) -> None:
        """He knew it: his own failures are forgotten; of the address only this try, or it could guess on at others."""
        self._failures.pop(account, None)
        self._locked.pop(account, None)
        if recent := self._failures.get(address):
            recent.pop()


class Access:
    """Log-in and sessions.

    Args:
        clock_ns: nanoseconds since 1970.
    """

    def __init__(
        self, store: Store, users: Users, audit: Audit, console: Console, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._store, self._users, self._audit = store, users, audit
        self._idle_ns = int(console.idle_min * 60e9)
        self._longest_ns = int(console.longest_h * 3600e9)
        # A screen that nobody touches: it may do nothing but show the desk's page.
        self._kiosk_ns = int(KIOSK_DAYS * 86_400e9)
        self._clock_ns = clock_ns
        self.throttle = Throttle()
        # One at a time: each takes 128 MiB and half a second of a core.
        self._hasher = ThreadPoolExecutor(1, "hasher")
        self._waiting = 0

    async def log_in(self, id_: str, password: str, address: str) -> tuple[str, Session] | float:
        """The cookie's value and the session; or how many seconds to wait before the next try (0: just wrong).

        Unknown name, wrong password and a locked account are answered alike.

        Raises:
            Unavailable: too many try at once.
        """
        id_ = id_[:60]
        names = (f"address {address}", f"account {id_}")
        if wait := self.throttle.wait_s(*names):
            return wait
        if len(password) > LONGEST:
            password = ""
        # Counted before the slow part, or a thousand tries at once would all be let in.
        self.throttle.failed(*names)
        known = await asyncio.to_thread(self._users.password_of, id_)
        right = await self._slow(fits, password, known)
        user = await asyncio.to_thread(self._users.find, id_)
        if not right or user is None:
            await asyncio.to_thread(self._audit.write, id_ if user else "", "login_failed", "", address)
            return self.throttle.wait_s(*names)
        self.throttle.right(*names)
        return await asyncio.to_thread(self._begin, user, address)

    async def hashed(self, password: str) -> str:
        """For storing it.

        Raises:
            Unavailable: too many at once.
        """
        return await self._slow(hashed, password)

    async def find(self, cookie: str, touch: bool = True) -> Session | None:
        """Who has this cookie; None when it is unknown, idle or too old.

        Args:
            touch: as in `still`.
        """
        return await asyncio.to_thread(self._by_key, _key(cookie), touch) if cookie else None

    async def still(self, session: Session, touch: bool = True) -> Session | None:
        """The same session now: its user may be gone, have another role, or be logged out. For clicks on an open page.

        Args:
            touch: a person did something; False: only a look, by which nobody stays logged in.
        """
        return await asyncio.to_thread(self._by_key, session.key, touch)

    async def log_out(self, session: Session, address: str) -> None:
        """It ends here, whatever the browser keeps."""
        await asyncio.to_thread(self._end, session, address)

    def begin(self, user: User, address: str) -> tuple[str, Session]:
        """A new session; `log_in` without a password, for the first administrator. Blocks some milliseconds."""
        return self._begin(user, address)

    def _begin(self, user: User, address: str) -> tuple[str, Session]:
        cookie, now = secrets.token_urlsafe(16), self._clock_ns()
        session = Session(_key(cookie), user, secrets.token_urlsafe(16), address)
        with self._store.write() as db:
            db.execute("DELETE FROM session WHERE made_ns < ?", (now - max(self._longest_ns, self._kiosk_ns),))
            db.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?)", (session.key, user.id, session.csrf, now, now, address))
            self._audit.write(user.id, "logged_in", "", address, db=db)
        return cookie, session

    def _end(self, session: Session, address: str) -> None:
        with self._store.write() as db:
            db.execute("DELETE FROM session WHERE key = ?", (session.key,))
            self._audit.write(session.user.id, "logged_out", "", address, db=db)

    def _by_key(self, key: bytes, touch: bool = True) -> Session | None:
        rows = self._store.rows("SELECT user, csrf, made_ns, seen_ns, address FROM session WHERE key = ?", key)
        if not rows:
            return None
        id_, csrf, made_ns, seen_ns, address = rows[0]
        now = self._clock_ns()
        user = self._users.find(id_)
        # A clock that was set back makes nobody immortal: a time in the future counts as over.
        kiosk = user is not None and user.role is Role.KIOSK
        longest_ns, idle_ns = (self._kiosk_ns, self._kiosk_ns) if kiosk else (self._longest_ns, self._idle_ns)
        fresh = 0 <= now - made_ns < longest_ns and -_TOUCH_S * 1e9 <= now - seen_ns < idle_ns
        if user is None or not fresh:
            with self._store.write() as db:
                db.execute("DELETE FROM session WHERE key = ?", (key,))
            return None
        if touch and now - seen_ns > min(_TOUCH_S * 1e9, idle_ns / 10):
            with self._store.write() as db:
                db.execute("UPDATE session SET seen_ns = ? WHERE key = ?", (now, key))
        return Session(key, user, csrf, address)

    async def _slow(self, work: Callable[..., _T], *arguments: object) -> _T:
        if self._waiting >= _WAITING:
            raise Unavailable("too many people log in at this moment", retry_after_s=10.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._hasher, work, *arguments)
        finally:
            self._waiting -= 1


def _key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).digest()
