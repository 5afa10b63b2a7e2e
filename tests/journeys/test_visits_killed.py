"""The gateway dies again and again while thousands of taps are synced; a courier's light waits for none of it.

`KANHU_TAPS=10000` for more of them.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from edge_gateway.topics import Down, Up, down, up
from edge_gateway.visits import chain
from edge_gateway.visits.records import CardRole, Ruling
from firmware.sim.board.nfc.type4 import Ntag424
from tests.couriers.cards import SITE, Chip, Ring
from tests.faults.judge import Embedded
from tests.faults.world import seeded
from tests.journeys.visits_town import Tapped, Town, at
from tests.servers import eventually, paho_client, started

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

MASS = "door-9"
TAPS = int(os.environ.get("KANHU_TAPS", "2000"))
EVERY_S = 1.5
KEPT = 200  # of the mass unanswered at once
COURIERS = 40
KILLS = 5


class KeptTaps:
    """A reader that was offline for a day and comes back: it sends until every tap has its receipt, as the contract says."""

    def __init__(self, town: Town, cards: list[Chip]) -> None:
        self._waiting: dict[int, bytes] = {}
        self._sent_at: dict[int, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        began_s = town.now_ns() / 1e9 - EVERY_S * (TAPS + 1)
        for seq in range(1, TAPS + 1):
            head = {"boot": 1, "seq": seq, "clk": "ntp", "err": 0.05, "up": 60 + EVERY_S * seq, "bt": began_s + EVERY_S * seq}
            text = cards[seq % len(cards)].read()
            records = [{**head, "n": "tap", "vs": text}, {"n": "proof", "vs": "sun"}]
            self._waiting[seq] = json.dumps(records, separators=(",", ":")).encode()
        self._client = client = paho_client(town.broker, f"{SITE}/{MASS}")
        client.on_message = self._receipt
        client.listen(down(SITE, MASS, Down.RECEIPT))
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _receipt(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        receipt = json.loads(message.payload)
        if receipt["boot"] != 1:
            return
        assert not receipt.get("rejected"), receipt
        with self._lock:
            for seq in [*receipt.get("events", ()), *(seq for seq in self._waiting if seq <= receipt["upto"])]:
                self._waiting.pop(seq, None)

    def _send(self) -> None:
        while not self._ended.wait(0.05):
            now = time.monotonic()
            with self._lock:
                first = list(self._waiting.items())[:KEPT]
            for seq, payload in first:
                if now - self._sent_at.get(seq, -1e9) > 5:
                    self._sent_at[seq] = now
                    self._client.publish(up(SITE, MASS, Up.EVENT), payload, 1)

    def close(self) -> None:
        self._ended.set()
        self._thread.join(30)
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def town(tmp_path: Path, micropython: str) -> Iterator[Town]:
    doors = {"door-1": "p-1", MASS: "p-9"}
    broker = started(tmp_path / "mosquitto", devices=[f"{SITE}/{name}" for name in doors])
    town = Town(tmp_path, broker, doors, began="05:00", virtual=[MASS])
    yield town
    town.close()
    broker.kill()


def enrol(town: Town, ring: Ring, holder: str) -> Chip:
    """A card given out; its codes are made here."""
    chip = ring.issue(holder, CardRole.COURIER)
    keys = {"file": chip.file.hex(), "app3": bytes(16).hex()}
    about = {"kind": "ntag424", "role": "courier", "holder": holder, "key_version": 1, "by": "li"}
    town.gateway.call("cards.enrol", site=SITE, uid=chip.uid.hex(), keys=keys, meta=chip.meta.hex(), counter=0, **about)
    return chip


def test_every_tap_is_in_the_ledger_once_however_often_the_gateway_is_killed(
    town: Town, request: pytest.FixtureRequest
) -> None:
    random = seeded(request.node.name)
    ring = Ring(random)
    card = Ntag424(bytes.fromhex("04a2b3c4d5e680"), url=None)
    cards = [enrol(town, ring, f"k-{n}") for n in range(COURIERS)]
    town.made(card, "k-100", ring.master)
    town.hours(at("05:00") + round(EVERY_S * (TAPS + 100)) * 10**9)
    town.doors["door-1"].board.start()
    town.go(30)
    mass = KeptTaps(town, cards)
    tapped: list[Tapped] = []

    def tap() -> None:
        town.go(40)  # the same courier at another lunch
        tapped.append(town.tap("door-1", card))

    for kill in range(1, KILLS + 1):
        # Somewhere in the next portion of what is being synced.
        left = TAPS - TAPS * kill // (KILLS + 1) + random.randrange(-TAPS // 20, TAPS // 20)
        eventually(lambda left=left: mass.waiting < left, 60, f"fewer than {left} taps without receipt")  # type: ignore[misc]
        town.gateway.kill()
        tap()
        town.begin()
        tap()
    eventually(lambda: mass.waiting == 0, 240, "every tap receipted")

    def counted() -> Counter[str]:
        with town.ledger() as ledger:
            return Counter(entry.subject for entry in ledger.log() if entry.kind == "tap")

    whole = TAPS + len(tapped)
    town.eventually(lambda: len(counted()) >= whole, f"{whole} taps in the ledger", step_s=2, within_s=240)
    mass.close()
    print("ms to the green light:", [one.light_ms for one in tapped])
    assert max(one.light_ms for one in tapped) < 1000
    assert set(counted().values()) == {1} and len(counted()) == whole
    with town.ledger() as ledger:
        kept = ledger.recent_taps(SITE, MASS, 0, 2 * TAPS)
        own = ledger.recent_taps(SITE, "door-1", 0, 2 * TAPS)
        chain.verify(ledger.log())
    assert sorted(one.tap.seq for one in kept) == list(range(1, TAPS + 1))
    doubted = [one for one in (*kept, *own) if one.judgement.ruling is not Ruling.COUNTED]
    assert not doubted, [(one.tap.id, one.judgement) for one in doubted]
    assert len(own) == len(tapped)
    eventually(lambda: len(events(town)) == whole, 60, "every tap in the database")
    assert set(events(town).values()) == {1}


def events(town: Town) -> Counter[tuple[str, str, int, int]]:
    return Embedded(town.gateway.readings_file).events()
