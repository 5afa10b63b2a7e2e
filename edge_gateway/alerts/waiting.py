"""Alerts that people were told of and nobody has accepted, and since when. Pure; what the gateway says of them in numbers."""

from typing import Final

from edge_gateway.alerts.alert import Alert, State
from edge_gateway.rules import Severity

# Raised by Grafana about these very numbers: counted, such an alert would keep itself alive.
_GRAFANA: Final = "grafana"


def unaccepted(alert: Alert) -> bool:
    """Whether somebody should have taken it: it was told, whether a channel confirmed that or not. No notices, no tests."""
    counts = alert.severity is not Severity.NOTICE and not alert.test and alert.rule != _GRAFANA
    return counts and alert.unanswered and alert.step > 0


def waited_s(alert: Alert, now_ns: int) -> float:
    """Since it was raised last: one that was accepted and opened again waits anew. Never negative."""
    raised = [change.at_ns for change in alert.history if change.state is State.RAISED]
    return max(0.0, (now_ns - max(raised, default=alert.raised_ns)) / 1e9)
