"""What several types of panels have in common: legends, axes, lines, reductions."""

from typing import Final

from dashboards.grafana.lint.shape import FLAG, NUMBER, NUMBERS, TEXT, TEXTS, WHOLE, ListOf, Shape, either, keys, named, words

ORIENTATION: Final = words("auto vertical horizontal")
SHOW_VALUE: Final = words("auto never always")
GRADIENT: Final = words("none opacity hue scheme")
SCALE: Final = keys({"type": words("linear log ordinal symlog"), **named(NUMBER, "log linearThreshold")}, "type")
HIDE: Final = keys(named(FLAG, "tooltip legend viz"))
THRESHOLDS: Final = keys({"mode": words("off line dashed area line+area dashed+area series")}, "mode")
LINE_STYLE: Final = keys({"fill": words("solid dash dot square"), "dash": NUMBERS})
TEXT_SIZES: Final = keys(named(NUMBER, "titleSize valueSize percentSize"))
CALCULATIONS: Final = ListOf(
    words(
        "lastNotNull last firstNotNull first mean median min max sum count range delta step diff diffperc logmin "
        "allIsZero allIsNull changeCount distinctCount variance stdDev allValues uniqueValues countAll "
        "p1 p5 p10 p25 p50 p75 p90 p95 p99"
    )
)
REDUCE: Final = keys({"calcs": CALCULATIONS, "values": FLAG, "limit": NUMBER, "fields": TEXT}, "calcs")
LEGEND: Final = keys(
    {
        "displayMode": words("list table hidden"),
        "placement": words("bottom right"),
        "calcs": CALCULATIONS,
        "sortBy": TEXT,
        "width": NUMBER,
        **named(FLAG, "showLegend asTable isVisible sortDesc"),
    }
)
TOOLTIP: Final = keys(
    {
        "mode": words("single multi none"),
        "sort": words("asc desc none"),
        "hideZeros": FLAG,
        **named(NUMBER, "maxWidth maxHeight"),
    },
    "mode",
)
AXIS: Final[dict[str, Shape]] = {
    "axisPlacement": words("auto top right bottom left hidden"),
    "axisColorMode": words("text series"),
    "axisLabel": TEXT,
    "scaleDistribution": SCALE,
    **named(NUMBER, "axisWidth axisSoftMin axisSoftMax"),
    **named(FLAG, "axisGridShow axisCenteredZero axisBorderShow"),
}
NULLS: Final = named(either(FLAG, NUMBER), "spanNulls insertNulls")
LINES: Final[dict[str, Shape]] = {
    **AXIS,
    **NULLS,
    "drawStyle": words("line bars points"),
    "gradientMode": GRADIENT,
    "thresholdsStyle": THRESHOLDS,
    "transform": words("constant negative-Y"),
    "lineInterpolation": words("linear smooth stepBefore stepAfter"),
    "lineStyle": LINE_STYLE,
    "showPoints": SHOW_VALUE,
    "barAlignment": WHOLE,
    "stacking": keys({"mode": words("none normal percent"), "group": TEXT}),
    "hideFrom": HIDE,
    **named(NUMBER, "lineWidth fillOpacity pointSize barWidthFactor barMaxWidth"),
    **named(TEXT, "lineColor fillColor pointColor fillBelowTo pointSymbol"),
}
STATES: Final[dict[str, Shape]] = {**AXIS, "hideFrom": HIDE, **named(NUMBER, "lineWidth fillOpacity")}
SERIES: Final[dict[str, Shape]] = {"legend": LEGEND, "tooltip": TOOLTIP, "timezone": TEXTS}
