"""Roll-ups are the same whatever came first, and nothing that was touched is forgotten."""

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest

from edge_gateway.errors import Unavailable
from edge_gateway.events import Entry, Event, Flag, Reading, Readings, TimeQuality
from edge_gateway.settings import Settings
from edge_gateway.sink import Refusal
from ingest.aggregate import day, days_of_hour, hour, mean
from ingest.points import Point, RefusedPoint
from ingest.query import open_reader
from ingest.rollups import RollupSink, open_rollups
from ingest.rows import Row
from ingest.sinks import open_sink

HOUR = 3_600_000_000_000
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
LATER = START + 30 * 24 * HOUR
SHANGHAI = ZoneInfo("Asia/Shanghai")

Key = tuple[str, str, str, str, str, int]  # measurement, site, device, place, channel, start


def readings(device: str, time_ns: int, *values: Reading) -> Readings:
    return Readings.of("village", device, "room", 1, 1, time_ns, time_ns, "ntp", TimeQuality.DEVICE, None, list(values))


def three_days() -> list[Entry]:
    """Two homes, a reading every seven minutes, with every flag, a channel, a state, a text and a missing value."""
    chance = random.Random(7)
    entries: list[Entry] = []
    for device in ("home-1", "home-2"):
        for step in range(3 * 24 * 60 // 7):
            flag = chance.choice([1, 1, 1, 2, 2, 3, 4])
            time_ns = START + step * 7 * 60 * 1_000_000_000 + chance.randrange(1_000_000_000)
            entries.append(
                readings(
                    device,
                    time_ns,
                    Reading("temperature", chance.gauss(20, 5), flag),
                    Reading("humidity.kitchen", None, Flag.MISSING)
                    if chance.random() < 0.2
                    else Reading("humidity.kitchen", 51.5),
                    Reading("motion", float(chance.random() < 0.5)),
                    Reading("activity", "sleeping"),
                )
            )
    return entries


def by_hand(entries: Sequence[Entry]) -> dict[Key, dict[str, float | int]]:
    """What the roll-ups must be, from the entries alone."""
    groups = {"temperature": "climate", "humidity": "climate", "motion": "presence"}
    good: dict[tuple[Key, str], list[float]] = {}
    bad: dict[tuple[Key, str], int] = {}
    for entry in entries:
        assert isinstance(entry, Readings)
        moment = datetime.fromtimestamp(entry.time_ns // 1_000_000_000, UTC)
        midnight = datetime.combine(moment.astimezone(SHANGHAI).date(), datetime.min.time(), SHANGHAI)
        starts = {"_1h": moment.replace(minute=0, second=0), "_1d": midnight}
        for reading in entry.readings:
            name, _, channel = reading.name.partition(".")
            for suffix, start in starts.items():
                if name in groups:
                    start_ns = int(start.timestamp()) * 1_000_000_000
                    key = (groups[name] + suffix, entry.site, entry.device, entry.place, channel, start_ns)
                    values = good.setdefault((key, name), [])
                    bad.setdefault((key, name), 0)
                    if reading.flag in (1, 2) and isinstance(reading.value, float):
                        values.append(reading.value)
                    else:
                        bad[key, name] += 1
    found: dict[Key, dict[str, float | int]] = {}
    for (key, name), values in good.items():
        fields = found.setdefault(key, {})
        fields |= {f"{name}_count": len(values), f"{name}_bad": bad[key, name]}
        if values:
            fields |= {f"{name}_mean": fmean(values), f"{name}_min": min(values), f"{name}_max": max(values)}
    return found


def stored(settings: Settings) -> dict[Key, dict[str, float | int | str]]:
    reader = open_reader(settings)
    found = {}
    for measurement in ("climate_1h", "climate_1d", "presence_1h", "presence_1d"):
        for row in reader.rows(measurement, START - 48 * HOUR, LATER):
            tags = row.tags
            key = (measurement, tags["site"], tags["device"], tags.get("place", ""), tags.get("channel", ""), row.time_ns)
            found[key] = row.fields
    reader.close()
    return found


def test_shuffled_and_late_data_give_the_same_as_a_computation_by_hand(settings: Settings) -> None:
    entries = three_days()
    rollups = open_rollups(settings, open_sink(settings))
    chance = random.Random(11)
    late = set(chance.sample(range(len(entries)), 40))
    first = [entry for number, entry in enumerate(entries) if number not in late]
    chance.shuffle(first)
    for begin in range(0, len(first), 300):
        rollups.write(first[begin : begin + 300])
        rollups.recompute_due(LATER, 0)
    assert stored(settings) == by_hand(first)
    rollups.write([entries[number] for number in late])
    rollups.recompute_due(LATER, 0)
    assert stored(settings) == by_hand(entries)
    assert rollups.waiting() == 0
    rollups.close()


def test_only_what_was_touched_is_asked_for_again(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    rollups.write([readings("home-1", START + HOUR, Reading("temperature", 20.0))])
    assert rollups.recompute_due(LATER, 0) == 2
    eight = 8 * HOUR  # Shanghai's midnight is 16:00 UTC the day before
    assert database.asked == [
        ("climate", START - eight, START - eight + 24 * HOUR, "village", "home-1"),
        ("climate", START + HOUR, START + 2 * HOUR, "village", "home-1"),
    ]


def test_a_period_waits_until_it_is_over_and_its_data_has_come_in(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START + HOUR)
    rollups.write([readings("home-1", START, Reading("temperature", 20.0))])
    assert rollups.recompute_due(START + HOUR - 1) == 0
    assert rollups.recompute_due(START + HOUR + 29_000_000_000) == 0
    assert rollups.recompute_due(START + HOUR + 30_000_000_000) == 1  # the hour; the day goes on
    assert rollups.waiting() == 1


def test_a_clock_that_is_set_back_holds_nothing_up(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: LATER + 365 * 24 * HOUR)
    rollups.write([readings("home-1", START, Reading("temperature", 20.0))])
    assert rollups.recompute_due(LATER) == 2


def test_a_mark_is_on_disk_before_the_database_has_the_data(tmp_path: Path) -> None:
    database = Recorder()
    database.away = True
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    with pytest.raises(Unavailable):
        rollups.write([readings("home-1", START, Reading("temperature", 20.0))])
    with sqlite3.connect(tmp_path / "rollups.db") as other:
        assert other.execute("SELECT count(*) FROM mark").fetchone() == (2,)


def test_after_a_crash_between_roll_up_and_clearing_it_is_computed_again(tmp_path: Path) -> None:
    database = Recorder()
    database.rows_held = [Row(START, {"site": "village", "device": "home-1"}, {"temperature": 20.0, "temperature_flag": 1})]

    file = tmp_path / "rollups.db"
    rollups = RollupSink(database, database, database, file, clock=lambda: START)
    rollups.write([readings("home-1", START, Reading("temperature", 20.0))])
    database.power_fails = True
    with pytest.raises(KeyboardInterrupt):
        rollups.recompute_due(LATER, 0)
    again = RollupSink(database, database, database, file, clock=lambda: START)
    assert again.recompute_due(LATER, 0) == 2
    assert len(database.points) == 3
    assert database.points[0] == database.points[1]
    assert again.waiting() == 0


def test_what_arrives_while_its_hour_is_computed_is_computed_again(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    entry = readings("home-1", START, Reading("temperature", 20.0))
    rollups.write([entry])
    database.while_asked = lambda: rollups.write([entry])
    assert rollups.recompute_due(LATER, 0) == 4
    assert rollups.waiting() == 0


def test_a_write_that_is_on_its_way_while_its_hour_is_computed_is_not_forgotten(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    database.while_written = lambda: rollups.recompute_due(LATER, 0)
    rollups.write([readings("home-1", START, Reading("temperature", 20.0))])
    assert rollups.waiting() == 2


def test_a_backfill_in_another_process_does_not_lose_what_the_gateway_takes(tmp_path: Path) -> None:
    database, file = Recorder(), tmp_path / "rollups.db"
    gateway = RollupSink(database, database, database, file, clock=lambda: START)
    other = RollupSink(database, database, database, file, clock=lambda: START)
    entry = readings("home-1", START, Reading("temperature", 20.0))
    other.write([entry])  # remembers that its marks are on disk
    database.while_asked = lambda: other.write([entry])  # while the gateway has taken them
    assert gateway.recompute_due(LATER, 0) == 4
    other.write([entry])
    assert gateway.waiting() == 2


def test_writing_and_computing_at_the_same_time_end_in_the_same(embedded: Settings) -> None:
    entries = three_days()
    rollups = open_rollups(embedded, open_sink(embedded))
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            rollups.recompute_due(LATER, -1)

    with ThreadPoolExecutor() as pool:
        computing = pool.submit(compute)
        for begin in range(0, len(entries), 50):
            rollups.write(entries[begin : begin + 50])
        done.set()
        computing.result()
    rollups.recompute_due(LATER, -1)
    assert stored(embedded) == by_hand(entries)


def test_events_and_unknown_quantities_are_handed_on_and_not_marked(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    event = Event("village", "home-1", "room", 1, 2, START, START, "ntp", 0, None, "sos", [Reading("sos", 1.0)])
    rollups.write([event, readings("home-1", START, Reading("no_such_thing", 1.0))])
    assert (database.written, rollups.waiting()) == (2, 0)


def test_a_lost_file_of_marks_can_be_made_good_from_the_database(settings: Settings) -> None:
    entries = three_days()
    sink = open_sink(settings)
    sink.write(entries)
    rollups = open_rollups(settings, sink)
    assert rollups.mark(START, LATER) > 0
    rollups.recompute_due(LATER, -1)
    assert stored(settings) == by_hand(entries)
    rollups.close()


def test_neighbouring_hours_of_the_same_devices_are_one_query(tmp_path: Path) -> None:
    database = Recorder()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", "UTC", clock=lambda: START)
    backlog = [readings("home-1", START + number * HOUR, Reading("temperature", 20.0)) for number in range(48)]
    rollups.write([*backlog, readings("home-2", START + 47 * HOUR, Reading("temperature", 20.0))])
    rollups.recompute_due(LATER, 0)
    assert database.asked == [
        ("climate", START, START + 24 * HOUR, "village", "home-1"),
        ("climate", START + 24 * HOUR, START + 48 * HOUR, None, None),
        ("climate", START, START + 47 * HOUR, "village", "home-1"),
        ("climate", START + 47 * HOUR, START + 48 * HOUR, None, None),
    ]


def test_days_follow_the_clock_on_the_wall() -> None:
    berlin, noon = ZoneInfo("Europe/Berlin"), datetime(2026, 3, 29, 12, tzinfo=UTC)
    start, end = day(int(noon.timestamp()) * 1_000_000_000, berlin)
    assert (end - start) // HOUR == 23
    kolkata = ZoneInfo("Asia/Kolkata")
    straddling = int(datetime(2026, 3, 29, 18, tzinfo=UTC).timestamp()) * 1_000_000_000  # midnight is at 18:30 UTC
    assert len(days_of_hour(straddling, kolkata)) == 2
    assert len(days_of_hour(straddling + HOUR, kolkata)) == 1
    assert hour(-1) == (-HOUR, 0)


def test_the_mean_of_the_largest_numbers_is_a_number() -> None:
    assert mean([1.7e308, 1.7e308]) == 1.7e308


class Recorder:
    """A database in memory that writes down what it was asked."""

    name = "recorder"

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int, str | None, str | None]] = []
        self.points: list[Point] = []
        self.rows_held: list[Row] = []
        self.written = 0
        self.away = self.power_fails = False
        self.while_asked: Callable[[], object] = lambda: None
        self.while_written: Callable[[], object] = lambda: None

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        if self.away:
            raise Unavailable("away")
        self._once("while_written")
        self.written += len(entries)
        return []

    def write_points(self, points: Sequence[Point]) -> list[RefusedPoint]:
        self.points += points
        if self.power_fails:
            self.power_fails = False
            raise KeyboardInterrupt
        return []

    def rows(
        self, measurement: str, start_ns: int, end_ns: int, site: str | None = None, device: str | None = None
    ) -> Iterator[Row]:
        self.asked.append((measurement, start_ns, end_ns, site, device))
        self._once("while_asked")
        return iter(self.rows_held)

    def span(self, measurement: str) -> tuple[int, int] | None:
        return None

    def close(self) -> None:
        pass

    def _once(self, name: str) -> None:
        action = getattr(self, name)
        setattr(self, name, lambda: None)
        action()
