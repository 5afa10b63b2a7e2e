"""What Grafana's webhook sends, as its source and documentation say it; a test changes what it is about."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

URL = "http://grafana.example:3000"
NEVER = "0001-01-01T00:00:00Z"


def iso(at_s: float) -> str:
    """As Go writes a time."""
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


def alert(
    at_s: float,
    status: str = "firing",
    rule: str = "kanhu-device-silent",
    labels: dict[str, str] | None = None,
    reason: str = "",
    severity: str = "warning",
    **annotations: str,
) -> dict[str, Any]:
    """One entry of `alerts`; `at_s` is when it began, of a resolved one when it ended."""
    series = {"site": "yunhe", "device": "home-1"} if labels is None else labels
    told = {"summary_zh": "home-1 没有声音。", "summary_en": "home-1 is silent.", "summary": "home-1", **annotations}
    if reason:
        told["grafana_state_reason"] = reason
    matchers = "&".join(f"matcher={name}%3D{text}" for name, text in series.items())
    return {
        "status": status,
        "labels": {
            **{"alertname": "Device silent", "grafana_folder": "kanhu", "severity": severity, "kanhu": "1", "kanhu_rule": rule},
            **series,
        },
        "annotations": told,
        "startsAt": iso(at_s if status == "firing" else at_s - 300),
        "endsAt": NEVER if status == "firing" else iso(at_s),
        "generatorURL": f"{URL}/alerting/grafana/{rule}/view?orgId=1",
        "fingerprint": hashlib.sha256(json.dumps(series).encode()).hexdigest()[:16],
        "silenceURL": f"{URL}/alerting/silence/new?alertmanager=grafana&matcher=__alert_rule_uid__%3D{rule}&{matchers}&orgId=1",
        "dashboardURL": "",
        "panelURL": "",
        "values": {"A": 4.2, "C": 1},
        "valueString": "[ var='A' labels={device=home-1} type='reduce' value=4.2 ]",
        "orgId": 1,
    }


def no_data(at_s: float, status: str = "firing", reason: str = "") -> dict[str, Any]:
    """The alert that stands for a rule of which every series is gone: the labels of the series are gone too."""
    found = alert(at_s, status, labels={"datasource_uid": "kanhu", "ref_id": "A"}, reason=reason)
    found["labels"] |= {"alertname": "DatasourceNoData", "rulename": "Device silent"}
    found["annotations"] |= {"summary_zh": "[no value] 没有声音。", "summary_en": "[no value] is silent."}
    return {**found, "values": None, "valueString": ""}


def tried(at_s: float) -> dict[str, Any]:
    """The test of a contact point."""
    found = alert(at_s, labels={"instance": "Grafana"}, summary="Notification test")
    found["labels"] = {"alertname": "TestAlert", "instance": "Grafana"}
    return {**found, "generatorURL": f"{URL}/?orgId=1", "silenceURL": f"{URL}/alerting/silence/new?alertmanager=grafana"}


def body(*alerts: dict[str, Any], left_out: int = 0) -> bytes:
    """The whole request."""
    firing = any(one["status"] == "firing" for one in alerts)
    told = {
        "receiver": "kanhu-gateway",
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"grafana_folder": "kanhu"},
        "commonLabels": {"kanhu": "1"},
        "commonAnnotations": {},
        "externalURL": f"{URL}/",
        "version": "1",
        "groupKey": '{}/{kanhu=~".+"}:{grafana_folder="kanhu"}',
        "truncatedAlerts": left_out,
        "orgId": 1,
        "title": "kanhu",
        "state": "alerting" if firing else "ok",
        "message": "-",
    }
    return json.dumps(told, ensure_ascii=False).encode()


def signed(key: str, text: bytes, at_s: float | None = None) -> dict[str, str]:
    """The headers of Grafana's HMAC; with a time where a header for it is set."""
    stamp = None if at_s is None else str(int(at_s))
    whole = text if stamp is None else f"{stamp}:".encode() + text
    made = {"X-Grafana-Alerting-Signature": hmac.new(key.encode(), whole, hashlib.sha256).hexdigest()}
    return made if stamp is None else made | {"X-Grafana-Alerting-Timestamp": stamp}
