"""The keys of a classic dashboard around its panels: fields, targets, variables, annotations, links, transformations."""

import re
from typing import Final

from dashboards.grafana.lint.panel_parts import CALCULATIONS
from dashboards.grafana.lint.shape import (
    ANYTHING,
    FLAG,
    NULL,
    NUMBER,
    TEXT,
    TEXTS,
    WHOLE,
    Keys,
    ListOf,
    Looks,
    MapOf,
    Shape,
    Tagged,
    either,
    keys,
    named,
    numbers,
    words,
)

SOURCE: Final = keys(named(TEXT, "type uid"), "type uid")
LINK: Final = keys(
    {
        "type": words("link dashboards"),
        "tags": TEXTS,
        **named(TEXT, "title icon tooltip url placement"),
        **named(FLAG, "asDropdown targetBlank includeVars keepTime"),
    },
    "title",
)
# Grafana draws another word in black, or not at all.
_COLOR_NAME: Final = Looks(
    "a colour of Grafana such as red or dark-red, nor a code such as #6e7681",
    re.compile(r"((super-light|light|semi-dark|dark)-)?(red|orange|yellow|green|blue|purple)|text|transparent|#[0-9A-Fa-f]{6}"),
)
_RESULT: Final = keys({**named(TEXT, "text icon"), "color": _COLOR_NAME, "index": WHOLE})
_MAPPING: Final = Tagged(
    "type",
    {
        "value": keys({"options": MapOf(_RESULT)}, "options"),
        "range": keys({"options": keys({**named(either(NUMBER, NULL), "from to"), "result": _RESULT}, "result")}, "options"),
        "regex": keys({"options": keys({"pattern": TEXT, "result": _RESULT}, "pattern result")}, "options"),
        "special": keys(
            {"options": keys({"match": words("true false null nan null+nan empty"), "result": _RESULT}, "match result")},
            "options",
        ),
    },
)
_THRESHOLDS: Final = keys(
    {
        "mode": words("absolute percentage"),
        "steps": ListOf(keys({"value": either(NUMBER, NULL), "color": _COLOR_NAME}, "value color")),
    },
    "mode steps",
)
_COLOR: Final = keys(
    {
        "mode": words(
            "thresholds palette-classic palette-classic-by-name continuous-GrYlRd continuous-RdYlGr continuous-BlYlRd "
            "continuous-YlRd continuous-BlPu continuous-YlBl continuous-blues continuous-reds continuous-greens "
            "continuous-purples fixed shades"
        ),
        "fixedColor": _COLOR_NAME,
        "seriesBy": words("min max last"),
    },
    "mode",
)
FIELD: Final[dict[str, Shape]] = {
    **named(TEXT, "displayName displayNameFromDS description path unit noValue"),
    **named(FLAG, "writeable filterable fieldMinMax"),
    **named(NUMBER, "decimals min max"),
    "mappings": ListOf(_MAPPING),
    "thresholds": _THRESHOLDS,
    "color": _COLOR,
    "links": ListOf(LINK),
}
"""What Grafana knows of a field; an override may set any of these, and `custom.<key>`."""

_OVERRIDE: Final = keys(
    {
        "matcher": keys(
            {
                "id": words("byName byNames byRegexp byType byFrameRefID byRefId byValue numeric time"),
                "options": ANYTHING,
            },
            "id",
        ),
        # What a property's value may be is looked at by its id.
        "properties": ListOf(keys({"id": TEXT, "value": ANYTHING}, "id value")),
        "__systemRef": TEXT,
    },
    "matcher properties",
)

TARGET: Final = keys(
    {
        "datasource": SOURCE,
        "resultFormat": words("time_series table"),
        **named(TEXT, "refId query alias"),
        **named(FLAG, "rawQuery hide"),
    },
    "refId datasource query rawQuery resultFormat",
)
_MARK: Final = keys(
    {
        **TARGET.known,
        **named(TEXT, "name textColumn tagsColumn titleColumn timeEndColumn"),
        **named(FLAG, "fromAnnotations textEditor"),
    },
    "query rawQuery fromAnnotations textColumn",
)


def _transformation(options: dict[str, Shape]) -> Keys:
    return keys({"disabled": FLAG, "filter": ANYTHING, "topic": TEXT, "options": keys(options)}, "options")


_NAMES: Final = keys({"names": TEXTS, "pattern": TEXT, "variable": TEXT})
TRANSFORMATION: Final = Tagged(
    "id",
    {
        "organize": _transformation(
            {
                "excludeByName": MapOf(FLAG),
                "includeByName": MapOf(FLAG),
                "indexByName": MapOf(WHOLE),
                "renameByName": MapOf(TEXT),
                "orderByMode": TEXT,
            }
        ),
        "filterFieldsByName": _transformation({"include": _NAMES, "exclude": _NAMES, "byVariable": FLAG}),
        "filterByRefId": _transformation({"include": TEXT, "exclude": TEXT}),
        "filterByValue": _transformation({"filters": ListOf(ANYTHING), "type": TEXT, "match": TEXT}),
        "merge": _transformation({}),
        "joinByField": _transformation({"byField": TEXT, "mode": words("outer inner outerTabular")}),
        "concatenate": _transformation({"frameNameMode": TEXT, "frameNameLabel": TEXT}),
        "renameByRegex": _transformation(named(TEXT, "regex renamePattern")),
        "reduce": _transformation(
            {"reducers": CALCULATIONS, "mode": TEXT, **named(FLAG, "includeTimeField labelsToFields"), "fields": TEXT}
        ),
        "calculateField": _transformation(
            {
                "mode": words("reduceRow binary unary cumulativeFunctions windowFunctions index"),
                "alias": TEXT,
                "replaceFields": FLAG,
                **named(
                    keys({"include": TEXTS, "reducer": TEXT, "field": TEXT, "windowSize": NUMBER}), "reduce cumulative window"
                ),
                "binary": keys({"left": ANYTHING, "right": ANYTHING, "operator": TEXT, "reducer": TEXT}),
                "unary": keys({"operator": TEXT, "fieldName": TEXT}),
                "index": keys({"asPercentile": FLAG}),
                "timeSeries": FLAG,
            }
        ),
        "sortBy": _transformation({"fields": MapOf(ANYTHING), "sort": ListOf(keys({"field": TEXT, "desc": FLAG}, "field"))}),
        "groupBy": _transformation(
            {"fields": MapOf(keys({"aggregations": CALCULATIONS, "operation": either(words("aggregate groupby"), NULL)}))}
        ),
        "groupingToMatrix": _transformation(named(TEXT, "rowField columnField valueField emptyValue")),
        "labelsToFields": _transformation({"mode": words("columns rows"), "keepLabels": TEXTS, "valueLabel": TEXT}),
        "rowsToFields": _transformation({"mappings": ListOf(ANYTHING)}),
        "convertFieldType": _transformation(
            {
                "fields": MapOf(ANYTHING),
                "conversions": ListOf(
                    keys(
                        {
                            **named(TEXT, "targetField dateFormat timezone"),
                            "destinationType": words("string number time boolean enum other"),
                        },
                        "targetField destinationType",
                    )
                ),
            }
        ),
        "formatTime": _transformation({**named(TEXT, "timeField outputFormat timezone"), "useTimezone": FLAG}),
        "limit": _transformation({"limitField": either(WHOLE, TEXT)}),
        "partitionByValues": _transformation({"fields": TEXTS, "keepFields": FLAG, "naming": ANYTHING}),
        "prepareTimeSeries": _transformation({"format": words("wide many multi")}),
    },
)

_GRID: Final = keys(named(WHOLE, "h w x y"), "h w x y")
PANEL: Final = keys(
    {
        "id": WHOLE,
        "datasource": SOURCE,
        "targets": ListOf(TARGET),
        "gridPos": _GRID,
        "links": ListOf(LINK),
        "repeatDirection": words("h v"),
        "transformations": ListOf(TRANSFORMATION),
        # Its keys are those of the type, see `panel_keys`.
        "options": MapOf(ANYTHING),
        "fieldConfig": keys(
            {"defaults": keys({**FIELD, "custom": MapOf(ANYTHING)}), "overrides": ListOf(_OVERRIDE)}, "defaults overrides"
        ),
        **named(TEXT, "type title description repeat interval timeFrom timeShift pluginVersion"),
        **named(FLAG, "transparent hideTimeOverride"),
        **named(NUMBER, "maxDataPoints maxPerRow"),
    },
    "type id title gridPos",
)
ROW: Final = keys(
    {
        "id": WHOLE,
        "collapsed": FLAG,
        "gridPos": _GRID,
        # Those of a row that is folded up.
        "panels": ListOf(MapOf(ANYTHING)),
        "datasource": SOURCE,
        **named(TEXT, "type title repeat"),
    },
    "type id title gridPos collapsed panels",
)

_CHOICE: Final = keys({**named(either(TEXT, TEXTS), "text value"), "selected": FLAG}, "text value")
VARIABLE: Final = Tagged(
    "type",
    {
        "query": keys(
            {
                "query": either(TEXT, keys(named(TEXT, "query refId"), "query refId")),
                "datasource": SOURCE,
                "current": _CHOICE,
                "options": ListOf(_CHOICE),
                **named(TEXT, "name label description allValue regex definition staticOptionsOrder"),
                **named(FLAG, "multi includeAll skipUrlSync allowCustomValue"),
                "hide": numbers(0, 1, 2, 3),
                "refresh": numbers(0, 1, 2),
                "sort": numbers(*range(9)),
                "staticOptions": ListOf(_CHOICE),
                # Of other kinds of variables; the SDK writes them on all.
                **named(ANYTHING, "auto auto_min auto_count"),
            },
            "name label query datasource multi includeAll allValue refresh",
        )
    },
)
ANNOTATION: Final = keys(
    {
        "datasource": SOURCE,
        "target": either(_MARK, keys({"limit": WHOLE, "matchAny": FLAG, "tags": TEXTS, "type": TEXT})),
        "filter": keys({"ids": ListOf(WHOLE), "exclude": FLAG}),
        "builtIn": NUMBER,
        **named(FLAG, "enable hide"),
        **named(TEXT, "name iconColor type"),
    },
    "name enable iconColor datasource",
)

DASHBOARD: Final = keys(
    {
        "schemaVersion": WHOLE,
        # Rows and panels are looked at one by one.
        "panels": ListOf(MapOf(ANYTHING)),
        "templating": keys({"list": ListOf(VARIABLE)}, "list"),
        "annotations": keys({"list": ListOf(ANNOTATION)}),
        "links": ListOf(LINK),
        "tags": TEXTS,
        "time": keys(named(TEXT, "from to"), "from to"),
        "timepicker": keys({"hidden": FLAG, "refresh_intervals": TEXTS, "quick_ranges": ListOf(ANYTHING), "nowDelay": TEXT}),
        "graphTooltip": numbers(0, 1, 2),
        "fiscalYearStartMonth": WHOLE,
        **named(TEXT, "uid title description timezone refresh weekStart"),
        **named(FLAG, "editable liveNow preload"),
    },
    "uid title description schemaVersion panels templating tags time timezone",
)
"""No `id` and no `version`: Grafana gives them, and one written here belongs to another dashboard."""
