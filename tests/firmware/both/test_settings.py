"""Settings: every mistake is named at once, with what was seen and what would be right."""

import json

from app import settings
from scaffold import folder, raises

GOOD = {
    "site": "village",
    "device": "home-1",
    "model": "toy",
    "wifi": [{"ssid": "village", "password": "secret-word"}],
    "broker": {"host": "192.168.1.2"},
    "toy": {"press_ms": 300},
}


class Toy:
    PINS = {"sos": "pin", "bus": "i2c"}
    DEFAULTS = {"press_ms": 100, "wait_s": 5}
    CHECKS = {"press_ms": settings.whole(50, 5000), "wait_s": settings.number(0.5, 60)}


def problems(document, app=Toy):
    return raises(settings.Misconfigured, settings.checked, document, app).problems


def test_good_settings_come_back_with_every_default():
    found = settings.checked(GOOD, Toy)
    assert found["cadence_s"] == 60
    assert found["broker"]["port"] == 1883
    assert found["broker"]["user"] == "village/home-1"
    assert found["toy"] == {"press_ms": 300, "wait_s": 5}
    assert "port" not in GOOD["broker"]


def test_tls_moves_the_default_port():
    assert settings.checked(settings.merged(GOOD, {"broker": {"tls": True}}), Toy)["broker"]["port"] == 8883


def test_every_problem_is_named_at_once():
    bad = settings.merged(GOOD, {"site": "Village", "cadence_s": 0, "cadense": 5, "toy": {"press_ms": "long", "no": 1}})
    del bad["broker"]
    found = problems(bad)
    assert "site: seen 'Village', expected 1 to 48 characters a-z 0-9 - _, first and last a letter or digit" in found
    assert "cadence_s: seen 0, expected a whole number from 1 to 86400" in found
    assert "toy.press_ms: seen 'long', expected a whole number from 50 to 5000" in found
    assert "toy.no: unknown, expected one of press_ms, wait_s" in found
    assert "broker: missing" in found
    assert any(line.startswith("cadense: unknown, expected one of ") for line in found)
    assert len(found) == 6


def test_lists_and_objects_are_checked_inside():
    bad = settings.merged(
        GOOD, {"wifi": [{"ssid": "", "password": "p"}, {"ssid": "b"}], "pins": {"sos": 77, "bus": {"scl": 1}}}
    )
    found = problems(bad)
    assert "wifi[0].ssid: seen '', expected a text of 1 to 32 characters" in found
    assert "wifi[1].password: missing" in found
    assert "pins.sos: seen 77, expected a whole number from 0 to 48" in found
    assert "pins.bus.sda: missing" in found
    assert len(found) == 4


def test_a_state_is_no_number_and_a_number_no_state():
    found = problems(settings.merged(GOOD, {"cadence_s": True, "crystal": 1}))
    assert "cadence_s: seen True, expected a whole number from 1 to 86400" in found
    assert "crystal: seen 1, expected true or false" in found


def test_a_long_value_is_cut_in_the_message():
    assert len(problems(settings.merged(GOOD, {"site": "x" * 500}))[0]) < 200


def test_no_document_at_all_is_a_problem_and_no_crash():
    for nonsense in ([], 5, None, "text"):
        assert "expected an object" in problems(nonsense)[0]


def test_a_file_that_is_missing_or_no_json_says_so():
    path = folder() + "/settings.json"
    assert "cannot be read" in raises(settings.Misconfigured, settings.read, path).problems[0]
    for text, said in ((json.dumps(GOOD)[:-1], "is no JSON"), ("nonsense", "is no JSON"), ("[1]", "expected an object")):
        with open(path, "w") as file:
            file.write(text)
        assert said in raises(settings.Misconfigured, settings.read, path).problems[0]
    with open(path, "w") as file:
        file.write(json.dumps(settings.merged(GOOD, {"toy": {"word": '{"\\'}})))
    assert settings.read(path) == settings.merged(GOOD, {"toy": {"word": '{"\\'}})


def test_laying_one_over_the_other_changes_neither():
    under = {"a": {"x": 1, "y": 2}, "b": [1]}
    assert settings.merged(under, {"a": {"y": 3}, "b": []}) == {"a": {"x": 1, "y": 3}, "b": []}
    assert under == {"a": {"x": 1, "y": 2}, "b": [1]}
