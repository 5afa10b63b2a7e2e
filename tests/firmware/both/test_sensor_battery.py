"""Battery: the divider, the curve, and the supply that switches the divider."""

from app.sensors.base import Rail
from app.sensors.battery import LI_FE_PO4, LI_ION, Battery, divided, percent
from fakes import Pin, measure, near


class Adc:
    def __init__(self, *uv):
        self.uv = list(uv)

    def read_uv(self):
        self.uv.append(self.uv.pop(0))
        return self.uv[-1]


def test_the_divider_is_calculated_back():
    volts = divided(Adc(1_000_000), 220_000, 100_000)
    assert near(volts(), 3.2, 1e-6)
    assert near(divided(Adc(1_000_000), 100_000, 100_000, 1.01)(), 2.02, 1e-6)


def test_noise_is_averaged_and_the_divider_switched_off_again():
    pin = Pin(1)
    seen = measure(Battery(divided(Adc(1_800_000, 2_000_000), 100_000, 100_000), rail=Rail(pin)))
    assert near(seen.values[0], 3.8, 1e-3)
    assert pin.history == [0, 1, 0]


def test_the_curve_is_interpolated_and_ends_at_0_and_100():
    assert [percent(mv) for mv in (2500, 3000, 3820, 3845, 4200, 4400)] == [0, 0, 50, 55, 100, 100]
    assert percent(3300, LI_FE_PO4) == 60


def test_the_curve_never_falls():
    shown = [percent(mv, LI_ION) for mv in range(2900, 4300, 5)]
    assert shown == sorted(shown)
