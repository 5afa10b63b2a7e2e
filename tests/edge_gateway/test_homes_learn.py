"""What is normal in one home is learned from its own days: when it holds, what it may never be, and what it does not learn."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_gateway.homes import evidence, learn
from edge_gateway.homes.home import Day, Past, Pause, pack, unpack_past
from edge_gateway.homes.setting import HomeSetting
from tests.edge_gateway.lived_home import HOUR, MINUTE, LivedHome, at, usual_day

SETTING = HomeSetting("wutong", "3-201")
H = 3600.0


def days(count: int, **longest_h: float) -> list[Day]:
    return [usual_day(number, **longest_h) for number in range(count)]


def beyond(longest_h: float, count: int = 14) -> float:
    """The limit that follows from the longest silence of so many days, seconds: a quarter more at 14 days, an eighth at 56."""
    return longest_h * H * (1 + 0.25 * (14 / count) ** 0.5) + 1800


def test_thirteen_days_teach_nothing_and_fourteen_do() -> None:
    assert learn.limits(days(13), SETTING) == []
    assert len(learn.limits(days(14), SETTING)) == 24
    past = Past(days=days(13))
    assert learn.limit_s(past, SETTING, at("12:00"), "UTC") == 12 * H


def test_a_day_that_is_not_complete_does_not_count() -> None:
    known = days(14)
    known[3].complete = False
    assert learn.limits(known, SETTING) == []


def test_by_day_no_limit_is_below_four_hours_and_at_night_nobody_is_woken() -> None:
    limits = learn.limits(days(14), SETTING)
    assert {limits[hour] for hour in range(6, 22)} == {4 * H}
    assert limits[22] == limits[23] == limits[0] == 8 * H
    assert limits[4] == 5 * H, "from 4 until 9 in the morning"


def test_a_limit_is_the_longest_silence_of_its_hours_and_a_margin() -> None:
    limits = learn.limits(days(14, h13=5.0, h22=9.0), SETTING)
    assert limits[13] == pytest.approx(beyond(5))
    assert limits[12] == limits[14] == limits[13], "habits shift by an hour"
    assert limits[11] == 4 * H
    assert limits[22] == pytest.approx(beyond(9))
    assert limits[20] == limits[22], "one may go to bed two hours earlier than ever before"
    assert limits[19] == 4 * H


def test_one_odd_day_in_a_month_is_forgotten_and_two_are_a_habit() -> None:
    known = days(30)
    known[10].longest_s[13] = 6 * H
    assert learn.limits(known, SETTING)[13] == 4 * H
    known[20].longest_s[13] = 6 * H
    assert learn.limits(known, SETTING)[13] == pytest.approx(beyond(6, 30))


def test_of_few_days_the_odd_one_counts() -> None:
    known = days(27)
    known[10].longest_s[13] = 6 * H
    assert learn.limits(known, SETTING)[13] == pytest.approx(beyond(6, 27))


def test_a_night_in_a_held_bed_teaches_the_bed_and_no_silence() -> None:
    home = LivedHome(begin=at("20:00"))
    home.tell("bed", 0.0, at("20:00"))
    home.walk(at("21:00"), "kitchen", "hall")
    home.tell("bed", 1.0, at("21:30"))
    home.tell("bed", 0.0, at("06:30", 2))
    today = home.world.home.today
    assert today is not None
    assert max(today.longest_s) < 3600
    assert today.held_s == [9 * H, 0.0]


def test_a_pause_teaches_nothing() -> None:
    home = LivedHome(begin=at("08:00"))
    home.walk(at("08:00"), "kitchen", "hall")
    home.world.home.pause = Pause(at("08:30"), at("20:00"), "zhang")
    home.walk(at("16:00"), "kitchen", "hall")
    today = home.world.home.today
    assert today is not None
    assert max(today.longest_s) < 3600


def test_no_limit_is_longer_than_half_as_long_again_as_the_fixed_one() -> None:
    assert max(learn.limits(days(14, h22=40.0), SETTING)) == 18 * H


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.floats(0, 48), min_size=24, max_size=24), min_size=14, max_size=60), st.floats(4, 72))
def test_limits_are_always_within_their_bounds(longest_h: list[list[float]], limit_h: float) -> None:
    setting = HomeSetting("wutong", "3-201", limit_h=limit_h)
    known = [Day("2026-02-01", [3600 * h for h in day], [1] * 24) for day in longest_h]
    for hour, limit_s in enumerate(learn.limits(known, setting)):
        assert learn.least(hour, setting) <= limit_s <= max(1.5 * limit_h * H, learn.least(hour, setting))


def test_a_home_that_is_lived_in_learns_its_own_limits() -> None:
    home = LivedHome()
    for day in range(1, 18):
        for hour in (7, 8, 9, 12, 13, 18, 19, 20, 21):
            home.walk(at(f"{hour:02}:10", day), "bedroom", "kitchen", "hall")
    home.until(at("00:05", 18))
    past = home.world.past
    assert len(past.days) == 17
    assert len(past.limits_s) == 24
    assert past.limits_s[13] == pytest.approx(beyond(5, 17), abs=120), "a long nap each day"
    assert past.limits_s[17] == 4 * H
    assert past.limits_s[21] == pytest.approx(beyond(10, 17), abs=120)
    bands = learn.bands(past, SETTING)
    assert (bands.day_s, bands.evening_s) == (4 * H, 4 * H)
    assert home.alarms == []


def test_the_silence_that_led_to_an_alarm_is_no_habit_unless_whoever_looked_says_so() -> None:
    past = Past(days=days(14), limits_s=learn.limits(days(14), SETTING))
    home = LivedHome(past=past)
    home.walk(at("09:00"), "kitchen", "hall")
    home.walk(at("19:00"), "kitchen", "hall")
    assert home.alarms
    home.until(at("00:05", 2))
    assert home.world.past.days[-1].longest_s[9] == pytest.approx(5 * H), "a quarter more than the limit, not ten hours"


def test_what_a_person_said_was_fine_teaches_all() -> None:
    past = Past(days=days(14), limits_s=learn.limits(days(14), SETTING))
    home = LivedHome(past=past)
    home.walk(at("09:00"), "kitchen", "hall")
    home.until(at("16:00"))
    evidence.said_fine(home.world.home, at("16:00"), "zhang")
    home.walk(at("19:00"), "kitchen", "hall")
    home.until(at("00:05", 2))
    assert home.world.past.days[-1].longest_s[9] == pytest.approx(7 * H, abs=60)


def test_a_day_without_life_without_sensors_or_away_is_no_lesson() -> None:
    home = LivedHome(begin=at("00:00"), silence_s=900.0)
    home.until(at("00:05", 2), every_s=600)  # nobody moved
    for hour in range(1, 12):
        home.until(at("00:05", 2) + hour * HOUR, every_s=600)
        home.walk(at("00:06", 2) + hour * HOUR, "kitchen", "hall")
    home.until(at("00:05", 3), every_s=600)  # a day as others
    home.until(at("07:59", 3), every_s=600)
    home.walk(at("08:00", 3), "kitchen", "hall")
    home.tell("temperature", 21.0, at("20:00", 3))  # deaf for twelve hours
    home.until(at("00:05", 4), every_s=600)
    assert [day.complete for day in home.world.past.days] == [False, True, False]


def test_a_gateway_that_was_down_for_days_learns_nothing_from_them() -> None:
    home = LivedHome(begin=at("00:00"))
    home.walk(at("08:00"), "kitchen", "hall")
    home.world.now_ns = at("09:00", 4) - MINUTE  # nobody looked for three days
    home.until(at("09:01", 4))
    assert [day.complete for day in home.world.past.days] == [False]


def test_no_more_than_sixty_days_are_kept_and_they_fit_into_a_small_row() -> None:
    past = Past(days=days(60, h22=8.0))
    home = LivedHome(past=past)
    home.walk(at("08:00"), "kitchen", "hall")
    home.until(at("00:05", 2))
    assert len(home.world.past.days) == 60
    assert unpack_past(pack(home.world.past)) == home.world.past
    assert len(pack(home.world.past)) < 60_000


def test_stays_in_bed_and_chair_have_limits_of_their_own_and_learning_only_makes_them_longer() -> None:
    known = days(14)
    for day in known:
        day.held_s = [13 * H, 2 * H]
    home = LivedHome(past=Past(days=known))
    home.walk(at("08:00"), "kitchen", "hall")
    home.until(at("00:05", 2))
    past = home.world.past
    assert learn.held_s(past, SETTING, "bed") == pytest.approx(beyond(13, 15))
    assert learn.held_s(past, SETTING, "chair.living") == 12 * H
    assert learn.held_s(Past(), HomeSetting("s", "p", bed_h=10.0), "bed") == 10 * H
