"""What a database is told to forget is gone, and nothing else; real databases all."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.events import Entry, Event, Reading
from edge_gateway.settings import Settings
from edge_gateway.sink import Eraser
from ingest.query import open_reader
from ingest.rollups import RollupSink, open_rollups
from ingest.sinks import open_sink
from tests.databases import Database
from tests.ingest.samples import readings
from tests.servers import eventually

DAY_NS = 86_400 * 10**9
HOUR_NS = 3600 * 10**9
NOW_NS = time.time_ns() // DAY_NS * DAY_NS


def entries(place: str, device: str, time_ns: int) -> list[Entry]:
    values = [Reading("motion", 1.0, 1), Reading("temperature", 20.5, 1)]
    event = Event("village", device, place, 1, 9, time_ns, time_ns, "ntp", 0, None, "sos", [Reading("sos", 1.0, 1)])
    return [readings(values, time_ns, device, place), event]


@pytest.fixture
def rolled(settings: Settings) -> Iterator[RollupSink]:
    """Homes whose names begin alike, a device that stood in two and before that in none; of today and of long ago."""
    sink = open_rollups(settings, open_sink(settings))
    for place, device in (("p1", "box-1"), ("p1", "old-1"), ("p12", "box-2"), ("", "box-1"), ("", "walker"), ("p9", "box-1")):
        for time_ns in (NOW_NS - 40 * DAY_NS, NOW_NS - 2 * HOUR_NS):
            sink.write(entries(place, device, time_ns))
    sink.recompute_due(NOW_NS + HOUR_NS, delay_s=0)
    yield sink
    sink.close()


def stored(settings: Settings, measurement: str) -> set[tuple[str, str, int]]:
    """(place, device, days ago) of what is there."""
    reader = open_reader(settings)
    try:
        rows = reader.rows(measurement, NOW_NS - 90 * DAY_NS, NOW_NS + DAY_NS)
        return {(r.tags.get("place", ""), r.tags["device"], (NOW_NS - r.time_ns) // DAY_NS) for r in rows}
    finally:
        reader.close()


def test_a_home_is_gone_with_its_roll_ups_and_its_neighbours_stay(settings: Settings, rolled: RollupSink) -> None:
    everything = {m: stored(settings, m) for m in ("presence", "climate", "event", "presence_1h", "climate_1d")}
    assert all(len({place for place, *_ in found}) == 4 for found in everything.values()), everything
    rolled.erase("village", "p1", ["box-1"])
    rolled.erase("elsewhere", "p12", ["box-2"])
    for measurement, before in everything.items():
        expected = {row for row in before if row[0] != "p1"}
        assert stored(settings, measurement) == expected, measurement
    # Nothing is computed anew for it, and what comes afterwards is stored as usual.
    rolled.recompute_due(NOW_NS + 2 * DAY_NS, delay_s=0)
    assert ("p1", "box-1", 0) not in stored(settings, "presence_1h")
    rolled.write(entries("p1", "box-7", NOW_NS))
    eventually(lambda: ("p1", "box-7", 0) in stored(settings, "presence"), 10)


def test_what_is_older_goes_of_one_measurement_and_its_hourly_sums_stay(settings: Settings, rolled: RollupSink) -> None:
    before = stored(settings, "climate"), stored(settings, "presence_1h")
    rolled.forget("presence", NOW_NS - 30 * DAY_NS)
    left = stored(settings, "presence")
    assert left and all(days < 30 for *_, days in left)
    assert (stored(settings, "climate"), stored(settings, "presence_1h")) == before
    assert any(days > 30 for *_, days in before[1])
    edge, plain = NOW_NS - 2 * HOUR_NS, open_sink(settings)
    assert isinstance(plain, Eraser)
    plain.forget("presence", edge)
    assert stored(settings, "presence") == left, "of that very moment stays"
    plain.forget("presence", edge + 1)
    assert not stored(settings, "presence")
    plain.close()


def test_an_embedded_file_keeps_no_byte_of_it(embedded: Settings) -> None:
    sink = open_rollups(embedded, open_sink(embedded))
    for n in range(300):
        sink.write(entries("quiet-lane-7", "box-1", NOW_NS + n))
    sink.erase("village", "quiet-lane-7", ["box-1"])
    files: list[Path] = [file for file in embedded.data_dir.glob("r*.db*") if file.is_file()]
    assert len(files) > 1 and not any(b"quiet-lane-7" in file.read_bytes() for file in files)
    sink.close()


def test_victoriametrics_forgets_a_home_and_says_that_it_cannot_forget_by_age(
    victoriametrics: Database, tmp_path: Path
) -> None:
    sink = open_sink(Settings(data_dir=tmp_path, influx=victoriametrics.settings()))
    sink.write([*entries("p1", "box-1", NOW_NS), *entries("p12", "box-2", NOW_NS)])
    eventually(lambda: len(victoriametrics.rows("presence")) == 2, 20)
    sink.erase("village", "p1", ["box-1"])  # type: ignore[attr-defined]
    assert [row["place"] for row in victoriametrics.rows("presence")] == ["p12"]
    with pytest.raises(Misconfigured, match="own retention"):
        sink.forget("presence", NOW_NS)  # type: ignore[attr-defined]
    sink.close()


def test_a_reading_that_comes_after_its_hour_was_deleted_leaves_the_hours_sums_alone(
    settings: Settings, rolled: RollupSink
) -> None:
    hour_ns = NOW_NS - 40 * DAY_NS
    reader = open_reader(settings)

    def sums() -> list[object]:
        rows = reader.rows("presence_1h", hour_ns, hour_ns + HOUR_NS, "village", "box-2")
        return [row.fields["motion_count"] for row in rows]

    rolled.write([readings([Reading("motion", 1.0, 1)], hour_ns + n, "box-2", "p12", seq=n) for n in range(1, 5)])
    rolled.forget("presence", NOW_NS - 30 * DAY_NS)
    assert len(stored(settings, "presence")) > 5, "their sums are not computed yet: nothing is deleted"
    rolled.recompute_due(NOW_NS + HOUR_NS, delay_s=0)
    rolled.forget("presence", NOW_NS - 30 * DAY_NS)
    assert all(days < 30 for *_, days in stored(settings, "presence")) and sums() == [5]

    again = open_rollups(settings, open_sink(settings))  # a gateway that was restarted
    again.write([readings([Reading("motion", 0.0, 1)], hour_ns + 99, "box-2", "p12", seq=99)])
    again.recompute_due(NOW_NS + HOUR_NS, delay_s=0)
    again.forget("presence", NOW_NS - 30 * DAY_NS)
    assert sums() == [5] and all(days < 30 for *_, days in stored(settings, "presence"))
    again.close()
    reader.close()
