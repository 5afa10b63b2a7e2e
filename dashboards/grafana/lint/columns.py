"""The columns that the queries of a panel give, step by step: Grafana ignores a name that none of them has."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from dashboards.grafana.lint.influxql import read
from dashboards.grafana.lint.shape import Json, like

TIME: Final = "Time"

# Columns after a step; None: it makes columns that depend on the data, so that nothing more can be said.
Columns = frozenset[str] | None


def column_faults(panel: Json) -> Iterator[str]:
    """Of a panel whose targets answer with tables; of others nothing can be said before there is data."""
    targets = panel.get("targets", [])
    if not targets or any(target["resultFormat"] != "table" for target in targets):
        return
    columns: Columns = frozenset().union(*(_columns(target["query"]) for target in targets))
    for step in panel.get("transformations", []):
        if step.get("disabled"):
            continue
        assert columns is not None
        for name in _asked(step):
            if name not in columns:
                yield f"transformation {step['id']}: there is no column {name!r}; {like(name, columns)}"
        made = _STEPS.get(step["id"])
        # A step with a filter leaves the answers to other queries as they are.
        untouched: frozenset[str] = columns if step.get("filter") else frozenset()
        columns = made(step["options"], columns) if made else None
        columns = columns | untouched if columns is not None else None
        if columns is None:
            return
    if columns is not None:
        yield from _shown_faults(panel, columns)


def _columns(query: str) -> frozenset[str]:
    asked = read(query)
    return frozenset({TIME, *asked.tags, *asked.columns})


def _asked(step: Json) -> list[str]:
    """Columns that a step names and that have to be there. What is left out need not be."""
    options = step["options"]
    match step["id"]:
        case "filterFieldsByName":
            return list(options.get("include", {}).get("names", []))
        case "organize":
            return [*options.get("renameByName", {}), *options.get("indexByName", {})]
        case "sortBy":
            return [one["field"] for one in options.get("sort", [])]
        case "joinByField":
            return [options["byField"]] if "byField" in options else []
        case "groupBy":
            return list(options.get("fields", {}))
        case "convertFieldType":
            return [one["targetField"] for one in options.get("conversions", [])]
        case "groupingToMatrix":
            return [options[key] for key in ("rowField", "columnField", "valueField") if options.get(key)]
        case "partitionByValues":
            return list(options.get("fields", []))
        case "formatTime":
            return [options["timeField"]] if "timeField" in options else []
    return []


def _filtered(options: Json, columns: frozenset[str]) -> Columns:
    if any(key in one for one in (options.get("include", {}), options.get("exclude", {})) for key in ("pattern", "variable")):
        return None
    included = options.get("include", {}).get("names")
    kept = columns & frozenset(included) if included is not None else columns
    return kept - frozenset(options.get("exclude", {}).get("names", []))


def _organized(options: Json, columns: frozenset[str]) -> Columns:
    gone = {name for name, left_out in options.get("excludeByName", {}).items() if left_out}
    names = options.get("renameByName", {})
    return frozenset(names.get(name) or name for name in columns - gone)


def _grouped(options: Json, columns: frozenset[str]) -> Columns:
    del columns
    made: set[str] = set()
    for name, what in options.get("fields", {}).items():
        if what.get("operation") == "groupby":
            made.add(name)
        elif what.get("operation") == "aggregate":
            made |= {f"{name} ({how})" for how in what.get("aggregations", [])}
    return frozenset(made)


def _calculated(options: Json, columns: frozenset[str]) -> Columns:
    if not options.get("alias"):
        return None
    made = frozenset({options["alias"]})
    return made | (columns & {TIME}) if options.get("replaceFields") else columns | made


def _same(options: Json, columns: frozenset[str]) -> Columns:
    del options
    return columns


_STEPS: Final[dict[str, Callable[[Json, frozenset[str]], Columns]]] = {
    "filterFieldsByName": _filtered,
    "organize": _organized,
    "groupBy": _grouped,
    "calculateField": _calculated,
    **dict.fromkeys(
        ("merge", "limit", "sortBy", "filterByValue", "filterByRefId", "joinByField", "convertFieldType", "formatTime"), _same
    ),
}


def _shown_faults(panel: Json, columns: frozenset[str]) -> Iterator[str]:
    """Columns that the panel itself names."""
    options, field = panel.get("options", {}), panel.get("fieldConfig", {})
    named: list[tuple[str, object]] = [(f"{key}", options.get(key)) for key in ("xField", "colorByField") if options.get(key)]
    named += [("sortBy", one["displayName"]) for one in options.get("sortBy", [])]
    for override in field.get("overrides", []):
        matcher = override["matcher"]
        named += [("override", name) for name in _matched(matcher)]
    for layer in options.get("layers", []):
        place = layer.get("location", {})
        named += [(f"layer {layer.get('name')!r}", place[key]) for key in ("latitude", "longitude") if place.get(key)]
    for where, name in named:
        if str(name) not in columns:
            yield f"{where}: there is no column {name!r}; {like(str(name), columns)}"


def _matched(matcher: Json) -> Sequence[object]:
    if matcher["id"] == "byName":
        return [matcher.get("options")]
    if matcher["id"] == "byNames":
        return list(matcher.get("options", {}).get("names", []))
    return []
