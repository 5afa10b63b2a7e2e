"""What the proof of one tap is worth by arithmetic alone: which card, which reading of it, how hard to fake. Pure.

Nothing of history here: whether the reading was seen before, or the card revoked, is judged with this in hand (`judge.py`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Former:
    """What a card's number stood for before: a card that was given to somebody else since, or keys that were changed.

    Attributes:
        card: whose it was then, as the ledger has it now.
        keys: for readings; none of a card without.
        until_ns: since then it is otherwise.
    """

    card: Card
    keys: Sequence[bytes]
    until_ns: int


FormerOf = Callable[[bytes], Sequence[Former]]


def _nothing(uid: bytes) -> Sequence[Former]:
    return ()


def evidence(
    tap: Tap, ring: KeyRing, makers: Iterable[bytes] = (originality.NTAG21X,), former: FormerOf = _nothing
) -> Evidence:
    """What this tap shows.

    Args:
        makers: public keys whose signature over a number counts.
        former: UID -> what it stood for before. A tap that waited in a reader while its card was changed or given to another
            is proved by the keys of its time, and is its holder's of that time.
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
        return _of_code(tap, shown, ring, former)
    if isinstance(shown, Signed):
        return _of_signature(shown, _then(tap, shown.uid, ring, former), tuple(makers))
    return _of_number(shown, _then(tap, shown.uid, ring, former))


def _then(tap: Tap, uid: bytes, ring: KeyRing, former: FormerOf) -> Card | None:
    """The card that had this number when it was tapped."""
    card = ring.card_by_uid(uid)
    if card is None or tap.time_ns >= card.enrolled_ns:
        return card
    before = [one for one in former(uid) if one.card.id != card.id and tap.time_ns < one.until_ns]
    return min(before, key=lambda one: one.until_ns).card if before else card


def _of_code(tap: Tap, shown: Sun, ring: KeyRing, former: FormerOf) -> Evidence:
    metas = ring.metas()
    found = sun.identify(shown, metas, lambda uid: ring.card_by_uid(uid) is not None)
    card = ring.card_by_uid(found.uid) if found is not None else None
    if found is None or card is None:
        sun.check_nobody(shown)
        if found is None:
            # Without any key, as after a loss of the ledger, nobody can say whose card it is.
            return Evidence(Grade.NONE, problem=Reason.NOT_OUR_CARD if metas else Reason.UNKNOWN_CARD)
        return Evidence(Grade.NONE, uid=found.uid.hex(), problem=Reason.UNKNOWN_CARD)
    uid, keys = found.uid.hex(), ring.file_keys(card)
    if any(sun.check(found, key, _MODES.get(card.kind)) for key in keys):
        return Evidence(_grade(tap, card), card, uid, found.counter)
    for old in former(found.uid):
        if any(sun.check(found, key, _MODES.get(old.card.kind)) for key in old.keys):
            # Good at its time. After it somebody has kept the keys or a copy; a phone says any time it likes.
            problem = None if tap.time_ns < old.until_ns and tap.device != PHONE else Reason.CLONED_CARD
            return Evidence(_grade(tap, old.card), old.card, uid, found.counter, problem=problem)
    if not keys:
        # Enrolled by its number only. That number came encrypted, or anybody could have written it.
        sun.check_nobody(shown)
        return Evidence(Grade.WEAK if found.encrypted else Grade.NONE, card, uid, problem=Reason.WEAKER_PROOF)
    return Evidence(Grade.NONE, card, uid, problem=Reason.BAD_CODE)


def _grade(tap: Tap, card: Card) -> Grade:
    fixed = tap.place != "" and tap.device != PHONE
    return Grade.STRONG if fixed and card.role in _CARRIED else Grade.MEDIUM


def _of_signature(shown: Signed, card: Card | None, makers: tuple[bytes, ...]) -> Evidence:
    genuine = originality.is_genuine(shown.uid, shown.signature, makers)
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


def _of_number(shown: Bare, card: Card | None) -> Evidence:
    uid = shown.uid.hex()
    if card is None:
        return Evidence(Grade.WEAK, uid=uid, problem=Reason.UNKNOWN_CARD)
    return Evidence(Grade.WEAK, card, uid, problem=None if card.kind is CardKind.UID else Reason.WEAKER_PROOF)
