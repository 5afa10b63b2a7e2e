"""The demo world is believable, repeatable, and known to its registry."""

from itertools import takewhile

import pytest

from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import split_name
from edge_gateway.registry import Device, Site, parse
from edge_gateway.topics import ID
from simulator.load import load
from simulator.plan import Planned
from simulator.registry_text import registry_text
from simulator.village import Village, hour_of, sos, village

MIDNIGHT = 1_779_984_000.0  # 2026-05-29 00:00 in China


def day(world: Village, hours: float = 24.0) -> list[Planned]:
    return list(takewhile(lambda planned: planned.at_s < MIDNIGHT + hours * 3600, world.plan(MIDNIGHT)))


@pytest.fixture(scope="module")
def lived() -> list[Planned]:
    return day(village(homes=8, stations=4, readers=3, seed=3))


@pytest.mark.parametrize("world", [village(9, 5, 5), village(1, 0, 0), load(10, 1.0)], ids=["whole", "one home", "load"])
def test_the_registry_loads_and_knows_every_device_and_quantity(world: Village) -> None:
    registry = parse(world.registry)
    assert list(registry.devices) == [device.key for device in world.devices(MIDNIGHT)]
    for planned in day(world, 0.02 if world.seed == 1 and "load" in registry.sites else 1.0):
        entry = registry.devices[planned.key]
        assert {value.name for instant in planned.instants for value in instant.values} <= entry.measures
        assert all(ID.fullmatch(part) for part in planned.key)


def test_sites_have_chinese_names() -> None:
    assert [site.name for site in village().sites][:2] == ["梧桐社区", "合欢社区"]


def test_two_villages_with_one_seed_live_the_same_day() -> None:
    assert day(village(3, 2, 2, seed=5), 2) == day(village(3, 2, 2, seed=5), 2)
    assert day(village(3, 2, 2, seed=5), 2) != day(village(3, 2, 2, seed=6), 2)


def test_a_day_is_in_order_and_every_number_is_believable(lived: list[Planned]) -> None:
    times = [planned.at_s for planned in lived]
    assert times == sorted(times)
    for planned in lived:
        assert all(instant.time_ns <= planned.at_s * 1e9 + 1000 for instant in planned.instants)
        for value in (value for instant in planned.instants for value in instant.values):
            quantity = QUANTITIES[split_name(value.name)[0]]
            if isinstance(value.value, float):
                factor = quantity.also[value.unit][0] if value.unit != quantity.unit else 1.0
                assert quantity.low is None or quantity.low <= value.value * factor
                assert quantity.high is None or value.value * factor <= quantity.high


def test_people_sleep_at_night_and_cook_at_noon(lived: list[Planned]) -> None:
    def moves(room: str, start: float, end: float) -> int:
        values = [
            value.value
            for planned in lived
            if start <= hour_of(planned.at_s) < end
            for value in planned.instants[0].values
            if value.name == f"motion.{room}"
        ]
        return sum(map(bool, values))

    assert moves("kitchen", 0, 4) == 0
    assert moves("kitchen", 11, 12) > 8 * 10
    assert 0 < moves("bathroom", 0, 5) < moves("bathroom", 6, 8)


def test_a_courier_comes_at_the_start_and_at_each_meal_and_no_code_comes_twice() -> None:
    lived = day(village(homes=12, stations=0, readers=12, seed=3))
    taps = [planned for planned in lived if planned.event]
    assert len(taps) == 12 * 3
    assert all(hour < 0.3 or 11.5 < hour < 12.75 or 17.5 < hour < 18.75 for hour in (hour_of(tap.at_s) for tap in taps))
    texts = [tap.instants[0].values[0].value for tap in taps]
    assert len(set(texts)) == len(texts)


def test_water_is_warmest_and_richest_in_oxygen_in_the_afternoon_and_a_boat_moves(lived: list[Planned]) -> None:
    def mean(name: str, start: float, end: float) -> float:
        values = [
            float(value.value)
            for planned in lived
            if start <= hour_of(planned.at_s) < end
            for value in planned.instants[0].values
            if value.name == name and isinstance(value.value, float)
        ]
        return sum(values) / len(values)

    for name in ("water_temperature", "ph", "dissolved_oxygen"):
        assert mean(name, 13, 18) > mean(name, 2, 6)
    ways = {value.value for planned in lived for value in planned.instants[0].values if value.name == "lat"}
    assert len(ways) > 100


def test_an_sos_is_an_event_of_its_own() -> None:
    pressed = sos(("wutong", "home-1"), MIDNIGHT)
    assert pressed.event
    assert pressed.instants[0].values[0].name == "sos"


def test_a_registry_is_read_as_it_was_written() -> None:
    devices = [
        Device("wutong", "reader-1", "", "rider_reader", 300.0, 900.0, frozenset(), "k-1"),
        Device("wutong", "home-1", "w3-201", "elder_home", 60.0, 0.0, frozenset({"temperature", "motion.kitchen"})),
    ]
    known = parse(registry_text([Site("wutong", '梧桐 "A"')], devices))
    assert list(known.devices.values()) == devices
    assert known.sites["wutong"].name == '梧桐 "A"'
