"""Hourly and daily roll-ups that take late data: what a write touched is noted on disk and computed again from the database.

A period is rolled up once it is over, `delay_s` after it was touched, and again whenever something arrives for it, however
late. Hours are UTC hours; days are calendar days of one zone (Asia/Shanghai unless told otherwise) for all sites. What a
roll-up holds is said in `ingest.aggregate`. InfluxDB's own tasks are not used: they never see a late point.

If the power goes: the mark is on disk before the data is in the database, and leaves it after the roll-up is there. In between,
the same period is computed again, with the same result, to the same series and time.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from edge_gateway.catalog import NOT_SUMMED, QUANTITIES
from edge_gateway.errors import KanhuError, Unavailable
from edge_gateway.events import Entry, Readings, VisitChange, columns, split_name
from edge_gateway.registry import Registry
from edge_gateway.settings import Settings
from edge_gateway.sink import Eraser, Refusal, Sink
from ingest.aggregate import HOUR_NS, hour, roll_up
from ingest.expected import Plans, plans_of
from ingest.influx import InfluxSink
from ingest.marks import Marks, Taken, Touch
from ingest.query import open_reader
from ingest.rows import SUMMED, VISIT, Reader, rollup_database
from ingest.sinks import PointSink
from ingest.tokens import in_role
from ingest.visit_days import count_visits

log = logging.getLogger(__name__)

FILE: Final = "rollups.db"
DELAY_S: Final = 30.0
MARKS_AT_ONCE: Final = 10_000
POINTS_AT_ONCE: Final = 5000
LONGEST_RANGE_NS: Final = 31 * 24 * HOUR_NS  # of one query
_ALL: Final = 2**63 - 1
_ERASED_WITHIN_S: Final = 20.0  # a job is a query or two; a database that hangs must not hold up who erases, nor the end
FILLED_NS: Final = 7 * 24 * HOUR_NS  # so far back hours are looked at of which nothing came


def open_rollups(settings: Settings, sink: PointSink, zone: str = "Asia/Shanghai") -> "RollupSink":
    """`sink` with roll-ups. With InfluxDB they are read and written with the token `rollups`, into a bucket of their own.

    Raises:
        Misconfigured: the database cannot be read (VictoriaMetrics has no roll-ups), or a token's file is wrong.
    """
    reader = open_reader(settings, "rollups")
    store = sink
    if settings.influx.url:
        influx = in_role(settings, "rollups")
        store = InfluxSink(influx.model_copy(update={"bucket": rollup_database(influx.bucket)}))
    return RollupSink(sink, reader, store, settings.data_dir / FILE, zone)


class RollupSink:
    """A `Sink` that notes what each write touches before it hands the entries on.

    `write` may run in one thread while `recompute_due` runs in another.

    Args:
        sink: the database.
        reader: reads the same database; used by `recompute_due` only.
        store: takes the roll-ups. It may be `sink` itself, and then each waits for its turn.
        file: of the marks; made when missing. Whoever deletes it calls `mark` for the range afterwards.
        zone: whose days.
        clock: now, ns.
    """

    def __init__(
        self,
        sink: Sink,
        reader: Reader,
        store: PointSink,
        file: Path,
        zone: str = "Asia/Shanghai",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = sink.name
        self._sink, self._reader, self._store = sink, reader, store
        self._turn: AbstractContextManager[object] = threading.RLock() if store is sink else nullcontext()
        self._summing = threading.Lock()
        self._marks, self._clock = Marks(file, ZoneInfo(zone)), clock
        self._plans: Plans = {}
        self._told = False

    def expect(self, registry: Registry) -> None:
        """See `Expecting.expect`. What is computed from now on says how many readings there should have been."""
        self._plans = plans_of(registry)

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        """See `Sink.write`. Also `Unavailable` when the marks cannot be written: then nothing was handed on."""
        hours = touched(entries)
        self._touch(hours)
        with self._turn:
            refused = self._sink.write(entries)
        # Once more: `recompute_due` may have taken a mark and asked the database before the data was there.
        self._touch(hours)
        return refused

    def tell(self, entries: Sequence[Entry]) -> list[Refusal]:
        """See `Teller.tell`: what cannot be marked is not rolled up until something else touches its hour."""
        hours = touched(entries)
        with suppress(Unavailable):
            self._touch(hours)
        with self._turn:
            refused = self._sink.write(entries)
        with suppress(Unavailable):
            self._touch(hours)
        return refused

    def recompute_due(self, now_ns: int, delay_s: float = DELAY_S) -> int:
        """Roll up every period that is over and was touched at least `delay_s` ago; return how many (a device's each).

        Raises:
            Unavailable, Misconfigured: what is not stored yet stays marked; call again.
        """
        self._mark_expected(now_ns)
        done = 0
        while taken := self._marks.take(now_ns, int(delay_s * 1e9), MARKS_AT_ONCE):
            for job in jobs(self._still_there(taken)):
                with self._summing:
                    self._run(job)
                self._marks.clear(job.taken)
                done += len(job.taken)
        self._mark_earlier_visits()
        return done

    def mark(self, start_ns: int, end_ns: int) -> int:
        """Mark everything that the database holds in a range, to have it rolled up anew; return the number of device hours."""
        return sum(self._mark(group, start_ns, end_ns) for group in (*SUMMED, VISIT))

    def _mark(self, group: str, start_ns: int, end_ns: int) -> int:
        count = 0
        hours: set[Touch] = set()
        for row in self._reader.rows(group, start_ns, end_ns):
            key = (group, hour(row.time_ns)[0], row.tags["site"], row.tags["device"])
            if key not in hours and len(hours) >= MARKS_AT_ONCE:
                self._touch(hours)
                count += len(hours)
                hours = set()
            hours.add(key)
        self._touch(hours)
        return count + len(hours)

    def _mark_earlier_visits(self) -> None:
        """Once for each file of marks: visits that were there before anybody counted them by the day.

        After all else, and a month at a time: what cannot be read is tried again with the next call and stops nothing.
        """
        try:
            known = self._marks.known_until(VISIT)
            if known == _ALL:
                return
            if span := self._reader.span(VISIT):
                for start in range(span[0] if known is None else known, span[1] + 1, LONGEST_RANGE_NS):
                    end = min(start + LONGEST_RANGE_NS, span[1] + 1)
                    self._mark(VISIT, start, end)
                    self._marks.know(VISIT, end)
            self._marks.know(VISIT, _ALL)
        except (KanhuError, sqlite3.Error) as error:
            if not self._told:
                log.warning("visits of before there were roll-ups of them are not counted yet: %s", error)
            self._told = True

    def _mark_expected(self, now_ns: int) -> None:
        """Mark the hours that ended since the last call where something was expected, for it may not have come."""
        wanted = [(key, measurement) for key, plan in self._plans.items() for measurement in plan.series]
        now_hour = hour(now_ns)[0]
        if not wanted:
            return
        try:
            last = self._marks.expected_until()
            # A clock that was ahead is not waited for; a gateway that was off for long fills no month.
            since = now_hour if last is None or last > now_hour else max(last, now_hour - FILLED_NS)
            for start in range(since, now_hour, HOUR_NS):
                self._marks.touch({(measurement, start, *key) for key, measurement in wanted}, self._clock())
            if last != now_hour:
                self._marks.expect_from(now_hour)
        except sqlite3.Error as error:
            raise Unavailable(f"the marks of the roll-ups cannot be written: {error}") from error

    def waiting(self) -> int:
        """Periods of devices that are out of date, those still running included."""
        return self._marks.waiting()

    def erase(self, site: str, place: str, devices: Sequence[str]) -> int:
        """See `Eraser.erase`: what is stored and what was rolled up; periods of its devices are not computed any more."""
        # Between two jobs: one that had read its rows already would put sums of that place back.
        if not self._summing.acquire(timeout=_ERASED_WITHIN_S):
            raise Unavailable("roll-ups are being computed, and the database takes long; nothing is erased yet, try again")
        try:
            self._marks.forget(site, devices)
            count = 0
            for sink in self._sinks():
                with self._turn:
                    count += sink.erase(site, place, devices)
            return count
        finally:
            self._summing.release()

    def forget(self, measurement: str, before_ns: int) -> int:
        """See `Eraser.forget`: the readings themselves; what was rolled up stays."""
        if not isinstance(self._sink, Eraser):
            return 0
        if self._marks.waiting_before(measurement, before_ns):
            return 0  # their sums are computed first; whoever asks again finds them done
        self._marks.raise_floor(measurement, before_ns)
        with self._turn:
            return self._sink.forget(measurement, before_ns)

    def _still_there(self, taken: list[Taken]) -> list[Taken]:
        """Those whose readings were not deleted: one that comes later than that must not replace the sums of all the others."""
        floors = self._marks.floors
        gone = [one for one in taken if one.mark.start_ns < floors.get(one.mark.measurement, 0)]
        self._marks.clear(gone)
        return [one for one in taken if one.mark.start_ns >= floors.get(one.mark.measurement, 0)]

    def _sinks(self) -> list[Eraser]:
        """The database, and that of the roll-ups where it is another."""
        return [one for one in dict.fromkeys((self._sink, self._store)) if isinstance(one, Eraser)]

    def close(self) -> None:
        """Close the marks, the reader, the store and the sink."""
        self._marks.close()
        self._reader.close()
        self._store.close()
        self._sink.close()

    def _touch(self, hours: set[Touch]) -> None:
        if not hours:
            return
        try:
            self._marks.touch(hours, self._clock())
        except sqlite3.Error as error:
            raise Unavailable(f"the marks of the roll-ups cannot be written: {error}") from error

    def _run(self, job: "Job") -> None:
        site, device = next(iter(job.devices)) if len(job.devices) == 1 else (None, None)
        rows = self._reader.rows(job.measurement, job.starts[0], job.end_ns, site, device)
        bounds = [*job.starts, job.end_ns]
        if job.measurement == VISIT:
            points = count_visits(rows, bounds, job.devices)
        else:
            points = roll_up(rows, job.suffix, job.measurement, bounds, job.devices, self._plans)
        while batch := list(islice(points, POINTS_AT_ONCE)):
            with self._turn:
                refusals = self._store.write_points(batch)
            for refused in refusals:
                # Ours are well-formed: a field of another type is there, or a retention was set. The period is not tried again.
                log.error("roll-up refused: %s %s %s", refused.point.measurement, refused.reason, refused.detail)


@dataclass(frozen=True, slots=True)
class Job:
    """One query: neighbouring periods of one measurement for the same devices."""

    suffix: str
    measurement: str
    starts: list[int]
    end_ns: int
    devices: frozenset[tuple[str, str]]
    taken: list[Taken]


def touched(entries: Iterable[Entry]) -> set[Touch]:
    """What these entries touch. Events, losses, states of devices and alerts are not rolled up."""
    # First by shape, then by measurement: a batch has many entries of few shapes, hours and devices.
    found: set[tuple[str, int, str, str]] = set()
    visits: set[Touch] = set()
    for entry in entries:
        if type(entry) is Readings:
            time_ns = entry.time_ns
            found.add((entry.shape, time_ns - time_ns % HOUR_NS, entry.site, entry.device))
        elif type(entry) is VisitChange:
            visits.add((VISIT, hour(entry.time_ns)[0], entry.site, entry.device))
    of_readings = {(name, start, site, device) for shape, start, site, device in found for name in _measurements(shape)}
    return of_readings | visits


@lru_cache(maxsize=4096)
def _measurements(shape: str) -> frozenset[str]:
    known = (QUANTITIES.get(split_name(name)[0]) for name, _ in columns(shape))
    groups = {quantity.group for quantity in known if quantity is not None}  # the sink refuses the others
    return frozenset(groups - NOT_SUMMED)


def jobs(taken: Iterable[Taken]) -> list[Job]:
    """As few queries as the marks (sorted by suffix, measurement, start) allow without reading what is not marked."""
    found: list[Job] = []
    for (suffix, measurement, start), group in groupby(taken, key=lambda t: t.mark[:3]):
        now = list(group)
        devices = frozenset((t.mark.site, t.mark.device) for t in now)
        end = now[0].mark.end_ns
        last = found[-1] if found else None
        if (
            last is not None
            and measurement != VISIT  # all its places are held at once, and a day is little to ask for
            and (last.suffix, last.measurement, last.end_ns, last.devices) == (suffix, measurement, start, devices)
            and end - last.starts[0] <= LONGEST_RANGE_NS
        ):
            found[-1] = Job(suffix, measurement, [*last.starts, start], end, devices, last.taken + now)
        else:
            found.append(Job(suffix, measurement, [start], end, devices, now))
    return found
