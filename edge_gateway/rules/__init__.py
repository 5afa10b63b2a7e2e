"""The rules: pure functions that say what a person should know. A new one is one file and one line in `RULES`."""

from collections.abc import Callable, Iterable
from typing import Final

from edge_gateway.events import Entry, Event, split_name
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import missed_visit, silence, sos
from edge_gateway.rules.rule import Finding, Prewarn, Returned, Rule, Severity, Verdict, View

__all__ = [
    "RULES",
    "Finding",
    "Prewarn",
    "Returned",
    "Rule",
    "Seen",
    "Severity",
    "Verdict",
    "View",
    "judge",
    "look",
    "look_home",
    "observe",
    "wanted",
]

RULES: Final = (sos.RULE, silence.RULE, missed_visit.RULE)

# Quantity -> the rules that want to see it in a home.
_OBSERVERS: Final = {
    name: tuple(rule for rule in RULES if rule.observe is not None and name in rule.names)
    for name in frozenset(name for rule in RULES for name in rule.names)
}
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


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Let the rules keep what they need of one reading of a home."""
    for rule in _OBSERVERS.get(split_name(seen.name)[0], ()):
        assert rule.observe is not None
        rule.observe(seen, setting, home)


def look_home(watched: Watched, view: View) -> list[Verdict]:
    """What the rules say to one home."""
    found: list[Verdict] = []
    for rule in RULES:
        if rule.look_home is None:
            continue
        try:
            found += rule.look_home(watched, view)
        except Exception as error:
            found.append(_failed(rule, error, *watched.home.key, "", view.now_ns, ""))
    return found


def _guarded(rule: Rule, ask: Callable[..., Iterable[Verdict]], event: Event | None, view: View) -> list[Verdict]:
    try:
        return list(ask(view) if event is None else ask(event, view))
    except Exception as error:
        # An SOS that met a broken rule must still reach somebody, so the failure takes the rule's own severity and place.
        if event is None:
            return [_failed(rule, error, "", "", "", view.now_ns, "")]
        return [_failed(rule, error, event.site, event.place, event.device, event.time_ns, f" ({event.boot}/{event.seq})")]


def _failed(rule: Rule, error: Exception, site: str, place: str, device: str, occurred_ns: int, number: str) -> Finding:
    where = place or device or rule.name
    return Finding(
        key=f"rule-failed/{rule.name}/{site}/{where}",
        rule="rule-failed",
        severity=rule.severity,
        site=site,
        device=device,
        place=place,
        occurred_ns=occurred_ns,
        text_zh=f"{where}: 规则 {rule.name} 出错, 没有判断。请当作真的处理, 并告诉技术人员。",
        text_en=f"{where}: rule {rule.name} failed and judged nothing. Treat it as real and tell a technician.",
        evidence=(f"{type(error).__name__}: {error}"[:200] + number,),
        anew=bool(device),
    )
