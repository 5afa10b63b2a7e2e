"""HX711: the trains, codes and waiting times of the data sheet; a saturated or lost chip is no value."""

from app.sensors.base import Failed
from app.sensors.hx711 import Hx711, shifted_out, signed
from fakes import Pin, Time, measure
from scaffold import raises


class Chip:
    """Both pins of a chip: gives out `codes`, one a conversion, most significant bit first; `is_on` after so many ms."""

    def __init__(self, *codes, time=None):
        self.codes = list(codes)
        self.time = time or Time()
        self.trains = []
        self.masked = []
        self.is_masked = False
        self.level = self.count = 0
        self.stuck = None
        self.ready_ms = None
        self.sck, self.dout = Sck(self), Dout(self)

    def disable_irq(self):
        before, self.is_masked = self.is_masked, True
        return before

    def enable_irq(self, before):
        self.is_masked = before

    def sensor(self, **more):
        return Hx711(self.sck, self.dout, self.disable_irq, self.enable_irq, **more)

    def clock(self, level):
        if level and not self.level and (self.count or self.out() == 0):
            self.count += 1
            self.masked.append(self.is_masked)
        self.level = level

    def out(self):
        if self.stuck is not None:
            return self.stuck
        if self.count == 0:
            if self.ready_ms is None:
                self.ready_ms = self.time.now() + 100
            return 0 if self.time.now() >= self.ready_ms and not self.level else 1
        if self.count <= 24:
            return (self.codes[0] & 0xFFFFFF) >> (24 - self.count) & 1
        # Until the next conversion DOUT is high; whoever looks has ended the train.
        self.trains.append(self.count)
        self.count, self.ready_ms = 0, self.time.now() + 100
        if len(self.codes) > 1:
            self.codes.pop(0)
        return 1


class Sck:
    def __init__(self, chip):
        self.chip = chip

    def value(self, level):
        self.chip.clock(level)


class Dout:
    def __init__(self, chip):
        self.chip = chip

    def value(self):
        return self.chip.out()


def measured(chip, **more):
    return measure(chip.sensor(**more), chip.time)


def test_codes_are_two_complement_of_24_bits():
    assert [signed(code) for code in (0, 1, 0x000100, 0x7FFFFE, 0xFFFFFF, 0x800001)] == [0, 1, 256, 8388606, -1, -8388607]


def test_both_ends_of_the_range_are_faults_and_no_values():
    for code in (0x7FFFFF, 0x800000):
        assert "out of range" in str(raises(Failed, signed, code))
        assert measured(Chip(code)).values == (None,)


def test_the_most_significant_bit_comes_first():
    for code in (0x123456, -2, -8388607, 8388606):
        assert measured(Chip(code)).values == (code,)


def test_the_number_of_pulses_chooses_gain_and_input_of_the_next_conversion():
    for gain, pulses in ((128, 25), (32, 26), (64, 27)):
        time = Time()
        chip = Chip(7, 8, time=time)
        seen = measure(chip.sensor(gain=gain), time)
        # It begins with 128: a value of another gain is the one after the first train, and settled.
        assert seen.values == ((7,) if gain == 128 else (8,))
        assert chip.trains == [pulses] * (1 if gain == 128 else 2)
        assert time.ms >= (400 if gain == 128 else 800)


def test_interrupts_are_off_during_each_pulse_and_on_again_afterwards():
    chip = Chip(0x0F0F0F)
    measured(chip)
    assert chip.masked == [True] * 25 and not chip.is_masked


def test_interrupts_are_on_again_when_a_pin_fails():
    def broken(level):
        raise OSError(5)

    on = []
    raises(OSError, shifted_out, broken, None, 25, lambda: 1, on.append)
    assert on == [1]


def test_a_value_is_waited_for_until_dout_falls():
    time = Time()
    chip = Chip(5, time=time)
    assert measure(chip.sensor(), time).values == (5,)
    assert 500 <= time.ms < 540  # settled after switching on, and one conversion


def test_several_conversions_are_one_median():
    chip = Chip(100, 101, 0x3FFFFF, 99, 102)
    assert measured(chip, average=5).values == (101,)
    assert chip.trains == [25] * 5


def test_after_a_result_it_is_off_unless_it_stays_on():
    chip = Chip(5)
    measured(chip)
    assert chip.level == 1
    chip = Chip(5)
    sensor = chip.sensor(stays_on=True)
    measure(sensor, chip.time)
    assert chip.level == 0
    before = chip.time.ms
    measure(sensor, chip.time)
    assert chip.time.ms - before < 150  # nothing to settle


def test_after_a_fault_it_is_switched_off_and_begins_anew():
    chip = Chip(0x7FFFFF, 5)
    sensor = chip.sensor(stays_on=True)
    assert measure(sensor, chip.time).values == (None,)
    assert chip.level == 1
    assert measure(sensor, chip.time).values == (5,)


def test_a_chip_that_is_never_ready_is_given_up():
    chip = Chip(5)
    chip.stuck = 1
    seen = measured(chip)
    assert seen.values == (None,) and "stuck in measure" in seen.error


def test_a_data_line_that_is_always_low_is_no_value():
    chip = Chip(5)
    chip.stuck = 0
    seen = measured(chip)
    assert seen.values == (None,) and "DOUT low after 25 pulses" in seen.error


def test_a_pin_by_itself_is_no_chip():
    seen = measure(Hx711(Pin(0), Pin(0), lambda: 0, lambda before: None))
    assert seen.values == (None,) and "no chip" in seen.error
