"""Every alert rule in simulated time on a real InfluxDB: it fires, it does not, its series vanishes, its data is back.

The evaluator is a model of Grafana (`tests/grafana/model.py`); no Grafana runs here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from dashboards.grafana.alert_rules import RULES
from tests.databases import InfluxDB1, Server
from tests.grafana import model
from tests.grafana.rule_minutes import BEGIN_S, DAY, MINUTE, Fields, Minutes, api_rules, asker, filed

# Minutes of the story that each rule is told: all is well, then it is not, then nobody writes anything, then back as it was.
BAD, DEAD, BACK, GOOD, END = 20, 110, 150, 155, 215
OTHERS: Final = BEGIN_S + 100 * DAY  # another story, of two gateways or devices, long after the first
WELL: Final = BEGIN_S + 200 * DAY  # one in which all is well until the gateway dies
GATEWAY: Final = {"site": "kanhu", "device": "gateway"}
DEVICE: Final = {"site": "wutong", "device": "home-1"}
HOME: Final = {"site": "wutong", "device": "gateway", "place": "wutong-3-201"}


@dataclass(frozen=True)
class Case:
    """What one rule watches.

    Attributes:
        good: at the limit itself, which is still good.  bad: just beyond.  For a total: how much it grows a minute.
        fires, ends: at most so many minutes after the change; `waits`: not before so many.
        others: fields beside it.
    """

    measurement: str
    tags: dict[str, str]
    field: str
    good: float
    bad: float
    fires: float
    waits: float = 0.0
    ends: float = 2.0
    grows: bool = False
    others: tuple[tuple[str, float], ...] = ()


def gateway(field: str, good: float, bad: float, fires: float, **more: Any) -> Case:
    return Case("gateway", GATEWAY, field, good, bad, fires, **more)


def river(field: str, good: float, bad: float) -> Case:
    return Case("water", DEVICE, field, good, bad, fires=25, waits=15, ends=6, others=((f"{field}_flag", 1),))


CASES: Final = {
    "outbox-old": gateway("outbox_age", 900, 901, 8, waits=5, ends=8),
    "outbox-growing": gateway("outbox_entries", 0, 3, 75, waits=50, ends=25, grows=True),
    "database-refusing": gateway("database_refused", 0, 1, 3, ends=33, grows=True),
    "dead-letters": gateway("messages_dead", 0, 1, 3, ends=33, grows=True),
    "broker-dropping": gateway("broker_dropped", 0, 1, 3, ends=33, grows=True),
    "notices-failing": gateway("notices_failed", 0, 1, 3, ends=33, grows=True),
    "broker-away": gateway("broker_connected", 1, 0, 8, waits=5, ends=8),
    "disk": gateway("disk_used", 0.9, 0.901, 13, waits=10, ends=13),
    "clock": gateway("clock_trusted", 1, 0, 18, waits=15, ends=13),
    "certificate": gateway("certificate_left", 21 * DAY, 21 * DAY - 1, 63, waits=60),
    "alert-unaccepted": gateway("alert_unaccepted_age", 7200, 7201, 2),
    "home-unaccepted": Case("home", HOME, "home_unaccepted_age", 1800, 1801, 2),
    "battery": Case("health", DEVICE, "battery_level", 20, 19, 6, ends=6, others=(("battery_level_flag", 1),)),
    "device-silent": Case("fleet", DEVICE, "overdue", 1, 1.01, 6, ends=6),
    "sensor-silent": Case("silence", DEVICE | {"channel": "temperature"}, "reading_overdue", 1, 1.01, 6, ends=6),
    "river-ph": river("ph", 9, 9.01),
    "river-dissolved-oxygen": river("dissolved_oxygen", 5, 4.99),
    "river-cod-mn": river("cod_mn", 6, 6.01),
    "river-ammonia-n": river("ammonia_n", 1, 1.01),
    "river-total-p": river("total_p", 0.2, 0.201),
}
SILENT: Final = "gateway-silent-gateway"


def story(minutes: Minutes, case: Case, begin_s: int) -> None:
    """Good, bad, nothing at all, bad again, good."""
    total = 100.0
    for minute in range(END):
        if DEAD <= minute < BACK:
            continue
        value = case.bad if BAD <= minute < GOOD else case.good
        total += value
        minutes.add(case.measurement, case.tags, begin_s + minute * MINUTE, said(case, total if case.grows else value))


def said(case: Case, value: float) -> Fields:
    return {case.field: value, **dict(case.others)}


@pytest.fixture(scope="module")
def ask(influxdb1_server: InfluxDB1) -> model.Ask:
    """All stories in InfluxDB 1.6."""
    return told_to(influxdb1_server)


@pytest.fixture(scope="module", params=["influxdb1", "influxdb2"])
def either(request: pytest.FixtureRequest) -> model.Ask:
    """All stories in InfluxDB 1.6 and in 2."""
    if request.param == "influxdb1":
        found: model.Ask = request.getfixturevalue("ask")
        return found
    return told_to(request.getfixturevalue("influxdb2_server"))


def told_to(server: Server) -> model.Ask:
    """All stories in one database: no two rules ask for the same field."""
    server.start()
    database = server.database()
    minutes = Minutes()
    for case in CASES.values():
        story(minutes, case, BEGIN_S)
        two(minutes, case)
        for minute in range(DEAD):
            minutes.add(case.measurement, case.tags, WELL + minute * MINUTE, said(case, case.good))
    minutes.write(database)
    return asker(database)


def run(ask: model.Ask, rule: dict[str, Any], interval_s: int, begin_s: float, until: int) -> list[model.Told]:
    """What is told from minute 10 on (the first ten fill the range); evaluated some seconds after the gateway wrote."""
    told, _ = model.run(rule, interval_s, ask, begin_s + 10 * MINUTE + 7, begin_s + until * MINUTE, model.Policy(0, 60))
    return [one._replace(at_s=(one.at_s - begin_s) / MINUTE) for one in told]


def statuses(told: Sequence[model.Told]) -> list[tuple[str, str]]:
    return [(one.status, one.reason) for one in told]


@pytest.mark.parametrize("form", ["pushed", "filed"])
@pytest.mark.parametrize("name", CASES)
def test_a_rule_fires_on_what_is_bad_stays_while_nothing_is_known_and_ends_when_it_is_good(
    either: model.Ask, name: str, form: str
) -> None:
    case = CASES[name]
    rule, interval_s = api_rules()[name]
    told = run(either, rule if form == "pushed" else filed(rule), interval_s, BEGIN_S, END)
    # One message that it began, none while the gateway was dead, one that it ended: measured, not missing.
    assert statuses(told) == [("firing", ""), ("resolved", "")], told
    began, ended = told
    assert case.waits <= began.at_s - BAD <= case.fires, told
    assert GOOD <= ended.at_s <= GOOD + case.ends, told
    assert dict(began.labels) == {key: value for key, value in case.tags.items() if key in dict(began.labels)}


def test_every_rule_has_its_story() -> None:
    assert {rule.name for rule in RULES} == {*CASES, SILENT}


def two(minutes: Minutes, case: Case) -> None:
    """Two instances: one is bad and vanishes after 110 minutes, another goes on and is well."""
    name = "place" if case.measurement == "home" else "device"
    totals = [100.0, 100.0]
    for minute in range(END):
        for which, value in enumerate((case.bad if minute >= BAD else case.good, case.good)):
            totals[which] += value
            if which or minute < DEAD:
                tags = case.tags | {name: f"{case.tags[name]}-{'ab'[which]}"}
                fields = said(case, totals[which] if case.grows else value)
                minutes.add(case.measurement, tags, OTHERS + minute * MINUTE, fields)


@pytest.mark.parametrize("form", ["pushed", "filed"])
@pytest.mark.parametrize("name", CASES)
def test_a_series_that_vanishes_beside_another_is_never_told_as_recovered(ask: model.Ask, name: str, form: str) -> None:
    """One of two gateways died, or a device that measures: the other's series goes on, so Grafana sees data."""
    rule, interval_s = api_rules()[name]
    told = run(ask, rule if form == "pushed" else filed(rule), interval_s, OTHERS, END)
    assert statuses(told)[:1] == [("firing", "")]
    assert all(one.reason == model.MISSING_SERIES for one in told[1:]), told
    if name == "battery" or name.startswith("river"):
        assert len(told) == 1, "the last reading of a dead device stays in the range"
    elif form == "pushed":
        assert all(one.at_s > DEAD + 60 for one in told[1:]), "not within an hour, a restart or an update is over by then"


@pytest.mark.parametrize("name", CASES)
def test_a_gateway_that_dies_while_all_is_well_is_told_by_no_other_rule(ask: model.Ask, name: str) -> None:
    rule, interval_s = api_rules()[name]
    assert run(ask, rule, interval_s, WELL, END) == []


@pytest.mark.parametrize("name", CASES)
def test_a_database_that_cannot_be_asked_changes_nothing_but_is_told_once(ask: model.Ask, name: str) -> None:
    def away(query: str, from_s: float, to_s: float) -> Sequence[model.Series]:
        if BAD + 62 < (to_s - BEGIN_S) / MINUTE < DEAD:
            raise OSError("connection refused")
        return ask(query, from_s, to_s)

    rule, interval_s = api_rules()[name]
    told = run(away, rule, interval_s, BEGIN_S, END)
    assert statuses(told) == [("firing", ""), ("resolved", "")]
    assert told[1].at_s >= GOOD
