"""Every query of the dashboards and rules as Grafana would execute it, and what a database answers."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.grafana.expand import ALL, Range, Variable, expand, expand_variable, left_over, length_ms

SOURCES: Final = {"kanhu": "", "kanhu-rollups": "_rollups"}  # uid of a data source -> what follows the bucket's name
# A slash begins a regular expression only behind =~ or !~; else it divides.
_WORDS: Final = re.compile(r'"[^"]*"|\'[^\']*\'|[=!]~ */(?:\\.|[^/])+/|[()]|[^\s()"\',]+|,')
_CLAUSES: Final = ("fill", "ORDER", "LIMIT", "OFFSET", "SLIMIT", "SOFFSET", "tz")


@dataclass(frozen=True)
class Query:
    """One query of a panel, annotation or rule.

    Attributes:
        where: dashboard, panel and letter, for people.
        panel: its id; 0 for annotations and rules.
        rollups: asks the database of roll-ups.
        table: rows, not series; alias: the names of series.
        time_from_ms: the panel's own range, which wins over the dashboard's.
        points, least: the panel's own `maxDataPoints` and least interval.
    """

    where: str
    panel: int
    ref: str
    text: str
    rollups: bool = False
    table: bool = False
    alias: str = ""
    time_from_ms: int = 0
    points: int | None = None
    least: str = ""
    names: frozenset[str] = frozenset()  # columns that the panel's transformations name

    def columns(self) -> list[str]:
        """Names of what is selected, as the answer has them."""
        return [_column(words) for words in _commas(_clause(self.text, "SELECT", ("FROM",)))]

    def tags(self) -> list[str]:
        """Tags by which series are told apart."""
        parts = _commas(_clause(self.text, "GROUP", _CLAUSES))
        return [words[-1].strip('"') for words in parts if not any(word.lower() == "time" for word in words)]

    def grows(self) -> bool:
        """Whether it answers only for some lengths of the range."""
        return "$__interval_ms" in self.text

    def seen_in(self, shown: Range) -> Range:
        return replace(shown, from_ms=shown.to_ms - self.time_from_ms) if self.time_from_ms else shown

    def expanded(self, shown: Range, variables: Mapping[str, Variable] | None) -> str:
        """What the database is asked."""
        seen = self.seen_in(shown)
        text = expand(self.text, seen.from_ms, seen.to_ms, seen.interval_ms(self.points, self.least), variables)
        assert not left_over(text), f"{self.where}: nobody replaces {left_over(text)} in {text}"
        return text


@dataclass(frozen=True)
class Series:
    """A part of an answer; `columns` begin with `time`, ms."""

    name: str
    tags: Mapping[str, str]
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def column(self, name: str) -> list[Any]:
        at = list(self.columns).index(name)
        return [row[at] for row in self.rows if row[at] is not None]

    def points(self, name: str) -> dict[int, Any]:
        """time, ms -> value."""
        at = list(self.columns).index(name)
        return {row[0]: row[at] for row in self.rows if row[at] is not None}


@dataclass
class Asked:
    """A database as Grafana reaches it.

    Attributes:
        bucket: of the readings; `<bucket>_rollups` holds the roll-ups.
        headers: the login.
    """

    url: str
    bucket: str
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, text: str, rollups: bool = False) -> list[Series]:
        """Raises AssertionError with the database's words when it cannot."""
        where = urlencode({"db": self.bucket + ("_rollups" if rollups else ""), "epoch": "ms"})
        request = Request(f"{self.url}/query?{where}", urlencode({"q": text}).encode(), self.headers)
        try:
            with urlopen(request, timeout=60) as answer:
                told = json.loads(answer.read())
        except HTTPError as error:
            raise AssertionError(f"{error.code} {error.read().decode(errors='replace')[:400]}: {text}") from error
        result = told["results"][0]
        assert "error" not in result, f"{result['error']}: {text}"
        found = result.get("series", [])
        return [Series(s["name"], s.get("tags", {}), s["columns"], s.get("values", [])) for s in found]

    def run(self, query: Query, shown: Range, variables: Mapping[str, Variable] | None) -> list[Series]:
        """The series that have rows."""
        return [one for one in self.ask(query.expanded(shown, variables), query.rollups) if one.rows]

    def values(self, query: str, shown: Range, variables: Mapping[str, Variable]) -> list[str]:
        """What a variable can be: of SHOW TAG VALUES the second column, each once."""
        text = expand_variable(query, shown.from_ms, shown.to_ms, variables)
        assert not left_over(text), text
        found = [str(row[-1]) for one in self.ask(text) for row in one.rows]
        return sorted(set(found))


def panels(dashboard: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All panels, those of collapsed rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def panel_queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Every query of every panel."""
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            if "query" not in target:
                continue  # an expression of Grafana's own
            where = f"{dashboard['uid']} panel {panel['id']} {panel['title']!r} {target['refId']}"
            yield Query(
                where,
                panel["id"],
                target["refId"],
                target["query"],
                _rollups(target["datasource"]["uid"], where),
                target["resultFormat"] == "table",
                target.get("alias", ""),
                length_ms(panel["timeFrom"]) if panel.get("timeFrom") else 0,
                panel.get("maxDataPoints"),
                panel.get("interval") or "",
                _names(panel),
            )


def annotation_queries(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    """Of annotations, as the browser sends them."""
    for one in dashboard.get("annotations", {}).get("list", []):
        target = one.get("target") or {}
        text = target.get("query") or one.get("query")
        if one.get("builtIn") or not text:
            continue
        where = f"{dashboard['uid']} annotation {one['name']!r}"
        yield Query(where, 0, "annotation", text, _rollups(one["datasource"]["uid"], where), table=True)


def variables(dashboard: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Name -> variable, in their order; only those with a query."""
    return {one["name"]: one for one in dashboard.get("templating", {}).get("list", []) if one["type"] == "query"}


def variable_text(variable: Mapping[str, Any]) -> str:
    """Its query."""
    query = variable["query"]
    return str(query if isinstance(query, str) else query["query"])


def rule_queries(group: Mapping[str, Any]) -> Iterator[tuple[Query, Range]]:
    """Data queries of a rule group (API form) with the range each looks at, for a now of 0."""
    for rule in group["rules"]:
        for data in rule["data"]:
            model = data["model"]
            if data["datasourceUid"] == "__expr__":
                continue
            span = data["relativeTimeRange"]
            where = f"rule {rule['uid']} {data['refId']}"
            rollups = _rollups(data["datasourceUid"], where)
            yield (
                Query(where, 0, data["refId"], model["query"], rollups, model.get("resultFormat") == "table"),
                Range(-1000 * span["from"], -1000 * span["to"], model["maxDataPoints"]),
            )


def set_to_all(asked: Asked, dashboard: Mapping[str, Any], shown: Range) -> dict[str, Variable]:
    """Every variable as a dashboard opens: All."""
    found: dict[str, Variable] = {}
    for name, one in variables(dashboard).items():
        found[name] = Variable(ALL, asked.values(variable_text(one), shown, found), one.get("allValue") or "")
    return found


def _rollups(uid: str, where: str) -> bool:
    assert uid in SOURCES, f"{where}: there is no data source {uid}"
    return bool(SOURCES[uid])


def _names(panel: Mapping[str, Any]) -> frozenset[str]:
    found: set[str] = set()
    for step in panel.get("transformations", []):
        options = step.get("options", {})
        if step["id"] == "filterFieldsByName":
            # A step that groups rows before adds how it did to the names of columns.
            found |= {re.sub(r" \(\w+\)$", "", name) for name in options.get("include", {}).get("names", [])}
    return frozenset(found)


def _clause(text: str, begins: str, ends: Sequence[str]) -> list[str]:
    """The words after `begins` up to one of `ends`, outside of all brackets of a subquery."""
    depth, found, inside = 0, list[str](), False
    for word in _WORDS.findall(text):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word.upper() in {end.upper() for end in ends}:
            if inside:
                return found
        elif inside:
            found.append(word)
        elif depth == 0 and word.upper() == begins:
            inside = True
    return found


def _commas(words: Sequence[str]) -> list[list[str]]:
    """Words between commas outside of brackets; without the BY of GROUP BY."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            parts.append([])
        elif not (word.upper() == "BY" and parts == [[]]):
            parts[-1].append(word)
    return [part for part in parts if part]


def _column(words: Sequence[str]) -> str:
    """`AS "name"`, or the name InfluxDB gives: of the field, or of the first function."""
    for number, word in enumerate(words):
        if word.upper() == "AS":
            return words[number + 1].strip('"')
    return words[0].strip('"')
