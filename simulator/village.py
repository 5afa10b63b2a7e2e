"""The demo world: homes of old people, couriers and the readers they tap at, a river with its probes; seeded and believable.

A plan never ends and depends only on the seed and the time it starts, so two villages with one seed live the same day. Days are
those of Asia/Shanghai, which has had no summer time since 1991.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from edge_gateway.registry import Device, Site
from simulator.couriers import Courier, couriers, plan
from simulator.device import SimulatedDevice
from simulator.plan import Key, Planned, at_once, merge
from simulator.registry_text import registry_text
from simulator.senml import Encoding, Instant, Value

COMMUNITIES: Final = (("wutong", "梧桐社区"), ("hehuan", "合欢社区"), ("yulan", "玉兰社区"), ("shiliu", "石榴社区"))
RIVERS: Final = (("qingxi", "清溪河"), ("baisha", "白沙河"))
ROOMS: Final = ("bedroom", "kitchen", "living_room", "bathroom")
MEALS_H: Final = (11.5, 17.5)
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_ZONE_S: Final = 8 * _HOUR

# Chance of motion in a room within a minute, by hour of the day.
_ROUTINE: Final[dict[str, Callable[[float], float]]] = {
    "bedroom": lambda h: 0.02 if h < 5.5 or h >= 21.5 else 0.25 if h < 7 or 12.8 <= h < 14 else 0.05,
    "kitchen": lambda h: 0.5 if 6.5 <= h < 7.5 or 11 <= h < 12.3 or 17 <= h < 18.3 else 0.0 if h < 5.5 or h >= 21.5 else 0.06,
    "living_room": lambda h: 0.0 if h < 6 or h >= 21.5 else 0.35,
    "bathroom": lambda h: 0.012 if h < 5.5 else 0.2 if h < 7.5 or 20.5 <= h < 21.5 else 0.04,
}


@dataclass(frozen=True, slots=True)
class Resident:
    """A device of the village: what the registry knows of it, and its life from a time on (UTC seconds)."""

    entry: Device
    life: Callable[[Random, Key, float], Iterator[Planned]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Village:
    """The world, ready for a fleet."""

    residents: tuple[Resident, ...]
    sites: tuple[Site, ...]
    seed: int
    couriers: tuple[Courier, ...] = ()

    def meals(self, local_min: int) -> list[dict[str, Any]]:
        """The plan of all couriers, as the gateway takes it; `local_min`: minute of the local day."""
        at_min = tuple(int(meal * 60) for meal in MEALS_H)
        return [line for courier in self.couriers for line in plan(courier, local_min, at_min)]

    @property
    def registry(self) -> str:
        """TOML text for the gateway."""
        notes = {resident.entry.key: resident.note for resident in self.residents}
        return registry_text(self.sites, [resident.entry for resident in self.residents], notes)

    def devices(self, start_s: float, *, remember: bool = False) -> list[SimulatedDevice]:
        """A device for each resident, switched on some minutes before `start_s`; every third speaks CBOR."""
        return [
            SimulatedDevice(
                *resident.entry.key,
                booted_at_s=start_s - 60.0 * (1 + number % 60),
                encoding=Encoding.CBOR if number % 3 == 2 else Encoding.JSON,
                cadence_s=resident.entry.cadence_s,
                firmware=f"{resident.entry.model} simulated",
                remember=remember,
                seed=self.seed,
            )
            for number, resident in enumerate(self.residents)
        ]

    def plan(self, start_s: float) -> Iterator[Planned]:
        """Everything they measure from `start_s` on, in order of time, without end."""
        return merge(
            resident.life(Random(f"{self.seed}/{'/'.join(resident.entry.key)}"), resident.entry.key, start_s)
            for resident in self.residents
        )


def village(homes: int = 40, stations: int = 6, readers: int = 5, seed: int = 1) -> Village:
    """Homes, some with a card reader, in four communities; probes in two rivers, of which each first one is a boat."""
    residents: list[Resident] = []
    for n in range(homes):
        site = COMMUNITIES[n % len(COMMUNITIES)][0]
        number = n // len(COMMUNITIES) + 1
        measures = frozenset(
            {"temperature", "humidity", "contact.door", "battery_level", "sos", *(f"motion.{r}" for r in ROOMS)}
        )
        entry = Device(site, f"home-{number}", f"home-{number}", "elder_home", 60.0, 180.0, measures)
        residents.append(Resident(entry, home, f"{number}号"))
    rounds = tuple(_rounds(readers, seed))
    for courier in rounds:
        for stop, place in enumerate(courier.places):
            door = place.removeprefix("home-")
            measures = frozenset({"tap", "proof", "battery_level"})
            entry = Device(courier.site, f"reader-{door}", place, "rider_reader", 300.0, 900.0, measures)
            residents.append(Resident(entry, partial(reader, courier=courier, stop=stop), f"{door}号读卡器"))
    for n in range(stations):
        site = RIVERS[n % len(RIVERS)][0]
        number = n // len(RIVERS) + 1
        moves = number == 1
        names = {"water_temperature", "ph", "dissolved_oxygen", "conductivity", "turbidity", "water_level", "battery_voltage"}
        place = "" if moves else f"point-{number}"
        entry = Device(
            site, f"probe-{number}", place, "river_probe", 300.0, 900.0, frozenset(names | ({"lat", "lon"} if moves else set()))
        )
        residents.append(Resident(entry, boat if moves else probe, "巡河船" if moves else f"{number}号断面"))
    used = {resident.entry.site for resident in residents}
    sites = tuple(Site(key, name) for key, name in (*COMMUNITIES, *RIVERS) if key in used)
    return Village(tuple(residents), sites, seed, rounds)


def _rounds(readers: int, seed: int) -> Iterator[Courier]:
    for first, (site, _) in enumerate(COMMUNITIES):
        yield from couriers(site, [f"home-{n + 1}" for n in range(len(range(first, readers, len(COMMUNITIES))))], seed)


def sos(key: Key, at_s: float) -> Planned:
    """Somebody presses the button; for `Fleet.measure`."""
    return at_once(key, at_s, Value("sos", True), event=True)


def tap(key: Key, at_s: float, card: str) -> Planned:
    """A meal is handed over; for `Fleet.measure`."""
    return at_once(key, at_s, Value("tap", card), event=True)


def home(random: Random, key: Key, start_s: float) -> Iterator[Planned]:
    """Once a minute: climate, the motion of each room; the door as it happens, the battery once an hour."""
    warmth, up_h = random.uniform(-2, 2), random.uniform(-0.7, 0.7)
    battery = random.uniform(60, 100)
    now_s = start_s + random.uniform(0, 60)
    minute = 0
    while True:
        hour = hour_of(now_s - up_h * _HOUR)
        rooms = [Value(f"motion.{room}", random.random() < chance(hour)) for room, chance in _ROUTINE.items()]
        temperature = 22 + warmth + 1.5 * daily(hour, 15) + random.gauss(0, 0.08)
        values = [Value("temperature", round(temperature, 2), "Cel"), *rooms]
        values.insert(1, Value("humidity", round(52 - 6 * daily(hour, 15) + random.gauss(0, 0.5), 1), "%RH"))
        if minute % 60 == 0:
            battery = max(battery - random.uniform(0, 0.02), 1)
            values.append(Value("battery_level", round(battery, 1), "%EL"))
        yield at_once(key, now_s, *values)
        if 7 < hour < 19 and random.random() < 1 / 180:
            opened = now_s + random.uniform(1, 20)
            closed = opened + random.uniform(4, 25)
            yield Planned(key, closed, tuple(_door(at_s, state) for at_s, state in ((opened, True), (closed, False))))
        now_s += 60
        minute += 1


def reader(random: Random, key: Key, start_s: float, courier: Courier, stop: int) -> Iterator[Planned]:
    """A heartbeat every five minutes; the courier comes a moment after the start, and at each meal."""
    taps = _taps(random, key, start_s, courier, stop)
    battery, now_s, next_tap = random.uniform(70, 100), start_s + random.uniform(0, 300), next(taps)
    while True:
        while next_tap.at_s <= now_s:
            yield next_tap
            next_tap = next(taps)
        battery = battery - 0.15 if battery > 15 else 100.0
        yield at_once(key, now_s, Value("battery_level", round(battery, 1), "%EL"))
        now_s += 300


def _taps(random: Random, key: Key, start_s: float, courier: Courier, stop: int) -> Iterator[Planned]:
    lap, began_s = 0, start_s
    while True:
        at_s, text = courier.tap(stop, lap, began_s, random)
        yield at_once(key, at_s, Value("tap", text), Value("proof", "sun"), event=True)
        lap += 1
        # Half an hour into the meal's window, so that nobody is early.
        meals = (began_s + (meal * _HOUR + 1800 - (began_s + _ZONE_S)) % _DAY for meal in MEALS_H)
        began_s = min(meal_s for meal_s in meals if meal_s > began_s + _HOUR)


def probe(random: Random, key: Key, start_s: float) -> Iterator[Planned]:
    """Every five minutes; oxygen and pH follow the sun, level and turbidity the rain."""
    yield from _water(random, key, start_s, None)


def boat(random: Random, key: Key, start_s: float) -> Iterator[Planned]:
    """A probe that moves up and down its river."""
    yield from _water(random, key, start_s, (30.25 + random.uniform(0, 0.2), 120.1 + random.uniform(0, 0.2)))


def hour_of(true_s: float) -> float:
    """Hour of the day in China, 0 to 24."""
    return (true_s + _ZONE_S) % _DAY / _HOUR


def daily(hour: float, peak_h: float) -> float:
    """-1 to 1, highest at `peak_h`."""
    return math.cos((hour - peak_h) / 24 * 2 * math.pi)


def _door(at_s: float, state: bool) -> Instant:
    return Instant(round(at_s * 1e6) * 1000, (Value("contact.door", state),))


def _water(random: Random, key: Key, start_s: float, at: tuple[float, float] | None) -> Iterator[Planned]:
    base, rain, volts = random.uniform(14, 20), 0.0, random.uniform(3.9, 4.15)
    now_s = start_s + random.uniform(0, 300)
    while True:
        hour = hour_of(now_s)
        rain = rain * 0.99 + (random.uniform(2, 6) if random.random() < 0.002 else 0.0)
        temperature = base + 1.2 * daily(hour, 16) + random.gauss(0, 0.03)
        # Benson and Krause at sea level, to 0.05 mg/L between 5 and 30 degrees; plants add by day what they take by night.
        saturation = 14.6 - 0.39 * temperature + 0.0062 * temperature**2 - 3.8e-5 * temperature**3
        values = [
            Value("water_temperature", round(temperature, 3), "Cel"),
            Value("ph", round(7.7 + 0.15 * daily(hour, 16) + random.gauss(0, 0.01), 3), "pH"),
            Value("dissolved_oxygen", round(saturation * (0.95 + 0.08 * daily(hour, 15)) + random.gauss(0, 0.04), 2), "mg/l"),
            Value("conductivity", round(380 - 15 * rain + random.gauss(0, 1), 1), "uS/cm"),
            Value("turbidity", round(max(6 + 9 * rain + random.gauss(0, 0.4), 0.1), 2), "NTU"),
            Value("water_level", round(1.4 + 0.08 * rain + 0.01 * daily(hour, 6), 3), "m"),
            Value("battery_voltage", round(volts + 0.08 * daily(hour, 14), 3), "V"),
        ]
        if at is not None:
            way = 0.02 * daily(hour, 12)
            values += [Value("lat", round(at[0] + way, 6), "lat"), Value("lon", round(at[1] + 0.7 * way, 6), "lon")]
        yield at_once(key, now_s, *values)
        now_s += 300
