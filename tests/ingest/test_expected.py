"""Roll-ups say how many readings there should have been, and a period of which nothing came is not left out of the sum."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway import registry
from edge_gateway.errors import Unavailable
from edge_gateway.events import Entry, Reading, Readings
from edge_gateway.registry import Registry
from edge_gateway.settings import Settings
from edge_gateway.sink import Expecting, Refusal, Teller
from ingest.aggregate import day
from ingest.expected import Plan, plans_of
from ingest.query import open_reader
from ingest.rollup_keeper import RollupKeeper, with_rollups
from ingest.rollups import FILLED_NS, RollupSink, open_rollups
from ingest.sinks import open_sink
from tests.home_gateway import HomeGateway

HOUR = 3600 * 10**9
MINUTE = 60 * 10**9
START = int(datetime(2026, 3, 1, 16, tzinfo=UTC).timestamp()) * 10**9  # midnight in Shanghai
END = START + 24 * HOUR
LATER = START + 48 * HOUR

KNOWN = registry.parse("""
[sites.river]
[[devices]]
site = "river"
id = "probe-1"
place = "bridge"
cadence_s = 600
measures = ["ph", "turbidity", "water_temperature.2m", "firmware", "lat", "lon", "sos"]
lat = 30.5
lon = 120.5
[[devices]]
site = "river"
id = "boat-1"
cadence_s = 14400
[[devices]]
site = "river"
id = "button-1"
silence_s = 0
measures = ["motion"]
[[devices]]
site = "river"
id = "box-1"
place = "home-1"
model = "elder_home"
cadence_s = 60
measures = ["temperature"]
""")


def water(time_ns: int, device: str = "probe-1", place: str = "bridge", **values: float) -> Readings:
    found = [Reading(name.replace("_2m", ".2m"), value, 1) for name, value in values.items()]
    return Readings.of("river", device, place, 1, 1, time_ns, time_ns, "ntp", 0, None, found)


@pytest.fixture
def rollups(settings: Settings) -> Iterator[RollupSink]:
    sink = open_rollups(settings, open_sink(settings))
    sink.expect(KNOWN)
    sink.recompute_due(START)  # the gateway begins
    yield sink
    sink.close()


def stored(
    settings: Settings, measurement: str = "water_1h", device: str = "probe-1"
) -> dict[tuple[int, str], dict[str, object]]:
    """(hours since the start, channel) -> fields."""
    reader = open_reader(settings)
    try:
        rows = list(reader.rows(measurement, START - 48 * HOUR, LATER, "river", device))
    finally:
        reader.close()
    return {((row.time_ns - START) // HOUR, row.tags.get("channel", "")): dict(row.fields) for row in rows}


def test_an_hour_says_how_many_readings_it_should_have_had(settings: Settings, rollups: RollupSink) -> None:
    rollups.write([water(START + n * 10 * MINUTE, ph=7.0 + n, water_temperature_2m=11.5) for n in range(4)])
    rollups.write([water(START, "boat-1", "", ph=7.0), water(START, "stranger", "", ph=7.0)])
    rollups.recompute_due(START + HOUR, 0)
    found = stored(settings)
    assert found[0, ""] == {
        **{"ph_mean": 8.5, "ph_min": 7.0, "ph_max": 10.0, "ph_count": 4, "ph_bad": 0},
        **{"turbidity_count": 0, "turbidity_bad": 0, "expected": 6},
    }
    assert found[0, "2m"]["expected"] == 6
    assert all(isinstance(found[0, ""][name], int) for name in ("expected", "ph_count"))
    assert stored(settings, device="boat-1")[0, ""]["expected"] == 1
    assert "expected" not in stored(settings, device="stranger")[0, ""], "nobody knows"


def test_hours_and_days_of_which_nothing_came_are_told_and_late_data_put_right(settings: Settings, rollups: RollupSink) -> None:
    rollups.write([water(START + n * 10 * MINUTE, ph=7.0, turbidity=1.0, water_temperature_2m=9.0) for n in range(6)])
    for hour in range(1, 25):
        rollups.recompute_due(START + hour * HOUR, 0)
    silent: dict[str, object] = {"ph_count": 0, "ph_bad": 0, "turbidity_count": 0, "turbidity_bad": 0, "expected": 6}
    found = stored(settings)
    assert {at for at, channel in found} == set(range(24))
    assert found[1, ""] == found[23, ""] == silent
    assert (found[0, ""]["ph_count"], found[0, "2m"]["water_temperature_count"]) == (6, 6)
    (whole,) = [fields for (_, channel), fields in stored(settings, "water_1d").items() if channel == ""]
    assert (whole["ph_count"], whole["expected"]) == (6, 144)
    rollups.write([water(START + HOUR + n * 10 * MINUTE, ph=8.0) for n in range(3)])
    rollups.recompute_due(END + HOUR, 0)
    assert stored(settings)[1, ""] == silent | {"ph_mean": 8.0, "ph_min": 8.0, "ph_max": 8.0, "ph_count": 3}
    (whole,) = [fields for (_, channel), fields in stored(settings, "water_1d").items() if channel == ""]
    assert (whole["ph_count"], whole["expected"]) == (9, 144)
    assert rollups.waiting() < 10, "only the day that goes on"


def test_where_nobody_knows_what_comes_or_silence_is_nobodys_business_no_empty_period_is_made(
    settings: Settings, rollups: RollupSink
) -> None:
    for hour in range(1, 26):
        rollups.recompute_due(START + hour * HOUR, 0)
    assert stored(settings, "water_1d", "boat-1") == {}, "without `measures` nobody knows what is missing"
    assert stored(settings, "presence_1d", "button-1") == {}, "it speaks when somebody presses"
    assert stored(settings, "climate_1h", "box-1") == {}, "a home"
    assert stored(settings, "position_1h") == {}, "its position is the registry's"
    box = Readings.of("river", "box-1", "home-1", 1, 1, START, START, "ntp", 0, None, [Reading("temperature", 20.0, 1)])
    button = Readings.of("river", "button-1", "", 1, 1, START, START, "ntp", 0, None, [Reading("motion", 1.0, 1)])
    rollups.write([box, button, water(START, lat=30.5, lon=120.5)])
    rollups.recompute_due(END, 0)
    assert stored(settings, "climate_1h", "box-1")[0, ""]["expected"] == 60
    assert "expected" not in stored(settings, "presence_1h", "button-1")[0, ""]
    assert "expected" not in stored(settings, "position_1h")[0, ""]


def test_a_file_put_back_without_a_registry_takes_no_expectation_away(settings: Settings, rollups: RollupSink) -> None:
    rollups.recompute_due(START + HOUR, 0)
    rollups.close()
    again = open_rollups(settings, open_sink(settings))
    again.write([water(START, ph=7.5)])
    again.recompute_due(START + HOUR, 0)
    again.close()
    fields = stored(settings)[0, ""]
    assert (fields["ph_count"], fields["ph_mean"], fields["expected"]) == (1, 7.5, 6)


def test_a_gateway_that_was_off_tells_of_the_hours_between_but_of_no_month(embedded: Settings) -> None:
    def run(now_ns: int) -> int:
        sink = open_rollups(embedded, open_sink(embedded))
        sink.expect(KNOWN)
        done = sink.recompute_due(now_ns, 0)
        sink.close()
        return done

    assert run(START) == 0
    assert run(START + 3 * HOUR) == 3
    assert {at for at, _ in stored(embedded)} == {0, 1, 2}
    assert run(START + 3 * HOUR + MINUTE) == 0
    assert run(START + 400 * 24 * HOUR) <= FILLED_NS // HOUR + 8
    # That was a clock that ran ahead; it is put right, and nobody waits until the year is over.
    run(START + 5 * HOUR)
    run(START + 6 * HOUR)
    assert max(at for at, _ in stored(embedded)) == 5


def test_a_device_that_was_moved_is_not_told_as_missing_where_it_stands_now(embedded: Settings) -> None:
    rollups = open_rollups(embedded, open_sink(embedded))
    rollups.expect(KNOWN)
    rollups.write([water(START, place="weir", ph=7.0, water_temperature_2m=9.0)])
    rollups.recompute_due(START + HOUR, 0)
    reader = open_reader(embedded)
    assert {row.tags["place"] for row in reader.rows("water_1h", START, LATER)} == {"weir"}
    reader.close()
    rollups.close()


@given(st.floats(0.1, 40 * 86_400), st.integers(0, 10_000), st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]))
def test_the_hours_of_a_day_add_up_to_the_day(cadence_s: float, days: int, zone: str) -> None:
    plan = Plan("", max(round(cadence_s * 1e9), 1))
    start, end = day(START + days * 24 * HOUR, ZoneInfo(zone))
    hours = [plan.readings("water", at, at + HOUR) or 0 for at in range(start, end, HOUR)]
    whole = plan.readings("water", start, end)
    assert whole == sum(hours)
    assert whole is not None
    assert abs(whole - (end - start) / 1e9 / cadence_s) < 1 + 1e-6 * whole


def test_texts_and_events_are_not_expected_of_a_station() -> None:
    assert plans_of(KNOWN)["river", "probe-1"].series == {"water": {"": ("ph", "turbidity"), "2m": ("water_temperature",)}}
    assert set(plans_of(KNOWN)) == {("river", "probe-1"), ("river", "boat-1"), ("river", "box-1")}


class Told:
    """A database that wants to know who is expected."""

    name = "told"

    def __init__(self) -> None:
        self.known: list[Registry] = []

    def expect(self, registry: Registry) -> None:
        self.known.append(registry)

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        return []

    def close(self) -> None:
        pass


def test_the_gateway_says_who_is_expected_at_its_start_and_when_the_registry_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Told()
    monkeypatch.setattr("tests.home_gateway.open_sink", lambda settings: sink)
    with HomeGateway(tmp_path, "[sites.river]\n", START) as gateway:
        assert [len(known.devices) for known in sink.known] == [0]
        gateway.settings.registry.write_text('[sites.river]\n[[devices]]\nsite = "river"\nid = "probe-9"\n')
        for _ in range(3):
            gateway.do(gateway.gateway.housekeeping.look_at_registry)
    assert set(sink.known[-1].devices) == {("river", "probe-9")}


def test_what_keeps_the_roll_ups_beside_a_gateway_hands_it_on(embedded: Settings) -> None:
    rollups = open_rollups(embedded, open_sink(embedded))
    keeper = RollupKeeper(rollups, every_s=threading.TIMEOUT_MAX)
    assert isinstance(keeper, Expecting)
    assert isinstance(keeper, Teller)
    assert keeper.tell([water(START, ph=7.0)]) == []
    keeper.expect(KNOWN)
    rollups.recompute_due(START, 0)
    rollups.recompute_due(START + HOUR, 0)
    assert stored(embedded)[0, ""]["expected"] == 6
    keeper.close()


def test_a_gateway_starts_with_the_file_of_an_older_version_on_a_full_disk(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = embedded.data_dir / "rollups.db"
    open_rollups(embedded, open_sink(embedded)).close()
    with closing(sqlite3.connect(file)) as older:
        older.execute("DROP TABLE IF EXISTS expected")
        older.execute("VACUUM")
    connect = sqlite3.connect

    def full(*given: Any, **more: Any) -> sqlite3.Connection:
        db = connect(*given, **more)
        if str(given[0]) == str(file):
            db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
        return db

    monkeypatch.setattr("sqlite3.connect", full)
    sink = open_rollups(embedded, open_sink(embedded))
    sink.expect(KNOWN)
    with pytest.raises(Unavailable, match="marks"):
        sink.recompute_due(START)
    sink.close()


def test_a_gateway_starts_without_roll_ups_when_their_file_is_damaged(
    embedded: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    embedded.data_dir.mkdir(parents=True, exist_ok=True)
    (embedded.data_dir / "rollups.db").write_bytes(b"no database" * 1000)
    sink = with_rollups(embedded, open_sink(embedded))
    assert sink.write([water(START, ph=7.0)]) == []
    assert "rollups.db" in caplog.text and "kanhu ingest rollups --from" in caplog.text
    sink.close()
