"""A release is taken if one of our keys signed its manifest, and if it is one for this device, newer than what was here."""

from app import sign, slots
from releases import FILES, manifest
from scaffold import raises
from signing import NEXT, NEXT_SECRET, OURS, STRANGER, STRANGER_SECRET
from signing import sign as signed

GOOD = manifest()
SIGNATURE = signed(GOOD)


def refused(message, signature, *keys):
    return str(raises(sign.Refused, sign.opened, message, signature, keys))


def test_a_manifest_that_we_signed_is_opened():
    found = sign.opened(GOOD, SIGNATURE, (OURS,))
    assert (found["model"], found["version"], found["image"]) == ("elder_home", "1.1.0", None)
    assert [entry["path"] for entry in found["files"]] == sorted(FILES)
    assert len(found["files"][0]["sha256"]) == 32


def test_the_next_key_is_as_good_as_the_present_one():
    assert sign.opened(GOOD, signed(GOOD, NEXT, NEXT_SECRET), (OURS, NEXT))


def test_a_strangers_signature_and_one_of_something_else_are_refused():
    assert "signature" in refused(GOOD, signed(GOOD, STRANGER, STRANGER_SECRET), OURS, NEXT)
    assert "signature" in refused(GOOD + b" ", SIGNATURE, OURS)


def test_each_flipped_bit_of_some_bytes_of_the_signature_is_noticed():
    for at in (0, 1, 200, 383):
        for bit in (1, 128):
            bad = bytearray(SIGNATURE)
            bad[at] ^= bit
            assert not sign.is_signed(OURS, bytes(bad), GOOD)


def test_a_signature_of_another_length_or_beyond_the_modulus_is_no_signature():
    assert not sign.is_signed(OURS, b"", GOOD)
    assert not sign.is_signed(OURS, SIGNATURE[:-1], GOOD)
    assert not sign.is_signed(OURS, b"\x00" + SIGNATURE, GOOD)
    assert not sign.is_signed(OURS, b"\xff" * 384, GOOD)
    # The same number plus the modulus is the same signature to who forgets to look.
    more = int.from_bytes(SIGNATURE, "big") + OURS
    if more < 1 << 3072:
        assert not sign.is_signed(OURS, more.to_bytes(384, "big"), GOOD)


def test_a_firmware_without_keys_takes_nothing():
    assert "no key" in refused(GOOD, SIGNATURE)


def test_signed_nonsense_is_refused_and_does_not_break_anything():
    for message in (b"", b"[]", b"null", b'{"model":1}', b"\xff\xfe", GOOD.replace(b'"1.1.0"', b'"1.1"'), GOOD[:-40]):
        assert "manifest" in refused(message, signed(message), OURS)


def test_a_path_out_of_the_slot_is_refused():
    for path in (
        "../main.py",
        "app/../../boot.py",
        "/app/x.py",
        "lib/boot.py",
        "app",
        "app/",
        "app/.x",
        "app/a b",
        "app/1/2/3/4",
    ):
        message = manifest({path: b"x"})
        assert "manifest" in refused(message, signed(message), OURS), path


def test_the_same_file_twice_and_nothing_at_all_are_refused():
    twice = GOOD.replace(b"app/empty.py", b"app/main.py")
    assert "manifest" in refused(twice, signed(twice), OURS)
    nothing = manifest({})
    assert "manifest" in refused(nothing, signed(nothing), OURS)


def verdict(installed="1.0.0", floor="1.0.0", model="elder_home", **more):
    message = manifest(**more)
    found = sign.opened(message, signed(message), (OURS,))
    try:
        sign.check(found, model, installed, slots.rank(floor))
    except sign.Refused as error:
        return str(error).split(":")[0]
    return "taken"


def test_a_newer_release_for_this_model_is_taken():
    assert verdict() == "taken"
    assert verdict(installed="1.1.0", floor="1.1.0") == "taken"


def test_a_release_for_another_model_is_refused():
    assert verdict(model="river_probe") == "model"


def test_an_older_release_is_refused_also_when_something_still_older_runs():
    assert verdict(installed="1.2.0") == "older"
    assert verdict(installed="1.0.0", floor="1.1.1") == "older"
    assert verdict(installed="0.9.0", floor="2.0.0") == "older"


def test_a_release_replaces_only_the_versions_it_says():
    assert verdict(low="1.0.1") == "installed"
    assert verdict(high="0.9.9") == "installed"
    assert verdict(low="1.0.0", high="1.0.0") == "taken"


def test_versions_are_compared_as_numbers():
    assert slots.rank("1.10.0") > slots.rank("1.9.9")
    assert sign.text(slots.rank("12.0.345")) == "12.0.345"
    for wrong in ("", "1", "1.2", "1.2.3.4", "1.2.x", "1.2.1000", "-1.2.3", "1..2"):
        raises(ValueError, slots.rank, wrong)
