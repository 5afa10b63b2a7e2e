"""The rules: pure functions that say what a person should know. A new one is one file and one line in `RULES`."""

from collections.abc import Callable, Iterable
from typing import Final

from edge_gateway.events import Entry, Event, split_name
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import (
    away_long,
    bed_exit,
    climate,
    deaf,
    detectors,
    door_night,
    emergency,
    inactivity,
    leak,
    meal_missed,
    medication,
    missed_visit,
    paused,
    selftest,
    sensor,
    silence,
    sos,
    unprotected,
    wandering,
)
from edge_gateway.rules.rule import Finding, Prewarn, Returned, Rule, Severity, Verdict, View

__all__ = [
    "ALARMS",
    "RULES",
    "Finding",
    "Prewarn",
    "Returned",
    "Rule",
    "Seen",
    "Severity",
    "Verdict",
    "View",
    "broken",
    "judge",
    "look",
    "look_home",
    "observe",
    "wanted",
]

RULES: Final = (
    sos.RULE,
    detectors.RULE,
    leak.RULE,
    inactivity.RULE,
    away_long.RULE,
    meal_missed.RULE,
    bed_exit.RULE,
    door_night.RULE,
    wandering.RULE,
    climate.HEAT,
    climate.COLD,
    medication.RULE,
    paused.RULE,
    emergency.RULE,
    silence.RULE,
    sensor.RULE,
    deaf.RULE,
    missed_visit.RULE,
    selftest.RULE,
    unprotected.RULE,
)

# Quantity -> the rules that want to see it in a home.
_OBSERVERS: Final = {
    name: tuple(rule for rule in RULES if rule.observe is not None and name in rule.names)
    for name in frozenset(name for rule in RULES for name in rule.names)
}
# Quantities of rules that speak also in a pause: what one reading of them says must outlive a power cut before the next look.
ALARMS: Final = frozenset(name for rule in RULES if rule.through_pause for name in rule.names)
_FAILED_NS: Final = 3600 * 10**9  # so long a rule that failed with a reading is told of
KINDS: Final = frozenset(kind for rule in RULES for kind in rule.kinds)


def wanted(entry: Entry) -> bool:
    """Whether any rule judges this entry; a fraction of a microsecond for a plain reading."""
    return type(entry) is Event and any(split_name(reading.name)[0] in KINDS for reading in entry.values)


def judge(event: Event, view: View) -> list[Verdict]:
    """What the rules say to one event. A rule that fails is itself a finding and stops no other."""
    # Not only the reading that names the event: smoke is smoke, also behind the battery or the lid of its detector.
    kinds = {split_name(reading.name)[0] for reading in event.values}
    found: list[Verdict] = []
    for rule in RULES:
        if rule.judge is not None and kinds & rule.kinds:
            found += _guarded(rule, rule.judge, event, view)
    return emergency.ranked(found, view)


def look(view: View) -> list[Verdict]:
    """What the rules say to the state of things; call it every few seconds."""
    found: list[Verdict] = []
    for rule in RULES:
        if rule.look is not None:
            found += _guarded(rule, rule.look, None, view)
    return emergency.ranked(found, view)


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Let the rules keep what they need of one reading of a home. One that fails says so at the next look."""
    for rule in _OBSERVERS.get(split_name(seen.name)[0], ()):
        assert rule.observe is not None
        try:
            rule.observe(seen, setting, home)
        except Exception as error:
            timers, at_ns = home.timers, seen.received_ns
            if at_ns - timers.get(f"failed.last.{rule.name}", 0) > _FAILED_NS:
                timers[f"failed.first.{rule.name}"] = at_ns
            timers[f"failed.last.{rule.name}"] = at_ns
            home.notes["failed"] = "yes"
            home.notes[f"failed.{rule.name}"] = f"{type(error).__name__}: {error}"[:200]


def look_home(watched: Watched, view: View) -> list[Verdict]:
    """What the rules say to one home; while its elder has paused, only those that speak all the same."""
    found: list[Verdict] = []
    hushed = watched.catching_up or paused.runs(watched.home, view.now_ns)
    for rule in RULES:
        if rule.look_home is None or (hushed and not rule.through_pause):
            continue
        try:
            found += rule.look_home(watched, view)
        except Exception as error:
            found.append(_failed(rule, error, *watched.home.key, "", view.now_ns, ""))
        if "failed" in watched.home.notes and f"failed.{rule.name}" in watched.home.notes:
            found += _failed_before(rule, watched.home, view.now_ns)
    return emergency.ranked(found, view)


def broken(part: str, error: Exception, now_ns: int, site: str = "", place: str = "") -> Finding:
    """Something of ours that watches failed, in one home or in all: a person has to know that nobody watches there."""
    where = place or site or "gateway"
    return Finding(
        key=f"rule-failed/{part}/{site}/{where}",
        rule="rule-failed",
        severity=Severity.WARNING,
        site=site,
        device="",
        place=place,
        occurred_ns=now_ns,
        text_zh=f"{where}: 看护程序 ({part}) 出错, 现在没有看护。请打电话问候, 并告诉技术人员。",
        text_en=f"{where}: watching ({part}) failed, nobody watches there now. Call the home, and tell a technician.",
        evidence=(f"{type(error).__name__}: {error}"[:200],),
    )


def _guarded(rule: Rule, ask: Callable[..., Iterable[Verdict]], event: Event | None, view: View) -> list[Verdict]:
    try:
        return list(ask(view) if event is None else ask(event, view))
    except Exception as error:
        # An SOS that met a broken rule must still reach somebody, so the failure takes the rule's own severity and place.
        if event is None:
            return [_failed(rule, error, "", "", "", view.now_ns, "")]
        return [_failed(rule, error, event.site, event.place, event.device, event.time_ns, f" ({event.boot}/{event.seq})")]


def _failed_before(rule: Rule, home: Home, now_ns: int) -> Iterable[Finding]:
    """A rule that could not take in a reading a while ago."""
    timers = home.timers
    if now_ns - timers.get(f"failed.last.{rule.name}", 0) <= _FAILED_NS:
        error = RuntimeError(home.notes[f"failed.{rule.name}"])
        yield _failed(rule, error, *home.key, "", timers.get(f"failed.first.{rule.name}", now_ns), "")


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
