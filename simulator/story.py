"""What happens in `kanhu demo`: a village that lives its day, and a few things that go wrong at known times.

The story also keeps the demo's own books: how many values its devices measured, and how many of them nobody has confirmed yet.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Final

from edge_gateway import topics
from edge_gateway.registry import Device
from edge_gateway.topics import Up
from simulator.device import Clock, SimulatedDevice
from simulator.faults import POISON, Mangler, reboot
from simulator.fleet import Fleet, Pace, Summary
from simulator.link import Access
from simulator.outbox import Identity
from simulator.plan import Key, Planned, at_once
from simulator.senml import Instant, Value
from simulator.village import COMMUNITIES, ROOMS, Resident, Village, sos, village

SITE: Final = COMMUNITIES[0][0]
SILENT: Final = (SITE, "home-quiet")
STILL: Final = (SITE, "home-still")
STRANGER: Final = (SITE, "new-device")
PRESSED: Final = (SITE, "home-1")
BACKLOG_S: Final = 600.0  # the devices come with ten minutes of readings, so that there is something to see at once
SILENT_AFTER_S: Final = 12.0
SILENCE_S: Final = 15.0
_CADENCE_S: Final = 2.0
# Poison whose identity cannot be read, so that it disturbs no device's numbers.
_POISON: Final = tuple(p for p in POISON if p.id in {"null", "empty-pack", "utf-16", "no-identity", "broken-cbor", "gzip"})


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that happens `at_s` seconds after the start, then every `every_s` (0: once); it says what it did."""

    at_s: float
    every_s: float
    act: Callable[[Fleet, Random], str]


@dataclass(frozen=True, slots=True)
class Books:
    """What the devices know; values are single quantities, as rows of the database are.

    Attributes:
        values: measured since the start.  open_values: of these, in messages that no receipt has freed.
        by_model: model -> (devices, online, messages generated, pending).
        told: what happened, oldest first, with seconds since the start.
    """

    summary: Summary
    values: int = 0
    open_values: int = 0
    by_model: tuple[tuple[str, int, int, int, int], ...] = ()
    told: tuple[tuple[float, str], ...] = ()


class Story:
    """A village, its fleet and its scenes; `books` may be read from any thread.

    Args:
        speed: times real time; the village's day then begins so much earlier that after an hour it is now.
    """

    def __init__(
        self, access: Access, world: Village, speed: float, seed: int, scenes: tuple[Scene, ...] | None = None
    ) -> None:
        start_s = time.time() - 3600.0 * (speed - 1)
        self._random = Random(f"story/{seed}")
        self._scenes = SCENES if scenes is None else scenes
        self._due = {number: scene.at_s for number, scene in enumerate(self._scenes)}
        self._models = {resident.entry.key: resident.entry.model for resident in world.residents}
        self._open: dict[Key, dict[Identity, int]] = {key: {} for key in self._models}
        self._values = 0
        self._told: list[tuple[float, str]] = []
        self.books = Books(Summary())
        self.keys = frozenset(self._models)
        self.fleet = Fleet(
            access,
            world.devices(start_s - BACKLOG_S, remember=True),
            world.plan(start_s - BACKLOG_S),
            Pace(start_s, speed),
            seed=seed,
            on_progress=self._progress,
            progress_s=0.25,
        )
        self.fleet.mangle = Mangler(Random(f"link/{seed}"), duplicate=0.01, reorder=0.01)

    def _progress(self, summary: Summary) -> None:
        """On the fleet's thread: play what is due, then write up the books."""
        # What begins when the links are closed would stay with its device for ever.
        for number, at_s in [] if self.fleet.closed else list(self._due.items()):
            scene = self._scenes[number]
            if summary.elapsed_s >= at_s:
                self._told.append((summary.elapsed_s, scene.act(self.fleet, self._random)))
                del self._told[:-20]
                if scene.every_s:
                    self._due[number] = summary.elapsed_s + scene.every_s * self._random.uniform(0.7, 1.3)
                else:
                    del self._due[number]
        for device in self.fleet.devices.values():
            self._count(device)
        self.books = Books(
            self.fleet.summary,
            self._values,
            sum(sum(waiting.values()) for waiting in self._open.values()),
            tuple(self._by_model()),
            tuple(self._told),
        )

    def _count(self, device: SimulatedDevice) -> None:
        waiting = self._open[device.key]
        for made in device.generated:
            count = sum(len(instant.values) for instant in made.instants)
            self._values += count
            waiting[made.boot, made.seq] = count
        device.generated.clear()
        for identity in [identity for identity in waiting if identity not in device.outbox.pending]:
            del waiting[identity]

    def _by_model(self) -> Iterator[tuple[str, int, int, int, int]]:
        for model in dict.fromkeys(self._models.values()):
            devices = [device for key, device in self.fleet.devices.items() if self._models[key] == model]
            ledgers = [device.ledger for device in devices]
            online = sum(device.online for device in devices)
            yield model, len(devices), online, sum(b.generated for b in ledgers), sum(b.pending for b in ledgers)


def world(homes: int, stations: int, readers: int, seed: int, speed: float) -> Village:
    """The village, a home whose device will stop, and one in which nothing moves any more."""
    made = village(homes, stations, readers, seed)
    names = frozenset({"temperature", "sos"})
    entry = Device(SITE, SILENT[1], SILENT[1], "elder_home", _CADENCE_S, SILENCE_S, names)
    rooms = frozenset({"temperature", "sos", *(f"motion.{room}" for room in ROOMS)})
    still = Device(SITE, STILL[1], STILL[1], "elder_home", 60.0, 180.0, rooms)
    more = Resident(entry, partial(_short_life, speed=speed)), Resident(still, _no_life)
    return replace(made, residents=(*made.residents, *more))


def _short_life(random: Random, key: Key, start_s: float, speed: float) -> Iterator[Planned]:
    """Speaks every two of our seconds, then somebody pulls its plug."""
    first_s = start_s + BACKLOG_S
    for n in range(int(SILENT_AFTER_S / _CADENCE_S)):
        yield at_once(key, first_s + n * _CADENCE_S * speed, Value("temperature", round(21 + random.gauss(0, 0.2), 2), "Cel"))


def _no_life(random: Random, key: Key, start_s: float) -> Iterator[Planned]:
    """Its device is well and tells every minute that nothing moves."""
    while True:
        warmth = Value("temperature", round(20.5 + random.gauss(0, 0.1), 2), "Cel")
        yield at_once(key, start_s, warmth, *(Value(f"motion.{room}", False) for room in ROOMS))
        start_s += 60.0


def _press(fleet: Fleet, _random: Random) -> str:
    """Somebody needs help."""
    fleet.measure(sos(PRESSED, fleet.true_s))
    return f"{'/'.join(PRESSED)}: SOS pressed"


def _lose_clock(fleet: Fleet, random: Random) -> str:
    """A home's device sends uptime from now on, and the gateway computes the times."""
    homes = sorted(key for key in fleet.devices if key[1].startswith("home-") and key not in (PRESSED, SILENT, STILL))
    key = random.choice(homes or [PRESSED])
    fleet.devices[key].clock = Clock("none")
    return f"{'/'.join(key)}: does not know the time any more"


def _poison(fleet: Fleet, random: Random) -> str:
    """A device sends what is no message."""
    key, bad = random.choice(sorted(fleet.devices)), random.choice(_POISON)
    fleet.publish(topics.up(*key, Up.DATA), bad.payload)
    return f"{'/'.join(key)}: sent bytes that are no message ({bad.id})"


def _stranger(fleet: Fleet, _random: Random) -> str:
    """A device nobody registered."""
    guest = SimulatedDevice(*STRANGER, booted_at_s=fleet.true_s, resend_after_s=10.0)
    for n in range(3):
        at_ns = round(fleet.true_s * 1e6) * 1000 - n * 1_000_000_000
        guest.measure((Instant(at_ns, (Value("temperature", 21.0 + n / 10, "Cel"),)),), fleet.true_s)
    fleet.welcome(guest)
    return f"{'/'.join(STRANGER)}: switched on, nobody has registered it"


def _fell_silent(_fleet: Fleet, _random: Random) -> str:
    return f"{'/'.join(SILENT)}: its plug was pulled; an alert follows after {SILENCE_S:.0f} s"


SCENES: Final = (
    Scene(5.0, 0.0, _stranger),
    Scene(8.0, 20.0, _poison),
    Scene(10.0, 0.0, _lose_clock),
    Scene(SILENT_AFTER_S, 0.0, _fell_silent),
    Scene(20.0, 0.0, _press),
    Scene(25.0, 30.0, reboot),
)
