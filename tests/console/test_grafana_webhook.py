"""From Grafana's webhook to the technician's chat: the console as a process, a real gateway, a real channel."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from dashboards.console.audit import Audit
from dashboards.console.store import Store
from edge_gateway.alerts import Alert, State
from edge_gateway.settings import Alerts, Person
from tests import channels
from tests.channels import Channel
from tests.console.grafana_words import alert, body, no_data, signed, tried
from tests.console.staff import ConsoleProcess
from tests.home_gateway import SECOND, HomeGateway
from tests.servers import eventually
from tests.web import Answer, send

SECRET, HMAC, TOKEN = "s3cr3t-w0rd-of-the-address", "the-secret-of-the-signature", "credentials-of-grafana"
REGISTRY = """
[sites.yunhe]
[[devices]]
site = "yunhe"
id = "home-1"
model = "elder_home"
place = "wutong-1"
"""
DUTY = """
[[shifts]]
people = ["tech"]
about = ["equipment"]
[[shifts]]
people = ["nurse"]
about = ["care"]
"""


@dataclass
class There:
    gateway: HomeGateway
    console: ConsoleProcess
    channel: Channel
    now_s: float

    def post(self, text: bytes, name: str = "grafana", key: str = SECRET) -> Answer:
        """As Grafana does it, with its signature and its credentials."""
        headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": "Grafana", **signed(HMAC, text, time.time())}
        return send(f"{self.console.url}/in/{name}/{key}", text, headers)

    def alerts(self) -> list[Alert]:
        return [a for a in self.gateway.do(self.gateway.gateway.desk.book.open_alerts) if a.rule == "grafana"]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until the gateway has come so far; the next message goes out at the full minute."""

        def holds() -> object:
            self.gateway.now_ns += 10 * SECOND
            self.gateway.tick()
            return condition()

        eventually(holds, 60, what)


@pytest.fixture(scope="module")
def _there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("grafana")
    for name, text in (("secret", SECRET), ("hmac", HMAC), ("token", TOKEN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    files = {name: f'"{folder / file}"' for name, file in (("secret", "secret"), ("key", "hmac"), ("token", "token"))}
    inbound = f'[{{ name = "grafana", kind = "grafana", {", ".join(f"{n}_file = {f}" for n, f in files.items())} }}]'
    with ExitStack() as stack:
        channel = stack.enter_context(channels.serving())
        gateway = HomeGateway(folder / "gateway", REGISTRY, time.time_ns())
        gateway.settings.data_dir.mkdir(parents=True, exist_ok=True)
        gateway.settings.duty_file.write_text(DUTY, encoding="utf-8")
        gateway.settings.duty_file.chmod(0o600)
        chat = f"wecom://{channels.WECOM_KEY}?base={channel.base}&mobile="
        people = [Person(id="tech", urls=[f"{chat}13800001111"]), Person(id="nurse", urls=[f"{chat}13900002222"])]
        gateway.settings = gateway.settings.model_copy(update={"alerts": Alerts(people=people)})
        stack.enter_context(gateway)
        gateway.do(gateway.gateway.housekeeping.watch_duty)
        gateway.do(gateway.gateway.housekeeping.watch_duty)
        console = stack.enter_context(ConsoleProcess(folder, gateway, accounts=False, inbound=inbound))
        yield There(gateway, console, channel, 0.0)


@pytest.fixture
def there(_there: There) -> There:
    """Nothing is open and nothing was sent; what begins now began after what was before."""
    for open_alert in _there.alerts():
        _there.gateway.call("alerts.close", id=open_alert.id, by="test", reason="test")
    _there.channel.received.clear()
    _there.gateway.now_ns = max(_there.gateway.now_ns, time.time_ns()) + 60 * SECOND
    _there.now_s = _there.gateway.now_ns / 1e9
    return _there


def test_the_technician_is_told_and_the_nurse_is_not(there: There) -> None:
    assert there.post(body(alert(there.now_s))).status == 200
    there.wait(lambda: there.channel.received, "the message")
    request = there.channel.received[0]
    assert request.data["text"]["mentioned_mobile_list"] == ["13800001111"]
    text = request.data["text"]["content"]
    assert "home-1 没有声音。" in text
    assert "home-1 is silent." in text
    (found,) = there.alerts()
    there.wait(lambda: found.state is State.NOTIFIED, "the channel's word")
    assert (found.severity, found.place, found.told) == ("warning", "", ["tech"])


def test_what_grafana_calls_resolved_because_the_series_is_gone_stays_open(there: There) -> None:
    there.post(body(alert(there.now_s)))
    assert there.post(body(alert(there.now_s + 90, "resolved", reason="MissingSeries"))).status == 200
    (found,) = there.alerts()
    assert found.text_zh.startswith("情况不明 (这一项不再有数据), 不算恢复")
    assert there.post(body(alert(there.now_s + 300, "resolved"))).status == 200
    assert there.alerts() == []
    assert (found.closed_by, found.history[-1].reason) == ("gateway", "resolved")


def test_no_data_begins_and_ends_its_own_alert_beside_that_of_the_series(there: There) -> None:
    there.post(body(alert(there.now_s), no_data(there.now_s)))
    assert {a.key for a in there.alerts()} == {
        "grafana/kanhu-device-silent/yunhe/home-1",
        "grafana/kanhu-device-silent/no-data",
    }
    there.post(body(no_data(there.now_s + 60, "resolved", "MissingSeries")))
    (found,) = there.alerts()
    assert found.key == "grafana/kanhu-device-silent/yunhe/home-1"


def test_what_is_repeated_after_a_person_closed_it_is_not_raised_again(there: There) -> None:
    text = body(alert(there.now_s))
    there.post(text)
    there.gateway.call("alerts.close", id=there.alerts()[0].id, by="tech", reason="replaced the battery")
    assert there.post(text).status == 200
    assert there.alerts() == []


def test_without_its_signature_its_credentials_or_its_address_nobody_is_grafana(there: There) -> None:
    text, credentials = body(alert(there.now_s)), {"Authorization": f"Bearer {TOKEN}"}
    address = f"{there.console.url}/in/grafana/{SECRET}"
    refused = [send(address, text, credentials), send(address, text, signed(HMAC, text)), there.post(text, key=SECRET[:-1])]
    assert [answer.status for answer in refused] == [403, 403, 404]
    assert there.alerts() == []


def test_what_cannot_be_understood_is_answered_counted_and_written_down(there: There) -> None:
    before = there.gateway.call("state")["grafana"]["unread"]
    answer = there.post(body({**alert(there.now_s), "status": "suppressed"}))
    assert answer.status == 400
    assert "status is 'suppressed'; firing or resolved" in answer.text
    assert there.post(b"<html>").status == 400
    state = there.gateway.call("state")
    assert state["grafana"]["unread"] == before + 2
    assert "this is no JSON" in state["troubles"]["grafana"]
    store = Store(there.gateway.data_dir / "console.db")
    assert ("inbound_refused", "grafana") in [(entry.what, entry.subject) for entry in Audit(store).entries()]
    store.close()


def test_a_test_of_the_contact_point_is_a_yes_and_no_alert(there: There) -> None:
    assert there.post(body(tried(there.now_s))).status == 200
    assert there.alerts() == []


def test_a_gateway_that_is_away_is_told_when_grafana_comes_again(there: There) -> None:
    text = body(alert(there.now_s))
    there.gateway.go()
    try:
        assert there.post(text).status == 503
    finally:
        there.gateway.come()
    assert there.post(text).status == 200
    assert len(there.alerts()) == 1
