"""Every fault that the linter can name has a fixture that makes it name it: a rule without one is not known to work."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dashboards.grafana.lint import lint_contact_points, lint_dashboard, lint_files, lint_routes, lint_rule_group
from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken
from tests.grafana.lint.broken_builds import FILES, LATER, POINTS, POLICIES, TIMINGS
from tests.grafana.lint.broken_heads import ENGLISH, HEADS
from tests.grafana.lint.broken_panels import PANELS
from tests.grafana.lint.broken_queries import QUERIES
from tests.grafana.lint.broken_rules import API, FILE, RULES

LINTER = Path(lint_dashboard.__code__.co_filename).parent


def test_every_fault_has_a_fixture() -> None:
    before = good.files(good.build())
    said = [
        *each([*HEADS, *PANELS, *QUERIES], good.dashboard, lint_dashboard),
        *each(ENGLISH, lambda: good.dashboard("en"), lint_dashboard),
        *each([*RULES, *API], good.api_group, lint_rule_group),
        *each([*RULES, *FILE], good.file_group, lambda group: lint_rule_group(group, "file")),
        *each([*FILES, *POINTS, *POLICIES, *TIMINGS], good.build, lambda built: lint_files(good.files(built))),
        *each(LATER, good.build, lambda built: lint_files(good.files(built), before)),
        *lint_files({**before, "x.json": b"{", "x.yml": b"{deleteRules: &a [], deleteContactPoints: *a}"}),
        *lint_contact_points([{**good.receiver(), "name": "x"}, {}]),
        *lint_routes([good.policy()["routes"][0], {"x": 1}], [], []),
    ]
    everything = "\n".join(said)
    never = [f"{where}: {pattern.pattern}" for where, pattern in faults() if pattern.search(everything) is None]
    assert not never, "no fixture makes the linter say these:\n" + "\n".join(never)


def each(broken: list[Broken], made: Callable[[], Any], lint: Callable[[Any], list[str]]) -> Iterator[str]:
    for one in broken:
        held = made()
        one.change(held)
        yield from lint(held)


def faults() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Where the linter says what is wrong, and how that looks: each `yield` of a text, each text put into a list `found`."""
    for path in sorted(LINTER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text: ast.expr | None = None
            if isinstance(node, ast.Yield):
                text = node.value
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "found.append":
                text = node.args[0]
            if isinstance(text, ast.JoinedStr | ast.Constant):
                yield f"{path.name}:{node.lineno}", looks(text)


def looks(text: ast.JoinedStr | ast.Constant) -> re.Pattern[str]:
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    return re.compile("".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts))
