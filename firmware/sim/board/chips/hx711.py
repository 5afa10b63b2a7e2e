"""HX711 and a load cell at the level of its two pins: trains of pulses, settling, power-down, noise, drift, broken wires."""

import math
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Final, Protocol

_BITS: Final = 24
_MOST: Final = 0x7FFFFF
_GAINS: Final = {25: 128, 26: 32, 27: 64}
_PERIOD_MS: Final = 100
_SETTLE_MS: Final = 400
_SWING_MS: Final = 150  # a load put down swings, and is calm after three of these
_SWING_HZ: Final = 7


class Fault(StrEnum):
    """What can be wrong, for as long as it is in `faults`."""

    DEAD = "dead"  # never ready: no supply, or its DOUT wire is broken (the input is pulled up)
    SHORT = "short"  # DOUT to ground
    BROKEN_CELL = "broken_cell"  # a wire of the bridge is off: the end of the range
    LATE_TRAIN = "late_train"  # one train is interrupted for more than 60 us: the chip begins anew in the middle of it


class Pan:
    """What lies on the scale, by the board's clock."""

    def __init__(self) -> None:
        self._loads: list[tuple[int, float]] = [(0, 0.0)]

    def put(self, grams: float, at_ms: int) -> None:
        """From then on this and nothing else; times only rise."""
        self._loads.append((at_ms, grams))

    def __call__(self, at_ms: int) -> float:
        """Grams, with the swing of what was put down or taken off."""
        now, before = 0.0, 0.0
        began = 0
        for at, grams in self._loads:
            if at <= at_ms:
                now, before, began = grams, now, at
        since = at_ms - began
        return now + (before - now) * math.exp(-since / _SWING_MS) * math.cos(2 * math.pi * _SWING_HZ * since / 1000)


class Hx711:
    """
    Args:
        now_us, after: the clock; a function (ms, action) that calls the action.
        load: grams at a time in ms.
        per_g, zero: counts for a gram at gain 128, and counts of the empty scale.
        noise: standard deviation in counts.  drift: counts at a time in ms, as of a cell that gets warm.
        off_after_us: SCK high for longer switches it off; on a real one 60.
    Attributes:
        drive: function(level), the wire at DOUT.
        faults: see there.  trains: pulses of each train.  starts: how often it began anew.
    """

    def __init__(
        self,
        now_us: Callable[[], int],
        after: Callable[[int, Callable[[], object]], object],
        load: Callable[[int], float],
        *,
        per_g: float = 430.0,
        zero: int = 81_000,
        noise: float = 60.0,
        drift: Callable[[int], float] = lambda ms: 0.0,
        off_after_us: int = 60,
        seed: str = "",
    ) -> None:
        self.drive: Callable[[int], object] = lambda level: None
        self.faults: set[Fault] = set()
        self.trains: list[int] = []
        self.starts = 0
        self._now_us, self._after, self._load = now_us, after, load
        self._per_g, self._zero, self._noise, self._drift = per_g, zero, noise, drift
        self._off_after_us = off_after_us
        self._random = Random(f"hx711 {seed}")
        self._sck = 0
        self._rose_us = 0
        self._shift = 0
        self._count = 0
        self._ready = False
        self._number = 0  # of the conversion awaited: an older one that comes after a new start counts for nothing
        self._gain = 128

    def connect(self, drive: Callable[[int], object]) -> None:
        """Wire DOUT, with its supply on."""
        self.drive = drive
        self._begin()

    def clock(self, level: int) -> None:
        """SCK was driven to this level."""
        if level == self._sck:
            return
        self._sck = level
        if level:
            self._rose_us = self._now_us()
            self._rise()
        elif self._now_us() - self._rose_us > self._off_after_us:
            self._begin()
        elif self._count > _BITS + 1:
            self.trains[-1] = self._count

    def _begin(self) -> None:
        self.starts += 1
        self._gain = 128
        self._await(_SETTLE_MS)

    def _await(self, ms: int) -> None:
        self._ready, self._count = False, 0
        self._number += 1
        number = self._number
        self.drive(1)
        self._after(ms, lambda: self._convert(number))

    def _convert(self, number: int) -> None:
        if number != self._number:
            return
        if Fault.DEAD in self.faults:
            self._await(_SETTLE_MS)
            return
        self._ready = True
        self.drive(0)

    def _rise(self) -> None:
        if Fault.SHORT in self.faults:
            self.drive(0)
            return
        if not self._ready and not self._count:
            return  # nothing to give out
        self._count += 1
        if self._count == 1:
            # Conversions go on until the first pulse: what is given out is the newest.
            self._shift = self._code()
        if self._count == _BITS // 2 and Fault.LATE_TRAIN in self.faults:
            self.faults.discard(Fault.LATE_TRAIN)
            self._begin()
            return
        if self._count <= _BITS:
            self.drive(self._shift >> (_BITS - self._count) & 1)
            return
        if self._count == _BITS + 1:
            self.trains.append(self._count)
            self._ready = False
            self._number += 1
            number = self._number
            self.drive(1)
            self._after(_PERIOD_MS, lambda: self._next(number))

    def _next(self, number: int) -> None:
        if number != self._number or (self._sck and self._now_us() - self._rose_us > self._off_after_us):
            return
        gain = _GAINS.get(self._count, self._gain)
        changed, self._gain = gain != self._gain, gain
        self._count = 0
        if changed:
            self._await(_SETTLE_MS - _PERIOD_MS)
        else:
            self._convert(number)

    def _code(self) -> int:
        """The mean over the four conversions of its filter, as 24 bits."""
        if Fault.BROKEN_CELL in self.faults:
            return _MOST
        now_ms = self._now_us() // 1000
        grams = sum(self._load(now_ms - _PERIOD_MS * number) for number in range(4)) / 4
        counts = (grams * self._per_g + self._zero + self._drift(now_ms)) * self._gain / 128
        code = round(counts + self._random.gauss(0, self._noise))
        return min(max(code, -_MOST - 1), _MOST) & 0xFFFFFF


class _Pins(Protocol):
    heard: list[Callable[[int, int], object]]

    def drive(self, number: int, level: int | None) -> None: ...


class _Board(Protocol):
    @property
    def pins(self) -> _Pins: ...

    def now_ms(self) -> int: ...

    def after(self, ms: int, action: Callable[[], object]) -> object: ...


def attach(board: _Board, sck: int, dout: int, load: Callable[[int], float], **more: object) -> Hx711:
    """Wire one to a board. There a pulse takes as long as this machine wants, so it is off after 200 ms of SCK high."""
    chip = Hx711(lambda: board.now_ms() * 1000, board.after, load, off_after_us=200_000, **more)  # type: ignore[arg-type]
    board.pins.heard.append(lambda pin, level: chip.clock(level) if pin == sck else None)
    chip.connect(lambda level: board.pins.drive(dout, level))
    return chip
