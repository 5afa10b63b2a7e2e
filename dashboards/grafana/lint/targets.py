"""The targets of one panel: their data source, names of series, and which of them answers for how long a range."""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Final

from dashboards.grafana.lint.influxql import read
from dashboards.grafana.lint.query import SOURCES, answers, level, query_faults
from dashboards.grafana.lint.schema import DAILY, HOURLY, measurements
from dashboards.grafana.lint.shape import Json

MIXED: Final = "-- Mixed --"
_ALIAS_WORD: Final = re.compile(r"\$(\w+)|\[\[(\w+)\]\]")
_ALIAS_JOINED: Final = re.compile(r"\$\w+[-@]")
_ALIAS_PLAIN: Final = frozenset({"col", "m", "measurement"})


def source_faults(source: Json) -> Iterator[str]:
    """Of a reference to a data source: always by its fixed uid, never by name, default or variable."""
    if source.get("uid") not in SOURCES or source.get("type") != "influxdb":
        yield f"datasource {source!r}: must be influxdb with uid {' or '.join(sorted(SOURCES))}"


def target_faults(panel: Json, variables: Set[str], zone: str) -> Iterator[str]:
    """Of all targets of a panel that reads; their keys have been looked at."""
    targets = panel.get("targets", [])
    if not targets:
        yield "has no query"
        return
    refs = [target["refId"] for target in targets]
    for ref in sorted({ref for ref in refs if refs.count(ref) > 1}):
        yield f"two targets are called {ref!r}, and Grafana shows one of them"
    for target in targets:
        for fault in _one_faults(target, variables, zone):
            yield f"target {target['refId']}: {fault}"
    yield from _panel_source_faults(panel, targets)
    yield from level_faults(targets)
    if not panel.get("timeFrom"):
        yield from _bound_faults(targets)


def level_faults(targets: Sequence[Json]) -> Iterator[str]:
    """Of targets that answer for some `$__interval_ms` only: there is one for each length of range, and never two."""
    levels = [(target, level(target["query"])) for target in targets]
    bounded = [(target, one) for target, one in levels if one]
    if not bounded:
        return
    limits = sorted({limit for _, one in bounded for _, limit in one})
    gap, doubled = 0, ""
    for interval_ms in sorted({1, *(at + step for at in limits for step in (-1, 0, 1) if at + step > 0)}):
        names = [_series(target) for target, one in bounded if answers(one, interval_ms)]
        if not names:
            gap = gap or interval_ms
        if twice := [one for one in names if names.count(one) > 1]:
            doubled = doubled or f"at an interval of {interval_ms} ms two targets answer for {twice[0]!r}"
    if gap:
        yield f"at an interval of {gap} ms no target answers: the panel is empty for such a range"
    if doubled:
        yield f"{doubled}: each series is drawn twice"


def _bound_faults(targets: Sequence[Json]) -> Iterator[str]:
    """A range of years is answered from days: what is finer says up to where it goes."""
    for target in targets:
        query = read(target["query"])
        bounded = any(sign.startswith("<") for sign, _ in level(target["query"]))
        if bounded or query.show or not any(length != "1d" for length in query.times):
            continue
        for name in query.measurements:
            if name.endswith(HOURLY) or f"{name}{DAILY}" in measurements():
                yield f"target {target['refId']}: reads {name} of a range of years; bound it by $__interval_ms < and add days"


def _series(target: Json) -> str:
    """What tells the series of a target from those of its neighbours: its alias and what is before the roll-up's ending."""
    return f"{target.get('alias', '')}/{_level_free(target['query'])}"


def _level_free(query: str) -> str:
    selected = query.split(" FROM ")[0]
    return re.sub(r"_(mean|min|max|count|bad)\"", '"', selected)


def _one_faults(target: Json, variables: Set[str], zone: str) -> Iterator[str]:
    yield from source_faults(target["datasource"])
    if target["rawQuery"] is not True:
        yield "rawQuery is not true: Grafana would build an empty query of its own"
    if target.get("hide"):
        yield "is hidden: it shows nothing and costs nothing but doubt"
    yield from query_faults(target["query"], target["datasource"].get("uid", ""), variables, zone)
    if read(target["query"]).show:
        yield "is a SHOW: it belongs into a variable"
    if target["resultFormat"] == "time_series":
        yield from _alias_faults(target)
    elif target.get("alias"):
        yield f"alias {target['alias']!r}: the columns of a table are named with AS"


def _alias_faults(target: Json) -> Iterator[str]:
    alias = target.get("alias", "")
    if not alias:
        yield "has no alias: its series would be called climate.mean {device: ...}"
        return
    tags = set(read(target["query"]).tags)
    named = {found.group(1) or found.group(2) for found in _ALIAS_WORD.finditer(alias)}
    for word in sorted(named):
        if word.startswith("tag_") and word.removeprefix("tag_") not in tags:
            yield f"alias ${word}: the query does not group by {word.removeprefix('tag_')!r}, so the name would be empty"
        elif not word.startswith("tag_") and word not in _ALIAS_PLAIN:
            yield f"alias ${word}: Grafana knows $tag_<tag>, $col and $measurement"
    if _ALIAS_JOINED.search(alias):
        yield f"alias {alias!r}: Grafana takes - and @ for a part of the name before them; put a blank between"
    if tags and not any(word.startswith("tag_") for word in named):
        yield f"alias {alias!r}: the series of {', '.join(sorted(tags))} would all have one name"


def _panel_source_faults(panel: Json, targets: Sequence[Json]) -> Iterator[str]:
    used = {target["datasource"].get("uid") for target in targets}
    stated = panel.get("datasource", {}).get("uid")
    if len(used) > 1 and stated != MIXED:
        yield f"targets ask {', '.join(sorted(map(str, used)))}: the panel's datasource must be {MIXED!r}, is {stated!r}"
    if len(used) == 1 and stated not in (*used, MIXED):
        yield f"the panel's datasource is {stated!r}, its targets ask {used.pop()!r}"
