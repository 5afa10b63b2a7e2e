"""A lamp or buzzer that plays a pattern: milliseconds on, off, on, ... once or for ever."""

import asyncio

from app import ticks

_IDLE_MS = 30_000


class Signal:
    """
    Args:
        pin: an output, or None where none is fitted.
        wake: called when a new pattern begins, so that whoever steps it does not sleep through.
    """

    def __init__(self, pin, wake=lambda: None) -> None:
        self._pin = pin
        self._wake = wake
        self._pattern = ()
        self._at = 0
        self._due = 0  # ticks of the next change
        self._repeat = False
        self.level = 0

    def play(self, pattern: tuple, repeat: bool = False) -> None:
        """Begin at once with the pattern's first time on; what played before is over."""
        self._pattern, self._repeat, self._at = pattern, repeat, 0
        self._set(1 if pattern else 0)
        if pattern:
            self._due = ticks.after(ticks.now(), pattern[0])
        self._wake()

    def hold(self, level: int) -> None:
        """On or off until told otherwise."""
        self._pattern = ()
        self._set(level)

    def step(self, now: int) -> int:
        """Do what is due; milliseconds until something will be."""
        while self._pattern:
            left_ms = ticks.since(now, self._due)
            if left_ms > 0:
                return left_ms
            self._at += 1
            if self._at >= len(self._pattern):
                if not self._repeat:
                    self.hold(0)
                    break
                self._at = 0
            self._set(1 - self._at % 2)
            self._due = ticks.after(self._due if self._repeat else now, self._pattern[self._at])
        return _IDLE_MS

    def _set(self, level: int) -> None:
        self.level = level
        if self._pin is not None:
            self._pin.value(level)


async def play(signals: list, woken, beat) -> None:
    """The task that steps all `signals`; `woken` is the ThreadSafeFlag behind their `wake`."""
    while True:
        now = ticks.now()
        wait_ms = min([signal.step(now) for signal in signals])
        beat()
        try:
            await asyncio.wait_for_ms(woken.wait(), wait_ms)
        except asyncio.TimeoutError:
            pass
