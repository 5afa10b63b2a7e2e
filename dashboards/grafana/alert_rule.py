"""One alert rule: what it asks, when it fires, what it says; and how Grafana wants that written.

A rule has one series for each of its instances, and each is written by the gateway for as long as the gateway lives: Grafana
calls a series that vanishes "resolved", so a rule may never ask data that can stop. Where only devices measure (batteries,
rivers) the range is so long that the last good reading stays in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dashboards.grafana.options import Options
from dashboards.grafana.query import KANHU, influx
from dashboards.grafana.runbook import address
from dashboards.grafana.text import Text

FOLDER: Final = "kanhu-alerts"

Threshold = tuple[Literal["gt", "lt", "outside_range"], tuple[float, ...]]
State = Literal["Alerting", "KeepLast"]

# Without it Grafana ends an alert whose series is missing twice. It cannot be said in a file, only by push.
_MISSING_S: Final = 3600
_EXPRESSION: Final = {"type": "__expr__", "uid": "__expr__"}
_ONLY_BY_PUSH: Final = ("keep_firing_for", "missingSeriesEvalsToResolve")
_ONLY_OF_API: Final = ("folderUID", "ruleGroup", "orgID")


class Group:
    """Rules that Grafana evaluates together, every `interval_s`."""

    def __init__(self, name: str, interval_s: int) -> None:
        self.name, self.interval_s = name, interval_s


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: its uid is `kanhu-<name>` and never changes.
        title, summary, why: for people; `why` says what it does without data and without an answer.
        severity: `warning`: look today, or now where the text says so; `notice`: this week.
        via: `gateway`: told by the gateway like its own technical alerts; `outside`: only by channels that need no gateway.
        query: InfluxQL; `window_s` is the range it looks at.
        reducer: makes one number of a series.  threshold: inclusive, a number on it does not fire.
        for_s: how long it has to be so.  keep_s: how long it still fires afterwards (only by push).
        page: of the runbook.
        labels: further fixed labels.
    """

    name: str
    group: Group
    title: Text
    summary: Text
    why: Text
    severity: Literal["warning", "notice"]
    via: Literal["gateway", "outside"]
    query: str
    window_s: int
    reducer: Literal["last", "sum", "min"]
    threshold: Threshold
    for_s: int
    page: str
    no_data: State = "KeepLast"
    error: State = "KeepLast"
    keep_s: int = 0
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def uid(self) -> str:
        """As Grafana knows it."""
        return f"kanhu-{self.name}"

    def as_api(self, options: Options) -> dict[str, Any]:
        """As Grafana's provisioning API takes it."""
        written: dict[str, Any] = {
            "uid": self.uid,
            "title": f"{self.title.zh} {self.title.en}",
            "folderUID": FOLDER,
            "ruleGroup": self.group.name,
            "orgID": 1,
            "condition": "C",
            "data": self._data(),
            "for": span(self.for_s),
            "noDataState": self.no_data,
            "execErrState": self.error,
            "labels": self._labels(),
            "annotations": self._annotations(options),
            "isPaused": False,
            "missingSeriesEvalsToResolve": _MISSING_S // self.group.interval_s,
        }
        if self.keep_s:
            written["keep_firing_for"] = span(self.keep_s)
        return written

    def _data(self) -> list[dict[str, Any]]:
        asked = {
            "refId": "A",
            "datasource": influx(),
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "time_series",
            "intervalMs": self.group.interval_s * 1000,
            "maxDataPoints": 43_200,
        }
        one = {"refId": "B", "type": "reduce", "datasource": _EXPRESSION, "expression": "A", "reducer": self.reducer}
        kind, limits = self.threshold
        judged = {"refId": "C", "type": "threshold", "datasource": _EXPRESSION, "expression": "B"}
        return [
            _part(KANHU, self.window_s, asked),
            _part("__expr__", 0, {**one, "settings": {"mode": "dropNN"}}),
            _part("__expr__", 0, {**judged, "conditions": [{"evaluator": {"type": kind, "params": list(limits)}}]}),
        ]

    def _labels(self) -> dict[str, str]:
        fixed = {"kanhu": self.name, "kanhu_rule": self.uid, "severity": self.severity, "via": self.via}
        return {**fixed, **dict(self.labels)}

    def _annotations(self, options: Options) -> dict[str, str]:
        return {
            "summary": f"{self.summary.zh}\n{self.summary.en}",
            "summary_zh": self.summary.zh,
            "summary_en": self.summary.en,
            "description": f"{self.why.zh}\n{self.why.en}",
            "runbook_url": options.link(address(self.page, options.languages[0])),
        }


def as_group(group: Group, rules: Sequence[Rule], options: Options) -> dict[str, Any]:
    """A group as the provisioning API takes it."""
    written = [rule.as_api(options) for rule in rules if rule.group is group]
    return {"title": group.name, "folderUid": FOLDER, "interval": group.interval_s, "rules": written}


def file_form(group: dict[str, Any], folder_title: str) -> dict[str, Any]:
    """A group of the API as it stands in a provisioning file, which knows less: what only a push can say is left out."""
    left_out = {*_ONLY_BY_PUSH, *_ONLY_OF_API}
    rules = [{key: value for key, value in rule.items() if key not in left_out} for rule in group["rules"]]
    return {"orgId": 1, "name": group["title"], "folder": folder_title, "interval": f"{group['interval']}s", "rules": rules}


def span(seconds: int) -> str:
    """A time as Grafana writes it: `90s`, `15m`, `2h`."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def _part(source: str, window_s: int, model: dict[str, Any]) -> dict[str, Any]:
    reach = {"from": window_s, "to": 0}
    return {"refId": model["refId"], "queryType": "", "relativeTimeRange": reach, "datasourceUid": source, "model": model}
