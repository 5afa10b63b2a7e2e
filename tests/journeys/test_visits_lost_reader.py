"""Somebody takes a reader off the wall: what is in it gives him its own pending taps, and nothing else."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_gateway.nfc import keys, sun
from edge_gateway.topics import Up, up
from firmware.sim.board.nfc.type4 import Ntag424
from operations.cards.ntag424 import keyset
from tests.couriers.cards import SITE
from tests.journeys.visits_town import Town
from tests.servers import eventually, paho_client, started

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

MASTER = bytes(range(0x30, 0x40))
UIDS = [bytes.fromhex(uid) for uid in ("04a2b3c4d5e680", "04b1c2d3e4f590", "04c0d1e2f3a4b5")]


@pytest.fixture
def town(tmp_path: Path, micropython: str) -> Iterator[Town]:
    doors = {"door-1": "p-1", "door-2": "p-2"}
    broker = started(tmp_path / "mosquitto", devices=[f"{SITE}/{name}" for name in doors])
    town = Town(tmp_path, broker, doors, began="10:30")
    for door in town.doors.values():
        door.board.start()
    town.go(20)
    yield town
    town.close()
    broker.kill()


def forms(secret: bytes) -> list[bytes]:
    """How a secret may stand in a file."""
    written = [secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")]
    return [secret, secret[::-1], secret[::-1].hex().encode(), *written]


def test_a_lost_reader_gives_its_own_pending_taps_and_nothing_else(town: Town, tmp_path: Path) -> None:
    cards = [Ntag424(uid, url=None) for uid in UIDS]
    ids = [town.made(card, f"k-{n}", MASTER) for n, card in enumerate(cards)]

    # It has done all that a reader does: asked a card for the gateway, heard of a lost one, kept two taps while offline.
    town.tap("door-1", cards[0], stays=lambda tapped: (found := town.found(tapped)) and found.evidence.live)
    town.typed.ok("cards", "revoke", ids[2], "--by", "li", "--reason", "lost")
    town.go(60)
    town.judged(town.tap("door-1", cards[2]))
    town.doors["door-1"].board.away()
    town.go(60)
    pending = {(UIDS[n], cards[n].counter + 1) for n in (0, 1)}
    for n in (0, 1):
        town.tap("door-1", cards[n])
        town.go(30)
    lost = town.doors.pop("door-1")
    lost.board.stop()

    parts = {str(file.relative_to(tmp_path)): file.read_bytes() for file in (tmp_path / "door-1").rglob("*") if file.is_file()}
    assert {"door-1/flash.img", "door-1/nvs.json", "door-1/rtc_memory.bin"} <= parts.keys(), parts.keys()
    whole = b"".join(parts.values())
    meta = keys.meta_key(MASTER, SITE)
    texts = {
        text.decode() for text in re.findall(rb"picc_data=[0-9A-Fa-f]{32}&cmac=[0-9A-Fa-f]{16}", parts["door-1/flash.img"])
    }
    held = {(known.uid, known.counter) for text in texts if (known := sun.identify(text, [meta]))}
    assert pending <= held, "what was looked through is the reader's memory"

    secrets = {"master": MASTER, "meta": meta}
    secrets |= {f"key {n} of card {i}": key for i, uid in enumerate(UIDS) for n, key in _keys(uid)}
    secrets |= {f"number of card {i}": uid for i, uid in enumerate(UIDS)}
    assert [name for name, secret in secrets.items() if any(form in whole for form in forms(secret))] == []

    # Its password is there to be read. It opens its own topics only.
    password = town.broker.passwords[f"{SITE}/door-1"]
    assert password.encode() in parts["door-1/flash.img"]
    with paho_client(town.broker, f"{SITE}/door-1") as thief, paho_client(town.broker) as witness:
        witness.listen("kanhu/1/#")
        thief.listen("#", "$SYS/#", "kanhu/1/#", f"kanhu/1/{SITE}/door-2/#", f"kanhu/1/{SITE}/door-1/#")
        false, own = up(SITE, "door-2", Up.EVENT), up(SITE, "door-1", Up.EVENT)
        thief.publish(false, b"false", 1)
        thief.publish(f"kanhu/1/{SITE}/door-2/down/command", b"false", 1)
        thief.publish(own, b"its own", 1)
        eventually(lambda: b"its own" in [message.payload for message in list(witness.received)], 60, "its own topic")
        town.tap("door-2", cards[1])
        eventually(lambda: false in [message.topic for message in list(witness.received)], 60, "a tap at the other door")
        thief.publish(own, b"the end", 1)
        eventually(lambda: b"the end" in [message.payload for message in list(witness.received)], 60, "the end")
        assert b"false" not in [message.payload for message in list(witness.received)]
        strange = {message.topic for message in list(thief.received) if f"/{SITE}/door-1/" not in message.topic}
    assert not strange


def _keys(uid: bytes) -> list[tuple[int, bytes]]:
    return list(enumerate(keyset(MASTER, SITE, uid, 1).by_number))
