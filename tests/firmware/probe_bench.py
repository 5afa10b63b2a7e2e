"""A river probe on a simulated board in a simulated river, before a real broker and a real gateway."""

import json
import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from app import energy
from app.sensors import water

from firmware.sim.board import Board
from firmware.sim.board.chips import bme280, ds18b20, ezo, gnss, jsn_sr04t, ntag_i2c
from tests.faults.judge import Embedded
from tests.servers import Mosquitto
from tests.spine import GatewayProcess

QUARTER_MS: Final = 900_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
TAG, BATTERY = 27, 34
RAILS: Final = {"ph": 25, "dissolved_oxygen": 26, "conductivity": 32, "water_level": 33, "gnss": 13}
REGISTRY = '[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\nplace = "river"\nmodel = "river_probe"\ncadence_s = 900.0\n'
PLACE = (31.2303389, 121.4740188)
# The electrode of this probe is not a perfect one: offset mV, percent of Nernst below and above 7.
ELECTRODE = (-3.0, 98.9, 96.6)


class River:
    """The world, as a function of the board's time."""

    def __init__(self, now_ms: Any) -> None:
        self._now_ms = now_ms
        self.battery_v = 3.9
        self.ph_of_bottle: float | None = None
        self.bottle_celsius = 25.0
        self.electrode = ELECTRODE

    def _day(self) -> float:
        return math.sin(2 * math.pi * self._now_ms() / DAY_MS)

    def celsius(self) -> float:
        return self.bottle_celsius if self.ph_of_bottle is not None else 18 + 3 * self._day()

    def ph(self) -> float:
        return self.ph_of_bottle if self.ph_of_bottle is not None else 7.6 + 0.3 * self._day()

    def electrode_mv(self) -> float:
        offset, acid, base = self.electrode
        return offset + (7 - self.ph()) * water.nernst_mv(self.celsius()) * (acid if self.ph() < 7 else base) / 100

    def ezo_ph(self) -> float:
        """What a circuit shows that knows no calibration and takes 25 degrees."""
        return 7 - self.electrode_mv() / water.nernst_mv(25)

    def saturation(self) -> float:
        return 92 + 10 * self._day()

    def ezo_oxygen(self) -> float:
        return self.saturation() / 100 * water.oxygen_mg_l(20)

    def ec(self) -> float:
        return 350 + 20 * self._day()

    def level(self) -> float:
        return 1.2 + 0.05 * self._day()


class Bench:
    """Gateway, board, river; the probe is off until `board.start()`.

    Args:
        source: image of `firmware.sim.board.rom`.
        section: the app's own settings; wires: more pins, None takes one away; more: other settings.
    """

    def __init__(
        self,
        folder: Path,
        broker: Mosquitto,
        source: Path,
        section: dict[str, Any] | None = None,
        wires: dict[str, Any] | None = None,
        sleep_drift_ppm: int = 0,
        **more: Any,
    ) -> None:
        settings = {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.gateway.start()
        pins: dict[str, Any] = {
            "i2c": {"scl": 22, "sda": 21},
            "onewire": 4,
            "level": {"id": 2, "tx": 17, "rx": 16},
            "gnss": {"id": 1, "tx": 18, "rx": 19},
            "battery": {"pin": BATTERY, "ratio": 2},
            "tag": TAG,
        } | {f"power_{name}": pin for name, pin in RAILS.items()}
        pins = {name: wire for name, wire in (pins | (wires or {})).items() if wire is not None}
        probe = {"air": "bme280", "water_level": "jsn_sr04t", "gnss": "nmea", "level_height_m": 3.25, "probe": "P-7"}
        self.board = board = Board(
            folder / "board",
            "river_probe",
            {
                "site": "s1",
                "device": "d1",
                "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
                "broker": {"host": "127.0.0.1", "port": broker.port, "password": broker.passwords["s1/d1"]},
                "ntp": ["ntp.local"],
                "cadence_s": 900,
                "health_s": 86_400,
                "pins": pins,
                "river_probe": probe | (section or {}),
                **more,
            },
            source=source,
            sleep_drift_ppm=sleep_drift_ppm,
            # Two minutes past an hour of last week: the same day each time.
            start_unix_ms=(time.time_ns() // 1_000_000 - 8 * DAY_MS) // HOUR_MS * HOUR_MS + 120_000,
            # The gateway gathers receipts: virtual time must not run ahead of it, or the radio would seem to be on for longer.
            settle_ms=400,
            patience_ms=600,
        )
        self.river = river = River(board.now_ms)
        now = board.now_ms
        power = RAILS
        self.ph = ezo.Ezo(now, river.ezo_ph, 3, 1660)  # as long as ModularSensors waits; the data sheet says 900
        board.attach_i2c(0x63, self.ph, power=power["ph"])
        board.attach_i2c(0x61, ezo.Ezo(now, river.ezo_oxygen, 2, 600), power=power["dissolved_oxygen"])
        board.attach_i2c(0x64, ezo.Ezo(now, river.ec, 1, 600), power=power["conductivity"])
        board.attach_i2c(0x76, bme280.Bme280(now, lambda: 15.0, lambda: 60.0, lambda: 100_800.0))
        self.tag = ntag_i2c.NtagI2c(now)
        board.attach_i2c(0x55, self.tag)
        board.attach_onewire(4, ds18b20.Ds18b20(now, river.celsius))
        board.attach_uart(2, jsn_sr04t.JsnSr04t(lambda: 3.25 - river.level(), lambda: 15.0))
        self.gnss = gnss.Gnss(now, board.time.after, board.unix_ms, lambda: PLACE)
        board.attach_uart(1, self.gnss)
        board.pins.heard.append(lambda pin, level: self.gnss.power(bool(level)) if pin == power["gnss"] else None)
        board.adc(BATTERY, lambda: river.battery_v / 2)
        board.set_pin(TAG, 1)
        for name, pin in power.items():
            board.mark_power(pin, name)

    # --- what the gateway has

    def facts(self) -> dict[str, dict[int, float | str | None]]:
        """Quantity -> time in ms -> value, of this device."""
        found: dict[str, dict[int, float | str | None]] = {}
        for (_, _, name, time_ns), value in Embedded(self.gateway.readings_file).facts().items():
            found.setdefault(name, {})[time_ns // 1_000_000] = value
        return found

    def has(self, name: str, count: int) -> bool:
        return len(self.facts().get(name, {})) >= count

    def reports(self) -> list[dict[str, Any]]:
        """Calibrations that ended with a verdict, oldest first."""
        told = [str(value) for _, value in sorted(self.facts().get("calibration", {}).items())]
        return [json.loads(text) for text in told if text.startswith("{")]

    def spans(self, begin: str, end: str) -> list[tuple[int, int]]:
        """When the board was in a state, by its own record."""
        found, since = [], None
        for at_ms, state in self.board.energy:
            if state == begin:
                since = at_ms
            elif state == end and since is not None:
                found.append((since, at_ms))
                since = None
        return found

    # --- what a person does

    def tap(self, hold_ms: int = 1500) -> None:
        self.board.press(TAG, hold_ms)

    def close(self) -> None:
        self.board.stop()
        self.gateway.kill()


# Currents in microamperes: the ESP32's as in app.energy, the sensors' from their drivers.
_RAIL_UA: Final = {"ph": 14_500, "dissolved_oxygen": 12_100, "conductivity": 35_000, "water_level": 8_000, "gnss": 45_000}
_CPU_UA: Final = {"awake": energy.AWAKE_UA, "doze": energy.DOZE_UA, "sleep": energy.SLEEP_UA}
_CPU: Final = {
    "boot": "starting",
    "lightsleep": "doze",
    "awake": "awake",
    "wifi off": "awake",
    "deepsleep": "sleep",
    "off": "off",
}
_CONNECT_MS: Final = 774  # published, for a static address and MQTT


def draws(states: Sequence[tuple[int, str]], begin_ms: int, end_ms: int) -> dict[str, float]:
    """Charge in mC by consumer between two moments, from the board's own record of boots, radio, switches and sleep."""
    parts: Counter[str] = Counter()
    on: dict[str, int] = {}
    cpu, since = "off", 0

    def add(name: str, ua: float, start_ms: int, stop_ms: int) -> None:
        parts[name] += ua * max(0, min(stop_ms, end_ms) - max(start_ms, begin_ms)) / 1e6

    for at_ms, state in [*states, (end_ms, "end")]:
        name, _, what = state.partition(" ")
        if name in _RAIL_UA:
            if cpu == "starting":
                cpu, since = "awake", at_ms  # up to here is in the published charge of a start
            if what == "on":
                on[name] = at_ms
            elif name in on:
                add(name, _RAIL_UA[name], on.pop(name), at_ms)
            continue
        if cpu == "radio":  # the processor's current is in it
            add("radio", energy.CONNECT_UA, since, min(at_ms, since + _CONNECT_MS))
            add("radio", energy.ONLINE_UA, since + _CONNECT_MS, at_ms)
        else:
            add(cpu, _CPU_UA.get(cpu, 0), since, at_ms)
        if state == "boot" and begin_ms <= at_ms < end_ms:
            parts["boot"] += energy.BOOT_UC / 1000
            parts["work"] += energy.AWAKE_UA * energy.WORK_MS / 1e6
        cpu, since = "radio" if state == "wifi on" else _CPU.get(state, cpu), at_ms
    return dict(parts)
