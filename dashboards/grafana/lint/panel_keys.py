"""Each type of panel that we use, and the keys of its `options` and of its fields' `custom`, as Grafana 12 reads them."""

from typing import Final, NamedTuple

from dashboards.grafana.lint.panel_parts import (
    AXIS,
    GRADIENT,
    HIDE,
    LEGEND,
    LINES,
    NULLS,
    ORIENTATION,
    REDUCE,
    SCALE,
    SERIES,
    SHOW_VALUE,
    STATES,
    TEXT_SIZES,
    THRESHOLDS,
    TOOLTIP,
)
from dashboards.grafana.lint.shape import (
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    Keys,
    ListOf,
    MapOf,
    keys,
    named,
    words,
)


class PanelType(NamedTuple):
    """What a type of panel takes."""

    options: Keys
    custom: Keys
    reads: bool = True  # it has queries of its own


_CELL: Final = keys(
    {
        "type": words(
            "auto color-text color-background color-background-solid gradient-gauge lcd-gauge json-view basic image gauge "
            "sparkline data-links custom actions pill markdown"
        ),
        "mode": words("basic lcd gradient"),
        "valueDisplayMode": words("color text hidden"),
        **named(FLAG, "wrapText applyToRow hideValue"),
        **named(TEXT, "alt title"),
    },
    "type",
)
_TABLE: Final = PanelType(
    keys(
        {
            "frameIndex": WHOLE,
            "sortBy": ListOf(keys({"displayName": TEXT, "desc": FLAG}, "displayName")),
            "footer": keys({**named(TEXTS, "reducer fields"), **named(FLAG, "show enablePagination countRows")}),
            "cellHeight": words("sm md lg auto"),
            **named(FLAG, "showHeader showTypeIcons enablePagination"),
        }
    ),
    keys(
        {
            "align": words("auto left right center"),
            "cellOptions": _CELL,
            **named(NUMBER, "width minWidth"),
            **named(FLAG, "inspect hidden filterable hideHeader wrapHeaderText"),
        }
    ),
)
_BUCKETS: Final = keys({"mode": words("size count"), "value": TEXT, "scale": SCALE})
_HEATMAP: Final = PanelType(
    keys(
        {
            "calculate": FLAG,
            "calculation": keys({"xBuckets": _BUCKETS, "yBuckets": _BUCKETS}),
            "color": keys(
                {
                    "mode": words("opacity scheme"),
                    "scale": words("linear exponential"),
                    "reverse": FLAG,
                    **named(TEXT, "scheme fill"),
                    **named(NUMBER, "exponent steps min max"),
                }
            ),
            "filterValues": keys(named(NUMBER, "le ge")),
            "rowsFrame": keys({"value": TEXT, "layout": words("le ge unknown auto")}),
            "showValue": SHOW_VALUE,
            "cellValues": keys({"unit": TEXT, "decimals": NUMBER}),
            "yAxis": keys({**AXIS, "unit": TEXT, "reverse": FLAG, **named(NUMBER, "decimals min max")}),
            "legend": keys({"show": FLAG}),
            "tooltip": keys(
                {
                    "mode": words("single multi none"),
                    **named(NUMBER, "maxWidth maxHeight"),
                    **named(FLAG, "yHistogram showColorScale"),
                }
            ),
            "exemplars": keys({"color": TEXT}),
            "selectionMode": words("x y xy"),
            **named(NUMBER, "cellGap cellRadius"),
        }
    ),
    keys({"scaleDistribution": SCALE, "hideFrom": HIDE}),
)
_LAYER: Final = keys(
    {
        **named(TEXT, "type name"),
        # Its keys are the layer's own; what it may load is looked at in `maps`.
        "config": MapOf(ANYTHING),
        "filterData": keys({"id": TEXT, "options": ANYTHING}, "id"),
        "location": keys(
            {
                "mode": words("auto geohash coords lookup"),
                **named(TEXT, "geohash latitude longitude wkt lookup gazetteer"),
            },
            "mode",
        ),
        "opacity": NUMBER,
        "tooltip": FLAG,
    },
    "type",
)
_GEOMAP: Final = PanelType(
    keys(
        {
            "view": keys(
                {
                    **named(TEXT, "id layer"),
                    **named(NUMBER, "lat lon zoom minZoom maxZoom padding"),
                    **named(FLAG, "allLayers lastOnly shared noRepeat"),
                },
                "id",
            ),
            "controls": keys(
                named(FLAG, "showZoom mouseWheelZoom showAttribution showScale showDebug showMeasure"),
            ),
            "basemap": _LAYER,
            "layers": ListOf(_LAYER),
            "tooltip": keys({"mode": words("none details")}, "mode"),
        },
        "view basemap layers",
    ),
    keys({"hideFrom": HIDE}),
)
_ALERT_LIST: Final = PanelType(
    keys(
        {
            "viewMode": words("list stat"),
            "groupMode": words("default custom"),
            "groupBy": TEXTS,
            "maxItems": WHOLE,
            "sortOrder": WHOLE,
            "stateFilter": keys(named(FLAG, "firing pending recovering noData normal error")),
            "folder": keys(named(TEXT, "uid title")),
            **named(TEXT, "alertName alertInstanceLabelFilter datasource"),
            **named(FLAG, "dashboardAlerts showInstances showInactiveAlerts"),
        },
        "viewMode stateFilter",
    ),
    keys({}),
    reads=False,
)
_TEXT: Final = PanelType(
    keys(
        {
            # HTML is cleaned or not by a setting of the server; Markdown looks the same everywhere.
            "mode": words("markdown"),
            "content": TEXT,
            "code": keys({"language": TEXT, **named(FLAG, "showLineNumbers showMiniMap")}),
        },
        "mode content",
    ),
    keys({}),
    reads=False,
)
_GAUGE_SIZES: Final = {"sizing": words("auto manual"), **named(WHOLE, "minVizWidth minVizHeight")}

PANEL_TYPES: Final[dict[str, PanelType]] = {
    "stat": PanelType(
        keys(
            {
                "graphMode": words("none line area"),
                "colorMode": words("value background background_solid none"),
                "justifyMode": words("auto center"),
                "textMode": words("auto value value_and_name name none"),
                "reduceOptions": REDUCE,
                "percentChangeColorMode": words("standard inverted same_as_value"),
                "orientation": ORIENTATION,
                "text": TEXT_SIZES,
                **named(FLAG, "wideLayout showPercentChange"),
            },
            "reduceOptions",
        ),
        keys({}),
    ),
    "timeseries": PanelType(keys({**SERIES, "orientation": ORIENTATION}), keys(LINES)),
    "state-timeline": PanelType(
        keys(
            {
                **SERIES,
                "showValue": SHOW_VALUE,
                "mergeValues": FLAG,
                "alignValue": words("center left right"),
                **named(NUMBER, "rowHeight perPage"),
            }
        ),
        keys({**STATES, **NULLS}),
    ),
    "status-history": PanelType(
        keys({**SERIES, "showValue": SHOW_VALUE, **named(NUMBER, "rowHeight colWidth perPage")}), keys(STATES)
    ),
    "table": _TABLE,
    "barchart": PanelType(
        keys(
            {
                "legend": LEGEND,
                "tooltip": TOOLTIP,
                "orientation": ORIENTATION,
                "stacking": words("none normal percent"),
                "showValue": SHOW_VALUE,
                "fullHighlight": FLAG,
                "text": TEXT_SIZES,
                **named(TEXT, "xField colorByField"),
                **named(NUMBER, "xTickLabelRotation xTickLabelMaxLength xTickLabelSpacing barWidth groupWidth barRadius"),
            }
        ),
        keys({**STATES, "gradientMode": GRADIENT, "thresholdsStyle": THRESHOLDS}),
    ),
    "bargauge": PanelType(
        keys(
            {
                **_GAUGE_SIZES,
                "displayMode": words("basic lcd gradient"),
                "valueMode": words("color text hidden"),
                "namePlacement": words("auto top left hidden"),
                "showUnfilled": FLAG,
                "maxVizHeight": WHOLE,
                "legend": LEGEND,
                "reduceOptions": REDUCE,
                "orientation": ORIENTATION,
                "text": TEXT_SIZES,
            },
            "reduceOptions",
        ),
        keys({}),
    ),
    "gauge": PanelType(
        keys(
            {
                **_GAUGE_SIZES,
                "reduceOptions": REDUCE,
                "orientation": ORIENTATION,
                "text": TEXT_SIZES,
                **named(FLAG, "showThresholdLabels showThresholdMarkers"),
            },
            "reduceOptions",
        ),
        keys({}),
    ),
    "piechart": PanelType(
        keys(
            {
                "pieType": words("pie donut"),
                "tooltip": TOOLTIP,
                "reduceOptions": REDUCE,
                "legend": keys({**LEGEND.known, "values": ListOf(words("value percent"))}),
                "orientation": ORIENTATION,
                "displayLabels": ListOf(words("name value percent")),
                "text": TEXT_SIZES,
            },
            "reduceOptions",
        ),
        keys({"hideFrom": HIDE}),
    ),
    "heatmap": _HEATMAP,
    "geomap": _GEOMAP,
    "alertlist": _ALERT_LIST,
    "text": _TEXT,
}
