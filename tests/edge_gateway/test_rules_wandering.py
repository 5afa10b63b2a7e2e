"""Up for hours at night, or gone out then: told of unless it is a habit, or nobody is on his feet."""

import pytest

from edge_gateway.homes.home import Away, Day, Past
from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import KEY, MINUTE, WatchedHome, at


def walking(start: str, minutes: int, *settings: str, name: str = "motion.hall", day: int = 21) -> WatchedHome:
    """A movement each five minutes."""
    home = WatchedHome("prewarn_s = 0", "bed_exit_min = 0", *settings)
    home.tell("bed", 0.0, at("20:00"))
    walk(home, start, minutes, name, day)
    return home


def walk(home: WatchedHome, start: str, minutes: int, name: str = "motion.hall", day: int = 21) -> None:
    for minute in range(0, minutes + 1, 5):
        now = at(start, day) + minute * MINUTE
        home.tell(name, 1.0, now)
        home.look(now + 1)
        home.tell(name, 0.0, now + MINUTE)


def test_who_is_on_the_feet_for_an_hour_and_a_half_at_night_is_asked_after_in_the_morning() -> None:
    home = walking("1:00", 85)
    assert home.alerts("wandering") == []
    walk(home, "2:30", 0)
    alert = home.alert("wandering")
    assert (alert.severity, alert.occurred_ns) == (Severity.NOTICE, at("1:00", 21))
    assert "从 11月21日 01:00 起" in alert.text_zh
    assert len(alert.evidence) == 3


def test_who_goes_to_bed_late_or_rises_early_is_not_wandering() -> None:
    assert walking("22:00", 118, day=20).alerts("wandering") == []
    assert walking("4:00", 180).alerts("wandering") == []


@pytest.mark.parametrize("why", ["break", "in bed", "in the chair", "bedroom", "broken", "off", "habit"])
def test_it_is_not_told_of(why: str) -> None:
    home = WatchedHome("prewarn_s = 0", "bed_exit_min = 0", "wander_min = 0" if why == "off" else "")
    home.tell("bed", 0.0, at("20:00"))
    home.tell("chair", 0.0, at("20:00"))
    if why == "habit":
        hours = [6, 6, 6, 6] + [3] * 20
        home.homes.pasts[KEY] = Past([Day(f"2026-11-{day:02}", [0.0] * 24, hours) for day in range(10, 20)])
    walk(home, "1:00", 45, "motion.bedroom" if why == "bedroom" else "motion.hall")
    if why == "in bed":
        home.tell("bed", 1.0, at("1:46", 21))
    elif why == "in the chair":
        home.tell("chair", 1.0, at("1:46", 21))
    begin = "2:15" if why == "break" else "1:50"
    if why == "broken":  # the sensor says that it cannot be believed
        for minute in range(0, 120, 5):
            home.tell("motion.hall", None, at("1:50", 21) + minute * MINUTE)
        home.look(at("3:50", 21))
    else:
        walk(home, begin, 75, "motion.bedroom" if why == "bedroom" else "motion.hall")
    assert home.alerts("wandering") == []


def test_it_ends_in_bed_or_by_day_and_not_with_silence() -> None:
    home = walking("1:00", 95)
    home.until(at("3:00", 21))
    assert len(home.alerts("wandering")) == 1
    home.tell("bed", 1.0, at("3:05", 21))
    home.look(at("3:06", 21))
    assert home.alerts("wandering") == []
    home = walking("1:00", 95)
    home.until(at("9:00", 21))
    assert len(home.alerts("wandering")) == 1, "nobody has been seen by day"
    walk(home, "9:05", 10)
    assert home.alerts("wandering") == []


def test_who_went_out_in_the_middle_of_the_night_is_missed_until_he_is_back() -> None:
    home = WatchedHome()
    home.tell("contact.front", 0.0, at("22:00"))
    home.memory.away = Away("out", at("2:10", 21))
    home.until(at("2:24", 21))
    assert home.alerts("out-at-night") == []
    home.until(at("2:26", 21))
    assert home.alert("out-at-night").severity is Severity.WARNING
    home.restart()
    home.until(at("5:00", 21), 5 * MINUTE)
    assert len(home.alerts("out-at-night")) == 1
    home.memory.away = None
    home.look(at("5:01", 21))
    assert home.alerts("out-at-night") == []


@pytest.mark.parametrize(
    ("kind", "by", "since"), [("daughter", "zhang", "2:10"), ("pressed", "gateway", "2:10"), ("out", "gateway", "5:20")]
)
def test_who_said_so_or_goes_out_early_is_not_missed(kind: str, by: str, since: str) -> None:
    home = WatchedHome()
    home.memory.away = Away(kind, at(since, 21), at("12:00", 25), by)
    home.until(at("8:00", 21), 5 * MINUTE)
    assert home.alerts("out-at-night") == []
