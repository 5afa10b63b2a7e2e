"""What can be wrong with a panel: its keys, place, words, unit and columns."""

from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, Json, add, both, drop, edit, put

SERIES, TABLE, TEXT, MAP, ALERTS, FOLDED = ("panels.1", "panels.2", "panels.3", "panels.4", "panels.5", "panels.6.panels.0")

_BROKEN_LINK = {"title": "x", "type": "link", "url": "https://example.com/x"}
_OVERRIDE = f"{TABLE}.fieldConfig.overrides.0"


def _overridden(matcher: str, name: str) -> Json:
    looks = {"matcher": {"id": matcher, "options": name}, "properties": [{"id": "color", "value": {"mode": "fixed"}}]}
    return both(put(f"{FOLDED}.targets.0.alias", "$tag_device $col"), put(f"{FOLDED}.fieldConfig.overrides", [looks]))


PANELS = [
    # keys and types
    Broken("unknown-key", put(f"{SERIES}.legend", {}), "legend: unknown key"),
    Broken("no-grid", drop(f"{SERIES}.gridPos"), "gridPos: is missing"),
    Broken("number-for-text", put(f"{SERIES}.title", 7), "title: 7 is not a text"),
    Broken("true-for-number", put(f"{SERIES}.gridPos.w", True), "gridPos.w: True is not a whole number"),
    Broken("list-for-mapping", put(f"{SERIES}.options", []), "options: [] is not a mapping"),
    Broken("mapping-for-list", put(f"{SERIES}.targets", {}), "targets: {} is not a list"),
    Broken("unknown-type", put(f"{SERIES}.type", "graph"), "type 'graph'"),
    Broken("typo-in-type", put(f"{SERIES}.type", "timeserie"), "did you mean 'timeseries'"),
    Broken("type-is-a-number", put(f"{SERIES}.type", 7), "type: 7 is not a text"),
    Broken("option-of-another-type", put(f"{SERIES}.options.reduceOptions", {}), "options.reduceOptions: unknown key"),
    Broken("option-misspelt", put(f"{TABLE}.options.cellHeigth", "sm"), "did you mean 'cellHeight'"),
    Broken("option-missing", drop(f"{FOLDED}.options.reduceOptions"), "options.reduceOptions: is missing"),
    Broken("value-unknown", put(f"{TABLE}.options.cellHeight", "huge"), "options.cellHeight: 'huge' is not one of"),
    Broken(
        "nulls-are-words", put(f"{SERIES}.fieldConfig.defaults.custom.spanNulls", "yes"), "is not true or false or a number"
    ),
    Broken("custom-misspelt", put(f"{SERIES}.fieldConfig.defaults.custom.lineWith", 1), "did you mean 'lineWidth'"),
    Broken(
        "mapping-kind",
        put(f"{SERIES}.fieldConfig.defaults.mappings", [{"type": "values", "options": {}}]),
        "'values' is unknown",
    ),
    Broken(
        "mapping-holds-nonsense",
        put(f"{SERIES}.fieldConfig.defaults.mappings", [{"type": "value", "options": {"1": {"txt": "x"}}}]),
        "txt: unknown key",
    ),
    Broken("html", put(f"{TEXT}.options.mode", "html"), "options.mode: 'html' is not one of markdown"),
    Broken("transformation-unknown", put(f"{TABLE}.transformations.0.id", "filterFields"), "'filterFields' is unknown"),
    Broken("transformation-option", put(f"{TABLE}.transformations.1.options.rename", {}), "rename: unknown key"),
    Broken("override-misspelt", put(f"{_OVERRIDE}.properties.2.id", "custom.widht"), "did you mean 'width'"),
    Broken("override-of-another-type", put(f"{_OVERRIDE}.properties.2.id", "custom.lineWidth"), "a table has no such property"),
    Broken("override-value", put(f"{_OVERRIDE}.properties.2.value", "wide"), "'wide' is not a number"),
    # place
    Broken("id-zero", put(f"{SERIES}.id", 0), "id must be a whole number from 1 on"),
    Broken("id-twice", put(f"{SERIES}.id", 3), "two panels have the id 3"),
    Broken("id-twice-in-a-folded-row", put(f"{FOLDED}.id", 3), "two panels have the id 3"),
    Broken("beside-the-grid", put(f"{TABLE}.gridPos.w", 13), "is not within 24 columns"),
    Broken("over-each-other", put(f"{TABLE}.gridPos.x", 11), "lie over each other"),
    Broken("narrow-table", put(f"{TABLE}.gridPos.w", 6), "a table needs at least 8 columns"),
    Broken("order", put(f"{TEXT}.gridPos.y", 60), "stands above the panel before it"),
    Broken("row-of-nonsense", put("panels.6.panels", ["x"]), "a row holds something that is no list of panels"),
    Broken("row-with-a-query", put("panels.0.targets", []), "targets: unknown key"),
    Broken("open-row-with-panels", put("panels.6.collapsed", False), "is open and holds panels"),
    # words
    Broken("no-title", put(f"{SERIES}.title", " "), "has no title"),
    Broken("no-description", put(f"{SERIES}.description", ""), "has no description"),
    Broken("empty-means-what", edit(f"{SERIES}.description", "空白表示:", ""), "does not say '空白表示:'"),
    Broken("do-what", edit(f"{SERIES}.description", "怎么办:", ""), "does not say '怎么办:'"),
    Broken("no-text", put(f"{TEXT}.options.content", " "), "has no text"),
    # unit and colours
    Broken("no-unit", drop(f"{SERIES}.fieldConfig.defaults.unit"), "has no unit"),
    Broken("unit-misspelt", put(f"{SERIES}.fieldConfig.defaults.unit", "celcius"), "unit 'celcius' is none of Grafana's"),
    Broken("unit-without-words", put(f"{SERIES}.fieldConfig.defaults.unit", "suffix:"), "unit 'suffix:' is none of Grafana's"),
    Broken("unit-with-two-blanks", put(f"{SERIES}.fieldConfig.defaults.unit", "suffix: mg/L"), "puts a blank before it"),
    Broken("unit-of-an-override", put(f"{_OVERRIDE}.properties.0.value", "strings"), "unit 'strings' is none of Grafana's"),
    Broken(
        "first-step-is-a-number",
        put(f"{FOLDED}.fieldConfig.defaults.thresholds.steps.0.value", 1),
        "the first step begins at 1",
    ),
    Broken(
        "steps-fall",
        add(f"{FOLDED}.fieldConfig.defaults.thresholds.steps", {"value": 2, "color": "red"}),
        "do not rise",
    ),
    Broken(
        "steps-of-an-override",
        add(f"{_OVERRIDE}.properties.3.value.steps", {"value": None, "color": "red"}),
        "do not rise",
    ),
    # columns
    Broken(
        "column-kept",
        put(f"{TABLE}.transformations.0.options.include.names", ["device", "pH"]),
        "transformation filterFieldsByName: there is no column 'pH'; did you mean 'ph'",
    ),
    Broken(
        "column-renamed",
        put(f"{TABLE}.transformations.1.options.renameByName.place", "x"),
        "organize: there is no column 'place'",
    ),
    Broken("column-sorted", put(f"{TABLE}.options.sortBy.0.displayName", "PH"), "sortBy: there is no column 'PH'"),
    Broken("column-overridden", put(f"{_OVERRIDE}.matcher.options", "设备号"), "override: there is no column '设备号'"),
    Broken("column-of-a-map", put(f"{MAP}.options.layers.0.location.latitude", "latitude"), "there is no column 'latitude'"),
    # names of queries, series and columns
    Broken("layer-of-no-query", put(f"{MAP}.options.layers.0.filterData", {"id": "byRefId", "options": "B"}), "no query 'B'"),
    Broken(
        "step-of-no-query",
        put(f"{TABLE}.transformations.0.filter", {"id": "byRefId", "options": "/^B/"}),
        "transformation filterFieldsByName: there is no query '/^B/'",
    ),
    Broken(
        "series-of-no-pattern",
        _overridden("byRegexp", "/ min$/"),
        "override '/ min$/': no series has such a name; they are called ... last",
    ),
    Broken(
        "series-by-name",
        _overridden("byName", "a min"),
        "override 'a min': no series has such a name",
    ),
    Broken("link-of-no-column", edit(f"{_OVERRIDE}.properties.1.value.0.url", "fields.device", "fields.x"), "no column 'x'"),
    Broken(
        "number-with-noughts",
        put(f"{SERIES}.fieldConfig.defaults.mappings", [{"type": "value", "options": {"1.0": {"text": "x"}}}]),
        "mapping '1.0': never fits",
    ),
    Broken("calculation", put(f"{FOLDED}.options.reduceOptions.calcs", ["latest"]), "'latest' is not one of"),
    Broken(
        "colour", put(f"{FOLDED}.fieldConfig.defaults.thresholds.steps.0.color", "grün"), "'grün' is not a colour of Grafana"
    ),
    # the rest
    Broken("repeat", put(f"{SERIES}.repeat", "room"), "repeat: there is no variable 'room'"),
    Broken("queries-of-an-alert-list", put(f"{ALERTS}.targets", good.levels()), "asks no queries"),
    Broken("interval", put(f"{SERIES}.interval", "a minute"), "interval 'a minute'"),
    Broken("time-from", put(f"{SERIES}.timeFrom", "yesterday"), "timeFrom 'yesterday'"),
    Broken("link-outside", put(f"{ALERTS}.links.0", _BROKEN_LINK), "is not one of our pages"),
    Broken("link-of-a-field", put(f"{_OVERRIDE}.properties.1.value.0.url", "/dashboards"), "is not one of our pages"),
    Broken("link-to-everything", put("links.0.tags", []), "leads to all dashboards there are"),
    Broken(
        "link-with-a-variable",
        edit(f"{ALERTS}.links.0.url", "viewPanel=1", "${room:queryparam}"),
        "${room:queryparam}: no such",
    ),
    Broken("link-with-a-word", edit(f"{ALERTS}.links.0.url", "viewPanel=1", "x=${__device}"), "does not know ${__device}"),
    Broken("link-in-a-menu", put("links.0.placement", "inControlsMenu"), "hides it in a menu"),
    Broken(
        "bars-without-labels",
        both(put(f"{TABLE}.type", "barchart"), put(f"{TABLE}.options", {"xTickLabelMaxLength": 0})),
        "options.xTickLabelMaxLength 0: Grafana cuts every label",
    ),
    # maps
    Broken("default-map", put(f"{MAP}.options.basemap", {"type": "default"}), "basemap: 'default' asks a tile server outside"),
    Broken("hidden-tiles", put(f"{MAP}.options.basemap", {"type": "osm-standard", "opacity": 0}), "asks a tile server outside"),
    Broken("no-map", drop(f"{MAP}.options.basemap"), "options.basemap: is missing"),
    Broken(
        "tiles-that-are-not-set",
        put(f"{MAP}.options.basemap", {"type": "xyz", "config": {"url": "https://tiles.example/{z}/{x}/{y}"}}),
        "and the site has set 'none'",
    ),
    Broken("ground-with-names", drop(f"{MAP}.options.basemap.tooltip"), "tells the names of countries nobody sees"),
    Broken("map-of-the-world", put(f"{MAP}.options.view.allLayers", True), "view: fits no layer of its own"),
    Broken("map-of-another-layer", put(f"{MAP}.options.view.layer", "rivers"), "view: fits no layer of its own"),
    Broken("map-from-far", put(f"{MAP}.options.view.zoom", 1), "zoom 1 is the nearest that fit goes"),
    Broken("layer-unknown", put(f"{MAP}.options.layers.0.type", "pins"), "'pins' is none of markers"),
    Broken("layer-nowhere", drop(f"{MAP}.options.layers.0.location"), "has no location"),
    Broken(
        "layer-from-outside",
        add(f"{MAP}.options.layers", {"type": "geojson", "name": "x", "config": {"src": "//example.com/x.geojson"}}),
        "loads '//example.com/x.geojson' from outside",
    ),
    Broken("picture-from-outside", put(f"{TEXT}.options.content", "![x](https://example.com/x.png)"), "is outside"),
    Broken(
        "map-and-link",
        both(put(f"{MAP}.options.view", {}), put(f"{MAP}.options.basemap", {"type": "default"})),
        "options.view.id: is missing",
    ),
]
