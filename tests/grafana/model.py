"""A model of Grafana's alerting, which is not Grafana: enough of it to try rules in simulated time, on a real database.

What it does is from measurements on a Grafana 12.2 (`test_model.py` holds it against their numbers) and from reading its
source: states and their reasons, `for`, keep-firing, no-data and error states, series that go missing, and when a group of
alerts is told. It reads rules in the form of the provisioning API, so what is tried is what is pushed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

NORMAL: Final = "Normal"
PENDING: Final = "Pending"
ALERTING: Final = "Alerting"
RECOVERING: Final = "Recovering"
NO_DATA: Final = "NoData"
ERROR: Final = "Error"
MISSING_SERIES: Final = "MissingSeries"
_FIRING: Final = (ALERTING, RECOVERING, NO_DATA, ERROR)  # what people are told of

Labels = tuple[tuple[str, str], ...]


class Series(NamedTuple):
    """One series of an answer: its tags, and its values in the order of time."""

    labels: Labels
    values: tuple[float | None, ...]


Ask = Callable[[str, float, float], Sequence[Series]]
"""(query, from, to) in seconds since 1970 -> the answer; raises OSError when the database cannot be asked."""


class Told(NamedTuple):
    """One alert within a message: when it went out, firing or resolved, and why it is in that state."""

    at_s: float
    status: str
    labels: Labels
    reason: str
    alertname: str


@dataclass
class Instance:
    """State of one series of a rule."""

    labels: Labels
    state: str = NORMAL
    reason: str = ""
    since_s: float = 0.0
    evaluated_s: float = 0.0


class Outcome(NamedTuple):
    """What one evaluation found of one instance; `state` before `for` is looked at."""

    labels: Labels
    state: str


class Rule:
    """Evaluates one rule; `step` at each of its ticks.

    Attributes:
        instances: by their labels; one whose series is missing for long enough is gone.
    """

    def __init__(self, rule: Mapping[str, Any], interval_s: int, ask: Ask) -> None:
        self.rule, self.interval_s, self._ask = rule, interval_s, ask
        self.instances: dict[Labels, Instance] = {}
        self._for_s = seconds(rule["for"])
        self._keep_s = seconds(rule.get("keep_firing_for", "0s"))
        self._missing = int(rule.get("missingSeriesEvalsToResolve", 2))

    def step(self, now_s: float) -> list[tuple[Instance, str]]:
        """One evaluation.

        Returns:
            the instances, and the state each had before.
        """
        before = {labels: one.state for labels, one in self.instances.items()}
        found = self._evaluate(now_s)
        kinds = {outcome.state for outcome in found}
        special = kinds == {NO_DATA} and self.rule["noDataState"] != NO_DATA
        special = special or (kinds == {ERROR} and self.rule["execErrState"] != ERROR)
        if special and self.instances:
            found = [Outcome(labels, found[0].state) for labels in self.instances]
        for outcome in found:
            one = self.instances.setdefault(outcome.labels, Instance(outcome.labels, since_s=now_s))
            self._apply(one, outcome.state, now_s)
            one.evaluated_s = now_s
        self._forget_missing(now_s)
        after = [(one, before.get(labels, NORMAL)) for labels, one in self.instances.items()]
        gone = [one for one, _ in after if one.reason == MISSING_SERIES]
        for one in gone:
            del self.instances[one.labels]
        return after

    def _evaluate(self, now_s: float) -> list[Outcome]:
        values: dict[str, dict[Labels, float] | None] = {}
        try:
            for part in self.rule["data"]:
                values[part["refId"]] = self._part(part, values, now_s)
        except OSError:
            return [Outcome((), ERROR)]
        judged = values[self.rule["condition"]]
        if not judged:
            return [Outcome((), NO_DATA)]
        return [Outcome(labels, ALERTING if value else NORMAL) for labels, value in judged.items()]

    def _part(self, part: Mapping[str, Any], values: Mapping[str, Any], now_s: float) -> Any:
        model = part["model"]
        if part["datasourceUid"] != "__expr__":
            reach = part["relativeTimeRange"]
            return {s.labels: s.values for s in self._ask(model["query"], now_s - reach["from"], now_s - reach["to"])}
        given = values[model["expression"]]
        if model["type"] == "reduce":
            assert model["settings"]["mode"] == "dropNN", model
            reduced = {labels: _reduce(model["reducer"], series) for labels, series in given.items()}
            return {labels: value for labels, value in reduced.items() if value is not None}
        assert model["type"] == "threshold", model
        judge = model["conditions"][0]["evaluator"]
        return {labels: float(_beyond(judge["type"], judge["params"], value)) for labels, value in given.items()}

    def _apply(self, one: Instance, state: str, now_s: float) -> None:
        if state in (NO_DATA, ERROR):
            wanted = self.rule["noDataState" if state == NO_DATA else "execErrState"]
            if wanted == "KeepLast":
                self._keep(one, f"{state}, KeepLast", now_s)
            elif wanted == state:
                _set(one, state, "", now_s)
            else:
                self._alerting(one, state, now_s) if wanted == ALERTING else self._normal(one, state, now_s)
        elif state == ALERTING:
            self._alerting(one, "", now_s)
        else:
            self._normal(one, "", now_s)

    def _keep(self, one: Instance, reason: str, now_s: float) -> None:
        """Firing goes on, and so does the wait of one that is pending."""
        if one.state == ALERTING or (one.state == PENDING and now_s - one.since_s >= self._for_s):
            self._alerting(one, reason, now_s)
        elif one.state != PENDING:
            self._normal(one, reason, now_s)

    def _alerting(self, one: Instance, reason: str, now_s: float) -> None:
        if one.state == ALERTING:
            one.reason = reason
        elif one.state == PENDING:
            if now_s - one.since_s >= self._for_s:
                _set(one, ALERTING, reason, now_s)
        elif one.state == RECOVERING or not self._for_s:
            _set(one, ALERTING, reason, now_s)
        else:
            _set(one, PENDING, reason, now_s)

    def _normal(self, one: Instance, reason: str, now_s: float) -> None:
        if one.state == ALERTING and self._keep_s:
            _set(one, RECOVERING, reason, now_s)
        elif one.state != RECOVERING or now_s - one.since_s >= self._keep_s:
            _set(one, NORMAL, reason, now_s)

    def _forget_missing(self, now_s: float) -> None:
        for one in self.instances.values():
            evaluations = 1 if one.state in (NO_DATA, ERROR) else self._missing
            if now_s > one.evaluated_s and now_s - one.evaluated_s >= evaluations * self.interval_s:
                _set(one, NORMAL, MISSING_SERIES, now_s)

    def alertname(self, state: str) -> str:
        """Under which name an instance is told: missing data and errors are alerts of another name."""
        return {NO_DATA: "DatasourceNoData", ERROR: "DatasourceError"}.get(state, str(self.rule["title"]))


@dataclass
class Policy:
    """When a group of alerts is told; one group for all."""

    wait_s: float = 0.0
    every_s: float = 10.0
    _next_s: float | None = None
    _firing: set[tuple[str, Labels]] = field(default_factory=set)
    _told: set[tuple[str, Labels]] = field(default_factory=set)
    _news: dict[tuple[str, Labels], Told] = field(default_factory=dict)

    def take(self, rule: Rule, changes: Sequence[tuple[Instance, str]], now_s: float) -> None:
        """What an evaluation found."""
        for one, before in changes:
            self._ended(rule, one, before, now_s)
            if one.state in _FIRING:
                key = (rule.alertname(one.state), one.labels)
                self._firing.add(key)
                if key not in self._told and self._next_s is None:
                    self._next_s = now_s + self.wait_s
                self._news[key] = Told(now_s, "firing", one.labels, one.reason, key[0])

    def _ended(self, rule: Rule, one: Instance, before: str, now_s: float) -> None:
        was = (rule.alertname(before), one.labels)
        still = one.state in _FIRING and was == (rule.alertname(one.state), one.labels)
        if was not in self._firing or still:
            return
        self._firing.discard(was)
        if was in self._told:
            self._news[was] = Told(now_s, "resolved", one.labels, one.reason, was[0])
        else:
            self._news.pop(was, None)

    def flush(self, now_s: float) -> list[Told]:
        """What goes out at this moment: firing ones that were not told, and those that ended."""
        if self._next_s is None or now_s < self._next_s:
            return []
        told = [
            news._replace(at_s=now_s) for key, news in self._news.items() if news.status == "resolved" or key not in self._told
        ]
        self._told = set(self._firing)
        self._news.clear()
        self._next_s = now_s + self.every_s if self._told else None
        return told


def run(
    rule: Mapping[str, Any], interval_s: int, ask: Ask, begin_s: float, end_s: float, policy: Policy | None = None
) -> tuple[list[Told], Rule]:
    """Evaluate from `begin_s` on, each `interval_s`, and tell; simulated time, nothing waits."""
    model, policy = Rule(rule, interval_s, ask), policy or Policy()
    told: list[Told] = []
    now_s = begin_s
    while now_s <= end_s:
        policy.take(model, model.step(now_s), now_s)
        second = now_s
        while second < now_s + interval_s:
            told += policy.flush(second)
            second += 1.0
        now_s += interval_s
    return told, model


def seconds(text: str) -> int:
    """`15m` -> 900."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[text[-1]]


def _set(one: Instance, state: str, reason: str, now_s: float) -> None:
    if one.state != state:
        one.since_s = now_s
    one.state, one.reason = state, reason


def _reduce(reducer: str, values: Sequence[float | None]) -> float | None:
    good = [value for value in values if value is not None and math.isfinite(value)]
    if not good:
        return None
    assert reducer in ("last", "sum", "min"), reducer
    return good[-1] if reducer == "last" else sum(good) if reducer == "sum" else min(good)


def _beyond(kind: str, limits: Sequence[float], value: float) -> bool:
    if kind == "outside_range":
        return value < limits[0] or value > limits[1]
    return value > limits[0] if kind == "gt" else value < limits[0]
