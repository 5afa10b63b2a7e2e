"""A card at the desk: whatever happens while it is made, it ends as ours or as it was, and every key on it is known."""

from collections.abc import Sequence
from typing import Any

import pytest

from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.nfc import keys, sun
from edge_gateway.visits.evidence import evidence
from edge_gateway.visits.records import Card, CardKind, CardRole, Evidence, Grade, Tap
from firmware.sim.board.nfc.chip424 import NDEF, PROPRIETARY
from firmware.sim.board.nfc.sun import Mode
from firmware.sim.board.nfc.type4 import Ntag424, Secrets
from operations.cards import desk
from operations.cards.layout import DEFAULT_LINK, layout, link_of
from operations.cards.ntag424 import keyset, read_link
from operations.cards.reader import CardLost
from tests.operations.cards_bench import MASTER, UID, Bench, Book, HeldCard, Pulled

ZERO = bytes(16)
META = keys.meta_key(MASTER, "yunhe")
WISH = desk.Wish("yunhe", CardRole.COURIER, "courier-3", "li", DEFAULT_LINK)
OURS = {n: keyset(MASTER, "yunhe", UID, 1).by_number[n] for n in range(5)}
NEXT = {n: keyset(MASTER, "yunhe", UID, 2).by_number[n] for n in range(5)}


def quiet(text: str) -> None:
    """Nobody listens."""


def held(reader: Bench) -> HeldCard:
    card = reader.find()
    assert card is not None
    return card


def enrol(reader: Bench, book: Book, wish: desk.Wish = WISH, master: bytes | None = MASTER) -> desk.Made:
    return desk.enrol(reader, book, master, wish, held(reader), quiet)


def rotate(reader: Bench, book: Book) -> desk.Made:
    return desk.rotate(reader, book, MASTER, book.card("c-0"), "li", held(reader), quiet)


def is_ours(card: Ntag424, wanted: dict[int, bytes] = OURS) -> bool:
    written = layout(DEFAULT_LINK)
    told = card.settings[NDEF].told()
    settings = told[1:4] + told[7:] == written.settings and card.settings[PROPRIETARY].rights == 0
    return card.keys == wanted and settings and bytes(card.files[NDEF]) == written.content


def frozen(card: Ntag424) -> Any:
    return dict(card.keys), dict(card.settings), {n: bytes(content) for n, content in card.files.items()}


def steps(rotated: bool = False) -> int:
    """How many APDUs it takes."""
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    if rotated:
        card.back()
        rotate(Bench(card), book)
    return card.apdus


def test_a_card_from_the_factory_becomes_one_of_the_site() -> None:
    card, book = Pulled(), Book()
    made = enrol(Bench(card), book)
    assert is_ours(card)
    assert (made.card, made.kind, made.number, made.key_version, made.counter) == ("c-0", CardKind.NTAG424, "..e680", 1, 2)
    assert [name for name, _ in book.told] == ["cards.check", "cards.find", "cards.enrol"]
    told = book.of("cards.enrol")[0]
    assert told["keys"] == {"file": OURS[2].hex(), "app3": OURS[3].hex()} and told["meta"] == META.hex()
    text = link_of(read_link(held(Bench(card))))
    assert text.startswith("https://tap.invalid/t?picc_data=")
    assert sun.verify(text, [META], lambda uid: OURS[2] if uid == UID else None).counter == 3


class Ring:
    """The gateway's keys, made of nothing but what the desk told it."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def metas(self) -> Sequence[bytes]:
        return [bytes.fromhex(self._book.meta or "")]

    def card_by_uid(self, uid: bytes) -> Card | None:
        known = self._book.cards.get(uid.hex())
        if known is None:
            return None
        return Card(known["id"], known["site"], CardKind(known["kind"]), CardRole(known["role"]), known["holder"])

    def file_keys(self, card: Card) -> Sequence[bytes]:
        return [bytes.fromhex(given["file"]) for given in self._book.card(card.id)["keys"].values()]


def shown_by(card: Ntag424, book: Book) -> Evidence:
    """What a tap at a reader in a home is worth to the gateway."""
    text = link_of(read_link(held(Bench(card)))).partition("?")[2]
    tap = Tap("yunhe", "door-1", "3-2-701", 1, 1, 10**18, 10**18, "ntp", 0, 1.0, "sun", text)
    return evidence(tap, Ring(book))


def test_the_gateway_reads_a_new_card_with_what_it_was_told_and_no_more() -> None:
    card, book = Pulled(), Book()
    assert enrol(Bench(card), book).counter == 2
    found = shown_by(card, book)
    assert (found.grade, found.problem, found.counter) == (Grade.STRONG, None, 3)
    assert found.card is not None and found.card.holder == "courier-3"
    rotate(Bench(card), book)
    assert shown_by(card, book).grade is Grade.STRONG


def test_what_the_gateway_is_given_cannot_change_a_card() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    given = {bytes.fromhex(key) for key in (*book.of("cards.enrol")[0]["keys"].values(), META.hex())}
    assert not given & {OURS[0], OURS[4], MASTER}
    rights = [card.settings[NDEF].write, (card.settings[NDEF].change,), card.settings[PROPRIETARY].read]
    assert {right for some in rights for right in some} == {0}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, steps() + 1))
def test_a_card_pulled_away_at_any_moment_is_made_when_it_is_held_again(at: int, after: bool) -> None:
    card, book = Pulled(), Book()
    reader = Bench(card)
    card.pull(at, after)
    with pytest.raises(CardLost):
        enrol(reader, book)
    assert all(card.keys[n] in (ZERO, OURS[n]) for n in range(5))
    assert card.keys[0] == ZERO or is_ours(card)
    assert not book.of("cards.enrol")
    card.back()
    assert enrol(reader, book).card == "c-0"
    assert is_ours(card) and card.failed < 30


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, steps(rotated=True) + 1))
def test_a_card_pulled_away_while_its_keys_are_rotated_is_read_by_the_gateway_at_every_moment(at: int, after: bool) -> None:
    card, book = Pulled(), Book()
    reader = Bench(card)
    enrol(reader, book)
    card.pull(at, after)
    with pytest.raises(CardLost):
        rotate(reader, book)
    card.back()
    read = {bytes.fromhex(given["file"]) for given in book.card("c-0")["keys"].values()}
    assert card.keys[2] in read
    assert all(card.keys[n] in (OURS[n], NEXT[n]) for n in range(5))
    before = card.counter
    made = rotate(reader, book)
    # Cut after its last key it is a finished card, and rotating it again is another rotation.
    wanted = keyset(MASTER, "yunhe", UID, made.key_version).by_number
    assert made.key_version in (2, 3) and is_ours(card, dict(enumerate(wanted)))
    assert list(book.card("c-0")["keys"]) == [made.key_version]
    assert card.counter > before, "a counter that begins again would look like a copy"


def test_pulled_away_many_times_in_a_row_it_still_ends_well() -> None:
    card, book = Pulled(), Book()
    reader = Bench(card)
    for at in (*range(9, 60, 7), 0):
        card.pull(at, after=at % 2 == 0)
        try:
            enrol(reader, book)
        except CardLost:
            card.back()
    assert is_ours(card)


def test_patience_goes_on_by_itself_when_the_same_card_comes_back() -> None:
    card, book = Pulled(), Book()
    reader, said = Bench(card), []
    card.pull(31, after=True)

    def say(text: str) -> None:
        said.append(text)
        if text == "pulled":
            card.back()

    made = desk.patiently(reader, 30.0, say, lambda there: desk.enrol(reader, book, MASTER, WISH, there, say))
    assert made.card == "c-0" and is_ours(card) and "pulled" in said


def test_a_card_of_another_master_is_left_as_it_is() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    before = frozen(card)
    with pytest.raises(Rejected, match=r"foreign_card.*nothing was written"):
        enrol(Bench(card), Book(), master=bytes(16))
    assert frozen(card) == before


def test_a_master_that_is_not_the_sites_writes_nothing() -> None:
    card, book = Pulled(), Book(meta=keys.meta_key(bytes(16), "yunhe").hex())
    before = frozen(card)
    with pytest.raises(Rejected, match="other_master"):
        enrol(Bench(card), book)
    assert frozen(card) == before and not card.failed


def test_a_gateway_that_is_away_leaves_the_card_as_it_was() -> None:
    card, book = Pulled(), Book()
    before, book.away_at = frozen(card), "cards.check"
    with pytest.raises(Unavailable):
        enrol(Bench(card), book)
    assert frozen(card) == before


def test_a_gateway_that_goes_away_before_the_end_is_told_the_next_time() -> None:
    card, book = Pulled(), Book()
    book.away_at = "cards.enrol"
    with pytest.raises(Unavailable, match="do the same again"):
        enrol(Bench(card), book)
    assert is_ours(card)
    before = frozen(card)
    assert enrol(Bench(card), book).card == "c-0"
    assert frozen(card) == before


def test_half_a_card_of_another_master_is_refused_too() -> None:
    card, book = Pulled(), Book()
    card.pull(steps() * 2 // 3, after=True)
    with pytest.raises(CardLost):
        enrol(Bench(card), book, master=bytes(range(1, 17)))
    card.back()
    assert card.keys[0] == ZERO != card.keys[1]
    before = frozen(card)
    with pytest.raises(Rejected, match="foreign_card"):
        enrol(Bench(card), book)
    assert frozen(card) == before


def test_a_card_in_lrp_mode_is_told_so() -> None:
    with pytest.raises(Rejected, match="LRP"):
        enrol(Bench(Ntag424(UID, url=None, mode=Mode.LRP)), Book())


def test_a_card_without_master_is_not_begun() -> None:
    with pytest.raises(Misconfigured, match="master"):
        enrol(Bench(Pulled()), Book(), master=None)


def test_a_card_that_shows_a_random_number_is_made_under_its_real_one() -> None:
    card, book = Pulled(random_uid=True), Book()
    made = enrol(Bench(card), book)
    assert (made.number, list(book.cards)) == ("..e680", [UID.hex()]) and is_ours(card)
    assert enrol(Bench(card), book).card == made.card, "and it is known again by its code"
    foreign = Ntag424(UID, Secrets(application={0: bytes(range(16))}), url=None, random_uid=True)
    with pytest.raises(Rejected, match="hidden_number"):
        enrol(Bench(foreign), book)


def test_a_card_of_somebody_else_is_not_given_to_another() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    with pytest.raises(Rejected, match=r"card_in_use.*courier-3"):
        enrol(Bench(card), book, desk.Wish("yunhe", CardRole.COURIER, "courier-4", "li", DEFAULT_LINK))


def test_a_revoked_card_gets_new_keys_and_its_counter_goes_on() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    book("cards.revoke", card="c-0", by="li", reason="lost")
    with pytest.raises(Rejected, match="card_revoked"):
        enrol(Bench(card), book)
    again = desk.Wish("yunhe", CardRole.COURIER, "courier-4", "li", DEFAULT_LINK, again=True)
    made = enrol(Bench(card), book, again)
    assert made.key_version == 2 and is_ours(card, NEXT) and made.counter == 4
    longer = desk.Wish("yunhe", CardRole.COURIER, "courier-4", "li", "https://tap.example.org/t", again=True)
    before = frozen(card)
    with pytest.raises(Rejected, match="counter_would_restart"):
        enrol(Bench(card), book, longer)
    assert frozen(card) == before


def test_a_gateway_that_lost_its_memory_learns_the_keys_that_the_card_has() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    rotate(Bench(card), book)
    anew = Book()
    assert enrol(Bench(card), anew).key_version == 2
    assert anew.of("cards.enrol")[0]["keys"]["file"] == NEXT[2].hex()


def test_rotating_tells_the_gateway_before_the_card_and_again_at_the_end() -> None:
    card, book = Pulled(), Book()
    enrol(Bench(card), book)
    book.told.clear()
    assert rotate(Bench(card), book).key_version == 2
    assert is_ours(card, NEXT) and card.key_versions[0] == 2
    assert [told["done"] for told in book.of("cards.rekey")] == [False, True]
    with pytest.raises(Rejected, match="another_card"):
        rotate(Bench(Pulled(bytes.fromhex("04111111111180"))), book)
