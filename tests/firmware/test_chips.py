"""Every driver against the simulated chip it was written for: two independent writings of one data sheet have to agree."""

import asyncio
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from app.sensors import water
from app.sensors.ads1115 import Ads1115
from app.sensors.base import Sensor
from app.sensors.bme280 import Bme280
from app.sensors.ds18b20 import Ds18b20
from app.sensors.ezo import EzoDo, EzoEc, EzoPh
from app.sensors.gnss import Gnss
from app.sensors.hx711 import Hx711
from app.sensors.jsn_sr04t import JsnSr04t
from app.sensors.ld2410 import Ld2410, settings
from app.sensors.modbus import Line, Sonde
from app.sensors.schedule import Run, collect
from app.sensors.sht31 import Sht31

from firmware.sim.board.buses import I2CChip, Nack, OneWireDevice, UartDevice
from firmware.sim.board.chips import ads1115, bme280, ds18b20, ezo, gnss, hx711, jsn_sr04t, ld2410, modbus, sht31
from tests.firmware.conftest import FIRMWARE, ROOT

UNIX_MS = 1_790_000_000_400


class World:
    """A clock that jumps from one thing to the next."""

    def __init__(self) -> None:
        self.ms = 5000
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = count()

    def now(self) -> int:
        return self.ms

    def after(self, ms: int, action: Callable[[], object]) -> None:
        heapq.heappush(self._due, (self.ms + ms, next(self._numbers), action))

    async def wait(self, ms: int) -> None:
        end = self.ms + ms
        while self._due and self._due[0][0] <= end:
            self.ms, _, action = heapq.heappop(self._due)
            action()
        self.ms = end

    def measured(self, *sensors: Sensor) -> dict[str, Run]:
        return asyncio.run(collect(list(sensors), self.now, self.wait))


class I2CBus:
    def __init__(self, chips: dict[int, I2CChip]) -> None:
        self.chips = chips

    def writeto(self, address: int, data: bytes) -> None:
        try:
            self.chips[address].write(bytes(data))
        except (KeyError, Nack):
            raise OSError(19) from None

    def readfrom(self, address: int, size: int) -> bytes:
        try:
            return self.chips[address].read(size).ljust(size, b"\xff")
        except (KeyError, Nack):
            raise OSError(19) from None

    def readfrom_mem(self, address: int, register: int, size: int) -> bytes:
        self.writeto(address, bytes((register,)))
        return self.readfrom(address, size)

    def writeto_mem(self, address: int, register: int, data: bytes) -> None:
        self.writeto(address, bytes((register,)) + data)


class OneWireBus:
    def __init__(self, device: OneWireDevice) -> None:
        self.device = device
        self.chosen = False

    def reset(self) -> bool:
        self.chosen = False
        self.device.reset()
        return True

    def writebyte(self, value: int) -> None:
        if self.chosen:
            self.device.write(bytes((value,)))
        self.chosen = self.chosen or value == 0xCC

    def readbyte(self) -> int:
        return self.device.read(1)[0]


class Serial:
    def __init__(self, world: World, device: UartDevice) -> None:
        self.device = device
        self.waiting = b""
        device.connect(lambda data, after_ms=0: world.after(after_ms, lambda: self.arrives(data)))

    def arrives(self, data: bytes) -> None:
        self.waiting += data

    def write(self, data: bytes) -> None:
        self.device.receive(data)

    def any(self) -> int:
        return len(self.waiting)

    def read(self) -> bytes | None:
        data, self.waiting = self.waiting, b""
        return data or None


@pytest.mark.parametrize(("celsius", "percent"), [(-20.0, 5.0), (0.0, 50.0), (36.6, 99.0)])
def test_sht31(celsius: float, percent: float) -> None:
    world = World()
    chip = sht31.Sht31(world.now, lambda: celsius, lambda: percent)
    assert world.measured(Sht31(I2CBus({0x44: chip})))["sht31"].values == pytest.approx((celsius, percent), abs=0.01)


@pytest.mark.parametrize("celsius", [-10.0, 0.0, 4.0625, 31.5])
def test_ds18b20(celsius: float) -> None:
    world = World()
    bus = OneWireBus(ds18b20.Ds18b20(world.now, lambda: celsius))
    assert world.measured(Ds18b20(bus))["ds18b20"].values == (celsius,)


def test_a_ds18b20_that_lost_its_power_during_the_conversion_is_no_85_degrees() -> None:
    world = World()
    chip = ds18b20.Ds18b20(world.now, lambda: 12.0)
    world.after(400, chip.power_on)
    run = world.measured(Ds18b20(OneWireBus(chip)))["ds18b20"]
    assert run.values == (None,) and "85" in run.error


@pytest.mark.parametrize(
    ("celsius", "percent", "pascal"), [(-5.0, 20.0, 95_000.0), (20.0, 55.0, 101_325.0), (35.0, 80.0, 88_000.0)]
)
def test_bme280(celsius: float, percent: float, pascal: float) -> None:
    world = World()
    chip = bme280.Bme280(world.now, lambda: celsius, lambda: percent, lambda: pascal)
    seen = world.measured(Bme280(I2CBus({0x76: chip})))["bme280"].values
    assert seen[0] == pytest.approx(celsius, abs=0.02)
    assert seen[1] == pytest.approx(percent, abs=0.2)
    assert seen[2] == pytest.approx(pascal, abs=3)


def test_ads1115_single_and_differential() -> None:
    world = World()
    bus = I2CBus({0x48: ads1115.Ads1115(world.now, [lambda: 1.25, lambda: 1.5])})
    assert world.measured(Ads1115(bus, 0))["ads1115"].values[0] == pytest.approx(1.25, abs=0.0002)
    assert world.measured(Ads1115(bus, -1, 512))["ads1115"].values[0] == pytest.approx(-0.25, abs=0.0001)
    assert world.measured(Ads1115(bus, 0, 1024))["ads1115"].values == (None,)


def test_three_ezo_circuits_at_once() -> None:
    world = World()
    circuits = {
        0x63: ezo.Ezo(world.now, lambda: 6.85),
        0x61: ezo.Ezo(world.now, lambda: 8.2, 2, 600),
        0x64: ezo.Ezo(world.now, lambda: 412.3, 1, 600),
    }
    bus = I2CBus(dict(circuits))
    began = world.ms
    runs = world.measured(EzoPh(bus), EzoDo(bus), EzoEc(bus))
    assert runs["ph"].values[0] == pytest.approx(0.15 * 59.158, abs=0.01)
    assert runs["dissolved_oxygen"].values[0] == pytest.approx(8.2 / water.oxygen_mg_l(20) * 100, abs=0.01)
    assert runs["conductivity"].values[0] == pytest.approx(412.3)
    assert world.ms - began == 850 + 900
    assert all(circuit.asleep for circuit in circuits.values())


def test_an_ezo_circuit_in_a_bad_mood_is_none_and_the_others_are_read() -> None:
    world = World()
    ph, ec = ezo.Ezo(world.now, lambda: 7.0), ezo.Ezo(world.now, lambda: 100.0)
    bus = I2CBus({0x63: ph, 0x64: ec})
    for mood, word in ((2, "syntax"), (254, "stuck"), (255, "no data")):
        ph.mood = mood
        runs = world.measured(EzoPh(bus), EzoEc(bus))
        assert runs["ph"].values == (None,) and word in runs["ph"].error
        assert runs["conductivity"].values == (100.0,)


def test_sondes_of_all_kinds_on_one_line() -> None:
    world = World()
    line = modbus.Line(
        world.now,
        [
            modbus.Sonde(1, lambda: 17.5, lambda: 33.25, stabilise_ms=40_000),
            modbus.Sonde(2, lambda: 17.5, lambda: 0.91),
            modbus.Sonde(3, lambda: 17.5, lambda: 12.5, modbus._MILLIVOLTS, 4500),
        ],
    )
    rs485 = Line(Serial(world, line))
    runs = world.measured(
        Sonde(rs485, "Y511", 1), Sonde(rs485, "Y504", 2, average=3), Sonde(rs485, "Y532", 3), Sonde(rs485, "Y520", 9)
    )
    assert runs["turbidity"].values == pytest.approx((17.5, 33.25))
    assert runs["oxygen_saturation"].values == pytest.approx((17.5, 91.0), abs=1e-4)
    assert runs["ph_mv"].values == (None, 12.5)
    assert runs["conductivity_us"].values == (None, None) and "no answer" in runs["conductivity_us"].error
    assert all(sonde.started_ms is None for sonde in line.sondes.values())


@pytest.mark.parametrize("celsius", [-5.0, 14.0, 38.0])
def test_jsn_sr04t_at_any_temperature(celsius: float) -> None:
    world = World()
    echoes = iter([True, False, True, True, True] * 2)
    chip = jsn_sr04t.JsnSr04t(lambda: 2.345, lambda: celsius, lambda: next(echoes))
    run = world.measured(JsnSr04t(Serial(world, chip), air_celsius=lambda: celsius))["distance"]
    assert run.values[0] == pytest.approx(2.345, abs=0.002)


@pytest.mark.parametrize("place", [(31.2303389, 121.4740188), (-33.8567844, -0.0000017), (0.0, 179.9999999)])
def test_gnss_place_and_time(place: tuple[float, float]) -> None:
    world = World()
    chip = gnss.Gnss(world.now, world.after, lambda: UNIX_MS + world.ms, lambda: place)
    uart = Serial(world, chip)
    told: list[tuple[int, int, int]] = []
    sensor = Gnss(uart, on_time=lambda unix_ms, err_ms: told.append((world.ms, unix_ms, err_ms)))
    chip.power(True)
    lat, lon, satellites = world.measured(sensor)["gnss"].values
    chip.power(False)
    assert abs(lat[0] / 10 ** lat[1] - place[0]) < 2e-7 and abs(lon[0] / 10 ** lon[1] - place[1]) < 2e-7 and satellites == 9
    ((at, unix_ms, err_ms),) = told
    assert abs(UNIX_MS + at - unix_ms) <= err_ms


def test_ld2410_reports_and_settings() -> None:
    world = World()
    chip = ld2410.Ld2410(world.after, lambda: 120 if world.ms > 6000 else None, lambda: None)
    uart = Serial(world, chip)
    radar = Ld2410(uart)

    async def look() -> list[Any]:
        seen = []
        for _ in range(20):
            await world.wait(150)
            report = radar.poll()
            seen.append(report and report.present)
        for frame in settings(4, 30):
            uart.write(frame)
            await world.wait(50)
        return seen

    seen = asyncio.run(look())
    assert seen[0] is False and seen[-1] is True and None not in seen
    assert chip.settings == {0: 4, 1: 4, 2: 30} and radar.bad_frames == 0


class LoadCell:
    """A chip with its two wires; each level of SCK lasts `pulse_us`."""

    def __init__(self, world: World, load: Callable[[int], float], pulse_us: int = 3, **more: Any) -> None:
        self.level, self.us, self.pulse_us = 1, 0, pulse_us
        self.world = world
        self.chip = hx711.Hx711(lambda: world.ms * 1000 + self.us, world.after, load, **more)
        self.chip.connect(self.drive)

    def drive(self, level: int) -> None:
        self.level = level

    def clocked(self, level: int) -> None:
        self.us += self.pulse_us
        self.chip.clock(level)

    def driver(self, **more: Any) -> Hx711:
        self.us = 0
        sck = type("Sck", (), {"value": lambda _, level: self.clocked(level)})()
        dout = type("Dout", (), {"value": lambda _: self.level})()
        return Hx711(sck, dout, lambda: 0, lambda before: None, **more)


@pytest.mark.parametrize("grams", [-150.0, 0.0, 512.5, 9900.0])
def test_hx711_weighs_what_lies_on_it(grams: float) -> None:
    cell = LoadCell(World(), lambda ms: grams, noise=20)
    run = cell.world.measured(cell.driver(average=5))["hx711"]
    assert run.values[0] == pytest.approx(81_000 + 430 * grams, abs=60)
    assert cell.chip.trains == [25] * 5


def test_hx711_with_another_gain_is_settled_before_its_value_counts() -> None:
    for gain, pulses in ((64, 27), (32, 26)):
        cell = LoadCell(World(), lambda ms: 1000.0, noise=0)
        run = cell.world.measured(cell.driver(gain=gain))["hx711"]
        assert run.values[0] == round(511_000 * gain / 128)
        assert cell.chip.trains == [pulses] * 2


def test_hx711_whose_pulses_are_too_long_begins_anew_and_never_gives_a_value() -> None:
    cell = LoadCell(World(), lambda ms: 100.0, pulse_us=61)
    run = cell.world.measured(cell.driver())["hx711"]
    assert run.values == (None,) or run.values[0] & 0xFFF == 0xFFF
    assert cell.chip.starts > 3 and not cell.chip.trains


def test_hx711_one_train_that_was_interrupted_is_dropped_by_the_median() -> None:
    cell = LoadCell(World(), lambda ms: 100.0, noise=0)
    cell.chip.faults.add(hx711.Fault.LATE_TRAIN)
    run = cell.world.measured(cell.driver(average=5))["hx711"]
    assert run.values == (124_000,)
    assert not cell.chip.faults


@pytest.mark.parametrize("fault", [hx711.Fault.DEAD, hx711.Fault.SHORT, hx711.Fault.BROKEN_CELL])
def test_hx711_with_a_fault_has_no_value_and_is_well_again_without_it(fault: hx711.Fault) -> None:
    cell = LoadCell(World(), lambda ms: 10.0, noise=0)
    driver = cell.driver(stays_on=True)
    cell.chip.faults.add(fault)
    assert cell.world.measured(driver)["hx711"].values == (None,)
    cell.chip.faults.clear()
    assert cell.world.measured(driver)["hx711"].values == (85_300,)


def test_hx711_overloaded_has_no_value() -> None:
    cell = LoadCell(World(), lambda ms: 30_000.0)
    run = cell.world.measured(cell.driver())["hx711"]
    assert run.values == (None,) and "overload" in run.error


def test_every_driver_is_in_the_table_of_drivers() -> None:
    told = (ROOT / "docs" / "firmware" / "sensors.md").read_text(encoding="utf-8")
    drivers = {file.name for file in (FIRMWARE / "app" / "sensors").glob("*.py")} - {"__init__.py", "base.py", "schedule.py"}
    assert [name for name in sorted(drivers) if f"`{name}`" not in told] == []
