"""Which hours and days have to be rolled up again, kept on disk until the roll-up is stored."""

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

SEEN_AT_MOST: Final = 100_000  # marks remembered in memory; forgetting them only costs a repeated insert

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mark (
    suffix TEXT NOT NULL,        -- _1h or _1d
    measurement TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    version INTEGER NOT NULL,    -- a new one at each touch after a take: what was touched meanwhile is not cleared
    touched_ns INTEGER NOT NULL,
    PRIMARY KEY (suffix, measurement, start_ns, site, device)
) WITHOUT ROWID
"""
_TOUCH: Final = """
INSERT INTO mark VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET version = excluded.version, touched_ns = excluded.touched_ns
"""
# A touch that lies in the future was made by a clock that has been set back since: due, not stuck.
_DUE: Final = """
SELECT suffix, measurement, start_ns, end_ns, site, device, version FROM mark
WHERE end_ns <= :now AND (touched_ns <= :now - :delay OR touched_ns > :now)
ORDER BY suffix, measurement, start_ns LIMIT :limit
"""
_CLEAR: Final = """
DELETE FROM mark WHERE suffix = ? AND measurement = ? AND start_ns = ? AND site = ? AND device = ? AND version = ?
"""


class Mark(NamedTuple):
    """One period of one device and measurement whose roll-up is out of date."""

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
    """A small SQLite file; `touch` and the others may be called from different threads."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        file.chmod(0o600)
        self._db.execute("PRAGMA journal_mode = WAL")
        # FULL: the database forgets nothing after its answer, so neither may the mark that belongs to it.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)
        self._version: int = self._db.execute("SELECT coalesce(max(version), 0) FROM mark").fetchone()[0]
        self._seen: set[Mark] = set()  # on disk, and not taken since

    def touch(self, marks: Iterable[Mark], now_ns: int) -> None:
        """Return when every mark is on disk; free of charge for those that are there already and wait."""
        with self._lock:
            new = [mark for mark in marks if mark not in self._seen]
            if not new:
                return
            self._version += 1
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_TOUCH, [(*mark, self._version, now_ns) for mark in new])
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            if len(self._seen) + len(new) > SEEN_AT_MOST:
                self._seen.clear()
            self._seen.update(new[:SEEN_AT_MOST])

    def take(self, now_ns: int, delay_ns: int, limit: int) -> list[Taken]:
        """Marks whose period is over, touched at least `delay_ns` ago, in order; they stay on disk until `clear`."""
        with self._lock:
            rows = self._db.execute(_DUE, {"now": now_ns, "delay": delay_ns, "limit": limit}).fetchall()
            taken = [Taken(Mark(*row[:6]), row[6]) for row in rows]
            self._seen.difference_update(t.mark for t in taken)
            return taken

    def clear(self, taken: Iterable[Taken]) -> None:
        """Forget marks whose roll-up is stored, but for those touched since they were taken."""
        gone = [(*t.mark[:3], t.mark.site, t.mark.device, t.version) for t in taken]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_CLEAR, gone)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def waiting(self) -> int:
        """How many periods are out of date, those that are still running included."""
        with self._lock:
            count: int = self._db.execute("SELECT count(*) FROM mark").fetchone()[0]
            return count

    def close(self) -> None:
        """A second call does nothing."""
        with self._lock:
            self._db.close()
