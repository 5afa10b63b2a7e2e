"""A pause has an end, and somebody is reminded; an emergency has one too, and re-ranks everything while it stands."""

import pytest

from edge_gateway.homes.home import Pause
from edge_gateway.rules import Severity, emergency
from tests.edge_gateway.watched_home import MINUTE, WatchedHome, at

SITE = ("wutong", "")


def paused(until: str = "12:00") -> WatchedHome:
    home = WatchedHome("prewarn_s = 0")
    home.tell("humidity", 50.0, at("9:00"))
    home.memory.pause = Pause(at("10:00"), at(until), "elder", "visitors")
    return home


def declare(home: WatchedHome, kind: str, until: str = "") -> None:
    memory = home.homes.change(SITE, home.now_ns)
    until_s = at(until) / 1e9 if until else 0.0
    memory.notes |= {
        "emergency.kind": kind,
        "emergency.since_s": home.now_ns / 1e9,
        "emergency.until_s": until_s,
        "emergency.by": "zhang",
    }


def test_nothing_is_said_in_a_pause_and_its_end_is_told_once() -> None:
    home = paused()
    home.until(at("11:59"))
    assert home.said == []
    home.until(at("12:30"))
    alert = home.alert("paused")
    assert (alert.severity, alert.count) == (Severity.NOTICE, 1)
    assert "11月20日 10:00 到 11月20日 12:00" in alert.text_zh
    assert alert.evidence == ["2026-11-20 10:00:00+0800 paused by elder", "2026-11-20 12:00:00+0800 pause ended"]


def test_the_reminder_ends_with_life_but_not_before_somebody_could_read_it() -> None:
    home = paused()
    home.until(at("12:01"))
    home.tell("cancel", 1.0, at("12:02"))
    home.until(at("12:09"))
    assert len(home.alerts("paused")) == 1
    home.until(at("12:11"))
    assert home.alerts("paused") == []
    home.until(at("20:00"), 10 * MINUTE)
    assert home.alerts("paused") == []


@pytest.mark.parametrize("how", ["resumed", "paused again", "closed by a person"])
def test_a_person_ends_the_reminder(how: str) -> None:
    home = paused()
    home.until(at("12:05"))
    if how == "resumed":
        home.memory.pause = None
    elif how == "paused again":
        home.memory.pause = Pause(at("12:05"), at("20:00"), "elder")
    else:
        home.close("paused")
    home.until(at("13:00"))
    assert home.alerts("paused") == []


def test_who_resumed_in_time_is_not_reminded() -> None:
    home = paused()
    home.until(at("11:00"))
    home.memory.pause = None
    home.until(at("13:00"))
    assert home.said == []


def test_a_gateway_that_was_off_at_the_end_of_a_pause_says_so_later() -> None:
    home = paused()
    home.look(at("11:00"))
    home.restart()
    home.look(at("15:00"))
    assert len(home.alerts("paused")) == 1


def test_in_a_heat_wave_a_hot_room_is_one_step_worse() -> None:
    home = WatchedHome()
    home.tell("temperature", 27.0, at("8:00"))
    declare(home, "heat", "20:00")
    for minute in range(10, 250, 10):
        home.tell("temperature", 27.0, at("8:00") + minute * MINUTE)
        home.look(at("8:00") + minute * MINUTE)
    alert = home.alert("heat")
    assert (alert.severity, "高温应急" in alert.text_zh) == (Severity.WARNING, True)


def test_in_a_flood_water_is_urgent_also_as_an_event() -> None:
    home = WatchedHome()
    declare(home, "flood")
    home.tell("leak", 1.0, at("8:00"))
    assert home.alert("leak").severity is Severity.URGENT


def test_what_only_a_technician_needs_waits_and_comes_afterwards() -> None:
    home = paused()
    declare(home, "outage", "14:00")
    home.until(at("13:59"))
    assert home.said == []
    home.until(at("14:01"))
    assert len(home.alerts("paused")) == 1


def test_the_end_of_an_emergency_is_told_until_somebody_ends_or_prolongs_it() -> None:
    home = WatchedHome()
    home.tell("humidity", 50.0, at("8:00"))
    declare(home, "heat", "12:00")
    home.until(at("11:59"))
    assert home.said == []
    home.until(at("12:10"))
    assert home.alert("emergency").text_en.startswith("wutong: the heat emergency ended at 20 Nov 12:00")
    declare(home, "heat", "20:00")
    home.look(at("12:11"))
    assert home.alerts("emergency") == []
    home.until(at("20:01"))
    home.close("emergency")
    home.until(at("21:00"))
    assert home.alerts("emergency") == [], "closed by a person"


def test_an_emergency_without_an_end_stands_until_a_person_ends_it() -> None:
    home = WatchedHome()
    declare(home, "cold")
    found = emergency.standing(home.homes.homes[SITE], at("8:00", 30))
    assert found is not None
    assert (found.kind, found.by, found.until_ns) == ("cold", "zhang", 0)


def test_what_a_person_wrote_wrong_is_no_emergency() -> None:
    home = WatchedHome()
    declare(home, "earthquake")
    assert emergency.standing(home.homes.homes[SITE], at("8:00")) is None
    home.until(at("9:00"))
    assert home.said == []
