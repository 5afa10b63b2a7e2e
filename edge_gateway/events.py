"""What travels from the pipeline through the outbox into a database: the vocabulary every later part imports.

All times are integer nanoseconds since 1970 UTC. The structs are array-like, so an outbox row stays small and a field may
only ever be added at the end, with a default: a backlog written by yesterday's version must be readable today.
"""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
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


# Tuples, which the garbage collector does not visit again and again as it does lists.
Values = tuple[float | str | None, ...]
More = dict[int, tuple[float | None, str | None]]


class Readings(msgspec.Struct, frozen=True, array_like=True, tag="r", gc=False):
    """The readings of one device at one instant.

    Attributes:
        site, device, place: ids of the registry; place may be "" (a moving probe).
        boot, seq: with site and device, the identity of the message they came in.
        time_ns: when it was measured.  received_ns: when the gateway had it.
        clock: the device's word for its clock: ntp, gnss, rtc, none.
        time_quality: a `TimeQuality`, as plain int.
        error_s: uncertainty of the time the device stated, seconds; None when it stated none.
        shape: names and flags of the readings, as `shape_of` writes them; at least one, no two with the same name. A device
            sends nearly always the same, so whoever is in a hurry keeps by shape what depends on nothing else.
        values: one for each name of the shape; see `Reading.value`.
        more: position -> (raw, calibration), see `Reading`, for the few readings that have one; None: for none.
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
    shape: str
    values: Values
    more: More | None = None

    @classmethod
    def of(
        cls,
        site: str,
        device: str,
        place: str,
        boot: int,
        seq: int,
        time_ns: int,
        received_ns: int,
        clock: str,
        time_quality: int,
        error_s: float | None,
        readings: Sequence[Reading],
    ) -> "Readings":
        """The entry of these readings."""
        about = site, device, place, boot, seq, time_ns, received_ns, clock, time_quality, error_s
        return cls(*about, shape_of(readings), *columns_of(readings))

    @property
    def readings(self) -> list[Reading]:
        """The readings one by one, for whoever is not in a hurry."""
        return readings_of(self.shape, self.values, self.more)


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

    @property
    def readings(self) -> list[Reading]:
        """Its `values`; of any entry that has readings, these are they."""
        return self.values


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
    """An alert entered a state. `by` is a person's id, or `gateway`; an SOS is never closed by `gateway`.

    Attributes:
        waited_s: from when it was raised until now, by the gateway's wall clock; None: an older version did not say.
    """

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
    waited_s: float | None = None


class VisitChange(msgspec.Struct, frozen=True, array_like=True, tag="v", gc=False):
    """A visit is new or otherwise than it was; the newest of one visit stands. Pseudonyms only.

    Attributes:
        device: `gateway`, whose word it is.
        time_ns: when the visit was to begin; of one that was not planned, when somebody tapped.
        visit: its id in the site.  plan: the line of the plan it comes from, "" for none.
        state, grade: as in `visits.records`; state `gone`: there is none after all.
        late_s: start after (positive) or before (negative) the window.
        reasons: words of `visits.records.Reason`, separated by spaces.
    """

    site: str
    device: str
    place: str
    time_ns: int
    visit: str
    service: str
    plan: str
    person: str
    courier: str
    state: str
    grade: str
    counted: bool
    reviewing: bool
    late_s: int
    reasons: str = ""


Entry = Readings | Event | Loss | StatusChange | AlertChange | VisitChange

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(list[Entry])
_NOTHING: Final = (None, None)


def pack(entries: Sequence[Entry]) -> bytes:
    """One outbox row: MessagePack of a list of entries, in order."""
    return _encoder.encode(entries)


def unpack(row: bytes) -> list[Entry]:
    """The entries of one outbox row.

    Raises:
        msgspec.DecodeError: the bytes are not an outbox row (a damaged file).
    """
    return _decoder.decode(row)


def shape_of(readings: Sequence[Reading]) -> str:
    """Names and flags in order: `temperature=1,motion.kitchen=2`."""
    return _shape(tuple([(reading.name, reading.flag) for reading in readings]))


@lru_cache(maxsize=4096)
def _shape(pairs: tuple[tuple[str, int], ...]) -> str:
    if any("," in name for name, _ in pairs):
        raise ValueError(f"a name with a comma in {pairs!a}")
    return ",".join([f"{name}={int(flag)}" for name, flag in pairs])


@lru_cache(maxsize=4096)
def columns(shape: str) -> tuple[tuple[str, int], ...]:
    """(name, flag) of each reading of a shape."""
    found = [pair.rpartition("=") for pair in shape.split(",")] if shape else []
    return tuple([(name, int(flag)) for name, _, flag in found])


def columns_of(readings: Sequence[Reading]) -> tuple[Values, More | None]:
    """What `Readings.values` and `Readings.more` are of these."""
    told = [(at, r) for at, r in enumerate(readings) if r.raw is not None or r.calibration is not None]
    more = {at: (r.raw, r.calibration) for at, r in told} or None
    return tuple([reading.value for reading in readings]), more


def readings_of(shape: str, values: Values, more: More | None) -> list[Reading]:
    """The readings that `shape_of` and `columns_of` were made of."""
    pairs = zip(columns(shape), values, strict=True)
    if not more:
        return [Reading(name, value, flag) for (name, flag), value in pairs]
    return [Reading(name, value, flag, *more.get(at, _NOTHING)) for at, ((name, flag), value) in enumerate(pairs)]


def split_name(name: str) -> tuple[str, str]:
    """`motion.kitchen` -> (`motion`, `kitchen`); `temperature` -> (`temperature`, "")."""
    quantity, _, channel = name.partition(".")
    return quantity, channel
