"""What an importer gives is what the file holds, by a second reading of the file and by the numbers counted on it."""

import csv
import gzip
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.errors import Rejected
from edge_gateway.events import split_name
from edge_gateway.registry import parse
from simulator.recordings import RECORDINGS, Row
from simulator.senml import Value
from tests.recordings.expected import EXPECTED, Expected, cn_answers, label_counts

COUNTS = {
    "casas-al": 39_768,
    "logan-tony-grove-2014": 20_674,
    "logan-tony-grove-2019": 30_450,
    "logan-franklin-basin-2014": 18_668,
    "logan-main-street-2019": 25_881,
    "logan-main-street-2017": 35_019,
    "cn-stations": 20_658,
}


@cache
def rows_of(name: str, data: Path) -> list[Row]:
    recording = RECORDINGS[name]
    return list(recording.rows(data / recording.path))


def stored(value: Value) -> float | str | None:
    """The value in the catalogue's unit, as the gateway converts it."""
    quantity = QUANTITIES[split_name(value.name)[0]]
    if value.value is None or isinstance(value.value, str):
        assert (quantity.kind is Kind.TEXT) == isinstance(value.value, str)
        return value.value
    if quantity.kind is Kind.STATE:
        assert isinstance(value.value, bool)
    if value.unit in ("", quantity.unit):
        return float(value.value)
    factor, offset = quantity.also[value.unit]
    return value.value * factor + offset


def test_every_recording_has_an_expected_result() -> None:
    assert RECORDINGS.keys() == EXPECTED.keys() == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_what_goes_in_is_what_the_file_holds(name: str, data: Path) -> None:
    path, expected = EXPECTED[name]
    rows = rows_of(name, data)
    got: list[Expected] = [(row.device, v.name, row.time_ns, stored(v)) for row in rows for v in row.values]
    wanted = list(expected(data / path))
    assert len(rows) == COUNTS[name]
    assert Counter(got) == Counter(wanted)
    # One name of one device at one instant once: nothing overwrites anything.
    assert len({item[:3] for item in got}) == len(got)
    assert all(row.time_ns % 1000 == 0 for row in rows)


@pytest.mark.parametrize("name", COUNTS)
def test_the_registry_knows_every_device_and_what_it_measures(name: str, data: Path) -> None:
    recording = RECORDINGS[name]
    registry = parse(recording.registry(data / recording.path))
    sent: dict[str, set[str]] = {}
    for row in rows_of(name, data):
        sent.setdefault(row.device, set()).update(value.name for value in row.values)
    assert {device for _, device in registry.devices} == sent.keys()
    for device, names in sent.items():
        measures = registry.devices[recording.site, device].measures
        assert not measures or measures == names


def test_the_home_goes_forward_in_time_and_its_fractions_have_their_zeros_back(data: Path) -> None:
    times = [row.time_ns for row in rows_of("casas-al", data)]
    assert times[0] == 1_308_099_819_149_620_000  # 01:03:39.14962 is .149620
    assert times[-1] == 1_309_822_218_377_339_000
    assert all(b > a for a, b in pairwise(times))


def test_the_home_keeps_area_sensor_value_and_activity(data: Path) -> None:
    rows = rows_of("casas-al", data)
    assert Counter(row.device for row in rows) == {
        "kitchen": 13_208, "bathroom": 9_468, "bedroom": 8_942, "living-room": 2_308, "lounge-chair": 2_212,
        "work-area": 1_872, "outside-door": 1_758,
    }  # fmt: skip
    states = Counter((row.values[0].name.split(".")[0], row.values[0].value) for row in rows)
    assert states["contact", True] == states["contact", False] == 148
    assert states["motion", True] + states["light", True] == 19_736
    assert len({row.values[1].value for row in rows}) == 29


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("logan-tony-grove-2014", (26, 3280, 2036, 0, 984, 1862)),
        ("logan-tony-grove-2019", (22, 1134, 47, 13, 1239, 4975)),
        ("logan-franklin-basin-2014", (29, 3694, 3438, 0, 254, 4925)),
        ("logan-main-street-2019", (198, 519, 123, 5674, 71, 5021)),
    ],
)
def test_the_technicians_labels_stay_beside_the_river_rows(name: str, labels: tuple[int, ...], data: Path) -> None:
    got = Counter(quantity for row in rows_of(name, data) for quantity, _ in row.labels)
    names = ("water_temperature", "conductivity", "ph", "dissolved_oxygen", "turbidity", "water_level")
    assert tuple(got[n] for n in names) == labels == tuple(label_counts(data / RECORDINGS[name].path).values())


def test_a_year_of_main_street_misses_thirteen_temperatures(data: Path) -> None:
    rows = rows_of("logan-main-street-2017", data)
    assert sum(row.values[0].value is None for row in rows) == 13


def test_the_stations_keep_status_class_and_the_numbers_of_the_flat_table(data: Path) -> None:
    rows = rows_of("cn-stations", data)
    texts = [{v.name: v.value for v in row.values if isinstance(v.value, str)} for row in rows]
    assert Counter(t["station_status"] for t in texts) == {"正常": 12_737, "停站": 4_787, "维护": 3_134}
    assert Counter(t.get("published_class", "") for t in texts) == {
        "Ⅰ": 627, "Ⅱ": 4_443, "Ⅲ": 3_306, "Ⅳ": 3_179, "Ⅴ": 892, "劣Ⅴ": 796, "-": 77, "": 7_338
    }  # fmt: skip
    assert sum(len(str(t.get("station_status.filtered", "")).split()) for t in texts) == 1_923
    with gzip.open(data / "water/cn_stations/daily_json_2020-05_to_2020-10.csv.gz", "rt", encoding="utf-8-sig") as file:
        flat = list(csv.DictReader(file))
    raw = [column for column in flat[0] if column.endswith("_raw")]
    for row, cells in zip(rows, flat, strict=True):
        assert [None if cells[c] == "" else float(cells[c]) for c in raw] == [v.value for v in row.values[:11]]


def test_a_row_without_a_time_says_how_little_it_knows(data: Path) -> None:
    rows = rows_of("cn-stations", data)
    assert sum(row.err_s == 86_400 for row in rows) == 5_164
    assert len({row.device for row in rows}) == 1_900
    assert sum(1 for _ in cn_answers(data / "water/cn_stations")) == 174


def test_a_station_named_twice_a_day_keeps_both_rows(data: Path) -> None:
    recording = RECORDINGS["cn-stations"]
    text = recording.registry(data / recording.path)
    device = next(d for d in text.split("[[devices]]") if "江苏省 临淮乡" in d).split('id = "')[1].split('"')[0]
    first_days = [row for row in rows_of("cn-stations", data)[: 2 * 1901] if row.device == device]
    assert len(first_days) == 4
    assert len({row.time_ns for row in first_days}) == 4
    assert len({row.values[:5] for row in first_days}) == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("casas-al", b"2011-06-15 01:03:39.14962 Bedroom Bedroom MAYBE Sleep\n", id="a value nobody knows"),
        pytest.param("casas-al", b"2011-06-15 01:03 Bedroom ON\n", id="too few words"),
        pytest.param("logan-main-street-2017", gzip.compress(b"datetime,temp\nyesterday,1\n"), id="no time"),
        pytest.param("logan-main-street-2017", gzip.compress(b"datetime,temp\n2017-01-01 00:00,warm\n"), id="no number"),
    ],
)
def test_a_file_that_is_not_the_recording_is_refused_with_its_line(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(Rejected, match=r"file:\d"):
        list(RECORDINGS[name].rows(file))
