"""Nothing breaks out of a line, offline: an independent parser reads back exactly what went in."""

import math
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.errors import Rejected
from edge_gateway.events import AlertChange, Entry, Event, Reading, StatusChange
from ingest.line_protocol import MAX_LINE_BYTES, line, lines, numbers_of
from ingest.points import Point, points
from tests.ingest.line_parser import parse
from tests.ingest.samples import readings
from tests.ingest.test_points import T0, row

# Characters with a meaning somewhere, and any other, lone surrogates too.
NASTY = st.text(st.one_of(st.sampled_from("\\\"' ,=#\n\r\t\0\x1b{}%i1e"), st.characters(exclude_categories=())), max_size=20)


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """So that not every example is refused for one of its many parts."""
    return st.integers(0, 39).flatmap(lambda number: rare if number == 39 else usual)


TAG = mostly(st.text("ab ,=é9-_%d{}", max_size=8), NASTY)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
EDGES = st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e22, 1e-7, 2.0**63])
NUMBERS = mostly(st.one_of(FINITE, EDGES, st.integers(-(2**64), 2**64)), st.one_of(st.floats(), st.just(10**400)))
INTEGERS = mostly(st.integers(0, 2**32), st.integers())
TIMES = mostly(st.integers(-(2**63) + 2, 2**63 - 2), st.integers())
FLAGS = mostly(st.sampled_from([1, 2, 3, 4, 9]), st.integers())
QUANTITY = st.sampled_from(sorted(QUANTITIES))


@st.composite
def any_reading(draw: st.DrawFn) -> Reading:
    name = draw(QUANTITY)
    text = QUANTITIES[name].kind is Kind.TEXT
    value: Any = draw(mostly(st.one_of(st.none(), NASTY if text else NUMBERS), st.one_of(NASTY, NUMBERS)))
    channel = draw(TAG).replace(",", "")  # which the gateway lets no name have; it parts the names of a shape
    flag = draw(FLAGS)
    raw = draw(st.one_of(st.none(), st.none(), NUMBERS))
    return Reading(f"{name}.{channel}" if channel else name, value, flag, raw, draw(st.one_of(st.none(), NASTY)))


def any_entry() -> st.SearchStrategy[Entry]:
    values = st.lists(any_reading(), min_size=1, max_size=6, unique_by=lambda reading: reading.name)
    return st.one_of(
        st.builds(
            lambda site, device, place, time_ns, quality, error_s, values: readings(
                values, time_ns, device=device, place=place, time_quality=quality, error_s=error_s
            ),
            *(TAG, TAG, TAG, TIMES, mostly(st.integers(0, 3), st.integers()), st.one_of(st.none(), st.floats()), values),
        ),
        st.builds(Event, TAG, TAG, TAG, INTEGERS, INTEGERS, TIMES, TIMES, TAG, st.just(0), st.none(), TAG, values),
        st.builds(StatusChange, TAG, TAG, TAG, TIMES, st.booleans(), st.one_of(st.none(), INTEGERS), NASTY),
        st.builds(AlertChange, *[TAG] * 3, TIMES, NASTY, TAG, TAG, *[NASTY] * 3),
    )


@given(any_entry())
def test_whatever_goes_in_is_refused_or_is_exactly_one_line_that_says_the_same(entry: Entry) -> None:
    try:
        of_entry = points(entry)
        of_points = [line(point) for point in of_entry]
        event("stored")
    except Rejected as error:
        event(error.reason)
        assert error.reason in {"malformed_line", "type_conflict", "too_large"}
        with pytest.raises(Rejected, match=error.reason):
            lines(entry)
        return
    of_lines = lines(entry)
    if of_lines != of_points:
        event("by the short way")  # which writes 1e22 where the long one writes 1e+22
        assert [repr(parse(data)) for data in of_lines] == [repr(parse(data)) for data in of_points]
    for point, data in zip(of_entry, of_points, strict=True):
        measurement, tags, fields, time_ns = parse(data)
        assert {"time": time_ns, **tags, **fields} == row(point)
        assert measurement == point.measurement
        expected = row(point)
        assert all(repr(value) == repr(expected[name]) for name, value in fields.items()), "the sign of 0, and int or float"


def lines_or_reason(entry: Entry, numbers: bytes | None = None) -> list[bytes] | str:
    try:
        return lines(entry, numbers)
    except Rejected as error:
        return error.reason


@given(st.lists(any_entry(), max_size=6), st.integers(1, 3))
def test_an_entry_among_others_has_the_lines_it_has_alone(entries: list[Entry], together: int) -> None:
    with patch("ingest.line_protocol._TOGETHER", together):
        numbers = numbers_of(entries)
    event(f"{sum(one is not None for one in numbers)} at once")
    among = [lines_or_reason(*pair) for pair in zip(entries, numbers, strict=True)]
    assert among == [lines_or_reason(entry) for entry in entries]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=5, max_size=5))
def test_a_number_reads_back_as_the_same_float(values: list[float]) -> None:
    names = ("temperature", "humidity", "pressure", "co2", "illuminance")
    (point,) = points(readings([Reading(n, v, 1) for n, v in zip(names, values, strict=True)], T0))
    assert point.plain
    _, _, fields, _ = parse(line(point))
    assert [repr(fields[name]) for name in names] == [repr(value) for value in values]


def test_the_readings_of_several_points_each_find_their_own() -> None:
    names = ("temperature", "motion.kitchen", "humidity", "motion.hall", "battery_voltage")
    entry = readings([Reading(name, float(number), 1 + number % 4) for number, name in enumerate(names)], T0)
    assert lines(entry) == [line(point) for point in points(entry)]
    assert len(lines(entry)) == 4


def test_a_plain_line_and_a_full_one_look_the_same() -> None:
    (plain,) = points(readings([Reading("temperature", 21.5, 1), Reading("humidity", 45.0, 2)], T0))
    tags = "climate,device=home-1,place=p1,site=village"
    assert line(plain).decode() == f"{tags} temperature=21.5,temperature_flag=1i,humidity=45.0,humidity_flag=2i {T0}"
    (full,) = points(readings([Reading("temperature", 21.5, 1, 20.5, "c"), Reading("humidity", None)], T0, time_quality=2))
    assert parse(line(full))[2] == {
        **{"temperature": 21.5, "temperature_flag": 1, "temperature_raw": 20.5, "temperature_calibration": "c"},
        **{"humidity_flag": 9, "time_quality": "receipt"},
    }


@pytest.mark.parametrize(
    "device",
    ["a\nadmin,x=y v=1 1", "a\\", "a\rb", "a\0b", "a\tb", "\ud800", "a\u2028b", "a\x7f"],
    ids=ascii,
)
def test_a_tag_that_the_format_cannot_express_is_refused_and_never_changed(device: str) -> None:
    (point,) = points(readings([Reading("ph", 7.0)], T0, device=device))
    with pytest.raises(Rejected, match="malformed_line"):
        line(point)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**63, -(2**63) - 1])
def test_a_field_no_database_takes_is_refused_even_in_a_point_made_by_hand(value: float) -> None:
    with pytest.raises(Rejected, match="malformed_line"):
        line(Point("climate_1h", "v", "d", "", "", (), [("temperature_mean", value)], T0))
    (good,) = points(readings([Reading("ph", 7.0)], T0))
    if isinstance(value, float):
        with pytest.raises(Rejected, match="malformed_line"):
            line(Point("water", "v", "d", "", "", (), (), T0, good.columns, [Reading("ph", value, 1)], True))


def test_a_point_without_a_field_is_refused() -> None:
    with pytest.raises(Rejected, match="malformed_line"):
        line(Point("climate_1h", "v", "d", "", "", (), [], T0))


def test_a_line_of_more_than_64_kib_is_refused_and_one_of_exactly_that_is_not() -> None:
    empty = len(line(points(readings([Reading("activity", "", 1)], T0))[0]))
    (fits,) = points(readings([Reading("activity", "x" * (MAX_LINE_BYTES - empty), 1)], T0))
    assert len(line(fits)) == MAX_LINE_BYTES
    (too_long,) = points(readings([Reading("activity", "x" * (MAX_LINE_BYTES - empty + 1), 1)], T0))
    with pytest.raises(Rejected, match="too_large"):
        line(too_long)
