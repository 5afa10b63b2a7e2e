"""Keys of cards come from one master and tell nothing about each other; a maker's signature is that of its number."""

from itertools import combinations

import pytest
from ecdsa import SECP128r1, SigningKey
from ecdsa.util import sigencode_string

from edge_gateway.nfc import keys, originality

MASTER = bytes(range(16))
UID = bytes.fromhex("04A1B2C3D4E5F6")


def test_every_card_number_version_and_purpose_has_a_key_of_its_own() -> None:
    found = {
        keys.derive(MASTER, what, uid, key_no, version)
        for what in (keys.FILE, keys.APP)
        for uid in (UID, bytes(7))
        for key_no in range(5)
        for version in (1, 2, 255)
    }
    metas = {keys.meta_key(MASTER, "wutong"), keys.meta_key(MASTER, "wutong", 2), keys.meta_key(MASTER, "wuton")}
    assert len(found | metas) == 2 * 2 * 5 * 3 + 3


def test_a_key_stays_what_it_is_from_one_release_to_the_next() -> None:
    # Cards in the field carry these: a change here locks everybody out.
    assert keys.derive(MASTER, keys.FILE, UID, 2, 1).hex() == "335ffa1f72107bafc70963ae6f892a80"
    assert keys.derive(MASTER, keys.APP, UID).hex() == "5dc09e20b42ee24ac6f0117b4e2bd421"
    assert keys.meta_key(MASTER, "wutong").hex() == "ec3148d1c22876e6067b6553eda29fe0"


def test_each_number_of_a_card_has_its_key_and_the_meta_key_is_the_sites() -> None:
    assert keys.card_key(MASTER, UID, keys.FILE_NO, 3) == keys.derive(MASTER, keys.FILE, UID, 2, 3)
    assert keys.card_key(MASTER, UID, keys.LIVE_NO, 1) == keys.derive(MASTER, keys.APP, UID, 3, 1)
    assert len({keys.card_key(MASTER, UID, n, 1) for n in (0, 2, 3, 4)}) == 4
    with pytest.raises(ValueError, match="meta_key"):
        keys.card_key(MASTER, UID, keys.META_NO, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        (MASTER[:15], keys.FILE, UID, 0, 1),
        (MASTER, "else", UID, 0, 1),
        (MASTER, keys.FILE, UID, 5, 1),
        (MASTER, keys.FILE, UID, 0, 0),
        (MASTER, keys.FILE, UID, 0, 256),
        (MASTER, keys.FILE, b"", 0, 1),
    ],
)
def test_a_key_that_could_not_be_derived_again_is_not_derived(arguments: tuple[bytes, str, bytes, int, int]) -> None:
    with pytest.raises(ValueError, match=r"master of|key '"):
        keys.derive(*arguments)


def test_the_signature_of_a_real_tag_is_genuine() -> None:
    # A tag that a public Dart package, nxp_originality_verifier, carries as its test.
    uid = bytes.fromhex("04AB87F2CA1190")
    signature = bytes.fromhex("67b1750bccEB1174f9a33bf20e0226551a6366939b31f949848c3c087350fa90")
    assert originality.is_genuine(uid, signature)
    for n in range(7):
        assert not originality.is_genuine(uid[:n] + bytes([uid[n] ^ 1]) + uid[n + 1 :], signature)
    for n in range(32):
        assert not originality.is_genuine(uid, signature[:n] + bytes([signature[n] ^ 0x80]) + signature[n + 1 :])


def test_other_makers_have_other_keys() -> None:
    ours, other = SigningKey.generate(curve=SECP128r1), SigningKey.generate(curve=SECP128r1)
    signature = ours.sign_digest(UID, sigencode=sigencode_string)
    points = [key.verifying_key.to_string("uncompressed") for key in (ours, other)]
    assert originality.is_genuine(UID, signature, points)
    assert not originality.is_genuine(UID, signature, points[1:])
    assert not originality.is_genuine(UID, signature)


@pytest.mark.parametrize("signature", [b"", bytes(32), b"\xff" * 32, bytes(31), bytes(33)])
def test_what_is_no_signature_is_not_genuine(signature: bytes) -> None:
    assert not originality.is_genuine(UID, signature)


def test_a_public_key_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="secp128r1"):
        originality.is_genuine(UID, bytes(32), [b"\x04" + bytes(32)])


def test_no_pair_of_purposes_shares_its_input() -> None:
    texts = [keys.derive(MASTER, what, UID) for what in (keys.META, keys.FILE, keys.APP)]
    assert all(a != b for a, b in combinations(texts, 2))
