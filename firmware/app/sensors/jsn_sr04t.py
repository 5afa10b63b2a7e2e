"""JSN-SR04T ultrasonic ranger above the water: distance in metres, median of several echoes, corrected for the air.

Serial mode (120 kOhm at R27): 0x55 asks, FF, high, low, sum answers, in mm, 9600 baud. Pulse mode (nothing at R27): 20 us on
`trigger`, then `echo` is high for as long as the sound was under way.
"""

from app.sensors.base import Failed, Sensor, median
from app.sensors.water import speed_of_sound

BLIND_M, FAR_M = 0.20, 6.0  # nearer or farther the module tells nonsense
_MODULE_M_S = 340.0  # the speed of sound the module believes in
_POLL_MS = 10
_POLLS = 12


class JsnSr04t(Sensor):
    NAMES = ("distance",)  # m
    WARM_UP_MS = 300
    MEASURE_MS = 45  # 6 m there and back, and four characters
    LIMIT_MS = 5000
    IDLE_UA = 5000
    MEASURE_UA = 8000
    name = "distance"
    average = 3  # a wave, a leaf, a drop at the transducer: one echo in three may be nonsense

    def __init__(self, uart=None, trigger=None, echo=None, pulse_us=None, air_celsius=None, rail=None):
        """Args:
        uart: for the serial mode; else `trigger`, `echo` and `pulse_us`, which is `machine.time_pulse_us`.
        air_celsius: function -> temperature of the air or None; without it 15 degrees, an error of 1 % for 6 degrees.
        """
        self.uart = uart
        self.trigger, self.echo, self.pulse_us = trigger, echo, pulse_us
        self.air_celsius = air_celsius or (lambda: None)
        self.rail = rail
        self._polls = 0

    def start(self) -> int:
        if self.uart is None:
            return 0
        self.listening = True
        self.uart.read()
        self.uart.write(b"\x55")
        self._polls = 0
        return self.MEASURE_MS

    def measure(self) -> int:
        self._polls += 1
        waiting = self.uart is not None and self.uart.any() < 4 and self._polls < _POLLS
        return -_POLL_MS if waiting else 0

    def result(self) -> tuple:
        self.listening = False
        try:
            at_340 = self._pulse() if self.uart is None else millimetres(self.uart.read() or b"") / 1000
        except Failed:
            return (None,)  # no echo this time; the others may have one
        metres = at_340 * speed_of_sound(self.air_celsius()) / _MODULE_M_S
        return (metres if BLIND_M < metres < FAR_M else None,)

    def combine(self, results: list) -> tuple:
        """The median, if more than half of the echoes came back."""
        good = [values[0] for values in results if values[0] is not None]
        return (median(good) if 2 * len(good) > len(results) else None,)

    def _pulse(self) -> float:
        self.trigger.value(0)
        self.trigger.value(1)  # two calls of MicroPython are more than the 10 us it needs
        self.trigger.value(0)
        us = self.pulse_us(self.echo, 1, 60_000)
        if us < 0:
            raise Failed("no echo")
        return us * _MODULE_M_S / 2_000_000


def millimetres(frame: bytes) -> int:
    if len(frame) < 4 or frame[0] != 0xFF or sum(frame[:3]) & 0xFF != frame[3]:
        raise Failed(f"frame {frame!r}")
    return frame[1] << 8 | frame[2]
