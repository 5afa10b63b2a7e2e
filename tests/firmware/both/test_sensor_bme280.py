"""BME280: the compensation against the data sheet's own example and against its floating-point formula."""

import struct

from app.sensors.bme280 import Bme280, Trim
from fakes import I2C, Registers, measure, near

# The example of Bosch's BMP280 data sheet, whose temperature and pressure parts are the same.
T = (27504, 26435, -1000)
P = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
RAW_T, RAW_P = 519888, 415148
H1, H2, H3, H4, H5, H6 = 75, 370, 0, 313, 50, 30  # of a real chip


def low_and_high():
    low = struct.pack("<Hhh", *T) + struct.pack("<Hhhhhhhhh", *P) + bytes((0, H1))
    return low, struct.pack("<hB", H2, H3) + bytes((H4 >> 4, (H4 & 15) | (H5 & 15) << 4, H5 >> 4, H6))


def reference_humidity(raw, fine):
    """Section 8.1, in floating point: another way to the same number."""
    h = fine - 76800.0
    h = (raw - (H4 * 64.0 + H5 / 16384.0 * h)) * (H2 / 65536.0 * (1.0 + H6 / 67108864.0 * h * (1.0 + H3 / 67108864.0 * h)))
    return min(max(h * (1.0 - H1 * h / 524288.0), 0.0), 100.0)


def chip():
    low, high = low_and_high()
    registers = {0xD0: 0x60, 0xF3: 0}
    registers.update({0x88 + i: byte for i, byte in enumerate(low)})
    registers.update({0xE1 + i: byte for i, byte in enumerate(high)})
    data = bytes(
        (RAW_P >> 12, RAW_P >> 4 & 255, (RAW_P & 15) << 4, RAW_T >> 12, RAW_T >> 4 & 255, (RAW_T & 15) << 4, 0x66, 0x66)
    )
    registers.update({0xF7 + i: byte for i, byte in enumerate(data)})
    return Registers(registers)


def test_the_example_of_the_data_sheet():
    trim = Trim(*low_and_high())
    fine = trim.fine(RAW_T)
    assert fine == 128422
    assert near(trim.celsius(fine), 25.08, 1e-5)
    assert near(trim.pascal(RAW_P, fine), 100653.27, 0.02)


def test_humidity_agrees_with_the_other_formula():
    trim = Trim(*low_and_high())
    fine = trim.fine(RAW_T)
    for raw in (0, 20000, 26214, 30000, 36000, 65535):
        assert near(trim.humidity(raw, fine), reference_humidity(raw, fine), 0.05)


def test_negative_constants_of_twelve_bits_keep_their_sign():
    low, high = low_and_high()
    high = high[:3] + bytes((0xFF, 0xFF, 0xFF)) + high[6:]
    assert Trim(low, high).h[3:5] == (-1, -1)


def test_a_reading_over_the_bus():
    seen = measure(Bme280(I2C(x76=chip())))
    assert near(seen.values[0], 25.08, 1e-4) and 30 < seen.values[1] < 60 and near(seen.values[2], 100653.27, 0.02)


def test_its_sister_without_humidity_is_told_apart():
    sister = chip()
    sister.registers[0xD0] = 0x58
    seen = measure(Bme280(I2C(x76=sister)))
    assert seen.values == (None, None, None) and "0x58" in seen.error


def test_the_reset_value_is_no_measurement():
    fresh = chip()
    fresh.registers.update({0xF7: 0x80, 0xF8: 0, 0xF9: 0, 0xFA: 0x80, 0xFB: 0, 0xFC: 0})
    assert measure(Bme280(I2C(x76=fresh))).values == (None, None, None)
