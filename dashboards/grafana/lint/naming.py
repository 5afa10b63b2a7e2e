"""The names by which a panel speaks of its own queries and series: Grafana ignores one that there is not."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from dashboards.grafana.lint.influxql import read
from dashboards.grafana.lint.links import called_links
from dashboards.grafana.lint.shape import Json, like

_BY_QUERY: Final = ("byRefId", "byFrameRefID")
_TAG: Final = re.compile(r"\$tag_\w+|\[\[tag_\w+\]\]")
_FIELD: Final = re.compile(r"\$\{__data\.fields\.(\w+)\}|\$\{__data\.fields\[\"([^\"]+)\"\]\}")
_PATTERN: Final = re.compile(r"/(.*)/([a-z]*)", re.DOTALL)
_ANY_TAG: Final = "\0"  # stands for the value of a tag, which only the data knows
_NUMBER_KEY: Final = re.compile(r"-?\d+(\.\d+)?")


def naming_faults(panel: Json) -> Iterator[str]:
    """Of a panel that reads; its keys have been looked at."""
    yield from _query_faults(panel)
    yield from _mapping_faults(panel)
    if all(target["resultFormat"] == "time_series" for target in panel.get("targets", [])):
        if not panel.get("transformations"):
            yield from _series_faults(panel)
    else:
        yield from _field_faults(panel)


def _query_faults(panel: Json) -> Iterator[str]:
    """Filters by the name of a query."""
    refs = {target["refId"] for target in panel.get("targets", [])}
    filters = chain(
        ((f"layer {layer.get('name')!r}", layer.get("filterData")) for layer in panel.get("options", {}).get("layers", [])),
        ((f"transformation {step['id']}", step.get("filter")) for step in panel.get("transformations", [])),
        (("override", override["matcher"]) for override in panel.get("fieldConfig", {}).get("overrides", [])),
    )
    for where, matcher in filters:
        if not isinstance(matcher, dict) or matcher.get("id") not in _BY_QUERY:
            continue
        wanted = str(matcher.get("options"))
        named = _PATTERN.fullmatch(wanted)
        if wanted not in refs and not (named and any(re.search(named.group(1), ref) for ref in refs)):
            yield f"{where}: there is no query {wanted!r}; {like(wanted, frozenset(refs))}"


def _mapping_faults(panel: Json) -> Iterator[str]:
    field = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    held = [field["defaults"].get("mappings", [])]
    held += [one["value"] for override in field["overrides"] for one in override["properties"] if one["id"] == "mappings"]
    for mapping in chain.from_iterable(held):
        for key in mapping["options"] if mapping["type"] == "value" else ():
            if _NUMBER_KEY.fullmatch(key) and "." in key and key.endswith("0"):
                yield f"mapping {key!r}: never fits, for Grafana writes the number without its noughts"


def _series_faults(panel: Json) -> Iterator[str]:
    """Overrides by the name of a series, which is made of the alias."""
    names = [name for target in panel.get("targets", []) for name in _series(target)]
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        matcher, wanted = override["matcher"], override["matcher"].get("options")
        if matcher["id"] == "byName":
            fits = any(re.fullmatch(_as_pattern(name), str(wanted), re.DOTALL) for name in names)
        elif matcher["id"] == "byRegexp":
            found = _PATTERN.fullmatch(str(wanted))
            fits = found is not None and any(re.search(found.group(1), name) for name in names)
        else:
            continue
        if not fits:
            shown = sorted({name.replace(_ANY_TAG, "...") for name in names})
            yield f"override {wanted!r}: no series has such a name; they are called {', '.join(shown)}"


def _series(target: Json) -> Iterator[str]:
    alias = _TAG.sub(_ANY_TAG, target.get("alias", ""))
    query = read(target["query"])
    for column in query.columns or ("",):
        name = alias.replace("$col", column).replace("[[col]]", column)
        yield re.sub(r"\$m(easurement)?\b|\[\[m(easurement)?\]\]", "".join(query.measurements[:1]), name)


def _as_pattern(name: str) -> str:
    return ".*".join(re.escape(part) for part in name.split(_ANY_TAG))


def _field_faults(panel: Json) -> Iterator[str]:
    """Links of a table that carry the value of a column: it is called as in the query, or as it is headed."""
    known: set[str] = set()
    for target in panel.get("targets", []):
        query = read(target["query"])
        known |= {"Time", *query.tags, *query.columns}
    for step in panel.get("transformations", []):
        known |= set(step["options"].get("renameByName", {}).values()) if step["id"] == "organize" else set()
        if step["id"] not in ("organize", "filterFieldsByName", "merge", "sortBy", "filterByValue", "limit", "formatTime"):
            return
    for link in called_links(panel):
        for one, other in _FIELD.findall(link.get("url", "")):
            if (one or other) not in known:
                yield f"link {link.get('title')!r}: there is no column {one or other!r}; {like(one or other, frozenset(known))}"
