"""Records to a message: is it this device's, is every value a known quantity in a known unit, and when was it measured.

Two ways to the same answer: the quick one takes a message of which every record is good, the careful one all others, record by
record. (A message like one before does not come here: see `likeness`.) A record that can never be accepted is named in
`Message.refused`; only what spoils the whole message raises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, UnsetType

from edge_gateway.catalog import EVENTS
from edge_gateway.decoders.senml import RELATIVE, Faulty, Plain, Record, show, whole
from edge_gateway.errors import Rejected
from edge_gateway.events import Reading, split_name
from edge_gateway.message import CLOCKS, LATEST_S, LIMIT, Instant, Message, Refused
from edge_gateway.quick import quickly
from edge_gateway.registry import Device
from edge_gateway.topics import Address, Up
from edge_gateway.value import MISSING, is_known, reading_of

_LATEST_NS: Final = 2**33 * 10**9
_RELATIVE_NS: Final = int(RELATIVE) * 10**9
_ANY: Final[frozenset[str]] = frozenset()
_LOST: Final = "lost"
_HEAD_FIELDS: Final = frozenset({"clk", "err", "up"})


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
        message = quickly(records, address, measures)
        if message is not None:
            return message
    return _carefully(whole(records), address, measures)


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
    if boot is UNSET or not 0 <= boot <= LIMIT:
        raise Rejected("no_identity", f"boot is {show(boot)}; an integer from 0 to {LIMIT} in the first record")
    if seq is UNSET or not 1 <= seq <= LIMIT:
        raise Rejected("no_identity", f"seq is {show(seq)}; an integer from 1 to {LIMIT} in the first record")
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
    if not 0 <= value_s < LATEST_S:
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
    if not -LATEST_S < offset_s < LATEST_S:
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
    if not (0 <= boot <= LIMIT and 1 <= first <= last <= LIMIT):
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
    if not -LATEST_S < base_s < LATEST_S:
        raise Rejected("bad_time", f"bt is {show(base_s)}; seconds since 1970")
    return _ns(base_s) if base_s >= RELATIVE else None


def _ns(seconds: float) -> int:
    """Whole microseconds: the doubles of SenML carry no more, and 0.1 + 0.2 would make two instants of one."""
    return round(seconds * 1e6) * 1000
