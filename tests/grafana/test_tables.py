"""The joined tables of devices and homes: one row for each, the worst first, and nothing of what the registry has no more."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from dashboards.grafana import fleet, homes, words
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language
from edge_gateway import rules
from edge_gateway.alerts.alert import State
from edge_gateway.events import AlertChange, Readings
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import climate
from edge_gateway.rules.rule import Severity
from tests.grafana import asking, shown
from tests.grafana.asking import Asked
from tests.grafana.expand import Range
from tests.grafana.seed import NOW_NS, Seed
from tests.grafana.shown import Frame, Row

pytestmark = pytest.mark.timeout(600)

NOW_MS: Final = NOW_NS // 1_000_000
DAY: Final = Range(NOW_MS - 86_400_000, NOW_MS)
MONTH: Final = Range(NOW_MS - 30 * 86_400_000, NOW_MS)
FLEET: Final = fleet.build(Options(), Language.EN)
HOMES: Final = homes.build(Options(), Language.EN)


def table(asked: Asked, dashboard: Mapping[str, Any], number: int, seen: Range = DAY) -> list[Row]:
    return shown.table(asked, dashboard, number, seen, asking.set_to_all(asked, dashboard, seen))


def latest(told: Seed, name: str) -> dict[tuple[str, str, str], float]:
    """The last value of a quantity that each site, place and device had."""
    found: dict[tuple[str, str, str], float] = {}
    for entry in sorted((one for one in told.entries if isinstance(one, Readings)), key=lambda one: one.time_ns):
        for reading in entry.readings:
            if reading.name == name and isinstance(reading.value, float) and reading.flag <= 2:
                found[entry.site, entry.place, entry.device] = reading.value
    return found


def test_every_device_of_the_registry_is_one_row_and_the_worst_is_the_first(filled: Asked, told: Seed) -> None:
    rows = table(filled, FLEET, 1)
    overdue = latest(told, "overdue")
    assert sorted((row["Site"], row["Place"], row["Device"]) for row in rows) == sorted(overdue)
    assert [row["Overdue"] for row in rows] == sorted(overdue.values(), reverse=True)
    battery, signal = latest(told, "battery_level"), latest(told, "rssi")
    for row in rows:
        at = row["Site"], row["Place"], row["Device"]
        assert row["Battery"] == battery.get(at)
        assert row["Signal"] == (signal[at] + 30 if at in signal else None)
        assert row["As of"] == NOW_MS


def test_a_device_that_the_registry_has_no_more_is_no_row() -> None:
    panel = next(one for one in FLEET["panels"] if one["id"] == 1)
    at = {"site": "s", "place": "p"}
    told = ("overdue", "silent_for", "cadence", "missing_messages")
    here: Row = {"Time": 1, **at, "device": "here", **dict(zip(told, (0.2, 12.0, 60.0, 0.0), strict=True))}
    gone: Row = {"Time": 1, **at, "device": "gone", **dict(zip(told, (0.0, None, None, None), strict=True))}
    charged: list[Row] = [{"Time": 2, **at, "device": name, "battery_level": 50.0} for name in ("here", "gone")]
    frames = [Frame("A", list(here), [here, gone]), Frame("C", list(charged[0]), charged)]
    [row] = shown.shown_rows(panel, frames)
    assert (row["Device"], row["Battery"], row["As of"]) == ("here", 50.0, 1)


def test_a_sensor_is_listed_only_when_it_is_silent(filled: Asked, told: Seed) -> None:
    rows = table(filled, FLEET, 2)
    assert {row["Device"] for row in rows} >= {"home-2"}
    assert all(row["Overdue"] > 1 for row in rows)
    assert ("home-1", "temperature") not in {(row["Device"], row["Quantity"]) for row in rows}


def test_every_home_is_one_row_and_the_one_that_waits_longest_is_the_first(filled: Asked, told: Seed) -> None:
    rows = table(filled, HOMES, 2)
    waits = {(site, place): value for (site, place, _), value in latest(told, "home_unaccepted_age").items()}
    assert {(row["Site"], row["Home"]) for row in rows} == set(waits)
    assert len(rows) == len(waits)
    assert [row["Not accepted for"] for row in rows] == sorted(waits.values(), reverse=True)
    overdue = latest(told, "overdue")
    for row in rows:
        assert row["Device overdue"] == max(
            value for (*home, _), value in overdue.items() if home == [row["Site"], row["Home"]]
        )
    # Nobody lives on the balcony, where it is 40 degrees.
    assert max(row["Warmest"] or 0.0 for row in rows) < 35
    # Silent for three hours: what it was then is not how warm it is now.
    assert {row["Home"]: row["Warmest"] is not None for row in rows}["home-2"] is False


def test_every_alert_is_one_row_that_says_who_accepted_it_and_after_how_long(filled: Asked, told: Seed) -> None:
    rows = table(filled, HOMES, 3, MONTH)
    changes = [one for one in told.entries if isinstance(one, AlertChange) and one.rule == "sos"]
    expected = set()
    for alert in {one.alert for one in changes}:
        mine = sorted((one for one in changes if one.alert == alert), key=lambda one: one.time_ns)
        by, after_s = next(((one.by, one.waited_s) for one in mine if one.state == "accepted"), (None, None))
        expected.add((mine[0].time_ns // 10**6, mine[0].place, mine[-1].state, by, after_s))
    found = [(r["Raised"], r["Home"], r["State"], r["Accepted by"], r["After"]) for r in rows if r["What"] == "sos"]
    assert set(found) == expected
    assert len(found) == len(expected)
    assert {by is None for *_, by, _ in found} == {True, False}
    assert [row["Raised"] for row in rows] == sorted((row["Raised"] for row in rows), reverse=True)


def test_what_a_technician_mends_is_not_among_the_alerts_of_homes(filled: Asked) -> None:
    rows = table(filled, HOMES, 3, MONTH)
    assert {row["What"] for row in rows if row["Severity"] == "notice"}.isdisjoint(homes.TECHNICAL)
    assert {row["Site"] for row in rows} == {"wutong", "hehuan"}


def test_every_rule_state_and_severity_of_alerts_has_a_word() -> None:
    assert {rule.name for rule in rules.RULES} <= words.RULES.keys()
    assert set(State) == words.ALERT_STATES.keys()
    assert set(Severity) == words.SEVERITIES.keys()


def test_the_limits_that_are_drawn_are_those_of_the_rules() -> None:
    setting = HomeSetting("site", "place")
    assert (setting.cold, setting.heat) == (homes.COLD, homes.HEAT)
    assert homes.NO_ROOMS == climate._OUTSIDE
