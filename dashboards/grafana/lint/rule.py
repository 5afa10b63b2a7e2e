"""Alert rules: what Grafana takes and then evaluates to an error, to nothing, or to "resolved"."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from dashboards.grafana.lint.alert_keys import (
    API_GROUP,
    API_RULE,
    EXPRESSION,
    FILE_GROUP,
    FILE_RULE,
    INFLUX_MODEL,
    ONLY_BY_PUSH,
)
from dashboards.grafana.lint.influxql import read
from dashboards.grafana.lint.links import link_faults
from dashboards.grafana.lint.query import SOURCES, query_faults
from dashboards.grafana.lint.schema import MEASURED
from dashboards.grafana.lint.shape import Json, faults
from dashboards.grafana.lint.times import STEP_S, seconds, step_fault
from dashboards.grafana.lint.wording import CHINESE, ENGLISH
from dashboards.grafana.options import Options

Form = Literal["api", "file"]

EXPRESSIONS: Final = "__expr__"
LONGEST_UID: Final = 40
SEVERITIES: Final = frozenset({"notice", "warning"})
# What a device writes ends with the device; a rule on it looks back far enough to still have its last reading.
LEAST_REACH_S: Final = 7 * 86_400
_UID: Final = re.compile(r"kanhu-[a-z0-9-]+")
_TEMPLATE: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL_OF: Final = re.compile(r"\$labels\.(\w+)")
_VALUE_OF: Final = re.compile(r"\$values\.(\w+)")
_MATH_INPUT: Final = re.compile(r"\$\{?(\w+)\}?")


def lint_rule_group(group: Json, form: Form = "api", options: Options | None = None) -> list[str]:
    """What is wrong with a group of rules, a line each.

    Args:
        form: `api`: as it is pushed; `file`: as it stands in a provisioning file, which knows less.
    """
    return list(_group_faults(group, form, options or Options()))


def _group_faults(group: Json, form: Form, options: Options) -> Iterator[str]:
    broken = list(faults(group, API_GROUP if form == "api" else FILE_GROUP))
    yield from broken
    if broken:
        return
    interval = group["interval"]
    interval_s = float(interval) if form == "api" else seconds(interval)
    if interval_s is None or interval_s < STEP_S or interval_s % STEP_S:
        yield f"interval {interval!r} is no multiple of {STEP_S} s: Grafana does not start with it"
    if not group["rules"]:
        yield "has no rules"
    for rule in group["rules"]:
        for fault in _rule_faults(rule, form, interval_s or STEP_S, options):
            yield f"rule {rule.get('uid', rule.get('title'))!r}: {fault}"
        if form == "api" and (rule.get("folderUID") != group["folderUid"] or rule.get("ruleGroup") != group["title"]):
            yield f"rule {rule.get('uid')!r}: says it is in {rule.get('folderUID')}/{rule.get('ruleGroup')}"
    for key in ("uid", "title"):
        held = [rule.get(key) for rule in group["rules"]]
        for one in sorted({str(one) for one in held if held.count(one) > 1}):
            yield f"two rules have the {key} {one!r}, and Grafana keeps one of them"


def _rule_faults(rule: Json, form: Form, interval_s: float, options: Options) -> Iterator[str]:
    if form == "file":
        for key in sorted(ONLY_BY_PUSH & rule.keys()):
            yield f"{key}: Grafana ignores it in a file; it works only by push"
        rule = {key: value for key, value in rule.items() if key not in ONLY_BY_PUSH}
    broken = list(faults(rule, API_RULE if form == "api" else FILE_RULE))
    yield from broken
    if broken:
        return
    if _UID.fullmatch(rule["uid"]) is None or len(rule["uid"]) > LONGEST_UID:
        yield f"uid must be kanhu-<name>, at most {LONGEST_UID} characters of a-z, 0-9 and -"
    if rule.get("isPaused"):
        yield "is paused: it watches nothing"
    for key in ("for", "keep_firing_for"):
        if key in rule and (fault := step_fault(rule[key])):
            yield f"{key} {fault}"
    if rule["labels"].get("kanhu_rule") != rule["uid"]:
        yield f"label kanhu_rule must be {rule['uid']!r}: by it the gateway knows the rule, also when there is no data"
    if rule.get("missingSeriesEvalsToResolve", 1) < 1:
        yield "missingSeriesEvalsToResolve must be at least 1"
    yield from _data_faults(rule, interval_s, options)
    yield from _label_faults(rule, options)
    if form == "file":
        yield from _expansion_faults(rule)


def _data_faults(rule: Json, interval_s: float, options: Options) -> Iterator[str]:
    refs: list[str] = []
    read_by: set[str] = {rule["condition"]}
    kinds: dict[str, str] = {}
    for part in rule["data"]:
        ref = part["refId"]
        said = f"query {ref}"
        if ref in refs:
            yield f"{said}: there are two"
        if part["model"].get("refId") != ref:
            yield f"{said}: its model calls itself {part['model'].get('refId')!r}"
        if part["datasourceUid"] == EXPRESSIONS:
            kinds[ref] = str(part["model"].get("type"))
            inputs, found = _inputs(part["model"]), list(_expression_faults(part["model"], refs))
            read_by |= set(inputs)
        else:
            kinds[ref] = "query"
            found = list(_query_faults(part, interval_s, options))
        yield from (f"{said}: {fault}" for fault in found)
        refs.append(ref)
    condition = rule["condition"]
    if condition not in refs:
        yield f"condition {condition!r} is no refId ({', '.join(refs)}): the rule is in error at each evaluation"
    elif kinds[condition] not in ("threshold", "math"):
        yield f"condition {condition!r} is a {kinds[condition]}, not a threshold: it does not say when to fire"
    if "query" not in kinds.values():
        yield "asks no data"
    for ref in (ref for ref in refs if ref not in read_by):
        yield f"query {ref}: nothing reads it"


def _query_faults(part: Json, interval_s: float, options: Options) -> Iterator[str]:
    model, source = part["model"], part["datasourceUid"]
    if source not in SOURCES:
        yield f"datasourceUid {source!r} is none of ours ({', '.join(sorted(SOURCES))}): the rule would be in error"
    broken = list(faults(model, INFLUX_MODEL, "model"))
    yield from broken
    reach = part.get("relativeTimeRange")
    if reach is None:
        yield "has no relativeTimeRange, without which Grafana refuses it"
    elif not reach["from"] > reach["to"] >= 0:
        yield f"relativeTimeRange {reach} is no range: from is the longer ago"
    elif reach["from"] - reach["to"] < interval_s:
        yield f"looks at {reach['from'] - reach['to']} s every {interval_s:.0f} s and misses what is between"
    if broken:
        return
    if model["datasource"]["uid"] != source:
        yield f"its model asks {model['datasource']['uid']!r}, the rule {source!r}"
    if model["rawQuery"] is not True:
        yield "rawQuery is not true: Grafana accepts it and evaluates it to an error"
    if model["intervalMs"] < 1000 or model["maxDataPoints"] < 1:
        yield f"intervalMs {model['intervalMs']} and maxDataPoints {model['maxDataPoints']}: $__interval would be a guess"
    yield from query_faults(model["query"], source, None, options.zone)
    devices = sorted(set(read(model["query"]).measurements) & MEASURED)
    if devices and reach is not None and reach["from"] < LEAST_REACH_S:
        yield (
            f"asks {', '.join(devices)}, which devices write: when one dies its series vanishes and Grafana says "
            f"resolved; ask what the gateway writes, or look back {LEAST_REACH_S // 86_400} days"
        )


def _expression_faults(model: Json, before: Sequence[str]) -> Iterator[str]:
    broken = list(faults(model, EXPRESSION, "model"))
    yield from broken
    if broken:
        return
    if model["datasource"] != {"type": EXPRESSIONS, "uid": EXPRESSIONS}:
        yield f"model.datasource {model['datasource']} is not that of expressions, {EXPRESSIONS}"
    for name in _inputs(model):
        if name not in before:
            yield f"reads {name!r}, and there is no such query before it"
    for condition in model.get("conditions", []):
        kind, limits = condition["evaluator"]["type"], condition["evaluator"]["params"]
        wanted = 2 if "range" in kind else 1
        # Grafana itself writes a second number after a single limit and ignores it.
        if len(limits) < wanted or (wanted == 2 and (len(limits) != 2 or limits[0] >= limits[1])):
            yield f"{kind} {limits}: needs {wanted} number{'s, the lower first' if wanted == 2 else ''}"
    if model["type"] == "threshold" and len(model["conditions"]) != 1:
        yield "a threshold has one condition; Grafana ignores the others"
    if model.get("settings", {}).get("mode") == "replaceNN" and "replaceWithValue" not in model["settings"]:
        yield "replaceNN without replaceWithValue"


def _inputs(model: Json) -> list[str]:
    expression = str(model.get("expression", ""))
    return _MATH_INPUT.findall(expression) if model.get("type") == "math" else [expression]


def _label_faults(rule: Json, options: Options) -> Iterator[str]:
    labels, notes = rule["labels"], rule["annotations"]
    if labels.get("severity") not in SEVERITIES:
        yield f"label severity {labels.get('severity')!r}: {' or '.join(sorted(SEVERITIES))}; people's alerts are the gateway's"
    for name, value in labels.items():
        if "{{" in value:
            yield f"label {name}: is computed, so an alert that goes on would be resolved and another one raised"
        if name.startswith("__") or name in ("alertname", "grafana_folder"):
            yield f"label {name}: is Grafana's own"
    for key in ("summary", "description"):
        text = notes.get(key, "")
        if not (CHINESE.search(text) and ENGLISH.search(text)):
            yield f"annotation {key}: must be there in Chinese and in English"
    yield from link_faults({"title": "runbook_url", "url": notes.get("runbook_url", "")}, frozenset(), options)
    if "viewPanel=" not in notes.get("runbook_url", ""):
        yield "annotation runbook_url: must lead to the page of the runbook, /d/kanhu-runbook-zh?viewPanel=<id>"
    yield from _template_faults(rule)


def _template_faults(rule: Json) -> Iterator[str]:
    queries = [part["model"].get("query") for part in rule["data"]]
    known = {tag for query in queries if isinstance(query, str) for tag in read(query).tags} | set(rule["labels"])
    refs = {part["refId"] for part in rule["data"]}
    for name, text in rule["annotations"].items():
        if text.count("{{") != text.count("}}"):
            yield f"annotation {name}: has not as many {{{{ as }}}}"
        for inside in _TEMPLATE.findall(text):
            for label in sorted(set(_LABEL_OF.findall(inside)) - known):
                yield f"annotation {name}: $labels.{label}: the query does not group by it, so it would be [no value]"
            for ref in sorted(set(_VALUE_OF.findall(inside)) - refs):
                yield f"annotation {name}: $values.{ref}: there is no such query"


def _expansion_faults(rule: Json) -> Iterator[str]:
    """Grafana puts its environment into texts of a file: a `$` in them is gone."""
    for where, text in (("title", rule["title"]), *((f"label {name}", value) for name, value in rule["labels"].items())):
        if "$" in text:
            yield f"{where}: Grafana takes $ in a file for a variable of its environment; write $$"
    for name, text in rule["annotations"].items():
        if "${" in text:
            yield f"annotation {name}: Grafana takes ${{...}} in a file for a variable of its environment"
