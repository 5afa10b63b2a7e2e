"""The model of Grafana's alerting against what was measured on a Grafana 12.2: one run each, so brackets and not percentiles.

Everywhere: `SELECT last("v") ... GROUP BY "site"`, range 60 s, above 40, one value a second, groups told at once and each 10 s.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.grafana import model

LONG_S = 400.0


def rule(**changes: object) -> dict[str, Any]:
    asked = {"refId": "A", "query": "last", "datasourceUid": "db"}
    reduce = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last", "settings": {"mode": "dropNN"}}
    judge = {"refId": "C", "type": "threshold", "expression": "B"}
    above = {"conditions": [{"evaluator": {"type": "gt", "params": [40]}}]}
    reach = {"from": 60, "to": 0}
    data = [
        {"refId": "A", "datasourceUid": "db", "relativeTimeRange": reach, "model": asked},
        {"refId": "B", "datasourceUid": "__expr__", "relativeTimeRange": reach, "model": reduce},
        {"refId": "C", "datasourceUid": "__expr__", "relativeTimeRange": reach, "model": judge | above},
    ]
    states = {"noDataState": "NoData", "execErrState": "Error"}
    return {"title": "t", "condition": "C", "data": data, "for": "0s", **states, **changes}


Value = Callable[[int], float | None]


def answers(sites: Mapping[str, Value]) -> model.Ask:
    """The last value of each site within the range; a site without one has no series."""

    def ask(_query: str, from_s: float, to_s: float) -> Sequence[model.Series]:
        found = []
        for site, value in sites.items():
            seen = [v for second in range(int(from_s), int(to_s) + 1) if (v := value(second)) is not None]
            if seen:
                found.append(model.Series((("site", site),), (seen[-1],)))
        return found

    return ask


def phases(interval_s: int) -> Iterator[tuple[float, float]]:
    """When the first evaluation is, and how long after it a group is flushed: neither is known of a real server."""
    for begin in range(0, interval_s, max(1, interval_s // 10)):
        for wait in (0.0, 3.0, 6.0, 9.0):
            yield 100.0 + begin, wait


def delays(
    sites: Mapping[str, Value], changed_s: float, status: str, interval_s: int = 10, name: str = "t", **changes: object
) -> list[float]:
    """Seconds from the change to the message, for every phase."""
    found = []
    for begin_s, wait_s in phases(interval_s):
        told, _ = model.run(rule(**changes), interval_s, answers(sites), begin_s, LONG_S + 200, model.Policy(wait_s))
        found += [t.at_s - changed_s for t in told if t.status == status and t.alertname == name and t.at_s >= changed_s][:1]
    return found


def bad_from(second: int) -> Value:
    return lambda now: 60.0 if now >= second else 20.0


def fine(_now: int) -> float:
    return 20.0


@pytest.mark.parametrize(
    ("interval_s", "wait", "measured_s"),
    [pytest.param(10, "0s", 8.6, id="each 10 s"), pytest.param(60, "1m", 71.0, id="each minute, for a minute")],
)
def test_a_bad_value_is_told_as_soon_as_it_was(interval_s: int, wait: str, measured_s: float) -> None:
    found = delays({"a": bad_from(300), "b": fine}, 300, "firing", interval_s, **{"for": wait})
    assert len(found) == len(list(phases(interval_s)))
    assert min(found) <= measured_s <= max(found)
    assert max(found) <= 130


def test_a_recovery_is_told_as_soon_as_it_was() -> None:
    found = delays({"a": lambda now: 60.0 if now < 300 else 20.0, "b": fine}, 300, "resolved")
    assert min(found) <= 14.8 <= max(found)


def test_a_series_that_vanishes_while_it_fires_is_called_resolved_while_another_reports() -> None:
    found = delays({"a": lambda now: 60.0 if now < 300 else None, "b": fine}, 300, "resolved")
    assert min(found) <= 86.9 <= max(found)
    told, _ = model.run(rule(), 10, answers({"a": lambda now: 60.0 if now < 300 else None, "b": fine}), 100, LONG_S)
    assert [(t.status, t.reason) for t in told] == [("firing", ""), ("resolved", "MissingSeries")]


def test_an_empty_answer_is_an_alert_of_another_name_without_the_tags_of_the_series() -> None:
    gone = {"a": lambda now: 20.0 if now < 300 else None}
    found = delays(gone, 300, "firing", name="DatasourceNoData")
    assert min(found) <= 71.6 <= max(found)
    told, _ = model.run(rule(), 10, answers(gone), 100, LONG_S)
    assert [(t.alertname, t.labels) for t in told] == [("DatasourceNoData", ())]


def test_the_alert_about_no_data_ends_when_data_is_back() -> None:
    back = {"a": lambda now: None if 200 <= now < 350 else 20.0}
    found = delays(back, 350, "resolved", name="DatasourceNoData")
    assert min(found) <= 11.0 <= max(found)


def test_more_missing_evaluations_keep_a_vanished_series_firing() -> None:
    told, _ = model.run(
        rule(missingSeriesEvalsToResolve=20), 10, answers({"a": lambda now: 60.0 if now < 200 else None, "b": fine}), 100, 700
    )
    ended = [t.at_s for t in told if t.status == "resolved"]
    assert ended and 200 + 60 + 190 <= ended[0] <= 200 + 60 + 220


def test_keep_last_holds_a_firing_alert_and_its_labels_while_there_is_no_data_or_no_answer() -> None:
    def ask(query: str, from_s: float, to_s: float) -> Sequence[model.Series]:
        if 300 <= to_s < 400:
            raise OSError("the database is away")
        return answers({"a": lambda now: None if 200 <= now < 500 else 60.0 if now < 600 else 20.0})(query, from_s, to_s)

    told, _ = model.run(rule(noDataState="KeepLast", execErrState="KeepLast"), 10, ask, 100, 700)
    assert [(t.status, t.reason, t.labels) for t in told] == [
        ("firing", "", (("site", "a"),)),
        ("resolved", "", (("site", "a"),)),
    ]


def test_an_alert_that_flaps_is_one_alert_with_keep_firing() -> None:
    flapping = {"a": lambda now: 60.0 if now < 400 and (now // 30) % 2 else 20.0}
    told, _ = model.run(rule(), 10, answers(flapping), 100, 700)
    assert len(told) > 6
    told, _ = model.run(rule(keep_firing_for="2m"), 10, answers(flapping), 100, 700)
    assert [t.status for t in told] == ["firing", "resolved"]
