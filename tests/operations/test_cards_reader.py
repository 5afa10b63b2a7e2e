"""Cards are made through a real driver: nfcpy on a simulated PN532 at a pseudo-terminal, exactly as with one on the desk."""

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.nfc import keys, sun
from edge_gateway.visits.records import CardKind, CardRole
from firmware.sim.board.nfc.faults import Fault
from firmware.sim.board.nfc.pty import PtyPort
from firmware.sim.board.nfc.type2 import MifareClassic, Ntag21x
from operations.cards import desk
from operations.cards.identify import identify
from operations.cards.layout import DEFAULT_LINK, link_of
from operations.cards.ntag424 import keyset, read_link
from operations.cards.reader import Card, CardLost, Medium, Reader, open_reader, wait_for_card, wait_for_removal
from tests.operations.cards_bench import MASTER, UID, Book, Pulled, SimCard
from tests.operations.test_cards_kinds import GENUINE, GENUINE_UID
from tests.operations.test_cards_made import is_ours, quiet, steps

pytestmark = pytest.mark.usefixtures("pseudo_terminals")
WISH = desk.Wish("yunhe", CardRole.COURIER, "courier-3", "li", DEFAULT_LINK)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[PtyPort]:
    with PtyPort(tmp_path) as running:
        yield running


@pytest.fixture
def reader(port: PtyPort) -> Iterator[Reader]:
    with closing(open_reader(f"tty:{port.path}:pn532")) as opened:
        yield opened


def put(port: PtyPort, *cards: SimCard) -> None:
    with port.lock:
        port.field.clear()
        for card in cards:
            port.field.put(card)


def here(reader: Reader) -> Card:
    return wait_for_card(reader, 30)


def enrol(reader: Reader, book: Book, master: bytes | None = MASTER) -> desk.Made:
    """With the patience that the command has: a line that is late on a busy machine is a card to be held again."""
    return desk.patiently(reader, 60, quiet, lambda held: desk.enrol(reader, book, master, WISH, held, quiet))


def test_a_card_is_made_proved_and_rotated_through_the_driver(port: PtyPort, reader: Reader) -> None:
    card, book = Pulled(), Book()
    put(port, card)
    made = enrol(reader, book)
    assert is_ours(card) and made.number == "..e680"
    known = book.card("c-0")
    made = desk.patiently(reader, 60, quiet, lambda held: desk.rotate(reader, book, MASTER, known, "li", held, quiet))
    assert made.key_version >= 2
    text = desk.patiently(reader, 60, quiet, lambda held: link_of(read_link(held)))
    file_key = keyset(MASTER, "yunhe", UID, made.key_version).by_number[2]
    found = sun.verify(text, [keys.meta_key(MASTER, "yunhe")], lambda uid: file_key if uid == UID else None)
    assert found.counter == card.counter


@pytest.mark.parametrize(("at", "after"), [(12, False), (steps() - 2, True)])
def test_a_card_taken_out_of_the_field_is_finished_when_it_is_back(port: PtyPort, reader: Reader, at: int, after: bool) -> None:
    card, book = Pulled(), Book()
    put(port, card)
    card.pull(at, after)
    with pytest.raises(CardLost):
        desk.enrol(reader, book, MASTER, WISH, here(reader), quiet)
    put(port)
    assert reader.find() is None
    card.back()
    put(port, card)
    assert enrol(reader, book).card == "c-0"
    assert is_ours(card)


def test_a_disturbed_line_is_a_card_to_be_held_again_and_nothing_worse(port: PtyPort, reader: Reader) -> None:
    card, book = Pulled(), Book()
    put(port, card)
    here(reader)
    with port.lock:
        port.chip.faults.rate = 0.02
        port.chip.faults.kinds = (Fault.LOSE_ANSWER, Fault.BEND_ANSWER, Fault.LOSE_COMMAND)
    enrol(reader, book)
    assert is_ours(card) and port.chip.faults.happened


def test_an_ntag21x_begins_to_count(port: PtyPort, reader: Reader) -> None:
    card, book = Ntag21x(GENUINE_UID, signature=GENUINE, counts=False), Book()
    put(port, card)
    made = enrol(reader, book, None)
    assert (made.kind, made.counter) == (CardKind.NTAG21X, card.counter)


def test_each_card_is_known_for_what_it_is(port: PtyPort, reader: Reader) -> None:
    for card, kind, medium in (
        (Pulled(), CardKind.NTAG424, Medium.APDU),
        (Ntag21x(UID), CardKind.NTAG21X, Medium.TYPE2),
        (MifareClassic(bytes.fromhex("5a1b2c3d")), CardKind.UID, Medium.NONE),
    ):
        put(port, card)
        held = here(reader)
        assert (held.medium, identify(reader, held).kind) == (medium, kind)


def test_it_waits_for_a_card_and_for_its_removal(port: PtyPort, reader: Reader) -> None:
    with pytest.raises(Unavailable, match="no card within"):
        wait_for_card(reader, 0)
    put(port, Ntag21x(UID))
    assert here(reader).uid == UID
    assert not wait_for_removal(reader, 0)
    put(port)
    assert wait_for_removal(reader, 30)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("com1", Misconfigured, "usb, tty:"),
        ("tty:pn532", Misconfigured, "names no serial reader"),
        ("tty:/dev/null:nonsense", Misconfigured, "no driver"),
        ("tty:/dev/there-is-none:pn532", Unavailable, "cannot be opened"),
    ],
)
def test_a_reader_that_is_not_there_is_told(name: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        open_reader(name)


@pytest.mark.parametrize(("name", "library", "command"), [("usb", "nfc", "desk"), ("pcsc", "smartcard", "pcsc")])
def test_a_missing_library_is_told_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, name: str, library: str, command: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Misconfigured, match=rf"pip install 'kanhu\[{command}\]'"):
        open_reader(name)
