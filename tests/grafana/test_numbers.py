"""The numbers that panels show are those that were measured: computed once more, from recordings and what was stored."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from dashboards.grafana.fleet import SHOWN_FROM
from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import Readings, split_name
from simulator.recordings import RECORDINGS
from tests.grafana import asking, facts
from tests.grafana.asking import Asked, Query, Series
from tests.grafana.expand import Range
from tests.grafana.facts import Facts, Reduce, Shown, mean, rates, rises
from tests.grafana.happenings import RECORDED, Script
from tests.grafana.seed import END_S, Seed
from tests.grafana.test_queries import DASHBOARDS, RANGES

pytestmark = pytest.mark.timeout(600)  # the first of them waits for the story and for a database that is filled

DAY, MONTH, YEAR = RANGES["day"], RANGES["month"], RANGES["year"]
CLOSE: Final = 1e-9
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
SHANGHAI_MS: Final = 8 * HOUR_MS

Of = Callable[[Facts, Range], Shown]


@pytest.fixture(scope="session")
def stored(told: Seed) -> Facts:
    return Facts(told.entries)


@pytest.mark.parametrize("name", RECORDED)
def test_what_was_stored_of_a_recording_is_what_its_file_holds(told: Seed, data: Path, name: str) -> None:
    site = RECORDINGS[name].site
    expected = Counter(
        (d, q, t, v if isinstance(v, str) else v and round(v, 9)) for d, q, t, v in Script(data, END_S).expected(name)
    )
    devices = {device for device, *_ in expected}
    found: Counter[tuple[str, str, int, Any]] = Counter()
    flags: Counter[tuple[int, bool]] = Counter()
    for entry in told.entries:
        if isinstance(entry, Readings) and entry.site == site and entry.device in devices:
            for reading in entry.readings:
                quantity = QUANTITIES[split_name(reading.name)[0]]
                if quantity.group in ("fleet", "silence", "position"):
                    continue
                value = reading.value
                found[
                    entry.device, reading.name, entry.time_ns, value if isinstance(value, str) else value and round(value, 9)
                ] += 1
                if not isinstance(value, str):
                    low, high = quantity.low, quantity.high
                    believable = value is not None and (low is None or value >= low) and (high is None or value <= high)
                    flags[reading.flag, believable] += 1
    assert (expected - found, found - expected) == (Counter(), Counter())
    assert all((flag == 1) == believable for flag, believable in flags), flags


def raw(quantity: str, by: Sequence[str], reduce: Reduce) -> Of:
    """Readings by `$__interval`."""
    return lambda stored, shown: stored.raw(quantity, shown, by, reduce)


def hours(quantity: str, by: Sequence[str], inner: Reduce, outer: Reduce) -> Of:
    return lambda stored, shown: stored.rolled(quantity, shown, by, inner, outer, days=False)


def days(quantity: str, by: Sequence[str], inner: Reduce, outer: Reduce) -> Of:
    return lambda stored, shown: stored.rolled(quantity, shown, by, inner, outer, days=True)


def above(of: Of, limit: float) -> Of:
    """What is larger."""

    def larger(values: Mapping[int, float]) -> dict[int, float]:
        return {at: value for at, value in values.items() if value > limit}

    return lambda stored, shown: {tags: kept for tags, values in of(stored, shown).items() if (kept := larger(values))}


def spans(of: Of, length_ms: int, how: Callable[[float, float], float] = max) -> Of:
    """The largest, or smallest, of each longer span."""

    def largest(values: Mapping[int, float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for at, value in values.items():
            start = (
                (at + SHANGHAI_MS) // length_ms * length_ms - SHANGHAI_MS if length_ms > DAY_MS else at // length_ms * length_ms
            )
            found[start] = how(value, found.get(start, value))
        return found

    return lambda stored, shown: {tags: largest(values) for tags, values in of(stored, shown).items()}


def changed(of: Of, how: Callable[[Mapping[int, float]], dict[int, float]]) -> Of:
    """Differences or rates of it."""
    return lambda stored, shown: {tags: how(values) for tags, values in of(stored, shown).items()}


def flagged(quantity: str, flag: int, by: Sequence[str]) -> Of:
    """Single readings with a flag, at their own time."""

    def of(stored: Facts, shown: Range) -> Shown:
        found: Shown = defaultdict(dict)
        for fact in stored.of(quantity, shown, good=False):
            if fact.flag == flag and fact.value is not None:
                found[fact.tags(by)][fact.time_ns // facts.MS] = fact.value
        return found

    return of


def newest(quantity: str, by: Sequence[str]) -> Of:
    """One row each; the database gives the start of the range as its time."""
    return lambda stored, shown: {tags: {0: value} for tags, value in stored.last(quantity, shown, by).items()}


def per_minute(values: Mapping[int, float]) -> dict[int, float]:
    return rates(values, MINUTE_MS)


def leveled(
    dashboard: str, panel: int, column: int, quantity: str, by: Sequence[str], how: Reduce, then: Any = None
) -> list[tuple[str, int, str, Range, int, Of]]:
    """The three targets of a panel that chooses between readings, hours and days."""
    made = [
        (dashboard, panel, "A", DAY, column, raw(quantity, by, how)),
        (dashboard, panel, "Ah", MONTH, column, hours(quantity, by, how, how)),
        (dashboard, panel, "Ad", YEAR, column, days(quantity, by, how, how)),
    ]
    return [(*one[:5], changed(one[5], then) if then else one[5]) for one in made]


def indoors(rows: list[tuple[str, int, str, Range, int, Of]]) -> list[tuple[str, int, str, Range, int, Of]]:
    """Without the balcony, where it is 40 degrees."""

    def without(of: Of) -> Of:
        return lambda stored, shown: {tags: values for tags, values in of(stored, shown).items() if "balcony" not in tags}

    return [(*row[:5], without(row[5])) for row in rows]


GATEWAY, PROBE, PLACE = ("device",), ("site", "device", "channel"), ("site", "place", "channel")
DEVICE: Final = ("site", "device")
# dashboard, panel, letter, range, which of its columns (0 the first), what it must show
NUMBERS: Final = [
    *leveled("kanhu-operations", 10, 0, "messages_stored", GATEWAY, max, per_minute),
    *leveled("kanhu-operations", 10, 3, "messages_dead", GATEWAY, max, per_minute),
    *leveled("kanhu-operations", 11, 1, "database_refused", GATEWAY, max, rises),
    *leveled("kanhu-operations", 13, 0, "devices_expected", GATEWAY, max),
    *leveled("kanhu-operations", 13, 1, "devices_silent", GATEWAY, max),
    *leveled("kanhu-operations", 22, 0, "commit_time", GATEWAY, max),
    *leveled("kanhu-operations", 23, 0, "disk_free", GATEWAY, min),
    *leveled("kanhu-operations", 30, 0, "notices_sent", GATEWAY, max, rises),
    *leveled("kanhu-operations", 31, 0, "alerts_open", GATEWAY, max),
    *leveled("kanhu-operations", 32, 0, "alert_unaccepted_age", GATEWAY, max),
    *leveled("kanhu-operations", 33, 0, "certificate_left", GATEWAY, min),
    ("kanhu-operations", 1, "A", DAY, 7, newest("devices_silent", GATEWAY)),
    *leveled("kanhu-river", 20, 0, "water_temperature", PROBE, mean),
    *leveled("kanhu-river", 21, 0, "ph", PROBE, mean),
    *leveled("kanhu-river", 22, 0, "dissolved_oxygen", PROBE, mean),
    *leveled("kanhu-river", 23, 0, "conductivity", PROBE, mean),
    *leveled("kanhu-river", 24, 0, "turbidity", PROBE, mean),
    *leveled("kanhu-river", 25, 0, "water_level", PROBE, mean),
    *leveled("kanhu-river", 26, 0, "ammonia_n", PROBE, mean),
    ("kanhu-river", 20, "B", DAY, 0, flagged("water_temperature", 3, PROBE)),
    ("kanhu-river", 21, "C", DAY, 0, flagged("ph", 4, PROBE)),
    ("kanhu-river", 1, "A", DAY, 0, newest("water_temperature", ("site", "device", "place", "channel"))),
    *indoors(leveled("kanhu-homes", 11, 0, "temperature", PLACE, min)),
    *indoors(leveled("kanhu-homes", 11, 1, "temperature", PLACE, mean)),
    *indoors(leveled("kanhu-homes", 11, 2, "temperature", PLACE, max)),
    ("kanhu-homes", 10, "A", DAY, 0, raw("motion", PLACE, max)),
    ("kanhu-fleet", 10, "Ah", MONTH, 0, spans(above(hours("overdue", DEVICE, max, max), SHOWN_FROM), 2 * HOUR_MS)),
    ("kanhu-fleet", 11, "Ah", MONTH, 0, spans(hours("battery_level", DEVICE, min, min), 2 * HOUR_MS, min)),
    ("kanhu-homes", 10, "Ah", MONTH, 0, spans(hours("motion", PLACE, max, max), 2 * HOUR_MS)),
    ("kanhu-homes", 10, "Aw", YEAR, 0, spans(days("motion", PLACE, max, max), 7 * 24 * HOUR_MS)),
    ("kanhu-homes", 10, "C", DAY, 0, raw("contact", PLACE, max)),
    ("kanhu-homes", 2, "A", DAY, 0, newest("home_alerts", ("site", "place"))),
]


@pytest.mark.parametrize(
    ("dashboard", "panel", "ref", "shown", "column", "of"),
    [pytest.param(*row, id=f"{row[0]}-{row[1]}-{row[2]}-{row[4]}") for row in NUMBERS],
)
def test_a_panel_shows_what_was_measured(
    filled: Asked, stored: Facts, dashboard: str, panel: int, ref: str, shown: Range, column: int, of: Of
) -> None:
    query = found(dashboard, panel, ref)
    shown = query.seen_in(shown)
    shown = replace(shown, points=query.points or shown.points)
    answer = filled.run(query, shown, asking.set_to_all(filled, DASHBOARDS[dashboard], shown))
    assert_same(answer, query, query.columns()[column], of(stored, shown))


def found(dashboard: str, panel: int, ref: str) -> Query:
    return next(one for one in asking.panel_queries(DASHBOARDS[dashboard]) if (one.panel, one.ref) == (panel, ref))


def assert_same(answer: Sequence[Series], query: Query, column: str, expected: Shown) -> None:
    """Series by series, value by value; a row of one value stands for itself whatever time it has."""
    expected = {tags: values for tags, values in expected.items() if values}
    shown = {tuple(one.tags.get(tag, "") for tag in query.tags()): one.points(column) for one in answer}
    shown = {tags: values for tags, values in shown.items() if values}
    assert expected, "the seed holds nothing to compare with"
    assert shown.keys() == expected.keys()
    for tags, values in expected.items():
        if list(values) == [0]:
            assert list(shown[tags].values()) == [pytest.approx(values[0], rel=CLOSE)]
            continue
        assert shown[tags].keys() == values.keys(), tags
        wrong = {
            at: (shown[tags][at], value) for at, value in values.items() if shown[tags][at] != pytest.approx(value, rel=CLOSE)
        }
        assert not wrong, (tags, list(wrong.items())[:5])
