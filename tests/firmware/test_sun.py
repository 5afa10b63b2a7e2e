"""The simulated NTAG 424 DNA computes what NXP's application note, recorded tags and the shared vectors say."""

import json
from pathlib import Path
from typing import Any

import pytest

from firmware.sim.board.nfc import aes, lrp, sun
from firmware.sim.board.nfc.ev2 import CardSide, KeyHolder
from firmware.sim.board.nfc.sun import Mode, Reading

ZERO = bytes(16)
# The padding of the first two was recovered by decrypting what the application note prints.
A = Reading(bytes.fromhex("04DE5F1EACC040"), 61, bytes.fromhex("da5cf60941"))
B = Reading(bytes.fromhex("04958CAA5C5E80"), 8, bytes.fromhex("a243c86dfc"))
ENC_B = "CEE9A53E3E463EF1F459635736738962"

META = bytes.fromhex("00112233445566778899aabbccddeeff")
FILE = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
LRP = Reading(bytes.fromhex("04A1B2C3D4E5F6"), 1000, bytes.fromhex("1122334455667788") + bytes.fromhex("0102030405"))


def test_cmac_is_that_of_rfc_4493() -> None:
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    text = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    assert aes.mac(key, b"").hex() == "bb1d6929e95937287fa37d129b756746"
    assert aes.mac(key, text[:16]).hex() == "070a16b46b4d4144f79bdd9dd04a287c"
    assert aes.mac(key, text).hex() == "dfa66747de9ae63030ca32611497c827"


def test_vector_a_of_the_application_note_step_by_step() -> None:
    assert sun.picc_data(Mode.AES, ZERO, A).hex().upper() == "EF963FF7828658A599F3041510671E88"
    assert sun.session_vector_mac(A.uid, A.counter_bytes).hex() == "3cc30001008004de5f1eacc0403d0000"
    key = sun.session_key_mac(ZERO, A)
    assert key.hex() == "3fb5f6e3a807a03d5e3570ace393776f"
    assert aes.mac(key, b"").hex() == "e194c7ee12d9f7ee8a65c8331b704386"
    assert sun.mac(Mode.AES, ZERO, A, b"").hex().upper() == "94EED9EE65337086"


def test_vector_b_with_file_data() -> None:
    assert sun.picc_data(Mode.AES, ZERO, B).hex().upper() == "FD91EC264309878BE6345CBE53BADF40"
    assert sun.session_key_mac(ZERO, B).hex() == "3ed0920e5e6a0320d823d5987feafbb1"
    assert sun.session_key_enc(ZERO, B).hex() == "42132d669442ad43e072c8c0c9828a72"
    assert sun.file_data(Mode.AES, ZERO, B, b"x" * 16).hex().upper() == ENC_B


@pytest.mark.parametrize(
    ("covered", "mac"),
    [
        (f"{ENC_B}&cmac=", "ECC1E7F6C6C73BF6"),
        ("", "FE4B5238A454BBC6"),
        (ENC_B, "4D08508B73679F34"),
        (f"{ENC_B.lower()}&cmac=", "3D56C1BD62611919"),
    ],
    ids=["right", "nothing covered", "without the name", "lower case"],
)
def test_the_mac_covers_exactly_the_text_between_its_offsets(covered: str, mac: str) -> None:
    assert sun.mac(Mode.AES, ZERO, B, covered.encode()).hex().upper() == mac


def test_vector_c_the_plain_mirror() -> None:
    reading = Reading(bytes.fromhex("041E3C8A2D6B80"), 6, b"")
    assert sun.mac(Mode.AES, ZERO, reading, b"").hex().upper() == "4B00064004B0B3D3"


def test_vectors_d_and_e_session_keys_and_file() -> None:
    reading = Reading(bytes.fromhex("04C767F2066180"), 1, b"")
    key = bytes.fromhex("5ACE7E50AB65D5D51FD5BF5A16B8205B")
    assert sun.session_key_enc(key, reading).hex().upper() == "66DA61797E23DECA5D8ECA13BBADF7A9"
    assert sun.session_key_mac(key, reading).hex().upper() == "3A3E8110E05311F7A3FCF0D969BF2B48"
    reading = Reading(bytes.fromhex("04958CAA5C5E80"), 1, b"")
    iv = aes.block(sun.session_key_enc(ZERO, reading), reading.counter_bytes + bytes(13))
    assert iv.hex() == "7b3f3cfc39d3b7ff5868636e38af7c3a"
    assert sun.file_data(Mode.AES, ZERO, reading, b"x" * 16).hex().upper() == "94592FDE69FA06E8E3B6CA686A22842B"


def test_the_shared_vectors(data: Path) -> None:
    vectors: list[dict[str, Any]] = json.loads((data / "nfc" / "ntag424_sun.json").read_text())["sdm"]
    assert len(vectors) == 4
    for vector in vectors:
        key = bytes.fromhex(vector["file_key"])
        padding = b""
        if "picc_enc" in vector:
            plain = aes.cbc_back(bytes.fromhex(vector["meta_key"]), bytes.fromhex(vector["picc_enc"]))
            padding = plain[11:]
        reading = Reading(bytes.fromhex(vector["uid"]), vector["read_ctr"], padding)
        if "picc_enc" in vector:
            assert sun.picc_data(Mode.AES, bytes.fromhex(vector["meta_key"]), reading).hex().upper() == vector["picc_enc"]
        enc = vector.get("file_enc", "")
        if enc:
            assert sun.file_data(Mode.AES, key, reading, bytes.fromhex(vector["file_data_hex"])).hex().upper() == enc
        if "cmac" in vector:
            covered = f"{enc}&{vector['cmac_param']}=" if enc else ""
            assert sun.mac(Mode.AES, key, reading, covered.encode()).hex().upper() == vector["cmac"]
        if "session_enc" in vector:
            assert sun.session_key_enc(key, reading).hex().upper() == vector["session_enc"]
            assert sun.session_key_mac(key, reading).hex().upper() == vector["session_mac"]


def test_lrp_tables_and_picc_data() -> None:
    spread = lrp.tables(META)
    assert spread.plaintexts[0].hex() == "fd915838c447880ee90677a63fb6d1ad"
    assert spread.plaintexts[15].hex() == "8997ae4a296643bbdeb0063b432e305d"
    assert spread.keys[0].hex() == "eea1ba34693fbdd10cc7c999efd30719"
    sent = sun.picc_data(Mode.LRP, META, LRP)
    assert sent.hex().upper() == "1122334455667788C988D89A0E69929225B68561BB95BA3D"
    assert lrp.decrypt(spread, 0, sent[:8], sent[8:]).hex() == "c704a1b2c3d4e5f6e803000102030405"


def test_lrp_session_key_mac_and_file_data() -> None:
    key = sun.session_key_lrp(FILE, LRP)
    assert key.hex() == "c856924244b60d22587ec156df604969"
    assert [k.hex() for k in lrp.tables(key).keys] == ["1a27a9ff93669e1b83b350ae11ce25f4", "19ab2316b5a2f981396220774d55aa4a"]
    assert lrp.mac(key, b"").hex() == "8c60662a6a65a18b756784d7c926bbdc"
    assert sun.mac(Mode.LRP, FILE, LRP, b"").hex().upper() == "602A658B67D726DC"
    enc = sun.file_data(Mode.LRP, FILE, LRP, b"meal=1;grams=420").hex().upper()
    assert enc == "A9D435398C25B43B37EC6FE8412BDFD5"
    assert lrp.mac(key, f"{enc}&cmac=".encode()).hex() == "c759bf9c8e056dcef58f3189be00cdd0"
    assert sun.mac(Mode.LRP, FILE, LRP, f"{enc}&cmac=".encode()).hex().upper() == "599C05CE8F8900D0"


def test_lrp_as_a_real_tag_wrote_it() -> None:
    sent = bytes.fromhex("07D9CA2545881D4BFDD920BE1603268C0714420DD893A497")
    plain = lrp.decrypt(lrp.tables(ZERO), 0, sent[:8], sent[8:])
    reading = Reading(bytes.fromhex("049B112A2F7080"), 4, sent[:8] + plain[11:])
    assert plain[1:11] == reading.uid + reading.counter_bytes
    assert sun.picc_data(Mode.LRP, ZERO, reading) == sent
    enc = "D6E921C47DB4C17C56F979F81559BB83"
    assert sun.file_data(Mode.LRP, ZERO, reading, bytes.fromhex("4e5458586237647a3350735959426c55")).hex().upper() == enc
    assert sun.mac(Mode.LRP, ZERO, reading, f"{enc}&cmac=".encode()).hex().upper() == "F9481AC7D855BDB6"


def test_the_authentication_of_the_application_note() -> None:
    card = CardSide(ZERO, bytes.fromhex("b9e2fc789b64bf237cccaa20ec7e6e48"), bytes.fromhex("9d00c4df"))
    gateway = KeyHolder(ZERO, bytes.fromhex("13C5DB8A5930439FC3DEF9A4C675360F"))
    challenge = card.challenge()
    assert challenge.hex().upper() == "A04C124213C186F22399D33AC2A30215"
    response = gateway.respond(challenge)
    assert response.hex() == "35c3e05a752e0144bac0de51c1f22c56b34408a23d8aea266cab947ea8e0118d"
    answered = card.answer(response)
    assert answered is not None
    reply, session = answered
    assert reply.hex().upper() == "3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F08120663"
    assert session.encryption.hex() == "1309c877509e5a215007ff0ed19ca564"
    assert session.mac.hex() == "4c6626f5e72ea694202139295c7a7fc7"
    assert gateway.accept(reply) == session


def test_neither_side_accepts_another_key() -> None:
    card = CardSide(ZERO, bytes(range(16)), b"abcd")
    stranger = KeyHolder(bytes([1]) * 16, bytes(16))
    assert card.answer(stranger.respond(card.challenge())) is None
    clone = CardSide(bytes([1]) * 16, bytes(16), b"abcd")
    gateway = KeyHolder(ZERO, bytes(range(16)))
    gateway.respond(clone.challenge())
    assert gateway.accept(bytes(32)) is None
