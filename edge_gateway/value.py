"""The value of one record: a known quantity, in the catalogue's unit and kind, judged by its believable range."""

import math
import re
from typing import Final

from msgspec import UNSET

from edge_gateway.catalog import OWN_GROUPS, QUANTITIES, Kind, Quantity
from edge_gateway.decoders.senml import Record, show
from edge_gateway.errors import Rejected
from edge_gateway.events import Flag, Reading
from edge_gateway.text import escaped

_PASS, _NOT_EVALUATED, _FAIL, MISSING = (int(f) for f in (Flag.PASS, Flag.NOT_EVALUATED, Flag.FAIL, Flag.MISSING))
TEXT_LENGTH: Final = 1024
CALIBRATION_LENGTH: Final = 64
_CHANNEL: Final = re.compile(r"[a-z0-9_]{1,24}")


def is_known(name: str) -> bool:
    """Whether the catalogue has it and its channel is well written."""
    try:
        quantity_of(name)
    except Rejected:
        return False
    return True


def quantity_of(name: object) -> Quantity:
    """The catalogue's line for a name, with or without a channel.

    Raises:
        Rejected: `no_name`, `unknown_quantity`: also what only the gateway says of itself and of its devices.
    """
    if not isinstance(name, str) or not name:
        raise Rejected("no_name", "a record without n")
    word, dot, channel = name.partition(".")
    quantity = QUANTITIES.get(word)
    if quantity is None or quantity.group in OWN_GROUPS or (dot and _CHANNEL.fullmatch(channel) is None):
        raise Rejected("unknown_quantity", f"n is {show(name)}; see the catalogue in docs/data-model.md")
    return quantity


def flag_in_range(quantity: Quantity) -> int:
    """The flag of a value that is inside the believable range."""
    return _NOT_EVALUATED if quantity.low is None and quantity.high is None else _PASS


def reading_of(name: str, record: Record, base_unit: str = "", base_value: float | None = None) -> Reading:
    """The reading in a record.

    Args:
        name: the record's, with channel.
        base_unit, base_value: of the pack at this record; "" and None when there are none.
    Raises:
        Rejected: `no_name`, `unknown_quantity`, `no_value`, `not_a_number`, `wrong_unit`, `wrong_kind`, `not_a_state`,
            `too_long`.
    """
    quantity = quantity_of(name)
    value, vb, vs = record.v, record.vb, record.vs
    sent = [key for key in ("v", "vb", "vs", "vd", "s") if getattr(record, key) is not UNSET]
    if not sent and base_value is not None:
        value, sent = base_value, ["v"]
    elif isinstance(value, float) and base_value is not None:
        value += base_value
    if len(sent) != 1:
        raise Rejected("no_value", f"{name} has {' and '.join(sent) or 'none'} of v, vb, vs; exactly one is needed")
    if isinstance(value, float) and not math.isfinite(value):
        raise Rejected("not_a_number", f"v of {name} is {value}; null says that there is none")
    if record.u is not UNSET and quantity.kind is not Kind.NUMBER and record.u:
        raise Rejected("wrong_unit", f"{name} is a {quantity.kind}; it has no unit, u is {show(record.u)}")
    raw = None if record.raw is UNSET else record.raw
    if raw is not None and not math.isfinite(raw):
        raise Rejected("not_a_number", f"raw of {name} is {raw}")
    calibration = None if record.cal is UNSET else escaped(record.cal, CALIBRATION_LENGTH, "cal")
    if value is None:
        return Reading(name, None, MISSING, raw, calibration)
    if quantity.kind is Kind.NUMBER and value is not UNSET:
        number, sent_as = _in_unit(value, quantity, base_unit if record.u is UNSET else record.u)
        fits = (quantity.low is None or quantity.low <= number) and (quantity.high is None or number <= quantity.high)
        flag = flag_in_range(quantity) if fits else _FAIL
        return Reading(name, number, flag, sent_as if raw is None else raw, calibration)
    if quantity.kind is Kind.STATE and vb is not UNSET:
        return Reading(name, 1.0 if vb else 0.0, _PASS, raw, calibration)
    if quantity.kind is Kind.STATE and value is not UNSET:
        if value not in (0.0, 1.0):
            raise Rejected("not_a_state", f"v of {name} is {show(value)}; true or false in vb, or 0 or 1")
        return Reading(name, value, _PASS, raw, calibration)
    if quantity.kind is Kind.TEXT and vs is not UNSET:
        return Reading(name, escaped(vs, TEXT_LENGTH, name), _NOT_EVALUATED, raw, calibration)
    raise Rejected("wrong_kind", f"{name} is a {quantity.kind}; {sent[0]} was sent")


def _in_unit(value: float, quantity: Quantity, unit: str) -> tuple[float, float | None]:
    """The value in the catalogue's unit, and as it was sent if that is another."""
    if unit in ("", quantity.unit):
        return value, None
    if unit not in quantity.also:
        known = ", ".join((quantity.unit, *quantity.also))
        raise Rejected("wrong_unit", f"u of {quantity.name} is {show(unit)}; one of {known}")
    factor, offset = quantity.also[unit]
    return value * factor + offset, value
