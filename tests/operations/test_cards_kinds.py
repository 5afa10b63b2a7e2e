"""At the desk: cards that are no NTAG 424, audits of wall tags, and the link that stands on a card."""

import pytest

from edge_gateway.errors import Misconfigured, Rejected
from edge_gateway.visits.records import CardKind, CardRole
from firmware.sim.board.nfc.type2 import MifareClassic, Ntag21x
from operations.cards import desk
from operations.cards.layout import DEFAULT_LINK, layout, link_of
from operations.cards.ntag424 import read_link
from tests.operations.cards_bench import MASTER, UID, Bench, Book, Pulled
from tests.operations.test_cards_made import enrol, held

# What a real tag of NXP answered.
GENUINE_UID = bytes.fromhex("04e10cda993c80")
GENUINE = bytes.fromhex("8b76052ee42f5567beb53238b3e3f9950707c0dcc956b5c5efcfdb709b2d82b3")


def test_an_ntag21x_is_enrolled_when_its_maker_signed_it_and_it_counts() -> None:
    card, book = Ntag21x(GENUINE_UID, signature=GENUINE, counts=False), Book()
    made = enrol(Bench(card), book, master=None)
    assert (made.kind, made.counter) == (CardKind.NTAG21X, card.counter)
    assert enrol(Bench(card), book, master=None).counter == card.counter > 2
    assert book.of("cards.enrol")[0]["keys"] == {}


def test_an_ntag21x_whose_settings_are_closed_is_weak() -> None:
    card = Ntag21x(GENUINE_UID, signature=GENUINE, counts=False, protected_from=0)
    with pytest.raises(Rejected, match=r"weak_card.*password"):
        enrol(Bench(card), Book())


@pytest.mark.parametrize(
    "card",
    [
        pytest.param(MifareClassic(bytes.fromhex("5a1b2c3d")), id="mifare classic"),
        pytest.param(Ntag21x(UID, signature=bytes(range(32))), id="a signature that is none"),
    ],
)
def test_what_can_be_copied_is_enrolled_only_if_that_is_said(card: MifareClassic | Ntag21x) -> None:
    book = Book()
    with pytest.raises(Rejected, match="weak_card"):
        enrol(Bench(card), book)
    assert not book.of("cards.enrol")
    weak = desk.Wish("yunhe", CardRole.COURIER, "courier-3", "li", DEFAULT_LINK, weak=True)
    assert enrol(Bench(card), book, weak).kind is CardKind.UID


def test_an_audit_burns_what_is_below_the_reading_and_takes_no_forged_one() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    text = link_of(read_link(held(Bench(card)))).partition("?")[2]
    assert desk.audit(book, "yunhe", MASTER, text, "li").counter == 3
    assert book.of("cards.audit") == [{"card": "c-0", "counter": 3, "by": "li"}]
    with pytest.raises(Rejected, match="bad_code"):
        desk.audit(book, "yunhe", MASTER, text[:-1] + ("0" if text[-1] != "0" else "1"), "li")
    with pytest.raises(Rejected, match="unknown_card"):
        desk.audit(Book(), "yunhe", MASTER, text, "li")


@pytest.mark.parametrize(
    "link",
    [
        "http://a.example/t",
        "https://a.example/t?x=1",
        "https://u@a.example/",
        "https://A.example/t",
        "https://" + "a" * 150,
        "tap",
    ],
)
def test_a_link_that_cannot_stand_on_a_card_is_refused(link: str) -> None:
    with pytest.raises(Misconfigured, match="cannot stand on a card"):
        layout(link)
