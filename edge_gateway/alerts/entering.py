"""What stands in an alert: made of a finding, more of the same added, a line of its history for each state it enters."""

from collections.abc import Iterable
from typing import Final

from edge_gateway.alerts.alert import Alert, Change, State
from edge_gateway.events import AlertChange
from edge_gateway.rules import Finding, Severity

GATEWAY: Final = "gateway"  # `by` of what no person did
_EVIDENCE: Final = 10
_HISTORY: Final = 100


def raised(finding: Finding, alert_id: str, now_ns: int) -> Alert:
    """A new alert; it has entered no state yet."""
    return Alert(
        id=alert_id,
        key=finding.key,
        rule=finding.rule,
        severity=finding.severity,
        site=finding.site,
        device=finding.device,
        place=finding.place,
        occurred_ns=finding.occurred_ns,
        raised_ns=now_ns,
        text_zh=finding.text_zh,
        text_en=finding.text_en,
        evidence=list(finding.evidence[-_EVIDENCE:]),
        returns=finding.returns and finding.severity is not Severity.URGENT,
        events=_events(finding),
        test=finding.test,
        once=finding.once and finding.severity is not Severity.URGENT,
    )


def add(alert: Alert, finding: Finding, worse: bool) -> bool:
    """More of a known cause; False: nothing in it is new, and nothing was changed."""
    fresh = [seen for seen in finding.evidence if seen not in alert.evidence]
    if not fresh and not worse:
        return False
    keep_evidence(alert, fresh)
    alert.count += 1
    alert.events = [*alert.events, *_events(finding)][-_EVIDENCE:]
    alert.text_zh, alert.text_en = finding.text_zh, finding.text_en
    return True


def keep_evidence(alert: Alert, seen: Iterable[str]) -> None:
    """Also of what ended it, which may have happened long ago; the newest stay."""
    alert.evidence = [*alert.evidence, *filter(None, seen)][-_EVIDENCE:]


def enter(alert: Alert, state: State, by: str, reason: str, now_ns: int) -> AlertChange:
    """The alert is in this state from now on; what the database is told of it."""
    alert.state = state
    # The first lines tell how it began, the last how it stands; what is dropped is between them.
    alert.history = [*alert.history[: _HISTORY // 2], *alert.history[_HISTORY // 2 :][-(_HISTORY // 2 - 1) :]]
    alert.history.append(Change(now_ns, state, by, reason))
    return AlertChange(
        site=alert.site or GATEWAY,
        device=alert.device or GATEWAY,
        place=alert.place,
        time_ns=now_ns,
        alert=alert.id,
        rule=alert.rule,
        severity=alert.severity.value,
        state=state.value,
        by=by,
        reason=reason,
        waited_s=max(0, now_ns - alert.raised_ns) / 1e9,  # a clock that was set back makes no negative wait
    )


def unreadable(number: int, now_ns: int) -> Finding:
    """So many open alerts on the disk are damaged."""
    return Finding(
        key="damaged/alerts",
        rule="damaged",
        severity=Severity.URGENT,
        site="",
        device="",
        place="",
        occurred_ns=now_ns,
        text_zh=f"网关磁盘上有 {number} 条未处理告警读不出来, 其中可能有紧急求助。请逐户确认, 并告诉技术人员。",
        text_en=f"{number} open alerts on the gateway's disk cannot be read; one may be an SOS. Check every home.",
        evidence=(f"{number} damaged rows",),
        anew=True,
    )


def _events(finding: Finding) -> list[tuple[str, int, int]]:
    return [(finding.device, *finding.event)] if finding.event is not None else []
