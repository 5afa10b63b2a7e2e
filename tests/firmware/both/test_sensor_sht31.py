"""SHT31: the data sheet's CRC and conversions, and what a broken answer becomes."""

from app.sensors.base import crc8
from app.sensors.sht31 import Sht31, celsius, humidity
from fakes import I2C, Script, measure, near


def word(raw):
    data = bytes((raw >> 8, raw & 255))
    return data + bytes((crc8(data, 0x31, 0xFF),))


def test_the_crc_is_that_of_the_data_sheet():
    assert crc8(b"\xbe\xef", 0x31, 0xFF) == 0x92


def test_the_ends_and_the_middle_of_the_scale():
    assert near(celsius(0), -45, 1e-4) and near(celsius(65535), 130, 1e-4)
    assert near(celsius(0x6666), 25.0, 0.002)
    assert near(humidity(0), 0, 1e-4) and near(humidity(65535), 100, 1e-4)


def test_a_reading_begins_with_a_reset_and_never_stretches_the_clock():
    chip = Script({b"\x24\x00": word(0x6666) + word(0x8000)})
    seen = measure(Sht31(I2C(x44=chip)))
    assert near(seen.values[0], 25.0, 0.002) and near(seen.values[1], 50.0, 0.002)
    assert chip.written == [b"\x30\xa2", b"\x24\x00"]


def test_a_bent_bit_is_no_value():
    good = word(0x6666) + word(0x8000)
    for bit in range(48):
        bent = bytearray(good)
        bent[bit // 8] ^= 1 << bit % 8
        seen = measure(Sht31(I2C(x44=Script({b"\x24\x00": bytes(bent)}))))
        assert seen.values == (None, None) and "CRC" in seen.error


def test_a_chip_that_is_not_there_is_no_value():
    seen = measure(Sht31(I2C()))
    assert seen.values == (None, None) and seen.error
