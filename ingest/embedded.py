"""The database used when none is configured: one SQLite file with one narrow table, readable while it is written.

`series` says what a value is of: measurement, tags and field as in `ingest.points`; `reading` holds (series, time) -> value,
and a second write of it is harmless. Of a reading, `<quantity>_flag`, `_raw` and `_calibration` are columns of its one row.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.events import Entry
from edge_gateway.sink import Refusal
from ingest.embedded_file import SERIES_COLUMNS, inode, is_damage, open_for_reading, open_for_writing, set_aside, told
from ingest.points import TAGS, Point, RefusedPoint, points

MOST_SERIES: Final = 100_000  # whose ids are remembered; beyond that they are looked up again
NOT_OPEN: Final = -1  # in place of an inode
COMPACT_BYTES: Final = 256 << 20  # some seconds

_PUT: Final = "INSERT OR REPLACE INTO reading VALUES (?, ?, ?, ?, ?, ?, ?)"
_ADD_SERIES: Final = (
    f"INSERT INTO series ({', '.join(SERIES_COLUMNS)}) VALUES ({', '.join('?' * len(SERIES_COLUMNS))})"
    " ON CONFLICT DO UPDATE SET field = field RETURNING id"
)
_LIST_SERIES: Final = f"""
SELECT id, {", ".join(SERIES_COLUMNS)} FROM series
WHERE (:measurement IS NULL OR measurement = :measurement)
  AND (:site IS NULL OR site = :site) AND (:device IS NULL OR device = :device)
ORDER BY {", ".join(SERIES_COLUMNS)}
"""
_VALUES: Final = """
SELECT time_ns, coalesce(value, text), flag, raw, calibration FROM reading
WHERE series = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns
"""

_SPAN: Final = """
SELECT (SELECT min(time_ns) FROM reading WHERE series = :series), (SELECT max(time_ns) FROM reading WHERE series = :series)
"""
_COUNT: Final = """
SELECT count(*) FROM reading
WHERE :measurement IS NULL OR series IN (SELECT id FROM series WHERE measurement = :measurement)
"""

_Row = tuple[int, int, float | int | None, str | None, int | None, float | None, str | None]


class Series(NamedTuple):
    """What the values of one id are of; tags that it has not are ""."""

    id: int
    measurement: str
    site: str
    device: str
    place: str
    channel: str
    kind: str
    rule: str
    severity: str
    field: str


class Stored(NamedTuple):
    """One value. `flag` is None for a plain field; `value` is None for a missing reading, whose flag is 9."""

    series: Series
    time_ns: int
    value: float | int | str | None
    flag: int | None
    raw: float | None
    calibration: str | None


class EmbeddedSink:
    """See `Sink`. Several may write to one file, such as a backfill beside the gateway; each write waits for its turn."""

    def __init__(self, file: Path) -> None:
        self.name = "embedded"
        self._file = file
        self._ids: dict[tuple[object, ...], tuple[int, ...]] = {}
        self._inode: int | None = NOT_OPEN
        self._one = threading.RLock()  # who erases or forgets does so in another thread
        self._open()

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        """See `Sink.write`; one transaction, and one fsync."""
        refused: list[Refusal] = []
        taken: list[Point] = []
        for entry in entries:
            try:
                taken += points(entry)
            except Rejected as error:
                refused.append(Refusal(entry, error.reason, error.detail))
        self.write_points(taken)
        return refused

    def write_points(self, batch: Sequence[Point]) -> list[RefusedPoint]:
        """As `write`, for points that come from no entry, such as roll-ups; none is refused."""
        if not batch:
            return []
        try:
            self._write(batch)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise told(error, self._file) from error
            self.close()
            set_aside(self._file, error)
            try:
                self._write(batch)
            except sqlite3.Error as again:
                raise told(again, self._file) from again
        return []

    def erase(self, site: str, place: str, devices: Sequence[str]) -> int:
        """See `Eraser.erase`."""
        with self._alone() as db:
            count = erase(db, site, place)
        self._settle()
        return count

    def forget(self, measurement: str, before_ns: int) -> int:
        """See `Eraser.forget`."""
        with self._alone() as db:
            sql = "DELETE FROM reading WHERE time_ns < ? AND series = ?"
            ids = db.execute("SELECT id FROM series WHERE measurement = ?", (measurement,)).fetchall()
            return sum(db.execute(sql, (before_ns, number)).rowcount for (number,) in ids)

    def close(self) -> None:
        """See `Sink.close`; a later write opens the file again."""
        self._db.close()
        self._inode = NOT_OPEN

    def _open(self) -> None:
        self._ids.clear()
        self._db = open_for_writing(self._file)
        self._inode = inode(self._file)

    def _write(self, batch: Sequence[Point]) -> None:
        with self._one:
            self._write_alone(batch)

    @contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        """A transaction beside no write; what it deletes is overwritten with zeros."""
        with self._one:
            try:
                self._reopen_if_moved()
                self._db.execute("PRAGMA secure_delete = ON")
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise told(error, self._file) from error
            finally:
                self._ids.clear()  # they may be of series that are gone
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _settle(self) -> None:
        """Nothing that was deleted stays in the file's free places or its log; a big file is not written anew for that."""
        with self._one, suppress(sqlite3.Error):
            if self._file.stat().st_size < COMPACT_BYTES:
                self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _reopen_if_moved(self) -> None:
        if inode(self._file) != self._inode:  # moved or deleted under us: what we wrote would be gone with it
            self.close()
            self._open()

    def _write_alone(self, batch: Sequence[Point]) -> None:
        self._reopen_if_moved()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            # In the order of the key: neighbours share a page.
            self._db.executemany(_PUT, sorted(self._rows(batch), key=itemgetter(0, 1)))
            self._db.execute("COMMIT")
        except BaseException:
            self._ids.clear()  # some may be of series that are rolled back now
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _rows(self, batch: Sequence[Point]) -> Iterator[_Row]:
        for point in batch:
            time_ns = point.time_ns
            ids = self._series(point)
            for number, reading in zip(ids, point.readings, strict=False):
                value = reading.value
                if isinstance(value, str):
                    yield number, time_ns, None, value, reading.flag, reading.raw, reading.calibration
                else:
                    yield number, time_ns, value, None, reading.flag, reading.raw, reading.calibration
            for number, (_, plain) in zip(ids[len(point.readings) :], point.fields, strict=True):
                if isinstance(plain, str):
                    yield number, time_ns, None, plain, None, None, None
                else:
                    yield number, time_ns, plain, None, None, None, None

    def _series(self, point: Point) -> tuple[int, ...]:
        """Ids of the point's columns, then of its plain fields."""
        fields = tuple([name for name, _ in point.fields])
        key = (point.measurement, point.site, point.device, point.place, point.channel, point.labels, point.columns, fields)
        ids = self._ids.get(key)
        if ids is None:
            labels = dict(point.labels)
            tags = (point.site, point.device, point.place, point.channel, *(labels.get(tag, "") for tag in TAGS[4:]))
            names = (*(column.field for column in point.columns), *fields)
            ids = tuple(self._db.execute(_ADD_SERIES, (point.measurement, *tags, name)).fetchone()[0] for name in names)
            if len(self._ids) >= MOST_SERIES:
                self._ids.clear()
            self._ids[key] = ids
        return ids


class Reader:
    """Reads the file of an `EmbeddedSink`, from any process and also while it is written.

    Each call opens the file anew, which takes a fraction of a millisecond: none holds on to a file that was set aside, and a
    generator that is read slowly sees one state of the data. All raise `Unavailable` when there is no file yet or it cannot
    be read.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def series(self, measurement: str | None = None, site: str | None = None, device: str | None = None) -> list[Series]:
        """All series, or those of a measurement, site, device; sorted by measurement, tags and field."""
        with self._connection() as db:
            return _series(db, measurement, site, device)

    def read(
        self, measurement: str, start_ns: int, end_ns: int, site: str | None = None, device: str | None = None
    ) -> Iterator[Stored]:
        """Values with start_ns <= time < end_ns: one set of tags after the other, by time within it, by field within a time.

        Memory stays bounded however long the range. A generator that is not read to its end must be closed.
        """
        with self._connection() as db:
            db.execute("BEGIN")
            for _, alike in groupby(_series(db, measurement, site, device), key=lambda series: series[1:-1]):
                yield from merge(*(_values(db, series, start_ns, end_ns) for series in alike), key=itemgetter(1))

    def span(self, measurement: str) -> tuple[int, int] | None:
        """First and last time, ns; None when there is no value."""
        with self._connection() as db:
            found = [db.execute(_SPAN, {"series": series.id}).fetchone() for series in _series(db, measurement)]
        times = [row for row in found if row[0] is not None]
        return (min(row[0] for row in times), max(row[1] for row in times)) if times else None

    def count(self, measurement: str | None = None) -> int:
        """How many values there are. It reads them all: for tests and the doctor, not for a screen."""
        with self._connection() as db:
            total: int = db.execute(_COUNT, {"measurement": measurement}).fetchone()[0]
            return total

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        db = open_for_reading(self._file)
        try:
            yield db
        except sqlite3.Error as error:
            raise Unavailable(f"{self._file}: {error}") from error
        finally:
            db.close()


def erase(db: sqlite3.Connection, site: str, place: str) -> int:
    """Delete the series of a place with their values; how many series. Within a transaction."""
    ids = db.execute("SELECT id FROM series WHERE site = ? AND place = ?", (site, place)).fetchall()
    db.executemany("DELETE FROM reading WHERE series = ?", ids)
    db.executemany("DELETE FROM series WHERE id = ?", ids)
    return len(ids)


def _series(
    db: sqlite3.Connection, measurement: str | None, site: str | None = None, device: str | None = None
) -> list[Series]:
    rows = db.execute(_LIST_SERIES, {"measurement": measurement, "site": site, "device": device})
    return [Series(*row) for row in rows]


def _values(db: sqlite3.Connection, series: Series, start_ns: int, end_ns: int) -> Iterator[Stored]:
    for row in db.execute(_VALUES, (series.id, start_ns, end_ns)):
        yield Stored(series, *row)
