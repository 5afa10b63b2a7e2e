"""A message was delivered only if the channel said so; one that fails or hangs delays no other and gives away no secret."""

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge_gateway.alerts import Item, Notice
from edge_gateway.notify import NOTIFIERS, Letter, Notifier, Outcome, compose, notifier_for
from edge_gateway.notify.apprise_notifier import AppriseNotifier, masked
from edge_gateway.notify.sender import Sender
from edge_gateway.rules import Severity
from edge_gateway.settings import Alerts, Person

LETTER = Letter("看护: 紧急 / Kanhu: urgent", "home-1: 紧急求助", Severity.URGENT)
SECRET = "s3cr3t-t0ken-9f"
ALERT = "20261121-0400-sos-3f2a"


def item(n: int = 1, severity: Severity = Severity.URGENT, step: int = 1, told: tuple[str, ...] = ()) -> Item:
    text_zh = f"home-{n}: 紧急求助, 11月21日 12:00 按下。请马上打电话或上门。"
    text_en = f"home-{n}: SOS pressed at 21 Nov 12:00. Call or go there now."
    return Item(f"{ALERT}{n}", step, severity, text_zh, text_en, ("2026-11-21 12:00:00+0800 sos button-3",), told)


def notice(person: str = "zhang", channel: int = 0, n: int = 1, severity: Severity = Severity.URGENT) -> Notice:
    return Notice(person, channel, (item(n, severity),))


class Channel:
    """A real HTTP server that behaves as the last word of the path says, and keeps what it was sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.release = threading.Event()
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                channel.received.append((self.path, body))
                how = self.path.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
                if how == "hangs":
                    channel.release.wait(30)
                    return
                if how == "closes":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(302 if how == "moved" else int(how.removeprefix("says-")))
                if how == "moved":
                    self.send_header("Location", f"http://127.0.0.1:{channel.port}/says-200")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, how: str, scheme: str = "json") -> str:
        return f"{scheme}://user:{SECRET}@127.0.0.1:{self.port}/{SECRET}/{how}?-token={SECRET}"


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = Channel()
    yield channel
    channel.release.set()
    channel.server.shutdown()
    channel.server.server_close()


def send(url: str, timeout_s: float = 5.0) -> Outcome:
    return AppriseNotifier().send(url, LETTER, timeout_s)


# what one address says


@pytest.mark.parametrize("scheme", ["json", "form", "xml"])
def test_a_channel_that_says_yes_has_it(channel: Channel, scheme: str) -> None:
    assert send(channel.url("says-200", scheme)) == Outcome(True)
    assert len(channel.received) == 1


def test_title_and_text_arrive_as_they_were_written(channel: Channel) -> None:
    send(channel.url("says-200"))
    told = json.loads(channel.received[0][1])
    assert (told["title"], told["message"], told["type"]) == (LETTER.title, LETTER.body, "failure")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_refusal_is_a_failure_with_its_number_and_not_in_doubt(channel: Channel, status: int) -> None:
    outcome = send(channel.url(f"says-{status}"))
    assert (outcome.delivered, outcome.in_doubt) == (False, False)
    assert str(status) in outcome.reason
    assert len(channel.received) == 1


def test_a_captive_portal_is_no_delivery(channel: Channel) -> None:
    outcome = send(channel.url("moved"))
    assert not outcome.delivered
    assert len(channel.received) == 1


@pytest.mark.parametrize("how", ["hangs", "closes"])
def test_a_missing_answer_is_in_doubt(channel: Channel, how: str) -> None:
    outcome = send(channel.url(how), timeout_s=0.5)
    assert (outcome.delivered, outcome.in_doubt) == (False, True)
    assert len(channel.received) == 1


def test_nobody_there_is_certainly_not_delivered() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        outcome = send(f"json://127.0.0.1:{closed.getsockname()[1]}/{SECRET}")
    assert (outcome.delivered, outcome.in_doubt) == (False, False)
    assert outcome.reason


@pytest.mark.parametrize("url", ["json://", "nonsense://x/y", "no address at all", "", "wecombot://"])
def test_a_bad_address_is_a_failure_that_says_so(url: str) -> None:
    notifier = AppriseNotifier()
    assert notifier.problem(url)
    assert not notifier.send(url, LETTER, 1.0).delivered


def test_a_good_address_has_no_problem_and_is_not_used(channel: Channel) -> None:
    assert AppriseNotifier().problem(channel.url("says-200")) == ""
    assert channel.received == []


@pytest.mark.parametrize("how", ["says-200", "says-500", "hangs", "closes", "moved"])
def test_no_secret_of_an_address_is_in_a_reason_or_a_log(channel: Channel, how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    outcome = send(channel.url(how), timeout_s=0.5)
    problem = AppriseNotifier().problem(f"nonsense://{SECRET}")
    assert SECRET not in outcome.reason + problem + caplog.text


def test_masking_takes_every_part_of_an_address_out() -> None:
    url = "https://tok%2Den:pa55word@hooks.example.org/services/T000/B111?key=abc-def&sig=%41%42%43zz"
    said = "POST hooks.example.org /services/T000/B111 by tok-en pa55word abc-def ABCzz answered 500"
    assert masked(said, url) == "POST *** /***/***/*** by *** *** *** *** answered 500"


def test_every_notifier_is_registered_and_apprise_is_the_last_resort() -> None:
    assert NOTIFIERS[-1].name == "apprise"
    assert notifier_for("json://x") is NOTIFIERS[-1]
    assert notifier_for("no address") is None


# the words


def test_a_letter_is_chinese_first_and_says_how_to_accept() -> None:
    letter = compose(Notice("zhang", 0, (item(step=3, told=("li",)),)))
    assert letter.body == (
        "home-1: 紧急求助, 11月21日 12:00 按下。请马上打电话或上门。 (第 3 次通知)\n"
        "已通知: li\n"
        "接手: kanhu alerts accept 20261121-0400-sos-3f2a1 --by zhang\n"
        "依据:\n"
        "· 11月21日 12:00:00 按了紧急按钮 [button-3]\n"
        "\n"
        "home-1: SOS pressed at 21 Nov 12:00. Call or go there now. (message 3)\n"
        "Told so far: li\n"
        "Accept: kanhu alerts accept 20261121-0400-sos-3f2a1 --by zhang\n"
        "Evidence:\n"
        "· 21 Nov 12:00:00 SOS pressed [button-3]\n"
        "\n"
        "20261121-0400-sos-3f2a1"
    )


@pytest.mark.parametrize("severity", list(Severity))
def test_a_title_tells_a_locked_telephone_nothing_about_whom(severity: Severity) -> None:
    letter = compose(notice(severity=severity))
    assert "home" not in letter.title
    assert "zhang" not in letter.title
    assert letter.title


def test_a_digest_names_its_alerts_and_counts_the_rest() -> None:
    letter = compose(Notice("zhang", 0, tuple(item(n, Severity.NOTICE) for n in range(40))))
    assert letter.title == "看护: 40 条告警 / Kanhu: 40 alerts"
    assert f"[{ALERT}14]" in letter.body
    assert f"[{ALERT}15]" not in letter.body
    assert "还有 25 条" in letter.body
    assert "25 more" in letter.body


# the sender


class Desk:
    """People with one address each, a sender, and the answers it gave."""

    def __init__(self, timeout_s: float = 5.0, **urls: list[str]) -> None:
        self.answers: list[tuple[Notice, Outcome]] = []
        people = [Person(id=person, urls=addresses) for person, addresses in urls.items()]
        self.sender = Sender(Alerts(people=people, notify_timeout_s=max(timeout_s, 1.0)), self.answer)
        self.sender._timeout_s = timeout_s

    def answer(self, notice: Notice, outcome: Outcome) -> None:
        self.answers.append((notice, outcome))

    async def answered(self, number: int, within_s: float = 10.0) -> list[tuple[Notice, Outcome]]:
        async with asyncio.timeout(within_s):
            while len(self.answers) < number:
                await asyncio.sleep(0.005)
        return self.answers


async def test_every_notice_is_answered_once(channel: Channel) -> None:
    desk = Desk(good=[channel.url("says-200")], bad=[channel.url("says-500")])
    notices = [notice(person, n=n) for n in range(10) for person in ("good", "bad")]
    desk.sender.send(notices)
    answers = await desk.answered(20)
    assert {(told.person, told.items[0].alert) for told, _ in answers} == {(n.person, n.items[0].alert) for n in notices}
    assert all(outcome.delivered == (told.person == "good") for told, outcome in answers)
    assert len(channel.received) == 20
    counts = desk.sender.counts
    assert (counts.handed, counts.delivered, counts.failed, counts.in_doubt) == (20, 10, 10, 0)


async def test_a_channel_that_hangs_delays_no_other(channel: Channel) -> None:
    desk = Desk(timeout_s=3.0, stuck=[channel.url("hangs"), channel.url("says-200")], good=[channel.url("says-200")])
    start = time.monotonic()
    desk.sender.send([notice("stuck", n=n) for n in range(20)])
    desk.sender.send([notice("stuck", channel=1), notice("good")])
    answers = await desk.answered(2)
    assert time.monotonic() - start < 2
    assert [(told.person, told.channel, outcome.delivered) for told, outcome in sorted(answers, key=lambda a: a[0].person)] == [
        ("good", 0, True),
        ("stuck", 1, True),
    ]
    assert sum("/hangs" in path for path, _ in channel.received) <= 3


class Deaf:
    """A notifier that never comes back by itself."""

    name = "deaf"

    def __init__(self) -> None:
        self.begun = 0
        self.release = threading.Event()

    def handles(self, url: str) -> bool:
        return url.startswith("deaf://")

    def problem(self, url: str) -> str:
        return ""

    def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
        self.begun += 1
        self.release.wait(30)
        return Outcome(True)


def with_notifier(desk: Desk, notifier: Notifier) -> None:
    desk.sender._notifiers = (notifier, *NOTIFIERS)


async def test_a_notifier_that_never_comes_back_is_timed_out_and_holds_a_few_threads_at_most() -> None:
    deaf = Deaf()
    desk = Desk(timeout_s=0.05, zhang=["deaf://x"])
    with_notifier(desk, deaf)
    desk.sender.send([notice(n=n) for n in range(50)])
    answers = await desk.answered(50)
    assert deaf.begun == 3
    assert sum(outcome.in_doubt for _, outcome in answers) == 3
    assert {outcome.reason for _, outcome in answers if not outcome.in_doubt} == {"channel busy: 3 messages hang"}
    deaf.release.set()
    while desk.sender._lanes["zhang", 0].threads:
        await asyncio.sleep(0.005)
    desk.sender.send([notice()])
    assert (await desk.answered(51))[-1][1].delivered
    await desk.sender.close()


async def test_an_urgent_message_goes_before_those_that_wait() -> None:
    order: list[str] = []
    gate = threading.Event()

    class Slow(Deaf):
        def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
            gate.wait(5)
            order.append(letter.severity.value)
            return Outcome(True)

    desk = Desk(zhang=["deaf://x"])
    with_notifier(desk, Slow())
    desk.sender.send([notice(n=n, severity=Severity.NOTICE) for n in range(10)])
    desk.sender.send([notice(n=99)])
    gate.set()
    await desk.answered(11)
    assert "urgent" in order[:6]  # behind the three under way


@pytest.mark.parametrize("error", [RuntimeError(SECRET), SystemExit(), UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET)])
async def test_a_notifier_that_breaks_is_a_failure_that_tells_only_its_kind(error: BaseException) -> None:
    class Broken(Deaf):
        def send(self, url: str, letter: Letter, timeout_s: float) -> Outcome:
            raise error

    desk = Desk(zhang=["deaf://x"])
    with_notifier(desk, Broken())
    desk.sender.send([notice()])
    ((_, outcome),) = await desk.answered(1)
    assert outcome == Outcome(False, f"deaf failed: {type(error).__name__}", in_doubt=True)


@pytest.mark.parametrize("make", [lambda: notice("stranger"), lambda: notice(channel=7)])
async def test_a_notice_to_nobody_is_a_failure(make: Callable[[], Notice]) -> None:
    desk = Desk(zhang=["json://127.0.0.1:1"])
    desk.sender.send([make()])
    ((_, outcome),) = await desk.answered(1)
    assert not outcome.delivered
    assert "alerts.people" in outcome.reason


async def test_a_channel_that_goes_and_returns_is_logged_once_each(channel: Channel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "edge_gateway.notify.sender")
    desk = Desk(zhang=[channel.url("says-500")])
    for number in range(1, 4):
        desk.sender.send([notice()])
        await desk.answered(number)
    desk.sender.use(Alerts(people=[Person(id="zhang", urls=[channel.url("says-200")])]))
    for number in range(4, 7):
        desk.sender.send([notice()])
        await desk.answered(number)
    lines = [record.getMessage() for record in caplog.records if record.name == "edge_gateway.notify.sender"]
    assert len(lines) == 2
    assert lines[0].startswith("channel 1 of zhang does not take messages: ")
    assert lines[1] == "channel 1 of zhang takes messages again"


async def test_closing_waits_for_what_is_under_way_but_not_for_what_hangs(channel: Channel) -> None:
    desk = Desk(good=[channel.url("says-200")])
    desk.sender.send([notice("good")])
    await desk.sender.close(wait_s=5)
    await asyncio.sleep(0)
    assert len(channel.received) == 1
    hanging = Desk(zhang=[channel.url("hangs")])
    hanging.sender.send([notice()])
    start = time.monotonic()
    await hanging.sender.close(wait_s=0.1)
    assert time.monotonic() - start < 1
