"""Entry -> points: the one definition of the database's schema, for every sink.

measurement
    The catalogue's group of the quantity (`climate`, `presence`, `power`, `water`, `position`, `health`, `gateway`);
    `event` for everything an Event carries; `loss`, `status`, `alert`, `visit` for what is no reading.
tags
    `site`, `device`, `place` and `channel` (from a name such as `motion.kitchen`), the last two left out when empty; an event
    adds `kind`; an alert adds `rule` and `severity`; a visit adds `kind`, its service; its `channel` is the plan's line.
    Free text is never a tag.
fields of a reading (readings of one instant, measurement and channel share one point)
    `<quantity>`              float; string where the catalogue says text. Cast by the catalogue, never by the value
    `<quantity>_flag`         int, always: a QARTOD flag. A missing value is this field alone, with 9
    `<quantity>_raw`          float, the value before calibration or conversion, if there is one
    `<quantity>_calibration`  string, the id of the calibration, if there is one
plain fields
    `time_quality`   string, `repaired`, `receipt` or `shifted`; absent: the device's own trusted clock
    `clock_error_s`  float, absent below a second
    event            `boot`, `seq` int
    loss             `lost` float (how many messages), `boot`, `first`, `last` int (the range, of that boot)
    status           `online` float (1 or 0), `boot` int, `firmware` string; the last two only when told
    alert            `alert`, `state`, `by`, `reason` string; `waited_s` float (since it was raised), absent in old entries
    visit            `visit`, `state`, `grade`, `person`, `courier`, `reasons` string; `counted`, `reviewing` float (1 or 0),
                     `late_s` float; the texts also when empty
time
    Integer nanoseconds since 1970 UTC, of the measurement. Same series and time: the last write wins, so a repeat is harmless.

A line break in a text becomes a space; NUL, a lone surrogate and other control characters become U+FFFD: no sink has to
survive them, and all sinks hold the same text.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from math import inf, isfinite
from typing import Final, NamedTuple

import msgspec

from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.errors import Rejected
from edge_gateway.events import Entry, Event, Flag, Loss, Reading, Readings, StatusChange, TimeQuality, VisitChange, split_name

Field = tuple[str, float | int | str]
Labels = tuple[tuple[str, str], ...]

TAGS: Final = ("site", "device", "place", "channel", "kind", "rule", "severity")
FLAG: Final = "_flag"
RAW: Final = "_raw"
CALIBRATION: Final = "_calibration"
TIME_QUALITY: Final[dict[int, str]] = {
    TimeQuality.REPAIRED: "repaired",
    TimeQuality.RECEIPT: "receipt",
    TimeQuality.SHIFTED: "shifted",
    TimeQuality.LATE: "late",
}
VISIT_TEXTS: Final = ("visit", "state", "grade", "person", "courier", "reasons")
CLOCK_ERROR_TOLD_S: Final = 1.0  # below it the error is normal and would cost every line a field

MIN_TIME_NS: Final = -(2**63) + 2  # what InfluxDB can hold
MAX_TIME_NS: Final = 2**63 - 2

FLAGS: Final = frozenset(map(int, Flag))
_LINE_BREAK: Final = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


class Column(msgspec.Struct, frozen=True, eq=False, gc=False):
    """Where a reading of one name is kept: its measurement and channel, and the names of its fields.

    Compared by identity, which makes it a fast key: `column` hands out one for each name.
    """

    measurement: str
    channel: str
    field: str
    flag: str
    raw: str
    calibration: str
    is_text: bool


class Point(msgspec.Struct, frozen=True, gc=False):
    """One series at one instant: one line of line protocol; in the embedded store one row for each reading and field.

    Attributes:
        place, channel: "" when there is none.
        labels: further tags, (name, value) in the order of `TAGS`.
        fields: plain fields, (name, value); int and float are not interchangeable.
        columns, readings: in step. A reading's value is cast and finite, or None with flag 9 and nothing else.
        plain: every reading is a number with a flag and nothing else, as nearly all are; sinks may take a shorter way.
    """

    measurement: str
    site: str
    device: str
    place: str
    channel: str
    labels: Labels
    fields: Sequence[Field]
    time_ns: int
    columns: tuple[Column, ...] = ()
    readings: Sequence[Reading] = ()
    plain: bool = False


class RefusedPoint(NamedTuple):
    """A point the database can never take; reason and detail as in `Refusal`."""

    point: Point
    reason: str
    detail: str


def points(entry: Entry) -> list[Point]:
    """The points of one entry, at least one.

    Raises:
        Rejected: `type_conflict` or `malformed_line`; no database could ever take the entry.
    """
    time_ns = entry.time_ns
    if not MIN_TIME_NS <= time_ns <= MAX_TIME_NS:
        raise Rejected("malformed_line", f"time {time_ns} ns is outside what a database can hold")
    if isinstance(entry, Readings):
        return _grouped(entry, "", (), _about_time(entry))
    if isinstance(entry, Event):
        about: list[Field] = [("boot", entry.boot), ("seq", entry.seq), *_about_time(entry)]
        return _grouped(entry, "event", (("kind", entry.kind),), about)
    if isinstance(entry, Loss):
        labels: Labels = ()
        fields: list[Field] = [
            ("lost", float(entry.last - entry.first + 1)),
            ("boot", entry.lost_boot),
            ("first", entry.first),
            ("last", entry.last),
        ]
        measurement = "loss"
    elif isinstance(entry, StatusChange):
        labels = ()
        fields = [("online", 1.0 if entry.online else 0.0)]
        if entry.boot is not None:
            fields.append(("boot", entry.boot))
        if entry.firmware:
            fields.append(("firmware", clean(entry.firmware)))
        measurement = "status"
    elif isinstance(entry, VisitChange):
        labels = (("kind", entry.service),) if entry.service else ()
        fields = [
            ("counted", 1.0 if entry.counted else 0.0),
            ("reviewing", 1.0 if entry.reviewing else 0.0),
            ("late_s", float(entry.late_s)),
        ]
        # Empty ones too: what changes in a visit is written over it, and a field left out would keep the older word.
        fields += [(name, clean(getattr(entry, name))) for name in VISIT_TEXTS]
        return [Point("visit", entry.site, entry.device, entry.place, entry.plan, labels, fields, time_ns)]
    else:
        labels = (("rule", entry.rule), ("severity", entry.severity))
        told = ("alert", entry.alert), ("state", entry.state), ("by", entry.by), ("reason", entry.reason)
        fields = [(name, clean(text)) for name, text in told]
        if entry.waited_s is not None:
            fields.append(("waited_s", _finite("waited_s", entry.waited_s)))
        measurement = "alert"
    return [Point(measurement, entry.site, entry.device, entry.place, "", labels, fields, time_ns)]


def clean(text: str) -> str:
    """`text` as it is stored: without line breaks and unprintable characters; see the module's docstring."""
    if text.isprintable():
        return text
    return _UNPRINTABLE.sub("\ufffd", _LINE_BREAK.sub(" ", text))


@lru_cache(maxsize=4096)
def column(name: str) -> Column:
    """Where readings of `name` (with or without a channel) are kept.

    Raises:
        Rejected: `malformed_line`, the catalogue does not know the quantity.
    """
    field, channel = split_name(name)
    quantity = QUANTITIES.get(field)
    if quantity is None:
        raise Rejected("malformed_line", f"{name[:100]!r} is not in the catalogue")
    is_text = quantity.kind is Kind.TEXT
    return Column(quantity.group, channel, field, field + FLAG, field + RAW, field + CALIBRATION, is_text)


class Group(msgspec.Struct, frozen=True, gc=False):
    """The readings of an entry that share a point: their columns, and which of the entry's readings they are."""

    measurement: str
    channel: str
    columns: tuple[Column, ...]
    picks: tuple[int, ...]


class Layout(msgspec.Struct, frozen=True, gc=False):
    """How the readings of an entry fall into points; it depends on nothing but their names."""

    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    any_text: bool


@lru_cache(maxsize=4096)
def layout_of(names: tuple[str, ...], measurement: str) -> Layout:
    """How readings of these names fall into points; `measurement`, if given, holds for all. Raises as `column`."""
    columns = tuple(column(name) for name in names)
    picks: dict[tuple[str, str], list[int]] = {}
    for pick, where in enumerate(columns):
        picks.setdefault((measurement or where.measurement, where.channel), []).append(pick)
    groups = tuple(Group(*key, tuple(columns[i] for i in own), tuple(own)) for key, own in picks.items())
    return Layout(columns, groups, any(where.is_text for where in columns))


def _grouped(entry: Readings | Event, measurement: str, labels: Labels, fields: Sequence[Field]) -> list[Point]:
    """One point for each channel and measurement; `measurement`, if given, holds for all readings whatever their group."""
    readings = entry.readings
    if not readings:
        raise Rejected("malformed_line", "an entry without readings")
    layout = layout_of(tuple([reading.name for reading in readings]), measurement)
    plain = not layout.any_text
    for reading in readings if plain else ():
        if (
            type(reading.value) is not float
            or not isfinite(reading.value)
            or reading.flag not in FLAGS
            or reading.raw is not None
            or reading.calibration is not None
        ):
            plain = False
            break
    if not plain:
        readings = [_cast(reading, where) for reading, where in zip(readings, layout.columns, strict=True)]
    site, device, place, time_ns = entry.site, entry.device, entry.place, entry.time_ns
    if len(layout.groups) == 1:
        g = layout.groups[0]
        return [Point(g.measurement, site, device, place, g.channel, labels, fields, time_ns, g.columns, readings, plain)]
    return [
        Point(
            *(g.measurement, site, device, place, g.channel, labels, fields, time_ns),
            *(g.columns, [readings[pick] for pick in g.picks], plain),
        )
        for g in layout.groups
    ]


def _cast(reading: Reading, where: Column) -> Reading:
    """The reading as it is stored: its value as the catalogue says, its texts clean."""
    value, raw, calibration = reading.value, reading.raw, reading.calibration
    if value is None:
        return Reading(reading.name, None, int(Flag.MISSING))
    if reading.flag not in FLAGS:
        raise Rejected("malformed_line", f"{reading.name} has flag {reading.flag}, which QARTOD does not know")
    if where.is_text:
        value = clean(str(value))
    elif isinstance(value, str):
        raise Rejected("type_conflict", f"{reading.name} is a number, seen {value[:100]!r}")
    else:
        value = _finite(reading.name, value)
    if raw is not None:
        raw = _finite(where.raw, raw)
    return Reading(reading.name, value, reading.flag, raw, clean(calibration) if calibration else None)


def _finite(name: str, value: float) -> float:
    """`value` as a finite float; an int too large for one is as impossible as infinity."""
    try:
        number = float(value)
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise Rejected("malformed_line", f"{name} is {number}; a number must be finite")
    return number


def _about_time(entry: Readings | Event) -> Sequence[Field]:
    """What is worth saying about the entry's time: nothing, for a trusted clock."""
    if not entry.time_quality and (entry.error_s is None or entry.error_s <= CLOCK_ERROR_TOLD_S):
        return ()
    fields: list[Field] = []
    if entry.time_quality:
        word = TIME_QUALITY.get(entry.time_quality)
        if word is None:
            raise Rejected("malformed_line", f"time quality {entry.time_quality} is unknown")
        fields.append(("time_quality", word))
    if entry.error_s is not None and entry.error_s > CLOCK_ERROR_TOLD_S:
        fields.append(("clock_error_s", _finite("clock_error_s", entry.error_s)))
    return fields
