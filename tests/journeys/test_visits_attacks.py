"""Thieves of codes, numbers and cards at real readers: refused or put before a person, and nobody genuine is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_gateway.topics import Down, down
from edge_gateway.visits.records import JudgedTap, Reason, Ruling
from firmware.sim.board.nfc.type2 import Ntag21x
from firmware.sim.board.nfc.type4 import Ntag424
from tests.couriers.cards import SITE
from tests.journeys.visits_town import BUZZER, GREEN, RED, Tapped, Town, read
from tests.servers import PahoClient, paho_client, started

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]

MASTER = bytes(range(16))
K1, K2, PHONE = (bytes.fromhex(uid) for uid in ("04a2b3c4d5e680", "04b1c2d3e4f590", "0801020304aabb"))


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


def phone(query: str) -> Ntag424:
    """A phone that shows what was read from a card before, and has no key."""
    return Ntag424(PHONE, url=f"https://tap.invalid/t?{query}")


def told_of_lost_cards(client: PahoClient) -> bool:
    """Whether a reader has just been given a list that is not empty."""
    commands = [json.loads(message.payload) for message in list(client.received)]
    return any(command["name"] == "revoked" and command["cards"] for command in commands)


def test_every_attack_is_refused_or_looked_at_and_nobody_genuine_is_refused(town: Town) -> None:
    card, lost = Ntag424(K1, url=None), Ntag424(K2, url=None)
    town.made(card, "k-1", MASTER)
    lost_id = town.made(lost, "k-2", MASTER)
    genuine: list[Tapped] = []
    attacks: dict[str, Tapped] = {}

    def judged(name: str) -> JudgedTap:
        return town.judged(attacks[name])

    genuine.append(town.tap("door-1", card))
    # In the cloakroom somebody holds a phone to the card, twice; then the courier goes on with his day.
    first, second = read(card), read(card)
    town.go(60)
    genuine.append(town.tap("door-1", card))
    assert [town.judged(one).judgement.ruling for one in genuine] == [Ruling.COUNTED] * 2

    town.go(60)
    attacks["harvested, shown elsewhere later"] = town.tap("door-2", phone(first))
    found = judged("harvested, shown elsewhere later")
    assert found.judgement.ruling is Ruling.REVIEW and Reason.COUNTER_OUT_OF_ORDER in found.judgement.reasons

    town.go(60)
    attacks["the same once more"] = town.tap("door-2", phone(first))
    assert judged("the same once more").judgement.reasons == (Reason.REPLAY,)
    town.go(60)
    attacks["the same at the other door"] = town.tap("door-1", phone(first))
    assert judged("the same at the other door").judgement.reasons == (Reason.REPLAY,)

    # A code so fresh that only the question to the card tells: a phone cannot answer it.
    fresh = read(card)
    town.go(60)

    def is_found_out(tapped: Tapped) -> bool:
        found = town.found(tapped)
        return found is not None and Reason.CLONED_CARD in found.judgement.reasons

    attacks["fresh, and the phone stays"] = town.tap("door-2", phone(fresh), stays=is_found_out)
    assert judged("fresh, and the phone stays").judgement.ruling is Ruling.REVIEW

    town.go(60)
    attacks["a sticker with the card's number"] = town.tap("door-1", Ntag21x(K1))
    found = judged("a sticker with the card's number")
    assert found.judgement.ruling in (Ruling.REVIEW, Ruling.REFUSED) and found.judgement.reasons, found.judgement
    town.go(60)
    attacks["a forged code"] = town.tap("door-2", phone(second[:-16] + "0" * 16))
    assert judged("a forged code").judgement.reasons == (Reason.BAD_CODE,)
    town.go(60)
    attacks["a number of nobody"] = town.tap("door-2", phone(f"picc_data={'A1' * 16}&cmac={'B2' * 8}"))
    assert judged("a number of nobody").judgement.reasons == (Reason.NOT_OUR_CARD,)

    # A card is lost, the office is told, and so is the reader, which shows it to whoever has found the card.
    genuine.append(town.tap("door-1", lost))
    with paho_client(town.broker) as client:
        client.listen(down(SITE, "door-1", Down.COMMAND))
        town.typed.ok("cards", "revoke", lost_id, "--by", "li", "--reason", "lost")
        town.eventually(lambda: told_of_lost_cards(client), "the list at the reader")
    town.go(60)
    before = {pin: len(times) for pin, times in town.doors["door-1"].lit.items()}
    attacks["a lost card"] = town.tap("door-1", lost)
    town.go(3)
    lit = [len(town.doors["door-1"].lit[pin]) - before[pin] for pin in (GREEN, RED, BUZZER)]
    assert lit == [1, 1, 2], lit
    found = judged("a lost card")
    assert found.judgement.ruling is Ruling.REVIEW and Reason.REVOKED_CARD in found.judgement.reasons

    town.go(60)
    genuine.append(town.tap("door-1", card))
    rulings = {name: judged(name).judgement.ruling for name in attacks}
    print({name: (ruling.value, judged(name).judgement.reasons) for name, ruling in rulings.items()})
    assert set(rulings.values()) == {Ruling.REFUSED, Ruling.REVIEW}
    assert all(town.judged(one).judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW) for one in genuine)
    assert town.judged(genuine[0]).judgement.ruling is town.judged(genuine[2]).judgement.ruling is Ruling.COUNTED
    with town.ledger() as ledger:
        refused = {one.tap.id for one in ledger.refused(SITE)}
    assert refused == {judged(name).tap.id for name, ruling in rulings.items() if ruling is Ruling.REFUSED}
    assert max(one.light_ms for one in (*genuine, *attacks.values())) < 1000
