"""An RS-485 line with Modbus RTU sondes that have Yosemitech's registers."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_START, _STOP, _VALUES, _MILLIVOLTS = 0x2500, 0x2E00, 0x2600, 0x1200
_TURNAROUND_MS: Final = 30
_CHARACTER_MS: Final = 1.05  # at 9600 baud


@dataclass
class Sonde:
    """One unit: `celsius()` and `value()` as the registers hold them, true once it was started and `stabilise_ms` are over."""

    unit: int
    celsius: Callable[[], float]
    value: Callable[[], float]
    register: int = _VALUES
    stabilise_ms: int = 8000
    silent: bool = False
    started_ms: int | None = None

    def registers(self, register: int, count: int, now_ms: int) -> bytes | None:
        """The data of an answer; None: an exception."""
        if register == _START:
            self.started_ms = now_ms if self.started_ms is None else self.started_ms
            return b""
        if register == _STOP:
            self.started_ms = None
            return b""
        if register != self.register:
            return None
        settled = self.started_ms is not None and now_ms - self.started_ms >= self.stabilise_ms
        value = self.value() if settled else 0.0
        floats = (value,) if register == _MILLIVOLTS else (self.celsius(), value)
        data = struct.pack("<" + "f" * len(floats), *floats)
        return data if len(data) >= 2 * count else None


class Line:
    """What hangs on the UART: takes requests, answers for the units. A damaged request is met with silence."""

    def __init__(self, now_ms: Callable[[], int], sondes: Sequence[Sonde]) -> None:
        self._now_ms = now_ms
        self.sondes = {sonde.unit: sonde for sonde in sondes}
        self._send: Callable[..., None] = lambda data, after_ms=0: None

    def connect(self, send: Callable[..., None]) -> None:
        self._send = send

    def receive(self, data: bytes) -> None:
        if len(data) != 8 or crc(data) != 0:
            return
        unit, function, register, count = struct.unpack(">BBHH", data[:6])
        sonde = self.sondes.get(unit)
        if sonde is None or sonde.silent:
            return
        found = sonde.registers(register, count, self._now_ms()) if function == 3 else None
        answer = bytes((unit, function | 0x80, 2)) if found is None else bytes((unit, function, len(found))) + found
        answer += crc(answer).to_bytes(2, "little")
        self._send(answer, after_ms=round(_TURNAROUND_MS + len(answer) * _CHARACTER_MS))


def crc(frame: bytes) -> int:
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value
