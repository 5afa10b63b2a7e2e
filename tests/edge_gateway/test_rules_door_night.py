"""A door that stands open at night is told of once, and the alert ends when it is closed, not when nobody hears of it."""

import pytest

from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import KEY, MINUTE, WatchedHome, at


def door(opened: str, *settings: str, name: str = "contact.front", now: str = "") -> WatchedHome:
    home = WatchedHome("prewarn_s = 0", *settings)
    home.tell(name, 0.0, at("18:00"))
    home.tell(name, 1.0, at(opened))
    return home


def test_a_door_open_at_night_is_told_of_after_its_time_with_reason_and_evidence() -> None:
    home = door("22:30")
    home.until(at("22:44"))
    assert home.alerts("door-night") == []
    home.until(at("22:46"))
    alert = home.alert("door-night")
    assert (alert.key, alert.severity, alert.occurred_ns) == ("door-night/wutong/3-201", Severity.WARNING, at("22:30"))
    assert alert.text_zh == "3-201: 夜里门开着, 11月20日 22:30 打开, 一直没有关。请打电话; 没人接就上门看看。"
    assert alert.text_en.startswith("3-201: the door stands open at night, since 20 Nov 22:30.")
    assert alert.evidence[-1] == "2026-11-20 22:30:00+0800 contact.front open h1"


def test_a_door_open_since_the_evening_has_its_time_from_the_beginning_of_the_night() -> None:
    home = door("19:00")
    home.until(at("22:14"))
    assert home.alerts("door-night") == []
    home.until(at("22:16"))
    assert home.alert("door-night").occurred_ns == at("22:00")


def test_a_door_open_by_day_and_one_closed_in_time_are_nobodys_alarm() -> None:
    assert not _after(door("10:00"), "21:59")
    home = door("22:30")
    home.tell("contact.front", 0.0, at("22:40"))
    assert not _after(home, "23:30")


@pytest.mark.parametrize("name", ["contact.fridge", "contact.window_bath"])
def test_what_is_no_door_of_the_home_is_not_watched(name: str) -> None:
    assert not _after(door("22:30", name=name), "23:30")


def test_minutes_of_zero_switch_it_off() -> None:
    assert not _after(door("22:30", "door_min = 0"), "23:59")


def test_it_ends_when_the_door_is_closed_and_says_when() -> None:
    home = door("22:30")
    home.until(at("23:00"))
    alert = home.alert("door-night")
    home.tell("contact.front", 0.0, at("23:05"))
    home.look(at("23:06"))
    assert home.alerts("door-night") == []
    assert (alert.closed_by, alert.evidence[-1]) == ("gateway", "2026-11-20 23:05:00+0800 door closed")


@pytest.mark.parametrize("last", ["silence", "broken", "out of range", "restart", "clock"])
def test_nothing_but_a_closed_door_ends_it(last: str) -> None:
    home = door("22:30")
    home.until(at("23:00"))
    if last == "broken":
        home.tell("contact.front", None, at("23:05"))
    elif last == "out of range":
        home.tell("contact.front", 0.0, at("23:05"), flag=4)
    elif last == "restart":
        home.restart()
    elif last == "clock":
        home.homes.jumped(5 * 3600 * 10**9)
        home.now_ns += 5 * 3600 * 10**9
    home.until(home.now_ns + 600 * MINUTE, 10 * MINUTE)
    assert len(home.alerts("door-night")) == 1


def test_a_clock_that_jumps_into_the_night_gives_the_door_its_whole_time_again() -> None:
    home = door("21:00")
    home.look(at("21:01"))
    home.homes.jumped(2 * 60 * MINUTE)
    home.look(at("23:02"))
    home.until(at("23:14"))
    # It was opened a minute before the jump, so it is fourteen minutes old, not two hours.
    assert home.alerts("door-night") == []
    home.until(at("23:16"))
    assert len(home.alerts("door-night")) == 1


def test_what_a_person_closed_is_not_said_again_until_it_begins_anew() -> None:
    home = door("22:30")
    home.until(at("22:50"))
    home.close("door-night")
    home.until(at("23:50"))
    assert home.alerts("door-night") == []
    home.tell("contact.front", 0.0, at("23:52"))
    home.tell("contact.front", 1.0, at("23:55"))
    home.until(at("0:11", 21))
    assert home.alert("door-night").occurred_ns == at("23:55")


def test_what_a_person_closed_and_forgot_is_said_again_hours_later_also_after_a_restart() -> None:
    home = door("22:30", 'night_from = "20:30"')
    home.until(at("22:50"))
    home.close("door-night")
    home.look(at("22:51"))
    home.restart()
    home.until(at("4:49", 21))
    assert home.alerts("door-night") == []
    home.until(at("4:52", 21))
    assert len(home.alerts("door-night")) == 1


def test_it_speaks_while_nobody_is_at_home_and_is_silent_in_a_pause() -> None:
    from edge_gateway.homes.home import Away, Pause

    home = door("22:30")
    home.memory.away = Away("daughter", at("18:00"), at("18:00", 25), "zhang")
    home.until(at("23:00"))
    assert "Nobody may be at home" in home.alert("door-night").text_en
    home = door("22:30")
    home.memory.pause = Pause(at("22:00"), at("23:30"), "elder")
    home.until(at("23:29"))
    assert home.alerts("door-night") == []
    home.until(at("23:31"))
    assert len(home.alerts("door-night")) == 1


def test_a_backlog_that_tells_of_a_door_opened_and_closed_long_ago_raises_nothing() -> None:
    home = WatchedHome()
    home.tell("contact.front", 0.0, at("21:00"))
    home.tell("contact.front", 1.0, at("22:10"), received_ns=at("23:30"))
    home.look(at("23:30") + 10**9)  # between two messages of the backlog
    home.tell("contact.front", 0.0, at("22:12"), received_ns=at("23:30") + 2 * 10**9)
    home.until(at("23:45"))
    assert home.said == []


def test_a_device_whose_clock_is_slow_for_ever_is_watched_all_the_same() -> None:
    home = WatchedHome()
    home.tell("contact.front", 0.0, at("21:00"))
    for minute in range(90):
        home.tell("contact.front", 1.0, at("22:00") + minute * MINUTE, received_ns=at("22:10") + minute * MINUTE)
        home.look(at("22:10") + minute * MINUTE)
    assert len(home.alerts("door-night")) == 1
    assert home.homes.homes.keys() == {KEY}


def _after(home: WatchedHome, clock: str) -> list[object]:
    home.until(at(clock))
    return list(home.alerts("door-night"))
