"""The gateway's question to a card, carried by real firmware on a simulated board over a real broker; cards reported lost."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.visits.live import Live, Outcome
from edge_gateway.visits.records import Reason, Tap
from edge_gateway.visits.revocations import MOST, Revocations
from firmware.sim.board.nfc.card import Card
from firmware.sim.board.nfc.type4 import Ntag424, Secrets
from tests.firmware.test_rider_reader_board import BUZZER, GREEN, RED, Bench
from tests.servers import Mosquitto, PahoClient, paho_client

KEY = bytes(range(16))
UP = "kanhu/1/s1/d1/up/"
STEP_MS = 20


def card(number: int, key: bytes = KEY) -> Ntag424:
    return Ntag424(b"\x04" + number.to_bytes(6, "big"), Secrets(application={3: key}))


class Asking:
    """A reader with its gateway, and beside them somebody who asks cards.

    The board's time runs ahead of the broker's: it goes on in small steps, in each of which the broker is given time.
    """

    def __init__(self, bench: Bench, paho: PahoClient) -> None:
        self.bench, self.board, self.chip, self.paho = bench, bench.board, bench.chip, paho
        self.ended: list[Outcome] = []
        self.live = Live(self.publish, self.ended.append, lambda: self.board.now_ms() / 1000)
        self.taps: set[tuple[int, int]] = set()
        self.replies = 0
        paho.listen(UP + "reply", UP + "event", UP + "status")

    def publish(self, topic: str, payload: bytes) -> None:
        self.paho.publish(topic, payload, qos=1).wait_for_publish(10)

    def heard(self, channel: str) -> list[Any]:
        return [json.loads(message.payload) for message in list(self.paho.received) if message.topic == UP + channel]

    def until(
        self, goal: Callable[[], object], within_ms: int, what: str, step_ms: int = STEP_MS, real_s: float = 0.005
    ) -> None:
        """Let the board live until `goal`; in each step the broker has `real_s` to bring what is on its way."""
        ends = self.board.now_ms() + within_ms
        while not goal():
            assert self.board.now_ms() < ends, f"{what}: not within {within_ms} ms\n{self.board.log[-2000:]}"
            self.board.run_for(step_ms)
            patience = time.monotonic() + real_s
            while time.monotonic() < patience and not goal():
                time.sleep(0.002)

    def put(self, *cards: Card) -> Tap:
        """Lay cards on the reader; the first tap that comes of it."""
        with self.board.time.lock:
            for one in cards:
                self.chip.field.put(one)
        self.until(lambda: self.new(), 30_000, "a tap")
        boot, seq = min(self.new())
        self.taps |= self.new()
        return Tap("s1", "d1", "p1", boot, seq, 0, 0, "ntp", 0, None, "sun", "")

    def new(self) -> set[tuple[int, int]]:
        """Taps that were not there before; one that waits for its receipt comes again."""
        return {(event[0]["boot"], event[0]["seq"]) for event in self.heard("event")} - self.taps

    def away(self) -> None:
        with self.board.time.lock:
            self.chip.field.clear()

    def ask(
        self, tap: Tap, key: bytes = KEY, each: Callable[[int], None] = lambda replies: None, real_s: float = 0.1
    ) -> Outcome:
        """Ask, and let everything go on until it is over; `each` is called with the number of answers so far.

        The reader lets the card go after 600 ms of its own time, so the broker is not hurried.
        """
        before = len(self.ended)
        self.live.begin(tap, [key])

        def over() -> bool:
            for payload in self.heard("reply")[self.replies :]:
                self.replies += 1
                each(self.replies)
                self.live.received("s1", "d1", json.dumps(payload).encode())
            self.live.tick()
            return len(self.ended) > before

        self.until(over, 20_000, "an outcome", real_s=real_s)
        return self.ended[-1]


def is_kept(secret: bytes, folder: Path) -> bool:
    """Whether a board's flash holds it, as bytes or as hexadecimal digits."""
    flash = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert b"picc_data=" in flash or len(flash) > 10_000  # what was looked through is a flash
    return any(form in flash for form in (secret, secret.hex().encode(), secret.hex().upper().encode()))


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto, micropython: str) -> Iterator[Asking]:
    bench = Bench(tmp_path, mosquitto)
    with paho_client(mosquitto) as paho:
        bench.board.start()
        bench.board.run_for(30_000)  # Wi-Fi, time and broker are there
        yield Asking(bench, paho)
    bench.close()


def test_a_card_on_the_reader_proves_itself_to_the_gateway_and_no_key_is_at_the_reader(site: Asking, tmp_path: Path) -> None:
    tap = site.put(card(1))
    outcome = site.ask(tap)
    assert (outcome.tap, outcome.ok, outcome.sign) == (tap.id, True, None), (outcome, site.board.log[-1000:])
    assert 0 < outcome.worst_ms < 100
    # The reader goes on at once: the next card has its light, and each of them is one event.
    site.away()
    second = site.put(card(2))
    assert second.seq == tap.seq + 1
    assert site.ask(second).ok
    assert not is_kept(KEY, tmp_path / "board")


def test_what_does_not_hold_the_key_is_found_out(site: Asking) -> None:
    outcome = site.ask(site.put(card(1, key=bytes(16))))
    assert (outcome.ok, outcome.why, outcome.sign) == (False, "wrong_key", Reason.CLONED_CARD)


def test_of_two_cards_the_one_that_made_the_tap_is_asked(site: Asking) -> None:
    first = site.put(card(1), card(2, key=bytes(16)))
    assert site.ask(first).ok


def test_a_card_taken_away_in_the_middle_changes_nothing(site: Asking) -> None:
    tap = site.put(card(1))
    outcome = site.ask(tap, each=lambda replies: site.away() if replies == 2 else None)
    assert (outcome.ok, outcome.why, outcome.sign) == (False, "not_carried", None)
    site.board.run_for(1500)  # the light of the first is out
    greens = len(site.bench.lit[GREEN])
    assert site.ask(site.put(card(2))).ok
    assert len(site.bench.lit[GREEN]) == greens + 1


def test_a_card_that_has_gone_before_the_question_is_no_sign(site: Asking) -> None:
    tap = site.put(card(1))
    site.away()
    site.board.run_for(1000)
    outcome = site.ask(tap)
    assert (outcome.ok, outcome.why, outcome.sign) == (False, "not_carried", None)
    assert site.heard("reply")[-1]["error"] == "the card is not there"


def test_an_offline_reader_is_waited_for_three_seconds_and_passes_over_the_question_later(site: Asking) -> None:
    tap = site.put(card(1))
    births = len(site.heard("status"))
    site.board.away()
    site.board.run_for(30_000)
    outcome = site.ask(tap, real_s=0.001)
    assert (outcome.ok, outcome.why) == (False, "no_answer")
    site.board.back()
    # The broker has kept the question. The card lies there still, but its tap is long ago.
    site.until(lambda: any(said["online"] for said in site.heard("status")[births:]), 1_800_000, "a birth", step_ms=1000)
    site.board.run_for(30_000)
    assert not [exchange for exchange in site.chip.log if exchange.command[:1] == b"\x40" and b"\x90\x71" in exchange.command]
    site.away()
    site.board.run_for(1500)
    assert site.ask(site.put(card(2))).ok


def test_a_relayed_card_is_noticed_by_its_late_answers(site: Asking) -> None:
    for number in range(6):
        assert site.ask(site.put(card(number))).sign is None
        site.away()
        site.board.run_for(1500)
    tap = site.put(card(7))
    site.chip.late_ms = 700  # a phone at the reader, a phone at the card, a network between
    outcome = site.ask(tap)
    assert (outcome.ok, outcome.sign) == (True, Reason.SLOW_ANSWER), outcome
    assert outcome.worst_ms > 700


def test_a_card_reported_lost_is_recorded_and_says_so_also_after_a_power_cut(site: Asking, tmp_path: Path) -> None:
    revocations = Revocations(site.publish, lambda name: bytes(16), lambda name: ["d1"])
    lost = card(9)
    # The longest list, in the heap of a plain ESP32.
    revocations.set("s1", [lost.real_uid, *(bytes([4, 1, 0, 0, 0, 0, n]) for n in range(MOST - 1))])
    site.board.run_for(2000)
    for _ in range(2):
        greens, reds, beeps = (len(site.bench.lit[pin]) for pin in (GREEN, RED, BUZZER))
        site.put(lost)  # an event as any other
        site.board.run_for(4000)
        lit = [len(site.bench.lit[pin]) for pin in (GREEN, RED, BUZZER)]
        assert (lit[0] - greens, lit[1] - reds, lit[2] - beeps) == (1, 1, 2)
        site.away()
        site.board.power_cut(2000)
        site.board.run_for(60_000)
    greens, reds = len(site.bench.lit[GREEN]), len(site.bench.lit[RED])
    site.put(card(10))
    site.board.run_for(2000)
    assert (len(site.bench.lit[GREEN]), len(site.bench.lit[RED])) == (greens + 1, reds)
    # Who takes the reader away finds no number of a card in it, neither of those that are lost nor of those that tapped.
    assert not is_kept(lost.real_uid, tmp_path / "board") and not is_kept(card(10).real_uid, tmp_path / "board")
