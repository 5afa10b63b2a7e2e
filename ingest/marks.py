"""Which hours and days have to be rolled up again, kept on disk until the roll-up is stored."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from secrets import randbits
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from ingest.aggregate import HOUR_NS, days_of_hour, hour
from ingest.rows import DAILY, HOURLY, VISIT

SEEN_AT_MOST: Final = 100_000  # touches remembered in memory; to forget them only costs a repeated insert

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mark (
    suffix TEXT NOT NULL,        -- _1h or _1d
    measurement TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    version INTEGER NOT NULL,    -- random, new at each touch and take: what was touched since it was taken is not cleared
    touched_ns INTEGER NOT NULL,
    PRIMARY KEY (suffix, measurement, start_ns, site, device)
) WITHOUT ROWID
"""
_FLOOR: Final = "CREATE TABLE IF NOT EXISTS floor (measurement TEXT PRIMARY KEY, before_ns INTEGER NOT NULL) WITHOUT ROWID"
_EXPECTED: Final = "CREATE TABLE IF NOT EXISTS expected (id INTEGER PRIMARY KEY CHECK (id = 1), until_ns INTEGER NOT NULL)"
_KNOWN: Final = """
CREATE TABLE IF NOT EXISTS known (measurement TEXT PRIMARY KEY, until_ns INTEGER NOT NULL) WITHOUT ROWID
"""
_RAISE: Final = """
INSERT INTO floor VALUES (?, ?) ON CONFLICT DO UPDATE SET before_ns = max(before_ns, excluded.before_ns)
"""
_TOUCH: Final = """
INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET version = excluded.version, touched_ns = excluded.touched_ns
"""
# A touch that lies in the future was made by a clock that has been set back since: due, not stuck.
_DUE: Final = """
SELECT suffix, measurement, start_ns, end_ns, site, device FROM mark
WHERE end_ns <= :now AND (touched_ns <= :now - :delay OR touched_ns > :now)
ORDER BY suffix, measurement, start_ns LIMIT :limit
"""
_THIS: Final = "WHERE suffix = ? AND measurement = ? AND start_ns = ? AND site = ? AND device = ?"
_TAKE: Final = f"UPDATE mark SET version = ? {_THIS}"
_CLEAR: Final = f"DELETE FROM mark {_THIS} AND version = ?"


# An hour to which something was written: measurement, start of the hour, site, device. A plain tuple: one is made for every
# few readings on their way.
Touch = tuple[str, int, str, str]


class Mark(NamedTuple):
    """One period, hour or day, of one device and measurement whose roll-up is out of date."""

    suffix: str
    measurement: str
    start_ns: int
    end_ns: int
    site: str
    device: str


class Taken(NamedTuple):
    """A mark that is being worked on; `version` tells whether it was touched again meanwhile."""

    mark: Mark
    version: int


class Marks:
    """A small SQLite file; threads may share one object, and processes (gateway and backfill) the file.

    Args:
        file: made when missing.
        zone: whose days.
    """

    def __init__(self, file: Path, zone: ZoneInfo) -> None:
        self._zone = zone
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, timeout=10.0, isolation_level=None, check_same_thread=False)
        file.chmod(0o600)
        # No WAL: before SQLite 3.51.3 two processes that write and checkpoint a WAL at one moment can damage it.
        # FULL: the outbox forgets after the database's answer, and then the mark must not be lost either.
        self._db.execute("PRAGMA journal_mode = TRUNCATE")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)
        self._db.execute(_FLOOR)
        # measurement -> what is older was deleted
        self.floors: dict[str, int] = dict(self._db.execute("SELECT measurement, before_ns FROM floor").fetchall())
        self._seen: set[Touch] = set()  # their marks are on disk, and nobody has taken them since
        self._others = self._data_version()

    def touch(self, touches: Set[Touch], now_ns: int) -> None:
        """Return when the hours and their days are on disk; free of charge for those that are there already and wait."""
        with self._lock:
            others = self._data_version()
            if others != self._others:  # another process may have taken what we remember
                self._others = others
                self._seen.clear()
            new = touches - self._seen
            if not new:
                return
            version = randbits(62)
            with self._transaction():
                self._db.executemany(_TOUCH, [(*mark, version, now_ns) for mark in self._marks(new)])
            if len(self._seen) > SEEN_AT_MOST:
                self._seen.clear()
            self._seen |= new

    def take(self, now_ns: int, delay_ns: int, limit: int) -> list[Taken]:
        """Marks whose period is over, touched at least `delay_ns` ago, in order; they stay on disk until `clear`."""
        with self._lock:
            due = [Mark(*row) for row in self._db.execute(_DUE, {"now": now_ns, "delay": delay_ns, "limit": limit})]
            if not due:
                return []
            version = randbits(62)
            with self._transaction():  # also tells the other processes, see `touch`
                self._db.executemany(_TAKE, [(version, *_key(mark)) for mark in due])
            for mark in due:
                for start in range(hour(mark.start_ns)[0], mark.end_ns, HOUR_NS):
                    self._seen.discard((mark.measurement, start, mark.site, mark.device))
            return [Taken(mark, version) for mark in due]

    def clear(self, taken: Iterable[Taken]) -> None:
        """Forget marks whose roll-up is stored, but for those touched since they were taken."""
        with self._lock, self._transaction():
            self._db.executemany(_CLEAR, [(*_key(mark), version) for mark, version in taken])

    def forget(self, site: str, devices: Iterable[str]) -> None:
        """Compute nothing more of these devices; also a small file keeps no trace of them."""
        with self._lock:
            with self._transaction():
                self._db.executemany("DELETE FROM mark WHERE site = ? AND device = ?", [(site, device) for device in devices])
            self._seen.clear()
            self._db.execute("VACUUM")

    def waiting_before(self, measurement: str, before_ns: int) -> bool:
        """Whether sums of readings of before then are still to be computed, but for those that were deleted already."""
        query = "SELECT 1 FROM mark WHERE measurement = ? AND start_ns < ? AND start_ns >= ? LIMIT 1"
        with self._lock:
            return self._db.execute(query, (measurement, before_ns, self.floors.get(measurement, 0))).fetchone() is not None

    def raise_floor(self, measurement: str, before_ns: int) -> None:
        """What is older is about to be deleted; on disk when this returns."""
        with self._lock, self._transaction():
            self._db.execute(_RAISE, (measurement, before_ns))
        self.floors[measurement] = max(before_ns, self.floors.get(measurement, 0))

    def expected_until(self) -> int | None:
        """The end of the last hour that was marked because readings were expected, whether any came or not; None: none yet."""
        with self._lock:
            # Not when the file is opened: one of an older version is opened on a full disk too, and the gateway starts.
            self._db.execute(_EXPECTED)
            row: tuple[int] | None = self._db.execute("SELECT until_ns FROM expected").fetchone()
            return row[0] if row is not None else None

    def expect_from(self, until_ns: int) -> None:
        """See `expected_until`; on disk when this returns."""
        with self._lock, self._transaction():
            self._db.execute(_EXPECTED)
            self._db.execute("INSERT OR REPLACE INTO expected VALUES (1, ?)", (until_ns,))

    def known_until(self, measurement: str) -> int | None:
        """Up to when what there was of a measurement before it had roll-ups is marked, ns; None: nothing is."""
        with self._lock:
            self._db.execute(_KNOWN)
            found: tuple[int] | None
            found = self._db.execute("SELECT until_ns FROM known WHERE measurement = ?", (measurement,)).fetchone()
            return found[0] if found is not None else None

    def know(self, measurement: str, until_ns: int) -> None:
        """See `known_until`; on disk when this returns."""
        with self._lock, self._transaction():
            self._db.execute(_KNOWN)
            self._db.execute("INSERT OR REPLACE INTO known VALUES (?, ?)", (measurement, until_ns))

    def waiting(self) -> int:
        """How many periods are out of date, those that are still running included."""
        with self._lock:
            count: int = self._db.execute("SELECT count(*) FROM mark").fetchone()[0]
            return count

    def close(self) -> None:
        """A second call does nothing."""
        with self._lock:
            self._db.close()

    def _marks(self, touches: Iterable[Touch]) -> set[Mark]:
        """The hours themselves and the days they belong to; visits have days only."""
        found: set[Mark] = set()
        for measurement, start, site, device in touches:
            if measurement != VISIT:
                found.add(Mark(HOURLY, measurement, start, start + HOUR_NS, site, device))
            for day_start, day_end in days_of_hour(start, self._zone):
                found.add(Mark(DAILY, measurement, day_start, day_end, site, device))
        return found

    def _data_version(self) -> int:
        """Changes when another connection has written."""
        version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return version

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _key(mark: Mark) -> tuple[str, str, int, str, str]:
    return mark.suffix, mark.measurement, mark.start_ns, mark.site, mark.device
