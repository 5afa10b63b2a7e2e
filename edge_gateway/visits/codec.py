"""How the records of visits are written into files: MessagePack for rows, plain values for the chain. No file, no clock."""

from typing import Any, Final

import msgspec

from edge_gateway.visits.records import Tap

# A tap that was this long on its way had waited in its reader; those that a person has just made are judged before it.
_FRESH_NS: Final = 120 * 1_000_000_000

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_tap: Final = msgspec.msgpack.Decoder(Tap).decode


def pack_tap(tap: Tap) -> bytes:
    """A tap as the gateway's queue keeps it, with what the card showed."""
    return _encode(tap)


def unpack_tap(body: bytes) -> Tap:
    """The tap of `pack_tap`.

    Raises:
        msgspec.MsgspecError: the bytes are no tap.
    """
    return _decode_tap(body)


def is_late(tap: Tap) -> bool:
    """Whether it had waited in its reader, by the two clocks."""
    return tap.received_ns - tap.time_ns > _FRESH_NS


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """A record as names and plain values, for JSON; the structs themselves are array-like and name nothing."""
    return {name: msgspec.to_builtins(getattr(record, name)) for name in record.__struct_fields__}
