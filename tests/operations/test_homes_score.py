"""The score of watching over a home: what is simulated, what counts as false, and that nothing is learned from days to come."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.homes.replay import Replayer
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from operations.homes import recordings, simulate, table
from operations.homes.prepared import FIXED, MODEL, PERSONAL, Prepared, exchanged, prepare, taught
from operations.homes.recordings import FRONT, SECOND, Recording
from operations.homes.score import Fall, Run, Scenario, score
from operations.homes.simulate import DAY_NS, reading

FIRST_NS = 20_000 * DAY_NS
HOUR_NS = DAY_NS // 24
MINUTE_NS = HOUR_NS // 60


def a_home(days: int = 21, seed: int = 1, quiet: dict[int, tuple[float, float]] | None = None) -> Recording:
    """Up at 7, in bed at 22:30, something every ten minutes, out from 10 to 11; `quiet`: day -> hours without any sign."""
    return Recording("village", "a village home", tuple(_readings(days, Random(seed), quiet or {})), tuple(_out(days)), {})


def _out(days: int) -> Iterator[tuple[int, int]]:
    for day in range(days):
        yield FIRST_NS + day * DAY_NS + 10 * HOUR_NS, FIRST_NS + day * DAY_NS + 11 * HOUR_NS


def _readings(days: int, dice: Random, quiet: dict[int, tuple[float, float]]) -> Iterator[Seen]:
    rooms = ("motion.kitchen", "motion.living_room", "motion.bathroom", "contact.fridge")
    for day in range(days):
        start = FIRST_NS + day * DAY_NS
        yield reading("motion.bathroom", 1.0, start + MINUTE_NS)
        yield reading("motion.bathroom", 0.0, start + MINUTE_NS + 20 * SECOND)
        out = (start + 10 * HOUR_NS, start + 11 * HOUR_NS)
        silent = tuple(start + int(hour * HOUR_NS) for hour in quiet.get(day, (0.0, 0.0)))
        told_out = False
        for minute in range(7 * 60, 22 * 60 + 30, 10):
            at_ns = start + minute * MINUTE_NS + dice.randrange(60) * SECOND
            if out[0] <= at_ns < out[1]:
                if not told_out:
                    told_out = True
                    for by, value in ((0, 1.0), (8, 0.0)):
                        yield reading(FRONT, value, out[0] + by * SECOND)
                    for by, value in ((8, 1.0), (0, 0.0)):
                        yield reading(FRONT, value, out[1] - (60 + by) * SECOND)
                continue
            if silent[0] <= at_ns < silent[1]:
                continue
            name = dice.choice(rooms)
            yield reading(name, 1.0, at_ns)
            yield reading(name, 0.0, at_ns + 20 * SECOND)


@pytest.fixture(scope="module")
def village() -> Prepared:
    return prepare(a_home())


@pytest.fixture(scope="module")
def runs(village: Prepared) -> list[Run]:
    return score(village, (FIXED, PERSONAL), falls_a_day=4.0)


def of(runs: list[Run], scenario: Scenario, way: str) -> list[Run]:
    return [run for run in runs if run.scenario is scenario and run.way == way]


def test_the_scored_days_begin_when_fourteen_days_were_learned(village: Prepared) -> None:
    assert (village.learned_days, village.rounds, village.days) == (14, 1, 5.0)
    assert max(one.time_ns for one in village.lesson) < village.span[0] <= min(one.time_ns for one in village.scored)


def test_a_short_recording_learns_from_its_first_half_played_again_and_is_scored_on_its_second() -> None:
    short = prepare(a_home(days=12))
    assert short.rounds >= 3
    first_half = {one.time_ns % DAY_NS for one in short.recording.seen if one.time_ns < short.span[0]}
    assert {one.time_ns % DAY_NS for one in short.lesson} <= first_half
    assert all(a.time_ns <= b.time_ns for a, b in zip(short.lesson, short.lesson[1:], strict=False))


def test_a_recording_of_a_week_is_refused_with_its_length() -> None:
    with pytest.raises(Misconfigured, match="village has 6 whole days"):
        prepare(a_home(days=8))


def test_a_second_look_learns_from_the_later_days_and_scores_the_earlier_ones(village: Prepared) -> None:
    other = exchanged(village)
    assert other.span == (village.span[0] - 14 * DAY_NS, village.span[0])
    assert other.scored == village.lesson
    later = {(one.name, one.time_ns % DAY_NS) for one in village.scored}
    assert {(one.name, one.time_ns % DAY_NS) for one in other.lesson} == later
    assert max(one.time_ns for one in other.lesson) < other.span[0]
    assert [one.time_ns for one in other.lesson] == sorted(one.time_ns for one in other.lesson)


def test_nothing_is_learned_from_the_days_that_are_scored(village: Prepared) -> None:
    other = prepare(a_home(quiet={16: (11.5, 18.0), 18: (11.5, 19.0)}))
    for way in (PERSONAL, MODEL):
        assert taught(other, way).past.limits_s == taught(village, way).past.limits_s
        assert taught(other, way).past.model == taught(village, way).past.model


def test_the_personal_limit_calls_sooner_than_twelve_hours_and_both_never_for_nothing(runs: list[Run]) -> None:
    (fixed,), (personal,) = (of(runs, Scenario.RECORDED, way) for way in ("fixed 12 h", "personal"))
    assert fixed.false == personal.false == []
    by_day = [table.delays([fall for fall in run.falls if fall.by_day]) for run in (fixed, personal)]
    assert by_day[0].median_h is not None
    assert by_day[1].median_h is not None
    assert 11.5 < by_day[0].median_h < 12.5
    assert 3.5 < by_day[1].median_h < 5.0


def test_a_day_of_unusual_quiet_is_a_false_alarm() -> None:
    strange = prepare(a_home(quiet={16: (11.5, 18.0)}))
    (run,) = [run for run in score(strange, (PERSONAL,), falls_a_day=0.0) if run.scenario is Scenario.RECORDED]
    assert len(run.false) == 1
    assert run.asked == 1
    at_h = (run.false[0] - FIRST_NS - 16 * DAY_NS) / HOUR_NS
    assert 15.4 < at_h < 17


def test_a_simulated_absence_is_known_from_the_door_and_no_alarm(runs: list[Run]) -> None:
    for way in ("fixed 12 h", "personal"):
        (run,) = of(runs, Scenario.ABSENT, way)
        assert run.absences >= 2
        assert run.false == []


def test_falls_are_found_with_a_stuck_and_with_a_dead_sensor(runs: list[Run]) -> None:
    for scenario in (Scenario.STUCK, Scenario.DEAD):
        found = of(runs, scenario, "personal")
        assert len({run.sensor for run in found}) == 5
        falls = [fall for run in found for fall in run.falls]
        assert falls
        known = [fall for fall in falls if fall.delay_s is not None]
        assert len(known) >= 0.9 * len(falls)


def test_the_same_seed_gives_the_same_score(village: Prepared, runs: list[Run]) -> None:
    again = score(village, (PERSONAL,), falls_a_day=4.0)
    assert again == [run for run in runs if run.way == "personal"]
    other = score(village, (PERSONAL,), seed=2, falls_a_day=4.0)
    assert [run.falls for run in other] != [run.falls for run in again]


def test_nobody_falls_at_home_while_out() -> None:
    recording = a_home()
    span = (FIRST_NS, FIRST_NS + 5 * DAY_NS)
    found = simulate.moments(span, 200, recording.out, Random(1))
    assert len(found) == 200
    assert not any(start <= at_ns < end for at_ns in found for start, end in recording.out)
    assert simulate.moments(span, 10, [span], Random(1)) == []


def test_who_goes_out_is_no_longer_in_the_chair_and_sits_down_again_when_the_recording_says_so() -> None:
    seen = [reading("chair", 1.0, FIRST_NS), reading("motion.x", 1.0, FIRST_NS + HOUR_NS)]
    span = (FIRST_NS + 2 * HOUR_NS, FIRST_NS + 5 * HOUR_NS)
    told = simulate.absent(seen, span)
    assert [(one.name, one.value) for one in told if one.name in ("chair", FRONT)] == [
        ("chair", 1.0),
        ("chair", 0.0),
        (FRONT, 1.0),
        (FRONT, 0.0),
        (FRONT, 1.0),
        (FRONT, 0.0),
        ("chair", 1.0),
    ]
    assert [one.time_ns for one in told] == sorted(one.time_ns for one in told)


def test_a_stuck_sensor_goes_on_telling_and_a_dead_one_does_not() -> None:
    seen = a_home(days=1).seen
    span = (FIRST_NS + 12 * HOUR_NS, FIRST_NS + DAY_NS)
    stuck = [
        one for one in simulate.stuck(seen, "motion.kitchen", span) if one.name == "motion.kitchen" and one.time_ns >= span[0]
    ]
    assert {one.value for one in stuck} == {1.0}
    assert len(stuck) == 12 * 6
    dead = list(simulate.dead(seen, "motion.kitchen", span))
    assert not [one for one in dead if one.name == "motion.kitchen" and one.time_ns >= span[0]]
    assert [one for one in dead if one.name != "motion.kitchen"] == [one for one in seen if one.name != "motion.kitchen"]


def test_who_falls_lets_go_of_bed_and_chair_and_leaves_the_door_as_it_is() -> None:
    world = Replayer(HomeSetting("s", "h"), "UTC")
    for name in ("bed", "chair.living_room", "contact.fridge", "motion.hall"):
        world.feed(reading(name, 1.0, FIRST_NS))
    told = simulate.let_go(world.home, FIRST_NS + HOUR_NS)
    assert [(one.name, one.value) for one in told] == [("bed", 0.0), ("chair.living_room", 0.0), ("motion.hall", 0.0)]


def test_the_table_counts_all_homes_together_and_says_how_sure_it_is() -> None:
    falls = [Fall(0, True, 4 * 3600.0), Fall(0, True, 5 * 3600.0), Fall(0, True, None, 20 * 3600.0), Fall(0, False, 9 * 3600.0)]
    some = [
        Run("a", "personal", Scenario.RECORDED, 20.0, [1, 2], asked=3, falls=falls),
        Run("b", "personal", Scenario.RECORDED, 40.0, [3], asked=1, notices=1),
    ]
    (line,) = table.lines(some)
    assert (line.days, line.false, line.rate, line.asked) == (60.0, 3, 1.5, 2.0)
    # Poisson, 3 seen: 0.6187 to 8.7673 (chi-square tables), in two months.
    assert (line.low, line.high) == pytest.approx((0.3093, 4.3836), abs=1e-3)
    assert (line.day.count, line.day.missed, line.day.median_h, line.day.late_h) == (3, 1, 5.0, float("inf"))
    shown = table.markdown([line], "zh")
    assert (
        "| 如记录; 跌倒 | 个人时限 | 60 | 3 | 1.50 (0.31 - 4.38) | 2.0 | 0.5 | 5.0 h, > 48 h, 1 (1) / 3 | 9.0 h, 9.0 h, 0 / 1 |"
        in shown
    )
    assert table.between(0, 30.0) == pytest.approx((0.0, 3.6889), abs=1e-3)


def test_recorded_homes_are_read_whole_and_what_cannot_be_is_refused(data: Path) -> None:
    homes = {home.name: home for home in recordings.load(data / "homes")}
    assert len(homes["casas_al"].seen) == 39_768
    assert len({one.time_ns for one in homes["casas_al"].seen}) == 39_768
    assert len(homes["kasteren_A"].seen) == 2 * 1319
    assert len(homes["kasteren_A"].out) == 34
    assert len(homes["ordonez_A"].seen) == 2 * 409
    assert [row.split(":")[1] for row in homes["ordonez_A"].refused] == ["72", "81", "83"]
    assert len(homes["mit_subject1"].seen) == 2 * 2772
    assert sum(len(spans) for spans in homes["mit_subject1"].labels.values()) == 295
    assert not any(homes[name].refused for name in ("casas_al", "kasteren_A", "mit_subject1"))
    for home in homes.values():
        assert any(one.name == FRONT for one in home.seen)
        assert [one.time_ns for one in home.seen] == sorted(one.time_ns for one in home.seen)


def test_a_folder_without_recorded_homes_says_what_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no recorded home is in"):
        recordings.load(tmp_path)
