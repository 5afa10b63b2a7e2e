"""What people said of a visit, in one cell: when, who, what, why, and what was there before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge_gateway.visits import words
from edge_gateway.visits.records import Reason, State
from operations.visits.columns import YES, LocalTime, clean

_FIELDS: Final = {
    "zh-CN": {
        "state": "状态",
        "counted": "计入",
        "reviewing": "待核对",
        "person": "服务对象",
        "service": "服务",
        "courier": "配送员",
        "start_ns": "开始",
        "end_ns": "结束",
    },
    "en": {
        "state": "state",
        "counted": "counted",
        "reviewing": "in review",
        "person": "person",
        "service": "service",
        "courier": "courier",
        "start_ns": "start",
        "end_ns": "end",
    },
}
_REASONS: Final = frozenset(Reason)


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of a visit's history: kind `visit` (body: the whole visit) or `correction` (body: `Correction`)."""

    kind: str
    at_ns: int
    by: str
    body: Mapping[str, Any]


def said(history: Iterable[Step], language: str, local: LocalTime) -> str:
    """All corrections in their order; "" without any."""
    steps = list(history)
    found = []
    for n, step in enumerate(steps):
        if step.kind != "correction":
            continue
        before = next((s.body for s in reversed(steps[:n]) if s.kind == "visit"), None)
        # What it led to was written right after it; a later entry is another event's.
        after = steps[n + 1].body if n + 1 < len(steps) and steps[n + 1].kind == "visit" else None
        found.append(_one(step, before, after, language, local))
    return " | ".join(found)


def _one(step: Step, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, language: str, local: LocalTime) -> str:
    action, reason = str(step.body.get("action", "")), str(step.body.get("reason", ""))
    told = words.reason(Reason(reason), language) if reason in _REASONS else clean(reason)
    line = f"{local.text(step.at_ns)[:16]} {clean(step.by)} {words.action(action, language)}: {told}"
    changed = _changes(before or {}, after, language, local)
    return f"{line} ({changed})" if changed else line


def _changes(before: Mapping[str, Any], after: Mapping[str, Any] | None, language: str, local: LocalTime) -> str:
    if after is None:
        return ""
    parts = []
    for name, title in _FIELDS[language].items():
        old, new = (_value(name, body.get(name), language, local) for body in (before, after))
        if old != new:
            parts.append(f"{title} {old or '-'} → {new or '-'}")
    return ", ".join(parts)


def _value(name: str, value: Any, language: str, local: LocalTime) -> str:
    if value is None or value == "":
        return ""
    if name in ("counted", "reviewing"):
        return YES[language][bool(value)]
    if name.endswith("_ns"):
        return local.text(int(value))
    if name == "state":
        return words.state(State(value), language)
    return words.service(str(value), language) if name == "service" else clean(str(value))
