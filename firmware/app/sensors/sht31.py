"""Sensirion SHT31 (SHT30, SHT35): temperature and relative humidity over I2C, every word with its CRC."""

from app.sensors.base import Failed, Sensor, crc8

ADDRESS = 0x44  # 0x45 with pin ADDR high
_SINGLE_SHOT = b"\x24\x00"  # high repeatability, without clock stretching, which would block the bus for 15 ms
_SOFT_RESET = b"\x30\xa2"


class Sht31(Sensor):
    NAMES = ("temperature", "humidity")  # Cel, %RH
    MEASURE_MS = 17  # at most 15.5 ms (data sheet, table 4), and ticks are cut to whole milliseconds
    LIMIT_MS = 1000
    IDLE_UA = 1
    MEASURE_UA = 600
    name = "sht31"

    def __init__(self, i2c, address: int = ADDRESS, rail=None):
        self.i2c = i2c
        self.address = address
        self.rail = rail

    def wake(self) -> int:
        # After a brown-out the chip may be half awake, with its heater on: begin from a known state.
        self.i2c.writeto(self.address, _SOFT_RESET)
        return 2

    def start(self) -> int:
        self.i2c.writeto(self.address, _SINGLE_SHOT)
        return self.MEASURE_MS

    def result(self) -> tuple:
        data = self.i2c.readfrom(self.address, 6)
        return celsius(word(data, 0)), humidity(word(data, 3))


def word(data: bytes, at: int) -> int:
    """The 16-bit word at `at`, checked by the CRC that follows it."""
    if crc8(data[at : at + 2], 0x31, 0xFF) != data[at + 2]:
        raise Failed(f"CRC of {bytes(data[at : at + 3]).hex()}")
    return (data[at] << 8) | data[at + 1]


def celsius(raw: int) -> float:
    return -45 + 175 * raw / 65535


def humidity(raw: int) -> float:
    return 100 * raw / 65535
