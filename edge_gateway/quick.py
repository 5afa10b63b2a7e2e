"""The quick way through validation: a message whose every record is good, and mostly like the one before. Never refuses."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import UNSET

from edge_gateway.catalog import Kind
from edge_gateway.decoders.senml import Plain, Record, whole
from edge_gateway.errors import Rejected
from edge_gateway.events import More, Reading, Values, columns_of, shape_of
from edge_gateway.message import CLOCKS, LATEST_S, LIMIT, Instant, Message
from edge_gateway.topics import Address
from edge_gateway.value import flag_in_range, quantity_of, reading_of

# The quick way's narrower limits: a base time of 1987 to 2106 and eight years around it need no second look at the sum.
QUICK_FROM_S: Final = 2.0**29
QUICK_UNTIL_S: Final = 2.0**32
_QUICK_OFFSET_S: Final = 2.0**28
LARGEST: Final = 1.7976931348623157e308


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
        low = -LARGEST if quantity.low is None else quantity.low
        high = LARGEST if quantity.high is None else quantity.high
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


def quickly(records: Sequence[Plain], address: Address, measures: frozenset[str]) -> Message | None:
    """The message, when every record of it is good and none moves the base; None: look carefully. Never refuses."""
    first = records[0]
    boot, seq, clock, error_s, base_s, up_s = first.boot, first.seq, first.clk, first.err, first.bt, first.up
    if boot is UNSET or seq is UNSET or not 0 <= boot <= LIMIT or not 0 < seq <= LIMIT or clock not in CLOCKS:
        return None
    if error_s is not UNSET and not 0 <= error_s < LATEST_S:
        return None
    if up_s is UNSET:
        up_ns = None
    elif 0 <= up_s < LATEST_S:
        up_ns = round(up_s * 1e6) * 1000
    else:
        return None
    if clock == "none":
        if base_s is not UNSET or up_ns is None:
            return None
        base_ns = None
    elif base_s is not UNSET and QUICK_FROM_S <= base_s < QUICK_UNTIL_S:
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
