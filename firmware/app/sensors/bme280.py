"""Bosch BME280: air temperature, humidity and pressure over I2C, with the integer compensation of its data sheet.

Pressure is what turns a percentage of oxygen saturation into mg/l.
"""

import struct

from app.sensors.base import Failed, Sensor

ADDRESS = 0x76  # 0x77 with pin SDO high
_ID, _CHIP = 0xD0, 0x60
_CTRL_HUM, _STATUS, _CTRL_MEAS, _DATA = 0xF2, 0xF3, 0xF4, 0xF7
_FORCED_ONCE = 0x25  # each quantity once, then asleep again: least power, least self-heating


class Bme280(Sensor):
    NAMES = ("temperature", "humidity", "pressure")  # Cel, %RH, Pa
    WARM_UP_MS = 3
    MEASURE_MS = 10  # at most 9.3 ms (data sheet, appendix B)
    LIMIT_MS = 1000
    IDLE_UA = 1
    MEASURE_UA = 714
    name = "bme280"

    def __init__(self, i2c, address: int = ADDRESS, rail=None):
        self.i2c = i2c
        self.address = address
        self.rail = rail
        self._trim: Trim | None = None

    def wake(self) -> int:
        chip = self.i2c.readfrom_mem(self.address, _ID, 1)[0]
        if chip != _CHIP:  # 0x58 is a BMP280, which measures no humidity
            raise Failed(f"chip id 0x60 expected, seen 0x{chip:02x}")
        if self._trim is None:
            self._trim = Trim(self.i2c.readfrom_mem(self.address, 0x88, 26), self.i2c.readfrom_mem(self.address, 0xE1, 7))
        return 0

    def start(self) -> int:
        self.i2c.writeto_mem(self.address, _CTRL_HUM, b"\x01")
        self.i2c.writeto_mem(self.address, _CTRL_MEAS, bytes((_FORCED_ONCE,)))
        return self.MEASURE_MS

    def measure(self) -> int:
        return -2 if self.i2c.readfrom_mem(self.address, _STATUS, 1)[0] & 0x08 else 0

    def result(self) -> tuple:
        data = self.i2c.readfrom_mem(self.address, _DATA, 8)
        pressure = data[0] << 12 | data[1] << 4 | data[2] >> 4
        temperature = data[3] << 12 | data[4] << 4 | data[5] >> 4
        if temperature == 0x80000:  # its reset value: nothing was measured
            raise Failed("no measurement since power-on")
        trim = self._trim
        assert trim is not None
        fine = trim.fine(temperature)
        return trim.celsius(fine), trim.humidity(data[6] << 8 | data[7], fine), trim.pascal(pressure, fine)


class Trim:
    """The chip's own constants and the data sheet's formulas (4.2.3 and 8.2); integers, the same value on every port."""

    def __init__(self, low: bytes, high: bytes):
        """Args:
        low: 26 bytes from 0x88. high: 7 bytes from 0xE1.
        """
        self.t = struct.unpack("<Hhh", low[:6])
        self.p = struct.unpack("<Hhhhhhhhh", low[6:24])
        h2, h3 = struct.unpack("<hB", high[:3])
        h4 = _signed(high[3] << 4 | high[4] & 0x0F, 12)
        h5 = _signed(high[5] << 4 | high[4] >> 4, 12)
        self.h = (low[25], h2, h3, h4, h5, _signed(high[6], 8))

    def fine(self, raw: int) -> int:
        t1, t2, t3 = self.t
        first = (((raw >> 3) - (t1 << 1)) * t2) >> 11
        second = (((((raw >> 4) - t1) * ((raw >> 4) - t1)) >> 12) * t3) >> 14
        return first + second

    def celsius(self, fine: int) -> float:
        return ((fine * 5 + 128) >> 8) / 100

    def pascal(self, raw: int, fine: int) -> float | None:
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self.p
        first = fine - 128000
        second = first * first * p6 + ((first * p5) << 17) + (p4 << 35)
        first = ((first * first * p3) >> 8) + ((first * p2) << 12)
        first = (((1 << 47) + first) * p1) >> 33
        if first == 0:
            return None
        pressure = (((1048576 - raw) << 31) - second) * 3125 // first
        pressure = ((pressure + ((p9 * (pressure >> 13) * (pressure >> 13)) >> 25) + ((p8 * pressure) >> 19)) >> 8) + (p7 << 4)
        return pressure / 256

    def humidity(self, raw: int, fine: int) -> float:
        h1, h2, h3, h4, h5, h6 = self.h
        value = fine - 76800
        value = (((raw << 14) - (h4 << 20) - h5 * value + 16384) >> 15) * (
            (((((value * h6) >> 10) * (((value * h3) >> 11) + 32768)) >> 10) + 2097152) * h2 + 8192 >> 14
        )
        value -= (((value >> 15) * (value >> 15)) >> 7) * h1 >> 4
        return (min(max(value, 0), 419430400) >> 12) / 1024


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
