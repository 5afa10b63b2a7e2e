"""Counts that people are paid or judged by: visits, taps, alerts, losses, completeness, each counted once more by hand."""

from collections import Counter, defaultdict
from typing import Final

import pytest

from edge_gateway.events import Loss
from tests.grafana import asking
from tests.grafana.asking import Asked, Series
from tests.grafana.expand import Range
from tests.grafana.facts import MS, Facts, day, hour, within
from tests.grafana.happenings import HOMES
from tests.grafana.seed import Seed
from tests.grafana.test_numbers import found
from tests.grafana.test_queries import DASHBOARDS, RANGES

pytestmark = pytest.mark.timeout(600)

DAY, MONTH = RANGES["day"], RANGES["month"]
STATES: Final = ("planned", "on_time", "early", "late", "missed", "unknown", "wrong_place", "unplanned")
DAY_MS: Final = 86_400_000


@pytest.fixture(scope="session")
def stored(told: Seed) -> Facts:
    return Facts(told.entries)


def shown_by(filled: Asked, dashboard: str, panel: int, ref: str, shown: Range) -> list[Series]:
    query = found(dashboard, panel, ref)
    return filled.run(query, shown, asking.set_to_all(filled, DASHBOARDS[dashboard], shown))


def letters(dashboard: str, panel: int) -> dict[str, str]:
    """What a query counts -> its letter."""
    named = {}
    for query in asking.panel_queries(DASHBOARDS[dashboard]):
        states = [state for state in STATES if f"\"state\" = '{state}'" in query.text]
        if query.panel == panel and states:
            named[states[0]] = query.ref
    return named


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("length", ["day", "month"])
def test_visits_of_a_state_are_counted_by_place(filled: Asked, stored: Facts, state: str, length: str) -> None:
    shown = RANGES[length]
    answer = shown_by(filled, "kanhu-meals", 1, letters("kanhu-meals", 1)[state], shown)
    expected = Counter(
        (one.site, one.place) for one in stored.visits.values() if one.state == state and within(one.time_ns, shown)
    )
    assert {(one.tags["site"], one.tags["place"]): one.rows[0][1] for one in answer} == expected != {}


def test_visits_of_long_times_are_counted_from_whole_days(filled: Asked, stored: Facts) -> None:
    shown = RANGES["year"]
    found: Counter[tuple[str, str, str]] = Counter()
    for ref in ("Sd", "Ud"):
        for one in shown_by(filled, "kanhu-meals", 1, ref, shown):
            for name, value in zip(one.columns[1:], one.rows[0][1:], strict=True):
                found[one.tags["site"], one.tags["place"], name] += value
    over = [
        one for one in stored.visits.values() if shown.from_ms <= day(one.time_ns)[0] and day(one.time_ns)[1] <= shown.to_ms
    ]
    expected = Counter((one.site, one.place, one.state) for one in over)
    expected += Counter((one.site, one.place, "review") for one in over if one.reviewing and one.state != "gone")
    assert {key: n for key, n in found.items() if n} == {key: n for key, n in expected.items() if key[2] in (*STATES, "review")}
    assert {state for *_, state in found} >= {*STATES, "review"}


def test_how_late_over_long_times_is_the_latest_of_each_day(filled: Asked, stored: Facts) -> None:
    shown = RANGES["year"]
    expected: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for one in stored.visits.values():
        begins, ends = day(one.time_ns)
        if one.late_s > 0 and one.service and one.state != "gone" and shown.from_ms <= begins and ends <= shown.to_ms:
            days = expected[one.site, one.place]
            days[begins] = max(days.get(begins, 0.0), one.late_s)
    answer = shown_by(filled, "kanhu-meals", 3, "Ad", shown)
    assert {(one.tags["site"], one.tags["place"]): one.points("late") for one in answer} == expected != {}


@pytest.mark.parametrize("state", STATES)
def test_visits_of_a_state_are_counted_by_the_days_of_the_site(filled: Asked, stored: Facts, state: str) -> None:
    answer = shown_by(filled, "kanhu-meals", 2, letters("kanhu-meals", 2)[state], MONTH)
    expected = Counter(
        day(one.time_ns)[0] for one in stored.visits.values() if one.state == state and within(one.time_ns, MONTH)
    )
    counted = {row[0]: row[1] for one in answer for row in one.rows if row[1]}
    assert counted == expected != {}


def test_a_tap_counts_when_the_card_was_held_there_and_not_when_it_arrived(filled: Asked, stored: Facts) -> None:
    query = found("kanhu-meals", 10, "A")
    size_ms = MONTH.interval_ms(query.points, query.least)
    expected: dict[str, Counter[int]] = defaultdict(Counter)
    taps = [one for one in stored.events.values() if one.kind == "tap" and within(one.time_ns, MONTH)]
    for one in taps:
        expected[one.place][one.time_ns // MS // size_ms * size_ms] += 1
    late = [one for one in taps if one.received_ns - one.time_ns > 3600 * 10**9]
    assert late, "the story has a tap that came hours later"
    answer = shown_by(filled, "kanhu-meals", 10, "A", MONTH)
    assert {one.tags["place"]: one.points(query.columns()[0]) for one in answer} == expected


def test_what_devices_lost_is_summed(filled: Asked, told: Seed) -> None:
    expected: Counter[int] = Counter()
    for entry in told.entries:
        if isinstance(entry, Loss) and within(entry.time_ns, MONTH):
            expected[hour(entry.time_ns)[0]] += entry.last - entry.first + 1
    (answer,) = shown_by(filled, "kanhu-fleet", 12, "A", MONTH)
    assert answer.points("lost") == expected != {}


def test_boots_and_losses_of_a_device_are_what_came_in_a_week(filled: Asked, stored: Facts) -> None:
    query = found("kanhu-fleet", 1, "B")
    shown = query.seen_in(DAY)
    answer = {one.tags["device"]: one for one in shown_by(filled, "kanhu-fleet", 1, "B", DAY)}
    for column, quantity in (("boots", "boots"), ("lost", "lost_messages"), ("dead", "dead_messages")):
        series: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for fact in stored.of(quantity, shown):
            assert fact.value is not None
            series[fact.device].append((fact.time_ns, fact.value))
        expected = {device: max(facts)[1] - min(facts)[1] for device, facts in series.items()}
        assert {device: one.column(column)[-1] for device, one in answer.items()} == expected
        assert any(expected.values()), f"the story has {column}"


def test_homes_are_summed_up_from_each_homes_last_minute(filled: Asked, stored: Facts) -> None:
    query = found("kanhu-homes", 1, "A")
    shown = query.seen_in(DAY)
    homes = ("site", "place")
    (answer,) = shown_by(filled, "kanhu-homes", 1, "A", DAY)
    waits, alerts, unprotected, count = answer.rows[0][1:]
    last = {name: stored.last(name, shown, homes) for name in ("home_unaccepted_age", "home_alerts", "home_unprotected")}
    assert waits == pytest.approx(max(last["home_unaccepted_age"].values()))
    assert (alerts, unprotected) == (sum(last["home_alerts"].values()), sum(last["home_unprotected"].values()))
    assert count == len(last["home_alerts"]) == len(HOMES)


def test_an_alert_says_who_accepted_it_and_after_how_long(filled: Asked, stored: Facts) -> None:
    query = found("kanhu-homes", 3, "B")
    answer = shown_by(filled, "kanhu-homes", 3, "B", MONTH)
    rows = [dict(zip(query.columns(), row[1:], strict=True)) for one in answer for row in one.rows]
    expected = [
        {"alert": one.alert, "accepted_by": one.by, "accepted_after": one.waited_s}
        for one in stored.alerts.values()
        if one.state == "accepted" and one.place and within(one.time_ns, MONTH)
    ]
    assert sorted(rows, key=repr) == sorted(expected, key=repr)
    assert sorted((row["accepted_by"], row["accepted_after"]) for row in rows) == [("zhang", 90.0), ("zhang", 240.0)]


@pytest.mark.parametrize(
    ("device", "ref", "quantity", "cadence_s"),
    [
        pytest.param("tony-grove", "B", "ph", 900, id="recorded, a quarter of an hour"),
        pytest.param("main-street", "A", "water_temperature", 900, id="recorded, a year"),
        pytest.param("probe-1", "F", "water_level", 300, id="five minutes"),
        pytest.param("probe-3", "G", "ammonia_n", 900, id="with failed and missing readings"),
    ],
)
def test_completeness_is_the_share_of_usable_readings_of_what_the_cadence_promises(
    filled: Asked, stored: Facts, device: str, ref: str, quantity: str, cadence_s: int
) -> None:
    query = found("kanhu-river", 10, ref)
    shown = query.seen_in(DAY)
    good: Counter[int] = Counter()
    for fact in stored.of(quantity, shown):
        if fact.device == device:
            good[day(fact.time_ns)[0]] += 1
    over = [start for start in good if start >= shown.from_ms and start + DAY_MS <= shown.to_ms]
    (answer,) = [one for one in shown_by(filled, "kanhu-river", 10, ref, DAY) if one.tags["device"] == device]
    points = answer.points(query.columns()[0])
    assert over, "there is a whole day"
    for start in over:
        assert points[start] == pytest.approx(100 * good[start] / (DAY_MS / 1000 / cadence_s))
    assert all(start in over or value == 0 for start, value in points.items())
