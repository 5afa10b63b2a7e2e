"""What dashboards should show, computed from what was stored by code that asks no database and knows no roll-ups."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from edge_gateway.events import AlertChange, Entry, Event, Readings, VisitChange, split_name
from tests.grafana.expand import Range

MS: Final = 1_000_000
HOUR_MS: Final = 3_600_000
ZONE: Final = ZoneInfo("Asia/Shanghai")

Tags = tuple[str, ...]
Shown = dict[Tags, dict[int, float]]  # tags -> time, ms -> value
Reduce = Callable[[Sequence[float]], float]


class Fact(NamedTuple):
    """One stored value."""

    site: str
    device: str
    place: str
    channel: str
    time_ns: int
    value: float | None
    flag: int

    @property
    def good(self) -> bool:
        return self.flag <= 2 and self.value is not None

    def tags(self, by: Sequence[str]) -> Tags:
        return tuple(str(getattr(self, name)) for name in by)


class Facts:
    """Everything that was stored; of one series and instant the last."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        found: dict[str, dict[tuple[str, str, str, str, int], Fact]] = defaultdict(dict)
        self.visits: dict[tuple[str, str, str, str, int], VisitChange] = {}
        self.alerts: dict[tuple[str, str, str, str, str, int], AlertChange] = {}
        self.events: dict[tuple[str, str, str, str, int], Event] = {}
        for entry in entries:
            if isinstance(entry, Readings):
                for reading in entry.readings:
                    name, channel = split_name(reading.name)
                    if not isinstance(reading.value, str):
                        key = entry.site, entry.device, entry.place, channel, entry.time_ns
                        found[name][key] = Fact(*key, reading.value, reading.flag)
            elif isinstance(entry, VisitChange):
                self.visits[entry.site, entry.place, entry.service, entry.plan, entry.time_ns] = entry
            elif isinstance(entry, AlertChange):
                key_ = entry.site, entry.device, entry.place, entry.rule, entry.severity, entry.time_ns
                self.alerts[key_] = entry
            elif isinstance(entry, Event):
                self.events[entry.site, entry.device, entry.place, entry.kind, entry.time_ns] = entry
        self._readings = {name: list(facts.values()) for name, facts in found.items()}

    def of(self, quantity: str, shown: Range, *, good: bool = True) -> list[Fact]:
        """Values of a quantity in what is looked at; only those that may be used, unless `good` is False."""
        return [fact for fact in self._readings[quantity] if within(fact.time_ns, shown) and (fact.good or not good)]

    def raw(self, quantity: str, shown: Range, by: Sequence[str], reduce: Reduce) -> Shown:
        """Readings by `$__interval`."""
        size_ms = shown.interval_ms()
        groups: dict[Tags, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for fact in self.of(quantity, shown):
            assert fact.value is not None
            groups[fact.tags(by)][fact.time_ns // MS // size_ms * size_ms].append(fact.value)
        return {tags: {at: reduce(values) for at, values in slots.items()} for tags, slots in groups.items()}

    def rolled(self, quantity: str, shown: Range, by: Sequence[str], inner: Reduce, outer: Reduce, *, days: bool) -> Shown:
        """Hours or days that are over: first of each series, then of all that share the tags."""
        series: dict[Tags, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for fact in self._readings[quantity]:
            start, end = day(fact.time_ns) if days else hour(fact.time_ns)
            if fact.good and start >= shown.from_ms and end <= shown.to_ms:
                assert fact.value is not None
                series[fact.site, fact.device, fact.place, fact.channel][start].append(fact.value)
        groups: dict[Tags, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for (site, device, place, channel), slots in series.items():
            tags = Fact(site, device, place, channel, 0, None, 0).tags(by)
            for start, values in slots.items():
                groups[tags][start].append(inner(values))
        return {tags: {at: outer(values) for at, values in slots.items()} for tags, slots in groups.items()}

    def last(self, quantity: str, shown: Range, by: Sequence[str]) -> dict[Tags, float]:
        """The newest value of each."""
        newest: dict[Tags, Fact] = {}
        for fact in self.of(quantity, shown):
            tags = fact.tags(by)
            if tags not in newest or fact.time_ns >= newest[tags].time_ns:
                newest[tags] = fact
        return {tags: fact.value for tags, fact in newest.items() if fact.value is not None}


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def within(time_ns: int, shown: Range) -> bool:
    """Both ends included, as Grafana asks."""
    return shown.from_ms * MS <= time_ns <= shown.to_ms * MS


def hour(time_ns: int) -> tuple[int, int]:
    """Start and end of its UTC hour, ms."""
    start = time_ns // MS // HOUR_MS * HOUR_MS
    return start, start + HOUR_MS


def day(time_ns: int) -> tuple[int, int]:
    """Start and end of its day in Shanghai, ms."""
    at = datetime.fromtimestamp(time_ns / 1e9, ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return int(at.timestamp() * 1000), int((at + timedelta(days=1)).timestamp() * 1000)


def rises(values: Mapping[int, float]) -> dict[int, float]:
    """`non_negative_difference` of a series of one value an interval: a fall is left out."""
    times = sorted(values)
    steps = {at: values[at] - values[before] for before, at in pairwise(times)}
    return {at: step for at, step in steps.items() if step >= 0}


def rates(values: Mapping[int, float], unit_ms: int) -> dict[int, float]:
    """`non_negative_derivative`."""
    times = sorted(values)
    pairs = list(pairwise(times))
    found = {at: (values[at] - values[before]) / (at - before) * unit_ms for before, at in pairs}
    return {at: rate for at, rate in found.items() if rate >= 0}
