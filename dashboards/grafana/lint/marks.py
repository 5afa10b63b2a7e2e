"""Annotations: which of their columns Grafana takes for heading, text and tags.

Its InfluxDB data source asks for them as for series. A column is then called `<measurement>.<column>`, or, where the query
groups by tags, `<measurement>.<column> { device: probe-1 }`, one for each group; what such a name holds anywhere decides what
the column is, the last that fits for the text (`transformAnnotationResponse` in its response_parser.ts).
"""

from collections.abc import Iterator

from dashboards.grafana.lint.influxql import read
from dashboards.grafana.lint.schema import measurements
from dashboards.grafana.lint.shape import Json


def mark_faults(target: Json) -> Iterator[str]:
    """Of the target of an annotation, whose query has been looked at."""
    query = read(target["query"])
    if query.faults or not query.measurements:
        return
    text, tags = str(target.get("textColumn") or ""), _listed(target.get("tagsColumn"))
    for key in ("titleColumn", "timeEndColumn"):
        if target.get(key):
            yield f"{key} {target[key]!r}: columns are called <measurement>.<column> here, so it fits none"
    for one in (text, *tags):
        if one not in query.columns:
            yield f"{one!r} is no column of its query"
    if _groups(target["query"]):
        yield "groups by tags: Grafana then finds its text in none or in another column; group in an inner SELECT"
    known = measurements().get(query.measurements[0])
    for one in tags:
        if known is not None and one not in known.tags:
            yield f"{one!r} among the tags is a field: a number there stops all marks"
    headings = 0
    for column in query.columns:
        name = f"{query.measurements[0]}.{column}"
        if column not in tags and any(one in name for one in tags):
            yield f"column {name!r} holds the name of a tag, so Grafana takes it for one"
        elif column not in (text, *tags) and text in name:
            yield f"column {name!r} holds {text!r}, so Grafana takes it for the text"
        headings += column not in (text, *tags)
    if not headings:
        yield "every column is text or tag, so Grafana puts the time above it, as a number; ask for one more, in front"


def _listed(value: object) -> list[str]:
    return [one for one in str(value or "").split(",") if one]


def _groups(query: str) -> bool:
    """Whether the outermost SELECT groups by anything but time."""
    depth, outer = 0, ""
    for letter in query:
        depth -= letter == ")"
        outer += letter if depth == 0 else ""
        depth += letter == "("
    return '"' in outer.upper().partition("GROUP BY")[2].partition("ORDER BY")[0]
