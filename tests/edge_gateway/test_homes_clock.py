"""What was written down by a clock that was wrong must not keep a home unwatched until that time comes."""

import pytest

from edge_gateway.homes import away
from edge_gateway.homes.home import Home, Pause, pack, unpack_home
from edge_gateway.homes.watch import HomeWatch
from edge_gateway.rules import Severity
from edge_gateway.rules.rule import Finding, View
from tests.edge_gateway.watched_home import KEY, MINUTE, WatchedHome, at

DAY = 86_400 * 10**9
YEAR = 365 * DAY


def restarted(home: WatchedHome, ahead_ns: int) -> WatchedHome:
    """The same home after a restart in which its clock, which was so far ahead, was set right."""
    memory = unpack_home(pack(home.memory))
    memory.shift(ahead_ns)
    return WatchedHome("prewarn_s = 0", rows=[(*KEY, "now", pack(memory))])


def test_a_room_is_watched_for_heat_after_a_restart_that_set_a_clock_right() -> None:
    before = WatchedHome()
    before.tell("temperature.lounge", 22.0, at("9:00"))
    home = restarted(before, YEAR)
    home.look(at("10:00"))
    for minute in range(1, 12):
        home.tell("temperature.lounge", 36.0, at("10:00") + minute * MINUTE)
    home.look(at("10:12"))
    assert home.alert("heat").urgent


def test_a_room_measured_between_the_jump_of_the_clock_and_the_look_after_it_is_watched_for_heat() -> None:
    home = WatchedHome()
    home.look(at("9:00", 1))
    home.tell("temperature.lounge", 22.0, at("9:00", 20))  # with the new time; the look that notices the jump comes after it
    home.homes.jumped(at("9:00", 20) - at("9:00", 1))
    home.look(at("9:01", 20))
    for minute in range(2, 14):
        home.tell("temperature.lounge", 36.0, at("9:00", 20) + minute * MINUTE)
    home.look(at("9:14", 20))
    assert home.alert("heat").urgent


def test_a_backlog_that_comes_between_the_jump_of_the_clock_and_the_look_after_it_hushes_no_home_for_long() -> None:
    home = WatchedHome()
    home.look(at("9:00", 1))
    home.tell("contact.front", 0.0, at("22:00", 19), at("23:00", 20))
    home.tell("contact.front", 1.0, at("23:00", 20))
    home.homes.jumped(at("23:00", 20) - at("9:00", 1))
    home.until(at("23:30", 20), 5 * MINUTE)
    assert home.alerts("door-night")


def test_who_is_quiet_is_found_although_an_alert_was_closed_by_a_clock_a_year_ahead() -> None:
    before = WatchedHome()
    before.memory.timers["told.inactivity/wutong/3-201"] = at("9:00")
    before.memory.notes["told.inactivity/wutong/3-201"] = Severity.URGENT.value
    home = restarted(before, YEAR)
    home.tell("motion.kitchen", 0.0, at("7:55"))
    home.tell("motion.kitchen", 1.0, at("7:56"))
    for minute in range(0, 14 * 60, 5):
        home.tell("motion.kitchen", 0.0, at("8:00") + minute * MINUTE)
        home.look(at("8:00") + minute * MINUTE)
    assert home.alerts("inactivity")


def test_what_a_person_closed_at_a_site_by_a_clock_a_year_ahead_is_told_again() -> None:
    home = WatchedHome()
    key = "missed-visit/wutong/lunch"
    site = Home("wutong", "", timers={f"told.{key}": at("9:00") + YEAR}, notes={f"told.{key}": "urgent"})
    homes = HomeWatch(home.registry)
    homes.restore([("wutong", "", "now", pack(site))])
    homes.look(View(at("9:00"), home.registry))
    finding = Finding(key, "missed-visit", Severity.WARNING, "wutong", "", "", at("8:00"), "", "")
    assert homes.told.sift([finding], at("9:01")) == [finding]


@pytest.mark.parametrize("name", ["began_ns", "passed_ns", "failed_ns", "asked_ns", "sent_ns"])
def test_no_time_of_a_self_test_lies_ahead_of_the_clock_after_a_restart(name: str) -> None:
    before = WatchedHome()
    setattr(before.memory.test, name, at("9:00"))
    home = restarted(before, YEAR)
    home.look(at("10:00"))
    assert getattr(home.memory.test, name) <= at("10:00")


def paused_ahead() -> WatchedHome:
    """The elder paused for half a day while the gateway's clock was a year ahead."""
    home = WatchedHome("prewarn_s = 0")
    home.look(at("9:59") + YEAR)
    home.tell("pause", 1.0, at("10:00") + YEAR)
    home.look(at("10:00") + YEAR + MINUTE)
    assert home.memory.pause is not None
    return home


def lasts(home: WatchedHome, until: int) -> bool:
    """Whether a pause runs, and until then."""
    return home.memory.pause is not None and home.memory.pause.until_ns == until


def test_a_pause_that_was_begun_by_a_clock_a_year_ahead_ends_half_a_day_after_the_clock_was_set_right() -> None:
    home = paused_ahead()
    home.homes.jumped(-YEAR)
    home.look(at("10:02"))
    assert lasts(home, at("22:02"))
    assert [o.details["until"] for o in home.homes.orders if o.name == "paused"][-1] == at("22:02") // 10**9


def test_a_pause_that_was_begun_by_a_clock_a_year_ahead_ends_half_a_day_after_a_restart() -> None:
    home = again(paused_ahead())
    home.look(at("10:30"))
    assert lasts(home, at("22:30"))


def again(home: WatchedHome) -> WatchedHome:
    """The gateway was started again."""
    return WatchedHome("prewarn_s = 0", rows=[(*KEY, "now", pack(home.memory))])


def pause(home: WatchedHome, now: int, until: int) -> None:
    """As `homes.pause` writes it down."""
    home.memory.pause = Pause(now, until, "zhang", "visitors", said_ns=now)


def test_what_a_person_wrote_down_as_a_date_stays_one() -> None:
    home = WatchedHome("prewarn_s = 0")
    home.look(at("9:00"))
    pause(home, at("9:00"), at("9:00", 22))
    away.go(home.memory, "daughter", at("9:00"), at("9:00", 23), "zhang")
    home.homes.jumped(20 * MINUTE)
    home.look(at("9:21"))
    home = again(home)
    home.look(at("9:30"))
    assert lasts(home, at("9:00", 22))
    assert home.memory.away is not None
    assert home.memory.away.until_ns == at("9:00", 23)


def written_ahead() -> WatchedHome:
    """The staff wrote a pause of two hours and a visit of three days down while the gateway's clock was a year ahead."""
    home = WatchedHome("prewarn_s = 0")
    home.look(at("9:59") + YEAR)
    said = at("10:00") + YEAR
    pause(home, said, said + 120 * MINUTE)
    away.go(home.memory, "daughter", said, said + 3 * DAY, "zhang")
    return home


def is_as_long_from(home: WatchedHome, now: int) -> None:
    assert lasts(home, now + 120 * MINUTE)
    for gone in (home.memory.away, home.memory.said):
        assert gone is not None
        assert gone.until_ns == now + 3 * DAY
        assert gone.since_ns <= now


def test_what_the_staff_wrote_down_by_a_clock_a_year_ahead_is_as_long_once_the_clock_was_set_right() -> None:
    home = written_ahead()
    home.homes.jumped(-YEAR)
    home.look(at("10:02"))
    is_as_long_from(home, at("10:02"))


def test_what_the_staff_wrote_down_by_a_clock_a_year_ahead_is_as_long_after_a_restart_and_no_longer_after_the_next() -> None:
    home = again(written_ahead())
    home.look(at("10:30"))
    is_as_long_from(home, at("10:30"))
    assert KEY in {row[:2] for row in home.homes.take(at("10:30"))}, "or each start would begin it anew"
    home = again(home)
    home.look(at("11:30"))
    is_as_long_from(home, at("10:30"))


def test_a_pause_of_a_clock_that_was_ahead_is_over_for_good_and_does_not_come_back_a_year_later() -> None:
    home = again(written_ahead())
    home.look(at("10:30"))
    home.look(at("12:31"))
    assert home.memory.pause is not None
    assert home.memory.pause.date_ns == 0
    home = again(home)
    home.look(at("10:30") + YEAR)
    assert home.memory.pause is not None
    assert home.memory.pause.until_ns <= at("12:30")


def test_an_absence_that_ended_early_is_no_longer_a_year_than_one_that_goes_on() -> None:
    home = written_ahead()
    away.come(home.memory, at("10:30") + YEAR)
    home.homes.jumped(-YEAR)
    home.look(at("10:32"))
    assert home.memory.said is not None
    assert home.memory.said.until_ns == at("10:32") + 3 * DAY
    home.memory.timers["away.shut"] = at("10:40")
    away.advance(home.memory, at("11:00"))
    assert home.memory.away is not None
    assert (home.memory.away.kind, home.memory.away.until_ns) == ("daughter", at("10:32") + 3 * DAY)


@pytest.mark.parametrize("behind", [DAY, 30 * DAY])
def test_a_clock_that_is_behind_for_a_moment_changes_no_date(behind: int) -> None:
    home = WatchedHome("prewarn_s = 0")
    home.look(at("9:00"))
    pause(home, at("9:00"), at("9:00", 28))
    away.go(home.memory, "daughter", at("9:00"), at("9:00", 29), "zhang")
    home = again(home)
    home.look(at("9:10") - behind)
    assert home.memory.pause is not None
    assert home.memory.pause.until_ns == at("9:10") - behind + 8 * DAY, "for it may be that the clock was ahead before"
    home.homes.jumped(behind)
    home.look(at("9:11"))
    assert lasts(home, at("9:00", 28))
    assert home.memory.away is not None
    assert home.memory.said is not None
    assert home.memory.away.until_ns == home.memory.said.until_ns == at("9:00", 29)


@pytest.mark.parametrize(("ahead_h", "meant_h"), [(8, 72), (8, 24), (240, 480)])
def test_an_end_written_by_a_clock_some_hours_ahead_stays_as_it_was_meant_whatever_restarts(ahead_h: int, meant_h: int) -> None:
    home = WatchedHome("prewarn_s = 0")
    ahead, meant = ahead_h * 60 * MINUTE, meant_h * 60 * MINUTE
    home.look(at("8:59") + ahead)
    pause(home, at("9:00") + ahead, at("9:00") + ahead + meant)
    away.go(home.memory, "daughter", at("9:00") + ahead, at("9:00") + ahead + meant, "zhang")
    home.homes.jumped(-ahead)
    home.look(at("9:00"))
    for hours in range(1, ahead_h + 3, max(1, ahead_h // 6)):
        home = again(home)
        home.look(at("9:00") + hours * 60 * MINUTE)
        assert lasts(home, at("9:00") + meant)
        for gone in (home.memory.away, home.memory.said):
            assert gone is not None
            assert gone.until_ns == at("9:00") + meant
    home.homes.jumped(10 * MINUTE)
    home.look(at("9:10") + (ahead_h + 3) * 60 * MINUTE)
    assert lasts(home, at("9:00") + meant)


def test_a_pause_of_a_clock_that_was_ahead_does_not_revive_while_the_gateway_was_off() -> None:
    home = WatchedHome("prewarn_s = 0")
    pause(home, at("9:00", 30), at("9:00", 30) + 5 * DAY)
    away.go(home.memory, "daughter", at("9:00", 30), at("9:00", 30) + 3 * DAY, "zhang")
    home.homes.jumped(-10 * DAY)
    home.look(at("9:00"))
    home = again(home)
    home.look(at("9:00") + 11 * DAY)
    assert home.memory.pause is not None
    assert home.memory.pause.until_ns == at("9:00") + 5 * DAY
    assert (home.memory.away, home.memory.said) == (None, None)


def test_a_gateway_that_begins_in_1970_says_no_pause_since_then() -> None:
    home = WatchedHome("prewarn_s = 0")
    pause(home, at("9:00"), at("9:00", 22))
    home = again(home)
    home.look(60 * 10**9)
    home.homes.jumped(at("10:00") - 60 * 10**9)
    home.look(at("10:00"))
    assert home.memory.pause is not None
    assert (home.memory.pause.since_ns, home.memory.pause.until_ns) == (at("9:00"), at("9:00", 22))


def test_a_pause_that_was_made_longer_by_a_clock_that_was_ahead_is_no_longer_than_was_meant() -> None:
    home = WatchedHome("prewarn_s = 0")
    home.look(at("9:00"))
    home.memory.pause = Pause(at("8:00"), at("10:00", 22), "zhang", said_ns=at("9:00", 22))
    home.homes.jumped(-DAY)
    home.look(at("9:30"))
    assert lasts(home, at("10:30"))


def test_a_pause_that_the_elder_made_longer_by_a_clock_that_was_ahead_is_no_longer_than_was_meant() -> None:
    home = WatchedHome("prewarn_s = 0")
    home.look(at("8:00"))
    pause(home, at("8:00"), at("20:00"))
    ahead = 10 * 60 * MINUTE
    home.homes.jumped(ahead)
    home.look(at("9:00") + ahead)
    home.tell("pause", 1.0, at("9:00") + ahead)
    home.look(at("9:00") + ahead + MINUTE)
    home.homes.jumped(-ahead)
    home.look(at("9:02"))
    assert lasts(home, at("21:02"))


def test_a_pause_of_an_earlier_version_knows_only_when_it_began() -> None:
    before = WatchedHome()
    before.memory.pause = Pause(at("9:00") + YEAR, at("11:00") + YEAR, "zhang")
    home = again(before)
    home.look(at("10:00"))
    assert lasts(home, at("12:00"))
