"""ADS1115: codes and configuration words of the data sheet; an input out of range is no value."""

from app.sensors.ads1115 import Ads1115, microvolts, signed
from fakes import I2C, measure, near


class Chip:
    """Conversion and configuration registers; busy for the first looks."""

    def __init__(self, code, busy=1):
        self.code = code & 0xFFFF
        self.busy = busy
        self.config = None
        self.pointer = 0

    def write(self, data):
        self.pointer = data[0]
        if len(data) == 3:
            self.config = data[1] << 8 | data[2]

    def read(self, count):
        if self.pointer == 0:
            return bytes((self.code >> 8, self.code & 255))
        self.busy -= 1
        ready = 0x8000 if self.busy < 0 else 0
        value = self.config & 0x7FFF | ready
        return bytes((value >> 8, value & 255))


def test_codes_are_two_complement():
    assert [signed(bytes(code)) for code in ((0x7F, 0xFF), (0, 1), (0, 0), (0xFF, 0xFF), (0x80, 0))] == [
        32767,
        1,
        0,
        -1,
        -32768,
    ]


def test_a_bit_is_as_large_as_the_data_sheet_says():
    # 187.5, 125, 62.5, 31.25, 15.625 and 7.8125 microvolts
    assert [microvolts(1000, full) for full in (6144, 4096, 2048, 1024, 512, 256)] == [
        187500,
        125000,
        62500,
        31250,
        15625,
        7812,
    ]
    assert microvolts(-1000, 4096) == -125000


def test_the_configuration_word():
    assert Ads1115(None, 0).config == 0xC323  # start, AIN0 to ground, 4.096 V, single shot, 16 a second, comparator off
    assert Ads1115(None, -1, 256).config == 0x8B23
    assert Ads1115(None, 3, 6144).config == 0xF123


def test_a_reading_waits_until_the_chip_is_ready():
    chip = Chip(8000, busy=3)
    seen = measure(Ads1115(I2C(x48=chip), 1))
    assert near(seen.values[0], 1.0, 1e-6) and chip.config == 0xD323


def test_a_convertor_makes_it_the_probe_s_unit():
    assert measure(Ads1115(I2C(x48=Chip(-800)), -1, convert=lambda uv: uv / 1000)).values == (-100.0,)


def test_an_input_out_of_range_is_no_value():
    assert measure(Ads1115(I2C(x48=Chip(0x7FFF)), 0)).values == (None,)
    assert measure(Ads1115(I2C(x48=Chip(0x8000)), 0)).values == (None,)


def test_a_chip_that_never_gets_ready_is_given_up():
    seen = measure(Ads1115(I2C(x48=Chip(1, busy=10**6)), 0))
    assert seen.values == (None,) and "stuck in measure" in seen.error
