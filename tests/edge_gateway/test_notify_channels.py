"""Each channel's own word decides: a refusal under 200 is no delivery, a mention is a real one, no secret is in a reason."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from edge_gateway.alerts import Item, Notice
from edge_gateway.notify import NOTIFIERS, Letter, Outcome, dingtalk, feishu, notifier_for, wecom
from edge_gateway.notify.contacts import normal, people_at
from edge_gateway.notify.fitting import fitted, short
from edge_gateway.notify.quota import Quota
from edge_gateway.notify.robot import Robot
from edge_gateway.notify.sender import Sender
from edge_gateway.rules import Severity
from edge_gateway.settings import Alerts, Person
from tests import channels
from tests.channels import Channel

LINK = "https://visits.example.org/a/" + "T" * 22
BODY = (
    f"梧桐-3-201: 紧急求助, 11月21日 12:00 按下。请马上打电话或上门。\n接手: {LINK}\n\nwutong-3-201: SOS. Call or go there now."
)
LETTER = Letter(
    "看护: 紧急 / Kanhu: urgent",
    BODY,
    Severity.URGENT,
    reference="a1b2c3d4e5f6",
    link=LINK,
    code="3f2a",
    short="梧桐-3-201 紧急求助",
)
NOTICE = replace(LETTER, severity=Severity.NOTICE)
SECRETS = (
    channels.WECOM_KEY, channels.DINGTALK_TOKEN, channels.DINGTALK_SECRET, channels.FEISHU_TOKEN, channels.FEISHU_SECRET,
    channels.BARK_KEY, channels.SMS_KEY, "13800001111",
)  # fmt: skip


@pytest.fixture
def channel() -> Iterator[Channel]:
    with channels.serving() as found:
        yield found


@pytest.fixture
def sms_file(channel: Channel, tmp_path: Path) -> Path:
    return gateway_file(tmp_path, channel)


def gateway_file(folder: Path, channel: Channel, text: str = "") -> Path:
    """A gateway as it is asked by form, with its own id of a message, and reports."""
    file = folder / "sms.toml"
    file.write_text(text or SMS.replace("BASE", channel.base), encoding="utf-8")
    file.chmod(0o600)
    return file


SMS = f"""
url = "BASE/v2/sms/single_send.json"
secret = "{channels.SMS_KEY}"
encoding = "form"
reports = true
[body]
apikey = "{{secret}}"
mobile = "{{to}}"
text = "【e家宜业】{{short}} {{link}}"
uid = "{{ref}}"
[yes]
code = 0
[answer]
id = "sid"
reason = "msg"
"""


def url_of(kind: str, channel: Channel, sms_file: Path) -> str:
    """A good address of each kind on this server."""
    return {
        "wecom": f"wecom://{channels.WECOM_KEY}?mobile=13800001111&base={channel.base}",
        "dingtalk": f"dingtalk://{channels.DINGTALK_TOKEN}?secret={channels.DINGTALK_SECRET}&mobile=13800001111&base={channel.base}",
        "feishu": f"feishu://{channels.FEISHU_TOKEN}?secret={channels.FEISHU_SECRET}&at=ou_7d8a&base={channel.base}",
        "lark": f"lark://{channels.FEISHU_TOKEN}?secret={channels.FEISHU_SECRET}&at=ou_7d8a&base={channel.base}",
        "bark": f"bark://127.0.0.1:{channel.port}/{channels.BARK_KEY}",
        "sms": f"sms://13800001111?gateway={sms_file}",
        "voice": f"voice://13800001111?gateway={sms_file}",
        "webhook": f"webhook://desk-2?gateway={sms_file}",
    }[kind]


KINDS = ("wecom", "dingtalk", "feishu", "lark", "bark", "sms", "voice", "webhook")


def send(url: str, letter: Letter = LETTER, timeout_s: float = 5.0) -> Outcome:
    """Through the notifier that is registered for it."""
    notifier = notifier_for(url)
    assert notifier is not None
    assert notifier.name == url.partition("://")[0].replace("wecombot", "wecom")
    outcome = notifier.send(url, letter, timeout_s)
    told = outcome.reason + notifier.problem(url)
    assert not [secret for secret in SECRETS if secret in told], told
    return outcome


def has_it(outcome: Outcome) -> bool:
    return outcome.delivered or outcome.awaits_report


# what every channel does


@pytest.mark.parametrize("kind", KINDS)
def test_a_yes_of_the_channel_is_a_delivery(channel: Channel, sms_file: Path, kind: str) -> None:
    outcome = send(url_of(kind, channel, sms_file))
    assert has_it(outcome), outcome.reason
    assert len(channel.received) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "in_doubt"),
    [
        ("hangs", True),
        ("closes", True),
        ("cuts", True),
        ("drips", True),
        ("floods", False),
        ("portal", False),
        ("moves", False),
    ],
)
def test_a_bad_network_is_no_delivery(channel: Channel, sms_file: Path, kind: str, fault: str, in_doubt: bool) -> None:
    channel.fault = fault
    outcome = send(url_of(kind, channel, sms_file), timeout_s=0.4 if fault in ("hangs", "drips") else 20.0)
    assert not has_it(outcome)
    assert outcome.in_doubt is in_doubt, outcome.reason
    assert outcome.reason
    assert len(channel.received) == 1, "no redirect is followed, nothing is sent twice"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "in_doubt"), [(400, False), (403, False), (429, False), (500, False), (502, True), (504, True)]
)
def test_a_status_that_is_no_success_is_no_delivery(
    channel: Channel, sms_file: Path, kind: str, status: int, in_doubt: bool
) -> None:
    # The yes of every kind in its body: a proxy that repeats the body of a cache must not make a delivery of it.
    channel.refusal = (status, {"errcode": 0, "code": 200 if kind == "bark" else 0})
    outcome = send(url_of(kind, channel, sms_file))
    assert not has_it(outcome)
    assert outcome.in_doubt is in_doubt
    assert str(status) in outcome.reason


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "body", ["", "null", "[]", "true", '"ok"', "[" * 5000, '{"errcode":"0","code":"x"}', '{"errcode":false,"code":false}']
)
def test_an_answer_that_is_not_the_channels_is_no_delivery(channel: Channel, sms_file: Path, kind: str, body: str) -> None:
    channel.refusal = (200, body)
    assert not has_it(send(url_of(kind, channel, sms_file)))


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_there_is_certainly_not_delivered(channel: Channel, sms_file: Path, kind: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = replace(channel, port=closed.getsockname()[1])
        sms_file.write_text(SMS.replace("BASE", dead.base))
        outcome = send(url_of(kind, dead, sms_file))
    assert (has_it(outcome), outcome.in_doubt) == (False, False)
    assert outcome.reason.startswith("no connection")


# WeCom


def test_wecom_mentions_by_number_and_by_user_id(channel: Channel) -> None:
    url = f"wecom://{channels.WECOM_KEY}?mobile=13800001111,13900002222&user=zhang&user=li&base={channel.base}"
    assert send(url).delivered
    (request,) = channel.received
    text = request.data["text"]
    assert request.data["msgtype"] == "text", "no other kind mentions by number"
    assert text["mentioned_mobile_list"] == ["13800001111", "13900002222"]
    assert text["mentioned_list"] == ["zhang", "li"]
    assert text["content"] == f"{LETTER.title}\n{LETTER.body}"


def test_a_wrong_key_of_wecom_is_told_with_its_code_and_without_the_hint(channel: Channel) -> None:
    outcome = send(f"wecom://00000000-0000?base={channel.base}")
    assert outcome == Outcome(False, "answered 200: 93000 invalid webhook url")


def test_a_long_text_fits_wecom_and_keeps_the_whole_link(channel: Channel) -> None:
    long = replace(LETTER, body="\n".join(f"{n}. 住家 home-{n}: 很久没有动静" for n in range(200)) + f"\n接手: {LINK}")
    assert send(f"wecom://{channels.WECOM_KEY}?base={channel.base}", long).delivered
    content = channel.received[0].data["text"]["content"]
    assert len(content.encode()) <= 2048
    assert content.endswith(f"…\n{LINK}")


def test_a_device_cannot_make_a_chat_call_everybody(channel: Channel) -> None:
    evil = replace(LETTER, body='<@all> <at user_id="all">x</at>')
    send(f"wecom://{channels.WECOM_KEY}?base={channel.base}", evil)
    send(f"feishu://{channels.FEISHU_TOKEN}?secret={channels.FEISHU_SECRET}&base={channel.base}", evil)
    assert "<@" not in channel.received[0].data["text"]["content"]
    assert "<at" not in channel.received[1].data["content"]["text"]


# DingTalk


def test_dingtalk_mentions_in_the_list_and_in_the_text(channel: Channel) -> None:
    url = f"dingtalk://{channels.DINGTALK_TOKEN}?secret={channels.DINGTALK_SECRET}&mobile=13800001111&user=manager7&base={channel.base}"
    assert send(url).delivered
    data = channel.received[0].data
    assert data["at"] == {"atMobiles": ["13800001111"], "atUserIds": ["manager7"], "isAtAll": False}
    assert data["text"]["content"].endswith("\n@13800001111 @manager7")


def test_an_address_of_dingtalk_as_apprise_wrote_it_still_works(channel: Channel) -> None:
    url = f"dingtalk://{channels.DINGTALK_SECRET}@{channels.DINGTALK_TOKEN}/13800001111?base={channel.base}"
    assert send(url).delivered
    assert channel.received[0].data["at"]["atMobiles"] == ["13800001111"]


@pytest.mark.parametrize(
    ("query", "code"),
    [("secret=SECwrong", "310000"), ("", "310000")],
)
def test_a_signature_that_dingtalk_refuses_is_told(channel: Channel, query: str, code: str) -> None:
    outcome = send(f"dingtalk://{channels.DINGTALK_TOKEN}?{query}{'&' if query else ''}base={channel.base}")
    assert not outcome.delivered
    assert f"answered 200: {code} " in outcome.reason
    assert "签名不匹配" in outcome.reason


def test_a_clock_that_is_an_hour_wrong_is_told_by_dingtalk_and_feishu(channel: Channel) -> None:
    late = [Robot(kind, lambda: 1_700_000_000.0) for kind in (dingtalk.KIND, feishu.FEISHU)]
    urls = [url_of(kind, channel, Path("/")) for kind in ("dingtalk", "feishu")]
    reasons = [robot.send(url, LETTER, 5.0).reason for robot, url in zip(late, urls, strict=True)]
    assert ["310000" in reasons[0], "19021" in reasons[1]] == [True, True]


def test_signatures_are_those_of_the_documentation() -> None:
    # Made with `printf "$TIME\\n$SECRET" | openssl dgst -sha256 -hmac "$SECRET" -binary | base64`; for Feishu `-macopt hexkey`.
    assert dingtalk.sign("this is secret", 1577262236757) == "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
    assert feishu.sign("demo", 1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="


# Feishu


def test_feishu_mentions_by_open_id(channel: Channel, sms_file: Path) -> None:
    assert send(url_of("feishu", channel, sms_file)).delivered
    data = channel.received[0].data
    assert data["msg_type"] == "text"
    assert data["content"]["text"].startswith('<at user_id="ou_7d8a">')
    assert data["content"]["text"].endswith(LETTER.body)


def test_a_robot_of_feishu_of_older_kind_says_yes_in_another_way(channel: Channel, sms_file: Path) -> None:
    channel.refusal = (200, {"Extra": None, "StatusCode": 0, "StatusMessage": "success"})
    assert send(url_of("feishu", channel, sms_file)).delivered


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 19024, "msg": "Key Words Not Found", "data": {}},
        {"code": 19022, "msg": "Ip Not Allowed", "data": {}},
        {"code": 9499, "msg": "Bad Request", "data": {}},
        {"code": 11232, "msg": "frequency limited", "StatusCode": 0},
    ],
)
def test_a_refusal_of_feishu_under_200_is_no_delivery(channel: Channel, sms_file: Path, answer: dict[str, object]) -> None:
    channel.refusal = (200, answer)
    outcome = send(url_of("feishu", channel, sms_file))
    assert not outcome.delivered
    assert outcome.reason == f"answered 200: {answer['code']} {answer['msg']}"


@pytest.mark.parametrize("kind", ["wecom", "dingtalk", "feishu", "bark"])
def test_a_test_of_the_way_of_an_alarm_rings_at_nobody(channel: Channel, sms_file: Path, kind: str) -> None:
    assert send(url_of(kind, channel, sms_file), replace(LETTER, test=True)).delivered
    sent = channel.received[0].body.decode()
    assert not [word for word in ("13800001111", "ou_7d8a", "critical", "call") if word in sent.replace(LETTER.body, "")]


# too many messages


@pytest.mark.parametrize(("kind", "code"), [("wecom", "45009"), ("dingtalk", "130101"), ("feishu", "11232")])
def test_a_robot_that_had_too_much_gets_urgent_messages_only(channel: Channel, sms_file: Path, kind: str, code: str) -> None:
    url = url_of(kind, channel, sms_file)
    robot = Robot({"wecom": wecom.KIND, "dingtalk": dingtalk.KIND, "feishu": feishu.FEISHU}[kind])
    channel.limited_after = 1
    assert robot.send(url, NOTICE, 5.0).delivered
    assert code in robot.send(url, NOTICE, 5.0).reason
    kept = robot.send(url, NOTICE, 5.0)
    assert "kept for urgent" in kept.reason
    assert len(channel.received) == 2
    assert code in robot.send(url, LETTER, 5.0).reason, "what is urgent is tried all the same"
    assert len(channel.received) == 3


def test_half_of_a_minute_is_kept_for_urgent_messages_and_comes_back_with_time() -> None:
    now = [1000.0]
    quota = Quota(20, lambda: now[0])
    assert [quota.take("a", urgent=False) for _ in range(12)] == [True] * 10 + [False] * 2
    assert quota.take("b", urgent=False), "another robot"
    assert all(quota.take("a", urgent=True) for _ in range(30))
    now[0] += 61
    assert quota.take("a", urgent=False)


# Bark


@pytest.mark.parametrize(
    ("severity", "level", "calls"),
    [(Severity.URGENT, "critical", True), (Severity.WARNING, "timeSensitive", False), (Severity.NOTICE, "active", False)],
)
def test_bark_rings_as_loud_as_it_is_urgent(
    channel: Channel, sms_file: Path, severity: Severity, level: str, calls: bool
) -> None:
    assert send(url_of("bark", channel, sms_file), replace(LETTER, severity=severity)).delivered
    data = channel.received[0].data
    assert (data["level"], "call" in data) == (level, calls)
    assert (data["title"], data["url"]) == (LETTER.title, LINK)


def test_a_bark_server_that_refuses_under_200_did_not_deliver(channel: Channel, sms_file: Path) -> None:
    channel.refusal = (200, {"code": 400, "message": "device token not found", "timestamp": 1})
    assert send(url_of("bark", channel, sms_file)) == Outcome(False, "answered 200: 400 device token not found")


def test_a_key_that_bark_does_not_know_is_told_without_it(channel: Channel) -> None:
    key = "s3cr3tKey9999"
    outcome = send(f"bark://127.0.0.1:{channel.port}/{key}")
    assert not outcome.delivered
    assert key not in outcome.reason
    assert "failed to get device token" in outcome.reason


# SMS and voice


def test_what_an_sms_gateway_took_counts_when_it_reports(channel: Channel, sms_file: Path) -> None:
    outcome = send(url_of("sms", channel, sms_file))
    assert (outcome.delivered, outcome.in_doubt, outcome.awaits_report) == (False, False, True)
    assert outcome.reference == "3310228964"
    fields = dict(parse_qsl(channel.received[0].body.decode()))
    assert fields == {
        "apikey": channels.SMS_KEY, "mobile": "13800001111", "text": f"【e家宜业】{LETTER.short} {LINK}",
        "uid": LETTER.reference,
    }  # fmt: skip


def test_a_gateway_without_ids_of_its_own_reports_by_ours(channel: Channel, tmp_path: Path) -> None:
    file = gateway_file(tmp_path, channel, SMS.replace("BASE", channel.base).replace('id = "sid"', ""))
    assert send(f"sms://13800001111?gateway={file}").reference == LETTER.reference


def test_a_gateway_without_reports_is_believed(channel: Channel, tmp_path: Path) -> None:
    file = gateway_file(tmp_path, channel, SMS.replace("BASE", channel.base).replace("reports = true", ""))
    assert send(f"sms://13800001111?gateway={file}") == Outcome(True, reference="3310228964")


def test_a_refusal_of_an_sms_gateway_is_told_in_its_own_words(channel: Channel, tmp_path: Path) -> None:
    file = gateway_file(tmp_path, channel, SMS.replace("BASE", channel.base).replace("【e家宜业】", ""))
    assert send(f"sms://13800001111?gateway={file}") == Outcome(False, "answered 200: code=5 未自动匹配到合适的模板")


def test_a_changed_gateway_file_is_used_at_once(channel: Channel, tmp_path: Path, sms_file: Path) -> None:
    url = url_of("sms", channel, sms_file)
    assert has_it(send(url))
    before = sms_file.stat()
    sms_file.write_text(SMS.replace("BASE", channel.base).replace(channels.SMS_KEY, "another-key"), encoding="utf-8")
    os.utime(sms_file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert "400" in send(url).reason


def test_a_call_by_json_with_a_signature_and_a_header(channel: Channel, tmp_path: Path) -> None:
    text = f"""
url = "{channel.base}/push?tel={{to}}"
secret = "k3y"
[headers]
Authorization = "Bearer {{secret}}"
[body]
device_key = "{channels.BARK_KEY}"
call = {{ numbers = ["{{to}}"], say = "{{spoken}}", param = '{{"what": "{{short_json}}"}}' }}
sign = "{{sign}}"
[sign]
how = "md5"
of = "{{to}}{{secret}}"
written = "HEX"
[yes]
code = [0, 200]
message = "success"
"""
    file = gateway_file(tmp_path, channel, text)
    letter = replace(LETTER, body='梧桐-3-201 "紧急" [3f2a] (第 2 次通知)\n接手: x')
    assert send(f"voice://13800001111?gateway={file}", letter).delivered
    (request,) = channel.received
    assert request.headers["Authorization"] == "Bearer k3y"
    assert request.query == {"tel": "13800001111"}
    assert request.data["call"] == {
        "numbers": ["13800001111"],
        "say": '梧桐-3-201 "紧急"',
        "param": json.dumps({"what": letter.short}, ensure_ascii=False),
    }
    assert re.fullmatch(r"[0-9A-F]{32}", request.data["sign"])


def test_a_gateway_that_answers_in_plain_text_is_understood(channel: Channel, tmp_path: Path) -> None:
    file = gateway_file(
        tmp_path,
        channel,
        f'url = "{channel.base}/x"\nmethod = "GET"\nencoding = "query"\n[body]\nto = "{{to}}"\n[yes]\n"" = "OK"\n',
    )
    url = f"sms://13800001111?gateway={file}"
    channel.refusal = (200, "OK\n")
    assert send(url).delivered
    assert (channel.received[0].method, channel.received[0].query) == ("GET", {"to": "13800001111"})
    channel.refusal = (200, "ERR 12")
    assert send(url).reason == "answered 200: answer=ERR 12"


def test_a_key_that_stands_in_the_body_or_the_address_is_in_no_reason_either(channel: Channel, tmp_path: Path) -> None:
    text = f'''
url = "{channel.base}/x?user=zhang&token=4b825dc642cb6eb9"
[headers]
X-Key = "{channels.BARK_KEY}"
[body]
apikey = "{channels.SMS_KEY}"
inner = {{ keys = ["{channels.WECOM_KEY}"] }}
to = "{{to}}"
[yes]
code = 0
[answer]
reason = "msg"
'''
    keys = ("4b825dc642cb6eb9", channels.SMS_KEY, channels.WECOM_KEY, channels.BARK_KEY)
    channel.refusal = (200, json.dumps({"code": 1, "msg": " ".join(keys)}))
    outcome = send(f"sms://13800001111?gateway={gateway_file(tmp_path, channel, text)}")
    assert outcome.reason == "answered 200: code=1 *** *** *** ***"


def test_a_gateway_file_that_others_may_read_is_not_used(channel: Channel, sms_file: Path) -> None:
    sms_file.chmod(0o644)
    outcome = send(url_of("sms", channel, sms_file))
    assert "chmod 600" in outcome.reason
    assert channel.received == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[yes]\ncode = 0", ""), "yes"),
        (('"{to}"', '"{two}"'), "{two} is no name"),
        (('encoding = "form"', 'encoding = "xml"'), "encoding"),
        (('reports = true', 'report = true'), "report"),
        (("[body]", "[body"), "is not TOML"),
        (('url = "', 'url = "ftp'), "url"),
    ],
)  # fmt: skip
def test_a_gateway_file_with_a_mistake_says_where(channel: Channel, tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = gateway_file(tmp_path, channel, SMS.replace("BASE", channel.base).replace(*change))
    url = f"sms://13800001111?gateway={file}"
    notifier = notifier_for(url)
    assert notifier is not None
    assert said in notifier.problem(url)
    assert not has_it(send(url))
    assert channel.received == []


# addresses


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("wecom://", "no key"),
        ("wecom://KEY1?mobil=13800001111", "'mobil' is not known (known are base, mobile, user)"),
        ("wecom://KEY1?mobile=abc", "mobile holds something that is no telephone number"),
        ("wecom://KEY1?mobile=", "mobile is empty"),
        ("wecom://KEY1?base=ftp://x", "base is no address"),
        ("wecom://K%20Y/", "a character that none has"),
        ("dingtalk://TOKEN?secret=a&secret=b", "stands there 2 times"),
        ("feishu://TOKEN?at", "cannot be read"),
        ("bark://", "no host"),
        ("bark://host", "0 keys"),
        ("bark://host/k1/k2", "2 keys"),
        ("bark://host:99999/k1", "no host"),
        ("sms://13800001111", "names no file"),
        ("sms://13800001111?gateway=sms.toml", "names no file"),
        ("sms://13800001111?gateway=/nowhere/sms.toml", "there is no sms.toml"),
        ("sms://zhang?gateway=/x", "telephone number"),
        ("voice://?gateway=/x", "no telephone number"),
        ("webhook://?gateway=/x", "no name of who is told"),
        ("webhook://desk-2", "names no file"),
    ],
)
def test_an_address_with_a_mistake_says_which_and_is_not_tried(url: str, said: str) -> None:
    notifier = notifier_for(url)
    assert notifier is not None
    assert notifier is not NOTIFIERS[-1]
    assert said in notifier.problem(url)
    outcome = notifier.send(url, LETTER, 1.0)
    assert (has_it(outcome), outcome.in_doubt) == (False, False)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a9ff6-7a0c&mobile=13800001111", "wecom"),
        ("https://oapi.dingtalk.com/robot/send?access_token=abcd1234&secret=SEC1", "dingtalk"),
        ("https://open.feishu.cn/open-apis/bot/v2/hook/ab-cd?at=ou_1", "feishu"),
        ("https://open.larksuite.com/open-apis/bot/v2/hook/ab-cd", "lark"),
        ("https://api.day.app/ynJ5Ft4atkMkWeo2", "bark"),
        ("wecombot://693a9ff6-7a0c", "wecom"),
    ],
)
def test_an_address_as_the_chat_shows_it_is_understood(url: str, name: str) -> None:
    notifier = notifier_for(url)
    assert notifier is not None
    assert (notifier.name, notifier.problem(url)) == (name, "")


def test_other_addresses_still_go_to_apprise() -> None:
    for url in (
        "json://127.0.0.1/x",
        "mailto://a:b@example.org",
        "ntfy://x",
        "https://qyapi.weixin.qq.com.evil.example/cgi-bin",
    ):
        assert notifier_for(url) is NOTIFIERS[-1]


# texts and contacts


@pytest.mark.parametrize("longest", [60, 61, 62, 100, 500])
def test_a_cut_text_is_whole_characters_and_whole_lines(longest: int) -> None:
    text = "\n".join("梧桐三号楼二零一" for _ in range(100))
    cut = fitted(text, longest)
    assert len(cut.encode()) <= longest
    assert all(line in ("梧桐三号楼二零一", "…") for line in cut.splitlines())


def test_a_first_line_is_kept_short() -> None:
    assert short("一二三四五六七八九十一二三\nx", 10) == "一二三四五六七八九…"
    assert short("", 10) == ""


@pytest.mark.parametrize("written", ["13800001111", "+8613800001111", "0086 138 0000 1111", "8613800001111", " 138-0000-1111 "])
def test_a_number_is_known_however_it_is_written(written: str) -> None:
    people = [
        Person(id="zhang", urls=["wecom://KEY1?mobile=13800001111", "sms://+8613800001111?gateway=/x"]),
        Person(id="li", urls=["sms://13900002222?gateway=/x", "feishu://T?at=ou_7"]),
    ]
    assert people_at(people, written) == ["zhang"]
    assert people_at(people, "ou_7") == ["li"]
    assert people_at(people, "13700003333") == people_at(people, "") == []


def test_a_foreign_number_is_not_a_chinese_one() -> None:
    assert normal("+49 30 1234567") == "49301234567"
    assert normal("8612345") == "8612345"


def test_a_number_of_two_people_is_that_of_both() -> None:
    people = [Person(id=id_, urls=["sms://13800001111?gateway=/x"]) for id_ in ("zhang", "li")]
    assert people_at(people, "13800001111") == ["zhang", "li"]


async def test_a_message_that_awaits_its_report_is_neither_delivered_nor_failed(
    channel: Channel, sms_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers: list[Outcome] = []
    people = [Person(id="zhang", urls=[url_of("sms", channel, sms_file)])]
    sender = Sender(Alerts(people=people), lambda _notice, outcome: answers.append(outcome))
    item = Item("20261121-0400-sos-3f2a", 1, Severity.URGENT, "住家 home-1: 紧急求助", "home-1: SOS", (), ())
    sender.send([Notice("zhang", 0, (item,))])
    async with asyncio.timeout(60):
        while not answers:
            await asyncio.sleep(0.01)
    counts = sender.counts
    assert (counts.handed, counts.taken, counts.delivered, counts.failed, counts.in_doubt) == (1, 1, 0, 0, 0)
    assert "does not take messages" not in caplog.text, "the channel is well"
    await sender.close()
