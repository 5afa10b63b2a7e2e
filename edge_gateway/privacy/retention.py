"""What is deleted when its time is over, once an hour: in the gateway's store, in the database, and of files put aside.

An open alert stays whatever its age. Hourly and daily sums stay. Everything is counted.
"""

import logging
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_gateway.aside import aside
from edge_gateway.errors import KanhuError
from edge_gateway.rescue import measure
from edge_gateway.settings import Privacy, Settings
from edge_gateway.sink import Eraser
from edge_gateway.visits import cut

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

DAY_NS: Final = 86_400 * 10**9
EVERY_S: Final = 3600.0
FIRST_S: Final = 600.0  # after the start: the clock of a machine that was off comes from the network
JUMP_NS: Final = DAY_NS
# Raw motion: who was in which room when. Its group in the catalogue, and its measurement.
PRESENCE: Final = "presence"
HOME: Final = "home"  # each minute: who is away
SILENCE: Final = "silence"


class Retention:
    """Belongs to one gateway."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._next_s = time.monotonic() + FIRST_S
        self._clocks: tuple[int, float] | None = None  # wall ns and monotonic s, at the last look
        self._doubt_s = 0.0

    async def tick(self) -> None:
        """Does something once an hour; a database that is away is asked again in the next."""
        self._follow_clock()
        if time.monotonic() < max(self._next_s, self._doubt_s):
            return
        if self._doubt_s:
            self._doubt_s = 0.0
            self._gateway.troubles.set("retention", "")
        self._next_s = time.monotonic() + EVERY_S
        await self.run()

    def _follow_clock(self) -> None:
        """A clock that somebody set, be it from the network, is no reason to delete years: people have a day to notice."""
        wall_ns, now_s = self._gateway.clock_ns(), time.monotonic()
        if self._clocks is not None:
            ahead_ns = (wall_ns - self._clocks[0]) - round((now_s - self._clocks[1]) * 1e9)
            if ahead_ns > JUMP_NS:
                self._doubt_s = now_s + JUMP_NS / 1e9
                told = f"the clock jumped ahead by {ahead_ns / DAY_NS:.1f} days: nothing is deleted for its age for a day"
                log.warning("%s", told)
                self._gateway.troubles.set("retention", told)
        self._clocks = wall_ns, now_s

    async def run(self) -> None:
        """Now."""
        g = self._gateway
        now_ns, rules = g.clock_ns(), g.settings.privacy
        gone = await g.in_store(lambda: g.store.change(lambda db: prune(db, rules, now_ns)))
        gone["files"] = put_aside(g.settings.data_dir, rules.damaged_days, now_ns)
        if any(gone.values()):
            log.info("kept no longer: %s", ", ".join(f"{what} {n}" for what, n in gone.items() if n))
        if rules.visit_days and g.settings.visits.enabled:
            await self._cut_visits(now_ns, rules.visit_days)
        await self._forget(now_ns)

    async def _forget(self, now_ns: int) -> None:
        """What the database holds of people's days, and of silence."""
        g = self._gateway
        sink = g.sink
        if not isinstance(sink, Eraser):
            return
        told = ""
        for measurement, days in database_days(g.settings).items():
            before_ns = now_ns - days * DAY_NS
            try:
                await aside(partial(sink.forget, measurement, before_ns), "retention")
            except KanhuError as error:
                told = told or f"readings of `{measurement}` older than {days} days are not deleted: {error}"
        g.troubles.set("retention", told)

    async def _cut_visits(self, now_ns: int, days: int) -> None:
        """Part by part: taps are judged between them. A ledger that cannot be used now is asked again in an hour."""
        try:
            while True:
                gone = await self._gateway.visits.do(lambda p: cut.cut(p.ledger.book, now_ns, days))
                if any(gone.values()):
                    log.info("of the ledger of visits kept no longer: %s", gone)
                if gone["log"] < cut.AT_ONCE:
                    return
        except KanhuError as error:
            log.warning("the ledger of visits is not cut: %s", error)


def database_days(settings: Settings) -> dict[str, int]:
    """Measurement -> days that the database keeps it; without those it keeps for ever."""
    presence = settings.privacy.presence_days
    silence = settings.gateway.silence_days
    # How long ago somebody moved in the kitchen says when somebody did.
    days = {PRESENCE: presence, HOME: presence, SILENCE: min(silence or presence, presence or silence)}
    return {measurement: kept for measurement, kept in days.items() if kept}


def prune(db: sqlite3.Connection, rules: Privacy, now_ns: int) -> dict[str, int]:
    """Rows whose time is over; how many of each kind. In a transaction of the caller."""
    alerts = "DELETE FROM alert WHERE open = 0 AND raised_ns < ?"
    found = {
        "alerts_expired": (alerts, rules.alert_days),
        "home_log_expired": ("DELETE FROM home_log WHERE at_ns < ?", rules.home_log_days),
        "held_expired": ("DELETE FROM held WHERE received_ns < ?", rules.held_days),
        "dead_letters_expired": ("DELETE FROM dead_letter WHERE last_ns < ?", rules.dead_letter_days),
    }
    gone = {name: db.execute(sql, (now_ns - days * DAY_NS,)).rowcount for name, (sql, days) in found.items() if days}
    if any(gone.values()):
        measure(db)
        counted = [(name, n) for name, n in gone.items() if n]
        db.executemany("INSERT INTO counter VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value", counted)
    return gone


def put_aside(folder: Path, days: int, now_ns: int) -> int:
    """Delete damaged files that nobody took away in so many days (0: none); how many."""
    old = [
        file
        for file in folder.glob("*.damaged-*")
        if days and file.is_file() and now_ns - file.stat().st_mtime_ns > days * DAY_NS
    ]
    for file in old:
        file.unlink(missing_ok=True)
        log.warning("%s was put aside %d days ago: deleted", file.name, days)
    return len(old)
