"""A device is told what became of its event: once, again when it comes back, also when the gateway was restarted in between."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.alerts import AlertBook
from edge_gateway.alerts.alert import Alert, State, pack, unpack
from edge_gateway.feedback import REMEMBERED_NS, Answer, Feedback, answers
from edge_gateway.rules import Finding, Severity
from edge_gateway.settings import Alerts
from tests.faults.phone import Phone
from tests.servers import Mosquitto, PahoClient, eventually, paho_client
from tests.spine import GatewayProcess

NOW = 1_780_000_000 * 10**9
UP = "kanhu/1/s/d0/up/"
DOWN = "kanhu/1/s/d0/down/command"


def alert(state: State = State.ACCEPTED, *events: tuple[str, int, int], name: str = "a1", **more: Any) -> Alert:
    told = {"key": "sos/s/p", "rule": "sos", "severity": Severity.URGENT, "site": "s", "device": "d0", "place": "p"}
    times = {"occurred_ns": NOW, "raised_ns": NOW, "text_zh": "", "text_en": ""}
    return Alert(name, **{**told, **times, "state": state, "events": list(events or [("d0", 7, 1)]), **more})


class Device:
    """What is published to devices."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.feedback = Feedback(lambda topic, payload: self.told.append((topic, json.loads(payload))), lambda: self.now_s)

    def heard(self) -> list[tuple[str, list[int]]]:
        told = [(command["state"], command["event"]) for _, command in self.told]
        self.told.clear()
        return told

    def born(self) -> None:
        self.feedback.born("s", "d0")
        self.feedback.tick()
        assert self.told == []  # it has not subscribed yet
        self.now_s += 3
        self.feedback.tick()


def finding(seq: int) -> Finding:
    return Finding("sos/s/p", "sos", Severity.URGENT, "s", "d0", "p", NOW, "", "", (f"press {seq}",), anew=True, event=(7, seq))


def test_nobody_is_told_before_a_person_was() -> None:
    assert answers(alert(State.RAISED)) == []


def test_each_device_behind_an_alert_is_told_of_its_newest_event() -> None:
    told = answers(alert(State.ACCEPTED, ("d0", 7, 1), ("bath", 3, 9), ("d0", 7, 4)))
    assert {(a.device, a.event) for a in told} == {("d0", (7, 4)), ("bath", (3, 9))}


def test_an_answer_says_which_event_and_is_the_same_each_time() -> None:
    (answer,) = answers(alert())
    assert json.loads(answer.command()) == {"id": "a1/accepted/7-1", "name": "answered", "event": [7, 1], "state": "accepted"}


def test_what_is_known_is_not_told_again_and_what_is_new_is() -> None:
    device = Device()
    for state in (State.NOTIFIED, State.NOTIFIED, State.ACCEPTED, State.ACCEPTED, State.CLOSED):
        device.feedback.tell(answers(alert(state)))
    assert [state for state, _ in device.heard()] == ["notified", "accepted", "closed"]


def test_a_second_press_of_an_accepted_alert_is_answered_too() -> None:
    device = Device()
    device.feedback.tell(answers(alert(State.ACCEPTED, ("d0", 7, 1))))
    device.feedback.tell(answers(alert(State.ACCEPTED, ("d0", 7, 1), ("d0", 7, 2))))
    assert device.heard() == [("accepted", [7, 1]), ("accepted", [7, 2])]


def test_a_device_that_comes_back_is_told_again_while_its_alert_is_open_and_once_when_it_is_closed() -> None:
    device = Device()
    device.feedback.tell(answers(alert(State.ACCEPTED)))
    device.heard()
    for _ in range(2):
        device.born()
        assert device.heard() == [("accepted", [7, 1])]
    device.feedback.tell(answers(alert(State.CLOSED)))
    device.heard()
    device.born()
    assert device.heard() == [("closed", [7, 1])]
    device.born()
    assert device.heard() == []


def test_a_device_without_alerts_is_told_nothing() -> None:
    device = Device()
    device.born()
    assert device.heard() == []


def test_after_a_restart_a_fresh_end_is_told_at_once_and_an_older_one_when_the_device_comes() -> None:
    for ago_s, at_once in ((60, True), (86_400, False)):
        device = Device()
        device.feedback.remember([b"damaged", pack(alert(State.CLOSED, closed_ns=NOW - ago_s * 10**9))], NOW)
        assert bool(device.heard()) is at_once
        device.born()
        assert device.heard() == [("closed", [7, 1])]
    assert REMEMBERED_NS > 86_400 * 10**9


def test_what_is_kept_of_a_device_is_bounded_and_open_alerts_stay_longest() -> None:
    device = Device()
    device.feedback.tell(answers(alert(State.ACCEPTED, name="open")))
    for number in range(100):
        device.feedback.tell(answers(alert(State.CLOSED, name=f"a{number}")))
    device.heard()
    device.born()
    states = [state for state, _ in device.heard()]
    assert len(states) == 16 and states.count("accepted") == 1


def test_the_book_keeps_which_events_are_behind_an_alert() -> None:
    book = AlertBook(Alerts())
    book.apply([finding(1)], NOW)
    (raised,) = book.take().touched
    book.accept(raised.id, "zhang", NOW)
    book.apply([finding(2)], NOW + 10**9)
    (touched,) = book.take().touched
    assert touched.events == [("d0", 7, 1), ("d0", 7, 2)]
    assert answers(touched) == [Answer("s", "d0", raised.id, (7, 2), "accepted")]
    assert unpack(pack(touched)).events == touched.events


def test_an_alert_of_yesterdays_version_has_no_events_and_is_readable() -> None:
    book = AlertBook(Alerts())
    book.apply([Finding("k", "r", Severity.NOTICE, "s", "d0", "p", NOW, "", "")], NOW)
    (touched,) = book.take().touched
    assert touched.events == [] and answers(touched) == []


# --- with the real gateway and broker ---


def press(seq: int) -> bytes:
    return json.dumps([{"boot": 7, "seq": seq, "clk": "ntp", "bt": 1_780_000_000 + seq, "n": "sos", "vb": True}]).encode()


@pytest.fixture
def phone() -> Iterator[Phone]:
    with closing(Phone()) as phone:
        yield phone


@pytest.fixture
def gateway(tmp_path: Path, mosquitto: Mosquitto, phone: Phone) -> Iterator[GatewayProcess]:
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file)}
    process = GatewayProcess(tmp_path / "gateway", {"broker": broker})
    process.environment = phone.people()
    process.start()
    yield process
    process.stop()


def commands(client: PahoClient) -> list[dict[str, Any]]:
    return [json.loads(message.payload) for message in client.received if message.topic == DOWN]


def states(client: PahoClient) -> list[str]:
    return [command["state"] for command in commands(client) if command["name"] == "answered"]


def test_notified_accepted_and_closed_reach_the_device_that_was_pressed(gateway: GatewayProcess, mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto) as device:
        device.subscribe(DOWN, 1)
        device.publish_all([(UP + "event", press(1))])
        eventually(lambda: states(device) == ["notified"], what="notified")
        (told,) = commands(device)
        assert told["event"] == [7, 1] and not device.received[-1].retain
        alert_id = told["id"].split("/")[0]
        gateway.call("alerts.accept", id=alert_id, by="zhang")
        eventually(lambda: states(device)[1:] == ["accepted"], what="accepted")
        gateway.call("alerts.close", id=alert_id, by="zhang", reason="test")
        eventually(lambda: states(device)[2:] == ["closed"], what="closed")


def test_neither_a_restart_of_the_gateway_nor_one_of_the_device_leaves_it_without_an_answer(
    gateway: GatewayProcess, mosquitto: Mosquitto
) -> None:
    with paho_client(mosquitto) as device:
        device.subscribe(DOWN, 1)
        device.publish_all([(UP + "event", press(1))])
        eventually(lambda: states(device), what="notified")
        alert_id = commands(device)[0]["id"].split("/")[0]
        gateway.call("alerts.accept", id=alert_id, by="zhang")
        eventually(lambda: states(device)[-1] == "accepted", what="accepted")
    gateway.kill()
    with paho_client(mosquitto) as device:  # a clean session: what was told meanwhile is gone
        device.subscribe(DOWN, 1)
        gateway.start()
        eventually(lambda: states(device) == ["accepted"], what="accepted, told again at the gateway's start")
    with paho_client(mosquitto) as device:
        device.publish_all([(UP + "status", json.dumps({"online": True, "boot": 7}).encode())])
        device.subscribe(DOWN, 1)
        eventually(lambda: states(device) == ["accepted"], what="accepted, told again after the birth")
    gateway.call("alerts.close", id=alert_id, by="zhang", reason="test")
    gateway.kill()
    with paho_client(mosquitto) as device:
        device.subscribe(DOWN, 1)
        gateway.start()
        eventually(lambda: states(device) == ["closed"], what="closed, told again at the gateway's start")


def test_any_command_can_be_sent_to_a_registered_device(gateway: GatewayProcess, mosquitto: Mosquitto) -> None:
    with paho_client(mosquitto) as device:
        device.subscribe(DOWN, 1)
        first = gateway.call("device.command", site="s", device="d0", name="prewarn", arguments={"seconds": 600})
        second = gateway.call("device.command", site="s", device="d0", name="reboot")
        eventually(lambda: len(commands(device)) == 2, what="two commands")
        assert commands(device) == [{"id": first, "name": "prewarn", "seconds": 600}, {"id": second, "name": "reboot"}]
        assert first != second
