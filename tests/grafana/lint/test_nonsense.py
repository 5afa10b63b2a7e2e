"""Whatever stands where something else should stand is a fault and no crash: the linter is the last to look before a push."""

import copy
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dashboards.grafana.lint import lint_contact_points, lint_dashboard, lint_files, lint_rule_group
from tests.grafana.lint import good

JUNK = (None, True, 0, -1, 3.5, math.nan, 10**9, "", "x", "$x", "${", '"', [], {}, [None], ["x"], [[]], {"x": 1}, {"type": "x"})


@pytest.mark.parametrize(
    ("made", "lint", "times"),
    [
        pytest.param(good.dashboard, lint_dashboard, 200, id="dashboard"),
        pytest.param(good.api_group, lint_rule_group, 300, id="rules"),
        pytest.param(good.file_group, lambda group: lint_rule_group(group, "file"), 300, id="rules of a file"),
        pytest.param(good.contact_points, lint_contact_points, 100, id="contact points"),
        pytest.param(good.build, lambda built: lint_files(good.files(built)), 40, id="build"),
    ],
)
def test_no_nonsense_crashes_the_linter(made: Callable[[], Any], lint: Callable[[Any], list[str]], times: int) -> None:
    choose = random.Random(7)
    for _ in range(times):
        held = made()
        changed = [spoil(held, choose) for _ in range(choose.choice((1, 1, 2, 3)))]
        try:
            lint(held)
        except Exception as error:
            raise AssertionError(f"{changed} crashed it") from error


def spoil(held: Any, choose: random.Random) -> str:
    """Puts junk where something was, or takes it away; says where."""
    *way, last = choose.choice([path for path in paths(held) if path])
    inner = held
    for key in way:
        inner = inner[key]
    if isinstance(inner, dict) and choose.random() < 0.25:
        del inner[last]
        return f"{way}.{last} taken away"
    inner[last] = copy.deepcopy(choose.choice(JUNK))
    return f"{way}.{last} = {inner[last]!r}"


def paths(held: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    inner = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    for key, one in inner:
        yield from paths(one, (*way, key))
