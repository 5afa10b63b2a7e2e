"""The buttons for medicine and meals: a window without a press is told of, a late press ends it, who was out is not asked."""

import pytest

from edge_gateway.homes.home import Away, Pause
from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import MINUTE, WatchedHome, at

WINDOWS = 'medication = ["07:30-09:00", "19:00-20:30"]'


def morning(*settings: str) -> WatchedHome:
    home = WatchedHome(*settings or (WINDOWS,))
    home.tell("humidity", 50.0, at("6:00"))
    return home


def beat(home: WatchedHome, clock: str, day: int = 20) -> None:
    """The home is heard and time passes."""
    home.tell("humidity", 50.0, at(clock, day))
    home.look(at(clock, day) + 1)


def test_a_window_without_a_press_is_told_of_with_its_times() -> None:
    home = morning()
    beat(home, "8:59")
    assert home.alerts("medication") == []
    beat(home, "9:01")
    alert = home.alert("medication")
    assert (alert.severity, alert.occurred_ns) == (Severity.NOTICE, at("9:00"))
    assert alert.text_zh == "3-201: 11月20日 07:30 到 09:00 没有按服药按钮。请打电话问一下药吃了没有; 不要补吃双份。"
    assert alert.evidence[-1] == "2026-11-20 09:00:00+0800 medication window ended"


@pytest.mark.parametrize("clock", ["6:45", "8:00", "8:59"])
def test_a_press_in_the_window_or_soon_before_it_is_enough(clock: str) -> None:
    home = morning()
    home.tell("medication", 1.0, at(clock))
    beat(home, "9:01")
    assert home.alerts("medication") == []


def test_the_press_of_the_morning_does_not_count_for_the_evening() -> None:
    home = morning()
    home.tell("medication", 1.0, at("8:00"))
    beat(home, "20:31")
    assert home.alert("medication").evidence[0] == "2026-11-20 08:00:00+0800 medication pressed last"


def test_a_late_press_ends_it_and_one_that_was_made_in_time_and_came_late_too() -> None:
    for pressed, received in (("9:40", "9:40"), ("8:00", "9:40")):
        home = morning()
        beat(home, "9:01")
        home.tell("medication", 1.0, at(pressed), received_ns=at(received))
        home.look(at("9:41"))
        assert home.alerts("medication") == []


@pytest.mark.parametrize("last", ["silence", "released", "out of range", "unreadable", "restart", "next day"])
def test_nothing_but_a_press_ends_it(last: str) -> None:
    home = morning()
    beat(home, "9:01")
    if last == "released":
        home.tell("medication", 0.0, at("9:10"))
    elif last == "unreadable":
        home.tell("medication", None, at("9:10"))
    elif last == "out of range":
        home.tell("medication", 1.0, at("9:10"), flag=4)
    elif last == "restart":
        home.restart()
    home.until(at("18:00", 21 if last == "next day" else 20), 10 * MINUTE)
    assert len(home.alerts("medication")) == 1


@pytest.mark.parametrize("why", ["away", "paused", "not heard", "new home", "long ago", "no windows"])
def test_where_nobody_can_know_nobody_is_told(why: str) -> None:
    home = morning("") if why == "no windows" else morning()
    if why == "away":
        home.memory.away = Away("out", at("7:00"))
    elif why == "paused":
        home.memory.pause = Pause(at("6:00"), at("8:30"), "elder")
    elif why == "new home":
        home = WatchedHome(WINDOWS)
        home.tell("humidity", 50.0, at("8:00"))
    if why == "not heard":
        home.until(at("12:00"))
    elif why == "long ago":  # the gateway was switched off all day
        beat(home, "16:00")
    else:
        beat(home, "9:01")
    assert home.alerts("medication") == []


def test_the_meal_button_has_its_own_windows_and_alert() -> None:
    home = morning(WINDOWS, 'meals = ["11:30-13:00"]', "limit_h = 20")
    home.tell("medication", 1.0, at("8:00"))
    beat(home, "13:01")
    assert "没有按用餐按钮" in home.alert("meal-button").text_zh
    home.tell("meal", 1.0, at("13:10"))
    home.look(at("13:11"))
    assert home.alerts("meal-button") == []
    assert home.alerts("medication") == []
