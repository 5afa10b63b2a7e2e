"""What must not mislead an alert rule: restarts, totals that begin again, dead devices, doubtful values; in simulated time."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from dashboards.grafana.alert_rules import BATTERY_DAYS, RIVER_DAYS
from dashboards.grafana.options import Options
from tests.databases import Database
from tests.grafana import model
from tests.grafana.rule_minutes import BEGIN_S, DAY, MINUTE, Minutes, api_rules, asker, filed

GATEWAY: Final = {"site": "kanhu", "device": "gateway"}
STATION: Final = {"site": "qingxi", "device": "probe-1"}
TOTALS: Final = {
    "database-refusing": "database_refused",
    "dead-letters": "messages_dead",
    "broker-dropping": "broker_dropped",
    "notices-failing": "notices_failed",
}


def told_by(
    database: Database, name: str, minutes: Minutes, until: int, since: int = 10, options: Options | None = None, **changes: Any
) -> list[model.Told]:
    """What a rule says of these minutes; `at_s` in minutes of the story."""
    minutes.write(database)
    return asked_by(asker(database), name, until, since, options, **changes)


def asked_by(
    ask: model.Ask, name: str, until: int, since: int = 10, options: Options | None = None, **changes: Any
) -> list[model.Told]:
    rule, interval_s = api_rules(options)[name]
    told, _ = model.run(
        {**rule, **changes}, interval_s, ask, BEGIN_S + since * MINUTE + 7, BEGIN_S + until * MINUTE, model.Policy(0, 60)
    )
    return [one._replace(at_s=(one.at_s - BEGIN_S) / MINUTE) for one in told]


def statuses(told: Sequence[model.Told]) -> list[tuple[str, str]]:
    return [(one.status, one.reason) for one in told]


def gateway(value: Callable[[int], float | None], field: str, minutes: int, device: str = "gateway") -> Minutes:
    made = Minutes()
    for minute in range(minutes):
        made.add("gateway", GATEWAY | {"device": device}, BEGIN_S + minute * MINUTE, {field: value(minute)})
    return made


# The gateway itself


def test_a_silent_gateway_is_told_after_three_to_five_minutes_and_its_end_when_it_writes_again(influxdb1: Database) -> None:
    minutes = gateway(lambda minute: 0.0 if not 30 <= minute < 60 else None, "outbox_entries", 90)
    began, ended = told_by(influxdb1, "gateway-silent-gateway", minutes, 90)
    assert (began.status, began.reason, ended.status, ended.reason) == ("firing", "NoData", "resolved", "")
    assert 32 <= began.at_s <= 35
    assert 60 <= ended.at_s <= 62


def test_a_restart_of_two_minutes_is_told_by_nobody(influxdb1: Database) -> None:
    minutes = gateway(lambda minute: 0.0 if minute not in (30, 31) else None, "outbox_entries", 60)
    assert told_by(influxdb1, "gateway-silent-gateway", minutes, 60) == []


def test_one_silent_gateway_of_two_is_told_as_itself(influxdb1: Database) -> None:
    """Its series vanishes beside that of the other, which no no-data state of a common rule would see."""
    options = Options(gateways=("gateway", "river-gw"))
    both = gateway(lambda minute: 0.0, "outbox_entries", 60)
    both.lines += gateway(lambda minute: 0.0 if minute < 30 else None, "outbox_entries", 60, "river-gw").lines
    both.write(influxdb1)
    ask = asker(influxdb1)
    assert asked_by(ask, "gateway-silent-gateway", 60, options=options) == []
    assert statuses(asked_by(ask, "gateway-silent-river-gw", 60, options=options)) == [("firing", "NoData")]
    fixed = api_rules(options)["gateway-silent-river-gw"][0]["labels"]
    assert (fixed["device"], fixed["via"]) == ("river-gw", "outside")


def test_two_gateways_with_long_names_have_two_short_uids() -> None:
    long = ("a" * 47 + "1", "a" * 47 + "2")
    rules = [rule for rule, _ in api_rules(Options(gateways=long)).values()]
    uids = {rule["uid"] for rule in rules}
    assert len(uids) == len(rules)
    assert all(len(uid) <= 40 for uid in uids)


def test_a_database_that_cannot_be_asked_is_an_alert_of_the_silent_gateway(influxdb1: Database) -> None:
    gateway(lambda minute: 0.0, "outbox_entries", 60).write(influxdb1)
    reached = asker(influxdb1)

    def ask(query: str, from_s: float, to_s: float) -> Sequence[model.Series]:
        if 30 <= (to_s - BEGIN_S) / MINUTE < 40:
            raise OSError("connection refused")
        return reached(query, from_s, to_s)

    assert statuses(asked_by(ask, "gateway-silent-gateway", 60)) == [("firing", "Error"), ("resolved", "")]


def test_a_database_that_restarts_alarms_nobody(influxdb1: Database) -> None:
    gateway(lambda minute: 0.0, "outbox_entries", 60).write(influxdb1)
    reached = asker(influxdb1)

    def ask(query: str, from_s: float, to_s: float) -> Sequence[model.Series]:
        if 30 <= (to_s - BEGIN_S) / MINUTE < 31:
            raise OSError("connection refused")
        return reached(query, from_s, to_s)

    assert [name for name in api_rules() if asked_by(ask, name, 60)] == []


def test_a_new_grafana_over_an_empty_database_tells_of_the_gateway_and_of_nothing_else(influxdb1: Database) -> None:
    ask = asker(influxdb1)
    told = {name: asked_by(ask, name, 30) for name in api_rules()}
    assert {name for name, found in told.items() if found} == {"gateway-silent-gateway"}


# Totals that begin again


@pytest.mark.parametrize("name", TOTALS)
@pytest.mark.parametrize(
    "total",
    [
        pytest.param(lambda minute: 100.0 if minute < 30 else 0.0, id="a new store"),
        pytest.param(lambda minute: 100.0 if minute < 30 else None if minute < 33 else 100.0, id="absent for a while"),
        pytest.param(lambda minute: 100.0 - minute // 10, id="less and less"),
        pytest.param(lambda minute: 100.0, id="nothing new"),
    ],
)
def test_a_total_that_begins_again_is_nothing_that_arrived(
    influxdb1: Database, name: str, total: Callable[[int], float | None]
) -> None:
    assert told_by(influxdb1, name, gateway(total, TOTALS[name], 90), 90) == []


@pytest.mark.parametrize("name", TOTALS)
def test_what_arrives_after_a_total_began_again_is_told(influxdb1: Database, name: str) -> None:
    minutes = gateway(lambda minute: 100.0 if minute < 30 else 0.0 if minute < 40 else 1.0, TOTALS[name], 90)
    began, ended = told_by(influxdb1, name, minutes, 90)
    assert 40 <= began.at_s <= 42
    assert 69 <= ended.at_s <= 72, "half an hour after the last one"


def test_what_was_dropped_while_the_gateway_was_away_is_told_when_it_is_back(influxdb1: Database) -> None:
    minutes = gateway(lambda minute: 100.0 if minute < 30 else None if minute < 40 else 150.0, "broker_dropped", 60)
    told = told_by(influxdb1, "broker-dropping", minutes, 60)
    assert (told[0].status, round(told[0].at_s)) == ("firing", 40)


def test_an_outbox_that_is_emptied_at_times_does_not_grow(influxdb1: Database) -> None:
    """Also not at the beginning, when there is little to judge by."""
    minutes = gateway(lambda minute: 500.0 + 40.0 * minute if minute % 25 else 0.0, "outbox_entries", 200)
    assert told_by(influxdb1, "outbox-growing", minutes, 200) == []


# Devices that die


def station(minutes: Minutes, value: Callable[[int], tuple[float | None, int]], until: int, every: int = 10) -> None:
    for minute in range(0, until, every):
        ph, flag = value(minute)
        minutes.add("water", STATION, BEGIN_S + minute * MINUTE, {"ph": ph, "ph_flag": flag})


def test_a_battery_that_died_stays_low_until_it_is_charged_and_its_device_is_told_as_silent(influxdb1: Database) -> None:
    minutes = Minutes()
    for hour in range(24):
        others = STATION | {"device": "probe-2"}
        minutes.add("health", others, BEGIN_S + hour * 60 * MINUTE, {"battery_level": 80, "battery_level_flag": 1})
        if hour < 6 or hour >= 20:  # flat at 06:00, charged at 20:00
            level = 95 if hour >= 20 else 15
            minutes.add("health", STATION, BEGIN_S + hour * 60 * MINUTE, {"battery_level": level, "battery_level_flag": 1})
    for minute in range(24 * 60):
        silent = 0.5 if minute < 7 * 60 or minute >= 20 * 60 else 3.0
        minutes.add("fleet", STATION, BEGIN_S + minute * MINUTE, {"overdue": silent})
    minutes.write(influxdb1)
    ask = asker(influxdb1)
    low = asked_by(ask, "battery", 24 * 60)
    assert statuses(low) == [("firing", ""), ("resolved", "")]
    assert 20 * 60 <= low[1].at_s <= 20 * 60 + 10
    silent_told = asked_by(ask, "device-silent", 24 * 60)
    assert [one.at_s // 60 for one in silent_told] == [7, 20]


@pytest.mark.parametrize("form", ["pushed", "filed"])
def test_a_dead_station_keeps_its_last_passed_value_for_two_weeks_and_then_is_unknown_not_well(
    influxdb1: Database, form: str
) -> None:
    minutes = Minutes()
    station(minutes, lambda minute: (9.5, 1), 60)
    for day in range(RIVER_DAYS + 3):  # another that lives, or the whole rule had no data
        minutes.add("water", STATION | {"device": "probe-2"}, BEGIN_S + day * DAY, {"ph": 7, "ph_flag": 1})
    minutes.write(influxdb1)
    rule, _ = api_rules()["river-ph"]
    # Every hour is enough here; what Grafana counts in evaluations is less then, and more is what would hide a fault.
    told, _ = model.run(
        rule if form == "pushed" else filed(rule),
        3600,
        asker(influxdb1),
        BEGIN_S + 607,
        BEGIN_S + (RIVER_DAYS + 2) * DAY,
        model.Policy(0, 60),
    )
    assert statuses(told) == [("firing", ""), ("resolved", "MissingSeries")]
    assert told[1].at_s > BEGIN_S + RIVER_DAYS * DAY


def test_ranges_of_devices_are_longer_than_the_slowest_of_them_reports() -> None:
    """A battery is told once a day, a national station every four hours."""
    assert BATTERY_DAYS >= 7
    assert RIVER_DAYS >= 2


# Readings that count


@pytest.mark.parametrize("flag", [3, 4, 9, 2])
def test_a_river_value_that_did_not_pass_alerts_nobody(influxdb1: Database, flag: int) -> None:
    minutes = Minutes()
    station(minutes, lambda minute: (7.0, 1) if minute < 60 else (None if flag == 9 else 12.0, flag), 240)
    assert told_by(influxdb1, "river-ph", minutes, 240) == []


def test_a_doubtful_value_hides_none_that_passed(influxdb1: Database) -> None:
    minutes = Minutes()
    station(minutes, lambda minute: (9.5, 1) if minute < 60 else (7.0, 3), 240)
    assert statuses(told_by(influxdb1, "river-ph", minutes, 240)) == [("firing", "")]


def test_a_single_value_beyond_the_limit_between_good_ones_alerts_nobody(influxdb1: Database) -> None:
    minutes = Minutes()
    station(minutes, lambda minute: (9.5 if minute == 120 else 7.0, 1), 240)
    assert told_by(influxdb1, "river-ph", minutes, 240) == []


def test_late_readings_of_yesterday_alert_nobody_today(influxdb1: Database) -> None:
    """`last` is the last measured, not the last that came."""
    minutes = Minutes()
    station(minutes, lambda minute: (7.0, 1), 120)
    for minute in range(120):
        minutes.add("water", STATION, BEGIN_S - DAY + minute * MINUTE, {"ph": 9.5, "ph_flag": 1})
    assert told_by(influxdb1, "river-ph", minutes, 120) == []


@pytest.mark.parametrize(("river_class", "fires"), [(1, True), (2, True), (3, False), (5, False)])
def test_the_limit_is_that_of_the_class_the_river_should_have(influxdb1: Database, river_class: int, fires: bool) -> None:
    minutes = Minutes()
    for minute in range(0, 90, 10):
        minutes.add("water", STATION, BEGIN_S + minute * MINUTE, {"dissolved_oxygen": 5.5, "dissolved_oxygen_flag": 1})
    told = told_by(influxdb1, "river-dissolved-oxygen", minutes, 90, options=Options(river_class=river_class))
    assert bool(told) is fires


def test_a_device_with_twenty_silent_quantities_is_one_alert(influxdb1: Database) -> None:
    minutes = Minutes()
    for minute in range(60):
        for quantity in range(20):
            tags = STATION | {"channel": f"q-{quantity}"}
            late = 2.0 if minute >= 30 and quantity >= 1 else 0.4
            minutes.add("silence", tags, BEGIN_S + minute * MINUTE, {"reading_overdue": late})
    (told,) = told_by(influxdb1, "sensor-silent", minutes, 60)
    assert told.labels == (("device", "probe-1"), ("site", "qingxi"))
