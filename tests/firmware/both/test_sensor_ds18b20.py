"""DS18B20: the maker's CRC example and temperature table, and the readings that only look like temperatures."""

from app.sensors.base import Failed
from app.sensors.ds18b20 import Ds18b20, celsius, crc, degrees
from fakes import measure
from scaffold import raises

TABLE = (  # data sheet, table 1
    (0x07D0, 125.0),
    (0x0191, 25.0625),
    (0x00A2, 10.125),
    (0x0008, 0.5),
    (0x0000, 0.0),
    (0xFFF8, -0.5),
    (0xFF5E, -10.125),
    (0xFE6F, -25.0625),
    (0xFC90, -55.0),
)


def scratchpad(raw):
    data = bytes((raw & 255, raw >> 8, 0x4B, 0x46, 0x7F, 0xFF, 0x0C, 0x10))
    return data + bytes((crc(data),))


class OneWire:
    """One thermometer; `readings` are used up one by one."""

    def __init__(self, *readings, present=True):
        self.readings = list(readings)
        self.present = present
        self.written = []
        self.out = b""

    def reset(self):
        return self.present

    def writebyte(self, value):
        self.written.append(value)
        if value == 0xBE:
            self.out = self.readings.pop(0)

    def readbyte(self):
        first, self.out = self.out[0], self.out[1:]
        return first


def test_the_crc_is_that_of_application_note_27():
    assert crc(bytes.fromhex("021cb801000000")) == 0xA2
    assert crc(bytes.fromhex("021cb801000000a2")) == 0


def test_the_table_of_the_data_sheet():
    assert [degrees(raw) for raw, _ in TABLE] == [wanted for _, wanted in TABLE]
    assert [celsius(scratchpad(raw)) for raw, _ in TABLE] == [wanted for _, wanted in TABLE]


def test_what_only_looks_like_a_temperature_is_refused():
    power_on = bytes.fromhex("50054b467fff0c101c")
    assert crc(power_on) == 0
    assert "85 degrees" in str(raises(Failed, celsius, power_on))
    raises(Failed, celsius, bytes(9))  # the line held low: its CRC is right
    raises(Failed, celsius, b"\xff" * 9)


def test_a_reading_waits_for_the_conversion():
    bus = OneWire(scratchpad(0x0191))
    seen = measure(Ds18b20(bus))
    assert seen.values == (25.0625,) and bus.written == [0xCC, 0x44, 0xCC, 0xBE]


def test_one_of_several_is_addressed_by_its_rom():
    bus = OneWire(scratchpad(0x0191))
    rom = bytes.fromhex("281cb801000000a2")
    assert measure(Ds18b20(bus, rom)).values == (25.0625,)
    assert bus.written[:10] == [0x55] + list(rom) + [0x44]


def test_a_cut_cable_is_no_value():
    seen = measure(Ds18b20(OneWire(present=False)))
    assert seen.values == (None,) and "presence" in seen.error
