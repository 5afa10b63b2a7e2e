"""What a good message means: values in the catalogue's unit, judged by its range, at the time the device said."""

import json
from typing import Any

import pytest

from edge_gateway import quick as quick_way
from edge_gateway import topics, validate
from edge_gateway.decoders import senml
from edge_gateway.events import Flag, Reading
from edge_gateway.message import Instant, Message
from edge_gateway.registry import Device

ADDRESS = topics.parse("kanhu/1/tuan/river-3/up/data")
S = 1_000_000_000
AT = 1780000000 * S
HEAD = {"boot": 17, "seq": 5, "clk": "ntp", "bt": 1780000000}


def message(*records: dict[str, Any], head: dict[str, Any] = HEAD) -> Message:
    """These records as a message, through JSON, the first with the head."""
    pack = [{**head, **records[0]}, *records[1:]]
    return validate.validate(senml.decode(json.dumps(pack).encode()), ADDRESS)


def reading(**record: Any) -> Reading:
    """The one reading of a message with this record."""
    [instant] = message(record).instants
    [found] = instant.readings
    return found


def times(found: Message) -> list[tuple[int | None, int | None]]:
    return [(instant.time_ns, instant.uptime_ns) for instant in found.instants]


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (-2, Flag.PASS),
        (40, Flag.PASS),
        (-2.01, Flag.FAIL),
        (40.01, Flag.FAIL),
        (85, Flag.FAIL),
        (-127, Flag.FAIL),
        (1e300, Flag.FAIL),
    ],
)
def test_a_value_outside_the_believable_range_is_kept_and_flagged(value: float, flag: Flag) -> None:
    assert reading(n="water_temperature", v=value) == Reading("water_temperature", value, flag)


def test_a_quantity_without_an_upper_limit_takes_any_finite_number() -> None:
    assert reading(n="energy", u="J", v=1e300).flag == Flag.PASS
    assert reading(n="energy", u="J", v=-1).flag == Flag.FAIL


@pytest.mark.parametrize(
    ("unit", "value", "expected", "flag"),
    [
        ("S/m", 0.05, 0.05, Flag.PASS),
        ("mS/cm", 0.5, 0.05, Flag.PASS),
        ("uS/cm", 500, 0.05, Flag.PASS),
        ("mS/cm", 71, 7.1, Flag.FAIL),
    ],
)
def test_another_unit_is_converted_then_judged_and_the_value_as_sent_is_kept(
    unit: str, value: float, expected: float, flag: Flag
) -> None:
    found = reading(n="conductivity", u=unit, v=value)
    assert found.value == pytest.approx(expected, rel=1e-15)
    assert (found.flag, found.raw) == (flag, None if unit == "S/m" else value)


def test_the_raw_value_the_device_states_is_kept_rather_than_the_one_before_conversion() -> None:
    found = reading(n="conductivity", u="uS/cm", v=500, raw=487, cal="kcl-1413")
    assert (found.raw, found.calibration) == (487.0, "kcl-1413")


def test_missing_is_told_from_zero_and_a_text_is_not_judged() -> None:
    assert reading(n="ph", v=None) == Reading("ph", None, Flag.MISSING)
    assert reading(n="turbidity", v=0) == Reading("turbidity", 0.0, Flag.PASS)
    assert reading(n="station_status", vs="") == Reading("station_status", "", Flag.NOT_EVALUATED)


def test_times_are_whole_microseconds_and_a_sum_of_floats_makes_no_new_instant() -> None:
    head = HEAD | {"bt": 1780000000.1}
    found = message(
        {"n": "ph", "v": 7, "t": 0.3}, {"n": "turbidity", "v": 3, "t": 0.1 + 0.2}, {"n": "ph", "v": 7, "t": 0.4}, head=head
    )
    assert times(found) == [(AT + 400_000_000, None), (AT + 500_000_000, None)]
    assert 0.1 + 0.2 != 0.3


def test_uptime_goes_with_every_instant() -> None:
    found = message({"n": "ph", "v": 7}, {"n": "ph", "v": 7, "t": -60.5}, head=HEAD | {"up": 100})
    assert times(found) == [(AT, 100 * S), (AT - 60_500_000_000, 39_500_000_000)]


@pytest.mark.parametrize("clock", [{"clk": "none"}, {}])
def test_without_a_clock_there_is_only_uptime(clock: dict[str, str]) -> None:
    for base in ({}, {"bt": 1780000000}):
        found = message(
            {"n": "ph", "v": 7}, {"n": "ph", "v": 7, "t": -60}, head={"boot": 1, "seq": 1, "up": 100} | clock | base
        )
        assert (found.clock, times(found), found.refused) == ("none", [(None, 100 * S), (None, 40 * S)], [])


def test_without_clock_and_uptime_a_reading_is_of_now() -> None:
    found = message({"n": "ph", "v": 7}, head={"boot": 1, "seq": 1, "clk": "none"})
    assert (times(found), found.refused) == ([(None, None)], [])


def test_a_time_of_a_clock_that_was_never_set_is_no_time() -> None:
    found = message({"n": "ph", "v": 7, "t": 5}, head=HEAD | {"bt": 1000, "up": 20})
    assert times(found) == [(None, 25 * S)]


def test_a_time_may_stand_in_t_alone() -> None:
    found = message({"n": "ph", "v": 7, "t": 1780000000}, head={"boot": 1, "seq": 1, "clk": "ntp", "up": 5})
    assert times(found) == [(AT, None)]


def test_a_later_base_time_moves_the_records_after_it() -> None:
    found = message(
        {"n": "ph", "v": 7}, {"n": "ph", "v": 7, "bt": 1780000100, "t": 1}, {"n": "ph", "v": 7}, head=HEAD | {"up": 5}
    )
    assert times(found) == [(AT, 5 * S), (AT + 101 * S, None), (AT + 100 * S, None)]


def test_base_unit_and_base_value_hold_until_changed() -> None:
    found = message(
        {"n": "conductivity", "v": 1, "bu": "mS/cm", "bv": 10},
        {"n": "ph", "u": "pH", "bv": 7},
        {"n": "station_status", "vs": "ok"},
    )
    assert found.instants == [
        Instant.of(
            AT,
            None,
            [
                Reading("conductivity", 11 * 0.1, Flag.PASS, 11.0),
                Reading("ph", 7.0, Flag.PASS),
                Reading("station_status", "ok", Flag.NOT_EVALUATED),
            ],
        )
    ]


def test_names_that_somebody_invents_do_not_fill_the_memory() -> None:
    for first in range(0, 3 * quick_way._Known.MOST, 1000):
        message(*({"n": f"motion.c{number}", "vb": True} for number in range(first, first + 1000)))
    message(*({"n": f"x{number}", "v": 1} for number in range(1000)))
    assert len(quick_way._known) <= quick_way._Known.MOST


def test_messages_that_begin_and_end_alike_are_not_taken_for_each_other() -> None:
    first, last = {"n": "temperature", "v": 21, "u": "Cel"}, {"n": "battery_voltage", "v": 3}
    middles: list[dict[str, object]] = [
        {"n": "humidity", "v": 40},
        {"n": "co2", "v": 600},
        {"n": "motion.hall", "vb": True},
        {"n": "activity", "vs": "asleep"},
        {"n": "humidity", "v": -1},
        {"n": "humidity", "v": None},
        {"n": "battery_voltage", "v": 3100, "u": "mV"},
    ]
    for middle in [*middles, *reversed(middles)]:
        records = [{**HEAD, **first}, middle, last]
        payload = json.dumps(records).encode()
        quick = validate.validate(senml.plain(payload) or senml.decode(payload), ADDRESS)
        assert quick == validate._carefully(senml.decode(payload), ADDRESS, frozenset())


def test_what_one_device_may_send_another_of_the_same_form_may_not() -> None:
    payload = json.dumps([{**HEAD, "n": "temperature", "v": 21}, {"n": "co2", "v": 600}, {"n": "humidity", "v": 40}]).encode()
    records = senml.plain(payload)
    assert records is not None
    for _ in range(2):
        for measures in (frozenset(), frozenset({"temperature", "humidity"}), frozenset({"temperature", "co2", "humidity"})):
            found = validate.validate(records, ADDRESS, Device("village", "home-1", measures=measures))
            assert [refused.reason for refused in found.refused] == (["not_expected"] if len(measures) == 2 else [])
