"""Battery voltage through a divider on an ADC1 pin, and the charge left by the cell's discharge curve.

`read_uv` is the calibrated reading of the ESP32; the plain one is 100 mV off. ADC2 is dead while Wi-Fi is on.
"""

from app.sensors.base import Sensor

# Millivolts at rest -> percent. One lithium-ion cell at a small load; a curve is a habit of the cell, not a law: within 10 %.
LI_ION = (
    (3000, 0), (3450, 5), (3680, 10), (3740, 20), (3770, 30), (3790, 40),
    (3820, 50), (3870, 60), (3920, 70), (3980, 80), (4060, 90), (4200, 100),
)  # fmt: skip
# Three alkaline or NiMH cells have no such plateau; LiFePO4 is too flat to tell more than full, middle, empty.
LI_FE_PO4 = ((2500, 0), (3000, 10), (3200, 20), (3300, 60), (3350, 90), (3400, 100))
CURVES = {"li_ion": LI_ION, "lifepo4": LI_FE_PO4}

_SAMPLES = 8


class Battery(Sensor):
    NAMES = ("battery_voltage", "battery_level")  # V, %EL
    WARM_UP_MS = 2  # the divider charges the capacitor at the pin
    LIMIT_MS = 500
    name = "battery"

    def __init__(self, volts, curve=LI_ION, rail=None):
        """Args:
        volts: function -> volts of the battery: `Board.adc`, or `divided` here.
        rail: a transistor that switches the divider, or None.
        """
        self.volts = volts
        self.curve = curve
        self.rail = rail

    def millivolts(self) -> int:
        """Now, without the phases: what is asked before the radio may start."""
        return round(sum([self.volts() for _ in range(_SAMPLES)]) / _SAMPLES * 1000)

    def result(self) -> tuple:
        mv = self.millivolts()
        return mv / 1000, percent(mv, self.curve)


def divided(adc, top_ohm: int, bottom_ohm: int, trim: float = 1.0):
    """Function -> volts above a divider from the battery by `top_ohm` to the pin and by `bottom_ohm` to ground.

    trim: measured by a multimeter / shown here; resistors of 1 % need it.
    """
    ratio = (top_ohm + bottom_ohm) / bottom_ohm * trim
    return lambda: adc.read_uv() * ratio / 1_000_000


def percent(mv: int, curve=LI_ION) -> int:
    """Charge left by linear interpolation in `curve`, 0..100."""
    if mv <= curve[0][0]:
        return 0
    for (low_mv, low), (high_mv, high) in zip(curve, curve[1:]):  # noqa: RUF007 (no itertools.pairwise)
        if mv <= high_mv:
            return low + round((high - low) * (mv - low_mv) / (high_mv - low_mv))
    return 100
