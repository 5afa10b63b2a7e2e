"""Messages are the bytes of the contract, printed without floats where it matters."""

import json

from app import message

STAMP = (86400500, 1780000000250, "ntp", 50)
GOLDEN_HEAD = b'[{"boot":17,"seq":1440,"clk":"ntp","err":0.050,"up":86400.500,"bt":1780000000.250,'


def records(*items, stamp=STAMP):
    return json.loads(message.head(17, 1440, stamp) + message.body(items))


def test_the_head_is_printed_from_integers():
    assert message.head(17, 1440, STAMP) == GOLDEN_HEAD


def test_the_same_record_is_always_the_same_bytes():
    items = [("temperature", 21.5, {"u": "Cel"}), ("motion.kitchen", True)]
    assert message.body(items) == b'"n":"temperature","u":"Cel","v":21.5},{"n":"motion.kitchen","vb":true}]'


def test_without_a_clock_there_is_no_time_but_the_uptime():
    first = records(("temperature", 20.5), stamp=(12500, 0, "none", -1))[0]
    assert first == {"boot": 17, "seq": 1440, "clk": "none", "up": 12.5, "n": "temperature", "v": 20.5}


def test_an_unknown_error_is_left_out():
    assert "err" not in records(("co2", 612), stamp=(1, 1780000000000, "gnss", -1))[0]


def test_every_kind_of_value():
    got = records(("a", 3), ("b", False), ("c", None), ("d", 'a "quote"\n\x01\u5728'), ("e", (1234567891, 7)), ("f", 0.1))
    assert got[0]["v"] == 3 and got[1]["vb"] is False and got[2]["v"] is None
    assert got[3]["vs"] == 'a "quote"\n\x01\u5728'
    assert got[5]["v"] == 0.1
    assert b'"v":123.4567891' in message.body([("e", (1234567891, 7))])


def test_extras_stand_beside_the_value():
    extra = {"u": "pH", "raw": 6.875, "cal": "ph-2026-05-20", "t_ms": -119900}
    assert message.body([("ph", 7.02, extra)]) == (
        b'"n":"ph","u":"pH","v":7.02,"raw":6.875,"cal":"ph-2026-05-20","t":-119.900}]'
    )


def test_a_raw_value_that_is_no_number_is_left_out():
    assert message.body([("ph", None, {"raw": float("nan")})]) == b'"n":"ph","v":null}]'


def test_decimals_are_rounded_without_exponent_or_trailing_zeros():
    for value, text in (
        (23.5, "23.5"),
        (-0.00001, "0"),
        (100.0, "100"),
        (0.00004, "0"),
        (7.02, "7.02"),
        (-3.25, "-3.25"),
        (0.0, "0"),
        (2e9, "2000000000"),
        (float("nan"), "null"),
        (float("inf"), "null"),
        (-float("inf"), "null"),
    ):
        assert message.decimal(value) == text, (value, message.decimal(value))
    assert message.decimal(7.0249, 2) == "7.02"
    assert message.decimal(10.0, 0) == "10"


def test_a_number_of_scaled_integers_keeps_every_digit():
    assert message.fixed(-60500, 3) == "-60.500"
    assert message.fixed(-5, 3) == "-0.005"
    assert message.fixed(17, 0) == "17"
    assert message.fixed(1780000000250, 3) == "1780000000.250"


def test_what_is_lost_is_declared():
    assert message.loss_body(17, 100, 220, 121) == b'"n":"lost","v":121,"lost":[17,100,220]}]'


def test_a_birth_tells_clock_settings_and_the_oldest_record():
    status = {"firmware": "elder_home 1.4.0", "cadence": 60, "config": 7}
    got = json.loads(message.birth(17, STAMP, [(16, 2201), (17, 1438)], status))
    assert got == {
        "online": True,
        "boot": 17,
        "clk": "ntp",
        "time": 1780000000.25,
        "up": 86400.5,
        "firmware": "elder_home 1.4.0",
        "cadence": 60,
        "config": 7,
        "oldest": [[16, 2201], [17, 1438]],
    }


def test_a_birth_without_clock_has_no_time():
    got = json.loads(message.birth(18, (1500, 0, "none", -1), [], {"config_error": "x" * 2000}))
    assert "time" not in got and got["up"] == 1.5
    assert len(got["config_error"]) <= 1024


def test_the_will_is_the_golden_one():
    assert message.will(17) == b'{"online":false,"boot":17}'


def test_receipts_are_read():
    assert message.parse_receipt(b'{"boot":17,"upto":1440}') == (17, 1440, [], [])
    assert message.parse_receipt(b'{"boot":17,"upto":9,"events":[11],"rejected":[4,5],"new":{}}') == (17, 9, [11], [4, 5])


def test_a_receipt_that_makes_no_sense_is_none():
    for payload in (
        b"",
        b"\xff\xfe",
        b"[]",
        b"17",
        b"{",
        b'{"boot":17}',
        b'{"upto":17}',
        b'{"boot":true,"upto":1}',
        b'{"boot":17,"upto":-1}',
        b'{"boot":17,"upto":1.5}',
        b'{"boot":17,"upto":4294967296}',
        b'{"boot":17,"upto":1,"events":{"a":1}}',
        b'{"boot":17,"upto":1,"events":["1"]}',
        b'{"boot":17,"upto":1,"rejected":null}',
    ):
        assert message.parse_receipt(payload) is None, payload


def test_settings_need_a_version():
    assert message.parse_config(b'{"version":8,"settings":{"cadence":30}}') == (8, {"cadence": 30})
    for payload in (b"", b"{}", b'{"version":"8","settings":{}}', b'{"version":8}', b'{"version":8,"settings":[]}'):
        assert message.parse_config(payload) is None, payload


def test_commands_need_an_id_and_a_name():
    assert message.parse_command(b'{"id":"c1","name":"reboot"}') == {"id": "c1", "name": "reboot"}
    for payload in (b"", b'{"id":1,"name":"reboot"}', b'{"id":"c1"}', b'{"id":"","name":"x"}', b"null"):
        assert message.parse_command(payload) is None, payload
