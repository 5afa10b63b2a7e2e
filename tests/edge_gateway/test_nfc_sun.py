"""The gateway verifies what NXP's application notes, recorded tags and the shared vectors show, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.errors import Rejected
from edge_gateway.nfc import aes, lrp, sun, tag_text
from edge_gateway.nfc.tag_text import Mode
from firmware.sim.board.nfc import sun as card

ZERO = bytes(16)
A = "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"
ENC_B = "CEE9A53E3E463EF1F459635736738962"
B = f"picc_data=FD91EC264309878BE6345CBE53BADF40&enc={ENC_B}&cmac="
C = "uid=041E3C8A2D6B80&ctr=000006&cmac=4B00064004B0B3D3"
META = bytes.fromhex("00112233445566778899aabbccddeeff")
FILE = bytes.fromhex("0f1e2d3c4b5a69788796a5b4c3d2e1f0")
LRP = "picc_data=1122334455667788C988D89A0E69929225B68561BB95BA3D"
LRP_ENC = "A9D435398C25B43B37EC6FE8412BDFD5"


def verified(text: str, meta: bytes = ZERO, key: bytes = ZERO, mode: Mode | None = None) -> sun.Identified:
    return sun.verify(text, [meta], lambda uid: key, mode)


def reason(text: str, meta: bytes = ZERO, key: bytes = ZERO) -> str:
    with pytest.raises(Rejected) as error:
        verified(text, meta, key)
    return error.value.reason


def test_cmac_is_that_of_rfc_4493() -> None:
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    text = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    assert aes.mac(key, b"").hex() == "bb1d6929e95937287fa37d129b756746"
    assert aes.mac(key, text[:16]).hex() == "070a16b46b4d4144f79bdd9dd04a287c"
    assert aes.mac(key, text).hex() == "dfa66747de9ae63030ca32611497c827"


def test_vector_a_step_by_step() -> None:
    code = sun.read(A)
    assert aes.decrypt(ZERO, code.picc).hex() == "c704de5f1eacc0403d0000da5cf60941"
    found = sun.identify(code, [ZERO])
    assert found is not None
    assert (found.uid.hex().upper(), found.counter, found.mode, found.encrypted) == ("04DE5F1EACC040", 61, Mode.AES, True)
    key = sun.mac_key(ZERO, found.uid, found.counter)
    assert key.hex() == "3fb5f6e3a807a03d5e3570ace393776f"
    full = aes.mac(key, b"")
    assert full.hex() == "e194c7ee12d9f7ee8a65c8331b704386"
    assert aes.sent(full).hex() == "94eed9ee65337086"
    assert sun.check(found, ZERO)
    assert sun.file_data(found, ZERO) == b""


def test_vector_b_with_file_data() -> None:
    found = verified(B + "ECC1E7F6C6C73BF6")
    assert (found.uid.hex().upper(), found.counter) == ("04958CAA5C5E80", 8)
    assert sun.mac_key(ZERO, found.uid, 8).hex() == "3ed0920e5e6a0320d823d5987feafbb1"
    key = sun.enc_key(ZERO, found.uid, 8)
    assert key.hex() == "42132d669442ad43e072c8c0c9828a72"
    assert aes.encrypt_block(key, bytes.fromhex("080000") + bytes(13)).hex() == "0ad3eb2717a58332cbc8899bbecbd411"
    assert sun.file_data(found, ZERO) == b"x" * 16


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("FE4B5238A454BBC6", id="over nothing"),
        pytest.param("4D08508B73679F34", id="over enc without &cmac="),
        pytest.param("3D56C1BD62611919", id="over lower-case enc"),
    ],
)
def test_a_mac_over_anything_else_is_refused(code: str) -> None:
    assert reason(B + code) == "bad_code"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(A.replace("94EED9EE65337086", "e1c712f78ac81b43"), id="even bytes"),
        pytest.param(A.replace("7086", "7087"), id="one bit"),
        pytest.param(C[:-1] + "4", id="plain"),
    ],
)
def test_a_wrong_code_is_refused(text: str) -> None:
    assert reason(text) == "bad_code"


def test_vector_c_the_plain_mirror() -> None:
    found = verified(C)
    assert (found.uid.hex().upper(), found.counter, found.mode, found.encrypted) == ("041E3C8A2D6B80", 6, None, False)
    assert verified("https://tap.example/t?m=041E3C8A2D6B80x000006x4B00064004B0B3D3").counter == 6
    assert reason(C.replace("000006", "000007")) == "bad_code"


def test_the_shared_vectors(data: Path) -> None:
    vectors: list[dict[str, Any]] = json.loads((data / "nfc" / "ntag424_sun.json").read_text())["sdm"]
    assert len(vectors) == 4
    for vector in vectors:
        key, uid, counter = bytes.fromhex(vector["file_key"]), bytes.fromhex(vector["uid"]), vector["read_ctr"]
        if "url" in vector:
            found = verified(vector["url"], bytes.fromhex(vector["meta_key"]), key)
            assert (found.uid, found.counter) == (uid, counter)
            assert sun.file_data(found, key).hex() == (vector["file_data_hex"] or "")
        elif "file_enc" in vector:
            text = f"uid={uid.hex()}&ctr={counter:06x}&enc={vector['file_enc']}&cmac={'0' * 16}"
            read = sun.identify(text, [])
            assert read is not None
            assert sun.file_data(read, key).hex() == vector["file_data_hex"]
        else:
            assert sun.enc_key(key, uid, counter).hex().upper() == vector["session_enc"]
            assert sun.mac_key(key, uid, counter).hex().upper() == vector["session_mac"]


def test_lrp_step_by_step() -> None:
    spread = lrp.tables(META)
    assert spread.plaintexts[0].hex() == "fd915838c447880ee90677a63fb6d1ad"
    assert spread.plaintexts[15].hex() == "8997ae4a296643bbdeb0063b432e305d"
    assert spread.keys[0].hex() == "eea1ba34693fbdd10cc7c999efd30719"
    uid = bytes.fromhex("04A1B2C3D4E5F6")
    key = sun.lrp_key(FILE, uid, 1000)
    assert key.hex() == "c856924244b60d22587ec156df604969"
    assert [k.hex() for k in lrp.tables(key).keys] == ["1a27a9ff93669e1b83b350ae11ce25f4", "19ab2316b5a2f981396220774d55aa4a"]
    assert lrp.mac(lrp.tables(key), b"").hex() == "8c60662a6a65a18b756784d7c926bbdc"
    assert lrp.mac(lrp.tables(key), f"{LRP_ENC}&cmac=".encode()).hex() == "c759bf9c8e056dcef58f3189be00cdd0"


@pytest.mark.parametrize("case", [str.upper, str.lower], ids=["upper", "lower"])
def test_lrp_texts(case: Any) -> None:
    bare = LRP.replace("picc_data=", "")
    found = verified(f"picc_data={case(bare)}&cmac={case('602A658B67D726DC')}", META, FILE)
    assert (found.uid.hex().upper(), found.counter, found.mode) == ("04A1B2C3D4E5F6", 1000, Mode.LRP)
    found = verified(f"picc_data={case(bare)}&enc={case(LRP_ENC)}&cmac={case('599C05CE8F8900D0')}", META, FILE)
    assert sun.file_data(found, FILE) == b"meal=1;grams=420"
    assert reason(f"{LRP}&cmac=602A658B67D726DD", META, FILE) == "bad_code"
    assert reason(f"{LRP}&cmac=602A658B67D726DC", META, META) == "bad_code"


def test_lrp_as_a_real_tag_wrote_it() -> None:
    text = (
        "picc_data=07D9CA2545881D4BFDD920BE1603268C0714420DD893A497&enc=D6E921C47DB4C17C56F979F81559BB83&cmac=F9481AC7D855BDB6"
    )
    found = verified(text)
    assert (found.uid.hex().upper(), found.counter) == ("049B112A2F7080", 4)
    assert sun.file_data(found, ZERO).hex() == "4e5458586237647a3350735959426c55"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(A.lower(), id="lower case"),
        pytest.param("e=EF963FF7828658A599F3041510671E88&c=94EED9EE65337086", id="other names"),
        pytest.param("https://ntag.nxp.com/424?e=EF963FF7828658A599F3041510671E88&c=94EED9EE65337086", id="a whole URL"),
        pytest.param("https://tap.example/t?" + A + "#top", id="a fragment"),
        pytest.param("v=2&" + A, id="something before"),
        pytest.param("  " + A + "\n", id="spaces around"),
        pytest.param("session=0011223344556677&" + A, id="another value as long as a MAC"),
    ],
)
def test_the_same_code_however_it_is_written(text: str) -> None:
    assert verified(text).counter == 61


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("https://tap.example/t?", "empty"),
        ("x" * 1025, "too_long"),
        ("hello", "no_code"),
        ("picc_data=EF96&cmac=94EED9EE65337086", "no_code"),
        ("picc_data=EF963FF7828658A599F3041510671E8G&cmac=94EED9EE65337086", "no_code"),
        ("cmac=94EED9EE65337086&picc_data=EF963FF7828658A599F3041510671E88", "no_code"),
        ("picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE6533708", "no_code"),
        (A + "&cmac=94EED9EE65337086", "two_codes"),
        (A.replace("&cmac", f"&a={ENC_B}&b={ENC_B}&cmac"), "two_codes"),
        (A.replace("&", "&uid=04DE5F1EACC040&ctr=00003D&uid2=04DE5F1EACC041&"), "two_codes"),
        ("http://[", "no_code"),
        ("http://[?a", "no_code"),
        ("04de5f1eacc040", "no_code"),
    ],
)
def test_what_holds_no_code_says_why(text: str, word: str) -> None:
    assert reason(text) == word


def test_a_code_of_another_site_is_not_ours() -> None:
    assert reason(A, meta=bytes([1]) * 16) == "not_ours"


def test_a_card_without_key_is_unknown() -> None:
    with pytest.raises(Rejected, match="unknown_card"):
        sun.verify(A, [ZERO], lambda uid: None)


def test_a_wrong_meta_key_that_makes_sense_by_chance_does_not_hide_the_right_one() -> None:
    code = sun.read(A)
    chance = next(k for n in range(100_000) if aes.decrypt(k := n.to_bytes(16, "big"), code.picc)[0] == 0xC7 and n)
    uid = bytes.fromhex("04DE5F1EACC040")
    found = sun.identify(code, [chance, ZERO], lambda seen: seen == uid)
    assert found is not None and found.uid == uid
    nobody = sun.identify(code, [chance, ZERO], lambda seen: False)
    assert nobody is not None and nobody.uid != uid


def test_a_counter_or_number_that_is_not_mirrored_names_no_reading() -> None:
    for tag in (0x40, 0x87, 0xC4, 0x00):
        picc = aes.encrypt(ZERO, bytes([tag]) + bytes(15)).hex()
        assert sun.identify(f"picc_data={picc}&cmac={'0' * 16}", [ZERO]) is None


keys = st.binary(min_size=16, max_size=16)
URLS = {
    "encrypted": "https://tap.example/t?picc_data={picc}&cmac={cmac}",
    "with file data": "https://tap.example/t?picc_data={picc}&enc={enc}&cmac={cmac}",
    "named otherwise": "https://tap.example/t?p={picc}&f={enc}&v=1&m={cmac}",
    "plain": "https://tap.example/t?uid={uid}&ctr={ctr}&cmac={cmac}",
    "plain with file data": "https://tap.example/t?m={uid}x{ctr}&enc={enc}&c={cmac}",
}


def written(mode: card.Mode, meta: bytes, key: bytes, reading: card.Reading, data: bytes, url: str) -> str:
    """The URL as the simulated card mirrors it."""
    fields = {
        "picc": card.picc_data(mode, meta, reading).hex().upper(),
        "enc": card.file_data(mode, key, reading, data).hex().upper() if data else "",
        "uid": reading.uid.hex().upper(),
        "ctr": f"{reading.counter:06X}",
    }
    covered = url[url.index("{enc}") : url.index("{cmac}")].format(**fields) if data else ""
    return url.format(**fields, cmac=card.mac(mode, key, reading, covered.encode()).hex().upper())


@given(
    uid=st.binary(min_size=7, max_size=7),
    meta=keys,
    key=keys,
    counter=st.integers(1, 0xFFFFFF),
    content=st.integers(1, 4).flatmap(lambda n: st.binary(min_size=16 * n, max_size=16 * n)),
    url=st.sampled_from(sorted(URLS)),
    mode=st.sampled_from(list(Mode)),
    lower=st.booleans(),
)
def test_whatever_a_card_writes_is_verified_and_nothing_else(
    uid: bytes, meta: bytes, key: bytes, counter: int, content: bytes, url: str, mode: Mode, lower: bool
) -> None:
    data = content if "{enc}" in URLS[url] else b""
    text = written(card.Mode[mode.name], meta, key, card.Reading(uid, counter, bytes(13)), data, URLS[url])
    text = text.lower() if lower else text
    found = verified(text, meta, key, mode)
    assert (found.uid, found.counter) == (uid, counter)
    assert sun.file_data(found, key) == data
    other = bytes([key[0] ^ 1]) + key[1:]
    assert not sun.check(found, other)
    assert not sun.check(replace(found, counter=found.counter ^ 1), key)
    assert not sun.check(replace(found, uid=bytes([uid[0] ^ 1]) + uid[1:]), key)


@given(st.text(max_size=200))
def test_no_text_breaks_the_reading_of_it(text: str) -> None:
    try:
        sun.verify(text, [ZERO], lambda uid: ZERO)
    except Rejected as error:
        assert error.reason in {"empty", "too_long", "no_code", "two_codes", "not_ours", "bad_code"}


@given(st.from_regex(r"([a-z_]{0,9}=[0-9A-Fa-fx]{0,70}&?){1,6}", fullmatch=True))
def test_no_query_breaks_the_reading_of_it(text: str) -> None:
    try:
        shown = tag_text.parse(text)
    except Rejected:
        return
    assert isinstance(shown, tag_text.Sun | tag_text.Signed | tag_text.Bare)
