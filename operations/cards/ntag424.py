"""Making an NTAG 424 DNA ours: keys, settings, link, in an order that a card taken away at any moment survives.

Before anything is written every key of the card is known: each is the factory's or one that the master gives. Then each step is
one command that the card does whole or not at all, and each is skipped where it is done already: to run it again goes on where
it stopped. Key 0 comes last, so that a card is ours only when all the rest is.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc import ev2, keys, sun
from edge_gateway.nfc.ev2 import Authentication
from edge_gateway.nfc.secured import CommMode, Tag, apdu
from operations.cards.layout import (
    CARD,
    FILE,
    LIVE,
    META,
    NDEF_FILE,
    NDEF_SIZE,
    PRIVATE_FILE,
    PRIVATE_SETTINGS,
    SPARE,
    Layout,
    link_of,
    settings_of,
)
from operations.cards.reader import Card, CardLost, Reader, find_again

FACTORY: Final = bytes(16)
_SELECT_NDEF: Final = bytes.fromhex("00A4000C02E104")
_GET_KEY_VERSION: Final = 0x64
_READ_ALL: Final = bytes.fromhex("00B0000000")
_FOREIGN: Final = (
    "its key {} is neither the factory's nor one of this master: made with another master, or elsewhere; nothing was written"
)
_RESTART: Final = (
    "with a link of another length its counter would begin at 0 again, and its taps would look like copies of old ones: "
    "leave its link (--link) as it is, or take a new card"
)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Keyset:
    """The five keys of one card at one version, by number."""

    version: int
    by_number: tuple[bytes, bytes, bytes, bytes, bytes]

    @property
    def for_gateway(self) -> dict[str, str]:
        """What the gateway is given, in hex: enough to check readings and to ask live, not enough to change the card."""
        return {"file": self.by_number[FILE].hex(), f"app{LIVE}": self.by_number[LIVE].hex()}


def keyset(master: bytes, site: str, uid: bytes, version: int) -> Keyset:
    """The keys that this master gives a card."""

    card, file, live, spare = (keys.card_key(master, uid, number, version) for number in (CARD, FILE, LIVE, SPARE))
    return Keyset(version, (card, keys.meta_key(master, site), file, live, spare))


@dataclass(frozen=True, slots=True)
class Proved:
    """
    counter: of the last reading, SDMReadCtr.
    link: what stands on the card, without its codes.
    """

    counter: int
    link: str


def enter(card: Card, number: int, key: bytes) -> Tag | None:
    """An authenticated session; None: the card has another key there.

    Raises:
        Rejected: the card refuses for another reason.
        CardLost
    """
    question = Authentication(number, key, secrets.token_bytes(16))
    while (command := question.command()) is not None:
        try:
            question.take(card.exchange(command))
        except Rejected as error:
            if error.reason in ("wrong_key", "not_this_card"):
                return None
            if error.reason in ("lrp_mode", "denied"):
                raise Rejected("lrp_mode", "the card is in LRP mode; the desk makes cards in AES mode") from error
            if error.reason == "delayed":
                raise Rejected("delayed", "after many wrong keys the card wants a pause; try again") from error
            raise
    assert question.session is not None
    return Tag(card.exchange, question.session)


def real_uid(reader: Reader, card: Card, metas: Iterable[bytes]) -> bytes:
    """The number of a card that shows a random one.

    Raises:
        Rejected: it tells it to nobody who has only these keys.
    """
    tag = enter(card, CARD, FACTORY)
    if tag is not None:
        return tag.uid()
    text = link_of(read_link(find_again(reader, card.uid)))
    found = sun.identify(text, metas) if "?" in text else None
    if found is None:
        raise Rejected("hidden_number", "the card shows a random number, and none of our keys opens it: made elsewhere")
    return found.uid


def keys_on_card(reader: Reader, uid: bytes, candidates: Mapping[int, Iterable[bytes]]) -> dict[int, bytes]:
    """Which key the card holds at each number; nothing is written.

    Args:
        uid: as the reader shows it.
    Raises:
        Rejected: `foreign_card`: none of the candidates.
    """
    found: dict[int, bytes] = {}
    for number, known in candidates.items():
        likely = list(dict.fromkeys(known))
        if found and found[CARD] == FACTORY and FACTORY in likely:
            # A wrong guess counts on the card: what is probably new is asked for the factory's key first.
            likely = [FACTORY, *(key for key in likely if key != FACTORY)]
        key = next((key for key in likely if enter(find_again(reader, uid), number, key) is not None), None)
        if key is None:
            raise Rejected("foreign_card", _FOREIGN.format(number))
        found[number] = key
    return found


def personalise(
    reader: Reader, uid: bytes, wanted: Keyset, others: Iterable[Keyset], written: Layout, say: Say, may_restart: bool = True
) -> None:
    """Bring the card to `wanted` and `written`, from whatever of our states it is in.

    Args:
        uid: as the reader shows it.
        others: keysets it may hold besides those and the factory's.
        may_restart: the counter of its codes may begin at 0 again, as it does when their settings are written.
    Raises:
        Rejected: `foreign_card`, `counter_would_restart`: nothing was written.
        CardLost: run it again.
    """
    known = [wanted, *others]
    candidates = {n: [*(one.by_number[n] for one in known), FACTORY] for n in (CARD, META, FILE, LIVE, SPARE)}
    there = keys_on_card(reader, uid, candidates)
    tag = _as_master(reader, uid, there[CARD])
    settings = settings_of(tag.file_settings(NDEF_FILE))
    if settings != written.settings and not may_restart:
        raise Rejected("counter_would_restart", _RESTART)
    for number in (META, FILE, LIVE, SPARE):
        if there[number] != wanted.by_number[number]:
            say(f"key {number}")
            tag.change_key(number, wanted.by_number[number], wanted.version, there[number])
    if settings_of(tag.file_settings(PRIVATE_FILE)) != PRIVATE_SETTINGS:
        say("the private file")
        tag.change_file_settings(PRIVATE_FILE, PRIVATE_SETTINGS)
    if settings != written.settings:
        say("settings of the codes")
        tag.change_file_settings(NDEF_FILE, written.settings)
    _write_link(tag, written, say)
    if there[CARD] != wanted.by_number[CARD]:
        say("key 0")
        tag.change_key(CARD, wanted.by_number[CARD], wanted.version, there[CARD])
    _as_master(reader, uid, wanted.by_number[CARD])


def versions(reader: Reader, uid: bytes) -> tuple[int, int]:
    """The versions that the card tells of its keys 0 and 2; 0 as delivered, or where it does not say. Only a hint: no MAC."""
    card = find_again(reader, uid)
    try:
        ev2.expect(card.exchange(ev2.SELECT_APPLICATION), ev2.SELECTED)
        told = [ev2.expect(card.exchange(apdu(_GET_KEY_VERSION, bytes((n,)))), ev2.DONE) for n in (CARD, FILE)]
    except Rejected:
        return 0, 0
    return (told[0][0], told[1][0]) if all(told) else (0, 0)


def _as_master(reader: Reader, uid: bytes, key: bytes) -> Tag:
    tag = enter(find_again(reader, uid), CARD, key)
    if tag is None:
        raise CardLost("the card did not take its key; hold it again")
    return tag


def _write_link(tag: Tag, written: Layout, say: Say) -> None:
    """First its length as 0, last its length: a card taken away in between holds no message rather than half of one."""
    if tag.read(NDEF_FILE, 0, NDEF_SIZE, CommMode.PLAIN) == written.content:
        return
    say("the link")
    tag.write(NDEF_FILE, 0, bytes(2), CommMode.PLAIN)
    tag.write(NDEF_FILE, 2, written.content[2:], CommMode.PLAIN)
    tag.write(NDEF_FILE, 0, written.content[:2], CommMode.PLAIN)


def read_link(card: Card) -> bytes:
    """The NDEF file as any phone reads it: a new code each time.

    Raises:
        Rejected: it cannot be read.
        CardLost
    """
    for command in (ev2.SELECT_APPLICATION, _SELECT_NDEF):
        ev2.expect(card.exchange(command), ev2.SELECTED)
    return ev2.expect(card.exchange(_READ_ALL), ev2.SELECTED)


def prove(reader: Reader, shown: bytes, uid: bytes, held: Keyset) -> Proved:
    """Read the card twice as a phone would, check both codes as the gateway does, and ask it the live question.

    Args:
        shown: the number as the reader shows it.  uid: the real one.
    Raises:
        Rejected: `not_proved`, with what was wrong.
        CardLost
    """
    counters = []
    text = ""
    for _ in range(2):
        text = link_of(read_link(find_again(reader, shown)))
        try:
            found = sun.verify(text, [held.by_number[META]], lambda seen: held.by_number[FILE] if seen == uid else None)
        except Rejected as error:
            raise Rejected("not_proved", f"the card is written, but its code is wrong ({error}); write it again") from error
        counters.append(found.counter)
    if counters[1] <= counters[0]:
        raise Rejected("not_proved", f"the card's counter stands still at {counters[0]}; take another card")
    if enter(find_again(reader, shown), LIVE, held.by_number[LIVE]) is None:
        raise Rejected("not_proved", "the card does not answer the live question; write it again")
    return Proved(counters[1], text.partition("?")[0])
