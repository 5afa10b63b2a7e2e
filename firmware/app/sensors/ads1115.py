"""Texas Instruments ADS1115: one of four analogue inputs over I2C, 16 bits, single shots.

The ESP32's own converter is not linear enough for a probe. Use one isolated from the other probes for pH.
"""

from app.sensors.base import Sensor

ADDRESS = 0x48  # ADDR to ground; 0x49 supply, 0x4A SDA, 0x4B SCL
_CONVERSION, _CONFIG = b"\x00", 1
_START = 0x8000
_SINGLE_SHOT = 0x0100
_COMPARATOR_OFF = 0x0003
_RATE_16_PER_S = 0x0020  # one conversion lasts over three periods of 50 Hz: hum is averaged out

FULL_SCALE_MV = (6144, 4096, 2048, 1024, 512, 256)  # by gain code 0..5


class Ads1115(Sensor):
    NAMES: tuple[str, ...] = ("voltage",)
    MEASURE_MS = 70
    LIMIT_MS = 1000
    IDLE_UA = 1
    MEASURE_UA = 150
    name = "ads1115"

    def __init__(self, i2c, channel: int, full_scale_mv: int = 4096, convert=None, address: int = ADDRESS, rail=None):
        """Args:
        channel: 0..3 against ground; -1: input 0 against input 1, for a probe that swings both ways.
        convert: function of microvolts -> the value of NAMES[0]; None: volts.
        """
        self.i2c = i2c
        self.address = address
        self.rail = rail
        self.full_scale_mv = full_scale_mv
        self.convert = convert or (lambda uv: uv / 1_000_000)
        mux = 0 if channel < 0 else 4 + channel
        gain = FULL_SCALE_MV.index(full_scale_mv)
        self.config = _START | mux << 12 | gain << 9 | _SINGLE_SHOT | _RATE_16_PER_S | _COMPARATOR_OFF

    def start(self) -> int:
        self.i2c.writeto(self.address, bytes((_CONFIG, self.config >> 8, self.config & 0xFF)))
        return self.MEASURE_MS

    def measure(self) -> int:
        self.i2c.writeto(self.address, bytes((_CONFIG,)))
        return 0 if self.i2c.readfrom(self.address, 2)[0] & 0x80 else -5

    def result(self) -> tuple:
        self.i2c.writeto(self.address, _CONVERSION)
        code = signed(self.i2c.readfrom(self.address, 2))
        if code in (32767, -32768):
            return (None,)  # out of range: the input is at least as large, how large is not known
        return (self.convert(microvolts(code, self.full_scale_mv)),)


def signed(data: bytes) -> int:
    code = data[0] << 8 | data[1]
    return code - 65536 if code & 0x8000 else code


def microvolts(code: int, full_scale_mv: int) -> int:
    """Exact to a microvolt, in integers."""
    return code * full_scale_mv * 1000 // 32768
