"""Maxim DS18B20 water thermometer on a 1-Wire bus, 12 bits (0.0625 degrees), each scratchpad checked by its CRC."""

from app.sensors.base import Failed, Sensor

_SKIP_ROM, _MATCH_ROM = 0xCC, 0x55
_CONVERT, _READ_SCRATCHPAD = 0x44, 0xBE
_POWER_ON = 0x0550  # 85 degrees: what stands there before the first conversion; no river has it


class Ds18b20(Sensor):
    NAMES = ("water_temperature",)  # Cel
    WARM_UP_MS = 10
    MEASURE_MS = 760  # at most 750 (data sheet)
    LIMIT_MS = 3000
    IDLE_UA = 1
    MEASURE_UA = 1500
    name = "ds18b20"

    def __init__(self, onewire, rom: bytes | None = None, rail=None):
        """rom: its 8 bytes, where several share the bus."""
        self.bus = onewire
        self.rom = rom
        self.rail = rail

    def start(self) -> int:
        self._select()
        self.bus.writebyte(_CONVERT)
        return self.MEASURE_MS

    def result(self) -> tuple:
        self._select()
        self.bus.writebyte(_READ_SCRATCHPAD)
        return (celsius(bytes([self.bus.readbyte() for _ in range(9)])),)

    def _select(self) -> None:
        if not self.bus.reset():
            raise Failed("no presence pulse")
        if self.rom is None:
            self.bus.writebyte(_SKIP_ROM)
        else:
            self.bus.writebyte(_MATCH_ROM)
            for byte in self.rom:
                self.bus.writebyte(byte)


def celsius(scratchpad: bytes) -> float:
    """Temperature of a whole scratchpad.

    Raises:
        Failed: CRC, a bus held low (all zeros have a valid CRC), or no conversion since power-on.
    """
    if crc(scratchpad) != 0 or not any(scratchpad):
        raise Failed("scratchpad " + scratchpad.hex())
    raw = scratchpad[0] | scratchpad[1] << 8
    if raw == _POWER_ON:
        raise Failed("85 degrees: no conversion since power-on, look at the supply")
    return degrees(raw)


def degrees(raw: int) -> float:
    return (raw - 0x10000 if raw & 0x8000 else raw) / 16


def crc(data: bytes) -> int:
    """Dallas CRC-8, least significant bit first; 0 over data that ends with its own CRC."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0x8C if value & 1 else value >> 1
    return value
