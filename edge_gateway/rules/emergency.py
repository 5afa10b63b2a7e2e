"""Emergency at a site: a person said that there is a heat wave, cold, a flood or an outage. It re-ranks what the rules say.

What the emergency makes dangerous becomes one step worse, what only a technician needs to know waits until it is over, and when
its time is up staff are reminded that it ended. The morning round puts first what `FIRST` names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from edge_gateway.homes.home import Home
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

_SECOND: Final = 1_000_000_000
# Kind -> rules whose findings are one step worse. Silence of a person weighs more in each of them.
FIRST: Final[Mapping[str, tuple[str, ...]]] = {
    "heat": ("heat", "inactivity"),
    "cold": ("cold", "inactivity"),
    "flood": ("leak", "inactivity", "door-night"),
    "outage": ("inactivity", "cold", "heat", "unprotected"),
}
WAITS: Final = frozenset({"sensor", "silence", "unprotected", "paused"})  # as notices
_NAMES: Final = {
    "heat": ("高温", "heat"),
    "cold": ("寒冷", "cold"),
    "flood": ("洪水内涝", "flood"),
    "outage": ("停电停水", "outage"),
}
_WORSE: Final = {Severity.NOTICE: Severity.WARNING, Severity.WARNING: Severity.URGENT, Severity.URGENT: Severity.URGENT}


@dataclass(frozen=True, slots=True)
class Emergency:
    """`until_ns` 0: until a person ends it."""

    kind: str
    since_ns: int
    until_ns: int
    by: str


def declared(memory: Home | None) -> Emergency | None:
    """What a person said of a site, also if its time is up; `memory` is that of the site (place "")."""
    if memory is None:
        return None
    notes = memory.notes
    kind, since_s, until_s = notes.get("emergency.kind", ""), notes.get("emergency.since_s"), notes.get("emergency.until_s")
    if kind not in FIRST:
        return None
    return Emergency(str(kind), _ns(since_s), _ns(until_s), str(notes.get("emergency.by", "")))


def standing(memory: Home | None, now_ns: int) -> Emergency | None:
    """The emergency of a site that holds now."""
    found = declared(memory)
    return None if found is None or 0 < found.until_ns <= now_ns else found


def ranked(verdicts: list[Verdict], view: View) -> list[Verdict]:
    """The verdicts as they weigh in the emergency of their site."""
    if not view.homes.sites:
        return verdicts
    found: list[Verdict] = []
    for verdict in verdicts:
        if isinstance(verdict, Finding):
            emergency = standing(view.homes.sites.get(verdict.site), view.now_ns)
            if emergency is not None:
                if verdict.severity is Severity.NOTICE and verdict.rule in WAITS:
                    continue
                if verdict.rule in FIRST[emergency.kind]:
                    verdict = _worse(verdict, emergency)
        found.append(verdict)
    return found


def look(view: View) -> Iterator[Verdict]:
    """Emergencies whose time is up and that nobody ended or prolonged."""
    for site, memory in view.homes.sites.items():
        key = f"{RULE.name}/{site}"
        found = declared(memory)
        if found is None or not 0 < found.until_ns <= view.now_ns:
            if key in view.open:
                yield Returned(key, view.now_ns, "ended" if found is None else "prolonged")
            continue
        zone = words.zone(view.registry, site)
        name_zh, name_en = _NAMES[found.kind]
        until_zh, until_en = words.zh(found.until_ns, zone), words.en(found.until_ns, zone)
        yield Finding(
            key=key,
            rule=RULE.name,
            severity=Severity.NOTICE,
            site=site,
            device="",
            place="",
            occurred_ns=found.until_ns,
            text_zh=f"{site}: {name_zh}应急状态 {until_zh} 到期, 告警和走访又按平时排序。还没有过去就重新设定。",
            text_en=f"{site}: the {name_en} emergency ended at {until_en}; alerts and rounds are ranked as usual again. "
            "Declare it anew if it is not over.",
            evidence=(
                f"{words.exact(found.since_ns, zone)} {found.kind} declared by {found.by}",
                f"{words.exact(found.until_ns, zone)} {found.kind} ended",
            ),
            returns=True,
        )


def _worse(finding: Finding, emergency: Emergency) -> Finding:
    name_zh, name_en = _NAMES[emergency.kind]
    return replace(
        finding,
        severity=_WORSE[finding.severity],
        text_zh=f"{finding.text_zh}(正在{name_zh}应急)",
        text_en=f"{finding.text_en.rstrip()} ({name_en} emergency)",
    )


def _ns(seconds: object) -> int:
    return round(seconds * _SECOND) if isinstance(seconds, float | int) else 0


RULE: Final = Rule("emergency", Severity.NOTICE, look=look)
