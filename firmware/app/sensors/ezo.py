"""Atlas Scientific EZO circuits over I2C: pH, dissolved oxygen, conductivity.

ASCII commands; an answer is a status byte and a text that ends with a zero. The circuits are left at their own defaults (no
calibration of their own, 25 or 20 degrees, fresh water, sea level), so that all compensation and calibration happens here and
can be done again later. `mv`, `saturation` and `conductivity` turn their number back into what the probe saw.
"""

from app.sensors import water
from app.sensors.base import Failed, Sensor

_OK, _SYNTAX, _PENDING, _EMPTY = 1, 2, 254, 255
_LONGEST = 40
_POLL_MS = 100


class Ezo(Sensor):
    LIMIT_MS = 8000

    def __init__(self, i2c, address: int, convert, rail=None, average: int = 1):
        """convert: function of the circuit's number -> the value of NAMES[0]."""
        self.i2c = i2c
        self.address = address
        self.convert = convert
        self.rail = rail
        self.average = average
        self._answer = b""

    def start(self) -> int:
        self.i2c.writeto(self.address, b"R")
        return self.MEASURE_MS

    def measure(self) -> int:
        self._answer = bytes(self.i2c.readfrom(self.address, _LONGEST + 1))
        return -_POLL_MS if self._answer[0] == _PENDING else 0

    def result(self) -> tuple:
        return (self.convert(number(self._answer)),)

    def sleep(self) -> int:
        # Also when the supply is switched: on a board without a switch this is the whole saving.
        self.i2c.writeto(self.address, b"Sleep")
        return 0


class EzoPh(Ezo):
    NAMES = ("ph_mv",)  # mV of the electrode
    WARM_UP_MS, MEASURE_MS = 850, 900
    IDLE_UA, MEASURE_UA = 14_500, 14_500
    name = "ph"

    def __init__(self, i2c, rail=None, address: int = 0x63, average: int = 1):
        super().__init__(i2c, address, lambda ph: (7.0 - ph) * water.nernst_mv(25.0), rail, average)


class EzoDo(Ezo):
    NAMES = ("oxygen_saturation",)  # percent, whatever the temperature
    WARM_UP_MS, MEASURE_MS = 750, 600
    IDLE_UA, MEASURE_UA = 12_000, 12_100
    name = "dissolved_oxygen"

    def __init__(self, i2c, rail=None, address: int = 0x61, average: int = 1):
        super().__init__(i2c, address, lambda mg_l: 100 * mg_l / water.oxygen_mg_l(20.0), rail, average)


class EzoEc(Ezo):
    NAMES = ("conductivity_us",)  # uS/cm at the water's temperature
    WARM_UP_MS, MEASURE_MS = 750, 600
    IDLE_UA, MEASURE_UA = 35_000, 35_000
    name = "conductivity"

    def __init__(self, i2c, rail=None, address: int = 0x64, average: int = 1):
        super().__init__(i2c, address, lambda us: us, rail, average)


def number(answer: bytes) -> float:
    """The first number of an answer.

    Raises:
        Failed: a status other than success, or no number.
    """
    status = answer[0]
    text = answer[1:].split(b"\x00")[0]
    if status != _OK:
        words = {_SYNTAX: "syntax error", _PENDING: "still busy", _EMPTY: "no data"}
        raise Failed(f"status {status} ({words.get(status, 'unknown')})")
    try:
        return float(text.split(b",")[0].decode())
    except ValueError:
        raise Failed(f"no number in {text!r}")
