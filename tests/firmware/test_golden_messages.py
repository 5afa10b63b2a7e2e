"""What the firmware writes and reads means to the gateway what `tests/contract/index.json` says."""

import json
from typing import Any

import pytest
from app import message

from edge_gateway.decoders import senml
from edge_gateway.topics import parse
from edge_gateway.validate import validate
from tests.contract.test_golden import CASES, FOLDER, understood

AT = 1780000000000
NTP = (0, AT, "ntp", -1)
EARLY = (86400500, AT + 250, "ntp", 50)

# Golden file -> seq, stamp, items. Where the golden message tells no uptime, ours does: the contract wants it always.
READINGS: dict[str, tuple[int, tuple[int, int, str, int], list[Any]]] = {
    "readings.json": (
        1440,
        EARLY,
        [("temperature", 21.5, {"u": "Cel"}), ("humidity", 45, {"u": "%RH"}), ("motion.kitchen", True)],
    ),
    "several-instants.json": (
        1442,
        NTP,
        [
            ("temperature", 21.5),
            ("humidity", 45.0),
            ("temperature", 21.4, {"t_ms": -60000}),
            ("temperature", 21.3, {"t_ms": -119900}),
        ],
    ),
    "states.json": (1443, NTP, [("contact.front_door", True), ("bed", False), ("chair", True)]),
    "text.json": (1444, NTP, [("activity", "在做饭")]),
    "missing-and-out-of-range.json": (1445, NTP, [("ph", None), ("water_temperature", 85)]),
    "calibrated.json": (
        1446,
        NTP,
        [("ph", 7.02, {"raw": 6.875, "cal": "ph-2026-05-20"}), ("conductivity", 500, {"u": "uS/cm"})],
    ),
    "one-bad-record.json": (
        1447,
        NTP,
        [("temperature", 21.5), ("temperatur", 21.5), ("humidity", 45, {"u": "Cel"}), ("co2", 612)],
    ),
    "sos.json": (1448, EARLY, [("sos.bedroom", True), ("battery_level", 15)]),
    "pause.json": (1451, EARLY, [("pause", True)]),
    "tap.json": (
        1450,
        NTP,
        [("tap", "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"), ("proof", "sun")],
    ),
}


def case(file: str) -> dict[str, Any]:
    return next(case for case in CASES if case["file"] == file)


def without_uptimes(understanding: dict[str, Any]) -> dict[str, Any]:
    for instant in understanding["message"]["instants"]:
        instant["uptime_ns"] = None
    return understanding


@pytest.mark.parametrize("file", READINGS)
def test_the_firmwares_message_means_what_the_golden_one_means(file: str) -> None:
    seq, stamp, items = READINGS[file]
    got = understood(case(file)["topic"], message.head(17, seq, stamp) + message.body(items))
    expected = {"message": json.loads(json.dumps(case(file)["message"]))}
    if stamp is NTP:
        got, expected = without_uptimes(got), without_uptimes(expected)
    assert got == expected


def test_without_a_clock_the_gateway_gets_the_uptime_of_each_instant() -> None:
    payload = message.head(18, 1, (12500, 0, "none", -1)) + message.body(
        [("temperature", 20.5), ("temperature", 20.25, {"t_ms": -10000})]
    )
    assert understood(case("clock-none.json")["topic"], payload) == {"message": case("clock-none.json")["message"]}


def test_a_declared_loss_is_understood() -> None:
    payload = message.head(18, 4, NTP) + message.loss_body(17, 100, 220, 121)
    assert understood(case("lost.json")["topic"], payload) == {"message": case("lost.json")["message"]}


@pytest.mark.parametrize(
    ("file", "written"),
    [
        (
            "birth.json",
            message.birth(17, EARLY, [(16, 2201), (17, 1438)], {"firmware": "elder_home 1.4.0", "cadence": 60, "config": 7}),
        ),
        (
            "birth-without-clock.json",
            message.birth(
                18,
                (1500, 0, "none", -1),
                [],
                {
                    "firmware": "elder_home 1.4.0",
                    "cadence": 60,
                    "config": 7,
                    "config_error": "cadence is 0; from 1 to 86400",
                },
            ),
        ),
        ("will.json", message.will(17)),
    ],
)
def test_birth_and_will_are_understood(file: str, written: bytes) -> None:
    assert understood(case(file)["topic"], written) == {"birth": case(file)["birth"]}


@pytest.mark.parametrize("down", [c for c in CASES if "/down/" in c["topic"]], ids=lambda c: c["file"])
def test_what_comes_down_is_read_as_it_is_meant(down: dict[str, Any]) -> None:
    payload = (FOLDER / down["file"]).read_bytes()
    means = down["means"]
    if "receipt" in down["topic"]:
        assert message.parse_receipt(payload) == (means["boot"], means["upto"], means["events"], means["rejected"])
    elif "config" in down["topic"]:
        assert message.parse_config(payload) == (means["version"], means["settings"])
    else:
        assert message.parse_command(payload) == means


def test_a_birth_of_excess_is_still_a_birth() -> None:
    long = {"firmware": "f" * 300, "config_error": "e\n" * 3000, "cadence": 60, "new_key": [1, 2]}
    assert understood("kanhu/1/s/d/up/status", message.birth(1, NTP, [(1, 1)] * 3, long))["birth"]["online"] is True


def test_a_scaled_number_keeps_seven_digits() -> None:
    payload = message.head(1, 1, NTP) + message.body([("ph", (301234567, 7)), ("temperature", (-1201234567, 7))])
    found = validate(senml.decode(payload), parse("kanhu/1/s/d/up/data"))
    assert [r.value for i in found.instants for r in i.readings] == [30.1234567, -120.1234567]
