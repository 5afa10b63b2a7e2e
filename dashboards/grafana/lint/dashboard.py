"""One dashboard: its own keys, variables, annotations and links, and every panel of it."""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Final

from dashboards.grafana.lint.dashboard_keys import DASHBOARD, ROW
from dashboards.grafana.lint.grid import grid_faults, name_of
from dashboards.grafana.lint.influxql import CHOICE
from dashboards.grafana.lint.links import link_faults, outside_faults
from dashboards.grafana.lint.marks import mark_faults
from dashboards.grafana.lint.panel import panel_faults
from dashboards.grafana.lint.query import query_faults
from dashboards.grafana.lint.shape import Json, faults
from dashboards.grafana.lint.targets import source_faults
from dashboards.grafana.lint.wording import wording_faults
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language

UID: Final = re.compile(r"kanhu-[a-z0-9-]+-(zh|en)")
LONGEST_UID: Final = 40
NEWEST_SCHEMA: Final = 42
_RELATIVE: Final = re.compile(r"now(-\d+[smhdwMy])?(/[smhdwMy])?")
_REFRESH: Final = re.compile(r"|\d+[smhd]")
_BUILT_IN_MARKS: Final = "-- Grafana --"


def lint_dashboard(dashboard: Json, options: Options | None = None) -> list[str]:
    """What is wrong with one dashboard, a line each; none: nothing that is looked at here.

    Args:
        dashboard: classic JSON.
        options: of the site: its zone, and which outside addresses it has set.
    """
    return list(_faults(dashboard, options or Options()))


def panels_of(dashboard: Json) -> Iterator[Json]:
    """All panels, also those of folded rows; rows themselves not."""
    for panel in dashboard.get("panels", []):
        if panel.get("type") == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def _faults(dashboard: Json, options: Options) -> Iterator[str]:
    broken = list(faults(dashboard, DASHBOARD))
    yield from broken
    if not _has_panels(dashboard):
        if not broken:
            yield "panels: a row holds something that is no list of panels"
        return
    variables = _variables(dashboard)
    names = frozenset(name for name, _ in variables)
    language = _language(dashboard)
    if not broken:
        yield from _head_faults(dashboard, options)
        yield from _variable_faults(dashboard, options)
        yield from _mark_faults(dashboard, names, options)
        for link in dashboard.get("links", []):
            yield from link_faults(link, names, options)
            if link.get("placement"):
                yield f"link {link['title']!r}: placement {link['placement']!r} hides it in a menu"
    yield from _place_faults(dashboard["panels"])
    for panel in panels_of(dashboard):
        for fault in panel_faults(panel, language, names, options):
            yield f"{name_of(panel)}: {fault}"
    yield from _unused_faults(dashboard, names)
    yield from outside_faults(dashboard, options)
    if language is not None:
        yield from wording_faults(dashboard, language)


def _has_panels(held: Json) -> bool:
    """Whether what should be a dashboard or a row has a list of panels, so that each can be looked at by itself."""
    panels = held.get("panels") if isinstance(held, dict) else None
    if not isinstance(panels, list) or not all(isinstance(panel, dict) for panel in panels):
        return False
    return all(_has_panels(panel) for panel in panels if "panels" in panel)


def _language(dashboard: Json) -> Language | None:
    found = UID.fullmatch(str(dashboard.get("uid")))
    return Language(found.group(1)) if found else None


def _head_faults(dashboard: Json, options: Options) -> Iterator[str]:
    uid = dashboard["uid"]
    if UID.fullmatch(uid) is None or len(uid) > LONGEST_UID:
        yield f"uid {uid!r}: must be kanhu-<name>-zh or -en, at most {LONGEST_UID} characters"
    if not dashboard["title"].strip() or not dashboard["description"].strip():
        yield "has no title or no description"
    if dashboard["schemaVersion"] > NEWEST_SCHEMA:
        yield f"schemaVersion {dashboard['schemaVersion']} is newer than any Grafana that was tried, {NEWEST_SCHEMA}"
    if dashboard["timezone"] != options.zone:
        yield f"timezone {dashboard['timezone']!r} is not the site's zone, {options.zone!r}"
    if "kanhu" not in dashboard["tags"]:
        yield f"tags {dashboard['tags']} do not hold 'kanhu', by which our dashboards are known again"
    for key in ("from", "to"):
        if _RELATIVE.fullmatch(dashboard["time"][key]) is None:
            yield f"time.{key} {dashboard['time'][key]!r}: must be relative, such as now-24h"
    if _REFRESH.fullmatch(dashboard.get("refresh", "")) is None:
        yield f"refresh {dashboard['refresh']!r}: must be '1m' or the like, or nothing"


def _place_faults(panels: Sequence[Json]) -> Iterator[str]:
    everything: list[Json] = []
    for panel in panels:
        everything.append(panel)
        if panel.get("type") == "row":
            broken = [f"{name_of(panel)}: {fault}" for fault in faults(panel, ROW)]
            yield from broken
            if not broken and panel["panels"] and not panel["collapsed"]:
                yield f"{name_of(panel)}: is open and holds panels, which Grafana then does not show"
            if not broken:
                everything += panel["panels"]
    ids = [panel.get("id") for panel in everything]
    for panel in everything:
        if not isinstance(panel.get("id"), int) or panel["id"] < 1:
            yield f"{name_of(panel)}: id must be a whole number from 1 on, or links to it depend on the order"
    for one in sorted({one for one in ids if isinstance(one, int) and ids.count(one) > 1}):
        yield f"two panels have the id {one}"
    for grid in (panels, *(panel["panels"] for panel in panels if isinstance(panel.get("panels"), list))):
        if all(_has_spot(panel) for panel in grid):
            yield from grid_faults(grid)


def _has_spot(panel: Json) -> bool:
    spot = panel.get("gridPos")
    return isinstance(spot, dict) and all(isinstance(spot.get(key), int) for key in "hwxy") and "type" in panel


def _variables(dashboard: Json) -> list[tuple[str, str]]:
    """(name, query) of each variable."""
    held = dashboard.get("templating")
    listed = held.get("list") if isinstance(held, dict) else None
    if not isinstance(listed, list):
        return []
    return [(str(one.get("name")), _query_of(one)) for one in listed if isinstance(one, dict)]


def _query_of(variable: Json) -> str:
    query = variable.get("query", "")
    return str(query.get("query", "")) if isinstance(query, dict) else str(query)


def _variable_faults(dashboard: Json, options: Options) -> Iterator[str]:
    seen: set[str] = set()
    for variable in dashboard["templating"]["list"]:
        name, query = variable["name"], _query_of(variable)
        said = f"variable {name!r}"
        if name in seen:
            yield f"{said}: there are two"
        yield from (f"{said}: {fault}" for fault in source_faults(variable["datasource"]))
        if not (variable["multi"] and variable["includeAll"] and variable["allValue"] == ".*"):
            yield f"{said}: must take one, several and all, and all must be '.*'"
        if not variable["label"].strip():
            yield f"{said}: has no label"
        if variable["refresh"] not in (1, 2):
            yield f"{said}: refresh {variable['refresh']} never asks for its values"
        if not query.upper().startswith("SHOW TAG VALUES"):
            yield f"{said}: {query!r} is no SHOW TAG VALUES"
        # Only those before it have a value when it is asked.
        for fault in query_faults(query, variable["datasource"].get("uid", ""), seen, options.zone):
            yield f"{said}: {fault}"
        seen.add(name)


def _unused_faults(dashboard: Json, names: Set[str]) -> Iterator[str]:
    used = {found.group(1) for panel in panels_of(dashboard) for found in CHOICE.finditer(str(panel.get("targets", "")))}
    used |= {str(panel.get("repeat")) for panel in dashboard["panels"]}
    for name, query in _variables(dashboard):
        used |= {found.group(1) for found in CHOICE.finditer(query) if found.group(1) != name}
    for name in sorted(names - used):
        yield f"variable {name!r}: no query asks for it, so choosing changes nothing"


def _mark_faults(dashboard: Json, names: Set[str], options: Options) -> Iterator[str]:
    for mark in dashboard.get("annotations", {}).get("list", []):
        said = f"annotation {mark['name']!r}"
        if mark["datasource"].get("uid") == _BUILT_IN_MARKS:
            continue
        yield from (f"{said}: {fault}" for fault in source_faults(mark["datasource"]))
        target = mark.get("target", {})
        if target.get("rawQuery") is not True or not target.get("query"):
            yield f"{said}: needs a target with rawQuery true and a query"
            continue
        for fault in query_faults(target["query"], mark["datasource"].get("uid", ""), names, options.zone):
            yield f"{said}: {fault}"
        yield from (f"{said}: {fault}" for fault in mark_faults(target))
