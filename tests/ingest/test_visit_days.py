"""A day of visits is counted once, whatever came first and however often a visit turned out otherwise."""

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from edge_gateway.errors import Unavailable
from edge_gateway.events import Reading, VisitChange
from edge_gateway.settings import Settings
from edge_gateway.visits.records import State
from ingest.aggregate import day
from ingest.query import open_reader
from ingest.rollups import RollupSink, open_rollups, touched
from ingest.rows import Row
from ingest.sinks import open_sink
from ingest.visit_days import STATES, count_visits
from tests.ingest.test_rollups import Recorder, readings

HOUR = 3_600_000_000_000
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
LATER = START + 60 * 24 * HOUR
SHANGHAI = ZoneInfo("Asia/Shanghai")
ALL = [*STATES, "gone"]

Key = tuple[str, str, str, int]  # site, place, service, start of the day


def visit(time_ns: int, state: str, place: str = "home-1", plan: str = "lunch-1", reviewing: bool = False) -> VisitChange:
    service = "meal" if plan else ""
    late_s = 600 + time_ns // HOUR % 7 if state == "late" else -300 if state == "early" else 0
    name = f"{plan}/{time_ns}"
    return VisitChange(
        "town", "gateway", place, time_ns, name, service, plan, "e-1", "k-1", state, "strong", True, reviewing, late_s
    )


def weeks() -> list[VisitChange]:
    """Five weeks of two meals at three places, in every state, and taps that nobody planned."""
    chance = random.Random(3)
    found = []
    for number in range(35):
        for place in ("home-1", "home-2", "canteen"):
            for meal, hour in (("lunch", 3), ("dinner", 15), ("night", 17)):  # 01:00 in Shanghai: of the next day
                at = START + (number * 24 + hour) * HOUR
                found.append(visit(at, chance.choice(ALL), place, f"{meal}-{place}", chance.random() < 0.1))
            found.append(visit(START + (number * 24 + 5) * HOUR + chance.randrange(HOUR), "unplanned", place, ""))
    return found


def by_hand(visits: Sequence[VisitChange]) -> dict[Key, dict[str, float | int | str]]:
    """What stands in the database after all of them, from the entries alone."""
    last = {(one.site, one.place, one.service, one.plan, one.time_ns): one for one in visits}
    days: dict[Key, list[VisitChange]] = defaultdict(list)
    for one in last.values():
        midnight = datetime.fromtimestamp(one.time_ns // 10**9, SHANGHAI).replace(hour=0, minute=0, second=0)
        days[one.site, one.place, one.service, int(midnight.timestamp()) * 10**9].append(one)
    found: dict[Key, dict[str, float | int | str]] = {}
    for key, ones in days.items():
        real = [one for one in ones if one.state != "gone"]
        counts = Counter(one.state for one in real)
        fields: dict[str, float | int | str] = {f"{state}_count": counts[state] for state in STATES}
        fields["reviewing_count"] = sum(one.reviewing for one in real)
        fields["late_s_max"] = float(max([0, *(one.late_s for one in real)]))
        found[key] = fields
    return found


def stored(settings: Settings) -> dict[Key, dict[str, float | int | str]]:
    reader = open_reader(settings)
    try:
        return {
            (row.tags["site"], row.tags["place"], row.tags.get("kind", ""), row.time_ns): row.fields
            for row in reader.rows("visit_1d", START - 48 * HOUR, LATER)
        }
    finally:
        reader.close()


def test_visits_come_late_and_turn_out_otherwise_and_each_day_says_what_stands(settings: Settings) -> None:
    first = weeks()
    chance = random.Random(5)
    chance.shuffle(first)
    then = [copy_of(one, chance.choice(ALL)) for one in first[::4]]
    rollups = open_rollups(settings, open_sink(settings))
    try:
        rollups.write(first)
        rollups.recompute_due(LATER, 0)
        assert stored(settings) == by_hand(first)
        rollups.write(then)
        rollups.recompute_due(LATER, 0)
        assert stored(settings) == by_hand([*first, *then])
        assert rollups.waiting() == 0
    finally:
        rollups.close()


def copy_of(one: VisitChange, state: str) -> VisitChange:
    return msgspec.structs.replace(one, state=state, late_s=1200 if state == "late" else 0, reviewing=not one.reviewing)


def test_visits_that_were_there_before_their_sums_are_counted_when_asked(settings: Settings) -> None:
    visits = weeks()
    sink = open_sink(settings)
    sink.write(visits)
    rollups = open_rollups(settings, sink)
    try:
        assert rollups.mark(START - HOUR, LATER) > 0
        rollups.recompute_due(LATER, -1)
        assert stored(settings) == by_hand(visits)
    finally:
        rollups.close()


def test_visits_of_before_there_were_sums_are_counted_by_themselves_once(settings: Settings) -> None:
    visits = weeks()
    sink = open_sink(settings)
    sink.write(visits)
    rollups = open_rollups(settings, sink)
    try:
        assert rollups.recompute_due(LATER, -1) == 0, "after all else"
        assert rollups.recompute_due(LATER, -1) == 36
        assert stored(settings) == by_hand(visits)
        assert rollups.recompute_due(LATER, -1) == 0
    finally:
        rollups.close()


def test_visits_that_cannot_be_read_stop_no_other_roll_up_and_are_asked_for_again(tmp_path: Path) -> None:
    database = Away()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    rollups.write([readings("home-1", START, Reading("temperature", 20.0))])
    assert rollups.recompute_due(LATER, -1) == 2
    database.asked.clear()
    database.is_away = False
    rollups.recompute_due(LATER, -1)
    assert rollups.recompute_due(LATER, -1) == 1
    assert {measurement for measurement, *_ in database.asked} == {"visit"}
    assert [point.measurement for point in database.points] == ["visit_1d"]
    rollups.close()


def test_what_was_marked_of_earlier_visits_is_not_marked_again_when_the_rest_cannot_be_read(tmp_path: Path) -> None:
    database = Away()
    database.is_away, database.until = False, START + 40 * 24 * HOUR
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    rollups.recompute_due(0, -1)
    begun = [start for _, start, *_ in database.asked]
    assert begun == [START, START + 31 * 24 * HOUR]
    rollups.close()
    database.asked.clear()
    rollups = RollupSink(database, database, database, tmp_path / "rollups.db", clock=lambda: START)
    rollups.recompute_due(0, -1)
    assert database.asked == []
    rollups.close()


def test_a_place_that_is_erased_while_its_sums_are_computed_does_not_come_back(settings: Settings) -> None:
    sink = open_sink(settings)
    rollups = open_rollups(settings, sink)
    rollups.write(weeks())
    rollups.recompute_due(START, -1)
    reading = rollups._reader
    erased = threading.Event()

    class Slow:
        """Somebody erases a home while its visits are read."""

        def rows(self, *asked: Any) -> Iterator[Row]:
            yield from reading.rows(*asked)
            if erasing.ident is None:
                erasing.start()
                erased.wait(1.0)

        def __getattr__(self, name: str) -> Any:
            return getattr(reading, name)

    def erase() -> None:
        rollups.erase("town", "home-1", [])
        erased.set()

    erasing = threading.Thread(target=erase)
    rollups._reader = Slow()
    try:
        rollups.recompute_due(START + 33 * 24 * HOUR, -1)
        erasing.join()
        assert {place for _, place, *_ in stored(settings)} == {"home-2", "canteen"}
    finally:
        rollups._reader = reading
        rollups.close()


class Away(Recorder):
    """Holds one visit, and cannot be asked at first."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away, self.until = True, START
        self.rows_held = [Row(START, {"site": "town", "device": "gateway", "place": "home-1"}, {"state": "late"})]

    def span(self, measurement: str) -> tuple[int, int] | None:
        if self.is_away:
            raise Unavailable("away")
        return (START, self.until) if measurement == "visit" else None


def test_a_day_of_visits_waits_until_it_is_over_and_has_no_hours(embedded: Settings) -> None:
    rollups = open_rollups(embedded, open_sink(embedded))
    try:
        rollups.write([visit(START, "on_time")])
        ends = day(START, SHANGHAI)[1]
        assert rollups.waiting() == 1
        assert rollups.recompute_due(ends - 1, -1) == 0
        assert rollups.recompute_due(ends, -1) == 1
    finally:
        rollups.close()


def test_the_same_visit_marks_one_day_and_each_of_two_days_its_own() -> None:
    assert touched([visit(START, "planned"), visit(START, "late")]) == {("visit", START, "town", "gateway")}
    assert len(touched([visit(START, "late"), visit(START + HOUR, "late")])) == 2


def test_the_states_are_those_of_the_ledger() -> None:
    assert set(STATES) == set(State)


def test_a_state_of_a_later_version_is_counted_under_its_own_name() -> None:
    rows = [Row(START, {"site": "town", "device": "gateway", "place": "home-1"}, {"state": "handed_over", "reviewing": 0.0})]
    (point,) = count_visits(rows, [START, START + 24 * HOUR], frozenset({("town", "gateway")}))
    assert dict(point.fields)["handed_over_count"] == 1
    assert point.labels == ()


def test_visits_of_another_gateway_are_its_own_matter() -> None:
    rows = [Row(START, {"site": "town", "device": "other", "place": "home-1"}, {"state": "late"})]
    assert list(count_visits(rows, [START, START + 24 * HOUR], frozenset({("town", "gateway")}))) == []
