"""NTAG I2C plus: user memory that is written over I2C and read by a phone."""

from collections.abc import Callable
from typing import Final

from firmware.sim.board.buses import Nack

_BLOCK: Final = 16
_WRITE_MS: Final = 4
_LAST_BLOCK: Final = 0x38


class NtagI2c:
    """Blocks of 16 bytes; it does not answer while it writes one, nor while a phone has it (`taken`)."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._ready_ms = 0
        self._block = 0
        self.memory = bytearray(64 * _BLOCK)
        self.taken = False

    def write(self, data: bytes) -> None:
        if self.taken or self._now_ms() < self._ready_ms or not data or data[0] > _LAST_BLOCK:
            raise Nack
        self._block = data[0]
        if len(data) == 1 + _BLOCK:
            self.memory[self._block * _BLOCK : (self._block + 1) * _BLOCK] = data[1:]
            self._ready_ms = self._now_ms() + _WRITE_MS

    def read(self, size: int) -> bytes:
        if self.taken or self._now_ms() < self._ready_ms:
            raise Nack
        return bytes(self.memory[self._block * _BLOCK :][:size])

    @property
    def text(self) -> str:
        """What a phone shows that is held to it: the text of the first NDEF record; "" when there is none."""
        data = bytes(self.memory[_BLOCK:])
        if data[0] != 3:
            return ""
        size, at = (data[1], 2) if data[1] < 255 else (int.from_bytes(data[2:4], "big"), 4)
        record = data[at : at + size]
        if not record:
            return ""
        payload = record[4:] if record[0] & 0x10 else record[7:]
        return payload[3:].decode()
