"""Writes the messages of docs/contract.md section 2: SenML (RFC 8428) in JSON or CBOR with the identity in the first record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import cbor2
import msgspec

_US: Final = 1000
_S: Final = 1_000_000_000

# RFC 8428 table 4; what is not here (our fields) keeps its text name in CBOR too.
_LABELS: Final[dict[str, int]] = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}

_json: Final = msgspec.json.Encoder()


class Encoding(StrEnum):
    """How a device writes its packs."""

    JSON = "json"
    CBOR = "cbor"


@dataclass(frozen=True, slots=True)
class Value:
    """One quantity at one instant: a number, a state (bool), a text, or None for "measured, but there is no value".

    Attributes:
        name: of the catalogue, with its channel if any.
        unit: as the source has it; "" leaves it out, the gateway then takes the catalogue's.
        raw: the value before calibration.
        calibration: id of the calibration applied.
    """

    name: str
    value: float | bool | str | None
    unit: str = ""
    raw: float | None = None
    calibration: str = ""


@dataclass(frozen=True, slots=True)
class Instant:
    """Values taken together; `time_ns` is integer nanoseconds since 1970 UTC and goes out in whole microseconds."""

    time_ns: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """The messages first..last of `boot` that the device had to drop."""

    boot: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Head:
    """Identity and clock of a message; `now_ns` is the device's time when it writes it, `up_s` its uptime then."""

    boot: int
    seq: int
    clk: str
    now_ns: int
    up_s: float
    err_s: float | None = None


def encode(head: Head, instants: Sequence[Instant], losses: Iterable[Loss] = (), encoding: Encoding = Encoding.JSON) -> bytes:
    """The bytes of one message. With clock `none` the times are told relative to `head.now_ns`, the moment of `up`."""
    known = head.clk != "none"
    # A whole second as base keeps every `t` exact to the microsecond, also for a decoder that adds binary floats.
    base_ns = (instants[0].time_ns if instants else head.now_ns) // _S * _S if known else head.now_ns
    # `up` is the uptime at base time.
    up_us = round(head.up_s * 1e6) + (base_ns - head.now_ns) // _US
    first: dict[str, Any] = {"boot": head.boot, "seq": head.seq, "clk": head.clk}
    # A base second that began before the device did would need a negative uptime: leave it out.
    if up_us >= 0:
        first["up"] = _number(up_us)
    if head.err_s is not None:
        first["err"] = head.err_s
    if known:
        first["bt"] = base_ns // _S
    records: list[dict[str, Any]] = []
    for instant in instants:
        offset_us = _microseconds(instant.time_ns) - _microseconds(base_ns)
        for value in instant.values:
            record = _record(value)
            if offset_us:
                record["t"] = _number(offset_us)
            records.append(record)
    records += [{"n": "lost", "v": x.count, "lost": [x.boot, x.first, x.last]} for x in losses]
    records[0] = first | records[0]
    if encoding is Encoding.CBOR:
        return cbor2.dumps([{_LABELS.get(key, key): value for key, value in record.items()} for record in records])
    return _json.encode(records)


def stated_ns(time_ns: int) -> int:
    """The time as it stands in a message: nearest whole microsecond."""
    return _microseconds(time_ns) * _US


def _microseconds(time_ns: int) -> int:
    return (time_ns + _US // 2) // _US


def _number(microseconds: int) -> float:
    return microseconds // 1_000_000 if microseconds % 1_000_000 == 0 else microseconds / 1e6


def _record(value: Value) -> dict[str, Any]:
    record: dict[str, Any] = {"n": value.name}
    if value.unit:
        record["u"] = value.unit
    if isinstance(value.value, bool):
        record["vb"] = value.value
    elif isinstance(value.value, str):
        record["vs"] = value.value
    else:
        record["v"] = value.value
    if value.raw is not None:
        record["raw"] = value.raw
    if value.calibration:
        record["cal"] = value.calibration
    return record
