"""Pins with more than two levels: voltages, pulses, tones, lights."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Analog:
    """What lies at the pins and what comes out of them.

    Attributes:
        volts: pin -> function of the voltage there.
        pulses: pin -> function of the next pulse in us; -2: none begins, -1: it does not end.
        tones: pin -> (Hz, duty 0..65535) as last set.
        lights: pin -> bytes of the WS2812 chain as last shown.
    """

    volts: dict[int, Callable[[], float]] = field(default_factory=dict)
    pulses: dict[int, Callable[[], int]] = field(default_factory=dict)
    tones: dict[int, tuple[int, int]] = field(default_factory=dict)
    lights: dict[int, bytes] = field(default_factory=dict)

    def adc(self, words: list[str]) -> str:
        volts = self.volts.get(int(words[0]))
        return str(0 if volts is None else int(volts() * 1_000_000))

    def pulse(self, words: list[str]) -> str:
        us = self.pulses.get(int(words[0]))
        return str(-2 if us is None else us())

    def pwm(self, words: list[str]) -> str:
        pin, hertz, duty = (int(word) for word in words)
        self.tones[pin] = (hertz, duty)
        return ""

    def light(self, words: list[str]) -> str:
        self.lights[int(words[0])] = bytes.fromhex(words[1])
        return ""

    def forget(self) -> None:
        self.tones.clear()
        self.lights.clear()
