"""What Grafana hands in is proved to be Grafana's and understood: over only where it says so, and unknown is not over."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from dashboards.console.inbound import part
from dashboards.console.inbound.door import PROVIDERS, Ports
from dashboards.console.inbound.messages import Call, Watch
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.settings import Inbound
from tests.console.courier import Switch, switched
from tests.console.grafana_words import URL, alert, body, iso, no_data, signed, tried
from tests.web import Answer, send

NOW = 1_795_000_000.0
NOW_NS = int(NOW) * 10**9
SECRET = "s3cr3t-w0rd-of-the-address"
HMAC, TOKEN = "hmac-secret", "t0ken"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    for name, text in (("secret", SECRET), ("hmac", HMAC), ("token", TOKEN)):
        file = tmp_path / name
        file.write_text(text + "\n")
        file.chmod(0o600)
    return tmp_path


def setting(keys: Path, **files: str) -> Inbound:
    named = {name: keys / file for name, file in files.items()}
    return Inbound.model_validate({"name": "grafana", "kind": "grafana", "secret_file": keys / "secret", **named})


def read(keys: Path, text: bytes, headers: dict[str, str] | None = None, **files: str) -> Watch:
    call = Call({}, {name.lower(): value for name, value in (headers or {}).items()}, text)
    (watch,) = PROVIDERS["grafana"].read(call, setting(keys, **files), NOW).messages
    assert isinstance(watch, Watch)
    return watch


def one(keys: Path, *alerts: dict[str, Any]) -> dict[str, Any]:
    watch = read(keys, body(*alerts))
    assert watch.unread == ()
    (found,) = watch.alerts
    return dict(found)


# what it says


def test_an_alert_that_fires(keys: Path) -> None:
    assert one(keys, alert(NOW, runbook_url="https://g.example/d/kanhu-runbook-zh?viewPanel=7")) == {
        "rule": "kanhu-device-silent",
        "instance": "yunhe/home-1",
        "word": "firing",
        "at_ns": NOW_NS,
        "reason": "",
        "warning": True,
        "site": "yunhe",
        "device": "home-1",
        "text_zh": "home-1 没有声音。 处理办法: https://g.example/d/kanhu-runbook-zh?viewPanel=7",
        "text_en": "home-1 is silent. What to do: https://g.example/d/kanhu-runbook-zh?viewPanel=7",
    }


def test_resolved_without_a_reason_is_over(keys: Path) -> None:
    found = one(keys, alert(NOW, "resolved"))
    assert (found["word"], found["at_ns"], found["instance"]) == ("resolved", NOW_NS, "yunhe/home-1")


@pytest.mark.parametrize(
    "reason",
    ["MissingSeries", "NoData", "Error", "Updated", "Paused", "RuleDeleted", "NoData, KeepLast", "what Grafana 14 says"],
)
def test_resolved_for_any_reason_is_unknown_and_never_over(keys: Path, reason: str) -> None:
    found = one(keys, alert(NOW, "resolved", reason=reason))
    assert (found["word"], found["reason"]) == ("unknown", reason)


def test_no_data_is_an_alert_of_its_own_that_ends_when_its_stand_in_for_a_series_goes(keys: Path) -> None:
    began, ended = one(keys, no_data(NOW)), one(keys, no_data(NOW + 90, "resolved", "MissingSeries"))
    assert (began["word"], ended["word"], ended["reason"]) == ("firing", "resolved", "")
    assert began["instance"] == ended["instance"] == "no-data"
    assert began["rule"] == "kanhu-device-silent"
    assert began["text_en"] == "Grafana's rule 'Device silent' finds no data at all"
    assert "[no value]" not in began["text_zh"]
    paused = one(keys, no_data(NOW + 90, "resolved", "Paused"))
    assert paused["word"] == "unknown", "nobody looked"


def test_a_rule_whose_missing_data_alerts_keeps_its_name_and_ends_when_there_is_data(keys: Path) -> None:
    """With no-data state Alerting the stand-in has the rule's own alertname, and the labels datasource_uid and ref_id."""
    labels = {"datasource_uid": "kanhu", "ref_id": "A", "site": "kanhu", "device": "gateway"}
    began = one(keys, alert(NOW, labels=labels, reason="NoData"))
    assert (began["word"], began["reason"], began["instance"]) == ("firing", "NoData", "kanhu/gateway")
    assert one(keys, alert(NOW, "resolved", labels=labels, reason="MissingSeries"))["word"] == "resolved"


def test_an_error_says_what_the_database_said(keys: Path) -> None:
    failed = no_data(NOW)
    failed["labels"]["alertname"], failed["annotations"]["Error"] = "DatasourceError", "database not found: kanhu"
    found = one(keys, failed)
    assert found["instance"] == "error"
    assert found["text_en"] == "Grafana's rule 'Device silent' fails: database not found: kanhu"


def test_the_instance_is_that_of_the_series_whatever_the_rule_is_called(keys: Path) -> None:
    renamed = alert(NOW, severity="notice")
    renamed["labels"] |= {"alertname": "Gerät stumm", "via": "gateway", "kanhu": "2", "__alert_rule_uid__": "x"}
    assert one(keys, renamed)["instance"] == "yunhe/home-1"
    quantity = {"site": "yunhe", "device": "home-1", "place": "p", "channel": "motion-kitchen"}
    assert one(keys, alert(NOW, labels=quantity))["instance"] == "yunhe/home-1/p/motion-kitchen"
    others = [one(keys, alert(NOW, labels={"site": "yunhe", "kind": kind}))["instance"] for kind in ("meal", "round", "meal")]
    assert others[0] == others[2] != others[1]
    assert others[0].startswith("yunhe/")
    assert one(keys, alert(NOW, labels={}))["instance"] == ""


@pytest.mark.parametrize("severity", ["warning", "critical", "urgent", "Warning"])
def test_whatever_its_severity_it_is_a_warning_at_most(keys: Path, severity: str) -> None:
    assert one(keys, alert(NOW, severity=severity))["warning"] is True
    assert one(keys, alert(NOW, severity="notice"))["warning"] is False
    assert one(keys, alert(NOW, severity=""))["warning"] is False


def test_a_rule_of_somebody_elses_is_named_by_its_address(keys: Path) -> None:
    theirs = alert(NOW, rule="cfto40tofrhfka", summary="CPU is busy")
    del theirs["labels"]["kanhu_rule"]
    theirs["annotations"] = {"summary": "CPU is busy\nreally"}
    found = one(keys, theirs)
    assert (found["rule"], found["text_zh"], found["text_en"]) == ("cfto40tofrhfka", "CPU is busy really", "CPU is busy really")
    newer = {**theirs, "generatorURL": "", "ruleUID": "cfto40tofrhfka"}
    assert one(keys, newer)["rule"] == "cfto40tofrhfka"


def test_a_test_of_the_contact_point_is_understood_and_is_no_alert(keys: Path) -> None:
    watch = read(keys, body(tried(NOW)))
    assert (watch.alerts, watch.tests, watch.unread) == ((), 1, ())


def test_alerts_that_were_left_out_are_counted(keys: Path) -> None:
    assert read(keys, body(alert(NOW), left_out=17)).left_out == 17


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"status": "pending"}, "status is 'pending'; firing or resolved", id="status"),
        pytest.param({"startsAt": "yesterday"}, "startsAt is 'yesterday'; a time with its zone", id="time"),
        pytest.param({"startsAt": "2026-11-18T11:06:40"}, "a time with its zone", id="no-zone"),
        pytest.param({"startsAt": "0001-01-01T00:00:00Z"}, "before 1970", id="never"),
        pytest.param({"startsAt": "9999-12-31T00:00:00Z"}, "after 2262", id="nobody-can-count-so-far"),
        pytest.param({"startsAt": None}, "a time with its zone", id="no-time"),
        pytest.param({"labels": {"alertname": "x"}, "generatorURL": f"{URL}/"}, "no uid of its rule", id="no-uid"),
        pytest.param({"labels": {"alertname": "x"}, "generatorURL": "http://[/grafana/u/view"}, "no uid", id="bad-url"),
        pytest.param({"labels": None, "generatorURL": None}, "no uid of its rule", id="no-labels"),
        pytest.param(
            {"labels": {"kanhu_rule": "../x y"}, "generatorURL": f"{URL}/alerting/grafana/a%2Fb/view"}, "no uid", id="bad-uid"
        ),
    ],
)
def test_an_alert_that_cannot_be_understood_is_named_and_its_neighbours_are_taken(
    keys: Path, change: dict[str, Any], told: str
) -> None:
    watch = read(keys, body(alert(NOW), {**alert(NOW), **change}, alert(NOW, labels={"site": "b"})))
    assert [found["instance"] for found in watch.alerts] == ["yunhe/home-1", "b"]
    (line,) = watch.unread
    assert told in line


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"alerts":{}}',
        b'"x"',
        b"[" * 100_000,
        b"\xff",
        b'{"alerts":' + b"[" + b"{}," * 1000 + b"{}]}",
    ],
)
def test_what_is_no_webhook_of_grafanas_says_what_was_seen(keys: Path, text: bytes) -> None:
    watch = read(keys, text)
    assert watch.alerts == ()
    assert len(watch.unread) == 1


@pytest.mark.parametrize("value", [7, None, [], {"a": 1}, "x" * 100_000, "a\x00b\u202e\ud800"])
def test_no_label_annotation_or_entry_however_strange_stops_it(keys: Path, value: Any) -> None:
    strange = alert(NOW)
    strange["labels"] |= {"device": value, "zone": value}
    strange["annotations"] |= {"summary_zh": value, "runbook_url": value}
    watch = read(keys, json.dumps({"alerts": [strange, value]}).encode())
    assert len(watch.alerts) == 1
    assert len(watch.unread) == 1
    assert len(watch.alerts[0]["text_zh"]) <= 450


def test_a_time_with_more_digits_than_ours_and_another_zone_is_read(keys: Path) -> None:
    late = {**alert(NOW), "startsAt": "2026-11-18T19:06:40.123456789+08:00"}
    assert one(keys, late)["at_ns"] // 10**9 == int(NOW)
    assert iso(NOW).startswith("2026-11-18T11:06:40")


# who says it


@pytest.mark.parametrize(
    ("headers", "theirs"),
    [
        ({"Authorization": f"Bearer {TOKEN}"}, True),
        ({"Authorization": "Basic " + base64.b64encode(f"grafana:{TOKEN}".encode()).decode()}, True),
        ({"Authorization": "Bearer other"}, False),
        ({"Authorization": "Basic ???"}, False),
        ({"Authorization": TOKEN}, False),
        ({}, False),
    ],
)
def test_where_credentials_are_set_none_others_are_taken(keys: Path, headers: dict[str, str], theirs: bool) -> None:
    if theirs:
        assert len(read(keys, body(alert(NOW)), headers, token_file="token").alerts) == 1
        return
    with pytest.raises(Rejected, match="not_theirs"):
        read(keys, body(alert(NOW)), headers, token_file="token")


def test_a_signature_is_of_this_body_and_of_about_now(keys: Path) -> None:
    text = body(alert(NOW))
    for good in (signed(HMAC, text), signed(HMAC, text, NOW - 599)):
        assert len(read(keys, text, good, key_file="hmac").alerts) == 1
    older = {"X-Grafana-Alert-Signature": signed(HMAC, text)["X-Grafana-Alerting-Signature"]}
    assert len(read(keys, text, older, key_file="hmac").alerts) == 1
    moved = signed(HMAC, text, NOW) | {"X-Grafana-Alerting-Timestamp": str(int(NOW) + 1)}
    for bad in (
        {},
        signed("other", text),
        signed(HMAC, text + b" "),
        signed(HMAC, text, NOW - 601),
        signed(HMAC, text, NOW + 601),
        moved,
    ):
        with pytest.raises(Rejected, match="not_theirs"):
            read(keys, text, bad, key_file="hmac")


# the door


@dataclass
class Behind:
    """A gateway that writes down what it is asked, and the audit log."""

    providers: tuple[Inbound, ...]
    asked: list[dict[str, Any]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    fails: Exception | None = None

    def call(self, command: str, timeout_s: float = 10.0, /, **arguments: Any) -> Any:
        if self.fails is not None:
            raise self.fails
        assert command == "alerts.watched"
        self.asked.append(arguments)
        return {}

    def ports(self) -> Ports:
        return Ports(self.providers, self.call, lambda *told: self.written.append(str(told)), "203.0.113.9", lambda: NOW)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Switch]]:
    with switched() as found:
        yield found


@pytest.fixture
def behind(keys: Path, server: tuple[str, Switch]) -> Behind:
    found = Behind((setting(keys),))
    app = FastAPI()
    app.include_router(part(lambda _request: found.ports()).router)
    server[1].app = app
    return found


def post(server: tuple[str, Switch], text: bytes) -> Answer:
    return send(f"{server[0]}/in/grafana/{SECRET}", text)


def test_what_is_understood_is_given_on_and_what_is_not_is_counted_and_answered(
    behind: Behind, server: tuple[str, Switch]
) -> None:
    assert post(server, body(alert(NOW))).status == 200
    (asked,) = behind.asked
    assert (len(asked["alerts"]), asked["unread"], asked["left_out"]) == (1, 0, 0)
    answer = post(server, body(alert(NOW), {**alert(NOW), "status": "?"}))
    assert (answer.status, len(behind.asked[-1]["alerts"]), behind.asked[-1]["unread"]) == (400, 1, 1)
    assert answer.text == "unreadable: alert 'Device silent': status is '?'; firing or resolved\n"
    assert "status is '?'" in behind.asked[-1]["why"]
    assert "inbound_refused" in behind.written[-1]
    assert post(server, b"hello").status == 400
    assert behind.asked[-1]["unread"] == 1


def test_who_opens_the_address_in_a_browser_is_told_what_belongs_there_and_nothing_is_counted(
    behind: Behind, server: tuple[str, Switch]
) -> None:
    answer = send(f"{server[0]}/in/grafana/{SECRET}")
    assert (answer.status, behind.asked) == (400, [])
    assert "JSON by POST" in answer.text


def test_a_large_request_goes_on_in_pieces_and_is_counted_once(behind: Behind, server: tuple[str, Switch]) -> None:
    many = [alert(NOW, labels={"site": "yunhe", "device": f"home-{n}"}) for n in range(120)]
    assert post(server, body(*many, left_out=9)).status == 200
    assert [len(asked["alerts"]) for asked in behind.asked] == [50, 50, 20]
    assert [asked.get("left_out", 0) for asked in behind.asked] == [9, 0, 0]


def test_with_the_gateway_away_grafana_comes_again(behind: Behind, server: tuple[str, Switch]) -> None:
    behind.fails = Unavailable("no gateway")
    assert post(server, body(alert(NOW))).status == 503


def test_who_has_not_the_credentials_is_answered_403(behind: Behind, server: tuple[str, Switch], keys: Path) -> None:
    behind.providers = (setting(keys, token_file="token"),)
    answer = post(server, body(alert(NOW)))
    assert (answer.status, behind.asked) == (403, [])
    assert answer.text.startswith("not_theirs: the header Authorization")
