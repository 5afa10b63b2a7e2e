"""Records to a message: is it this device's, is every value a known quantity in a known unit, and when was it measured.

Two ways to the same answer: the quick one takes a message of which every record is good, the careful one all others, record by
record. A record that can never be accepted is named in `Message.refused`; only what spoils the whole message raises.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from edge_gateway.catalog import EVENTS, Kind
from edge_gateway.decoders.senml import RELATIVE, Faulty, Plain, Record, show, whole
from edge_gateway.errors import Rejected
from edge_gateway.events import More, Reading, Values, columns_of, shape_of, split_name
from edge_gateway.message import Instant, Message, Refused
from edge_gateway.registry import Device
from edge_gateway.topics import Address, Up
from edge_gateway.value import MISSING, flag_in_range, is_known, quantity_of, reading_of

CLOCKS: Final = frozenset({"ntp", "gnss", "rtc", "none"})

_LIMIT: Final = 2**32 - 1  # of boot and seq
_LATEST_S: Final = 2.0**33  # year 2242: fits 64 bits of nanoseconds, and milliseconds taken for seconds do not pass
_LATEST_NS: Final = 2**33 * 10**9
_RELATIVE_NS: Final = int(RELATIVE) * 10**9
# The quick way's narrower limits: a base time of 1987 to 2106 and eight years around it need no second look at the sum.
_QUICK_FROM_S: Final = 2.0**29
_QUICK_UNTIL_S: Final = 2.0**32
_QUICK_OFFSET_S: Final = 2.0**28
_LARGEST: Final = 1.7976931348623157e308
_ANY: Final[frozenset[str]] = frozenset()
_LOST: Final = "lost"
_HEAD_FIELDS: Final = frozenset({"clk", "err", "up"})


class _Form(msgspec.Struct, frozen=True, gc=False):
    """What is known of records taken together before their values are looked at.

    Attributes:
        shape: as in `Readings`, when each has a value in its range or a state, and nothing else.
        columns: (name, unit, low, high, is a state) of each.
    """

    shape: str
    columns: tuple[tuple[str, str, float, float, bool], ...]


class _Forms(dict[tuple[object, ...], "_Form | None"]):
    """(what the device measures, how many records, first and last name) -> the form last met; None: look at each record."""

    MOST = 1024  # forms; with more somebody is inventing channels
    LONGEST = 64  # records of one that is kept

    def keep(self, key: tuple[object, ...], form: _Form | None) -> None:
        if form is not None and len(form.columns) > self.LONGEST:
            return
        if len(self) >= self.MOST:
            self.clear()
        self[key] = form


class _Known(dict[object, tuple[str, str, float, float, int, bool]]):
    """Name -> (name, unit, low, high, flag in range, is a state) of numbers and states; filled as met, None for others.

    The name is there so that all readings share one string, whose hash is known.
    """

    MOST = 4096  # names; with more somebody is inventing channels

    def __missing__(self, name: object) -> tuple[str, str, float, float, int, bool] | None:
        try:
            quantity = quantity_of(name)
        except Rejected:
            return None
        if quantity.kind is Kind.TEXT:
            return None
        if len(self) >= self.MOST:
            self.clear()
        low = -_LARGEST if quantity.low is None else quantity.low
        high = _LARGEST if quantity.high is None else quantity.high
        found = self[name] = (str(name), quantity.unit, low, high, flag_in_range(quantity), quantity.kind is Kind.STATE)
        return found


_known: Final = _Known()
_forms: Final = _Forms()


def _form(names: Sequence[object]) -> _Form | None:
    """Of these names; None when one is twice, is unknown or has a text."""
    found = [known for known in map(_known.__getitem__, names) if known is not None]
    if len(found) != len(names) or len(set(names)) != len(names):
        return None
    shape = shape_of([Reading(name, None, flag) for name, _, _, _, flag, _ in found])
    return _Form(shape, tuple([(name, unit, low, high, is_state) for name, unit, low, high, _, is_state in found]))


def validate(records: Sequence[Plain], address: Address, device: Device | None = None) -> Message:
    """The message these records are.

    Args:
        records: as `senml.plain` or `senml.decode` gives them, at least one.
        address: from the topic; on the event channel there is exactly one instant, and its first reading names the event.
        device: the registry's word on what the device measures; None when nobody has registered it: any quantity.
    Raises:
        Rejected: `no_identity`, `wrong_device`, `not_an_event`: nothing of the message can be kept.
    """
    measures = _ANY if device is None else device.measures
    if address.channel is Up.DATA:
        message = _quickly(records, address, measures)
        if message is not None:
            return message
    return _carefully(whole(records), address, measures)


def _quickly(records: Sequence[Plain], address: Address, measures: frozenset[str]) -> Message | None:
    """The message, when every record of it is good and none moves the base; None: look carefully. Never refuses."""
    first = records[0]
    boot, seq, clock, error_s, base_s, up_s = first.boot, first.seq, first.clk, first.err, first.bt, first.up
    if boot is UNSET or seq is UNSET or not 0 <= boot <= _LIMIT or not 0 < seq <= _LIMIT or clock not in CLOCKS:
        return None
    if error_s is not UNSET and not 0 <= error_s < _LATEST_S:
        return None
    if up_s is UNSET:
        up_ns = None
    elif 0 <= up_s < _LATEST_S:
        up_ns = round(up_s * 1e6) * 1000
    else:
        return None
    if clock == "none":
        if base_s is not UNSET or up_ns is None:
            return None
        base_ns = None
    elif base_s is not UNSET and _QUICK_FROM_S <= base_s < _QUICK_UNTIL_S:
        base_ns = round(base_s * 1e6) * 1000
    else:
        return None
    if isinstance(first, Record) and first.bn is not UNSET and first.bn != f"{address.site}:{address.device}:":
        return None

    usual = True  # each record has a value, and nothing else is said of it
    if isinstance(first, Record):
        for record in records:
            if not isinstance(record, Record) or not (record.lost is record.bu is record.bv is UNSET):
                return None
            if record.bn is not UNSET and record is not first:
                return None
            usual = usual and record.raw is record.cal is record.vs is record.vd is record.s is UNSET
    instants = []
    form: _Form | None = None
    for offset_ns, group in _together(records, first):
        if group is None:
            return None
        if form is None and usual:
            form = _forms.get((measures, len(group), group[0].n, group[-1].n))
        values = None if form is None else _usual_values(group, form)
        if form is not None and values:
            columns: tuple[str, Values, More | None] | None = (form.shape, values, None)
        else:
            columns = _columns(group, measures, usual)
            form = None
        if columns is None:
            return None
        time_ns = None if base_ns is None else base_ns + offset_ns
        instants.append(Instant(time_ns, None if up_ns is None else up_ns + offset_ns, *columns))
    return Message(boot, seq, clock, None if error_s is UNSET else error_s, instants, [], [])


def _together(records: Sequence[Plain], first: Plain) -> Iterable[tuple[int, Sequence[Plain] | None]]:
    """(Offset from the base time in ns, the records that have it), in the order they begin; no records: look carefully."""
    for record in records:
        if record.t is not UNSET or (record.bt is not UNSET and record is not first):
            break
    else:
        return ((0, records),)
    groups: dict[int, list[Plain]] = {}
    group: list[Plain] = []
    known: object = None
    for record in records:
        if record.bt is not UNSET and record is not first:
            return ((0, None),)
        offset_s = record.t
        if offset_s is not known:
            known = offset_s
            if offset_s is UNSET:
                offset_ns = 0
            elif -_QUICK_OFFSET_S < offset_s < _QUICK_OFFSET_S:
                offset_ns = round(offset_s * 1e6) * 1000
            else:
                return ((0, None),)
            group = groups.setdefault(offset_ns, [])
        group.append(record)
    return groups.items()


def _columns(records: Sequence[Plain], measures: frozenset[str], usual: bool) -> tuple[str, Values, More | None] | None:
    """Shape, values and what else is told of records that are not as the form last met; None: look carefully."""
    names = [record.n for record in records]
    if measures and not measures.issuperset(names):
        return None
    key = (measures, len(records), names[0], names[-1])
    form = _forms.get(key)
    if key not in _forms or (form is not None and [name for name, _, _, _, _ in form.columns] != names):
        form = _form(names)
        _forms.keep(key, form)
        if form is not None and usual and (values := _usual_values(records, form)):
            return form.shape, values, None
    readings: dict[str, Reading] = {}
    for record in records:
        try:
            reading = _usual_number(record) if usual else None
            if reading is None:
                reading = reading_of(record.n, whole((record,))[0])  # type: ignore[arg-type]
        except Rejected:
            return None
        readings[reading.name] = reading
    if len(readings) != len(records):
        return None
    found = list(readings.values())
    return shape_of(found), *columns_of(found)


def _usual_values(records: Sequence[Plain], form: _Form) -> Values | None:
    """The values, when these are the records of the form, and each is in its range; None when not."""
    if len(records) != len(form.columns):
        return None
    values: list[float | str | None] = []
    append = values.append
    try:
        for record, (name, unit, low, high, is_state) in zip(records, form.columns, strict=False):
            if record.n != name or (record.u != unit and record.u is not UNSET):
                return None
            value, state = record.v, record.vb
            if is_state:
                if value is not UNSET or state is UNSET:
                    return None
                append(1.0 if state else 0.0)
            elif state is UNSET and low <= value <= high:  # type: ignore[operator]
                append(value)  # type: ignore[arg-type]
            else:
                return None
    except TypeError:  # null, or no value at all
        return None
    return tuple(values)


def _usual_number(record: Plain) -> Reading | None:
    """The reading of a record that has a number in its range, and nothing else; None: of any other."""
    known, value = _known[record.n], record.v
    if known is None or known[5] or value is UNSET or value is None or record.vb is not UNSET:
        return None
    name, unit, low, high, flag, _ = known
    return Reading(name, value, flag) if (record.u is UNSET or record.u == unit) and low <= value <= high else None


@dataclass(slots=True)
class _Head:
    """What the first record says of the whole message. base_ns None: the device does not know the time."""

    boot: int
    seq: int
    clock: str
    error_s: float | None
    up_ns: int | None
    base_ns: int | None


@dataclass(slots=True)
class _Base:
    """The base fields in force at a record (RFC 8428 section 4.1); `up_ns` is the uptime at `time_ns`."""

    time_ns: int | None
    up_ns: int | None
    unit: str = ""
    value: float | None = None


def _carefully(records: list[Record], address: Address, measures: frozenset[str]) -> Message:
    """The message, record by record, with everything that is wrong named."""
    own = f"{address.site}:{address.device}:"
    for record in records:
        if record.bn is not UNSET and record.bn != own:
            raise Rejected("wrong_device", f"bn is {show(record.bn)}; the topic says {own!r}")
    refused: list[Refused] = []
    head = _head(records[0], refused)
    base = _Base(head.base_ns, head.up_ns)
    groups: dict[tuple[int | None, int | None], dict[str, Reading]] = {}
    losses: list[tuple[int, int, int]] = []
    event = address.channel is Up.EVENT
    if event:
        at, reading = _event(records[0], base, head, refused)
        groups[at] = {reading.name: reading}
    for number, record in enumerate(records):
        if event and number == 0:
            continue
        try:
            _move(base, record, head, number)
            for _, reason, detail in _faults(record, first=number == 0):
                raise Rejected(reason, detail)
            name = _name(record)
            if name == _LOST and not event:
                losses.append(_loss(record, head))
                continue
            reading = reading_of(name, record, base.unit, base.value)
            if measures and not event and name not in measures and split_name(name)[0] not in EVENTS:
                raise Rejected("not_expected", f"{name} is not in this device's `measures`")
            when = _when(record, base, head)
            if event and when != at:
                raise Rejected("other_instant", f"{name} at another time than the event")
            group = groups.setdefault(when, {})
            if name in group:
                raise Rejected("same_instant", f"{name} is there already at this time")
            group[name] = reading
        except Rejected as error:
            refused.append(Refused(error.reason, f"record {number}: {error.detail}"))
    instants = [Instant.of(time_ns, uptime_ns, list(group.values())) for (time_ns, uptime_ns), group in groups.items()]
    return Message(head.boot, head.seq, head.clock, head.error_s, instants, losses, refused)


# The message


def _head(first: Record, refused: list[Refused]) -> _Head:
    """Identity and clock. What is wrong with the clock is taken as not sent and noted: the readings are worth more."""
    boot, seq = first.boot, first.seq
    if boot is UNSET or not 0 <= boot <= _LIMIT:
        raise Rejected("no_identity", f"boot is {show(boot)}; an integer from 0 to {_LIMIT} in the first record")
    if seq is UNSET or not 1 <= seq <= _LIMIT:
        raise Rejected("no_identity", f"seq is {show(seq)}; an integer from 1 to {_LIMIT} in the first record")
    if isinstance(first, Faulty):
        head_faults = (fault for fault in first.faults if fault[0] in _HEAD_FIELDS or fault[0] == "bt")
        refused.extend(Refused(reason, detail) for _, reason, detail in head_faults)
    clock = "none" if first.clk is UNSET else first.clk
    if clock not in CLOCKS:
        refused.append(Refused("bad_clock", f"clk is {show(clock)}; one of {', '.join(sorted(CLOCKS))}"))
        clock = "none"
    error_s, up_s = (_sensible(key, value, refused) for key, value in (("err", first.err), ("up", first.up)))
    base_ns = None
    if clock != "none" and first.bt is not UNSET:
        try:
            base_ns = _base_time(first.bt)
        except Rejected as error:
            refused.append(Refused(error.reason, error.detail))
    return _Head(boot, seq, clock, error_s, None if up_s is None else _ns(up_s), base_ns)


def _sensible(key: str, value_s: float | UnsetType, refused: list[Refused]) -> float | None:
    if value_s is UNSET:
        return None
    if not 0 <= value_s < _LATEST_S:
        refused.append(Refused("bad_clock", f"{key} is {show(value_s)}; seconds, 0 or more"))
        return None
    return value_s


def _event(record: Record, base: _Base, head: _Head, refused: list[Refused]) -> tuple[tuple[int | None, int | None], Reading]:
    """Time and reading of an event. Only its name must be right: an SOS with a bad value, channel or time is an SOS."""
    name = _name(record)
    kind = split_name(name)[0]
    if kind not in EVENTS:
        raise Rejected("not_an_event", f"n is {show(name)}; one of {', '.join(sorted(EVENTS))}")
    time_fault = next((fault for fault in _faults(record, first=True) if fault[0] == "t"), None)
    try:
        _move(base, record, head, 0)
        for key, reason, detail in _faults(record, first=True):
            if key != "t":
                raise Rejected(reason, detail)
        reading = reading_of(name, record, base.unit, base.value)
    except Rejected as error:
        refused.append(Refused(error.reason, f"record 0: {error.detail}; kept as an event without a value"))
        reading = Reading(name if is_known(name) else kind, None, MISSING)
    try:
        if time_fault is not None:
            raise Rejected(*time_fault[1:])
        return _when(record, base, head), reading
    except Rejected as error:
        refused.append(Refused(error.reason, f"record 0: {error.detail}; kept as an event without a time"))
        return (None, None), reading


# One record


def _name(record: Record) -> str:
    if isinstance(record, Faulty):
        return record.name
    return "" if record.n is UNSET else record.n


def _faults(record: Record, first: bool) -> list[tuple[str, str, str]]:
    """The fields of the wrong type that matter to this record; those of the head are noted there."""
    if not isinstance(record, Faulty):
        return []
    return [fault for fault in record.faults if fault[0] not in _HEAD_FIELDS and not (first and fault[0] == "bt")]


def _move(base: _Base, record: Record, head: _Head, number: int) -> None:
    """Bring the base fields up to this record."""
    if record.bu is not UNSET:
        base.unit = record.bu
    if record.bv is not UNSET:
        base.value = record.bv
    if number == 0 or head.clock == "none":
        return
    is_bad = isinstance(record, Faulty) and any(key == "bt" for key, _, _ in record.faults)
    if is_bad or record.bt is not UNSET:
        base.time_ns = base.up_ns = None
    if record.bt is not UNSET:
        base.time_ns = _base_time(record.bt)


def _when(record: Record, base: _Base, head: _Head) -> tuple[int | None, int | None]:
    """(time, uptime) of a record in ns; time is None where the device does not know it."""
    offset_s = 0.0 if record.t is UNSET else record.t
    if not -_LATEST_S < offset_s < _LATEST_S:
        raise Rejected("bad_time", f"t is {show(offset_s)}; seconds")
    offset_ns = _ns(offset_s)
    is_absolute = offset_s >= RELATIVE
    if head.clock != "none" and (base.time_ns is not None or is_absolute):
        time_ns = (base.time_ns or 0) + offset_ns
        if time_ns > _LATEST_NS:
            raise Rejected("bad_time", f"bt + t is {time_ns // 10**9} s; the year is after 2242")
        if time_ns >= _RELATIVE_NS:
            return time_ns, None if base.up_ns is None or is_absolute else base.up_ns + offset_ns
    if is_absolute:
        raise Rejected("bad_time", f"t is {show(offset_s)}; without a clock it is relative to `up`")
    if base.up_ns is not None:
        return None, base.up_ns + offset_ns
    if offset_ns:
        raise Rejected("no_uptime", f"t is {show(offset_s)}, relative to an uptime that was not told")
    return None, None


def _loss(record: Record, head: _Head) -> tuple[int, int, int]:
    if record.lost is UNSET or len(record.lost) != 3:
        raise Rejected("bad_loss", f"lost is {show(record.lost)}; [boot, first, last] is expected")
    boot, first, last = record.lost
    if not (0 <= boot <= _LIMIT and 1 <= first <= last <= _LIMIT):
        raise Rejected("bad_loss", f"lost is {show(record.lost)}; out of range")
    # Otherwise one wrong number closes the sequence over messages that are still to come, and they would count as repeats.
    if boot == head.boot and last >= head.seq:
        raise Rejected(
            "bad_loss", f"lost is {show(record.lost)} in message {head.seq} of the same boot; it cannot know of later ones"
        )
    if isinstance(record.v, float) and not 0 <= record.v <= last - first + 1:
        raise Rejected("bad_loss", f"v is {show(record.v)}; the range holds {last - first + 1}")
    return boot, first, last


def _base_time(base_s: float) -> int | None:
    """Base time in ns; None for one that is relative to now, as a clock that was never set has it."""
    if not -_LATEST_S < base_s < _LATEST_S:
        raise Rejected("bad_time", f"bt is {show(base_s)}; seconds since 1970")
    return _ns(base_s) if base_s >= RELATIVE else None


def _ns(seconds: float) -> int:
    """Whole microseconds: the doubles of SenML carry no more, and 0.1 + 0.2 would make two instants of one."""
    return round(seconds * 1e6) * 1000
