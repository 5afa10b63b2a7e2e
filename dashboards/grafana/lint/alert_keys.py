"""The keys of alert rules, contact points, policies and mute timings, in the form of the API and in that of files."""

from typing import Final

from dashboards.grafana.lint.dashboard_keys import SOURCE
from dashboards.grafana.lint.shape import (
    ANYTHING,
    FLAG,
    NUMBER,
    NUMBERS,
    TEXT,
    TEXTS,
    WHOLE,
    Keys,
    ListOf,
    MapOf,
    Shape,
    Tagged,
    keys,
    more,
    named,
    words,
)

_RANGE: Final = keys(named(WHOLE, "from to"), "from to")
QUERY: Final = keys(
    {
        **named(TEXT, "refId queryType datasourceUid"),
        "relativeTimeRange": _RANGE,
        # An influxdb query or an expression, see below.
        "model": MapOf(ANYTHING),
    },
    "refId datasourceUid model",
)
INFLUX_MODEL: Final = keys(
    {
        "datasource": SOURCE,
        "rawQuery": FLAG,
        "resultFormat": words("time_series"),
        **named(TEXT, "refId query"),
        **named(WHOLE, "intervalMs maxDataPoints"),
    },
    "refId datasource query rawQuery resultFormat intervalMs maxDataPoints",
)

_EVALUATOR: Final = keys(
    {
        "type": words("gt lt eq ne gte lte within_range outside_range within_range_included outside_range_included"),
        "params": NUMBERS,
    },
    "type params",
)


def _expression(known: "dict[str, Shape]", needed: str) -> Keys:
    """An expression of any kind reads another (`expression`) and has the data source of all expressions."""
    shared = {"datasource": SOURCE, "hide": FLAG, **named(TEXT, "refId expression"), **named(WHOLE, "intervalMs maxDataPoints")}
    return keys({**shared, **known}, f"refId datasource expression {needed}")


EXPRESSION: Final = Tagged(
    "type",
    {
        "reduce": _expression(
            {
                "reducer": words("sum mean min max count last median"),
                "settings": keys({"mode": words("dropNN replaceNN"), "replaceWithValue": NUMBER}, "mode"),
            },
            "reducer settings",
        ),
        "threshold": _expression(
            {
                "conditions": ListOf(keys({"evaluator": _EVALUATOR, "unloadEvaluator": _EVALUATOR}, "evaluator")),
            },
            "conditions",
        ),
        "math": _expression({}, ""),
        "resample": _expression({**named(TEXT, "window downsampler upsampler")}, "window downsampler upsampler"),
    },
)

_RULE: Final = keys(
    {
        **named(TEXT, "uid title condition for"),
        "data": ListOf(QUERY),
        "noDataState": words("OK Alerting NoData KeepLast"),
        "execErrState": words("OK Alerting Error KeepLast"),
        "labels": MapOf(TEXT),
        "annotations": MapOf(TEXT),
        "isPaused": FLAG,
    },
    # Without a state Grafana takes its own default, which nobody chose.
    "uid title condition data for noDataState execErrState labels annotations",
)
API_RULE: Final = more(
    _RULE,
    {**named(TEXT, "folderUID ruleGroup keep_firing_for"), **named(WHOLE, "orgID missingSeriesEvalsToResolve")},
    # Unless told otherwise Grafana calls an alert resolved whose series is missing twice.
    "folderUID ruleGroup orgID missingSeriesEvalsToResolve",
)
FILE_RULE: Final = more(_RULE, {"dashboardUid": TEXT, "panelId": WHOLE})
API_GROUP: Final = keys(
    {**named(TEXT, "title folderUid"), "interval": WHOLE, "rules": ListOf(MapOf(ANYTHING))},
    "title folderUid interval rules",
)
FILE_GROUP: Final = keys(
    {**named(TEXT, "name folder interval"), "orgId": WHOLE, "rules": ListOf(MapOf(ANYTHING))},
    "orgId name folder interval rules",
)
ONLY_BY_PUSH: Final = frozenset(
    {"keepFiringFor", "keep_firing_for", "missingSeriesEvalsToResolve", "missing_series_evals_to_resolve"}
)
"""In a file Grafana drops these without a word."""

_WEBHOOK: Final = keys(
    {
        **named(TEXT, "url username password authorization_scheme authorization_credentials title message"),
        "httpMethod": words("POST PUT"),
        "maxAlerts": WHOLE,
        "hmacConfig": keys(named(TEXT, "secret header timestampHeader"), "secret"),
        "tlsConfig": keys({"insecureSkipVerify": FLAG, **named(TEXT, "caCertificate clientCertificate clientKey")}),
        "payload": keys({"template": TEXT, "vars": MapOf(TEXT)}, "template"),
        "headers": MapOf(TEXT),
    },
    "url",
)
SETTINGS: Final[dict[str, Keys]] = {
    "webhook": _WEBHOOK,
    "email": keys({**named(TEXT, "addresses message subject"), "singleEmail": FLAG}, "addresses"),
    "wecom": keys(
        {**named(TEXT, "endpointurl url secret agent_id corp_id message touser title"), "msgtype": words("markdown text")}
    ),
    "dingding": keys({**named(TEXT, "url title message"), "msgType": words("link actionCard")}, "url"),
}
"""Settings of each type of contact point that we use."""

_RECEIVER: Final[dict[str, Shape]] = {"uid": TEXT, "type": TEXT, "settings": MapOf(ANYTHING), "disableResolveMessage": FLAG}
API_POINT: Final = keys({**_RECEIVER, "name": TEXT}, "uid name type settings")
FILE_POINT: Final = keys(
    {"orgId": WHOLE, "name": TEXT, "receivers": ListOf(keys(_RECEIVER, "uid type settings"))}, "orgId name receivers"
)

ROUTE: Final = keys(
    {
        **named(TEXT, "receiver group_wait group_interval repeat_interval"),
        **named(TEXTS, "group_by mute_time_intervals active_time_intervals"),
        "object_matchers": ListOf(TEXTS),
        "continue": FLAG,
        "routes": ListOf(MapOf(ANYTHING)),
    }
)
FILE_POLICY: Final = more(ROUTE, {"orgId": WHOLE}, "orgId receiver")

_SPAN: Final = keys(named(TEXT, "start_time end_time"), "start_time end_time")
MUTE_TIMING: Final = keys(
    {
        "orgId": WHOLE,
        "name": TEXT,
        "time_intervals": ListOf(
            keys({"times": ListOf(_SPAN), **named(TEXTS, "weekdays days_of_month months years"), "location": TEXT}, "location")
        ),
    },
    "name time_intervals",
)
