"""The rules: pure functions that say what a person should know. A new one is one file and one line in `RULES`."""

from collections.abc import Callable, Iterable
from typing import Final

from edge_gateway.events import Entry, Event, split_name
from edge_gateway.rules import missed_visit, silence, sos
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

__all__ = ["RULES", "Finding", "Returned", "Rule", "Severity", "Verdict", "View", "judge", "look", "wanted"]

RULES: Final = (sos.RULE, silence.RULE, missed_visit.RULE)

KINDS: Final = frozenset(kind for rule in RULES for kind in rule.kinds)


def wanted(entry: Entry) -> bool:
    """Whether any rule judges this entry; a fraction of a microsecond for a plain reading."""
    return type(entry) is Event and split_name(entry.kind)[0] in KINDS


def judge(event: Event, view: View) -> list[Verdict]:
    """What the rules say to one event. A rule that fails is itself a finding and stops no other."""
    kind = split_name(event.kind)[0]
    found: list[Verdict] = []
    for rule in RULES:
        if rule.judge is not None and kind in rule.kinds:
            found += _guarded(rule, rule.judge, event, view)
    return found


def look(view: View) -> list[Verdict]:
    """What the rules say to the state of things; call it every few seconds."""
    found: list[Verdict] = []
    for rule in RULES:
        if rule.look is not None:
            found += _guarded(rule, rule.look, None, view)
    return found


def _guarded(rule: Rule, ask: Callable[..., Iterable[Verdict]], event: Event | None, view: View) -> list[Verdict]:
    try:
        return list(ask(view) if event is None else ask(event, view))
    except Exception as error:
        # An SOS that met a broken rule must still reach somebody, so the failure takes the rule's own severity and place.
        where = (event.place or event.device) if event else rule.name
        return [
            Finding(
                key=f"rule-failed/{rule.name}/{event.site if event else ''}/{where}",
                rule="rule-failed",
                severity=rule.severity,
                site=event.site if event else "",
                device=event.device if event else "",
                place=event.place if event else "",
                occurred_ns=event.time_ns if event else view.now_ns,
                text_zh=f"{where}: 规则 {rule.name} 出错, 没有判断。请当作真的处理, 并告诉技术人员。",
                text_en=f"{where}: rule {rule.name} failed and judged nothing. Treat it as real and tell a technician.",
                evidence=(f"{type(error).__name__}: {error}"[:200] + (f" ({event.boot}/{event.seq})" if event else ""),),
                anew=event is not None,
            )
        ]
