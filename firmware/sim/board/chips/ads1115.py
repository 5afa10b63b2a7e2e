"""ADS1115: four inputs in volts, the multiplexer, the gain, single shots that take their time."""

from collections.abc import Callable, Sequence
from typing import Final

_FULL_SCALE_V: Final = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
_RATES: Final = (8, 16, 32, 64, 128, 250, 475, 860)
_PAIRS: Final = ((0, 1), (0, 3), (1, 3), (2, 3))


class Ads1115:
    """Converts `inputs`, functions of volts, as they are when a conversion starts."""

    def __init__(self, now_ms: Callable[[], int], inputs: Sequence[Callable[[], float]]) -> None:
        self._now_ms = now_ms
        self._inputs = inputs
        self._config = 0x8583
        self._code = 0
        self._pointer = 0
        self._ready_ms = 0

    def write(self, data: bytes) -> None:
        self._pointer = data[0] & 3 if data else self._pointer
        if len(data) == 3 and self._pointer == 1:
            self._config = int.from_bytes(data[1:], "big")
            if self._config & 0x8000:
                self._convert()

    def read(self, size: int) -> bytes:
        if self._pointer == 1:
            ready = 0x8000 if self._now_ms() >= self._ready_ms else 0
            return (self._config & 0x7FFF | ready).to_bytes(2, "big")[:size]
        return (self._code & 0xFFFF).to_bytes(2, "big")[:size]

    def _convert(self) -> None:
        mux = self._config >> 12 & 7
        volts = self._volts(mux - 4) if mux >= 4 else self._volts(_PAIRS[mux][0]) - self._volts(_PAIRS[mux][1])
        full = _FULL_SCALE_V[self._config >> 9 & 7]
        self._code = min(max(round(volts / full * 32768), -32768), 32767)
        self._ready_ms = self._now_ms() + 1000 // _RATES[self._config >> 5 & 7] + 1

    def _volts(self, channel: int) -> float:
        return self._inputs[channel]() if channel < len(self._inputs) else 0.0
