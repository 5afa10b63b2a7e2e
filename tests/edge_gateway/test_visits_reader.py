"""A reader, its gateway and the ledger: the gateway asks the card that has just tapped, and readers hear of lost cards."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import paho.mqtt.client as paho
import pytest

from edge_gateway.errors import Unavailable
from edge_gateway.nfc import keys
from edge_gateway.topics import Down, Up, down, up
from edge_gateway.visits.look import open_ledger
from edge_gateway.visits.records import CardKind, CardRole, JudgedTap, Reason, Ruling
from edge_gateway.visits.revocations import digest
from firmware.sim.board.nfc.type4 import Ntag424, Secrets
from tests.servers import Mosquitto, PahoClient, eventually, paho_client
from tests.spine import GatewayProcess

PATIENCE_S = 60.0
MASTER = bytes(range(16))
META = keys.meta_key(MASTER, "s")
REGISTRY = '[sites.s]\n[[devices]]\nsite = "s"\nid = "r1"\nplace = "p1"\nmodel = "rider_reader"\ncadence_s = 3600.0\n'


def uid(number: int) -> bytes:
    return b"\x04" + number.to_bytes(6, "big")


def file_key(number: int) -> bytes:
    return keys.card_key(MASTER, uid(number), keys.FILE_NO, 1)


def live_key(number: int) -> bytes:
    return keys.card_key(MASTER, uid(number), keys.LIVE_NO, 1)


class Reader:
    """Speaks the contract in Python's own time; cards lie on it."""

    def __init__(self, mqtt: PahoClient) -> None:
        self.mqtt = mqtt
        self.card: Ntag424 | None = None
        self.commands: list[dict[str, Any]] = []
        self.seq = 0
        self.lock = Lock()
        mqtt.on_message = self._heard
        mqtt.listen(down("s", "r1", Down.COMMAND))

    def born(self) -> None:
        self._say(Up.STATUS, {"online": True, "boot": 7, "clk": "ntp", "time": time.time(), "up": 60.0})

    def tap(self, card: Ntag424, stays: bool = True) -> str:
        """Hold it to the reader; the tap's id."""
        with self.lock:
            self.card = card if stays else None
            self.seq += 1
        card.apdu(bytes.fromhex("00A4040C07D276000085010100"))
        card.apdu(bytes.fromhex("00A4000C02E104"))
        size = int.from_bytes(card.apdu(bytes.fromhex("00B0000002"))[:2], "big")
        message = card.apdu(bytes.fromhex("00B00002") + bytes([size]))[:size]
        query = message[message.index(b"?") + 1 :].decode()
        head = {"boot": 7, "seq": self.seq, "clk": "ntp", "err": 0.05, "up": 60.0 + self.seq, "bt": time.time()}
        self._say(Up.EVENT, [{**head, "n": "tap", "vs": query}, {"n": "proof", "vs": "sun"}])
        return f"s/r1/7/{self.seq}"

    def told(self, name: str) -> list[dict[str, Any]]:
        return [command for command in list(self.commands) if command["name"] == name]

    def _heard(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        command = json.loads(message.payload)
        self.commands.append(command)
        if command["name"] != "card":
            return
        reply = {"session": command["session"], "step": command["step"]}
        with self.lock:
            if self.card is None or command["event"] != [7, self.seq]:
                reply["error"] = "the card is not there"
            else:
                reply |= {"answer": self.card.apdu(bytes.fromhex(command["apdu"])).hex(), "ms": 12}
        self.mqtt.publish(up("s", "r1", Up.REPLY), json.dumps(reply).encode(), qos=0)

    def _say(self, channel: Up, body: object) -> None:
        self.mqtt.publish_all([(up("s", "r1", channel), json.dumps(body).encode())])


class Site:
    def __init__(self, gateway: GatewayProcess, reader: Reader) -> None:
        self.gateway, self.reader = gateway, reader

    def enrol(self, number: int) -> str:
        """The card's id. The ledger opens after the gateway is ready for its devices."""
        given = {
            "site": "s",
            "uid": uid(number).hex(),
            "kind": CardKind.NTAG424,
            "role": CardRole.COURIER,
            "holder": f"courier-{number}",
            "key_version": 1,
            "keys": {"file": file_key(number).hex(), "app3": live_key(number).hex()},
            "meta": META.hex(),
            "counter": 0,
            "by": "anna",
        }
        found: list[str] = []

        def enrolled() -> bool:
            try:
                found.append(self.gateway.call("cards.enrol", **given)["card"])
            except Unavailable:
                return False
            return True

        eventually(enrolled, PATIENCE_S, "the ledger")
        return found[0]

    def judged(self, tap: str, wanted: Callable[[JudgedTap], bool] = lambda judged: True) -> JudgedTap:
        """The tap as the ledger has it, once it is as wanted."""
        found: list[JudgedTap] = []

        def there() -> bool:
            with open_ledger(self.gateway.folder / "var" / "visits.db") as ledger:
                judged = ledger.tap(tap)
            if judged is not None:
                found[:] = [judged]
            return judged is not None and wanted(judged)

        eventually(there, PATIENCE_S, f"tap {tap}, seen {found}\n{self.gateway.log[-2000:]}")
        return found[0]


def card(number: int, live: bytes | None = None) -> Ntag424:
    return Ntag424(uid(number), Secrets(META, file_key(number), {3: live_key(number) if live is None else live}))


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Site]:
    settings = {"broker": mosquitto.settings().model_dump(mode="json", exclude_none=True)}
    gateway = GatewayProcess(tmp_path / "gateway", settings, REGISTRY)
    gateway.start()
    with paho_client(mosquitto) as mqtt:
        reader = Reader(mqtt)
        reader.born()
        yield Site(gateway, reader)
    gateway.kill()


def test_a_card_that_stays_a_moment_proves_that_it_was_there(site: Site) -> None:
    site.enrol(1)
    tap = site.reader.tap(card(1))
    judged = site.judged(tap, lambda judged: judged.evidence.live)
    assert judged.judgement.ruling is Ruling.COUNTED and judged.evidence.counter == 1
    told = json.dumps(site.reader.told("card"))
    assert live_key(1).hex() not in told and uid(1).hex() not in told


def test_a_card_taken_away_at_once_counts_by_its_code(site: Site) -> None:
    site.enrol(1)
    tap = site.reader.tap(card(1), stays=False)
    eventually(lambda: site.reader.told("card"), PATIENCE_S, "the question")
    judged = site.judged(tap)
    assert judged.judgement.ruling is Ruling.COUNTED and not judged.evidence.live


def test_a_good_code_of_what_cannot_prove_its_key_is_looked_at_by_a_person(site: Site) -> None:
    site.enrol(1)
    # A phone at the reader that shows what was read from the card before.
    tap = site.reader.tap(card(1, live=bytes(16)))
    judged = site.judged(tap, lambda judged: judged.judgement.ruling is Ruling.REVIEW)
    assert Reason.CLONED_CARD in judged.judgement.reasons and not judged.evidence.live


def test_a_revoked_card_is_told_to_the_reader_at_once_and_at_its_next_birth(site: Site) -> None:
    reader = site.reader
    name = site.enrol(1)
    site.enrol(2)
    site.gateway.call("cards.revoke", card=name, by="anna", reason="lost")
    eventually(lambda: [c for c in reader.told("revoked") if c["cards"]], PATIENCE_S, "the revoked card")
    told = reader.told("revoked")[-1]
    salt = bytes.fromhex(told["salt"])
    assert told["cards"] == digest(salt, uid(1)).hex()
    reader.commands.clear()
    reader.born()
    eventually(lambda: reader.told("revoked"), PATIENCE_S, "the list again after a birth")
    assert reader.told("revoked")[-1] == told
    # Its taps are recorded, and a person looks at them.
    judged = site.judged(reader.tap(card(1), stays=False))
    assert judged.judgement.ruling is Ruling.REVIEW and Reason.REVOKED_CARD in judged.judgement.reasons
