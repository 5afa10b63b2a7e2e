"""Which card lies on the reader, and what that kind of card can prove."""

from dataclasses import dataclass
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc import ev2, secured
from edge_gateway.visits.records import CardKind
from operations.cards.reader import Card, CardLost, Medium, Reader, find_again, is_random

_NTAG_424: Final = (b"\x04\x04", 0x30)  # maker and type, then the hardware's version
_NTAG_21X: Final = bytes.fromhex("000404")
_SIZES: Final = {0x0F: "213", 0x11: "215", 0x13: "216"}


@dataclass(frozen=True, slots=True)
class Identity:
    """
    uid: the real one where the card tells it; b"" if it hides it.
    name: for people.
    product: third byte from the end of an NTAG21x's version: which size.
    """

    kind: CardKind
    uid: bytes
    name: str
    product: int = 0


def identify(reader: Reader, card: Card) -> Identity:
    """Nothing is written.

    Raises:
        CardLost: it was taken away.
    """
    if card.medium is Medium.APDU:
        return _apdu_card(card)
    if card.medium is Medium.TYPE2:
        return _type2_card(reader, card)
    return Identity(CardKind.UID, card.uid, "a MIFARE Classic or like")


def _apdu_card(card: Card) -> Identity:
    other = Identity(CardKind.UID, b"" if is_random(card.uid) else card.uid, "a chip card that is not ours, or a phone")
    try:
        ev2.expect(card.exchange(ev2.SELECT_APPLICATION), ev2.SELECTED)
        version = secured.version(card.exchange)
    except Rejected:
        return other
    if len(version) < 21 or (version[:2], version[3]) != _NTAG_424:
        return other
    uid = version[14:21]
    return Identity(CardKind.NTAG424, uid if any(uid) else b"", "an NTAG 424 DNA")


def _type2_card(reader: Reader, card: Card) -> Identity:
    try:
        version = card.exchange(b"\x60")
    except CardLost:
        # It refused, and is mute now. Gone, or only of another kind: that it can be found again tells.
        find_again(reader, card.uid)
        return Identity(CardKind.UID, card.uid, "a tag without a proof")
    if len(version) == 8 and version[:3] == _NTAG_21X and version[6] in _SIZES:
        return Identity(CardKind.NTAG21X, card.uid, f"an NTAG{_SIZES[version[6]]}", version[6])
    return Identity(CardKind.UID, card.uid, "a tag without a proof")
