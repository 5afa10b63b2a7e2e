"""What waits to interrupt the firmware, the bell that tells it so, and the timers."""

import contextlib
from collections import deque
from socket import socket
from typing import Final

from firmware.sim.board.virtual_time import Event, VirtualTime

# As many as the chip's own queue of scheduled callbacks would hold, and then some; the rest is lost there as well.
_MOST: Final = 64
# Real ms in which the firmware hears its bell even on a busy machine; with interrupts switched off it does not ask at all.
_PATIENCE: Final = 200


class Interrupts:
    """Names of interrupts in their order: `p5` a pin, `t0` a timer, `u1` a serial port, `c` some pin has another level."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._waiting: deque[str] = deque(maxlen=_MOST)
        self._timers: dict[int, Event] = {}
        self._bell: socket | None = None
        self._patience = 0

    def raise_(self, name: str) -> None:
        if name == "c" and self._waiting and self._waiting[-1] == "c":
            return
        self._waiting.append(name)
        self._patience = _PATIENCE
        if self._bell is not None:
            with contextlib.suppress(OSError):
                self._bell.send(b"!")

    def unheard(self) -> bool:
        """Whether the bell has rung and may still be on its way: the time of the edge must not be over when it is heard."""
        if not self._waiting or self._bell is None or not self._patience:
            return False
        self._patience -= 1
        return True

    def heard_at(self, bell: socket) -> None:
        """The firmware listens here from now on."""
        self._bell = bell
        if self._waiting:
            bell.send(b"!")

    def forget(self) -> None:
        for timer in self._timers.values():
            self._time.cancel(timer)
        self._timers.clear()
        self._waiting.clear()
        self._bell = None

    def pending(self, _: list[str]) -> str:
        names = " ".join(self._waiting)
        self._waiting.clear()
        return names

    def timer(self, words: list[str]) -> str:
        """`NUMBER MS PERIODIC`; 0 ms: off."""
        number, ms, periodic = (int(word) for word in words)
        self._time.cancel(self._timers.pop(number, None))

        def fire() -> None:
            self.raise_(f"t{number}")
            if periodic:
                self._timers[number] = self._time.after(ms, fire)

        if ms > 0:
            self._timers[number] = self._time.after(ms, fire)
        return ""
