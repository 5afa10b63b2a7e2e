"""What travels from the pipeline through the outbox into a database: the vocabulary every later part imports.

All times are integer nanoseconds since 1970 UTC. The structs are array-like, so an outbox row stays small and a field may
only ever be added at the end, with a default: a backlog written by yesterday's version must be readable today.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

import msgspec


class Flag(IntEnum):
    """QARTOD flags (UNESCO IOC 54:V3)."""

    PASS = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class TimeQuality(IntEnum):
    """Where the time of an entry comes from, best first."""

    DEVICE = 0  # the device's clock, which it trusts (NTP, GNSS or a set RTC)
    REPAIRED = 1  # computed from boot id and uptime with a trusted pair of the same boot
    RECEIPT = 2  # the moment the gateway received it, less the age the device stated if it could
    SHIFTED = 3  # as DEVICE, moved by some ns because the instant was taken by another reading of this device
    LATE = 4  # as DEVICE, but older than the gateway's `late_s` when it arrived


class Reading(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One value of one quantity.

    Attributes:
        name: a name of the catalogue, `temperature`, or with a channel, `motion.kitchen`.
        value: in the catalogue's unit; a state is 1.0 or 0.0; text where the catalogue says so; None when missing.
        flag: a `Flag`, as plain int.
        raw: the value before calibration or conversion, when the device or the gateway changed it.
        calibration: id of the calibration the device applied.
    """

    name: str
    value: float | str | None
    flag: int = Flag.NOT_EVALUATED
    raw: float | None = None
    calibration: str | None = None


class Readings(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """The readings of one device at one instant.

    Attributes:
        site, device, place: ids of the registry; place may be "" (a moving probe).
        boot, seq: with site and device, the identity of the message they came in.
        time_ns: when it was measured.  received_ns: when the gateway had it.
        clock: the device's word for its clock: ntp, gnss, rtc, none.
        time_quality: a `TimeQuality`, as plain int.
        error_s: uncertainty of the time the device stated, seconds; None when it stated none.
        values: at least one reading; no two with the same name.
    """

    site: str
    device: str
    place: str
    boot: int
    seq: int
    time_ns: int
    received_ns: int
    clock: str
    time_quality: int
    error_s: float | None
    values: list[Reading]


class Event(msgspec.Struct, frozen=True, array_like=True, tag="e", gc=False):
    """Something that happened: an SOS, a tap, a smoke contact. Fields as in `Readings`; `kind` names the first reading."""

    site: str
    device: str
    place: str
    boot: int
    seq: int
    time_ns: int
    received_ns: int
    clock: str
    time_quality: int
    error_s: float | None
    kind: str
    values: list[Reading]


class Loss(msgspec.Struct, frozen=True, array_like=True, tag="l", gc=False):
    """A device declared that it dropped the messages first..last of boot `lost_boot`; told in message (boot, seq)."""

    site: str
    device: str
    place: str
    boot: int
    seq: int
    time_ns: int
    received_ns: int
    lost_boot: int
    first: int
    last: int


class StatusChange(msgspec.Struct, frozen=True, array_like=True, tag="s", gc=False):
    """A device said it is here (birth) or the broker said it is gone (last will)."""

    site: str
    device: str
    place: str
    time_ns: int
    online: bool
    boot: int | None
    firmware: str = ""


class AlertChange(msgspec.Struct, frozen=True, array_like=True, tag="a", gc=False):
    """An alert entered a state. `by` is a person's id, or `gateway`; an SOS is never closed by `gateway`."""

    site: str
    device: str
    place: str
    time_ns: int
    alert: str
    rule: str
    severity: str
    state: str
    by: str
    reason: str


Entry = Readings | Event | Loss | StatusChange | AlertChange

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Entry])


def pack(entries: Sequence[Entry]) -> bytes:
    """One outbox row: MessagePack of a list of entries, in order."""
    return _encoder.encode(entries)


def unpack(row: bytes) -> list[Entry]:
    """The entries of one outbox row.

    Raises:
        msgspec.DecodeError: the bytes are not an outbox row (a damaged file).
    """
    return _decoder.decode(row)


def split_name(name: str) -> tuple[str, str]:
    """`motion.kitchen` -> (`motion`, `kitchen`); `temperature` -> (`temperature`, "")."""
    quantity, _, channel = name.partition(".")
    return quantity, channel
