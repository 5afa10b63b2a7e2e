"""What a tap proves by arithmetic alone, for every kind of card, place and text."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from ecdsa import SECP128r1, SigningKey
from ecdsa.util import sigencode_string
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.nfc import keys
from edge_gateway.visits.evidence import Former, evidence
from edge_gateway.visits.records import PHONE, Card, CardKind, CardRole, Evidence, Grade, Reason, Tap
from firmware.sim.board.nfc import sun as card_side

MASTER = bytes(range(16))
META = keys.meta_key(MASTER, "wutong")
UID = bytes.fromhex("04A1B2C3D4E5F6")
MAKER = SigningKey.generate(curve=SECP128r1)
MAKERS = [MAKER.verifying_key.to_string("uncompressed")]


@dataclass
class Ring:
    """The cards of a site in memory."""

    cards: dict[bytes, Card] = field(default_factory=dict)
    keys: dict[str, list[bytes]] = field(default_factory=dict)

    def metas(self) -> Sequence[bytes]:
        return [META]

    def card_by_uid(self, uid: bytes) -> Card | None:
        return self.cards.get(uid)

    def file_keys(self, card: Card) -> Sequence[bytes]:
        return self.keys.get(card.id, [])


def ring(kind: CardKind = CardKind.NTAG424, role: CardRole = CardRole.COURIER, versions: Sequence[int] = (1,)) -> Ring:
    card = Card("c-1", "wutong", kind, role, "courier-1")
    signs = kind in (CardKind.NTAG424, CardKind.NTAG424_LRP)
    return Ring({UID: card}, {"c-1": [keys.derive(MASTER, keys.FILE, UID, 2, v) for v in versions] if signs else []})


def tap(text: str, proof: str = "sun", place: str = "p-1", device: str = "reader-1") -> Tap:
    return Tap("wutong", device, place, 1, 1, 10**18, 10**18, "ntp", 0, 0.1, proof, text)


def code(mode: str = "AES", counter: int = 7, version: int = 1, meta: bytes = META, uid: bytes = UID) -> str:
    """What the card writes at this reading."""
    key = keys.derive(MASTER, keys.FILE, uid, 2, version)
    reading = card_side.Reading(uid, counter, bytes(13))
    picc = card_side.picc_data(card_side.Mode[mode], meta, reading).hex().upper()
    return f"picc_data={picc}&cmac={card_side.mac(card_side.Mode[mode], key, reading, b'').hex().upper()}"


def plain(counter: int = 7) -> str:
    key = keys.derive(MASTER, keys.FILE, UID, 2, 1)
    mac = card_side.mac(card_side.Mode.AES, key, card_side.Reading(UID, counter, b""), b"")
    return f"uid={UID.hex().upper()}&ctr={counter:06X}&cmac={mac.hex().upper()}"


def signed(uid: bytes = UID, counter: int = 7, good: bool = True) -> str:
    signature = MAKER.sign_digest(uid if good else bytes(7), sigencode=sigencode_string)
    return f"uid={uid.hex()}&ctr={counter:06x}&sig={signature.hex()}"


def shown(found: Evidence) -> tuple[Grade, Reason | None, int | None]:
    return found.grade, found.problem, found.counter


@pytest.mark.parametrize("mode", ["AES", "LRP"])
def test_a_code_at_a_fixed_reader_is_strong(mode: str) -> None:
    kind = CardKind.NTAG424 if mode == "AES" else CardKind.NTAG424_LRP
    found = evidence(tap(code(mode)), ring(kind))
    assert shown(found) == (Grade.STRONG, None, 7)
    assert found.uid == UID.hex() and found.card is not None and found.card.id == "c-1"
    assert not found.live


@pytest.mark.parametrize(
    ("role", "place", "device", "grade"),
    [
        pytest.param(CardRole.STAFF, "p-1", "reader-1", Grade.STRONG, id="staff at a fixed reader"),
        pytest.param(CardRole.ELDER, "p-1", "counter", Grade.STRONG, id="elder at the counter"),
        pytest.param(CardRole.COURIER, "", "reader-1", Grade.MEDIUM, id="carried reader"),
        pytest.param(CardRole.PLACE, "p-1", "reader-1", Grade.MEDIUM, id="tag of a place"),
        pytest.param(CardRole.SERVICE, "p-1", "reader-1", Grade.MEDIUM, id="tag of a service"),
        pytest.param(CardRole.COURIER, "p-1", PHONE, Grade.MEDIUM, id="phone"),
    ],
)
def test_a_code_that_others_could_have_read_is_medium(role: CardRole, place: str, device: str, grade: Grade) -> None:
    assert evidence(tap(code(), place=place, device=device), ring(role=role)).grade is grade


def test_a_plain_mirror_is_proved_by_its_code_as_well() -> None:
    assert shown(evidence(tap(plain()), ring())) == (Grade.STRONG, None, 7)


def test_both_key_versions_are_read_while_a_card_is_being_changed() -> None:
    cards = ring(versions=(2, 1))
    assert evidence(tap(code(version=1)), cards).problem is None
    assert evidence(tap(code(version=2)), cards).problem is None
    assert evidence(tap(code(version=3)), cards).problem is Reason.BAD_CODE


def test_a_forged_code_of_our_card_uses_up_no_counter() -> None:
    for text in (code()[:-1] + "0", plain()[:-1] + "0", code(version=9)):
        found = evidence(tap(text), ring())
        assert shown(found) == (Grade.NONE, Reason.BAD_CODE, None)
        assert found.card is not None


def test_a_card_that_nobody_enrolled_is_unknown() -> None:
    stranger = bytes.fromhex("04000000000001")
    assert shown(evidence(tap(code(uid=stranger)), ring())) == (Grade.NONE, Reason.UNKNOWN_CARD, None)
    assert shown(evidence(tap(stranger.hex(), "uid"), ring())) == (Grade.WEAK, Reason.UNKNOWN_CARD, None)
    found = evidence(tap(signed(stranger), "counter_signature"), ring(), MAKERS)
    assert shown(found) == (Grade.WEAK, Reason.UNKNOWN_CARD, None)
    assert found.uid == stranger.hex() and found.card is None


@pytest.mark.parametrize(
    "text",
    [
        code(meta=bytes(16)),
        "picc_data=00&cmac=11",
        "https://example.com/?id=5",
        "hello",
        "%s" * 400,
        "uid=04a1b2c3d4e5f6&ctr=000001&sig=00",
    ],
    ids=["another site's", "cut", "a web page", "a word", "formats", "half a signature"],
)
def test_a_text_that_is_no_card_of_ours_says_so(text: str) -> None:
    assert evidence(tap(text), ring()) == Evidence(Grade.NONE, problem=Reason.NOT_OUR_CARD)


def test_a_gateway_that_lost_the_keys_of_its_site_refuses_nobody() -> None:
    there = ring()
    there.metas = lambda: []  # type: ignore[method-assign]
    for text in (code(), code("LRP")):
        assert evidence(tap(text), there) == Evidence(Grade.NONE, problem=Reason.UNKNOWN_CARD)
    assert evidence(tap("hello"), there).problem is Reason.NOT_OUR_CARD


def test_a_tap_without_text_is_an_unreadable_card() -> None:
    assert evidence(tap("", ""), ring()) == Evidence(Grade.NONE, problem=Reason.CARD_UNREADABLE)


def test_a_number_alone_is_weak_and_too_little_of_a_card_that_can_do_better() -> None:
    text = UID.hex()
    assert shown(evidence(tap(text, "uid"), ring(CardKind.UID))) == (Grade.WEAK, None, None)
    for kind in (CardKind.NTAG424, CardKind.NTAG424_LRP, CardKind.NTAG21X):
        assert shown(evidence(tap(text, "uid"), ring(kind))) == (Grade.WEAK, Reason.WEAKER_PROOF, None)


def test_a_makers_signature_is_medium_and_brings_the_counter() -> None:
    assert shown(evidence(tap(signed(), "counter_signature"), ring(CardKind.NTAG21X), MAKERS)) == (Grade.MEDIUM, None, 7)
    assert shown(evidence(tap(signed(), "counter_signature"), ring(CardKind.UID), MAKERS)) == (Grade.MEDIUM, None, 7)


def test_a_wrong_signature_is_a_forgery_of_a_card_that_had_a_right_one() -> None:
    text = signed(good=False)
    assert shown(evidence(tap(text), ring(CardKind.NTAG21X), MAKERS)) == (Grade.NONE, Reason.BAD_CODE, None)
    # Enrolled by its number, because its maker is unknown.
    assert shown(evidence(tap(text), ring(CardKind.UID), MAKERS)) == (Grade.WEAK, None, None)
    # By default only NXP's own signature counts.
    assert shown(evidence(tap(signed()), ring(CardKind.NTAG21X))) == (Grade.NONE, Reason.BAD_CODE, None)


NOON = 10**18  # when `tap` was made
HOUR = 3_600 * 10**9


def given_on(kind: CardKind, at_ns: int) -> tuple[Ring, Card]:
    """A card that was revoked, and given to another courier with new keys; and what it was before."""
    before = Card("c-1", "wutong", kind, CardRole.COURIER, "courier-1", revoked_ns=at_ns - HOUR)
    there = ring(kind, versions=(2,))
    there.cards[UID] = Card("c-2", "wutong", kind, CardRole.COURIER, "courier-2", 2, at_ns)
    there.keys["c-2"] = there.keys["c-1"]
    return there, before


@pytest.mark.parametrize(
    ("kind", "text", "keys_then"),
    [
        pytest.param(CardKind.NTAG424, code(version=1), [keys.derive(MASTER, keys.FILE, UID, 2, 1)], id="code"),
        pytest.param(CardKind.NTAG21X, signed(), [], id="signature"),
        pytest.param(CardKind.UID, UID.hex(), [], id="number"),
    ],
)
def test_a_tap_that_arrives_after_its_card_was_given_to_another_is_its_holders_of_that_time(
    kind: CardKind, text: str, keys_then: list[bytes]
) -> None:
    there, before = given_on(kind, NOON + HOUR)
    found = evidence(tap(text), there, MAKERS, lambda uid: [Former(before, keys_then, NOON + HOUR)])
    assert found.problem is None and found.card is not None
    assert (found.card.id, found.card.holder) == ("c-1", "courier-1")
    there, before = given_on(kind, NOON - HOUR)
    found = evidence(tap(text), there, MAKERS, lambda uid: [Former(before, keys_then, NOON - HOUR)])
    assert found.card is not None
    if keys_then:  # its old code after that: somebody has a copy, and a person looks
        assert (found.card.id, found.problem, found.counter) == ("c-1", Reason.CLONED_CARD, 7)
    else:
        assert (found.card.id, found.problem) == ("c-2", None)


def test_of_several_holders_before_the_tap_is_that_ones_who_had_the_card_then() -> None:
    there, before = given_on(CardKind.UID, NOON + 3 * HOUR)
    first = Card("c-0", "wutong", CardKind.UID, CardRole.COURIER, "courier-0")
    lives = [Former(before, [], NOON + 3 * HOUR), Former(first, [], NOON + HOUR)]
    for order in (lives, lives[::-1]):
        found = evidence(tap(UID.hex()), there, MAKERS, lambda uid, order=order: order)
        assert found.card == first
    # Nobody had it before: the clock is wrong, or it was tapped before it was enrolled.
    found = evidence(tap(UID.hex()), there, MAKERS)
    assert found.card is not None and found.card.id == "c-2"


def test_a_tap_that_waited_in_a_reader_while_its_card_got_new_keys_is_not_refused() -> None:
    there = ring(versions=(2,))
    old = Former(there.cards[UID], [keys.derive(MASTER, keys.FILE, UID, 2, 1)], NOON + HOUR)
    found = evidence(tap(code(version=1)), there, former=lambda uid: [old])
    assert shown(found) == (Grade.STRONG, None, 7)
    assert evidence(tap(code(version=2)), there, former=lambda uid: [old]).problem is None
    assert evidence(tap(code(version=3)), there, former=lambda uid: [old]).problem is Reason.BAD_CODE
    # A phone may say any time.
    by_phone = evidence(tap(code(version=1), place="", device=PHONE), there, former=lambda uid: [old])
    assert shown(by_phone) == (Grade.MEDIUM, Reason.CLONED_CARD, 7)


def test_a_signature_in_the_place_of_a_code_is_weaker() -> None:
    assert shown(evidence(tap(signed()), ring(), MAKERS)) == (Grade.WEAK, Reason.WEAKER_PROOF, None)


def test_a_card_whose_keys_are_missing_is_never_refused() -> None:
    cards = ring()
    cards.keys.clear()
    assert shown(evidence(tap(code()), cards)) == (Grade.WEAK, Reason.WEAKER_PROOF, None)
    assert shown(evidence(tap(plain()), cards)) == (Grade.NONE, Reason.WEAKER_PROOF, None)


def test_the_readers_word_for_the_proof_changes_nothing() -> None:
    for proof in ("", "uid", "sun", "counter_signature", "else"):
        assert evidence(tap(code(), proof), ring()).grade is Grade.STRONG
        assert evidence(tap(UID.hex(), proof), ring()).problem is Reason.WEAKER_PROOF


@given(st.text(max_size=300), st.sampled_from(["sun", "uid", "counter_signature", ""]))
def test_no_text_of_a_card_breaks_the_judging(text: str, proof: str) -> None:
    assert evidence(tap(text, proof), ring()).grade in (Grade.NONE, Grade.WEAK)


# Where the digits stand: PICC data, and the MAC.
@given(at=st.one_of(st.integers(10, 41), st.integers(48, 63)), digit=st.sampled_from("0123456789ABCDEF"))
def test_no_digit_of_a_code_can_be_changed(at: int, digit: str) -> None:
    text = code()
    bent = text[:at] + digit + text[at + 1 :]
    assert (evidence(tap(bent), ring()).problem is None) == (bent == text)
