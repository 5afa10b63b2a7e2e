"""What the simulator writes is what docs/contract.md shows."""

import json

import cbor2
import pytest

from simulator.senml import Encoding, Head, Instant, Loss, Value, encode
from tests.simulator.gateway import read

NOW = 1_780_000_000_250_000_000
INSTANTS = (
    Instant(NOW, (Value("temperature", 21.5, "Cel"), Value("humidity", 45, "%RH"), Value("motion.kitchen", True))),
    Instant(NOW - 60 * 10**9, (Value("temperature", None, "Cel"), Value("activity", "Sleep"))),
)


def head(clk: str = "ntp") -> Head:
    return Head(boot=17, seq=1440, clk=clk, now_ns=NOW, up_s=86400.5, err_s=0.05)


def test_the_first_record_carries_the_identity_and_a_base_of_whole_seconds() -> None:
    pack = json.loads(encode(head(), INSTANTS))
    assert pack == [
        {
            "boot": 17, "seq": 1440, "clk": "ntp", "err": 0.05, "up": 86400.25, "bt": 1780000000,
            "n": "temperature", "u": "Cel", "v": 21.5, "t": 0.25,
        },
        {"n": "humidity", "u": "%RH", "v": 45, "t": 0.25},
        {"n": "motion.kitchen", "vb": True, "t": 0.25},
        {"n": "temperature", "u": "Cel", "v": None, "t": -59.75},
        {"n": "activity", "vs": "Sleep", "t": -59.75},
    ]  # fmt: skip


def test_without_a_clock_times_are_relative_to_the_moment_of_uptime() -> None:
    pack = json.loads(encode(head("none"), INSTANTS))
    assert "bt" not in pack[0]
    assert pack[0]["up"] == 86400.5
    assert [record.get("t", 0) for record in pack] == [0, 0, 0, -60, -60]


def test_cbor_has_the_labels_of_the_rfc_and_our_fields_as_text() -> None:
    payload = encode(head(), INSTANTS, (), Encoding.CBOR)
    assert 0x80 <= payload[0] <= 0x9F
    first = cbor2.loads(payload)[0]
    assert first == {
        "boot": 17, "seq": 1440, "clk": "ntp", "err": 0.05, "up": 86400.25,
        -3: 1780000000, 0: "temperature", 1: "Cel", 2: 21.5, 6: 0.25,
    }  # fmt: skip
    assert read(payload) == json.loads(encode(head(), INSTANTS))


def test_a_declared_loss_is_a_range_with_its_number() -> None:
    pack = json.loads(encode(Head(18, 4, "ntp", 1_780_000_000 * 10**9, 60.0), (), [Loss(17, 100, 220)]))
    assert pack == [
        {"boot": 18, "seq": 4, "clk": "ntp", "up": 60, "bt": 1780000000, "n": "lost", "v": 121, "lost": [17, 100, 220]}
    ]


@pytest.mark.parametrize("time_ns", [1_308_099_819_149_620_000, 1_780_000_000_999_999_000, 1_780_000_000_000_001_000])
def test_a_microsecond_survives_binary_floats(time_ns: int) -> None:
    later = Instant(time_ns + 86_399_999_999_000, (Value("ph", 7.0),))
    pack = json.loads(encode(Head(1, 1, "rtc", time_ns, 5.0), (Instant(time_ns, (Value("ph", 7.1),)), later)))
    seen = [round((pack[0]["bt"] + record.get("t", 0)) * 1e6) * 1000 for record in pack]
    assert seen == [time_ns, later.time_ns]
