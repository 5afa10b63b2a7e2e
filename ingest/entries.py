"""Table rows of a file -> entries, as if the gateway had handed them over: checked as strictly, and refused one by one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final

from edge_gateway.catalog import EVENTS, QUANTITIES
from edge_gateway.catalog import Kind as Stored
from edge_gateway.errors import Rejected
from edge_gateway.events import (
    AlertChange,
    Entry,
    Event,
    Flag,
    Loss,
    Reading,
    Readings,
    StatusChange,
    TimeQuality,
    VisitChange,
)
from edge_gateway.topics import ID
from ingest.points import MAX_TIME_NS, MIN_TIME_NS, TIME_QUALITY
from ingest.tables import Kind, Table, parse_iso

_QUALITY: Final = {"": int(TimeQuality.DEVICE)} | {word: number for number, word in TIME_QUALITY.items()}
_FLAGS: Final = frozenset(map(int, Flag))
_REFUSED_AT_ONCE: Final = 1000  # so that a file of nonsense needs no more memory than a good one
_CHANNEL: Final = re.compile(r"[a-z0-9_-]{1,48}")
_LARGEST_WHOLE: Final = 2**32 - 1


@dataclass(slots=True)
class FileRow:
    """One row as it was in the file (texts unguarded); `line` is its last line in CSV, its number in Parquet."""

    line: int
    cells: dict[str, Any]


@dataclass(slots=True)
class RefusedRow:
    """A row that cannot be an entry, or part of one the database refused."""

    row: FileRow
    reason: str
    detail: str


@dataclass(slots=True)
class Made:
    """An entry (None: nothing but refusals), the rows it was made of, and rows among or after them that were refused."""

    entry: Entry | None = None
    rows: list[FileRow] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)


def entries(table: Table, rows: Iterable[FileRow | RefusedRow]) -> Iterator[Made]:
    """Entries in the order of the rows. Neighbouring readings of one device and instant become one entry.

    A reading has no identity in a file: `boot` is 0 and `seq` the line. No database stores these of a reading.
    """
    made, made_key = Made(), None
    for row in rows:
        if isinstance(row, RefusedRow):
            made.refused.append(row)
            continue
        try:
            cells = _Cells(row)
            if table.kind not in (Kind.READINGS, Kind.EVENTS):
                key, entry = None, _single(table.kind, cells, row.line)
            else:
                key, reading = _key(table.kind, cells), _reading(cells)
                if key == made_key and isinstance(made.entry, Readings | Event):
                    before = made.entry.readings
                    if any(reading.name == other.name for other in before):
                        raise Rejected("twice", f"{reading.name} of this instant is there already")
                    made.entry = _group(table.kind, key, [*before, reading], made.entry.seq)
                    made.rows.append(row)
                    continue
                entry = _group(table.kind, key, [reading], row.line)
        except Rejected as error:
            made.refused.append(RefusedRow(row, error.reason, error.detail))
            if len(made.refused) < _REFUSED_AT_ONCE:
                continue
            key, entry = None, None
        yield made
        made, made_key = Made(entry, [row] if entry is not None else []), key
    yield made


def _key(kind: Kind, cells: "_Cells") -> tuple[Any, ...]:
    """What the readings of one entry have in common."""
    word = cells.text("time_quality")
    if word not in _QUALITY:
        raise Rejected("bad_time_quality", f"{word[:60]!r}; empty or one of {', '.join(TIME_QUALITY.values())}")
    error_s = cells.number("clock_error_s")
    if error_s is not None and error_s < 0:
        raise Rejected("not_a_number", f"clock_error_s is {error_s}; seconds, not negative")
    about = (*cells.where(), cells.time_ns(), _QUALITY[word], error_s)
    if kind is Kind.READINGS:
        return about
    event = cells.text("kind")
    if event not in EVENTS:
        raise Rejected("unknown_event", f"{event[:60]!r}; known are {', '.join(sorted(EVENTS))}")
    return (*about, event, cells.whole("boot"), cells.whole("seq"))


def _group(kind: Kind, key: tuple[Any, ...], values: list[Reading], line: int) -> Readings | Event:
    site, device, place, time_ns, quality, error_s = key[:6]
    if kind is Kind.READINGS:
        return Readings.of(site, device, place, 0, line, time_ns, time_ns, "none", quality, error_s, values)
    event, boot, seq = key[6:]
    return Event(site, device, place, boot, seq, time_ns, time_ns, "none", quality, error_s, event, values)


def _single(kind: Kind, cells: "_Cells", line: int) -> Entry:
    (site, device, place), time_ns = cells.where(), cells.time_ns()
    if kind is Kind.LOSSES:
        boot, first, last = cells.whole("boot"), cells.whole("first"), cells.whole("last")
        if last < first:
            raise Rejected("not_a_range", f"first {first}, last {last}")
        return Loss(site, device, place, 0, line, time_ns, time_ns, boot, first, last)
    if kind is Kind.STATUSES:
        online, told = cells.number("online"), cells.get("boot")
        if online not in (0.0, 1.0):
            raise Rejected("not_a_number", f"online is {online}; 1 or 0")
        boot_told = None if told is None else cells.whole("boot")
        return StatusChange(site, device, place, time_ns, online == 1.0, boot_told, cells.text("firmware"))
    if kind is Kind.VISITS:
        return _visit(cells, site, device, place, time_ns)
    rule, severity = cells.id("rule"), cells.id("severity")
    alert, state, by, reason = [cells.text(name) for name in ("alert", "state", "by", "reason")]
    waited_s = cells.number("waited_s")
    if waited_s is not None and waited_s < 0:
        raise Rejected("not_a_number", f"waited_s is {waited_s}; seconds, not negative")
    return AlertChange(site, device, place, time_ns, alert, rule, severity, state, by, reason, waited_s)


def _visit(cells: "_Cells", site: str, device: str, place: str, time_ns: int) -> VisitChange:
    visit, late_s = cells.text("visit"), cells.number("late_s") or 0.0
    if not visit:
        raise Rejected("bad_id", "visit is empty; `<plan>/<date>` or the tap's id")
    if abs(late_s) > _LARGEST_WHOLE:
        raise Rejected("not_a_number", f"late_s is {late_s}; seconds")
    service, person, courier = [cells.id(name, empty=True) for name in ("kind", "person", "courier")]
    state, grade = cells.id("state"), cells.id("grade", empty=True)
    counted, reviewing = [cells.number(name) == 1.0 for name in ("counted", "reviewing")]
    about = (
        visit,
        service,
        cells.text("channel"),
        person,
        courier,
        state,
        grade,
        counted,
        reviewing,
        int(late_s),
        cells.text("reasons"),
    )
    return VisitChange(site, device, place, time_ns, *about)


def _reading(cells: "_Cells") -> Reading:
    name, channel = cells.text("quantity"), cells.text("channel")
    quantity = QUANTITIES.get(name)
    if quantity is None:
        raise Rejected("unknown_quantity", f"{name[:60]!r} is not in the catalogue")
    if channel and _CHANNEL.fullmatch(channel) is None:
        raise Rejected("bad_id", f"channel is {channel[:60]!r}; a-z, 0-9, - and _, at most 48 characters")
    unit = cells.get("unit")
    if unit is not None and unit != quantity.unit:
        raise Rejected("wrong_unit", f"{unit[:60]!r}; {name} is stored in {quantity.unit or 'no unit'!r}")
    flag = Flag.NOT_EVALUATED if cells.get("flag") is None else cells.whole("flag")
    if flag not in _FLAGS:
        raise Rejected("bad_flag", f"{flag}; QARTOD has 1, 2, 3, 4 and 9")
    is_text = quantity.kind is Stored.TEXT
    value: float | str | None = cells.get("text") if is_text else cells.number("value")
    if is_text and value is None and flag != Flag.MISSING:
        value = ""  # CSV cannot tell an empty text from none; the flag does
    if value is None and flag != Flag.MISSING:
        raise Rejected("not_a_number", f"no value, and flag {flag}; a missing value has flag 9")
    if cells.get("value" if is_text else "text") is not None:
        raise Rejected("type_conflict", f"{name} is {'a text' if is_text else 'a number'}, and the other cell is filled")
    full = f"{name}.{channel}" if channel else name
    return Reading(full, value, int(flag), cells.number("raw"), cells.get("calibration"))


class _Cells:
    """The cells of one row, each checked when it is asked for; "" and null are the same: nothing."""

    def __init__(self, row: FileRow) -> None:
        self._cells = row.cells

    def get(self, name: str) -> Any:
        value = self._cells.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, str) and not _is_unicode(value):
            raise Rejected("not_utf8", f"{name} is {value[:60]!r}")
        return value

    def text(self, name: str) -> str:
        value = self.get(name)
        return "" if value is None else str(value)

    def id(self, name: str, empty: bool = False) -> str:
        value = self.text(name)
        if not (empty and value == "") and ID.fullmatch(value) is None:
            raise Rejected("bad_id", f"{name} is {value[:60]!r}; a-z, 0-9, - and _, at most 48 characters")
        return value

    def where(self) -> tuple[str, str, str]:
        return self.id("site"), self.id("device"), self.id("place", empty=True)

    def time_ns(self) -> int:
        value = self.get("time")
        try:
            time_ns = parse_iso(value) if isinstance(value, str) else int(value)
        except (TypeError, ValueError) as error:
            raise Rejected("bad_time", str(error)) from None
        if not MIN_TIME_NS <= time_ns <= MAX_TIME_NS:
            raise Rejected("bad_time", f"{value!r} is outside what a database can hold")
        return time_ns

    def number(self, name: str) -> float | None:
        value = self.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise Rejected("not_a_number", f"{name} is {str(value)[:60]!r}") from None
        if not isfinite(number):
            raise Rejected("not_a_number", f"{name} is {number}")
        return number

    def whole(self, name: str) -> int:
        value = self.get(name)
        try:
            whole = int(value)
        except (TypeError, ValueError, OverflowError):
            raise Rejected("not_a_number", f"{name} is {str(value)[:60]!r}; a whole number") from None
        if not 0 <= whole <= _LARGEST_WHOLE:
            raise Rejected("not_a_number", f"{name} is {whole}; 0 to {_LARGEST_WHOLE}")
        return whole


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
