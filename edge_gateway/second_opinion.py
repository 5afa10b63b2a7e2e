"""What Grafana says of the machinery and the trends, as alerts for technicians beside those of the rules. Pure.

Never urgent, never of a home: the people's alerts are the gateway's own. An alert ends by itself only when Grafana says that it
is over; where it merely looks no longer (the series is gone, the rule was changed) the alert stays, and says that nobody knows.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_gateway.alerts.alert import Alert
from edge_gateway.registry import Registry
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Returned, Severity, Verdict

RULE: Final = "grafana"
MORE: Final = f"{RULE}/more"  # the alert for all that are too many
MOST: Final = 40  # open alerts of Grafana's; a fault of the machinery is one cause, whatever it does to a thousand devices
MOST_AN_HOUR: Final = 200  # new alerts; one that fires and resolves a thousand times fills no disk and no telephone
_UNKNOWN: Final = "unknown"

# Rules of Grafana's that see what a rule of the gateway's own has said already: one cause, one alert.
_SAME: Final = {"kanhu-device-silent": ("silence",), "kanhu-sensor-silent": ("silence", "sensor")}

# Why Grafana ended an alert, or raised it, without having seen what the rule asks for.
REASONS: Final = {
    "MissingSeries": ("这一项不再有数据", "its series no longer comes"),
    "NoData": ("查不到数据", "the query finds no data"),
    "Error": ("查询出错", "the query fails"),
    "Updated": ("规则被改动", "the rule was changed"),
    "Paused": ("规则被暂停", "the rule was paused"),
    "RuleDeleted": ("规则被删除", "the rule was deleted"),
}


class Word(StrEnum):
    """How it stands with one instance of a rule."""

    FIRING = "firing"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Said:
    """What Grafana says of one instance of one of its rules.

    Attributes:
        rule: uid of the rule.  instance: what tells its instances apart, the same as long as the rule lives; "" there is one.
        at_ns: since when, or when it ended, by Grafana's clock.
        reason: `grafana_state_reason`; "" none.
        warning: it has to be looked at today; else this week.
        site, device: as its series says; "" it does not.
        text_zh, text_en: where, what, what to do.
    """

    rule: str
    instance: str
    word: Word
    at_ns: int
    reason: str
    warning: bool
    site: str
    device: str
    text_zh: str
    text_en: str

    @property
    def key(self) -> str:
        """The cause of its alert."""
        return f"{RULE}/{self.rule}/{self.instance}"


def verdict(said: Said, known: Alert | None, registry: Registry, now_ns: int) -> Verdict | None:
    """What follows for its alert; None: nothing.

    Args:
        known: its open alert.
    """
    if said.word is Word.FIRING:
        return _finding(said, registry, firing_line(said, registry, known, now_ns), "")
    if known is None or said.at_ns < known.occurred_ns:
        return None  # not open, or a word of before that came late
    if said.word is Word.RESOLVED:
        return Returned(known.key, said.at_ns, "resolved", _line(said.at_ns, said, registry, "resolved"))
    line = _line(said.at_ns, said, registry, f"{_UNKNOWN} {said.reason}")
    return None if line in known.evidence else _finding(said, registry, line, _UNKNOWN, known.severity)


def is_told(said: Said, own: Iterable[Alert]) -> bool:
    """Whether an open alert of the gateway's own is about this very thing: of the device, its receiver or its whole site."""
    rules = _SAME.get(said.rule, ())
    same = (alert for alert in own if alert.rule in rules and alert.site == said.site)
    return said.word is Word.FIRING and any(alert.device in ("", said.device) for alert in same)


def firing_line(said: Said, registry: Registry, known: Alert | None = None, now_ns: int = 0) -> str:
    """The evidence of a firing: the same for every repeat, another after the alert has said that nobody knows."""
    line = _line(said.at_ns, said, registry, "firing")
    if known is None or line not in known.evidence or f" {_UNKNOWN} " not in known.evidence[-1]:
        return line
    return _line(now_ns, said, registry, "firing again")


def too_many(said: Iterable[Said], left_out: int, registry: Registry, now_ns: int) -> Finding:
    """One alert for what no alert of its own was raised of."""
    lines = [_line(one.at_ns, one, registry, f"{one.rule} {one.instance}") for one in said]
    if left_out:
        lines.append(f"{words.exact(now_ns, words.zone(registry, ''))} {left_out} left out by Grafana (maxAlerts)")
    return Finding(
        key=MORE,
        rule=RULE,
        severity=Severity.WARNING,
        site="",
        device="",
        place="",
        occurred_ns=now_ns,
        text_zh=f"Grafana 里还有更多告警, 没有逐条转来 (这里最多 {MOST} 条未处理)。请打开 Grafana 查看。",
        text_en=f"Grafana has more alerts than were passed on (at most {MOST} are open here). Look there.",
        evidence=tuple(lines),
        returns=True,
    )


def _finding(said: Said, registry: Registry, line: str, state: str, severity: Severity | None = None) -> Finding:
    why_zh, why_en = REASONS.get(said.reason, (said.reason, said.reason)) if said.reason else ("", "")
    zh, en = said.text_zh, said.text_en
    if state == _UNKNOWN:
        zh, en = f"情况不明 ({why_zh}), 不算恢复: {zh}", f"Unknown ({why_en}), which is no recovery: {en}"
    elif said.reason:
        zh, en = f"{zh} ({why_zh})", f"{en} ({why_en})"
    known = registry.find(said.site, said.device) is not None
    return Finding(
        key=said.key,
        rule=RULE,
        severity=severity or (Severity.WARNING if said.warning else Severity.NOTICE),
        site=said.site if said.site in registry.sites else "",
        device=said.device if known else "",
        # Of no home, also where the device stands in one: its staff and its family are told by the gateway's own rules.
        place="",
        occurred_ns=said.at_ns,
        text_zh=zh,
        text_en=en,
        evidence=(line,),
        returns=True,
    )


def _line(at_ns: int, said: Said, registry: Registry, what: str) -> str:
    return f"{words.exact(at_ns, words.zone(registry, said.site))} {what}"


def split(
    said: Iterable[Said], is_open: Callable[[str], bool], open_now: int, room: int = MOST_AN_HOUR
) -> tuple[list[Said], list[Said]]:
    """Those that are taken, and those that would be one open alert too many, or more new ones than there is `room` for."""
    taken: list[Said] = []
    beyond: list[Said] = []
    for one in said:
        new = one.word is Word.FIRING and not is_open(one.key)
        if new and (open_now >= MOST or room <= 0):
            beyond.append(one)
            continue
        open_now += new
        room -= new
        taken.append(one)
    return taken, beyond
