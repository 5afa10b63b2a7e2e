"""A missed meal together with silence is urgent; either alone is not."""

import pytest

from edge_gateway.events import Event, Reading
from edge_gateway.homes.home import Away
from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import KEY, MINUTE, WatchedHome, at


def quiet_since(clock: str, *settings: str) -> WatchedHome:
    """Somebody moved last at `clock`; the device tells that all is still."""
    home = WatchedHome("limit_h = 8", *settings)
    home.tell("contact.front", 0.0, at("6:00"))
    for minute in range(3):
        home.tell("motion.kitchen", 1.0, at(clock) - (9 - 3 * minute) * MINUTE)
        home.tell("motion.kitchen", 0.0, at(clock) - (8 - 3 * minute) * MINUTE)
    home.tell("motion.kitchen", 1.0, at(clock))
    home.tell("motion.kitchen", 0.0, at(clock) + 20 * 10**9)
    return home


def pass_time(home: WatchedHome, clock: str) -> None:
    """Still, and told so."""
    while home.now_ns + MINUTE <= at(clock):
        home.tell("humidity", 50.0, home.now_ns + MINUTE)
        home.look(home.now_ns)


def brought(home: WatchedHome, clock: str) -> None:
    """A courier tapped at the door of this home."""
    event = Event("wutong", "h1", "3-201", 1, 500, at(clock), at(clock), "ntp", 0, None, "tap", [Reading("tap", "1-500")])
    home.homes.observe(event)


def test_a_meal_that_did_not_come_and_silence_since_the_morning_are_urgent_after_the_home_has_asked() -> None:
    home = quiet_since("7:30")
    home.missed = {KEY: at("12:30")}
    pass_time(home, "12:31")
    assert len(home.asked) == 1
    assert home.alerts("inactivity") == []
    pass_time(home, "12:42")
    alert = home.alert("inactivity")
    assert (alert.severity, alert.rule, len(home.asked)) == (Severity.URGENT, "meal-missed", 1)
    assert alert.text_zh.startswith("3-201: 11月20日 12:30 该送的餐没有送到, 而且 11月20日 07:30 以后没有动静。")
    assert alert.evidence[-1] == "2026-11-20 12:30:00+0800 meal missed"


def test_a_meal_brought_to_a_door_that_nobody_opens_is_missed() -> None:
    home = quiet_since("7:30", "prewarn_s = 0")
    brought(home, "12:00")
    pass_time(home, "12:44")
    assert home.alerts("inactivity") == []
    pass_time(home, "12:46")
    assert "没有人开门取" in home.alert("inactivity").text_zh


def test_a_meal_button_that_was_not_pressed_counts_as_well() -> None:
    home = quiet_since("7:30", "prewarn_s = 0", 'meals = ["11:30-13:00"]')
    pass_time(home, "13:01")
    assert home.alert("inactivity").severity is Severity.URGENT


@pytest.mark.parametrize("why", ["moved", "door opened", "just quiet", "answered", "away", "deaf", "long ago", "paused"])
def test_either_alone_and_doubt_are_not_urgent(why: str) -> None:
    home = quiet_since("11:00" if why == "just quiet" else "7:30", "prewarn_s = 300" if why == "answered" else "prewarn_s = 0")
    if why == "away":
        home.memory.away = Away("out", at("7:40"))
    if why == "paused":
        from edge_gateway.homes.home import Pause

        home.memory.pause = Pause(at("8:00"), at("18:00"), "elder")
    if why == "deaf":
        home.tell("motion.kitchen", None, at("8:00"))
        home.tell("contact.front", None, at("8:00"))
    brought(home, "12:00")
    if why == "moved":
        home.tell("cancel", 1.0, at("12:10"))
    elif why == "door opened":
        home.tell("contact.front", 1.0, at("12:01"))
        home.tell("contact.front", 0.0, at("12:02"))
    if why == "answered":
        pass_time(home, "12:46")
        assert len(home.asked) == 1
        home.tell("cancel", 1.0, at("12:47"))
    if why == "long ago":
        home.now_ns = at("2:00", 21)
        home.look(at("2:00", 21))
    else:
        pass_time(home, "13:30")
    assert [
        alert for alert in home.alerts("inactivity") if alert.severity is Severity.URGENT and alert.rule == "meal-missed"
    ] == []


def test_it_makes_the_alert_of_inactivity_worse_and_does_not_stand_beside_it() -> None:
    home = quiet_since("7:30", "prewarn_s = 0")
    pass_time(home, "15:40")
    first = home.alert("inactivity")
    assert first.severity is Severity.WARNING
    home.missed = {KEY: at("15:45")}
    pass_time(home, "15:50")
    assert home.alert("inactivity") is first
    assert (first.severity, first.returns) == (Severity.URGENT, False)
    home.tell("cancel", 1.0, at("16:00"))
    pass_time(home, "16:10")
    assert len(home.alerts("inactivity")) == 1, "what was urgent is ended by a person"
