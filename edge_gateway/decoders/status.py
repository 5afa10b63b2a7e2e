"""Birth and last will: what a device says of itself after each connect, and the broker when the device is gone."""

from typing import Final

import msgspec

from edge_gateway.decoders.senml import MAX_BYTES, show
from edge_gateway.errors import Rejected
from edge_gateway.message import CLOCKS, Birth
from edge_gateway.text import escaped

FIRMWARE_LENGTH: Final = 64
CONFIG_ERROR_LENGTH: Final = 1024
UPDATE_LENGTH: Final = 256
MOST_BOOTS: Final = 256

_decoder: Final = msgspec.json.Decoder(Birth)
# Field -> (lowest, highest) sensible value; times in seconds, the cadence up to 400 days.
_RANGES: Final = {
    "boot": (0, 2**32 - 1),
    "time": (0, 2.0**33),
    "up": (0, 2.0**33),
    "cadence": (0.001, 400 * 86_400.0),
    "config": (0, 2**32 - 1),
}


def decode_status(payload: bytes) -> Birth:
    """The birth or will in a status message; keys nobody knows are passed over.

    Raises:
        Rejected: `empty` (somebody cleared the retained message), `too_large`, `malformed`, `bad_status`.
    """
    if not payload:
        raise Rejected("empty", "no payload")
    if len(payload) > MAX_BYTES:
        raise Rejected("too_large", f"{len(payload)} bytes; at most {MAX_BYTES}")
    try:
        birth = _decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise Rejected("bad_status", f"{show(str(error))}; see docs/contract.md section 5") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejected("malformed", f"not JSON: {show(str(error))}") from None
    for key, (low, high) in _RANGES.items():
        value = getattr(birth, key)
        if value is not None and not low <= value <= high:
            raise Rejected("bad_status", f"{key} is {show(value)}; from {low:g} to {high:g}")
    if birth.clk not in CLOCKS:
        raise Rejected("bad_status", f"clk is {show(birth.clk)}; one of {', '.join(sorted(CLOCKS))}")
    if len(birth.oldest) > MOST_BOOTS:
        raise Rejected("bad_status", f"oldest names {len(birth.oldest)} boots; at most {MOST_BOOTS}")
    for boot, seq in birth.oldest:
        if not (0 <= boot <= 2**32 - 1 and 1 <= seq <= 2**32 - 1):
            raise Rejected("bad_status", f"oldest has {show((boot, seq))}; [boot, seq] as in a message")
    try:
        return msgspec.structs.replace(
            birth,
            firmware=escaped(birth.firmware, FIRMWARE_LENGTH, "firmware"),
            config_error=escaped(birth.config_error, CONFIG_ERROR_LENGTH, "config_error"),
            update=escaped(birth.update, UPDATE_LENGTH, "update"),
        )
    except Rejected as error:
        raise Rejected("bad_status", error.detail) from None
