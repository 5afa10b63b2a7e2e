"""The series that do not vanish while the gateway lives: each minute, of every device and quantity expected, how silent it is.

    fleet     every device of the registry          silence   every quantity expected of one
    home      every home of the registry            gateway   beside the outbox, so that it comes through a full disk too

They say how things are now, so they do not wait in the outbox: one round is kept in memory and told to the database at once;
one that could not be told is replaced by the next. Without a time-series database only the clock of listening is kept.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from edge_gateway import clock, overdue
from edge_gateway.alerts.waiting import unaccepted, waited_s
from edge_gateway.events import Entry, Flag, Readings
from edge_gateway.homes import selftest
from edge_gateway.overdue import Expected, Key, Listening, Silence, Since
from edge_gateway.registry import Device
from edge_gateway.rules.silence import is_off
from edge_gateway.state import DeviceState

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

_AT_ONCE: Final = 25  # devices, before an SOS may pass
_JUMP_NS: Final = 5 * 10**9
_SAVED_WITHIN_S: Final = 5.0
_FLEET: Final = (
    "silent_for",
    "cadence",
    "overdue",
    "boots",
    "missing_messages",
    "lost_messages",
    "stored_messages",
    "dead_messages",
)
_Last = tuple[str, tuple[str, ...]]  # place, quantities


class Series:
    """Belongs to one gateway.

    Attributes:
        expected, silent: how many devices should be heard, and how many of them are silent, as of the last round.
        restored: what was on disk is known.
    """

    def __init__(self, gateway: "Gateway") -> None:
        self.expected = self.silent = 0
        self.restored = False
        self._gateway = gateway
        self._listening = Listening()
        self._devices: dict[Key, Expected] = {}
        self._unsaved = True
        self._last: dict[Key, _Last] = {}  # what the last round told of, so that a series that ends is ended
        self._clocks: tuple[int, int] | None = None
        self._boot, self._round = 0, 0
        self._saving: asyncio.Task[None] | None = None
        self._forgotten: list[Callable[[str, str, str], bool]] = []  # since the round under way began
        self._saved = True

    def restore(self, rows: list[tuple[str, str, str, bytes]]) -> None:
        """Go on from what is on disk; at the start only, for afterwards the memory is right whatever the disk does."""
        self.restored = True
        kept = {part: body for _, _, part, body in rows}
        states = self._gateway.pipeline.states.values()
        # The last round is saved before it is told; what a device said after it is newer still.
        self._listening.at_least(max((known.listened_s for known in states), default=0.0))
        try:
            self._listening.at_least(msgspec.msgpack.decode(kept.get(overdue.LISTENED, b"\x00"), type=float, strict=False))
            self._devices = overdue.unpack(kept[overdue.EXPECTED]) if overdue.EXPECTED in kept else {}
        except msgspec.MsgspecError:
            self._devices = {}
        for (site, id_), one in self._devices.items():
            device = Device(site, id_, one.place, measures=frozenset(one.names))
            self._last[device.key] = one.place, overdue.quantities(device, (), self._consented(device))
        self._boot = self._gateway.clock_ns() // 10**9
        self.expect()

    def expect(self) -> None:
        """The registry may have changed."""
        now = Since(self._listened_s(), self._gateway.clock_ns())
        self._unsaved |= overdue.follow(self._devices, self._gateway.pipeline.registry, now)

    def listening(self, hears: bool) -> None:
        """The gateway can hear devices, or cannot: the broker is away, or there is no room for what they say."""
        if hears:
            self._listening.hears(time.monotonic_ns())
        else:
            self._listening.deaf(time.monotonic_ns())
        self._gateway.pipeline.listened_s = self._listened_s()

    def tick(self) -> None:
        """Once a second: what is heard from now on is heard now."""
        self._gateway.pipeline.listened_s = self._listened_s()
        self._follow_clock()

    async def write(self) -> None:
        """One round: saved how long was listened, told how it is. The event loop is free between parts of it."""
        g = self._gateway
        now_ns = g.clock_ns()
        tells = bool(g.settings.influx.url)
        told: list[Entry] = [g.health.entry(now_ns)] if tells else []
        self._forgotten = []
        for number, entries in enumerate(self._parts(now_ns, tells)):
            told += entries
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        await self._save_in_time()
        for owns in self._forgotten:  # a home was erased while this round was made
            told = [entry for entry in told if not owns(entry.site, entry.place, entry.device)]
            self._strike(owns)
        if tells:
            g.uplink.tell(told)

    def entries(self, now_ns: int) -> list[Entry]:
        """What one round tells of devices, quantities and homes."""
        return [entry for entries in self._parts(now_ns, True) for entry in entries]

    async def _save_in_time(self) -> None:
        """A disk that is full, fails or stands still must not hold up what is told."""
        if self._gateway.committer.halted:
            return
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self.save())
        done, _ = await asyncio.wait([self._saving], timeout=_SAVED_WITHIN_S)
        error = next((task.exception() for task in done), TimeoutError("the disk does not answer"))
        if error is not None and self._saved:
            log.warning("how silent devices are is told, but cannot be saved: %s", error)
        elif error is None and not self._saved:
            log.info("how silent devices are is saved again")
        self._saved = error is None

    async def save(self) -> None:
        """Put what is remembered on disk.

        Raises:
            Unavailable: it is not; the next round tries again.
        """
        g = self._gateway
        rows = [(overdue.SITE, "", overdue.LISTENED, msgspec.msgpack.encode(self._listened_s()))]
        unsaved, self._unsaved = self._unsaved, False
        if unsaved:
            rows.append((overdue.SITE, "", overdue.EXPECTED, overdue.pack(self._devices)))
        try:
            await g.in_store(lambda: g.store.keep(rows))
        except BaseException:
            self._unsaved |= unsaved
            raise

    def forget(self, owns: Callable[[str, str, str], bool]) -> None:
        """Nothing is told any more of the devices of which `owns(site, place, device)`, nor that their series end."""
        self._forgotten.append(owns)
        self._strike(owns)
        self._devices = {key: one for key, one in self._devices.items() if not owns(key[0], one.place, key[1])}
        self._unsaved = True
        self._gateway.uplink.untell(owns)

    def _strike(self, owns: Callable[[str, str, str], bool]) -> None:
        self._last = {key: last for key, last in self._last.items() if not owns(key[0], last[0], key[1])}

    def _listened_s(self) -> float:
        return self._listening.seconds(time.monotonic_ns())

    def _follow_clock(self) -> None:
        now = self._gateway.clock_ns(), time.monotonic_ns()
        if self._clocks is not None:
            by_ns = (now[0] - self._clocks[0]) - (now[1] - self._clocks[1])
            if abs(by_ns) > _JUMP_NS:
                overdue.shift(self._devices, by_ns)
                self._unsaved = True
        self._clocks = now

    def _parts(self, now_ns: int, tells: bool) -> Iterator[list[Entry]]:
        """The entries of one device or home after the other; `tells`: they are wanted, not only counted."""
        g = self._gateway
        self._round += 1
        listened_s, seen = self._listened_s(), g.desk.homes_seen
        expected = silent = 0
        last: dict[Key, _Last] = {}
        for key, device in list(g.pipeline.registry.devices.items()):
            if (one := self._devices.get(key)) is None:
                continue  # registered in this moment
            off = device.silence_s <= 0 or is_off(device, seen)
            state = g.pipeline.states.get(key)
            silence = self._heard(overdue.of_device(state, one, listened_s, now_ns), key)
            ratio = 0.0 if off else silence.against(device.silence_s)
            expected += not off
            silent += ratio > 1.0
            if not tells:
                yield []
                continue
            names = overdue.quantities(device, state.latest if state is not None else (), self._consented(device))
            last[key] = device.place, names
            entries: list[Entry] = [self._of_device(device, state, silence.told_s, ratio, now_ns)]
            if names:
                entries.append(self._of_quantities(device, state, one, names, off, listened_s, now_ns))
            yield entries
        self.expected, self.silent = expected, silent
        if tells:
            ended = [entry for key, before in self._last.items() for entry in self._ended(key, before, last.get(key), now_ns)]
            self._last = last
            yield ended
            yield from self._homes(now_ns)

    def _heard(self, silence: Silence, key: Key) -> Silence:
        """With the monotonic clock where it knows: what was heard in this run does not move with the wall clock."""
        heard_ns = self._gateway.desk.heard.get(key)
        if heard_ns is None:
            return silence
        return Silence(max(0.0, (time.monotonic_ns() - heard_ns) / 1e9), silence.listened_s)

    def _consented(self, device: Device) -> bool:
        home = (device.site, device.place)
        return home not in self._gateway.pipeline.registry.homes or self._gateway.desk.homes.consented(home)

    def _of_device(self, device: Device, state: DeviceState | None, age_s: float, ratio: float, now_ns: int) -> Readings:
        told = state or DeviceState(*device.key)
        counters = told.counters
        missing = sum(last - first + 1 for boot in told.boots if boot.ahead for first, last in boot.gaps())
        counts = (max(counters.boots, len(told.boots)), missing, counters.lost, counters.stored, counters.dead)
        values = (age_s, device.cadence_s, ratio, *map(float, counts))
        return self._readings(device.site, device.id, device.place, now_ns, _FLEET, values)

    def _of_quantities(
        self,
        device: Device,
        state: DeviceState | None,
        expected: Expected,
        names: tuple[str, ...],
        off: bool,
        listened_s: float,
        now_ns: int,
    ) -> Readings:
        latest = state.latest if state is not None else {}
        values: list[float] = []
        for name in names:
            silence = overdue.of_quantity(latest.get(name), expected.names.get(name, expected.since), listened_s, now_ns)
            values += (silence.told_s, 0.0 if off else silence.against(overdue.limit_s(name, device)))
        return self._readings(device.site, device.id, device.place, now_ns, _silence_names(names), tuple(values))

    def _ended(self, key: Key, before: _Last, now: _Last | None, now_ns: int) -> list[Entry]:
        """The last points of series that nobody continues: without them a rule would see them vanish while they were silent."""
        place, names = before
        moved = now is None or now[0] != place
        entries: list[Entry] = []
        if moved:
            entries.append(self._readings(*key, place, now_ns, ("overdue",), (0.0,)))
        if lost := tuple(name for name in names if moved or now is None or name not in now[1]):
            ratios = tuple(f"reading_overdue.{_channel(name)}" for name in lost)
            entries.append(self._readings(*key, place, now_ns, ratios, (0.0,) * len(lost)))
        return entries

    def _homes(self, now_ns: int) -> Iterator[list[Entry]]:
        g = self._gateway
        alerts = [alert for alert in g.desk.book.open_alerts() if not alert.test]
        seen = g.desk.homes_seen
        for key in list(g.pipeline.registry.homes):
            here = [alert for alert in alerts if (alert.site, alert.place) == key]
            waiting = [waited_s(alert, now_ns) for alert in here if unaccepted(alert)]
            home = g.desk.homes.homes.get(key)
            told = {
                "home_paused": float(key in seen.paused),
                "home_alerts": float(len(here)),
                "home_unaccepted_age": max(waiting, default=0.0),
            }
            if home is not None:
                told["home_unprotected"] = float(selftest.unprotected_ns(home, now_ns) > 0)
                if home.test.passed_ns:
                    told["selftest_age"] = max(0.0, (now_ns - home.test.passed_ns) / 1e9)
                if g.desk.homes.consented(key):
                    told["home_away"] = float(home.away is not None)
            site, place = key
            yield [self._readings(site, g.settings.gateway.id, place, now_ns, tuple(told), tuple(told.values()))]

    def _readings(
        self, site: str, device: str, place: str, now_ns: int, names: tuple[str, ...], values: tuple[float, ...]
    ) -> Readings:
        about = site, device, place, self._boot, self._round, now_ns, now_ns, "ntp", clock.DEVICE, None
        return Readings(*about, _shape(names), values)


def _channel(name: str) -> str:
    """The channel of a quantity's own series: one without a dot, which the names of the catalogue end at."""
    return name.replace(".", "-")


@lru_cache(maxsize=1024)
def _silence_names(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{what}.{_channel(name)}" for name in names for what in ("reading_age", "reading_overdue"))


@lru_cache(maxsize=1024)
def _shape(names: tuple[str, ...]) -> str:
    return ",".join(f"{name}={int(Flag.PASS)}" for name in names)
