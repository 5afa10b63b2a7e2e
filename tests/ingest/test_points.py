"""The schema: what an entry becomes, whichever database it goes to."""

import math

import pytest

from edge_gateway.catalog import QUANTITIES
from edge_gateway.errors import Rejected
from edge_gateway.events import Event, Loss, Reading, pack, unpack
from ingest.points import CALIBRATION, FLAG, RAW, TAGS, Point, clean, column, points
from tests.ingest.samples import one_of_each, readings, rows_of_each

T0 = 1_780_000_000_123_456_789


def row(point: Point) -> dict[str, object]:
    """A point as one flat line, put together here from the schema's words."""
    tags = {"site": point.site, "device": point.device, "place": point.place, "channel": point.channel, **dict(point.labels)}
    fields = dict(point.fields)
    for reading in point.readings:
        quantity = reading.name.split(".")[0]
        cells = {"": reading.value, "_flag": reading.flag, "_raw": reading.raw, "_calibration": reading.calibration}
        fields |= {quantity + ending: value for ending, value in cells.items() if value is not None}
    return {"time": point.time_ns, **{name: value for name, value in tags.items() if value}, **fields}


def in_order(line: dict[str, object]) -> str:
    return repr(sorted(line.items()))


def test_every_kind_of_entry_becomes_the_lines_the_schema_promises() -> None:
    found: dict[str, list[dict[str, object]]] = {}
    for entry in unpack(pack(one_of_each(T0))):
        for point in points(entry):
            found.setdefault(point.measurement, []).append(row(point))
    expected = rows_of_each(T0)
    assert found.keys() == expected.keys()
    for measurement, rows in expected.items():
        assert sorted(found[measurement], key=in_order) == sorted(rows, key=in_order)


def test_readings_of_one_instant_and_group_share_a_point_and_channels_do_not() -> None:
    entry = readings(
        [Reading(name, 1.0) for name in ("temperature", "motion.hall", "humidity", "motion.bath", "light.hall")], T0
    )
    assert [(p.measurement, p.channel, [r.name for r in p.readings]) for p in points(entry)] == [
        ("climate", "", ["temperature", "humidity"]),
        ("presence", "hall", ["motion.hall", "light.hall"]),
        ("presence", "bath", ["motion.bath"]),
    ]


def test_all_details_of_an_event_stay_with_it_whatever_their_group() -> None:
    entry = Event("v", "d", "p", 1, 2, T0, T0, "ntp", 0, None, "sos", [Reading("sos", 1.0), Reading("battery_level", 50.0)])
    (point,) = points(entry)
    assert row(point) == {
        **{"time": T0, "site": "v", "device": "d", "place": "p", "kind": "sos", "boot": 1, "seq": 2},
        **{"sos": 1.0, "sos_flag": 2, "battery_level": 50.0, "battery_level_flag": 2},
    }


@pytest.mark.parametrize(
    ("reading", "value"),
    [
        pytest.param(Reading("temperature", 7), 7.0, id="int in a float field"),
        pytest.param(Reading("motion", True), 1.0, id="bool"),
        pytest.param(Reading("activity", 7.5), "7.5", id="number in a text field"),
        pytest.param(Reading("activity", ""), "", id="empty text"),
    ],
)
def test_the_catalogue_decides_the_type_and_never_the_value(reading: Reading, value: object) -> None:
    (point,) = points(readings([reading], T0))
    (stored,) = point.readings
    assert stored.value == value
    assert type(stored.value) is type(value)


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        pytest.param(Reading("temperature", math.nan), "malformed_line", id="nan"),
        pytest.param(Reading("temperature", math.inf), "malformed_line", id="inf"),
        pytest.param(Reading("temperature", 10**400), "malformed_line", id="int beyond any float"),
        pytest.param(Reading("ph", 7.0, 1, -math.inf), "malformed_line", id="raw"),
        pytest.param(Reading("temperature", "7"), "type_conflict", id="text in a float field"),
        pytest.param(Reading("colour", 7.0), "malformed_line", id="not in the catalogue"),
        pytest.param(Reading("temperature", 7.0, 5), "malformed_line", id="no QARTOD flag"),
        pytest.param(Reading("temperature", 7.0, 2**64), "malformed_line", id="huge flag"),
    ],
)
def test_what_no_database_could_take_is_refused_before_it_is_sent(reading: Reading, reason: str) -> None:
    with pytest.raises(Rejected) as error:
        points(readings([Reading("humidity", 40.0), reading], T0))
    assert error.value.reason == reason


@pytest.mark.parametrize("time_ns", [2**63, -(2**63), 10**30])
def test_a_time_no_database_can_hold_is_refused(time_ns: int) -> None:
    with pytest.raises(Rejected, match="malformed_line"):
        points(Loss("v", "d", "p", 1, 2, time_ns, T0, 1, 2, 3))


def test_an_entry_without_readings_is_refused() -> None:
    with pytest.raises(Rejected, match="malformed_line"):
        points(readings([], T0))


def test_a_missing_value_is_its_flag_and_nothing_else() -> None:
    (point,) = points(readings([Reading("ph", None, 1, 7.0, "cal-1")], T0))
    assert row(point) == {"time": T0, "site": "village", "device": "home-1", "place": "p1", "ph_flag": 9}


@pytest.mark.parametrize(("error_s", "told"), [(None, False), (0.05, False), (1.0, False), (1.01, True)])
def test_a_clock_error_is_told_only_when_it_is_worth_a_field(error_s: float | None, told: bool) -> None:
    (point,) = points(readings([Reading("ph", 7.0)], T0, error_s=error_s))
    assert [name for name, _ in point.fields] == (["clock_error_s"] if told else [])


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ('普通 text, with = "marks" \\', '普通 text, with = "marks" \\'),
        ("two\nlines\r\nthree\u2028four", "two lines three four"),
        ("nul\0 esc\x1b del\x7f", "nul\ufffd esc\ufffd del\ufffd"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("tab\tand\u3000wide 👵", "tab\tand\u3000wide 👵"),
    ],
)
def test_texts_keep_everything_but_what_no_sink_survives(text: str, stored: str) -> None:
    assert clean(text) == stored


def test_no_two_names_of_the_catalogue_share_a_field() -> None:
    fields = [name for q in QUANTITIES for name in (q, q + FLAG, q + RAW, q + CALIBRATION)]
    plain = {"time_quality", "clock_error_s", "boot", "seq", "time", *TAGS}
    assert len(fields) == len(set(fields))
    assert not plain & set(fields)
    assert all(name.isascii() and name.replace("_", "a").isalnum() for name in fields)
    assert not {q.group for q in QUANTITIES.values()} & {"loss", "status", "alert"}


def test_a_name_keeps_its_channel_apart() -> None:
    assert (column("motion.kitchen").field, column("motion.kitchen").channel) == ("motion", "kitchen")
    assert column("motion.kitchen") is column("motion.kitchen")
