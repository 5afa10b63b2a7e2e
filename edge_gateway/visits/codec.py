"""How the records of visits are written into files: MessagePack for rows, plain values for the chain. No file, no clock."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from edge_gateway.visits.records import (
    Card,
    Correction,
    Evidence,
    JudgedTap,
    Outage,
    Plan,
    PlanException,
    Served,
    Tap,
    Visit,
)

# A tap that was this long on its way had waited in its reader; those that a person has just made are judged before it.
_FRESH_NS: Final = 120 * 1_000_000_000

S = TypeVar("S", bound=msgspec.Struct)

pack: Final = msgspec.msgpack.Encoder().encode
pack_tap: Final = pack
unpack_tap: Final = msgspec.msgpack.Decoder(Tap).decode
unpack_judged: Final = msgspec.msgpack.Decoder(JudgedTap).decode
unpack_visit: Final = msgspec.msgpack.Decoder(Visit).decode
unpack_plan: Final = msgspec.msgpack.Decoder(Plan).decode
unpack_exception: Final = msgspec.msgpack.Decoder(PlanException).decode
unpack_card: Final = msgspec.msgpack.Decoder(Card).decode
unpack_outage: Final = msgspec.msgpack.Decoder(Outage).decode
unpack_correction: Final = msgspec.msgpack.Decoder(Correction).decode
unpack_served: Final = msgspec.msgpack.Decoder(Served).decode


def is_late(tap: Tap) -> bool:
    """Whether it had waited in its reader, by the two clocks."""
    return tap.received_ns - tap.time_ns > _FRESH_NS


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """A record as names and plain values, for JSON; the structs themselves are array-like and name nothing."""
    return {name: msgspec.to_builtins(getattr(record, name)) for name in record.__struct_fields__}


def record_of(kind: type[S], body: Mapping[str, Any]) -> S:
    """The record that `plain` wrote, also of an earlier version that knew fewer fields.

    Raises:
        msgspec.ValidationError: it is none.
    """
    fields = msgspec.structs.fields(kind)
    given = {f.name: msgspec.convert(body[f.name], f.type) for f in fields if f.name in body}
    try:
        return kind(**given)
    except TypeError as error:
        raise msgspec.ValidationError(str(error)) from error


def visit_of(body: Mapping[str, Any]) -> Visit:
    """The visit in the body of a log entry of kind `visit`. Raises as `record_of`."""
    return record_of(Visit, body)


def without_number(tap: Tap, evidence: Evidence) -> tuple[Tap, Evidence]:
    """Both without what the card showed: that is sealed beside them."""
    return msgspec.structs.replace(tap, text=""), msgspec.structs.replace(evidence, uid="")
