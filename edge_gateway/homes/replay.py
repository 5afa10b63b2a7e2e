"""One home, replayed: its readings in the order in which they came, exactly as the running gateway takes them. Pure.

`fork` makes a second world from here on, so that many falls can be tried without playing the weeks before them again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge_gateway.homes import evidence, learn
from edge_gateway.homes.home import Asked, Home, Past, Watched, pack, unpack_home, unpack_past
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.registry import ELDER_HOME, Device, Registry, Site
from edge_gateway.rules import inactivity
from edge_gateway.rules.rule import Finding, Prewarn, Returned, Rule, Verdict, View

_SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Said:
    """A rule said something new at `at_ns`: a question at home, an alert, the end of one."""

    at_ns: int
    verdict: Verdict


class Replayer:
    """
    Args:
        setting, zone: of the home; zone is an IANA name.
        past: what was learned before; changed as days end.
        learning: whether days that end teach it something; False with an empty past is the fixed limit.
        rules: those that are asked; each needs `look_home`, and its `observe` sees the readings it names.
        step_s: how often the rules look, seconds.
        silence_s: a home whose devices tell their state at a cadence is deaf after so many seconds; 0: it only tells changes.

    Attributes:
        home, past: as the gateway would remember them now.
        open: key -> finding of the alerts that are open; a person's closing is `close`.
        now_ns: until when it was played; 0: nothing yet.
    """

    def __init__(
        self,
        setting: HomeSetting,
        zone: str = "Asia/Shanghai",
        *,
        past: Past | None = None,
        learning: bool = True,
        rules: Iterable[Rule] = (inactivity.RULE,),
        step_s: float = 60.0,
        silence_s: float = 0.0,
    ) -> None:
        self.home = Home(setting.site, setting.place)
        self.past = past or Past()
        self.open: dict[str, Finding] = {}
        self.now_ns = 0
        self._setting, self._zone, self._learning = setting, zone, learning
        self._rules = tuple(rules)
        self._step_ns, self._silence_s = int(step_s * _SECOND), silence_s
        device = Device(setting.site, "home", setting.place, ELDER_HOME)
        site = Site(setting.site, setting.site, zone)
        self._registry = Registry({site.id: site}, {device.key: device}, {setting.key: setting})

    def feed(self, seen: Seen) -> list[Said]:
        """Let the time pass until the reading came, then take it. Readings come in the order of `received_ns`."""
        said = self.advance(seen.received_ns)
        if self._silence_s and not seen.event:
            evidence.told(self.home, min(seen.time_ns, seen.received_ns), self._silence_s)
        evidence.observe(seen, self._setting, self.home, self._zone)
        quantity = seen.name.partition(".")[0]
        for rule in self._rules:
            if rule.observe is not None and quantity in rule.names:
                rule.observe(seen, self._setting, self.home)
        return said

    def advance(self, until_ns: int) -> list[Said]:
        """Let the time pass without readings, in steps; what the rules said meanwhile. The first call begins the time."""
        if not self.now_ns:
            self.home.since_ns = self.now_ns = until_ns
        said: list[Said] = []
        while self.now_ns + self._step_ns <= until_ns:
            self.now_ns += self._step_ns
            said += self._look()
        return said

    def close(self, key: str) -> None:
        """A person closed the alert."""
        self.open.pop(key, None)

    def fork(self) -> "Replayer":
        """A copy that goes its own way from here on."""
        other = Replayer(
            self._setting,
            self._zone,
            past=unpack_past(pack(self.past)),
            learning=self._learning,
            rules=self._rules,
            silence_s=self._silence_s,
        )
        other.home, other.now_ns = unpack_home(pack(self.home)), self.now_ns
        other.open, other._step_ns = dict(self.open), self._step_ns
        return other

    def _look(self) -> list[Said]:
        if self._learning:
            self.past = learn.close_day(self.home, self.past, self._setting, self.now_ns, self._zone) or self.past
        watched = Watched(self._setting, self.home, self.past, self.now_ns, self._zone, silence_s=self._silence_s)
        evidence.advance(watched, self.now_ns)
        view = View(self.now_ns, self._registry, self.now_ns, open=self.open.keys())
        said = []
        for rule in self._rules:
            if rule.look_home is not None:
                said += [Said(self.now_ns, verdict) for verdict in list(rule.look_home(watched, view)) if self._is_new(verdict)]
        return said

    def _is_new(self, verdict: Verdict) -> bool:
        if isinstance(verdict, Prewarn):
            self.home.asked = Asked(verdict.key, self.now_ns, self.now_ns + verdict.seconds * _SECOND)
            return True
        if isinstance(verdict, Returned):
            finding = self.open.get(verdict.key)
            return finding is not None and finding.returns and self.open.pop(verdict.key) is finding
        known = self.open.get(verdict.key)
        self.open[verdict.key] = verdict
        return known is None or known.severity is not verdict.severity
