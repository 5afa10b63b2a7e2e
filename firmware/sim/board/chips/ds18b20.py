"""DS18B20: a thermometer on a 1-Wire bus, 750 ms for a conversion, 85 degrees before the first."""

from collections.abc import Callable
from typing import Final

_CONVERT: Final = 0x44
_READ: Final = 0xBE
_CONVERSION_MS: Final = 750


class Ds18b20:
    """Shows `celsius()` as it is when the conversion starts.

    Args:
        serial: six bytes; the ROM is the family 28, these, and their CRC.
    """

    def __init__(
        self, now_ms: Callable[[], int], celsius: Callable[[], float], serial: bytes = bytes.fromhex("0316a2798bff")
    ) -> None:
        self.rom = sealed(b"\x28" + serial)
        self._now_ms, self._celsius = now_ms, celsius
        self.power_on()

    def power_on(self) -> None:
        self._raw = self._next = 85 * 16
        self._ready_ms = 0
        self._reading = b""

    def reset(self) -> None:
        self._reading = b""

    def write(self, data: bytes) -> None:
        for command in data:
            if command == _CONVERT:
                self._settle()
                self._next = round(self._celsius() * 16)
                self._ready_ms = self._now_ms() + _CONVERSION_MS
            elif command == _READ:
                self._settle()
                raw = self._raw & 0xFFFF
                self._reading = sealed(bytes((raw & 255, raw >> 8)) + bytes.fromhex("4b467fff0c10"))

    def read(self, size: int) -> bytes:
        data, self._reading = self._reading[:size], self._reading[size:]
        return data

    def _settle(self) -> None:
        if self._now_ms() >= self._ready_ms:
            self._raw = self._next


def sealed(data: bytes) -> bytes:
    """With Dallas' CRC-8 at the end."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return data + bytes((crc,))
