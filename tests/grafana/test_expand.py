"""The model of what Grafana makes of a query, against numbers and texts of its own sources."""

import pytest

from tests.grafana.asking import Query
from tests.grafana.expand import ALL, Range, Variable, expand, expand_variable, interval_text, left_over

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("length_ms", "points", "interval_ms"),
    [
        pytest.param(HOUR, 1000, 5000, id="an hour"),
        pytest.param(6 * HOUR, 1000, 20_000, id="six hours"),
        pytest.param(DAY, 1000, 60_000, id="a day"),
        pytest.param(7 * DAY, 1000, 600_000, id="a week"),
        pytest.param(10 * DAY, 1000, 900_000, id="ten days: the first range of hours"),
        pytest.param(30 * DAY, 1000, 1_800_000, id="a month"),
        pytest.param(365 * DAY, 1000, 21_600_000, id="a year"),
        pytest.param(365 * DAY, 400, 43_200_000, id="a year on a phone"),
        pytest.param(5000, 1000, 1, id="seconds"),
        pytest.param(100 * 365 * DAY, 2, 31_536_000_000, id="longer than any step"),
    ],
)
def test_intervals_are_round(length_ms: int, points: int, interval_ms: int) -> None:
    assert Range(0, length_ms).interval_ms(points) == interval_ms


def test_a_panels_least_interval_is_kept() -> None:
    assert Range(0, HOUR).interval_ms(least="1m") == 60_000
    assert Range(0, HOUR).interval_ms(least=">10s") == 10_000
    assert Range(0, 30 * DAY).interval_ms(least="1m") == 1_800_000


@pytest.mark.parametrize(
    ("interval_ms", "text"),
    [(1, "1ms"), (10_000, "10s"), (60_000, "1m"), (5_400_000, "1h"), (21_600_000, "6h"), (604_800_000, "7d")],
)
def test_intervals_are_written_in_their_largest_unit_rounded_down(interval_ms: int, text: str) -> None:
    assert interval_text(interval_ms) == text


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        pytest.param(Variable("a.b"), r"a\.b", id="one"),
        pytest.param(Variable(["a"]), "a", id="one in a list"),
        pytest.param(Variable(["a", "b/c"]), r"(a|b\/c)", id="several"),
        pytest.param(Variable(ALL, ["x", "y"], ".*"), ".*", id="all, with a value of its own that nobody escapes"),
        pytest.param(Variable([ALL], ["x", "y"]), "(x|y)", id="all, as the list of all"),
        pytest.param(Variable("a-b_c"), "a-b_c", id="ids stay as they are"),
    ],
)
def test_a_variable_stands_in_a_query_as_a_regular_expression(variable: Variable, text: str) -> None:
    assert expand('"d" =~ /^${device:regex}$/', 0, 1, 1, {"device": variable}) == f'"d" =~ /^{text}$/'


def test_the_server_fills_in_time_and_interval() -> None:
    text = expand("mean WHERE $timeFilter AND $__interval_ms < 900000 GROUP BY time($__interval)", 1000, 2000, 60_000)
    assert text == "mean WHERE time >= 1000ms and time <= 2000ms AND 60000 < 900000 GROUP BY time(1m)"


def test_in_a_rule_nobody_replaces_a_variable() -> None:
    assert left_over(expand('"d" =~ /^${device:regex}$/ AND $timeFilter', 0, 1, 1, None)) == ["${device:regex}"]
    assert left_over("/^x$/ AND y") == []


def test_in_the_query_of_a_variable_only_the_browser_replaces() -> None:
    query = "SHOW TAG VALUES WITH KEY = x WHERE s =~ /^$site$/ AND $timeFilter AND $__interval"
    text = expand_variable(query, 1, 2, {"site": Variable(["a", "b"])})
    assert text == "SHOW TAG VALUES WITH KEY = x WHERE s =~ /^(a|b)$/ AND time >= 1ms and time <= 2ms AND $__interval"
    assert left_over(text) == ["$__interval"]


def test_columns_and_tags_of_a_query_are_found_also_around_a_subquery() -> None:
    text = (
        'SELECT sum("n") AS "all of it", mean("b"), "c" FROM (SELECT last("x") AS "n" FROM "m" WHERE $timeFilter'
        ' GROUP BY "device", "inner") WHERE $timeFilter AND "d" =~ /^(a|b)$/ GROUP BY time($__interval), "site", place'
        " fill(none) tz('Asia/Shanghai')"
    )
    query = Query("", 1, "A", text)
    assert query.columns() == ["all of it", "mean", "c"]
    assert query.tags() == ["site", "place"]
