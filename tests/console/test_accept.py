"""From a press to a person who accepts: a real gateway, real channels, the console as a process, its link in a real browser."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.console.audit import Audit
from dashboards.console.store import Store
from edge_gateway.alerts.alert import Alert, Sending, State
from edge_gateway.settings import Alerts, Console, Person
from tests import channels
from tests.channels import Channel
from tests.console.staff import ConsoleProcess
from tests.home_gateway import SECOND, HomeGateway
from tests.servers import eventually
from tests.web import Answer, ask, send

LONG = 60_000
expect.set_options(timeout=LONG)
SECRET = "s3cr3t-w0rd-of-the-address"
EVIL = "<img src=x onerror=window.hacked=1>"
REGISTRY = """
[sites.yunhe]
name = "运河社区"
[[devices]]
site = "yunhe"
id = "home-1"
model = "elder_home"
place = "wutong-3-201"
[[devices]]
site = "yunhe"
id = "home-2"
model = "elder_home"
place = "wutong-3-202"
"""
SMS = """
url = "BASE/v2/sms/single_send.json"
secret = "KEY"
encoding = "form"
reports = true
[body]
apikey = "{secret}"
mobile = "{to}"
text = "【e家宜业】{short} {link}"
uid = "{ref}"
[yes]
code = 0
[answer]
id = "sid"
"""


@dataclass
class There:
    """The whole way.

    Attributes:
        channel: WeCom and the SMS gateway.  people: zhang (WeCom, then SMS), li (SMS).
    """

    gateway: HomeGateway
    console: ConsoleProcess
    channel: Channel

    def press(self) -> Alert:
        """SOS; told to the first person when this returns."""
        before = len(self.channel.received)
        self.gateway.say("yunhe/home-1", "sos", True, event=True)
        eventually(lambda: len(self.channel.received) > before, 60, "the first message")
        (found,) = self.alerts()
        return found

    def alerts(self) -> list[Alert]:
        """The open ones, of SOS."""
        return [a for a in self.gateway.do(self.gateway.gateway.desk.book.open_alerts) if a.rule == "sos"]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until the gateway has come so far; it looks once in a while."""

        def holds() -> object:
            self.gateway.tick()
            return condition()

        eventually(holds, 60, what)

    def after(self, seconds: float) -> None:
        """Time goes by."""
        self.gateway.now_ns += round(seconds * SECOND)
        self.gateway.tick()

    def link(self) -> str:
        """Of the newest message."""
        text = json.loads(self.channel.received[-1].body)["text"]["content"]
        return next(str(word) for word in text.split() if word.startswith(f"{self.console.url}/a/"))

    def audit(self) -> list[tuple[str, str, str]]:
        """What the console has written down."""
        store = Store(self.gateway.data_dir / "console.db")
        found = [(entry.who, entry.what, entry.subject) for entry in Audit(store).entries()]
        store.close()
        return found


@pytest.fixture(scope="module")
def _there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("accept")
    for name, text in (("secret", SECRET),):
        file = folder / name
        file.write_text(text)
        file.chmod(0o600)
    secret = f'secret_file = "{folder / "secret"}"'
    inbound = f'[{{ name = "yp", kind = "yunpian", {secret} }}, {{ name = "voice", kind = "twilio", {secret} }}]'
    with ExitStack() as stack:
        channel = stack.enter_context(channels.serving())
        sms = folder / "sms.toml"
        sms.write_text(SMS.replace("BASE", channel.base).replace("KEY", channels.SMS_KEY), encoding="utf-8")
        sms.chmod(0o600)
        gateway = HomeGateway(folder / "gateway", REGISTRY, time.time_ns())
        console = ConsoleProcess(folder, gateway, accounts=False, inbound=inbound)
        people = [
            Person(
                id="zhang",
                urls=[
                    f"wecom://{channels.WECOM_KEY}?mobile=13800001111&base={channel.base}",
                    f"sms://13800001111?gateway={sms}",
                ],
            ),
            Person(id="li", urls=[f"sms://13900002222?gateway={sms}"]),
            Person(id="wang", urls=[f"voice://13600004444?gateway={sms}"]),
        ]
        alerts = Alerts(people=people, replies=True)
        gateway.settings = gateway.settings.model_copy(update={"alerts": alerts, "console": Console(public_url=console.url)})
        stack.enter_context(gateway)
        stack.enter_context(console)
        yield There(gateway, console, channel)


@pytest.fixture
def there(_there: There) -> Iterator[There]:
    """Nothing is open and nothing was sent."""
    for alert in _there.gateway.do(_there.gateway.gateway.desk.book.open_alerts):
        _there.gateway.call("alerts.close", id=alert.id, by="test", reason="test")
    _there.channel.received.clear()
    _there.channel.numbers.clear()
    _there.gateway.now_ns = max(_there.gateway.now_ns, time.time_ns())
    yield _there


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="zh-CN")
    opened = context.new_page()
    opened.set_default_timeout(LONG)
    yield opened
    context.close()


def keep_picture(page: Page, name: str) -> None:
    """Into `KANHU_PICTURES`, for people to look at."""
    if folder := os.environ.get("KANHU_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page: Page) -> None:
    """Nothing is wider than the screen, what is pressed is large enough for a thumb, and letters are large."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert (
        page.evaluate("[...document.querySelectorAll('button')].filter(b => b.offsetHeight && b.offsetHeight < 44).length") == 0
    )
    assert page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= 18


def of_provider(there: There, record: dict[str, Any], kind: str = "sms_status") -> Answer:
    """As Yunpian hands it in: a form, no Origin, no session."""
    value = json.dumps([record] if kind == "sms_status" else record)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return send(f"{there.console.url}/in/yp/{SECRET}", urlencode({kind: value}).encode(), headers)


# the link


def test_a_person_accepts_and_closes_from_the_message_in_a_browser(there: There, page: Page) -> None:
    alert = there.press()
    request = there.channel.received[-1]
    assert request.data["text"]["mentioned_mobile_list"] == ["13800001111"], "it rings at the person, not in a muted group"
    page.goto(there.link())
    expect(page.locator("h1")).to_have_text("wutong-3-201")
    expect(page.locator(".site")).to_have_text("运河社区")
    expect(page.locator(".evidence li")).to_contain_text("按了紧急按钮 [home-1")
    expect(page.locator("body")).to_contain_text("按下后，zhang 接手这条告警")
    expect(page.locator(".evidence li")).to_have_count(1)
    fits(page)
    keep_picture(page, "accept-360")
    assert there.alerts()[0].unanswered, "looking accepts nothing"
    page.get_by_role("button", name="我接手").click()
    expect(page.locator(".did")).to_contain_text("您已接手")
    assert "/a/" in page.url and page.url != there.link()
    fits(page)
    keep_picture(page, "accepted-360")
    (taken,) = there.alerts()
    assert (taken.state, taken.accepted_by) == (State.ACCEPTED, "zhang")
    page.reload()
    expect(page.locator(".did")).to_contain_text("您已接手")
    page.get_by_role("button", name="平安").click()
    expect(page.locator(".did")).to_contain_text("已处理完毕")
    expect(page.locator(".did")).to_contain_text("zhang")
    keep_picture(page, "closed-360")
    assert there.alerts() == []
    assert [line for line in there.audit() if line[2] == alert.id] == [
        ("zhang", "accepted_by_link", alert.id), ("zhang", "closed_by_link", alert.id),
    ]  # fmt: skip


def test_the_page_is_large_on_a_wide_screen_and_in_english(there: There, page: Page) -> None:
    there.press()
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"{there.link()}?lang=en")
    expect(page.get_by_role("button", name="I take it")).to_be_visible()
    fits(page)
    keep_picture(page, "accept-1440-en")
    page.get_by_role("button", name="I take it").click()
    expect(page.locator(".did")).to_contain_text("You have it")
    assert page.url.endswith("?lang=en"), "the language stays"
    page.get_by_text("Or in your own words").click()
    page.locator("textarea").fill(EVIL)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".did")).to_contain_text(EVIL)
    assert page.evaluate("window.hacked") is None


def test_a_chat_that_previews_the_link_accepts_nothing(there: There) -> None:
    there.press()
    link = there.link()
    for _ in range(5):
        answer = ask(link, headers={"User-Agent": "MicroMessenger preview"})
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
    assert there.alerts()[0].unanswered
    assert ask(link, {"act": "accept"}).status == 303, "an old chat program sends no Origin, and the word is the proof"
    assert there.alerts()[0].accepted_by == "zhang"


def test_the_same_link_pressed_twice_accepts_once(there: There) -> None:
    there.press()
    link = there.link()
    first, second = (ask(link, {"act": "accept"}) for _ in range(2))
    assert (first.status, second.status) == (303, 303)
    assert first.headers["location"] != link.removeprefix(there.console.url)
    assert "您已经接手了" in ask(f"{there.console.url}{second.headers['location']}").text
    assert len([line for line in there.audit() if line[2] == there.alerts()[0].id]) == 1


def test_who_closes_what_is_closed_sees_by_whom_and_is_written_down_as_nobody_who_closed_it(there: There) -> None:
    alert = there.press()
    link = there.link()
    close = there.console.url + ask(link, {"act": "accept"}).headers["location"]
    there.gateway.call("alerts.close", id=alert.id, by="li", reason="ambulance")
    for address in (close, link, close):
        answer = ask(address, {"act": "close", "reason": "false_press"})
        assert answer.status == 303, answer.text
        shown = ask(there.console.url + answer.headers["location"]).text
        assert "已处理完毕" in shown and "li" in shown
    assert [line for line in there.audit() if line[2] == alert.id] == [("zhang", "accepted_by_link", alert.id)]


def test_another_page_cannot_press_the_button(there: There) -> None:
    there.press()
    assert ask(there.link(), {"act": "accept"}, {"Origin": "https://evil.example"}).status == 403
    assert there.alerts()[0].unanswered
    assert ask(f"{there.console.url}/login", {"name": "x", "password": "y"}).status == 403, "all else still needs an Origin"


def test_who_comes_second_sees_who_has_it(there: There, page: Page) -> None:
    alert = there.press()
    there.gateway.call("alerts.accept", id=alert.id, by="li")
    page.goto(there.link())
    expect(page.locator(".did")).to_contain_text("li 已接手")
    expect(page.get_by_role("button", name="我接手")).to_have_count(0)
    ask(there.link(), {"act": "accept"})
    assert there.alerts()[0].accepted_by == "li"


def test_a_link_that_is_too_old_says_that_nobody_has_it_yet(there: There, page: Page) -> None:
    there.press()
    link = there.link()
    there.gateway.now_ns += 16 * 60 * SECOND
    page.goto(link)
    expect(page.locator(".wrong")).to_contain_text("告警还没有人接手")
    assert ask(link, {"act": "accept"}).status == 303
    assert there.alerts()[0].unanswered


@pytest.mark.parametrize("word", ["x", "A" * 22, "..%2Flogin", "A" * 500, "%3Cscript%3E"])
def test_a_word_that_is_none_opens_nothing(there: There, word: str) -> None:
    answer = ask(f"{there.console.url}/a/{word}")
    assert answer.status == 404
    assert "<script>" not in answer.text


def test_with_the_gateway_away_the_page_says_call_or_go(there: There, page: Page) -> None:
    there.press()
    link = there.link()
    there.gateway.go()
    try:
        page.goto(link)
        expect(page.locator(".wrong")).to_contain_text("请直接打电话或上门")
        assert ask(link, {"act": "accept"}).status == 503
    finally:
        there.gateway.come()
    assert there.alerts()[0].unanswered


# reports and answers


def test_an_sms_counts_as_told_when_its_report_has_come(there: There) -> None:
    there.press()
    there.wait(lambda: there.alerts()[0].told == ["zhang"], "the chat's own yes")
    there.after(181)
    there.wait(
        lambda: [r for r in there.channel.received if r.path.endswith("single_send.json")], "the second person's message"
    )
    there.wait(lambda: any(s.state is Sending.TAKEN for s in there.alerts()[0].sends), "taken")
    assert there.alerts()[0].told == ["zhang"], "taken by the gateway is not told to a person"
    answer = of_provider(
        there,
        {"sid": int(there.channel.numbers["13900002222"]), "uid": None, "report_status": "SUCCESS", "mobile": "13900002222"},
    )
    assert (answer.status, answer.text) == (200, "SUCCESS")
    assert there.alerts()[0].told == ["zhang", "li"]


def test_a_person_accepts_by_answering_the_sms(there: There) -> None:
    alert = there.press()
    record = {
        "mobile": "+8613800001111",
        "text": f"1 {alert.code}",
        "reply_time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() + 8 * 3600)),
    }
    assert of_provider(there, record, "sms_reply").text == "SUCCESS"
    (taken,) = there.alerts()
    assert (taken.state, taken.accepted_by) == (State.ACCEPTED, "zhang")
    assert ("zhang", "replied", alert.id) in there.audit()


def test_where_no_answers_are_wanted_none_changes_anything(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    alert = there.press()
    live = there.gateway.gateway
    off = live.settings.alerts.model_copy(update={"replies": False})
    monkeypatch.setattr(live, "settings", live.settings.model_copy(update={"alerts": off}))
    record = {"mobile": "+8613800001111", "text": f"1 {alert.code}", "id": "r-off"}
    assert of_provider(there, record, "sms_reply").status == 200
    assert there.alerts()[0].unanswered
    assert ("", "inbound_refused", "yp") in there.audit()


def test_who_is_called_accepts_with_a_key(there: There) -> None:
    there.press()
    for _ in range(2):
        there.after(181)
    there.wait(lambda: any(s.person == "wang" and s.state is Sending.TAKEN for s in there.alerts()[0].sends), "the call")
    asked = next(r for r in there.channel.received if b"13600004444" in r.body)
    assert asked.text.startswith(f"apikey={channels.SMS_KEY}&mobile=13600004444")
    called = {"CallSid": there.channel.numbers["13600004444"], "To": "+8613600004444", "Direction": "outbound-api"}
    ringing = urlencode({**called, "CallStatus": "ringing"}).encode()
    assert send(f"{there.console.url}/in/voice/{SECRET}", ringing).status == 200
    assert "wang" not in there.alerts()[0].told
    pressed = urlencode({**called, "CallStatus": "in-progress", "Digits": "1"}).encode()
    assert send(f"{there.console.url}/in/voice/{SECRET}", pressed).status == 200
    (taken,) = there.alerts()
    assert (taken.accepted_by, "wang" in taken.told) == ("wang", True)


def test_a_key_pressed_in_a_call_is_about_the_alert_of_the_call(there: There) -> None:
    there.press()
    there.after(181)
    there.gateway.say("yunhe/home-2", "sos", True, event=True)
    there.after(181)
    there.wait(
        lambda: any(s.person == "wang" and s.state is Sending.TAKEN for a in there.alerts() for s in a.sends), "the call"
    )
    assert len(there.alerts()) == 2

    def press_one() -> bool:
        # Who is called may press while the gateway still hears from the provider which call this is: then once more.
        call = {"CallSid": there.channel.numbers["13600004444"], "To": "+8613600004444", "Direction": "outbound-api"}
        for said in ({"CallStatus": "in-progress"}, {"CallStatus": "in-progress", "Digits": "1"}):
            assert send(f"{there.console.url}/in/voice/{SECRET}", urlencode({**call, **said}).encode()).status == 200
        return any(a.accepted_by for a in there.alerts())

    there.wait(press_one, "the key that was pressed")
    assert {a.place: a.accepted_by for a in there.alerts()} == {"wutong-3-201": "wang", "wutong-3-202": ""}


def test_a_stranger_who_answers_accepts_nothing(there: There) -> None:
    there.press()
    assert of_provider(there, {"mobile": "13700003333", "text": "1"}, "sms_reply").text == "SUCCESS"
    assert there.alerts()[0].unanswered
    refused = [line for line in there.audit() if line[1] == "inbound_refused"]
    assert refused[-1] == ("", "inbound_refused", "yp")


def test_a_number_of_two_people_is_of_the_one_who_was_told(there: There) -> None:
    alert = there.press()
    desk = there.gateway.gateway.desk
    people = [Person(id=id_, urls=["sms://13600004444?gateway=/x"]) for id_ in ("zhang", "wang")]
    before = desk.people
    desk.people = lambda: people  # type: ignore[method-assign]
    try:
        assert there.gateway.call("alerts.heard", **{"from": "13600004444", "text": f"1 {alert.code}"})["person"] == "zhang"
    finally:
        desk.people = before  # type: ignore[method-assign]
