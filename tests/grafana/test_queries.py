"""Every query of every panel, variable and annotation, as Grafana executes it, on a database that the platform filled."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest

from dashboards.grafana import objects
from dashboards.grafana.options import Options
from tests.grafana import asking
from tests.grafana.asking import Asked, Query, Series
from tests.grafana.expand import STEPS, Range, Variable, expand
from tests.grafana.seed import NOW_NS, Seed

pytestmark = pytest.mark.timeout(600)

NOW_MS: Final = NOW_NS // 1_000_000
DAY_MS: Final = 86_400_000
RANGES: Final = {
    "day": Range(NOW_MS - DAY_MS, NOW_MS),
    "month": Range(NOW_MS - 30 * DAY_MS, NOW_MS),
    "year": Range(NOW_MS - 365 * DAY_MS, NOW_MS),
}
DASHBOARDS: Final[dict[str, Mapping[str, Any]]] = {
    placed.dashboard["uid"].removesuffix("-zh"): placed.dashboard
    for placed in objects.dashboards(Options())
    if placed.dashboard["uid"].endswith("-zh")
}
# A panel may be empty in a day in which nothing of the kind happened: (dashboard, panel id, letter) -> why.
RARE: Final[dict[tuple[str, int, str], str]] = {}
_COMPARED: Final = re.compile(r"\b(\d+) (<|>=) (\d+)\b")

Variables = dict[str, Variable]


def name_of(uid: str) -> str:
    return uid


@pytest.fixture(params=DASHBOARDS, ids=name_of)
def dashboard(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    return DASHBOARDS[request.param]


def holds(text: str) -> bool:
    """Whether the constant conditions that choose between readings, hours and days are true."""
    return all(int(a) < int(b) if how == "<" else int(a) >= int(b) for a, how, b in _COMPARED.findall(text))


def queries(dashboard: Mapping[str, Any]) -> list[Query]:
    return [*asking.panel_queries(dashboard), *asking.annotation_queries(dashboard)]


def rows(found: Sequence[Series]) -> int:
    return sum(len(one.rows) for one in found)


@pytest.mark.parametrize("shown", RANGES.values(), ids=RANGES)
def test_every_query_answers_at_every_length(filled: Asked, dashboard: Mapping[str, Any], shown: Range) -> None:
    variables = asking.set_to_all(filled, dashboard, shown)
    wrong: list[str] = []
    for query in queries(dashboard):
        found = filled.run(query, shown, variables)
        expected = holds(query.expanded(shown, variables))
        rare = shown is RANGES["day"] and (dashboard["uid"].removesuffix("-zh"), query.panel, query.ref) in RARE
        if bool(found) != expected and not rare:
            wrong.append(f"{query.where}: {rows(found)} rows, {'some' if expected else 'none'} expected")
        if found:
            wrong += problems(query, found)
    assert not wrong, "\n".join(wrong)


def problems(query: Query, found: Sequence[Series]) -> list[str]:
    """Columns and tags that should be there and are not, or have no value anywhere."""
    columns, tags, named = query.columns(), query.tags(), re.findall(r"\$tag_(\w+)", query.alias)
    absent = [name for name in columns if not all(name in one.columns for one in found)]
    void = [name for name in columns if name not in absent and not any(one.column(name) for one in found)]
    return [
        *(f"{query.where}: no column {name!r}, there are {list(found[0].columns)}" for name in absent),
        *(f"{query.where}: no value in any row of {name!r}" for name in void),
        *(f"{query.where}: no series has a tag {tag!r}" for tag in tags if not any(one.tags.get(tag) for one in found)),
        *(f"{query.where}: the alias names {tag!r}, the query groups by {tags}" for tag in named if tag not in tags),
    ]


@pytest.mark.parametrize("shown", RANGES.values(), ids=RANGES)
def test_every_panel_shows_something_at_every_length(filled: Asked, dashboard: Mapping[str, Any], shown: Range) -> None:
    variables = asking.set_to_all(filled, dashboard, shown)
    seen: dict[int, int] = {}
    for query in asking.panel_queries(dashboard):
        seen[query.panel] = seen.get(query.panel, 0) + rows(filled.run(query, shown, variables))
    assert [panel for panel, count in seen.items() if not count] == []


def test_what_a_panel_does_with_its_columns_names_columns_that_are_there(filled: Asked, dashboard: Mapping[str, Any]) -> None:
    shown = RANGES["day"]
    variables = asking.set_to_all(filled, dashboard, shown)
    there: dict[int, set[str]] = {}
    named: dict[int, frozenset[str]] = {}
    for query in asking.panel_queries(dashboard):
        found = filled.run(query, shown, variables)
        names = {"Time", *(name for one in found for name in (*one.columns, *one.tags))}
        there[query.panel] = there.get(query.panel, set()) | names
        named[query.panel] = query.names
    assert {panel: sorted(names - there[panel]) for panel, names in named.items() if names - there[panel]} == {}


def test_one_chosen_value_shows_only_what_belongs_to_it(filled: Asked, dashboard: Mapping[str, Any]) -> None:
    wrong: list[str] = []
    for shown in RANGES.values():
        variables = asking.set_to_all(filled, dashboard, shown)
        for query in queries(dashboard):
            everything = filled.run(query, shown, variables)
            used = [name for name in variables if f"${{{name}" in query.text]
            for name in used if everything else []:
                wrong += one_by_one(filled, query, shown, variables, name, everything)
    assert not wrong, "\n".join(wrong)


def one_by_one(
    filled: Asked, query: Query, shown: Range, variables: Variables, name: str, everything: Sequence[Series]
) -> list[str]:
    """One value, then two; of a tag that tells series apart, what is shown must carry it."""
    tagged = name in query.tags()
    options = list(variables[name].options)
    known = [value for value in options if any(one.tags.get(name) == value for one in everything)] if tagged else options
    if not known:
        return [f"{query.where}: none of the {len(options)} values of ${name} is in what is shown for all"]
    if not tagged:
        counts = [(rows(filled.run(query, shown, chosen(variables, name, value))), value) for value in known[:60]]
        some = [value for count, value in counts if count]
        return [] if some else [f"{query.where}: no single value of ${name} shows anything"]
    wrong = []
    for pick in (known[:1], known[-1:], known[:2]):
        found = filled.run(query, shown, chosen(variables, name, *pick))
        seen = {one.tags.get(name) for one in found}
        if seen != set(pick):
            wrong.append(f"{query.where}: ${name} = {pick} shows {sorted(map(str, seen))}")
        alone = [one for one in everything if one.tags.get(name) in pick]
        if rows(found) != rows(alone) and " LIMIT " not in query.text.upper():
            wrong.append(f"{query.where}: ${name} = {pick} shows {rows(found)} rows, among all there were {rows(alone)}")
    return wrong


def chosen(variables: Variables, name: str, *values: str) -> Variables:
    """As they are, but for one variable, which is set to these values."""
    one = variables[name]
    return variables | {name: Variable(values[0] if len(values) == 1 else list(values), one.options, one.all_value)}


def test_a_variable_offers_what_was_stored_and_nothing_else(filled: Asked, dashboard: Mapping[str, Any], told: Seed) -> None:
    stored = {name: {getattr(entry, name) for entry in told.entries} - {""} for name in ("site", "place", "device")}
    variables = asking.set_to_all(filled, dashboard, RANGES["year"])
    for name, one in asking.variables(dashboard).items():
        options = set(variables[name].options)
        assert options, f"${name} offers nothing"
        if name in stored:
            assert options <= stored[name], f"${name} offers {options - stored[name]}"
        assert one["multi"] and one["includeAll"] and one["allValue"] == ".*", f"${name}: one, several or all"


def test_a_variable_that_follows_another_offers_only_what_belongs_to_it(filled: Asked, dashboard: Mapping[str, Any]) -> None:
    shown = RANGES["year"]
    all_of_it = asking.set_to_all(filled, dashboard, shown)
    for name, one in asking.variables(dashboard).items():
        text = asking.variable_text(one)
        for other in [other for other in all_of_it if f"${{{other}" in text]:
            apart = [set(filled.values(text, shown, chosen(all_of_it, other, value))) for value in all_of_it[other].options]
            assert set().union(*apart) <= set(all_of_it[name].options)
            assert any(found < set(all_of_it[name].options) for found in apart) or len(apart) == 1, f"${name} ignores ${other}"


def test_in_an_empty_database_every_query_is_an_empty_answer_and_no_error(empty: Asked, dashboard: Mapping[str, Any]) -> None:
    shown = RANGES["day"]
    variables = asking.set_to_all(empty, dashboard, shown)
    assert all(not one.options for one in variables.values())
    assert [query.where for query in queries(dashboard) if empty.run(query, shown, variables)] == []


def test_at_every_interval_one_of_readings_hours_and_days_answers(dashboard: Mapping[str, Any]) -> None:
    shown = Range(0, 1)
    for interval_ms in sorted({step for _, step in STEPS}):
        answering: dict[int, list[str]] = {}
        for query in asking.panel_queries(dashboard):
            text = expand(query.text, shown.from_ms, shown.to_ms, interval_ms, {})
            answering.setdefault(query.panel, []).extend([query.ref.rstrip("hd")] if holds(text) else [])
        for panel, refs in answering.items():
            assert refs, f"panel {panel}: nothing answers at an interval of {interval_ms} ms"
            assert len(set(refs)) == len(refs), f"panel {panel}: {refs} twice at an interval of {interval_ms} ms"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('SELECT last("ph") AS "ph" FROM "water" WHERE $timeFilter GROUP BY "site"', [], id="right"),
        pytest.param(
            'SELECT last("ph"), last("hp") AS "x" FROM "water" WHERE $timeFilter', ["no value"], id="a misspelt field"
        ),
        pytest.param(
            'SELECT last("ph") AS "ph" FROM "water" WHERE $timeFilter GROUP BY "sites"', ["no series"], id="a tag nobody has"
        ),
        pytest.param('SELECT last("ph") AS "ph" FROM "waters" WHERE $timeFilter', None, id="a misspelt measurement"),
    ],
)
def test_these_tests_notice_what_grafana_shows_as_an_empty_panel(filled: Asked, text: str, said: list[str] | None) -> None:
    query = Query("here", 1, "A", text)
    answer = filled.run(query, RANGES["day"], {})
    if said is None:
        assert answer == []
        return
    assert [words for words in said if not any(words in problem for problem in problems(query, answer))] == []
    assert len(problems(query, answer)) == len(said)


def test_what_says_nothing_is_nowhere_and_hides_nobody_else(
    lacking: Asked, filled: Asked, dashboard: Mapping[str, Any]
) -> None:
    shown = RANGES["day"]
    variables = asking.set_to_all(lacking, dashboard, shown)
    for query in queries(dashboard):
        if query.rollups:
            continue  # a day and two hours have few sums
        after = lacking.run(query, shown, variables)
        assert not [one for one in after if is_gone(one.tags)], query.where
        if "device" in query.tags():
            before = filled.run(query, shown, asking.set_to_all(filled, dashboard, shown))
            others = {tags_of(one) for one in before if not is_gone(one.tags)}
            assert {tags_of(one) for one in after} == others or query.time_from_ms, query.where


def is_gone(tags: Mapping[str, str]) -> bool:
    """Whether this is the home, or the gateway, of which `lacking` holds nothing; it holds their namesake."""
    return (tags.get("site", ""), tags.get("device", "")) in {("wutong", "home-1"), ("kanhu", "gateway"), ("", "gateway")}


def tags_of(one: Series) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(one.tags.items()))


def test_both_languages_ask_the_same() -> None:
    for placed in objects.dashboards(Options()):
        uid = placed.dashboard["uid"].rsplit("-", 1)[0]
        assert nameless(placed.dashboard) == nameless(DASHBOARDS[uid])


def nameless(dashboard: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    """Its queries without the names that people read."""
    return [(query.panel, query.ref, re.sub(r' AS "[^"]*"', "", query.text)) for query in queries(dashboard)]
