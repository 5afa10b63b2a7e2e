"""What a phone sends: checked here, word for word, before anything of it goes to the gateway. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from edge_gateway.errors import Rejected

LARGEST: Final = 64 << 10  # bytes of one request
MOST: Final = 20  # taps of one request
_TEXT: Final = r"^[A-Za-z0-9_.%-]+=[A-Za-z0-9_.%=&+-]*$"

# Milliseconds since 1970, up to the year 2200: whether a phone's clock is believed is the gateway's to say.
Millis = Annotated[int, msgspec.Meta(ge=0, le=7_258_118_400_000)]


class PhoneTap(msgspec.Struct, forbid_unknown_fields=True):
    """One tap as the phone kept it; `text` is the query of the tag's address."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    time_ms: Millis
    text: Annotated[str, msgspec.Meta(min_length=3, max_length=512, pattern=_TEXT)]
    link: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")] = ""
    location: Literal["", "given", "refused", "failed", "mocked"] = ""
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    lon: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    accuracy_m: Annotated[float, msgspec.Meta(ge=0, le=1e7)] | None = None


class PhoneTaps(msgspec.Struct, forbid_unknown_fields=True):
    """A phone's message. `phone`: the number it drew for itself.  `sent_ms`: its clock as it sent."""

    phone: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    sent_ms: Millis
    taps: Annotated[list[PhoneTap], msgspec.Meta(min_length=1, max_length=MOST)]


def read(body: bytes) -> PhoneTaps:
    """The taps in a body.

    Raises:
        Rejected: it is not what our page sends.
    """
    try:
        return msgspec.json.decode(body, type=PhoneTaps)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Rejected("bad_taps", re.sub(r"[^ -~]", "?", str(error))[:200]) from error


def arguments(message: PhoneTaps, tap: PhoneTap, site: str) -> Mapping[str, Any]:
    """Of the command `visits.tap`; what the phone does not say is left out."""
    told: dict[str, Any] = {
        "site": site,
        "phone": message.phone,
        "seq": tap.seq,
        "time_ns": tap.time_ms * 1_000_000,
        "sent_ns": message.sent_ms * 1_000_000,
        "text": tap.text,
    }
    if tap.link:
        told["link"] = tap.link
    if tap.location:
        told["location"] = tap.location
    if tap.location in ("given", "mocked") and tap.lat is not None and tap.lon is not None:
        told |= {"lat": tap.lat, "lon": tap.lon}
        if tap.accuracy_m is not None:
            told["accuracy_m"] = tap.accuracy_m
    return told
