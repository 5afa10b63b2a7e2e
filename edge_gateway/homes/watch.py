"""All homes of the running gateway: what came from them goes in, what the rules say of them comes out, what changed is saved.

Knows no clock and no file. Belongs to the desk of alerts, which drives it and saves `take()` with whatever caused it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import msgspec

from edge_gateway import rules
from edge_gateway.events import Event, Readings
from edge_gateway.homes import away, evidence, learn
from edge_gateway.homes.backlog import LATE_NS, Backlog
from edge_gateway.homes.home import Asked, Home, Past, Watched, pack, unpack_home, unpack_past
from edge_gateway.homes.pauses import Pauses
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.selftests import SelfTests
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.homes.told import Told
from edge_gateway.privacy import consent
from edge_gateway.registry import ELDER_HOME, Registry
from edge_gateway.rules import proof, words
from edge_gateway.rules.rule import Finding, HomesSeen, Prewarn, Verdict, View

_SECOND: Final = 1_000_000_000
_LOOK_NS: Final = 10 * _SECOND  # a home of which nothing came is looked at so often
_LEAST_SILENCE_S: Final = 900.0  # a shorter gap in what a home tells says nothing of the person
# Days that are closed in one look: to learn takes some milliseconds a home, and at midnight it is all homes' turn at once.
_CLOSINGS: Final = 20
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


@dataclass(frozen=True, slots=True)
class _Beat:
    """The devices of a home that speak at a cadence; without any of them for so long nobody can say what happens there."""

    silence_s: float
    devices: frozenset[str]


class HomeWatch:
    """
    Attributes:
        homes, pasts: by (site, place); change one through `change` or `learned`, or it is not saved.
        orders: commands that wait until what they follow from is saved; whoever saves takes them.
        tests: of the way of an alarm, in each home.
        pauses: that elders begin and end by a button.
        consent_required: no home is watched before its person agreed.
    """

    def __init__(self, registry: Registry) -> None:
        self.consent_required = False
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
        self._asking: dict[Key, int] = {}  # homes that were let ask -> until when
        self._looked: dict[Key, int] = {}
        self._closings = 0
        self.tests = SelfTests(self, registry)
        self.pauses = Pauses(self, registry)
        self.told = Told(lambda key: self.homes.get(key), self.change, lambda key: key in self._registry.homes)
        self._backlog = Backlog()
        self._failed: dict[Key, Exception] = {}  # homes with which something of ours went wrong since the last look
        self._beats = _beats(registry)
        self._doubted: dict[Key, bool] = {}  # their times may lie ahead of the clock; whether it jumped forward meanwhile

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
        self._doubted = dict.fromkeys(self.homes, False)
        self.tests.forget()
        self.pauses.forget()
        self.told.forget()
        return damaged

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._fresh |= registry.homes.keys() - self._registry.homes.keys()
        self._registry = registry
        self._beats = _beats(registry)
        self.tests.expect(registry)
        self.pauses.expect(registry)

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

    def log_line(self, key: Key, at_ns: int, who: str, what: str, detail: str) -> None:
        """As `note`."""
        self._notes.append(Note(*key, at_ns, who, what, detail))

    def command(self, site: str, device: str, name: str, details: Mapping[str, object]) -> None:
        """A device is to do something, once what it follows from is on disk."""
        self.orders.append(Order(site, device, name, details))

    def look_soon(self, key: Key) -> None:
        """This home has its turn at the next look."""
        self._fresh.add(key)

    def begin_test(self, key: Key, now_ns: int, by: str) -> str:
        """See `selftest.begin`."""
        return self.tests.begin(key, now_ns, by)

    def observe(self, entry: Readings | Event) -> None:
        """Something came from a device of a home. Called for every reading of a home: some microseconds."""
        key = entry.site, entry.place
        setting = self._registry.homes.get(key)
        if setting is None:
            return
        home = self.homes.get(key) or self.home(key, entry.received_ns)
        self._heard[key] = max(entry.received_ns, self._heard.get(key, 0))
        if entry.received_ns - entry.time_ns > LATE_NS:
            self._backlog.came(key, entry.received_ns)
        try:
            self._take_in(entry, setting, home)
        except Exception as error:
            # The entry is stored all the same, and an SOS goes on to its rule: what failed is told at the next look.
            self._failed.setdefault(key, error)
        self._fresh.add(key)
        self._waiting.setdefault(key, self._saved.get(key, 0))

    def _take_in(self, entry: Readings | Event, setting: HomeSetting, home: Home) -> None:
        key = home.key
        event, zone = type(entry) is Event, self._zone(key)
        beat = self._beats.get(key)
        if beat is not None and not event and entry.device in beat.devices:
            evidence.told(home, min(entry.time_ns, entry.received_ns), beat.silence_s)
        for reading in entry.readings:
            name, value, flag = reading.name, reading.value, reading.flag
            seen = Seen(name, value, flag, entry.time_ns, entry.received_ns, entry.device, event)
            # Smoke told beside other readings becomes an alert with the next look: until then only this memory knows of it.
            if evidence.observe(seen, setting, home, zone) or (value == 1.0 and _is_alarm(name)):
                self._urgent.add(key)
            rules.observe(seen, setting, home)
        if isinstance(entry, Event):
            self.tests.hear(entry, home)
            self.pauses.hear(entry, home, setting)

    def look(self, view: View) -> list[Verdict]:
        """What the rules say to the homes whose turn it is; once a second."""
        now_ns = view.now_ns
        fresh, self._fresh = self._fresh, set()
        self._closings = 0
        found: list[Verdict] = []
        for key in [key for key in self._doubted if not key[1]]:  # what is kept of whole sites has no turn of its own
            del self._doubted[key]
            evidence.mend(self.homes[key], now_ns)
        for key, setting in self._registry.homes.items():
            if key not in fresh and abs(now_ns - self._looked.get(key, 0)) < _LOOK_NS:
                continue
            self._looked[key] = now_ns
            try:
                found += self._look_at(setting, self.home(key, now_ns), view)
            except Exception as error:  # of one home; all others are watched
                self._failed.setdefault(key, error)
        found += self.tests.look(view)
        failed, self._failed = self._failed, {}
        return found + self.told.sift([rules.broken("homes", error, now_ns, *key) for key, error in failed.items()], now_ns)

    def watched(self, key: Key, now_ns: int) -> Watched | None:
        """A home as the rules see it; None: the registry has none there."""
        setting = self._registry.homes.get(key)
        if setting is None:
            return None
        return self._watched(setting, self.home(key, now_ns))

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

    def consented(self, key: Key) -> bool:
        """Whether a home may be watched."""
        return consent.given(self.homes.get(key), self.consent_required)

    def take_notes(self) -> list[Note]:
        """Lines to save now."""
        notes, self._notes = self._notes, []
        return notes

    def seen(self, now_ns: int, missed: Mapping[Key, int]) -> HomesSeen:
        """What rules that look at more than one home have to know; `missed`: see there."""
        paused, absent = {}, []
        for key, home in self.homes.items():
            if home.pause is not None and now_ns < home.pause.until_ns:
                paused[key] = home.pause.reason
            if home.away is not None and home.away.kind in (away.LONG, away.DAUGHTER) and now_ns < home.away.until_ns:
                absent.append(key)
        sites = {site: self.homes[site, ""] for site in self._registry.sites if (site, "") in self.homes}
        return HomesSeen(paused, sites, missed, frozenset(absent))

    def witnessed(self, verdicts: list[Verdict]) -> list[Verdict]:
        """What an event raised at a home, with the last that was noticed there before it."""
        found: list[Verdict] = []
        for verdict in verdicts:
            home = self.homes.get((verdict.site, verdict.place)) if isinstance(verdict, Finding) and verdict.place else None
            if home is not None and isinstance(verdict, Finding) and self.consented(home.key):
                with suppress(Exception):  # it goes out without, as it came
                    verdict = proof.beside(verdict, home, words.zone(self._registry, verdict.site))
            found.append(verdict)
        return found

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
        self._backlog.shift(by_ns)
        self._looked.clear()
        self._doubted = dict.fromkeys(self.homes, by_ns > 0)

    def _look_at(self, setting: HomeSetting, home: Home, view: View) -> list[Verdict]:
        before = home.pause, home.away, home.said
        if home.key in self._doubted:
            evidence.mend(home, view.now_ns, self._doubted.pop(home.key))
        evidence.settle(home, view.now_ns)
        if (home.pause, home.away, home.said) != before:
            self.change(home.key, view.now_ns)
        past = self.pasts.get(home.key) or Past()
        if self._closings >= _CLOSINGS:
            self._fresh.add(home.key)
        elif (taught := learn.close_day(home, past, setting, view.now_ns, self._zone(home.key))) is not None:
            self._closings += 1
            self.learned(home.key, taught)
            self._urgent.add(home.key)
        self._end_asking(home, view.now_ns)
        watched = self._watched(setting, home)
        if evidence.advance(watched, view.now_ns):
            self._urgent.add(home.key)
        self.tests.advance(home, watched.zone, view)
        if self._backlog.is_coming(home.key, view.now_ns) or not self.consented(home.key):
            watched = msgspec.structs.replace(watched, catching_up=True)
        verdicts = self.told.sift(rules.look_home(watched, view), view.now_ns)
        verdicts += self.pauses.advance(home, view)
        for verdict in verdicts:
            if isinstance(verdict, Prewarn):
                self._prewarn(verdict, home, view.now_ns)
        return verdicts

    def _watched(self, setting: HomeSetting, home: Home) -> Watched:
        beat, past = self._beats.get(home.key), self.pasts.get(home.key) or Past()
        silence_s = beat.silence_s if beat is not None else 0.0
        return Watched(setting, home, past, self._heard.get(home.key, 0), self._zone(home.key), silence_s=silence_s)

    def _prewarn(self, asked: Prewarn, home: Home, now_ns: int) -> None:
        home.asked = Asked(asked.key, now_ns, now_ns + asked.seconds * _SECOND)
        self._urgent.add(home.key)
        self._asking[home.key] = home.asked.ends_ns
        self._let_ask(home.key, asked.seconds)

    def _end_asking(self, home: Home, now_ns: int) -> None:
        """Somebody answered, elsewhere in the home or by telephone: it need not go on asking."""
        ends_ns = self._asking.get(home.key)
        if ends_ns is None or (home.asked is not None and now_ns < ends_ns):
            return
        del self._asking[home.key]
        if home.asked is None and now_ns < ends_ns:
            self._let_ask(home.key, 0)

    def _let_ask(self, key: Key, seconds: int) -> None:
        for device in self._registry.devices.values():
            if device.model == ELDER_HOME and (device.site, device.place) == key:
                self.orders.append(Order(device.site, device.id, "prewarn", {"seconds": seconds}))

    def _zone(self, key: Key) -> str:
        site = self._registry.sites.get(key[0])
        return site.zone if site is not None else "UTC"


@lru_cache(maxsize=4096)
def _is_alarm(name: str) -> bool:
    return name.partition(".")[0] in rules.ALARMS


def _beats(registry: Registry) -> dict[Key, _Beat]:
    """Of the homes with a device that could see a person and is never silent for long."""
    found: dict[Key, _Beat] = {}
    for device in registry.devices.values():
        if device.place and device.silence_s > 0 and evidence.sees(device.measures):
            known = found.get((device.site, device.place), _Beat(_LEAST_SILENCE_S, frozenset()))
            silence_s = max(known.silence_s, device.silence_s)
            found[device.site, device.place] = _Beat(silence_s, known.devices | {device.id})
    return found
