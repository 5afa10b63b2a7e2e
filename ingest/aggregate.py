"""Rows of readings -> points of their hourly or daily roll-up; pure, and the same whatever the order in which readings came.

For each quantity that is a number or a state, over the readings of the period with flag 1 (pass) or 2 (not evaluated):
`<quantity>_mean`, `_min`, `_max` (float) and `_count` (int); `_bad` (int) counts those with flag 3, 4 or 9. A period without a
good reading has only `_count` 0 and `_bad`. The mean is over readings, not over time: of a state it is the share of reports
that said true. Tags are those of the readings, the time is the start of the period. Where the registry says how often a device
speaks, `expected` (int) is how many readings of each quantity there should have been, and a period of which it said nothing has
`_count` 0 of what it is known to send.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import fsum
from typing import Final
from zoneinfo import ZoneInfo

from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.events import Flag
from ingest.expected import Plan, Plans
from ingest.points import FLAG, Field, Point
from ingest.rows import Row

HOUR_NS: Final = 3_600_000_000_000
_SECOND_NS: Final = 1_000_000_000
_GOOD: Final = (Flag.PASS, Flag.NOT_EVALUATED)
_QUANTITY: Final = {name + FLAG: name for name, q in QUANTITIES.items() if q.kind is not Kind.TEXT}
_UNKNOWN: Final[Plans] = {}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def hour(time_ns: int) -> tuple[int, int]:
    """Start and end of the UTC hour that holds this time, ns."""
    start = time_ns - time_ns % HOUR_NS
    return start, start + HOUR_NS


@lru_cache(maxsize=4096)
def day(time_ns: int, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the calendar day of a zone that holds this time, ns; 23 or 25 hours long where clocks are changed."""
    midnight = (_EPOCH + timedelta(seconds=time_ns // _SECOND_NS)).astimezone(zone).replace(hour=0, minute=0, second=0, fold=0)
    return _ns(midnight), _ns(midnight + timedelta(days=1))  # on the wall clock: the next midnight, not 24 hours later


def days_of_hour(start_ns: int, zone: ZoneInfo) -> set[tuple[int, int]]:
    """The days an hour belongs to: two, where a zone is off by half an hour and midnight falls into it."""
    return {day(start_ns, zone), day(start_ns + HOUR_NS - _SECOND_NS, zone)}


def roll_up(
    rows: Iterable[Row],
    suffix: str,
    measurement: str,
    bounds: Sequence[int],
    devices: frozenset[tuple[str, str]],
    plans: Plans = _UNKNOWN,
) -> Iterator[Point]:
    """Points of neighbouring periods for these (site, device).

    Rows come as `Reader.rows` gives them; only the values of one period of one series are held at a time.

    Args:
        bounds: starts of the periods, sorted, and the end of the last one; the rows lie between.
        plans: what is expected of the devices, as far as anybody knows.
    """
    tags: dict[str, str] = {}
    start, end = 0, 0
    found = _Period()
    silent = _unheard(measurement, bounds, devices, plans)
    for row in rows:
        key = (row.tags["site"], row.tags["device"])
        if key not in devices:
            continue
        if row.tags != tags or not start <= row.time_ns < end:
            if found.bad:
                yield found.point(measurement + suffix, tags, start)
            index = bisect_right(bounds, row.time_ns)
            start, end = bounds[index - 1], bounds[index]
            tags = row.tags
            found = _Period(plans.get(key), measurement, tags.get("channel", ""), start, end)
        found.add(row)
        silent.discard((key, tags.get("channel", ""), start))
    if found.bad:
        yield found.point(measurement + suffix, tags, start)
    for key, channel, start in sorted(silent):
        plan, end = plans[key], bounds[bisect_right(bounds, start)]
        nothing = _Period(plan, measurement, channel, start, end)
        if nothing.expected:
            tags = {"site": key[0], "device": key[1], "place": plan.place, "channel": channel}
            yield nothing.point(measurement + suffix, tags, start)


_Silent = set[tuple[tuple[str, str], str, int]]  # (site, device), channel, start of a period


def _unheard(measurement: str, bounds: Sequence[int], devices: frozenset[tuple[str, str]], plans: Plans) -> _Silent:
    """Everything that should come in these periods, before a row was seen."""
    known = [(key, channel) for key in devices if key in plans for channel in plans[key].channels(measurement)]
    return {(key, channel, start) for key, channel in known for start in bounds[:-1]}


class _Period:
    """The readings of one series in one period."""

    def __init__(
        self, plan: Plan | None = None, measurement: str = "", channel: str = "", start_ns: int = 0, end_ns: int = 0
    ) -> None:
        known: Mapping[str, tuple[str, ...]] = plan.channels(measurement) if plan is not None else {}
        self.expected = plan.readings(measurement, start_ns, end_ns) if plan is not None else None
        self.good: dict[str, list[float]] = {}
        # Also 0: it names every quantity that was seen, or should have been.
        self.bad: dict[str, int] = dict.fromkeys(known.get(channel, ()), 0)

    def add(self, row: Row) -> None:
        for name, flag in row.fields.items():
            quantity = _QUANTITY.get(name)
            if quantity is None:
                continue
            value = row.fields.get(quantity)
            bad = self.bad.setdefault(quantity, 0)
            if flag in _GOOD and isinstance(value, float):
                self.good.setdefault(quantity, []).append(value)
            else:
                self.bad[quantity] = bad + 1

    def point(self, measurement: str, tags: Mapping[str, str], start_ns: int) -> Point:
        fields: list[Field] = []
        for name, bad in sorted(self.bad.items()):
            good = self.good.get(name)
            if good:
                fields += [(f"{name}_mean", mean(good)), (f"{name}_min", min(good)), (f"{name}_max", max(good))]
            fields += [(f"{name}_count", len(good or ())), (f"{name}_bad", bad)]
        if self.expected is not None:
            fields.append(("expected", self.expected))
        place, channel = tags.get("place", ""), tags.get("channel", "")
        return Point(measurement, tags["site"], tags["device"], place, channel, (), fields, start_ns)


def mean(values: Sequence[float]) -> float:
    """The exact sum, rounded once, over the count; values near the largest float do not overflow."""
    try:
        return fsum(values) / len(values)
    except OverflowError:
        return fsum(value / len(values) for value in values)


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(seconds=1) * _SECOND_NS
