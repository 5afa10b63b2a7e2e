"""Which sensors a river probe has: from the words of its settings to drivers on its wires, each with its switch."""

import gc

from app.sensors.base import Rail
from app.settings import Misconfigured

# Role -> the words its setting may have. A Modbus sonde is named by its model, `unit` in the settings.
CHOICES = {
    "thermometer": ("ds18b20", "none"),
    "ph": ("none", "ezo", "ads1115", "Y532"),
    "dissolved_oxygen": ("none", "ezo", "Y504"),
    "conductivity": ("none", "ezo", "Y520"),
    "turbidity": ("none", "ads1115", "Y511"),
    "water_level": ("none", "jsn_sr04t"),
    "air": ("none", "bme280", "sht31"),
    "gnss": ("none", "nmea"),
}
_RAILS = ("ph", "dissolved_oxygen", "conductivity", "turbidity", "water_level", "gnss", "sondes")
PINS = {"i2c": "i2c", "onewire": "onewire", "rs485": "uart", "gnss": "uart", "level": "uart"}
PINS.update({"level_trigger": "pin", "level_echo": "pin", "tag": "pin"})
PINS.update({"power_" + name: "pin" for name in _RAILS})


class Suite:
    """The sensors of a probe, made when they are needed and let go before the radio wants the heap.

    Attributes:
        roles: of the sensors there are.
    Args:
        section: the app's settings.
        on_time: function (unix_ms, err_ms) for what the GNSS receiver says.
        machine: the module, for the pulse mode of the ranger.
    """

    def __init__(self, board, section: dict, on_time, machine):
        self._board = board
        self._section = section
        self._machine = machine
        self._on_time = on_time
        self._rails: dict = {}
        self._lines: dict = {}
        self._made: dict = {}
        self.roles = [role for role in CHOICES if section[role] != "none"]
        for name in _RAILS:
            self._rail(name)

    def sensor(self, role: str):
        """Its driver, whose name is its role."""
        if role not in self._made:
            word = self._section[role]
            made = self._made[role] = getattr(self, "_" + (word if word[0] != "Y" else "sonde"))(role, word)
            made.name = role
        return self._made[role]

    def forget(self) -> None:
        """Let go of the drivers; switches and buses stay."""
        self._made.clear()
        self._lines.clear()
        gc.collect()

    def _ds18b20(self, role, word):
        from app.sensors.ds18b20 import Ds18b20

        return Ds18b20(self._board.onewire())

    def _ezo(self, role, word):
        from app.sensors import ezo

        make = {"ph": ezo.EzoPh, "dissolved_oxygen": ezo.EzoDo, "conductivity": ezo.EzoEc}[role]
        return make(self._board.i2c(), self._rail(role), average=self._section["average"])

    def _ads1115(self, role, word):
        from app.sensors.ads1115 import Ads1115

        if role == "ph":
            # The electrode against its reference, behind an amplifier of gain 1 that stands on half the supply.
            return Ads1115(self._board.i2c(), -1, 1024, lambda uv: uv / 1000, rail=self._rail(role))
        turbidity = Ads1115(self._board.i2c(), 2, 6144, sen0189_ntu, rail=self._rail(role))
        turbidity.WARM_UP_MS, turbidity.IDLE_UA, turbidity.MEASURE_UA = 500, 30_000, 30_000
        return turbidity

    def _sonde(self, role, word):
        from app.sensors.modbus import Line, Sonde

        if "rs485" not in self._lines:
            self._lines["rs485"] = Line(self._board.uart("rs485"))
        return Sonde(
            self._lines["rs485"], word, self._section["units"].get(role, 1), self._rail("sondes"), self._section["average"]
        )

    def _jsn_sr04t(self, role, word):
        from app.sensors.jsn_sr04t import JsnSr04t

        board = self._board
        if board.has("level"):
            return JsnSr04t(board.uart("level"), rail=self._rail(role))
        pulse_us = self._machine.time_pulse_us
        trigger, echo = board.pin("level_trigger", out=True), board.pin("level_echo")
        return JsnSr04t(None, trigger, echo, pulse_us, rail=self._rail(role))

    def _bme280(self, role, word):
        from app.sensors.bme280 import Bme280

        return Bme280(self._board.i2c())

    def _sht31(self, role, word):
        from app.sensors.sht31 import Sht31

        return Sht31(self._board.i2c())

    def _nmea(self, role, word):
        from app.sensors.gnss import Gnss

        return Gnss(self._board.uart("gnss", rxbuf=1024), self._on_time, self._rail(role))

    def _rail(self, name: str):
        wire = "power_" + name
        if not self._board.has(wire):
            return None
        if wire not in self._rails:
            # The switch has a pull-down at its gate: off also during a reset and in deep sleep, when nobody drives the pin.
            self._rails[wire] = Rail(self._board.pin(wire, out=True))
        return self._rails[wire]


def check(section: dict) -> None:
    """What settings cannot say each for itself.

    Raises:
        Misconfigured: with the reason.
    """
    problems = []
    for role in ("ph", "dissolved_oxygen", "conductivity"):
        if section[role] != "none" and section["thermometer"] == "none":
            problems.append("river_probe.thermometer: seen none, but %s needs the water's temperature" % role)
    if problems:
        raise Misconfigured(problems)


def sen0189_ntu(uv: int) -> float:
    """DFRobot's curve of its SEN0189 at 5 V; an indicator, no measurement by ISO 7027."""
    volts = uv / 1_000_000
    if volts < 2.5:
        return 3000.0
    return max(0.0, -1120.4 * volts * volts + 5742.3 * volts - 4352.9)
