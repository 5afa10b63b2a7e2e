"""Whatever Grafana would take of an alert rule and then evaluate to an error, to nothing or to "resolved" is named."""

from typing import Literal

import pytest

from dashboards.grafana.lint import lint_rule_group
from dashboards.grafana.lint.times import seconds
from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, put
from tests.grafana.lint.broken_rules import API, DATA, FILE, RULE, RULES

Form = Literal["api", "file"]


def test_a_good_group_has_no_fault_in_either_form() -> None:
    assert lint_rule_group(good.api_group()) == []
    assert lint_rule_group(good.file_group(), "file") == []


@pytest.mark.parametrize("broken", [*RULES, *API], ids=lambda one: one.name)
def test_a_fault_is_named_before_a_push(broken: Broken) -> None:
    group = good.api_group()
    broken.change(group)
    assert any(broken.fault in fault for fault in lint_rule_group(group)), lint_rule_group(group)


@pytest.mark.parametrize("broken", [*RULES, *FILE], ids=lambda one: one.name)
def test_a_fault_is_named_before_a_file_is_written(broken: Broken) -> None:
    group = good.file_group()
    broken.change(group)
    assert any(broken.fault in fault for fault in lint_rule_group(group, "file")), lint_rule_group(group, "file")


def test_a_rule_on_what_devices_write_may_look_back_for_weeks() -> None:
    group = good.api_group()
    query = 'SELECT last("ph") FROM "water" WHERE $timeFilter AND "ph_flag" = 1 GROUP BY "site", "device"'
    put(f"{DATA}.model.query", query)(group)
    put(f"{DATA}.relativeTimeRange", {"from": 14 * 86_400, "to": 0})(group)
    assert lint_rule_group(group) == []


def test_a_rule_may_reckon_with_what_it_asked() -> None:
    group = good.api_group()
    expression = {"type": "__expr__", "uid": "__expr__"}
    reckoned = {"refId": "D", "type": "math", "datasource": expression, "expression": "$C * 2 > ${B}"}
    group["rules"][0]["data"].append({"refId": "D", "datasourceUid": "__expr__", "model": reckoned})
    put(f"{RULE}.condition", "D")(group)
    assert lint_rule_group(group) == []


@pytest.mark.parametrize("nonsense", [None, [], "group", {}, {"rules": [{}]}, {**good.api_group(), "rules": [{}]}])
@pytest.mark.parametrize("form", ["api", "file"])
def test_nonsense_is_a_fault_and_no_crash(nonsense: object, form: Form) -> None:
    assert lint_rule_group(nonsense, form)


@pytest.mark.parametrize(
    ("span", "length"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172_800), ("0", 0), ("0s", 0), ("5 m", None), ("", None), ("m", None)],
)
def test_spans_are_read_as_grafana_reads_them(span: str, length: float | None) -> None:
    assert seconds(span) == length
