"""What providers hand in is understood, proved to be theirs, and given on once and in time; nobody else gets in."""

import base64
import hashlib
import http.client
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import hypothesis
import pytest
from fastapi import FastAPI
from hypothesis import example, given
from hypothesis import strategies as st

from dashboards.console.inbound import part
from dashboards.console.inbound.cipher import sealed, unsealed
from dashboards.console.inbound.door import LATE_S, PROVIDERS, Memory, Ports
from dashboards.console.inbound.messages import Call, Reply, Report, Told, Watch
from dashboards.console.inbound.wecom import signature
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.notify.dingtalk import sign
from edge_gateway.notify.watched import said_of
from edge_gateway.settings import Fields, Inbound
from tests.console.courier import Switch, switched
from tests.web import Answer, send

_WORDS = (
    "text content mobile sid report_status time success biz_id phone_number send_time createAt senderStaffId msgId event "
    "header message from userid MessageSid Body From Digits alerts labels annotations status startsAt generatorURL kanhu_rule"
)
_NAMES = _WORDS.split()
NOW = 1_795_000_000.0  # 2026-11-18 19:06:40 in Beijing
SECRET = "s3cr3t-w0rd-of-the-address"
APP_SECRET, TOKEN = "dingtalk-app-secret", "QDG6eK"
ENCRYPT_KEY, VERIFICATION = "kudryavka", "v-token-1"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"  # 43 letters, as WeCom's console shows one
CORP = b"wx5823bf96d3bd56c7"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Files of all secrets."""
    for name, text in (
        ("secret", SECRET), ("app-secret", APP_SECRET), ("token", TOKEN), ("aes", AES_KEY), ("encrypt", ENCRYPT_KEY),
        ("verification", VERIFICATION), ("short", "too-short"),
    ):  # fmt: skip
        file = tmp_path / name
        file.write_text(text + "\n")
        file.chmod(0o600)
    return tmp_path


def setting(kind: str, keys: Path, **more: Any) -> Inbound:
    """A provider of this kind with all that it needs."""
    files = {
        "dingtalk": {"key_file": keys / "app-secret"},
        "feishu": {"key_file": keys / "encrypt", "token_file": keys / "verification"},
        "wecom": {"key_file": keys / "aes", "token_file": keys / "token"},
    }.get(kind, {})
    return Inbound.model_validate({"name": kind, "kind": kind, "secret_file": keys / "secret", **files, **more})


def read(
    kind: str, keys: Path, body: bytes, query: dict[str, str] | None = None, headers: dict[str, str] | None = None, **more: Any
) -> Told:
    return PROVIDERS[kind].read(Call(query or {}, headers or {}, body), setting(kind, keys, **more), NOW)


def as_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


# SMS and calls


def test_reports_of_aliyun_name_the_message_by_both_ids(keys: Path) -> None:
    plain = {
        "phone_number": "13800001111",
        "send_time": "2026-11-18 17:40:00",
        "report_time": "2026-11-18 17:46:00",
        "sms_size": "1",
    }
    body = [
        {**plain, "success": True, "err_code": "DELIVERED", "err_msg": "用户接收成功", "biz_id": "9001", "out_id": "a1b2c3"},
        {**plain, "success": False, "err_code": "MOBILE_NOT_ON_SERVICE", "err_msg": "停机", "biz_id": "9002", "out_id": ""},
    ]
    assert read("aliyun", keys, as_json(body)).messages == (
        Report(("9001", "a1b2c3"), True),
        Report(("9002",), False, "false MOBILE_NOT_ON_SERVICE"),
    )


def test_an_answer_of_aliyun_has_its_time_in_beijing(keys: Path) -> None:
    body = [
        {
            "phone_number": "13800001111",
            "send_time": "20261118190000",
            "content": " 1 3f2a ",
            "sign_name": "e家宜业",
            "dest_code": "1",
            "sequence_id": 1,
        }
    ]
    assert read("aliyun", keys, as_json(body)).messages == (Reply("13800001111", "1 3f2a", at_s=NOW - 400),)


def test_tencent_speaks_in_lists_and_single_records(keys: Path) -> None:
    report = [{"user_receive_time": "2015-10-17 08:03:04", "nationcode": "86", "mobile": "13800001111", "report_status": "FAIL",
               "errmsg": "UNDELIV", "description": "空号", "sid": "s-1"}]  # fmt: skip
    assert read("tencent", keys, as_json(report)).messages == (Report(("s-1",), False, "FAIL UNDELIV"),)
    reply = {"extend": "1", "mobile": "13800001111", "nationcode": "86", "sign": "e家宜业", "text": "接手", "time": NOW - 5}
    assert read("tencent", keys, as_json(reply)).messages == (Reply("13800001111", "接手", at_s=NOW - 5),)


@pytest.mark.parametrize("twice", [False, True], ids=["once", "encoded-twice"])
def test_yunpian_wraps_its_records_in_a_form(keys: Path, twice: bool) -> None:
    records = json.dumps([{"sid": 9527, "uid": "a1b2c3", "report_status": "SUCCESS", "mobile": "13800001111", "error_msg": ""}])
    body = urlencode({"sms_status": quote(records) if twice else records}).encode()
    assert read("yunpian", keys, body).messages == (Report(("9527", "a1b2c3"), True),)
    reply = json.dumps(
        {"id": "9f", "mobile": "13800001111", "reply_time": "2026-11-18 19:06:30", "text": "我去", "extend": "01"}
    )
    assert read("yunpian", keys, urlencode({"sms_reply": reply}).encode()).messages == (
        Reply("13800001111", "我去", at_s=NOW - 10),
    )


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"MessageSid": "SM1", "MessageStatus": "sent"}, ()),
        ({"MessageSid": "SM1", "MessageStatus": "delivered"}, (Report(("SM1",), True),)),
        ({"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "30003"}, (Report(("SM1",), False, "failed 30003"),)),
        ({"CallSid": "CA1", "CallStatus": "ringing"}, ()),
        (
            {"CallSid": "CA1", "CallStatus": "completed", "AnsweredBy": "machine_end_beep"},
            (Report(("CA1",), False, "machine"),),
        ),
        ({"CallSid": "CA1", "CallStatus": "no-answer"}, (Report(("CA1",), False, "no-answer"),)),
        (
            {"CallSid": "CA1", "CallStatus": "in-progress", "Digits": "1", "To": "+8613800001111", "Direction": "outbound-api"},
            (Report(("CA1",), True), Reply("+8613800001111", "1", about=("CA1",))),
        ),
        ({"MessageSid": "SM2", "From": "+8613800001111", "To": "+1", "Body": "OK"}, (Reply("+8613800001111", "OK", "SM2"),)),
    ],
)  # fmt: skip
def test_twilio_tells_only_the_end_of_a_message(keys: Path, form: dict[str, str], expected: tuple[object, ...]) -> None:
    assert read("twilio", keys, urlencode(form).encode()).messages == expected


def test_any_other_provider_is_read_by_its_table_of_fields(keys: Path) -> None:
    fields = Fields(
        records="data.items", id=["task", "user_data"], state="result.code", yes=["0"], no=["4"], reason="result.text",
        sender="called", digits="dtmf", at="ms", answer="ok",
    )  # fmt: skip
    record = {"task": "t1", "user_data": None, "result": {"code": 0}, "called": "013800001111", "dtmf": "1", "ms": NOW * 1000}
    unfinished = {"task": "t2", "result": {"code": 2}}
    gone = {"task": "t3", "result": {"code": 4, "text": "拒接"}}
    told = read("fields", keys, as_json({"data": {"items": [record, unfinished, gone]}}), fields=fields)
    assert told.messages == (
        Report(("t1",), True),
        Reply("013800001111", "1", at_s=NOW, about=("t1",)),
        Report(("t3",), False, "4 拒接"),
    )
    assert PROVIDERS["fields"].say(setting("fields", keys, fields=fields), Call({}, {}, b""), "", NOW).body == "ok"


@pytest.mark.parametrize("body", [b"{", b"[1,2]", b'"x"', b"[" * 100_000, as_json([{}] * 501), b"\xff\xfe", b""])
@pytest.mark.parametrize("kind", ["aliyun", "tencent", "yunpian", "twilio"])
def test_what_cannot_be_read_is_refused_or_says_nothing(keys: Path, kind: str, body: bytes) -> None:
    try:
        assert read(kind, keys, body).messages == ()
    except Rejected as error:
        assert error.reason == "unreadable"


# DingTalk


def of_dingtalk(text: str = " 接手 ", at_s: float = NOW, secret: str = APP_SECRET, **more: Any) -> tuple[bytes, dict[str, str]]:
    body = {"msgtype": "text", "text": {"content": text}, "msgId": "msg0xx", "createAt": int(at_s * 1000),
            "senderStaffId": "manager7",
            "senderNick": "张", "conversationType": "2", **more}  # fmt: skip
    timestamp = int(at_s * 1000)
    return as_json(body), {"timestamp": str(timestamp), "sign": sign(secret, timestamp)}


def test_an_answer_in_a_group_of_dingtalk_is_proved_by_its_signature(keys: Path) -> None:
    body, headers = of_dingtalk()
    assert read("dingtalk", keys, body, headers=headers).messages == (Reply("manager7", "接手", "msg0xx", NOW),)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"timestamp": "x", "sign": "y"},
        of_dingtalk(secret="another")[1],
        of_dingtalk(at_s=NOW - 3601)[1],
        {"timestamp": "9" * 40, "sign": ""},
    ],
)
def test_what_dingtalk_has_not_signed_is_not_believed(keys: Path, headers: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="not_theirs"):
        read("dingtalk", keys, of_dingtalk()[0], headers=headers)


def test_what_we_say_is_shown_in_the_group_of_dingtalk(keys: Path) -> None:
    said = PROVIDERS["dingtalk"].say(setting("dingtalk", keys), Call({}, {}, b""), "已由你接手", NOW)
    assert json.loads(said.body) == {"msgtype": "text", "text": {"content": "已由你接手"}}


# Feishu


def feishu_seal(value: Any) -> bytes:
    """As Feishu does it: a random start, then AES-256-CBC with the SHA-256 of the Encrypt Key."""
    iv = b"0123456789abcdef"
    return as_json(
        {
            "encrypt": base64.b64encode(
                iv + sealed(hashlib.sha256(ENCRYPT_KEY.encode()).digest(), iv, as_json(value), 16)
            ).decode()
        }
    )


def feishu_headers(body: bytes) -> dict[str, str]:
    good = hashlib.sha256(b"1795000000" + b"nonce-1" + ENCRYPT_KEY.encode() + body).hexdigest()
    return {"x-lark-request-timestamp": "1795000000", "x-lark-request-nonce": "nonce-1", "x-lark-signature": good}


def feishu_event(text: str = "@_user_1 接手", token: str = VERIFICATION) -> dict[str, Any]:
    return {
        "schema": "2.0",
        "header": {
            "event_id": "ev-1",
            "event_type": "im.message.receive_v1",
            "create_time": str(int(NOW * 1000)),
            "token": token,
        },
        "event": {
            "sender": {"sender_id": {"open_id": "ou_7d8a", "user_id": "x"}, "sender_type": "user"},
            "message": {"message_type": "text", "content": json.dumps({"text": text}), "create_time": str(int(NOW * 1000))},
        },
    }


def test_an_event_of_feishu_is_opened_and_understood(keys: Path) -> None:
    body = feishu_seal(feishu_event())
    told = read("feishu", keys, body, headers=feishu_headers(body))
    assert told.messages == (Reply("ou_7d8a", "接手", "ev-1", NOW),)


def test_feishu_is_told_that_we_are_there(keys: Path) -> None:
    question = {"challenge": "ajls384kdjx98XX", "token": VERIFICATION, "type": "url_verification"}
    sealed_answer = read("feishu", keys, feishu_seal(question)).answer
    open_answer = read("feishu", keys, as_json(question), key_file=None).answer
    for answer in (sealed_answer, open_answer):
        assert answer is not None
        assert json.loads(answer.body) == {"challenge": "ajls384kdjx98XX"}


@pytest.mark.parametrize("how", ["unsigned", "another token", "unsealed", "another key", "cut"])
def test_what_is_not_feishus_is_not_believed(keys: Path, how: str) -> None:
    body = feishu_seal(feishu_event(token="x" if how == "another token" else VERIFICATION))
    if how == "unsealed":
        body = as_json(feishu_event())
    if how == "cut":
        body = as_json({"encrypt": json.loads(body)["encrypt"][:40]})
    if how == "another key":
        (keys / "encrypt").write_text("another")
    headers = {} if how == "unsigned" else feishu_headers(body)
    with pytest.raises(Rejected) as caught:
        read("feishu", keys, body, headers=headers)
    assert caught.value.reason in ("not_theirs", "unreadable")


# WeCom


def wecom_seal(text: str) -> tuple[str, dict[str, str]]:
    """As the company's console does it: random, length, text, receiver; padded to 32."""
    key = base64.b64decode(AES_KEY + "=")
    data = text.encode()
    envelope = base64.b64encode(sealed(key, key[:16], b"r" * 16 + struct.pack(">I", len(data)) + data + CORP, 32)).decode()
    query = {"timestamp": "1795000000", "nonce": "1372623149"}
    return envelope, {**query, "msg_signature": signature(TOKEN, query["timestamp"], query["nonce"], envelope)}


APP_TEXT = (
    "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName><FromUserName><![CDATA[zhang]]></FromUserName>"
    f"<CreateTime>{int(NOW)}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[接手 <FromUserName>li</FromUserName>]]></Content><MsgId>4561255354251345929</MsgId></xml>"
)


def wecom_post(text: str) -> tuple[bytes, dict[str, str]]:
    envelope, query = wecom_seal(text)
    if text.startswith("{"):
        return as_json({"encrypt": envelope}), query
    return f"<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[{envelope}]]></Encrypt></xml>".encode(), query


def test_the_signature_of_wecom_is_that_of_its_documentation() -> None:
    # Token, timestamp and nonce of its example; the four are sorted as texts and joined.
    joined = "".join(sorted(("QDG6eK", "1409659813", "1372623149", "RypEvHKD")))
    assert joined == "13726231491409659813QDG6eKRypEvHKD"
    assert signature("QDG6eK", "1409659813", "1372623149", "RypEvHKD") == hashlib.sha1(joined.encode()).hexdigest()


def test_a_message_to_an_app_of_wecom_is_opened_and_answered(keys: Path) -> None:
    body, query = wecom_post(APP_TEXT)
    (reply,) = read("wecom", keys, body, query).messages
    assert reply == Reply("zhang", "接手 <FromUserName>li</FromUserName>", "4561255354251345929", NOW)
    said = PROVIDERS["wecom"].say(setting("wecom", keys), Call(query, {}, body), "已由你接手 <b>", NOW)
    envelope = said.body.split("<Encrypt><![CDATA[")[1].split("]]")[0]
    key = base64.b64decode(AES_KEY + "=")
    opened = unsealed(key, key[:16], base64.b64decode(envelope), 32)
    assert opened.endswith(CORP)
    assert b"<ToUserName>zhang</ToUserName>" in opened
    assert "<Content>已由你接手 &lt;b&gt;</Content>".encode() in opened


def test_a_message_to_a_robot_of_wecom_is_opened(keys: Path) -> None:
    robot = {
        "msgid": "m-1",
        "chattype": "group",
        "from": {"userid": "zhang"},
        "msgtype": "text",
        "text": {"content": "@看护 1 3f2a"},
    }
    body, query = wecom_post(json.dumps(robot))
    assert read("wecom", keys, body, query).messages == (Reply("zhang", "1 3f2a", "m-1", NOW),)


def test_wecom_is_told_that_we_are_there(keys: Path) -> None:
    envelope, query = wecom_seal("1616140317555161061")
    answer = read("wecom", keys, b"", {**query, "echostr": envelope}).answer
    assert answer is not None
    assert answer.body == "1616140317555161061"


def test_what_is_not_wecoms_is_not_believed(keys: Path) -> None:
    body, query = wecom_post(APP_TEXT)
    for wrong in ({**query, "msg_signature": "0" * 40}, {**query, "nonce": "1"}, {}):
        with pytest.raises(Rejected, match="not_theirs"):
            read("wecom", keys, body, wrong)
    (keys / "aes").write_text("k" * 43)
    with pytest.raises(Rejected, match="not_theirs"):
        read("wecom", keys, body, query)
    (keys / "aes").write_text("short")
    with pytest.raises(Rejected, match="no_key"):
        read("wecom", keys, body, query)


@pytest.mark.parametrize("kind", ["dingtalk", "feishu", "wecom"])
def test_a_chat_without_its_key_is_not_believed(keys: Path, kind: str) -> None:
    body, query = wecom_post(APP_TEXT) if kind == "wecom" else (of_dingtalk()[0], {})
    with pytest.raises(Rejected, match="no_key"):
        read(kind, keys, body, query, key_file=None, token_file=None)
    with pytest.raises(Misconfigured):
        read(kind, keys, body, query, key_file=keys / "nowhere", token_file=keys / "nowhere")


# whatever comes

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=6), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(value=_VALUES, raw=st.binary(max_size=200), kind=st.sampled_from(sorted(PROVIDERS)))
@example(value={"text": {"content": 5}, "senderStaffId": [1], "createAt": float("nan")}, raw=b"", kind="dingtalk")
@example(value={"header": 5, "event": {"message": {"content": 7, "message_type": "text"}}}, raw=b"", kind="feishu")
@example(value=[{"sid": {}, "report_status": {"a": 1}, "time": 1e308, "mobile": "1", "text": "x"}], raw=b"", kind="tencent")
@example(
    value={"alerts": [{"labels": {"kanhu_rule": "r"}, "status": "firing", "startsAt": "2026-01-01T00:00:00Z"}]},
    raw=b"",
    kind="grafana",
)
@hypothesis.settings(max_examples=200, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_whatever_comes_is_read_or_refused(keys: Path, value: Any, raw: bytes, kind: str) -> None:
    text = json.dumps(value, ensure_ascii=False)
    for body in (text.encode("utf-8", "replace"), raw, urlencode({"sms_status": text}, errors="replace").encode()):
        for call in _proved(kind, body, value):
            try:
                told = PROVIDERS[kind].read(call, setting(kind, keys), NOW)
            except Rejected:
                continue
            for message in told.messages:
                if isinstance(message, Reply):
                    assert message.sender
                    assert 0 < len(message.text) <= 500
                    assert message.at_s is None or math.isfinite(message.at_s)
                elif isinstance(message, Watch):
                    assert all(said_of(dict(one)).rule for one in message.alerts)
                else:
                    assert all(isinstance(one, str) and 0 < len(one) <= 200 for one in message.references)


def _proved(kind: str, body: bytes, value: Any) -> Iterator[Call]:
    """The body as this provider would sign and seal it."""
    if kind == "dingtalk":
        yield Call({}, of_dingtalk()[1], body)
    elif kind == "feishu":
        if isinstance(value, dict):
            event = {**feishu_event(), **{name: inner for name, inner in value.items() if name != "header"}}
            sealed_event = feishu_seal(event)
            yield Call({}, feishu_headers(sealed_event), sealed_event)
        yield Call({}, {}, body)
    elif kind == "wecom":
        envelope, query = wecom_seal(body.decode("utf-8", "replace"))
        yield Call(query, {}, as_json({"encrypt": envelope}))
    else:
        yield Call({}, {}, body)


# the door


@dataclass
class Behind:
    """A gateway that writes down what it is asked, and the audit log."""

    providers: tuple[Inbound, ...]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    written: list[tuple[str, str, str, dict[str, Any]]] = field(default_factory=list)
    fails: Exception | None = None
    now: float = NOW
    address: str = "203.0.113.9"

    def call(self, command: str, timeout_s: float = 10.0, /, **arguments: Any) -> Any:
        if self.fails is not None:
            raise self.fails
        self.asked.append((command, arguments))
        if command == "alerts.report":
            return {"matched": True}
        return {
            "person": "zhang",
            "understood": True,
            "did": "accepted",
            "alert": {"id": "20261118-sos-3f2a"},
            "say_zh": "已由你接手",
            "say_en": "Yours",
        }

    def ports(self) -> Ports:
        return Ports(
            self.providers, self.call, lambda who, what, about, _, why: self.written.append((who, what, about, dict(why))),
            self.address, lambda: self.now,
        )  # fmt: skip

    def of(self, command: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.asked if name == command]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Switch]]:
    with switched() as found:
        yield found


@pytest.fixture
def behind(keys: Path) -> Behind:
    kinds = ("aliyun", "tencent", "yunpian", "twilio", "dingtalk", "feishu", "wecom")
    return Behind(tuple(setting(kind, keys) for kind in kinds))


@pytest.fixture
def door(behind: Behind, server: tuple[str, Switch]) -> str:
    address, switch = server
    app = FastAPI()
    app.include_router(part(lambda _request: behind.ports()).router)
    switch.app = app
    return f"{address}/in"


def reply_of_tencent(door: str, text: str = "1", at_s: float = NOW, key: str = SECRET, name: str = "tencent") -> Answer:
    return send(f"{door}/{name}/{key}", as_json({"mobile": "13800001111", "text": text, "time": at_s}))


def test_an_answer_is_given_on_and_written_down_without_number_and_text(behind: Behind, door: str) -> None:
    answer = reply_of_tencent(door, "1 3f2a")
    assert (answer.status, json.loads(answer.text)) == (200, {"result": 0, "errmsg": "OK"})
    assert behind.of("alerts.heard") == [{"from": "13800001111", "text": "1 3f2a"}]
    assert behind.written == [("zhang", "replied", "20261118-sos-3f2a", {"by": "tencent", "did": "accepted"})]


def test_each_report_of_a_request_is_given_on(behind: Behind, door: str) -> None:
    body = as_json([{"sid": f"s-{n}", "report_status": "SUCCESS"} for n in range(3)])
    assert send(f"{door}/tencent/{SECRET}", body).status == 200
    assert behind.of("alerts.report") == [{"references": [f"s-{n}"], "arrived": True, "reason": ""} for n in range(3)]


def test_an_answer_that_comes_again_is_given_on_once(behind: Behind, door: str) -> None:
    for _ in range(3):
        assert reply_of_tencent(door).status == 200
    assert len(behind.of("alerts.heard")) == 1
    assert reply_of_tencent(door, at_s=NOW + 30).status == 200
    assert len(behind.of("alerts.heard")) == 2, "the same word half a minute later is another answer"


def test_the_same_word_on_another_day_is_another_answer(behind: Behind, door: str) -> None:
    def answer(sid: str, hours: float) -> int:
        behind.now = NOW + hours * 3600
        form = {"MessageSid": sid, "From": "+8613800001111", "Body": "1"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert send(f"{door}/twilio/{SECRET}", urlencode(form).encode(), headers).status == 200
        return len(behind.of("alerts.heard"))

    assert [answer("SM1", 0), answer("SM1", 0), answer("SM2", 0.01), answer("SM1", 24), answer("SM3", 24)] == [1, 1, 2, 2, 3]


def test_a_provider_without_names_and_times_is_heard_again_a_minute_later(behind: Behind, door: str, keys: Path) -> None:
    table = {"id": [], "state": "", "sender": "from", "text": "body"}
    behind.providers = (setting("fields", keys, fields=table),)
    heard = []
    for seconds in (0, 5, 120):
        behind.now = NOW + seconds
        assert send(f"{door}/fields/{SECRET}", as_json({"from": "13800001111", "body": "1"})).status == 200
        heard.append(len(behind.of("alerts.heard")))
    assert heard == [1, 1, 2]


def test_an_answer_of_long_ago_accepts_no_alert_of_now(behind: Behind, door: str) -> None:
    assert reply_of_tencent(door, at_s=NOW - LATE_S - 1).status == 200, "or the provider would bring it again"
    assert behind.of("alerts.heard") == []
    assert behind.written == [("", "inbound_refused", "tencent", {"why": "an answer of 10 min ago"})]


def test_a_message_to_a_robot_of_wecom_that_somebody_kept_accepts_no_alert_of_now(behind: Behind, door: str) -> None:
    robot = {"msgid": "m-1", "from": {"userid": "zhang"}, "msgtype": "text", "text": {"content": "1"}}
    body, query = wecom_post(json.dumps(robot))
    behind.now = NOW + LATE_S + 1
    assert send(f"{door}/wecom/{SECRET}?{urlencode(query)}", body).status == 200
    assert behind.asked == []


def test_what_came_while_the_gateway_was_away_is_taken_when_it_comes_again(behind: Behind, door: str) -> None:
    behind.fails = Unavailable("no gateway")
    answer = reply_of_tencent(door)
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    behind.fails = None
    assert reply_of_tencent(door).status == 200
    assert len(behind.of("alerts.heard")) == 1


def test_a_stranger_is_not_told_who_stands_in_the_list(behind: Behind, door: str) -> None:
    known = reply_of_tencent(door)
    behind.fails = Rejected("unknown_sender", "this number or id stands in nobody's address")
    stranger = reply_of_tencent(door, at_s=NOW + 1)
    assert (stranger.status, stranger.content) == (known.status, known.content)
    assert behind.written[-1][1:3] == ("inbound_refused", "tencent")
    assert "13800001111" not in str(behind.written)


@pytest.mark.parametrize(
    ("name", "key"),
    [("tencent", "wrong"), ("nobody", SECRET), ("tencent", ""), ("tencent", SECRET[:-1]), ("tencent", quote(SECRET + "é"))],
)
def test_a_wrong_address_opens_nothing_and_guessing_is_slowed(behind: Behind, door: str, name: str, key: str) -> None:
    statuses = [send(f"{door}/{name}/{key}", b"{}").status for _ in range(25)]
    assert set(statuses[:20]) == {404}
    assert behind.asked == []
    if key:
        assert statuses[-1] == 429
        assert reply_of_tencent(door).status == 200, "a provider behind the same proxy is not slowed"


def test_a_secret_that_is_short_or_open_to_others_opens_nothing(keys: Path, behind: Behind, door: str) -> None:
    (keys / "secret").chmod(0o644)
    assert reply_of_tencent(door).status == 404
    (keys / "secret").chmod(0o600)
    assert reply_of_tencent(door).status == 200
    behind.providers = (setting("tencent", keys, secret_file=keys / "short"),)
    assert reply_of_tencent(door, key="too-short").status == 404


def test_a_bad_proof_is_refused_and_written_down(behind: Behind, door: str) -> None:
    answer = send(f"{door}/dingtalk/{SECRET}", of_dingtalk()[0], {"timestamp": str(int(NOW * 1000)), "sign": "forged"})
    assert (answer.status, behind.asked) == (403, [])
    assert behind.written[0][3]["why"].startswith("not_theirs: the header sign")


def test_dingtalk_hears_what_became_of_the_answer(behind: Behind, door: str) -> None:
    body, headers = of_dingtalk("接手")
    answer = send(f"{door}/dingtalk/{SECRET}", body, headers)
    assert json.loads(answer.text)["text"]["content"] == "已由你接手\nYours"
    assert behind.of("alerts.heard") == [{"from": "manager7", "text": "接手"}]


def test_a_chat_may_ask_by_get_whether_we_are_there(behind: Behind, door: str) -> None:
    envelope, query = wecom_seal("1616140317555161061")
    answer = send(f"{door}/wecom/{SECRET}?{urlencode({**query, 'echostr': envelope})}")
    assert (answer.status, answer.text) == (200, "1616140317555161061")


def test_the_body_of_a_get_which_nothing_bounds_is_not_read(behind: Behind, door: str) -> None:
    parts = urlsplit(door)
    for key, status in ((SECRET, 200), ("wrong", 404)):
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.putrequest("GET", f"/in/tencent/{key}")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders(as_json({"mobile": "13800001111", "text": "1", "time": NOW}))
        assert connection.getresponse().status == status, "answered, although most of it never came"
        connection.close()
    assert behind.asked == []


def test_a_flood_with_the_right_address_is_slowed_and_not_written_down_endlessly(behind: Behind, door: str) -> None:
    behind.fails = Rejected("unknown_sender", "x")
    statuses = [reply_of_tencent(door, at_s=NOW + n).status for n in range(310)]
    assert statuses.count(200) >= 300
    assert statuses[-1] == 429
    assert len(behind.written) <= 32


def test_strangers_who_make_up_names_and_addresses_are_not_written_down_endlessly(behind: Behind, door: str) -> None:
    for n in range(100):
        behind.address = f"2001:db8::{n}"
        assert reply_of_tencent(door, name=f"made-up-{n}").status == 404
    assert 0 < len(behind.written) <= 32
    behind.fails = Rejected("unknown_sender", "x")
    reply_of_tencent(door)
    assert behind.written[-1][2] == "tencent", "what a provider handed in is written down all the same"


def test_what_is_remembered_has_an_end() -> None:
    memory = Memory()
    for n in range(2100):
        memory.remember(str(n).encode())
    assert not memory.knows(b"0")
    assert memory.knows(b"2099")
    assert len(memory._given) == 2000
