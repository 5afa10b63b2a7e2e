"""Avia HX711: a load cell in 24 bits, by two wires. DOUT falls when a value is ready, each pulse on SCK shifts out one bit.

SCK must not stay high for 50 us: after 60 the chip switches itself off and begins anew. So SCK goes up and down in two calls in
a row, the bit is read while it is low, and interrupts are off for the whole train, some 0.3 ms. A train that goes wrong all
the same leaves DOUT low or ends in ones: the first is a fault, the second one wild value, which the median drops.
"""

from app.sensors.base import Failed, Sensor, median

PULSES = {128: 25, 32: 26, 64: 27}  # gain of the *next* conversion -> pulses of a train; 32 is input B, the others input A
_DEFAULT = 25  # what it does after switching on
_BITS = 24
_SETTLE_MS = 400  # at 10 values a second, after switching on and after a change of gain; 50 at 80 a second
_POLL_MS = 10


class Hx711(Sensor):
    NAMES = ("code",)  # signed, 8388607 is half the supply divided by the gain
    LIMIT_MS = 2500
    IDLE_UA = 1500
    MEASURE_UA = 1500
    name = "hx711"

    def __init__(self, sck, dout, disable_irq, enable_irq, gain: int = 128, average: int = 1, stays_on: bool = False):
        """Args:
        sck, dout: pins, an output that is low and an input.
        disable_irq, enable_irq: those of `machine`.
        average: so many conversions are one result, their median.
        stays_on: it is not switched off after each result.
        """
        self.sck, self.dout = sck, dout
        self.disable_irq, self.enable_irq = disable_irq, enable_irq
        self.pulses = PULSES[gain]
        self.average = average
        self.stays_on = stays_on
        self._chosen = 0  # the pulses that the conversion under way was begun with; 0: off
        self._good = False

    def wake(self) -> int:
        self.sck.value(0)
        if self._chosen:
            return 0
        self._chosen = _DEFAULT
        return _SETTLE_MS

    def start(self) -> int:
        self._good = False
        return 0

    def measure(self) -> int:
        if self.dout.value():
            return -_POLL_MS
        if self._chosen == self.pulses:
            return 0
        self._train()  # of the gain that it begins with
        self._chosen = self.pulses
        return -_SETTLE_MS

    def result(self) -> tuple:
        code = signed(self._train())
        self._good = True
        return (code,)

    def combine(self, results: list) -> tuple:
        """The median: one value in three may be wild."""
        return (median([values[0] for values in results]),)

    def sleep(self) -> int:
        if self.stays_on and self._good:
            return 0
        self.sck.value(1)  # after a fault it begins anew
        self._chosen = 0
        return 1

    def _train(self) -> int:
        code = shifted_out(self.sck.value, self.dout.value, self.pulses, self.disable_irq, self.enable_irq)
        if not self.dout.value():
            raise Failed("DOUT low after %d pulses: no chip, or it lost count" % self.pulses)
        return code


def shifted_out(sck, dout, pulses: int, disable_irq, enable_irq) -> int:
    """The 24 bits of one train. Nothing in it takes memory, so that no collection of garbage comes between two calls."""
    code = 0
    before = disable_irq()
    try:
        for _ in range(_BITS):
            sck(1)
            sck(0)
            code = code << 1 | dout()
        for _ in range(pulses - _BITS):
            sck(1)
            sck(0)
    finally:
        enable_irq(before)
    return code


def signed(code: int) -> int:
    """Two's complement of 24 bits.

    Raises:
        Failed: at either end of the range: at least so much, how much is not known.
    """
    if code in (0x7FFFFF, 0x800000):
        raise Failed("out of range (%06x): overload, or a wire of the cell is broken" % code)
    return code - 0x1000000 if code & 0x800000 else code
