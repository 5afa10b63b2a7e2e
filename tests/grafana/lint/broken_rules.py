"""What can be wrong with a group of alert rules."""

from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, add, both, drop, edit, put

RULE = "rules.0"
DATA, REDUCE, LIMIT = f"{RULE}.data.0", f"{RULE}.data.1", f"{RULE}.data.2"
_RIVER = 'SELECT last("ph") FROM "water" WHERE $timeFilter AND "ph_flag" = 1 GROUP BY "site", "device"'

# In both forms alike.
RULES = [
    Broken("group-key", put("intervall", 60), "did you mean 'interval'"),
    Broken("no-rules", put("rules", []), "has no rules"),
    Broken("rule-key", put(f"{RULE}.noDataSate", "OK"), "did you mean 'noDataState'"),
    Broken("no-data-state-missing", drop(f"{RULE}.noDataState"), "noDataState: is missing"),
    Broken("no-data-state-unknown", put(f"{RULE}.noDataState", "Ok"), "'Ok' is not one of"),
    Broken("error-state-unknown", put(f"{RULE}.execErrState", "NoData"), "'NoData' is not one of"),
    Broken("uid-missing", drop(f"{RULE}.uid"), "uid: is missing"),
    Broken("uid-of-another", put(f"{RULE}.uid", "Outbox"), "uid must be kanhu-<name>"),
    Broken("uid-long", put(f"{RULE}.uid", "kanhu-" + "x" * 35), "at most 40 characters"),
    Broken("uid-twice", add("rules", None), "rules[1]: None is not a mapping"),
    Broken("paused", put(f"{RULE}.isPaused", True), "is paused"),
    Broken("for-between-steps", put(f"{RULE}.for", "7s"), "for '7s' is no multiple of 10 s"),
    Broken("for-is-no-span", put(f"{RULE}.for", "5 min"), "for '5 min' is no span"),
    # queries
    Broken("two-of-a-name", put(f"{REDUCE}.refId", "A"), "query A: there are two"),
    Broken("model-of-another-name", put(f"{DATA}.model.refId", "Q"), "its model calls itself 'Q'"),
    Broken("condition-unknown", put(f"{RULE}.condition", "D"), "condition 'D' is no refId (A, B, C)"),
    Broken("condition-is-no-threshold", put(f"{RULE}.condition", "B"), "condition 'B' is a reduce, not a threshold"),
    Broken("unread", both(put(f"{REDUCE}.model.expression", "C")), "query A: nothing reads it"),
    Broken("asks-nothing", both(drop(f"{RULE}.data.0")), "asks no data"),
    Broken("source-unknown", put(f"{DATA}.datasourceUid", "influx"), "datasourceUid 'influx' is none of ours"),
    Broken("model-asks-another", put(f"{DATA}.model.datasource.uid", "kanhu-rollups"), "its model asks 'kanhu-rollups'"),
    Broken("model-key", put(f"{DATA}.model.measurement", "gateway"), "model.measurement: unknown key"),
    Broken("no-range", drop(f"{DATA}.relativeTimeRange"), "has no relativeTimeRange"),
    Broken("range-backwards", put(f"{DATA}.relativeTimeRange", {"from": 0, "to": 900}), "is no range"),
    Broken("range-short", put(f"{DATA}.relativeTimeRange", {"from": 30, "to": 0}), "looks at 30 s every 60 s"),
    Broken("no-interval", drop(f"{DATA}.model.intervalMs"), "model.intervalMs: is missing"),
    Broken("no-points", put(f"{DATA}.model.maxDataPoints", 0), "$__interval would be a guess"),
    Broken("not-raw", put(f"{DATA}.model.rawQuery", False), "accepts it and evaluates it to an error"),
    Broken("a-table", put(f"{DATA}.model.resultFormat", "table"), "'table' is not one of time_series"),
    Broken(
        "a-variable", edit(f"{DATA}.model.query", "$timeFilter", "$timeFilter AND \"site\" = '$site'"), "a rule has no browser"
    ),
    Broken("a-choice", edit(f"{DATA}.model.query", "$timeFilter", '$timeFilter AND "site" =~ /^${s:regex}$/'), "no browser"),
    Broken("measurement", edit(f"{DATA}.model.query", '"gateway"', '"gateways"'), "there is no such measurement"),
    Broken("series-that-vanish", put(f"{DATA}.model.query", _RIVER), "when one dies its series vanishes"),
    # expressions
    Broken("expression-kind", put(f"{REDUCE}.model.type", "mean"), "model.type: 'mean' is unknown"),
    Broken("expression-key", put(f"{REDUCE}.model.reduser", "last"), "did you mean 'reducer'"),
    Broken("reducer", put(f"{REDUCE}.model.reducer", "latest"), "'latest' is not one of"),
    Broken("expression-source", put(f"{REDUCE}.model.datasource.uid", "kanhu"), "is not that of expressions"),
    Broken("input-unknown", put(f"{REDUCE}.model.expression", "Q"), "reads 'Q', and there is no such query before it"),
    Broken("replaced-by-nothing", put(f"{REDUCE}.model.settings.mode", "replaceNN"), "replaceNN without replaceWithValue"),
    Broken("threshold-kind", put(f"{LIMIT}.model.conditions.0.evaluator.type", ">"), "'>' is not one of"),
    Broken("no-threshold", put(f"{LIMIT}.model.conditions.0.evaluator.params", []), "needs 1 number"),
    Broken(
        "range-of-a-threshold",
        put(f"{LIMIT}.model.conditions.0.evaluator", {"type": "outside_range", "params": [9, 6]}),
        "needs 2 numbers, the lower first",
    ),
    Broken(
        "two-conditions",
        add(f"{LIMIT}.model.conditions", {"evaluator": {"type": "gt", "params": [1]}}),
        "a threshold has one condition",
    ),
    # labels and words
    Broken("severity", put(f"{RULE}.labels.severity", "critical"), "label severity 'critical': notice or warning"),
    Broken("no-severity", drop(f"{RULE}.labels.severity"), "label severity None"),
    Broken("rule-unnamed", drop(f"{RULE}.labels.kanhu_rule"), "label kanhu_rule must be 'kanhu-outbox-old'"),
    Broken("computed-label", put(f"{RULE}.labels.where", "{{ $labels.site }}"), "label where: is computed"),
    Broken("label-of-grafana", put(f"{RULE}.labels.alertname", "x"), "label alertname: is Grafana's own"),
    Broken("no-summary", drop(f"{RULE}.annotations.summary"), "annotation summary: must be there in Chinese and in English"),
    Broken("chinese-only", put(f"{RULE}.annotations.summary", "积压"), "annotation summary: must be there in Chinese"),
    Broken("no-description", drop(f"{RULE}.annotations.description"), "annotation description: must be there"),
    Broken("no-runbook", drop(f"{RULE}.annotations.runbook_url"), "is not one of our pages"),
    Broken("runbook-without-page", put(f"{RULE}.annotations.runbook_url", "/d/kanhu-runbook-zh"), "must lead to the page"),
    Broken("label-of-no-series", edit(f"{RULE}.annotations.summary", "$labels.device", "$labels.place"), "would be [no value]"),
    Broken("value-of-no-query", edit(f"{RULE}.annotations.summary", "$values.B", "$values.D"), "there is no such query"),
    Broken("open-template", edit(f"{RULE}.annotations.summary", " }}", ""), "has not as many {{ as }}"),
]

API = [
    Broken("interval", put("interval", 7), "interval 7 is no multiple of 10 s"),
    Broken("interval-nought", put("interval", 0), "interval 0 is no multiple"),
    Broken("interval-is-text", put("interval", "60s"), "interval: '60s' is not a whole number"),
    Broken("file-form", put("name", "x"), "name: unknown key"),
    Broken("another-folder", put(f"{RULE}.folderUID", "kanhu-zh"), "says it is in kanhu-zh/kanhu-gateway"),
    Broken("two-uids", add("rules", good.rule()), "two rules have the uid 'kanhu-outbox-old'"),
    Broken("two-titles", add("rules", good.rule()), "two rules have the title"),
    Broken("keep-firing", put(f"{RULE}.keep_firing_for", "7s"), "keep_firing_for '7s' is no multiple"),
    Broken("resolved-at-once", drop(f"{RULE}.missingSeriesEvalsToResolve"), "missingSeriesEvalsToResolve: is missing"),
    Broken("never-resolved", put(f"{RULE}.missingSeriesEvalsToResolve", 0), "must be at least 1"),
]

FILE = [
    Broken("interval", put("interval", "7s"), "interval '7s' is no multiple of 10 s"),
    Broken("interval-is-no-span", put("interval", "a minute"), "interval 'a minute' is no multiple"),
    Broken("interval-is-a-number", put("interval", 60), "interval: 60 is not a text"),
    Broken("api-form", put("folderUid", "kanhu-alerts"), "folderUid: unknown key"),
    Broken("keep-firing", put(f"{RULE}.keepFiringFor", "5m"), "keepFiringFor: Grafana ignores it in a file"),
    Broken("missing-series", put(f"{RULE}.missingSeriesEvalsToResolve", 4), "works only by push"),
    Broken("api-keys", put(f"{RULE}.folderUID", "x"), "folderUID: unknown key"),
    Broken("title-with-a-dollar", put(f"{RULE}.title", "costs $HOME"), "title: Grafana takes $ in a file"),
    Broken("label-with-a-dollar", put(f"{RULE}.labels.cost", "$5"), "label cost: Grafana takes $ in a file"),
    Broken("annotation-with-braces", put(f"{RULE}.annotations.more", "${HOME}"), "annotation more: Grafana takes ${...}"),
]
