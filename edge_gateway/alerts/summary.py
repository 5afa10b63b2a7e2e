"""An alert as plain values, for the command line and the pages."""

from typing import Any

from edge_gateway.alerts.alert import Alert


def summary(alert: Alert) -> dict[str, Any]:
    """What a person who deals with it needs; times are wall clock, ns."""
    return {
        "id": alert.id,
        "code": alert.code,
        "state": alert.state.value,
        "severity": alert.severity.value,
        "rule": alert.rule,
        "site": alert.site,
        "place": alert.place,
        "device": alert.device,
        "text_zh": alert.text_zh,
        "text_en": alert.text_en,
        "occurred_ns": alert.occurred_ns,
        "raised_ns": alert.raised_ns,
        "accepted_by": alert.accepted_by,
        "accepted_ns": alert.accepted_ns,
        "closed_by": alert.closed_by,
        "closed_ns": alert.closed_ns,
        "close_due_ns": alert.close_due_ns,
        "told": list(alert.told),
        "chain": list(alert.chain),
        "reached": alert.reached,
        "reopened": alert.reopened,
        "evidence": list(alert.evidence),
        "count": alert.count,
    }


def history(alert: Alert) -> list[dict[str, Any]]:
    """Its states so far."""
    return [{"at_ns": c.at_ns, "state": c.state.value, "by": c.by, "reason": c.reason} for c in alert.history]
