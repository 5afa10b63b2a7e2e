"""What a table of a dashboard shows: Grafana's transformations, as far as our dashboards use them.

A model of Grafana, not Grafana: written after the sources of its transformers (filterByName, merge, sortBy, groupBy,
filterByValue, organize; `filter` of a transformation chooses frames by the letter of their query).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.grafana import asking
from tests.grafana.asking import Asked, Series
from tests.grafana.expand import Range, Variable

Row = dict[str, Any]


@dataclass
class Frame:
    """A table: the answer to one query, or what a transformation made. A value that is missing is None."""

    ref: str
    columns: list[str]
    rows: list[Row] = field(default_factory=list)


def table(
    asked: Asked, dashboard: Mapping[str, Any], number: int, shown: Range, variables: Mapping[str, Variable]
) -> list[Row]:
    """The rows of a table panel as they stand on the screen, by heading."""
    panel = next(one for one in asking.panels(dashboard) if one["id"] == number)
    queries = [one for one in asking.panel_queries(dashboard) if one.panel == number]
    return shown_rows(panel, [frame(one.ref, asked.run(one, shown, variables)) for one in queries])


def frame(ref: str, answer: Sequence[Series]) -> Frame:
    """An answer as `resultFormat: table` has it: `Time`, tags, columns."""
    if not answer:
        return Frame(ref, [])
    columns = ["Time", *answer[0].tags, *answer[0].columns[1:]]
    rows = [dict(zip(columns, [row[0], *one.tags.values(), *row[1:]], strict=True)) for one in answer for row in one.rows]
    return Frame(ref, columns, rows)


def shown_rows(panel: Mapping[str, Any], frames: Sequence[Frame]) -> list[Row]:
    """After all transformations, sorted as the panel begins."""
    made = [one for one in frames if one.columns]
    for step in panel.get("transformations", []):
        only = re.compile(step["filter"]["options"].strip("/")) if "filter" in step else None
        seen = [one for one in made if only is None or only.search(one.ref)]
        done = _STEPS[step["id"]](seen, step["options"])
        made = [*(one for one in made if one not in seen), *done]
    assert len(made) <= 1, f"{len(made)} tables, of which Grafana shows the first"
    rows = made[0].rows if made else []
    for by in reversed(panel["options"].get("sortBy", [])):
        rows = _in_order(rows, by["displayName"], by.get("desc", False))
    return rows


def _in_order(rows: Sequence[Row], name: str, down: bool) -> list[Row]:
    """Nothing is less than anything."""
    there = sorted((row for row in rows if row[name] is not None), key=lambda row: row[name], reverse=down)
    missing = [row for row in rows if row[name] is None]
    return [*there, *missing] if down else [*missing, *there]


def _filtered(frames: Sequence[Frame], options: Mapping[str, Any]) -> list[Frame]:
    included, excluded = options.get("include", {}).get("names"), options.get("exclude", {}).get("names", [])
    return [_only(one, [c for c in one.columns if (included is None or c in included) and c not in excluded]) for one in frames]


def _only(one: Frame, columns: list[str]) -> Frame:
    return Frame(one.ref, columns, [{name: row[name] for name in columns} for row in one.rows])


def _merged(frames: Sequence[Frame], options: Mapping[str, Any]) -> list[Frame]:
    """Rows with the same values in all columns that every frame has are one, unless they contradict each other."""
    del options
    if len(frames) <= 1:
        return list(frames)
    columns = list(dict.fromkeys(name for one in frames for name in one.columns))
    keys = [name for name in columns if all(name in one.columns for one in frames)]
    assert keys, "without a common column Grafana merges nothing"
    kept: dict[str, list[Row]] = {}
    order: list[tuple[str, int]] = []
    for one in frames:
        for row in one.rows:
            key = "".join(str(row[name]) for name in keys)
            known = kept.setdefault(key, [])
            joined = [n for n, old in enumerate(known) if all(old.get(c) is None or old[c] == v for c, v in row.items())]
            for n in joined:
                known[n] = {**known[n], **row}
            if not joined:
                order.append((key, len(known)))
                known.append(row)
    return [Frame("", columns, [{name: kept[key][n].get(name) for name in columns} for key, n in order])]


def _sorted(frames: Sequence[Frame], options: Mapping[str, Any]) -> list[Frame]:
    [by] = options["sort"]  # of several Grafana takes the first
    return [Frame(one.ref, one.columns, _in_order(one.rows, by["field"], by.get("desc", False))) for one in frames]


def _grouped(frames: Sequence[Frame], options: Mapping[str, Any]) -> list[Frame]:
    by = [name for name, what in options["fields"].items() if what["operation"] == "groupby"]
    made = []
    for one in frames:
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in one.rows:
            groups.setdefault(tuple(row[name] for name in by if name in one.columns), []).append(row)
        how = [
            (name, reducer)
            for name in one.columns
            if (what := options["fields"].get(name)) and what["operation"] == "aggregate"
            for reducer in what["aggregations"]
        ]
        kept = [name for name in by if name in one.columns]
        rows = [
            {name: members[0][name] for name in kept}
            | {f"{name} ({reducer})": _REDUCERS[reducer]([row[name] for row in members]) for name, reducer in how}
            for members in groups.values()
        ]
        made.append(Frame(one.ref, [*kept, *(f"{name} ({reducer})" for name, reducer in how)], rows))
    return made


def _with_value(frames: Sequence[Frame], options: Mapping[str, Any]) -> list[Frame]:
    [only] = options["filters"]
    assert (only["config"]["id"], options["type"]) == ("isNotNull", "include")
    name = only["fieldName"]
    return [Frame(one.ref, one.columns, [row for row in one.rows if row.get(name) is not None]) for one in frames]


def _organized(frames: Sequence[Frame], options: Mapping[str, Any]) -> list[Frame]:
    index, names = options["indexByName"], options["renameByName"]
    made = []
    for one in frames:
        columns = sorted(one.columns, key=lambda name: index.get(name, len(index)))
        rows = [{names.get(name) or name: row[name] for name in columns} for row in one.rows]
        made.append(Frame(one.ref, [names.get(name) or name for name in columns], rows))
    return made


def _there(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


_REDUCERS: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    "firstNotNull": lambda values: next(iter(_there(values)), None),
    "lastNotNull": lambda values: next(reversed(_there(values)), None),
    "sum": lambda values: sum(_there(values)),
}
_STEPS: Final[dict[str, Callable[[Sequence[Frame], Mapping[str, Any]], list[Frame]]]] = {
    "filterFieldsByName": _filtered,
    "merge": _merged,
    "sortBy": _sorted,
    "groupBy": _grouped,
    "filterByValue": _with_value,
    "organize": _organized,
}
