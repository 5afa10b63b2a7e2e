"""Modbus RTU on RS-485: a shared line without blocking, and sondes with Yosemitech's registers (9600 baud, 8N1).

The transceiver turns the direction by itself. Start: read 0 registers at 0x2500; stop: at 0x2E00; values: floats, low byte
first, from 0x2600 (temperature, value); millivolts of the pH electrode: 0x1200. As in EnviroDIY's YosemitechModbus.
"""

import struct

from app.sensors.base import Failed, Sensor

_POLL_MS = 20
_POLLS = 25  # an answer takes at most half a second
_READ = 3
_START, _STOP, _VALUES, _MILLIVOLTS = 0x2500, 0x2E00, 0x2600, 0x1200


class Line:
    """One RS-485 line, which one sonde at a time may use."""

    def __init__(self, uart):
        self.uart = uart
        self._owner = None
        self._request = self._answer = b""
        self._polls = 0

    def exchange(self, owner, request: bytes) -> bytes | None:
        """Send once the line is free and collect the answer: its data, or None as long as it is not complete.

        Raises:
            Failed: nobody answered in time, or the answer is damaged or an exception code.
        """
        if self._owner is None or (self._owner is owner and self._request != request):
            self.uart.read()  # whatever came late belongs to nobody
            self._owner, self._request, self._answer, self._polls = owner, request, b"", 0
            self.uart.write(request)
            return None
        if self._owner is not owner:
            return None
        self._answer += self.uart.read() or b""
        self._polls += 1
        if len(self._answer) < 5 or len(self._answer) < length(self._answer):
            if self._polls < _POLLS:
                return None
            self._owner = None
            raise Failed(f"no answer to {request.hex()}, seen {self._answer.hex() or 'nothing'}")
        self._owner = None
        return data(request, self._answer[: length(self._answer)])

    def release(self, owner) -> None:
        if self._owner is owner:
            self._owner = None


class Sonde(Sensor):
    """A sonde; `_MODELS` tells the times, currents (at 12 V) and registers of each."""

    LIMIT_MS = 90_000

    def __init__(self, line: Line, model: str, unit: int = 1, rail=None, average: int = 1):
        quantity, times, self.register, self.count, self.factor, self.MEASURE_UA = _MODELS[model]
        self.NAMES = ("temperature_of_" + quantity, quantity)
        self.name = quantity
        self.IDLE_UA = self.MEASURE_UA
        self.WARM_UP_MS, self.STABILISE_MS, self.MEASURE_MS = times
        self.line = line
        self.unit = unit
        self.rail = rail
        self.average = average
        self._data = b""

    def wake(self) -> int:
        return self._ask(_START, 0)

    def measure(self) -> int:
        return self._ask(self.register, self.count)

    def result(self) -> tuple:
        values = struct.unpack("<" + "f" * (self.count // 2), self._data[: self.count * 2])
        value = values[-1] * self.factor
        return (values[0] if len(values) > 1 else None), (value if value == value else None)

    def sleep(self) -> int:
        return self._ask(_STOP, 0)

    def power_down(self) -> int:
        self.line.release(self)
        return super().power_down()

    def _ask(self, register: int, count: int) -> int:
        self.listening = True
        answer = self.line.exchange(self, read(self.unit, register, count))
        if answer is None:
            return -_POLL_MS
        self._data = answer
        self.listening = False
        return 0


# model: (quantity of `result`, (warm-up, stabilise, measure) ms of ModularSensors, register, count, factor, current in uA)
_MODELS = {
    "Y511": ("turbidity", (8000, 40_000, 4000), _VALUES, 4, 1, 30_000),  # NTU, with a wiper
    "Y504": ("oxygen_saturation", (400, 8000, 1700), _VALUES, 4, 100, 30_000),  # a fraction -> percent
    "Y520": ("conductivity_us", (1600, 10_000, 2700), _VALUES, 4, 1000, 30_000),  # mS/cm -> uS/cm
    "Y532": ("ph_mv", (500, 4500, 1800), _MILLIVOLTS, 2, 1, 30_000),
}


def read(unit: int, register: int, count: int) -> bytes:
    """Request: read `count` holding registers."""
    return sealed(struct.pack(">BBHH", unit, _READ, register, count))


def data(request: bytes, answer: bytes) -> bytes:
    """The data of an answer that fits the request."""
    if crc(answer) != 0:
        raise Failed("CRC of " + answer.hex())
    if answer[0] != request[0] or answer[1] & 0x7F != request[1]:
        raise Failed(f"{answer.hex()} is no answer to {request.hex()}")
    if answer[1] & 0x80:
        raise Failed(f"exception {answer[2]}")
    wanted = 2 * (request[4] << 8 | request[5])
    if answer[2] < wanted:
        raise Failed(f"{wanted} bytes asked for, {answer[2]} came")
    return answer[3 : 3 + answer[2]]


def length(answer: bytes) -> int:
    return 5 if answer[1] & 0x80 else 5 + answer[2]


def sealed(frame: bytes) -> bytes:
    value = crc(frame)
    return frame + bytes((value & 0xFF, value >> 8))


def crc(frame: bytes) -> int:
    """CRC-16 of Modbus; 0 over a frame that ends with its own."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value
