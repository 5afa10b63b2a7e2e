"""What the proof of one tap is worth by arithmetic alone: which card, which reading of it, how hard to fake. Pure.

Nothing of history here: whether the reading was seen before, or the card revoked, is judged with this in hand (`judge.py`).
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from edge_gateway.errors import Rejected
from edge_gateway.nfc import originality, sun, tag_text
from edge_gateway.nfc.tag_text import Bare, Mode, Signed, Sun
from edge_gateway.visits.records import PHONE, Card, CardKind, CardRole, Evidence, Grade, Reason, Tap

# A card of these roles comes to the reader; a tag of the others hangs where anybody can read it as often as he likes.
_CARRIED: Final = frozenset({CardRole.COURIER, CardRole.STAFF, CardRole.ELDER})
_MODES: Final = {CardKind.NTAG424: Mode.AES, CardKind.NTAG424_LRP: Mode.LRP}


class KeyRing(Protocol):
    """The cards and keys of one site."""

    def metas(self) -> Sequence[bytes]:
        """Keys under which cards of this site encrypt their number, the newest first."""

    def card_by_uid(self, uid: bytes) -> Card | None:
        """The enrolled card, revoked or not."""

    def file_keys(self, card: Card) -> Sequence[bytes]:
        """Keys that prove a reading of this card, the newest first; the one before too while it is being changed."""


def evidence(tap: Tap, ring: KeyRing, makers: Iterable[bytes] = (originality.NTAG21X,)) -> Evidence:
    """What this tap shows.

    Args:
        makers: public keys whose signature over a number counts.
    Returns:
        `counter` only where it is proved by the code or, of an NTAG21x, comes with a good signature: a forger must not be
        able to use up a counter of a card that he does not have.
    """
    try:
        shown = tag_text.parse(tap.text)
    except Rejected as error:
        unread = error.reason == "empty"
        return Evidence(Grade.NONE, problem=Reason.CARD_UNREADABLE if unread else Reason.NOT_OUR_CARD)
    if isinstance(shown, Sun):
        return _of_code(tap, shown, ring)
    if isinstance(shown, Signed):
        return _of_signature(shown, ring, tuple(makers))
    return _of_number(shown, ring)


def _of_code(tap: Tap, shown: Sun, ring: KeyRing) -> Evidence:
    found = sun.identify(shown, ring.metas(), lambda uid: ring.card_by_uid(uid) is not None)
    card = ring.card_by_uid(found.uid) if found is not None else None
    if found is None or card is None:
        sun.check_nobody(shown)
        if found is None:
            return Evidence(Grade.NONE, problem=Reason.NOT_OUR_CARD)
        return Evidence(Grade.NONE, uid=found.uid.hex(), problem=Reason.UNKNOWN_CARD)
    uid, keys = found.uid.hex(), ring.file_keys(card)
    if not keys:
        # Enrolled by its number only. That number came encrypted, or anybody could have written it.
        sun.check_nobody(shown)
        return Evidence(Grade.WEAK if found.encrypted else Grade.NONE, card, uid, problem=Reason.WEAKER_PROOF)
    if not any(sun.check(found, key, _MODES.get(card.kind)) for key in keys):
        return Evidence(Grade.NONE, card, uid, problem=Reason.BAD_CODE)
    return Evidence(_grade(tap, card), card, uid, found.counter)


def _grade(tap: Tap, card: Card) -> Grade:
    fixed = tap.place != "" and tap.device != PHONE
    return Grade.STRONG if fixed and card.role in _CARRIED else Grade.MEDIUM


def _of_signature(shown: Signed, ring: KeyRing, makers: tuple[bytes, ...]) -> Evidence:
    genuine = originality.is_genuine(shown.uid, shown.signature, makers)
    card = ring.card_by_uid(shown.uid)
    uid = shown.uid.hex()
    if card is None:
        return Evidence(Grade.WEAK, uid=uid, problem=Reason.UNKNOWN_CARD)
    if card.kind in _MODES:
        return Evidence(Grade.WEAK, card, uid, problem=Reason.WEAKER_PROOF)
    if genuine:
        return Evidence(Grade.MEDIUM, card, uid, shown.counter)
    # A card enrolled for its number alone may be of another maker; one enrolled for its signature has always the same.
    problem = Reason.BAD_CODE if card.kind is CardKind.NTAG21X else None
    return Evidence(Grade.NONE if problem else Grade.WEAK, card, uid, problem=problem)


def _of_number(shown: Bare, ring: KeyRing) -> Evidence:
    card = ring.card_by_uid(shown.uid)
    uid = shown.uid.hex()
    if card is None:
        return Evidence(Grade.WEAK, uid=uid, problem=Reason.UNKNOWN_CARD)
    return Evidence(Grade.WEAK, card, uid, problem=None if card.kind is CardKind.UID else Reason.WEAKER_PROOF)
