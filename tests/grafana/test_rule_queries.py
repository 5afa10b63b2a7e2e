"""Every query of every alert rule, as Grafana executes it, on a database that the platform filled."""

from typing import Final

import pytest

from dashboards.grafana import objects
from dashboards.grafana.options import Options
from tests.grafana import asking
from tests.grafana.asking import Asked, Query
from tests.grafana.expand import Range
from tests.grafana.seed import NOW_NS
from tests.grafana.test_queries import is_gone, problems, tags_of

pytestmark = pytest.mark.timeout(600)

NOW_MS: Final = NOW_NS // 1_000_000


def rules() -> list[tuple[Query, Range]]:
    """Each query with what it looks at now."""
    found = [one for group in objects.rule_groups(Options()) for one in asking.rule_queries(group)]
    return [(query, Range(NOW_MS + span.from_ms, NOW_MS + span.to_ms, span.points)) for query, span in found]


def test_every_rule_sees_its_series(filled: Asked) -> None:
    wrong: list[str] = []
    for query, shown in rules():
        found = filled.run(query, shown, None)
        wrong += problems(query, found) if found else [f"{query.where}: no rows"]
        if any(len(one.columns) != 2 for one in found):
            wrong.append(f"{query.where}: {list(found[0].columns)}; a rule takes time and one number")
    assert not wrong, "\n".join(wrong)


def test_in_an_empty_database_every_rule_has_no_data_and_no_error(empty: Asked) -> None:
    assert [query.where for query, shown in rules() if empty.run(query, shown, None)] == []


def test_what_is_not_there_is_in_no_answer_and_the_others_are(lacking: Asked, filled: Asked) -> None:
    for query, shown in rules():
        before = {tags_of(one) for one in filled.run(query, shown, None)}
        after = {tags_of(one) for one in lacking.run(query, shown, None)}
        assert after <= before, query.where
        away = {tags for tags in before if is_gone(dict(tags)) or 'FROM "gateway"' in query.text}
        assert not after & away, query.where
        if not query.rollups:  # the last day has no sum yet
            assert before - after == away, query.where
