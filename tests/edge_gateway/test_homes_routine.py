"""How a person's days go, what changed over weeks, and what a small model makes of it."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from edge_gateway.homes import drift, model, routine
from edge_gateway.homes.home import Day, Past
from edge_gateway.homes.setting import HomeSetting

DAY_NS = 86_400 * 1_000_000_000
MINUTE_NS = 60 * 1_000_000_000
SETTING = HomeSetting("s", "h")
FIRST_NS = 20_000 * DAY_NS


def a_day(number: int, signs: list[tuple[int, str]], complete: bool = True) -> Day:
    """Signs of life as (minute, sensor)."""
    day = Day(f"day-{number}", [0.0, 0.0, 0.0], [0] * 24, complete=complete, from_ns=FIRST_NS + number * DAY_NS)
    for minute, name in signs:
        routine.life(day, name, day.from_ns + minute * MINUTE_NS)
    return day


def usual(number: int, dice: Random, up: int = 450, bed: int = 1350, nights: int = 1, lunch: bool = True) -> Day:
    """Somebody who gets up, cooks, sits, goes to bed, and goes to the bathroom at night."""
    up += dice.randint(-15, 15)
    bed += dice.randint(-15, 15)
    signs = [(minute, "motion.living_room") for minute in range(up, bed, 10) if dice.random() < 0.8]
    for meal in (480, 720, 1080) if lunch else (480, 1080):
        start = max(up, meal + dice.randint(-10, 10))
        signs += [(minute, "contact.fridge") for minute in range(start, start + 40, 5)]
    signs += [(60 + 90 * visit, "motion.bathroom") for visit in range(nights)]
    return a_day(number, signs)


def days_of(count: int, make: Callable[[int], Day]) -> list[Day]:
    return [make(number) for number in range(count)]


def test_sleep_meals_and_the_bathroom_at_night_are_read_from_quarter_hours() -> None:
    dice = Random(1)
    found = routine.of_days(days_of(10, lambda number: usual(number, dice, nights=2)))
    assert len(found) == 10
    assert found[0].up is None  # nobody knows the evening before the first day
    for day in found[1:]:
        assert day.up == pytest.approx(450, abs=45)
        assert day.to_bed == pytest.approx(1350, abs=45)
        assert day.night_bath == 2
        assert day.lunch == pytest.approx(720, abs=30)


def test_one_who_is_out_all_night_did_not_sleep_at_home() -> None:
    evening = a_day(0, [(minute, "motion.kitchen") for minute in range(480, 1200, 10)])
    morning = a_day(1, [(minute, "motion.kitchen") for minute in range(600, 1200, 10)])
    routine.held(evening, "away", evening.from_ns + 1200 * MINUTE_NS, morning.from_ns + 600 * MINUTE_NS)
    routine.held(morning, "away", evening.from_ns + 1200 * MINUTE_NS, morning.from_ns + 600 * MINUTE_NS)
    last = routine.of_days([evening, morning])[-1]
    assert last.up is None
    assert last.outings == 1
    assert last.out_min == 600


def test_a_sign_of_another_day_and_an_incomplete_day_are_left_out() -> None:
    day = a_day(0, [(600, "motion.kitchen")])
    routine.life(day, "motion.kitchen", day.from_ns - 1)
    routine.life(day, "motion.kitchen", day.from_ns + DAY_NS)
    assert routine.quarters(day, "life") == 1 << 40
    assert routine.of_days([a_day(0, [(600, "motion.x")], complete=False)]) == []


def test_a_gap_between_two_days_is_no_night() -> None:
    dice = Random(2)
    found = routine.of_days([usual(0, dice), usual(5, dice)])
    assert found[-1].up is None


def test_a_usual_day_is_told_in_both_languages_once_a_week_is_known() -> None:
    dice = Random(3)
    days = days_of(10, lambda number: usual(number, dice))
    assert routine.words(days[:6]) == []
    zh, en = routine.words(days)[0]
    assert "起床" in zh
    assert "usually in bed by about 22:" in en


def test_a_week_like_those_before_gives_no_hint() -> None:
    quiet = 0
    for seed in range(20):
        dice = Random(seed)
        past = Past(days=days_of(42, lambda number: usual(number, dice)))  # noqa: B023
        quiet += not drift.hints(past, SETTING, "UTC")
    assert quiet >= 19


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        pytest.param({"nights": 5}, "night", id="bathroom at night"),
        pytest.param({"up": 620}, "getting up", id="gets up late"),
        pytest.param({"lunch": False}, "lunch", id="no more lunch"),
    ],
)
def test_a_week_that_is_different_is_told_as_a_hint_to_ask(changed: dict[str, int], word: str) -> None:
    dice = Random(4)
    days = days_of(42, lambda number: usual(number, dice, **(changed if number >= 35 else {})))  # type: ignore[arg-type]
    hints = drift.hints(Past(days=days), SETTING, "UTC")
    assert any(word in en and "Worth asking" in en for _, en in hints)
    assert all("看望" in zh for zh, _ in hints)


def test_too_few_days_give_no_hint() -> None:
    dice = Random(5)
    assert drift.hints(Past(days=days_of(15, lambda number: usual(number, dice))), SETTING, "UTC") == []


@pytest.mark.parametrize(
    ("now", "then", "z"),
    [
        pytest.param([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], 0.0, id="all the same"),
        # scipy.stats.mannwhitneyu([4,5,6],[1,2,3], use_continuity=False, method="asymptotic"): U 9, p 0.0495
        pytest.param([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], 1.9640, id="apart"),
        pytest.param([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], -1.9640, id="apart the other way"),
    ],
)
def test_the_rank_sum_is_that_of_mann_and_whitney(now: list[float], then: list[float], z: float) -> None:
    assert drift.rank_sum(now, then) == pytest.approx(z, abs=1e-3)


def test_the_model_learns_that_quiet_by_day_is_more_surprising_than_by_night() -> None:
    dice = Random(6)
    learned = model.train(days_of(21, lambda number: usual(number, dice)), SETTING)
    by_day, by_night = model.limit_s(learned, 9 * 60), model.limit_s(learned, 23 * 60)
    assert by_day is not None
    assert by_night is not None
    assert by_day == 4 * 3600
    assert by_night > 8 * 3600
    # A silence that begins before dawn is known for what it is soon after the usual time of getting up.
    before_dawn = model.limit_s(learned, 5 * 60)
    assert before_dawn is not None
    assert before_dawn < by_night - 3 * 3600


def test_the_model_allows_every_silence_it_was_trained_on() -> None:
    dice = Random(7)
    days = days_of(21, lambda number: usual(number, dice, nights=0))
    learned = model.train(days, SETTING)
    ends = [day.from_ns // MINUTE_NS + 15 * quarter for day in days for quarter in range(96) if _lives(day, quarter)]
    for before, after in pairwise(ends):
        allowed = model.limit_s(learned, before % 1440)
        assert allowed is not None
        assert (after - before) * 60 <= allowed + 900


def _lives(day: Day, quarter: int) -> bool:
    return bool(routine.quarters(day, "life") >> quarter & 1)


def test_hours_away_are_neither_quiet_nor_life_to_the_model() -> None:
    dice = Random(8)
    days = days_of(21, lambda number: usual(number, dice))
    before = model.train(days, SETTING)
    for day in days[::2]:
        cleared = routine.quarters(day, "life") & ~(((1 << 24) - 1) << 40)
        day.marks["life"] = [cleared & (1 << 48) - 1, cleared >> 48]
        routine.held(day, "away", day.from_ns + 600 * MINUTE_NS, day.from_ns + 960 * MINUTE_NS)
    after = model.train(days, SETTING)
    assert after["limit"] == pytest.approx(before["limit"], rel=0.25)
    assert model.limit_s(after, 9 * 60) == 4 * 3600


@pytest.mark.parametrize(
    "days",
    [
        pytest.param([], id="none"),
        pytest.param([a_day(number, [(600, "motion.x")]) for number in range(13)], id="thirteen"),
        pytest.param([a_day(number, [(600, "motion.x")], complete=False) for number in range(30)], id="incomplete"),
        pytest.param([Day(str(number), [0.0] * 3, [0] * 24) for number in range(30)], id="without marks"),
    ],
)
def test_too_little_gives_no_model(days: list[Day]) -> None:
    assert model.train(days, SETTING) == {}
    assert model.limit_s({}, 600) is None
    assert model.words({}) is None


def test_a_damaged_model_is_no_model() -> None:
    assert model.limit_s({"reach_s": [1.0, 2.0]}, 600) is None
    assert model.limit_s({"reach_s": "x"}, 600) is None
    assert model.words({"chance": [0.5] * 96, "reach_s": []}) is None


def test_the_model_says_in_words_what_it_learned() -> None:
    dice = Random(9)
    told = model.words(model.train(days_of(21, lambda number: usual(number, dice)), SETTING))
    assert told is not None
    assert "学了 21 天" in told[0]
    assert "09:00 起没有动静, 13:00 询问" in told[0]
    assert "Quiet since 09:00: asks at 13:00." in told[1]
