"""What a person types on the set-up page becomes settings, or is told what is wrong with it; nothing typed becomes HTML."""

from app import enrol_code, form
from scaffold import raises

CODE = "7K3QX0VMZP2BT"
CODE += enrol_code.check(CODE)
GOOD = {"ssid": "home", "wifi_password": "12345678", "code": "yunhe/home-7/" + CODE, "host": "gateway.lan", "port": "1883"}


def problems(ca="", template=None, known=None, **typed):
    return form.read(dict(GOOD, **typed), template or {}, "elder_home", ca, None, known)[2]


def test_good_input_becomes_settings_and_a_code():
    document, code, wrong = form.read(GOOD, {"pins": {"led": 2}}, "elder_home", "")
    assert wrong == [] and code == CODE
    assert document["wifi"] == [{"ssid": "home", "password": "12345678"}]
    assert document["broker"] == {"host": "gateway.lan", "port": 1883, "tls": False}
    assert (document["site"], document["device"], document["model"]) == ("yunhe", "home-7", "elder_home")
    assert document["pins"] == {"led": 2}


def test_each_mistake_is_told_in_both_languages():
    for typed, words in (
        ({"ssid": ""}, "Wi-Fi network is missing"),
        ({"wifi_password": "1234567"}, "8 to 63"),
        ({"code": ""}, "code is missing"),
        ({"code": "yunhe/home-7"}, "code is missing"),
        ({"code": "yunhe/home-7/" + CODE[:-1]}, "has 14 characters, this has 13"),
        ({"host": ""}, "broker is missing"),
        ({"port": "x"}, "from 1 to 65535"),
        ({"port": "70000"}, "from 1 to 65535"),
        ({"tls": "1"}, "no authority"),
        ({"password": "secret"}, "not both"),
    ):
        found = problems(**typed)
        assert len(found) == 1 and words in found[0], (typed, found)
        assert any(ord(c) > 0x4E00 for c in found[0])


def test_a_name_that_cannot_be_one_is_found_by_the_settings_own_check():
    assert "device" in problems(code="yunhe/Home 7/" + CODE)[0]


def test_tls_needs_the_authority_on_the_device():
    document, _, wrong = form.read(dict(GOOD, tls="1"), {}, "elder_home", "/ca.pem")
    assert not wrong and document["broker"]["ca"] == "/ca.pem"


def test_a_password_from_the_registry_does_instead_of_a_code():
    document, code, wrong = form.read(dict(GOOD, code="yunhe/home-7", password="pw"), {}, "elder_home", "")
    assert not wrong and not code and document["broker"]["password"] == "pw"


def test_a_device_that_only_moves_to_another_network_stays_who_it_is():
    known, _, _ = form.read(dict(GOOD, code="yunhe/home-7", password="pw"), {"pins": {"led": 2}}, "elder_home", "")
    document, code, wrong = form.read(dict(GOOD, code="", ssid="new"), {}, "x", "", None, known)
    assert not wrong and not code
    assert document["wifi"][0]["ssid"] == "new" and document["broker"]["password"] == "pw"
    assert (document["device"], document["pins"]) == ("home-7", {"led": 2})


def test_what_was_typed_is_shown_as_text_and_passwords_not_at_all():
    fields = dict(GOOD, ssid='"><script>alert(1)</script>', wifi_password="geheim-1", password="geheim-2")
    shown = form.page(fields, ["<b>net</b>"], ["<i>bad</i>"]).decode()
    assert "<script>" not in shown and "<b>" not in shown and "<i>" not in shown
    assert "geheim" not in shown
    assert "&quot;&gt;&lt;script&gt;" in shown


def test_form_fields_are_decoded_with_chinese_names_and_strange_endings():
    assert form.decoded("a=%E5%AE%B6+1&b=&c=1&a=2".encode()) == {"a": "家 1", "b": "", "c": "1"}
    for wrong in (b"a=%", b"a=%zz", b"a=%ff", b"a=%e5%ae"):
        raises(ValueError, form.decoded, wrong)


def test_a_code_is_read_however_it_is_typed():
    spaced = CODE[:5] + "-" + CODE[5:10] + " " + CODE[10:]
    assert enrol_code.canonical(spaced.lower()) == CODE
    assert enrol_code.canonical(CODE.replace("0", "o")) == CODE


def test_every_single_wrong_character_of_a_code_is_found():
    for at in range(len(CODE)):
        for c in enrol_code.ALPHABET:
            if c != CODE[at]:
                raises(ValueError, enrol_code.canonical, CODE[:at] + c + CODE[at + 1 :])


def test_nearly_every_pair_that_changed_places_is_found():
    missed = 0
    for at in range(len(CODE) - 1):
        swapped = CODE[:at] + CODE[at + 1] + CODE[at] + CODE[at + 2 :]
        try:
            missed += swapped != CODE and enrol_code.canonical(swapped) == swapped
        except ValueError:
            pass
    assert missed == 0
