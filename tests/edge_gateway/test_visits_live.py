"""The gateway asks the card itself, through the reader: who answers, who does not, and who answers late."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.errors import Rejected
from edge_gateway.store_file import read_only
from edge_gateway.visits.live import TIMEOUT_S, Live, Outcome, parse_reply
from edge_gateway.visits.records import Reason, Tap
from firmware.sim.board.nfc.type4 import Ntag424, Secrets
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import GatewayProcess

KEY, OTHER = bytes(range(16)), bytes(range(1, 17))
UID = bytes.fromhex("04A1B2C3D4E5F6")


def tap(seq: int = 1, device: str = "reader-1") -> Tap:
    return Tap("wutong", device, "p-1", 17, seq, 10**18, 10**18, "ntp", 0, 0.1, "sun", "")


def genuine(key: bytes = KEY) -> Ntag424:
    return Ntag424(UID, Secrets(application={3: key}))


class Site:
    """A gateway and its readers, with a card on each; `ms` is how long an answer of the card takes."""

    def __init__(self, card: Ntag424 | None = None) -> None:
        self.now_s = 0.0
        self.card = card
        self.ms = 30
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[Outcome] = []
        self.spoil: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda reply: reply
        self.live = Live(self._publish, self.ended.append, lambda: self.now_s)

    def _publish(self, topic: str, payload: bytes) -> None:
        self.asked.append((topic, json.loads(payload)))
        self.heard.append(self.asked[-1])

    def carry(self) -> None:
        """Every reader does what it was told until nobody asks any more."""
        while self.asked:
            topic, command = self.asked.pop(0)
            device = topic.split("/")[3]
            assert topic == f"kanhu/1/wutong/{device}/down/command"
            reply = {"session": command["session"], "step": command["step"]}
            if self.card is None:
                reply["error"] = "the card is not there"
            else:
                reply["answer"] = self.card.apdu(bytes.fromhex(command["apdu"])).hex()
                reply["ms"] = self.ms
            told = self.spoil(reply)
            if told is not None:
                self.live.received("wutong", device, json.dumps(told).encode())

    def ask(self, seq: int = 1) -> Outcome:
        self.live.begin(tap(seq), [KEY])
        self.carry()
        [outcome] = self.ended[-1:]
        return outcome


def test_a_card_that_is_there_proves_it() -> None:
    site = Site(genuine())
    assert site.ask() == Outcome("wutong/reader-1/17/1", True, "", 30)


def test_the_reader_learns_what_to_carry_for_which_tap_and_no_key() -> None:
    site = Site(genuine())
    assert site.ask(5).ok
    commands = [command for _, command in site.heard]
    assert [command["apdu"][:10] for command in commands] == ["00a4040c07", "9071000002", "90af000020"]
    assert commands[1]["apdu"] == "9071000002030000"  # key 3
    assert [command["last"] for command in commands] == [False, False, True]
    assert all(command["event"] == [17, 5] and command["name"] == "card" for command in commands)
    assert len({command["id"] for command in commands}) == 3
    assert KEY.hex() not in json.dumps(commands)
    assert len(json.dumps(commands[2])) < 400


def test_what_cannot_prove_its_key_is_a_sign_of_a_copy() -> None:
    outcome = Site(genuine(OTHER)).ask()
    assert (outcome.ok, outcome.why, outcome.sign) == (False, "wrong_key", Reason.CLONED_CARD)


def test_a_card_that_is_being_changed_may_hold_either_key() -> None:
    for held, keys, ok in ((KEY, [OTHER, KEY], True), (KEY, [KEY, OTHER], True), (bytes(16), [KEY, OTHER], False)):
        site = Site(genuine(held))
        site.live.begin(tap(), keys)
        site.carry()
        [outcome] = site.ended
        assert (outcome.ok, outcome.sign) == (ok, None if ok else Reason.CLONED_CARD)


def test_what_answers_without_knowing_the_protocol_is_a_sign_of_a_copy() -> None:
    class Phone(Ntag424):
        """An emulated tag: the file, and nothing else."""

        def apdu(self, data: bytes) -> bytes:
            return super().apdu(data) if data[0] != 0x90 else b"\x6d\x00"

    outcome = Site(Phone(UID)).ask()
    assert (outcome.ok, outcome.why, outcome.sign) == (False, "bad_answer", Reason.CLONED_CARD)


def test_a_card_that_left_is_no_sign_of_anything() -> None:
    assert Site(None).ask() == Outcome("wutong/reader-1/17/1", False, "not_carried")
    site = Site(genuine())

    def left(reply: dict[str, Any]) -> dict[str, Any]:
        return {**reply, "answer": "", "error": "status 01"} if reply["step"] == 2 else reply

    site.spoil = left
    assert site.ask() == Outcome("wutong/reader-1/17/1", False, "not_carried", 30)


def test_a_card_that_wants_to_be_left_alone_is_no_sign_either() -> None:
    class Tired(Ntag424):
        def apdu(self, data: bytes) -> bytes:
            return b"\x91\xad" if data[:2] == b"\x90\x71" else super().apdu(data)

    outcome = Site(Tired(UID)).ask()
    assert (outcome.ok, outcome.why, outcome.sign) == (False, "delayed", None)


def test_a_reader_that_does_not_answer_is_waited_for_three_seconds() -> None:
    site = Site(genuine())
    site.spoil = lambda reply: None
    site.live.begin(tap(), [KEY])
    site.carry()
    site.now_s += TIMEOUT_S - 0.01
    site.live.tick()
    assert site.ended == []
    site.now_s += 0.01
    site.live.tick()
    assert site.ended == [Outcome("wutong/reader-1/17/1", False, "no_answer")]
    # Free for the next one, and what comes now is too late.
    site.spoil = lambda reply: reply
    assert site.ask(2).ok


def test_a_late_answer_belongs_to_nothing() -> None:
    site = Site(genuine())
    kept: list[dict[str, Any]] = []
    site.spoil = kept.append  # type: ignore[assignment]
    site.live.begin(tap(), [KEY])
    site.carry()
    site.now_s += 5
    site.live.tick()
    site.live.begin(tap(2), [KEY])
    site.live.received("wutong", "reader-1", json.dumps(kept[0]).encode())
    assert site.live.counters["stray"] == 1
    assert len(site.ended) == 1


def test_one_question_at_a_time_for_a_reader() -> None:
    site = Site(genuine())
    site.live.begin(tap(1), [KEY])
    site.live.begin(tap(2), [KEY])
    assert site.ended == [Outcome("wutong/reader-1/17/2", False, "busy")]
    site.carry()
    assert site.ended[1:] == [Outcome("wutong/reader-1/17/1", True, "", 30)]


def test_readers_do_not_wait_for_each_other() -> None:
    site = Site()
    for number in range(20):
        site.live.begin(tap(1, f"reader-{number}"), [KEY])
    assert site.ended == [] and len(site.asked) == 20
    site.carry()
    assert len({outcome.tap for outcome in site.ended}) == 20


def test_an_answer_of_another_reader_is_passed_over() -> None:
    site = Site(genuine())
    site.live.begin(tap(), [KEY])
    [(_, command)] = site.asked
    reply = {"session": command["session"], "step": 0, "answer": "9000", "ms": 1}
    site.live.received("wutong", "reader-9", json.dumps(reply).encode())
    site.live.received("other", "reader-1", json.dumps(reply).encode())
    site.live.received("wutong", "reader-1", json.dumps({**reply, "step": 1}).encode())
    site.live.received("wutong", "reader-1", json.dumps({**reply, "session": "x"}).encode())
    assert site.live.counters["stray"] == 4 and site.ended == []
    site.carry()
    assert site.ended[0].ok


def test_an_answer_as_late_as_over_a_network_is_a_relay_sign_and_still_counts() -> None:
    site = Site(genuine())
    for seq in range(1, 11):
        assert site.ask(seq).sign is None
    site.ms = 30 + 250
    assert site.ask(11).sign is None
    site.ms = 30 + 251
    outcome = site.ask(12)
    assert (outcome.ok, outcome.worst_ms, outcome.sign) == (True, 281, Reason.SLOW_ANSWER)
    assert site.live.counters["signs"] == 1


def test_slow_answers_never_become_the_usual_ones() -> None:
    site = Site(genuine())
    site.ms = 400
    for seq in range(1, 60):
        assert site.ask(seq).sign is Reason.SLOW_ANSWER


def test_a_reader_that_is_always_slow_has_its_own_measure() -> None:
    site = Site(genuine())
    for seq in range(1, 10):
        site.ms = 250
        site.ask(seq)
    site.ms = 480
    assert site.ask(20).sign is None
    site.ms = 510
    assert site.ask(21).sign is Reason.SLOW_ANSWER


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b"[" * 1000,
        b'{"session":"s","step":0}',
        b'{"session":"s","step":0,"answer":""}',
        b'{"session":"s","step":0,"answer":"9000","error":"both"}',
        b'{"session":"s","step":true,"answer":"9000"}',
        b'{"session":1,"step":0,"answer":"9000"}',
        b'{"session":"s","step":0,"answer":"9000","ms":-1}',
        b'{"session":"s","step":0,"answer":"9000","ms":60001}',
        b'{"session":"s","step":0,"answer":"9000","ms":1.5}',
        b'{"session":"s","step":0,"answer":"90zz"}',
        b'{"session":"s","step":0,"answer":"900"}',
        b'{"session":"s","step":0,"error":5}',
        b'{"session":"s","step":0,"answer":"' + b"90" * 300 + b'"}',
        b" " * 1025,
    ],
)
def test_a_reply_that_makes_no_sense_is_counted_and_changes_nothing(payload: bytes) -> None:
    with pytest.raises(Rejected, match="bad_reply"):
        parse_reply(payload)
    site = Site(genuine())
    site.live.begin(tap(), [KEY])
    site.live.received("wutong", "reader-1", payload)
    assert site.live.counters["bad"] == 1 and site.ended == []
    site.carry()
    assert site.ended[0].ok


@given(st.binary(max_size=60), st.integers(0, 2), st.integers(0, 60_000))
def test_no_answer_of_a_card_breaks_the_session_or_proves_anything(answer: bytes, at: int, ms: int) -> None:
    site = Site(genuine())

    def spoil(reply: dict[str, Any]) -> dict[str, Any]:
        return {**reply, "answer": answer.hex() or "00", "ms": ms} if reply["step"] == at else reply

    site.spoil = spoil
    outcome = site.ask()
    assert not outcome.ok or (at == 0 and answer == b"\x90\x00")
    site.spoil = lambda reply: reply
    assert site.ask(2).ok or site.card is None


def test_replies_of_readers_are_no_messages_of_the_outbox_whatever_they_hold(tmp_path: Path, mosquitto: Mosquitto) -> None:
    settings = {"broker": mosquitto.settings().model_dump(mode="json", exclude_none=True)}
    gateway = GatewayProcess(tmp_path / "gateway", settings)
    gateway.start()
    try:
        with paho_client(mosquitto) as paho:
            paho.listen("kanhu/1/s/d0/down/#")
            up = "kanhu/1/s/d0/up/"
            bodies = [b"", b"\xff" * 2000, b"[]", b'{"session":"s","step":0,"answer":"9000","ms":1}']
            paho.publish_all([(up + "reply", body) for body in bodies] * 20)
            paho.publish_all([(up + "reply", bodies[-1])], qos=0)
            paho.publish_all([(up + "event", b'[{"boot":7,"seq":1,"n":"tap","vs":"hello"},{"n":"proof","vs":"uid"}]')])
            eventually(lambda: any(m.topic.endswith("/receipt") for m in paho.received), 30, "the receipt of an event")
        with closing(read_only(gateway.store_file)) as db:
            assert db.execute("SELECT count(*) FROM dead_letter").fetchone() == (0,)
        assert "Traceback" not in gateway.log
    finally:
        gateway.stop()
