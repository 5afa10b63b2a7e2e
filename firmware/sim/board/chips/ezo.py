"""Atlas EZO circuits over I2C: ASCII commands, a status byte before each answer, a time to think, sleep."""

from collections.abc import Callable
from typing import Final

_OK, _SYNTAX, _PENDING, _EMPTY = 1, 2, 254, 255
_COMMAND_MS: Final = 300


class Ezo:
    """One circuit; `number()` is what it shows, printed with `places` decimals.

    Args:
        reading_ms: how long it thinks about a reading: 900 in the data sheet of pH, 600 for oxygen and conductivity.
        mood: a status it gives instead of each answer, to see how the firmware takes it; 0: none.
    """

    def __init__(self, now_ms: Callable[[], int], number: Callable[[], float], places: int = 3, reading_ms: int = 900) -> None:
        self._now_ms, self._number, self._places, self._reading_ms = now_ms, number, places, reading_ms
        self.mood = 0
        self.asleep = False
        self.readings = 0
        self._answer = bytes((_EMPTY,))
        self._ready_ms = 0

    def write(self, data: bytes) -> None:
        if self.asleep:
            self.asleep = False  # the first command wakes it, and is done as well
        command = data.rstrip(b"\x00").decode("ascii", "replace").strip()
        word = command.split(",")[0].lower()
        self._ready_ms = self._now_ms() + (self._reading_ms if word in ("r", "rt") else _COMMAND_MS)
        if word in ("r", "rt"):
            self.readings += 1
            self._answer = bytes((_OK,)) + f"{self._number():.{self._places}f}".encode() + b"\x00"
        elif word == "sleep":
            self.asleep, self._answer = True, bytes((_EMPTY,))
        elif word == "i":
            self._answer = bytes((_OK,)) + b"?I,sim,1.0\x00"
        elif word in ("t", "l", "cal", "k", "s", "p", "o"):
            self._answer = bytes((_OK, 0))
        else:
            self._answer = bytes((_SYNTAX,))

    def read(self, size: int) -> bytes:
        if self.mood:
            answer = bytes((self.mood,))
        elif self._now_ms() < self._ready_ms:
            answer = bytes((_PENDING,))
        else:
            answer, self._answer = self._answer, bytes((_EMPTY,))
        return answer[:size].ljust(size, b"\x00")
