"""The pins of the chip: who drives them, who hears of a change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

IN: Final = 1
OUT: Final = 3
OPEN_DRAIN: Final = 7
_PULLS: Final = {1: 0, 2: 1}
_RISING: Final = 1
_FALLING: Final = 2

Heard = Callable[[int, int], object]


@dataclass
class _Pin:
    mode: int = IN
    pull: int = 0
    out: int = 0
    outside: int | None = None
    trigger: int = 0
    hold: bool = False
    seen: int = 0

    def level(self) -> int:
        if self.mode == OUT:
            return self.out
        if self.mode == OPEN_DRAIN and not self.out:
            return 0
        if self.outside is not None:
            return self.outside
        return _PULLS.get(self.pull, 0)


@dataclass
class Pins:
    """GPIO levels.

    Attributes:
        interrupt: called with a pin's number when the firmware asked for that edge.
        heard: called with (pin, level) for every change.
    """

    interrupt: Callable[[int], object]
    heard: list[Heard] = field(default_factory=list)
    hold_asleep: bool = False
    _pins: dict[int, _Pin] = field(default_factory=dict)

    def level(self, number: int) -> int:
        return self._pin(number).level()

    def irq_set(self, number: int) -> bool:
        """Whether the firmware wants to hear of its edges."""
        return bool(self._pin(number).trigger)

    def drive(self, number: int, level: int | None) -> None:
        """Put a level on it from the outside; None lets it float."""
        pin = self._pin(number)
        pin.outside = None if level is None else int(level)
        self._settle(number, pin)

    def release(self, asleep: bool) -> None:
        """The chip was reset or sleeps: outputs become inputs, except those it holds."""
        for number, pin in list(self._pins.items()):
            pin.trigger = 0
            if not (asleep and (pin.hold or self.hold_asleep)):
                pin.mode, pin.out = IN, 0
                self._settle(number, pin)
        if not asleep:
            self.hold_asleep = False

    def verb(self, words: list[str]) -> str:
        """`NUMBER get | set 1 | init MODE PULL VALUE | irq TRIGGER | hold 1`"""
        number, what, *rest = words
        pin = self._pin(int(number))
        if what == "get":
            return str(pin.level())
        values = [int(word) for word in rest]
        if what == "set":
            pin.out = values[0]
        elif what == "init":
            mode, pull, value = values
            pin.mode = pin.mode if mode == -1 else mode
            pin.pull = pin.pull if pull == -1 else pull
            pin.out = pin.out if value == -1 else value
        elif what == "irq":
            pin.trigger = values[0]
        elif what == "hold":
            pin.hold = bool(values[0])
        self._settle(int(number), pin)
        return ""

    def _pin(self, number: int) -> _Pin:
        return self._pins.setdefault(number, _Pin())

    def _settle(self, number: int, pin: _Pin) -> None:
        level = pin.level()
        if level == pin.seen:
            return
        pin.seen = level
        for tell in self.heard:
            tell(number, level)
        if pin.trigger & (_RISING if level else _FALLING):
            self.interrupt(number)
