"""One panel: the keys of its type, its unit and colours, what it says of itself, and its queries."""

import re
from collections.abc import Iterator, Set
from typing import Any, Final

from dashboards.grafana.lint.columns import column_faults
from dashboards.grafana.lint.dashboard_keys import FIELD, PANEL
from dashboards.grafana.lint.links import called_links, link_faults, map_faults
from dashboards.grafana.lint.naming import naming_faults
from dashboards.grafana.lint.panel_keys import PANEL_TYPES, PanelType
from dashboards.grafana.lint.shape import Json, faults, like
from dashboards.grafana.lint.targets import target_faults
from dashboards.grafana.lint.units import unit_fault
from dashboards.grafana.options import Options
from dashboards.grafana.text import Language

# What `text.Help` puts before what an empty panel means, and before what is to be done.
_SAYS: Final = {Language.ZH: ("空白表示:", "怎么办:"), Language.EN: ("Empty means:", "What to do:")}
_WORDS_ENOUGH: Final = frozenset({"state-timeline", "status-history"})
_INTERVAL: Final = re.compile(r">?\d+(ms|s|m|h|d)")
_SPAN: Final = re.compile(r"(now-)?\d+[smhdwMy](/[smhdwMy])?|now/[dwMy]")


def panel_faults(panel: Json, language: Language | None, variables: Set[str], options: Options) -> Iterator[str]:
    """Of one panel, not a row; without its name before them."""
    broken = list(faults(panel, PANEL))
    kind = PANEL_TYPES.get(str(panel.get("type")))
    if kind is None:
        broken.append(f"type {panel.get('type')!r}: {like(str(panel.get('type')), PANEL_TYPES)}")
    elif not broken:
        broken += _key_faults(panel, kind)
    yield from broken
    # What it says can be looked at only where it is whole.
    if not broken and kind is not None:
        yield from _whole_faults(panel, kind, language, variables, options)


def _whole_faults(
    panel: Json, kind: PanelType, language: Language | None, variables: Set[str], options: Options
) -> Iterator[str]:
    yield from _text_faults(panel, kind, language)
    yield from _color_faults(panel)
    for link in called_links(panel):
        yield from link_faults(link, variables, options)
    if panel.get("repeat") and panel["repeat"] not in variables:
        yield f"repeat: there is no variable {panel['repeat']!r}"
    for key, form in (("interval", _INTERVAL), ("timeFrom", _SPAN), ("timeShift", _SPAN)):
        if panel.get(key) and form.fullmatch(panel[key]) is None:
            yield f"{key} {panel[key]!r}: Grafana takes '1m', '24h' and the like"
    if panel["type"] == "geomap":
        yield from map_faults(panel, options)
    if kind.reads:
        yield from _unit_faults(panel)
        yield from target_faults(panel, variables, options.zone)
        yield from column_faults(panel)
        yield from naming_faults(panel)
    elif panel.get("targets"):
        yield f"a panel of type {panel['type']} asks no queries"


def _key_faults(panel: Json, kind: PanelType) -> Iterator[str]:
    """Of the keys that only this type has."""
    field = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    yield from faults(panel.get("options", {}), kind.options, "options")
    if panel["type"] == "barchart" and panel.get("options", {}).get("xTickLabelMaxLength") == 0:
        yield "options.xTickLabelMaxLength 0: Grafana cuts every label down to '...'"
    yield from faults(field["defaults"].get("custom", {}), kind.custom, "fieldConfig.defaults.custom")
    for at, override in enumerate(field["overrides"]):
        for one in override["properties"]:
            where = f"fieldConfig.overrides[{at}].{one['id']}"
            name, own = one["id"].removeprefix("custom."), one["id"].startswith("custom.")
            known: dict[str, Any] = dict(kind.custom.known) if own else FIELD
            if name not in known:
                yield f"{where}: a {panel['type']} has no such property; {like(name, known)}"
            else:
                yield from faults(one["value"], known[name], where)


def _color_faults(panel: Json) -> Iterator[str]:
    field = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    yield from _threshold_faults(field["defaults"].get("thresholds"), "fieldConfig.defaults.thresholds")
    for at, override in enumerate(field["overrides"]):
        for one in override["properties"]:
            if one["id"] == "thresholds":
                yield from _threshold_faults(one["value"], f"fieldConfig.overrides[{at}].thresholds")


def _threshold_faults(thresholds: Json, where: str) -> Iterator[str]:
    steps = (thresholds or {}).get("steps", [])
    if not steps:
        return
    values = [step.get("value") for step in steps]
    if values[0] is not None:
        yield f"{where}: the first step begins at {values[0]}, so lower values have no colour; it begins at null"
    if None in values[1:] or values[1:] != sorted(values[1:]):
        yield f"{where}: steps {values} do not rise, and Grafana takes the last that fits"


def _text_faults(panel: Json, kind: PanelType, language: Language | None) -> Iterator[str]:
    if not panel["title"].strip():
        yield "has no title"
    if panel["type"] == "text":
        if not panel["options"].get("content", "").strip():
            yield "has no text"
        return
    description = panel.get("description", "")
    if not description.strip():
        yield "has no description: it says what an empty panel means and what to do"
    elif language is not None:
        for word in _SAYS[language]:
            if word not in description:
                yield f"its description does not say {word!r}"


def _unit_faults(panel: Json) -> Iterator[str]:
    field = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
    defaults = field["defaults"]
    units = [defaults["unit"]] if defaults.get("unit") else []
    units += [one["value"] for override in field["overrides"] for one in override["properties"] if one["id"] == "unit"]
    words = defaults.get("mappings") and panel["type"] in _WORDS_ENOUGH
    if not units and not words:
        yield "has no unit: set fieldConfig.defaults.unit, 'none' where a number has none"
    for unit in units:
        if isinstance(unit, str) and (fault := unit_fault(unit)):
            yield fault
