"""BME280: the registers of a real chip; raw values are found by bisection over the data sheet's floating-point formulas."""

import struct
from collections.abc import Callable
from typing import Final

_T: Final = (27504, 26435, -1000)
_P: Final = (36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
_H: Final = (75, 370, 0, 313, 50, 30)
_CTRL_HUM, _STATUS, _CTRL_MEAS, _DATA = 0xF2, 0xF3, 0xF4, 0xF7
_CONVERSION_MS: Final = 8
_RESET_DATA: Final = bytes.fromhex("8000008000008000")


class Bme280:
    """Shows the world as it is when a forced measurement starts; degrees Celsius, percent, Pa."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        celsius: Callable[[], float],
        percent: Callable[[], float] = lambda: 50.0,
        pascal: Callable[[], float] = lambda: 101_325.0,
    ) -> None:
        self._now_ms = now_ms
        self._world = (celsius, percent, pascal)
        h1, h2, h3, h4, h5, h6 = _H
        self._registers = bytearray(256)
        self._registers[0xD0] = 0x60
        self._registers[0x88:0xA2] = struct.pack("<Hhh", *_T) + struct.pack("<Hhhhhhhhh", *_P) + bytes((0, h1))
        self._registers[0xE1:0xE8] = struct.pack("<hB", h2, h3) + bytes((h4 >> 4, (h4 & 15) | (h5 & 15) << 4, h5 >> 4, h6))
        self._registers[_DATA : _DATA + 8] = _RESET_DATA
        self._pointer = 0
        self._ready_ms = 0

    def write(self, data: bytes) -> None:
        if not data:
            return
        self._pointer = data[0]
        for index in range(1, len(data), 2):  # pairs of register and value; the first register is the pointer
            register = data[index - 1]
            self._registers[register] = data[index]
            if register == _CTRL_MEAS and data[index] & 3 in (1, 2):
                self._measure()

    def read(self, size: int) -> bytes:
        self._registers[_STATUS] = 0x08 if self._now_ms() < self._ready_ms else 0
        return bytes(self._registers[self._pointer : self._pointer + size])

    def _measure(self) -> None:
        self._ready_ms = self._now_ms() + _CONVERSION_MS
        celsius, percent, pascal = (value() for value in self._world)
        raw_t = bisected(lambda raw: fine(raw) / 5120, celsius, 1 << 20)
        t = fine(raw_t)
        raw_p = bisected(lambda raw: -pressure(raw, t), -pascal, 1 << 20)
        raw_h = bisected(lambda raw: humidity(raw, t), percent, 1 << 16)
        data = (raw_p << 4).to_bytes(3, "big") + (raw_t << 4).to_bytes(3, "big") + raw_h.to_bytes(2, "big")
        self._registers[_DATA : _DATA + 8] = data


def bisected(show: Callable[[int], float], wanted: float, end: int) -> int:
    """The lowest raw value that shows at least `wanted`; `show` rises."""
    low, high = 0, end - 1
    while low < high:
        middle = (low + high) // 2
        if show(middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def fine(raw: int) -> float:
    t1, t2, t3 = _T
    return (raw / 16384 - t1 / 1024) * t2 + (raw / 131072 - t1 / 8192) ** 2 * t3


def pressure(raw: int, t: float) -> float:
    p1, p2, p3, p4, p5, p6, p7, p8, p9 = _P
    first = t / 2 - 64000
    second = first * first * p6 / 32768
    second = (second + first * p5 * 2) / 4 + p4 * 65536
    first = (1 + (p3 * first * first / 524288 + p2 * first) / 524288 / 32768) * p1
    p = (1048576 - raw - second / 4096) * 6250 / first
    return p + (p9 * p * p / 2147483648 + p * p8 / 32768 + p7) / 16


def humidity(raw: int, t: float) -> float:
    h1, h2, h3, h4, h5, h6 = _H
    h = t - 76800
    h = (raw - (h4 * 64 + h5 / 16384 * h)) * (h2 / 65536 * (1 + h6 / 67108864 * h * (1 + h3 / 67108864 * h)))
    return min(max(h * (1 - h1 * h / 524288), 0), 100)
