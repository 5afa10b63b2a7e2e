"""Addresses: links lead to our own dashboards, and nothing is loaded from outside unless the site says so."""

import re
from collections.abc import Iterator, Set
from typing import Final, NamedTuple

from dashboards.grafana.lint.shape import Json, like
from dashboards.grafana.options import Options

_OUTSIDE: Final = re.compile(r"(?:https?:)?//[^\s\"'<>)]+")
_WORD: Final = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_]\w*")
_BUILT_IN: Final = re.compile(
    r"\$\{__(url_time_range|all_variables|from|to|value\.(raw|numeric|text|time|calc)|series\.name|data\.fields(\.\w+|\[\d+\]|\[\"[^\"]+\"\])"
    r"|field\.(name|labels(\.\w+)?))\}"
)
_CHOICE: Final = re.compile(r"\$\{([A-Za-z_]\w*):queryparam\}")
_OURS: Final = re.compile(r"/d/([A-Za-z0-9_-]+)(?:\?|$)|/alerting/list(?:\?|$)")
_SET: Final = re.compile(r"[?&]var-(\w+)=")
_PANEL: Final = re.compile(r"[?&]viewPanel=(?:panel-)?(\d+)")


def link_faults(link: Json, variables: Set[str], options: Options) -> Iterator[str]:
    """Of a link of a dashboard, a panel or a field."""
    if link.get("type") == "dashboards":
        if not link.get("tags"):
            yield f"link {link.get('title')!r}: leads to all dashboards there are; give it a tag of ours"
        return
    address = link.get("url", "")
    local = address.removeprefix(options.grafana_url.rstrip("/")) if options.grafana_url else address
    if _OURS.match(local) is None:
        yield f"link {link.get('title')!r}: {address!r} is not one of our pages, such as /d/kanhu-fleet-zh"
    for found in _WORD.finditer(address):
        word = found.group()
        choice = _CHOICE.fullmatch(word)
        if choice and choice.group(1) not in variables:
            yield f"link {link.get('title')!r}: {word}: no such variable; {like(choice.group(1), frozenset(variables))}"
        elif not choice and word != "$__all" and _BUILT_IN.fullmatch(word) is None:
            yield f"link {link.get('title')!r}: Grafana does not know {word}"


class Lead(NamedTuple):
    """Where a link leads: a dashboard, one of its panels (or ""), and the variables it sets there."""

    uid: str
    panel: str
    variables: tuple[str, ...]


def targets_of(value: Json) -> Iterator[Lead]:
    """Each of our dashboards that a link within `value` leads to."""
    if isinstance(value, dict):
        address = value.get("url")
        if isinstance(address, str) and (found := _OURS.search(address)) and found.group(1):
            panel = _PANEL.search(address)
            named = {*_SET.findall(address), *_CHOICE.findall(address)}
            yield Lead(found.group(1), panel.group(1) if panel else "", tuple(sorted(named)))
        for one in value.values():
            yield from targets_of(one)
    elif isinstance(value, list):
        for one in value:
            yield from targets_of(one)


def outside_faults(value: Json, options: Options, where: str = "") -> Iterator[str]:
    """Addresses of other hosts in any text of a dashboard, which a browser might load."""
    allowed = tuple(one for one in (options.grafana_url, options.tiles) if one)
    if isinstance(value, dict):
        for key, one in value.items():
            yield from outside_faults(one, options, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from outside_faults(one, options, f"{where}[{at}]")
    elif isinstance(value, str):
        for found in _OUTSIDE.finditer(value):
            if not found.group().startswith(allowed or ("\0",)):
                yield f"{where}: {found.group()} is outside: a closed site has no way there"


def map_faults(panel: Json, options: Options) -> Iterator[str]:
    """Of a geomap: its base map and layers ask nobody outside unless `options.tiles` is set."""
    shown = panel["options"]
    base = shown.get("basemap", {})
    config = base.get("config") or {}
    if base.get("type") == "xyz":
        if not options.tiles or config.get("url") != options.tiles:
            yield f"basemap: tiles from {config.get('url')!r}, and the site has set {options.tiles or 'none'!r}"
    elif not (base.get("type") == "geojson" and _own_file(config)):
        yield f"basemap: {base.get('type')!r} asks a tile server outside; take geojson from Grafana's public/"
    if base.get("type") == "geojson" and base.get("tooltip") is not False:
        yield "basemap: tooltip is not false, so it tells the names of countries nobody sees"
    yield from _view_faults(shown)
    for layer in shown.get("layers", []):
        if layer.get("type") not in ("markers", "heatmap", "route", "network", "geojson"):
            yield f"layer {layer.get('name')!r}: {layer.get('type')!r} is none of markers, heatmap, route, network, geojson"
        elif layer["type"] == "geojson" and not _own_file(layer.get("config") or {}):
            yield f"layer {layer.get('name')!r}: loads {(layer.get('config') or {}).get('src')!r} from outside"
        elif layer["type"] != "geojson" and "location" not in layer:
            yield f"layer {layer.get('name')!r}: has no location, so Grafana guesses which column is the latitude"


def _view_faults(shown: Json) -> Iterator[str]:
    """Grafana's `fit` takes the ground for a layer too, and `zoom` for the nearest it goes (its initViewExtent)."""
    view = shown["view"]
    if view["id"] != "fit":
        return
    if view.get("allLayers") is not False or view.get("layer") not in [layer.get("name") for layer in shown["layers"]]:
        yield "view: fits no layer of its own, so Grafana shows the whole ground; set allLayers false and layer to a name"
    if view.get("zoom", view.get("maxZoom", 0)) < 10:
        yield f"view: zoom {view.get('zoom')} is the nearest that fit goes: places are seen from 10 on"


def called_links(panel: Json) -> Iterator[Json]:
    """All links of a panel: its own, its fields' and its overrides'."""
    yield from panel.get("links", [])
    field = panel.get("fieldConfig", {})
    yield from field.get("defaults", {}).get("links", [])
    for override in field.get("overrides", []):
        for one in override.get("properties", []):
            if one.get("id") == "links":
                yield from one.get("value") or []


def _own_file(config: Json) -> bool:
    return str(config.get("src", "")).startswith(("public/", "data:"))
