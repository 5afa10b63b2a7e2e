"""Devices that do nothing but send: the even load of `kanhu simulate --every` and of benchmarks."""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Final

from edge_gateway.registry import Device, Site
from simulator.plan import Key, Planned, at_once
from simulator.senml import Value
from simulator.village import Resident, Village

SITE: Final = "load"


def load(devices: int, every_s: float, seed: int = 1) -> Village:
    """So many devices, each with one message of three values every `every_s` seconds, spread evenly over it."""
    measures = frozenset({"temperature", "humidity", "battery_voltage"})
    residents = tuple(
        Resident(
            Device(SITE, f"d{n}", f"p{n}", "load", every_s, max(3 * every_s, 60.0), measures),
            partial(_steady, every_s=every_s, offset_s=every_s * n / devices),
        )
        for n in range(1, devices + 1)
    )
    return Village(residents, (Site(SITE, "Load"),), seed)


def _steady(random: Random, key: Key, start_s: float, every_s: float, offset_s: float) -> Iterator[Planned]:
    number = 0
    while True:
        temperature = Value("temperature", round(20 + random.gauss(0, 1), 2), "Cel")
        humidity = Value("humidity", round(50 + random.gauss(0, 3), 1), "%RH")
        battery = Value("battery_voltage", round(3.6 + random.gauss(0, 0.01), 3), "V")
        yield at_once(key, start_s + offset_s + number * every_s, temperature, humidity, battery)
        number += 1
