"""What a rule of ours says by Grafana's webhook is understood by the console, from the first message to the last."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dashboards.console.gate import BODY_MAX
from dashboards.console.inbound.grafana import Grafana
from dashboards.console.inbound.messages import Call, Watch
from dashboards.grafana.alert_rules import RULES
from dashboards.grafana.contact_points import contact_points
from dashboards.grafana.options import Options
from edge_gateway.settings import Inbound
from tests.console import grafana_words
from tests.grafana.model import MISSING_SERIES
from tests.grafana.test_alert_rules import CASES

OPTIONS = Options(grafana_url="https://grafana.example.org")
AT_S = 1_780_272_000.0


def said(rule: Any, status: str, reason: str = "") -> dict[str, Any]:
    """One alert of the webhook: the rule's own labels and annotations, with Grafana's templates filled in."""
    written = rule.as_api(OPTIONS)
    tags = CASES[rule.name].tags if rule.name in CASES else {}
    annotations = {name: filled(text, tags) for name, text in written["annotations"].items()}
    labels = {"alertname": written["title"], "grafana_folder": "看护告警 Kanhu alerts", **written["labels"], **tags}
    alert = grafana_words.alert(AT_S, status, rule.uid, reason=reason)
    extra = {"grafana_state_reason": reason} if reason else {}
    return {**alert, "labels": labels, "annotations": annotations | extra}


def filled(text: str, tags: dict[str, str]) -> str:
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: tags.get(found[1], "gateway"), text)
    return re.sub(r"\{\{ [^{}]*\$values\.B\.Value \}\}", "12h 34m 56s", text)


def read(tmp_path: Path, *alerts: dict[str, Any]) -> list[dict[str, Any]]:
    setting = Inbound(name="grafana", kind="grafana", secret_file=tmp_path / "address")
    call = Call({}, {}, json.dumps({"alerts": alerts}, ensure_ascii=False).encode())
    (watch,) = Grafana().read(call, setting, AT_S).messages
    assert isinstance(watch, Watch)
    assert watch.unread == ()
    return [dict(one) for one in watch.alerts]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_console_understands_every_rule(tmp_path: Path, rule: Any) -> None:
    began, ended, lost = read(tmp_path, said(rule, "firing"), said(rule, "resolved"), said(rule, "resolved", MISSING_SERIES))
    assert [one["word"] for one in (began, ended, lost)] == ["firing", "resolved", "unknown"]
    assert began["rule"] == rule.uid
    assert began["instance"] == ended["instance"] == lost["instance"] != ""
    assert began["warning"] is (rule.severity == "warning")
    assert began["site"] and (began["device"] or "place" in CASES[rule.name].tags)
    for text in (began["text_zh"], began["text_en"]):
        assert "{{" not in text
        assert "…" not in text, "longer than what the gateway tells people"
        assert "https://grafana.example.org/d/kanhu-runbook-zh?viewPanel=" in text


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_as_many_alerts_as_are_sent_at_once_are_not_more_than_the_console_takes(rule: Any) -> None:
    """In a storm the whole request would be refused, and nothing of it told."""
    (most,) = [p["settings"]["maxAlerts"] for p in contact_points(OPTIONS, {}) if "maxAlerts" in p["settings"]]
    one = said(rule, "firing")
    series = (
        "[ var='A' labels={channel=2m, device=probe-downstream-01, place=桐溪村01, site=qingxi-river} type='reduce' value=4.2 ]"
    )
    address = "https://grafana.example.org/d/kanhu-river-zh?from=1795000000000&orgId=1&to=1795003600000&viewPanel=10"
    one |= {"valueString": ", ".join([series] * 3), "dashboardURL": address, "panelURL": address}
    sent = grafana_words.body(*[one] * most)
    for sign in (b"&", b"<", b">"):  # six bytes each, as Go writes them
        sent = sent.replace(sign, b"\\u0000")
    assert len(sent) < 0.8 * BODY_MAX
