"""SHT31: single shots over I2C, words with CRC, not ready before the conversion is over."""

from collections.abc import Callable
from typing import Final

from firmware.sim.board.buses import Nack

_SINGLE_SHOTS: Final = {b"\x24\x00": 15, b"\x24\x0b": 6, b"\x24\x16": 4}  # command -> ms (data sheet, table 4)
_RESET: Final = b"\x30\xa2"


class Sht31:
    """Shows `celsius()` and `percent()` as they are when the conversion starts."""

    def __init__(self, now_ms: Callable[[], int], celsius: Callable[[], float], percent: Callable[[], float]) -> None:
        self._now_ms, self._celsius, self._percent = now_ms, celsius, percent
        self._ready_ms = 0
        self._data = b""

    def write(self, data: bytes) -> None:
        if data == _RESET:
            self._data = b""
        elif data in _SINGLE_SHOTS:
            self._ready_ms = self._now_ms() + _SINGLE_SHOTS[data]
            self._data = _word((self._celsius() + 45) / 175) + _word(self._percent() / 100)
        elif data:
            raise Nack

    def read(self, size: int) -> bytes:
        # Without clock stretching the chip does not acknowledge its address until it is done.
        if not self._data or self._now_ms() < self._ready_ms:
            raise Nack
        data, self._data = self._data, b""
        return data[:size]


def _word(share: float) -> bytes:
    data = min(max(round(share * 65535), 0), 65535).to_bytes(2, "big")
    return data + bytes((crc8(data),))


def crc8(data: bytes) -> int:
    crc = 0xFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x131) if crc & 0x80 else crc << 1
    return crc
