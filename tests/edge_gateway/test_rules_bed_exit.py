"""Somebody who got up at night and did not come back: the home asks first, then people are called."""

import pytest

from edge_gateway.homes.home import Away
from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import MINUTE, WatchedHome, at


def asleep(*settings: str, got_up: str = "2:00") -> WatchedHome:
    """In bed since the evening, up at night."""
    home = WatchedHome(*settings)
    home.tell("bed", 0.0, at("18:00"))
    home.tell("chair", 0.0, at("18:00"))
    home.tell("bed", 1.0, at("22:30"))
    home.tell("bed", 0.0, at(got_up, 21))
    return home


def test_who_is_back_in_time_is_left_alone() -> None:
    home = asleep()
    home.tell("bed", 1.0, at("2:40", 21))
    home.until(at("5:59", 21))
    assert home.said == []


def test_first_the_home_asks_and_then_people_are_called() -> None:
    home = asleep()
    home.until(at("2:44", 21))
    assert home.asked == []
    home.until(at("2:46", 21))
    assert [asked.seconds for asked in home.asked] == [600]
    home.until(at("2:54", 21))
    assert home.alerts("bed-exit") == []
    home.until(at("2:57", 21))
    alert = home.alert("bed-exit")
    assert (alert.severity, alert.occurred_ns, len(home.asked)) == (Severity.WARNING, at("2:00", 21), 1)
    assert alert.text_zh.startswith("3-201: 夜里起床后没有回到床上, 11月21日 02:00 离床 (超过 45 分钟)。")
    assert "left it at 21 Nov 02:00" in alert.text_en
    assert "2026-11-21 02:00:00+0800 bed left h1" in alert.evidence


def test_who_answers_has_the_whole_time_again() -> None:
    home = asleep()
    home.until(at("2:46", 21))
    home.tell("cancel", 1.0, at("2:47", 21))
    home.until(at("3:31", 21))
    assert len(home.asked) == 1
    assert home.alerts("bed-exit") == []
    home.until(at("3:33", 21))
    assert len(home.asked) == 2


def test_a_home_that_does_not_ask_calls_at_once() -> None:
    home = asleep("prewarn_s = 0", "bed_exit_min = 30")
    home.until(at("2:31", 21))
    assert len(home.alerts("bed-exit")) == 1


def test_a_bed_that_is_said_to_be_taken_by_a_value_that_cannot_be_takes_back_no_worry() -> None:
    home = asleep("prewarn_s = 0")
    home.tell("bed", 1.0, at("2:20", 21), flag=4)
    home.until(at("2:46", 21))
    assert len(home.alerts("bed-exit")) == 1


@pytest.mark.parametrize("thing", ["bed", "chair", "cancel"])
def test_it_ends_with_a_bed_or_chair_that_is_taken_or_with_the_word_of_the_person(thing: str) -> None:
    home = asleep("prewarn_s = 0")
    home.until(at("2:50", 21))
    home.tell(thing, 1.0, at("2:52", 21))
    home.until(at("2:54", 21))
    assert home.alerts("bed-exit") == []


@pytest.mark.parametrize("last", ["silence", "broken", "out of range", "motion", "restart", "clock"])
def test_nothing_else_ends_it(last: str) -> None:
    home = asleep("prewarn_s = 0")
    home.until(at("2:50", 21))
    if last == "broken":
        home.tell("bed", None, at("2:52", 21))
    elif last == "out of range":
        home.tell("bed", 1.0, at("2:52", 21), flag=4)
    elif last == "motion":  # who crawls on the floor moves
        home.tell("motion.bath", 1.0, at("2:52", 21))
    elif last == "restart":
        home.restart()
    elif last == "clock":
        home.homes.jumped(9 * 3600 * 10**9)
        home.now_ns += 9 * 3600 * 10**9
    home.until(home.now_ns + 20 * 60 * MINUTE, 10 * MINUTE)
    assert len(home.alerts("bed-exit")) == 1


@pytest.mark.parametrize("why", ["rose early", "sat in the chair", "went out", "no pad", "broken pad", "sat down only", "off"])
def test_where_nothing_is_wrong_or_nothing_is_known_nobody_is_called(why: str) -> None:
    home = asleep("prewarn_s = 0", "bed_exit_min = 0" if why == "off" else "", got_up="5:30" if why == "rose early" else "2:00")
    if why == "sat in the chair":
        home.tell("chair", 1.0, at("2:05", 21))
    elif why == "went out":
        home.memory.away = Away("out", at("2:10", 21))
    elif why == "broken pad":
        home.tell("bed", None, at("2:10", 21))
    elif why in ("no pad", "sat down only"):
        home = WatchedHome("prewarn_s = 0")
        if why == "sat down only":
            home.tell("bed", 0.0, at("18:00"))
            home.tell("bed", 1.0, at("23:00"))
            home.tell("bed", 0.0, at("23:05"))
        home.tell("motion.bath", 1.0, at("2:00", 21))
    home.until(at("10:00", 21))
    assert home.alerts("bed-exit") == []


def test_who_sits_down_on_the_bed_for_a_moment_and_goes_on_is_still_up() -> None:
    home = asleep("prewarn_s = 0")
    home.tell("bed", 1.0, at("2:20", 21))
    home.tell("bed", 0.0, at("2:22", 21))
    home.until(at("3:06", 21))
    assert home.alerts("bed-exit") == []
    home.until(at("3:08", 21))
    assert home.alert("bed-exit").occurred_ns == at("2:22", 21)


def test_of_two_beds_the_one_that_was_left_counts() -> None:
    home = WatchedHome("prewarn_s = 0")
    for bed in ("bed.left", "bed.right"):
        home.tell(bed, 0.0, at("18:00"))
        home.tell(bed, 1.0, at("22:30"))
    home.tell("bed.left", 0.0, at("2:00", 21))
    home.until(at("2:46", 21))
    assert home.alert("bed-exit").occurred_ns == at("2:00", 21)


def test_a_device_that_invents_beds_fills_no_memory() -> None:
    home = WatchedHome()
    for number in range(50):
        home.tell(f"bed.b{number}", 0.0, at("18:00"))
        home.tell(f"bed.b{number}", 1.0, at("22:30"))
    assert sum(1 for timer in home.memory.timers if timer.startswith("bed-exit.")) <= 4
