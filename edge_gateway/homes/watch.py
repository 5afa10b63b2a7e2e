"""All homes of the running gateway: what came from them goes in, what the rules say of them comes out, what changed is saved.

Knows no clock and no file. Belongs to the desk of alerts, which drives it and saves `take()` with whatever caused it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_gateway import rules
from edge_gateway.events import Event, Readings
from edge_gateway.homes import evidence
from edge_gateway.homes.home import Asked, Home, Past, Watched, pack, unpack_home, unpack_past
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import ELDER_HOME, Registry
from edge_gateway.rules.rule import Prewarn, Verdict, View

_SECOND: Final = 1_000_000_000
_LOOK_NS: Final = 10 * _SECOND  # a home of which nothing came is looked at so often
_SAVE_NS: Final = 30 * _SECOND  # what may be forgotten by a power cut: when somebody moved last, by so much
NOW, PAST = "now", "past"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """A command for a device, to be sent when what it follows from is on disk; `details` besides its name."""

    site: str
    device: str
    name: str
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Note:
    """A line of a home's log: who did what, when. `detail` says more, in words that need no translation."""

    site: str
    place: str
    at_ns: int
    who: str
    what: str
    detail: str = ""


class HomeWatch:
    """
    Attributes:
        homes, pasts: by (site, place); change one through `change` or `learned`, or it is not saved.
        orders: commands that wait until what they follow from is saved; whoever saves takes them.
    """

    def __init__(self, registry: Registry) -> None:
        self.homes: dict[Key, Home] = {}
        self.pasts: dict[Key, Past] = {}
        self.orders: list[Order] = []
        self._notes: list[Note] = []
        self._registry = registry
        self._heard: dict[Key, int] = {}
        self._waiting: dict[Key, int] = {}  # changed a little -> when it was saved last
        self._urgent: set[Key] = set()  # changed so that it is saved with the next commit
        self._saved: dict[Key, int] = {}
        self._learned: set[Key] = set()
        self._fresh: set[Key] = set()  # something came since the last look
        self._looked: dict[Key, int] = {}

    def restore(self, rows: Iterable[tuple[str, str, str, bytes]]) -> int:
        """Begin from what is on disk: (site, place, part, body). How many rows cannot be read; those homes begin anew."""
        self.homes, self.pasts = {}, {}
        self.orders, self._notes = [], []
        self._waiting, self._urgent, self._learned = {}, set(), set()
        damaged = 0
        for site, place, part, body in rows:
            try:
                if part == PAST:
                    self.pasts[site, place] = unpack_past(body)
                else:
                    self.homes[site, place] = unpack_home(body)
            except msgspec.MsgspecError:
                damaged += 1
        self._fresh = set(self._registry.homes)
        return damaged

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._fresh |= registry.homes.keys() - self._registry.homes.keys()
        self._registry = registry

    def home(self, key: Key, now_ns: int) -> Home:
        """What is remembered of a home, or of a site (place ""); made when it is new."""
        found = self.homes.get(key)
        if found is None:
            found = self.homes[key] = Home(*key, since_ns=now_ns)
            self._urgent.add(key)
        return found

    def change(self, key: Key, now_ns: int) -> Home:
        """The home, to be changed by the caller now; it is saved with the next commit."""
        self._urgent.add(key)
        self._fresh.add(key)
        return self.home(key, now_ns)

    def learned(self, key: Key, past: Past) -> None:
        """Something was learned of a home."""
        self.pasts[key] = past
        self._learned.add(key)

    def note(self, note: Note) -> None:
        """A line for the home's log; saved with the next commit."""
        self._notes.append(note)

    def observe(self, entry: Readings | Event) -> None:
        """Something came from a device of a home. Called for every reading of a home: some microseconds."""
        key = entry.site, entry.place
        setting = self._registry.homes.get(key)
        if setting is None:
            return
        home = self.homes.get(key) or self.home(key, entry.received_ns)
        self._heard[key] = max(entry.received_ns, self._heard.get(key, 0))
        event = type(entry) is Event
        for reading in entry.readings:
            name, value, flag = reading.name, reading.value, reading.flag
            seen = Seen(name, value, flag, entry.time_ns, entry.received_ns, entry.device, event)
            if evidence.observe(seen, setting, home, self._zone(key)):
                self._urgent.add(key)
            rules.observe(seen, setting, home)
        self._fresh.add(key)
        self._waiting.setdefault(key, self._saved.get(key, 0))

    def look(self, view: View) -> list[Verdict]:
        """What the rules say to the homes whose turn it is; once a second."""
        now_ns = view.now_ns
        fresh, self._fresh = self._fresh, set()
        found: list[Verdict] = []
        for key, setting in self._registry.homes.items():
            if key not in fresh and abs(now_ns - self._looked.get(key, 0)) < _LOOK_NS:
                continue
            self._looked[key] = now_ns
            found += self._look_at(setting, self.home(key, now_ns), view)
        return found

    def watched(self, key: Key, now_ns: int) -> Watched | None:
        """A home as the rules see it; None: the registry has none there."""
        setting = self._registry.homes.get(key)
        if setting is None:
            return None
        home, past = self.home(key, now_ns), self.pasts.get(key) or Past()
        return Watched(setting, home, past, self._heard.get(key, 0), self._zone(key))

    def take(self, now_ns: int) -> list[tuple[str, str, str, bytes]]:
        """Rows to save now: what must not wait, and what has waited for a while."""
        due = {key for key, saved_ns in self._waiting.items() if abs(now_ns - saved_ns) >= _SAVE_NS}
        due |= self._urgent
        rows = []
        for key in due:
            self._waiting.pop(key, None)
            self._saved[key] = now_ns
            if key in self.homes:
                rows.append((*key, NOW, pack(self.homes[key])))
        rows += [(*key, PAST, pack(self.pasts[key])) for key in self._learned]
        self._urgent.clear()
        self._learned.clear()
        return rows

    def take_notes(self) -> list[Note]:
        """Lines to save now."""
        notes, self._notes = self._notes, []
        return notes

    def hurry(self) -> None:
        """The gateway ends: what could wait no longer can."""
        self._urgent |= self._waiting.keys()

    @property
    def unsaved(self) -> bool:
        """Whether something should be saved now although no message came."""
        return bool(self._urgent or self._learned or self._notes)

    def jumped(self, by_ns: int) -> None:
        """The wall clock jumped: what was a while ago stays that while ago."""
        for key, home in self.homes.items():
            home.shift(by_ns)
            self._waiting.setdefault(key, 0)
        self._heard = {key: at_ns + by_ns for key, at_ns in self._heard.items()}
        self._looked.clear()

    def _look_at(self, setting: HomeSetting, home: Home, view: View) -> list[Verdict]:
        past = self.pasts.get(home.key) or Past()
        watched = Watched(setting, home, past, self._heard.get(home.key, 0), self._zone(home.key))
        if evidence.advance(watched, view.now_ns):
            self._urgent.add(home.key)
        verdicts = rules.look_home(watched, view)
        for verdict in verdicts:
            if isinstance(verdict, Prewarn):
                self._prewarn(verdict, home, view.now_ns)
        return verdicts

    def _prewarn(self, asked: Prewarn, home: Home, now_ns: int) -> None:
        home.asked = Asked(asked.key, now_ns, now_ns + asked.seconds * _SECOND)
        self._urgent.add(home.key)
        for device in self._registry.devices.values():
            if device.model == ELDER_HOME and (device.site, device.place) == home.key:
                self.orders.append(Order(device.site, device.id, "prewarn", {"seconds": asked.seconds}))

    def _zone(self, key: Key) -> str:
        site = self._registry.sites.get(key[0])
        return site.zone if site is not None else "UTC"
