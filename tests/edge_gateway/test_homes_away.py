"""Whether somebody is at home: leaving, coming, visitors, bags, dustbins, the switch, and what a person said."""

import pytest

from edge_gateway import registry
from edge_gateway.errors import Misconfigured
from edge_gateway.homes import away
from edge_gateway.homes.setting import HomeSetting
from tests.edge_gateway.lived_home import DAY, HOUR, MINUTE, LivedHome, at


def at_home(begin: str = "08:00", **setting: object) -> LivedHome:
    """Somebody walks about."""
    home = LivedHome(begin=at(begin), **setting)
    home.tell("contact.front", 0.0, at(begin))
    home.walk(at(begin) + MINUTE, "bedroom", "kitchen", "hall")
    return home


def out(leave: str = "09:00") -> LivedHome:
    """Somebody left, and it is known."""
    home = at_home()
    home.walk(at(leave) - MINUTE, "kitchen", "hall")
    home.pass_door(at(leave))
    home.until(at(leave) + 20 * MINUTE)
    assert home.away == away.OUT
    return home


def test_who_closes_the_door_and_moves_no_more_is_out_since_then() -> None:
    home = at_home()
    home.pass_door(at("09:00"))
    home.until(at("09:14"))
    assert home.away == ""
    home.until(at("09:16"))
    assert home.away == away.OUT
    assert home.world.home.away is not None
    assert home.world.home.away.since_ns == at("09:00:05")


def test_a_detector_in_the_hall_that_still_sees_the_one_who_leaves_changes_nothing() -> None:
    home = at_home()
    home.tell("contact.front", 1.0, at("09:00"))
    home.tell("motion.hall", 1.0, at("09:00:02"))
    home.tell("contact.front", 0.0, at("09:00:05"))
    home.tell("motion.hall", 0.0, at("09:00:06"))
    home.blip("motion.hall", at("09:00:20"))
    home.until(at("09:30"))
    assert home.away == away.OUT


def test_who_comes_back_from_the_dustbin_and_walks_straight_through_is_at_home() -> None:
    home = at_home()
    home.pass_door(at("12:00"))
    home.tell("contact.front", 1.0, at("12:03"))
    home.blip("motion.hall", at("12:03:02"))
    home.tell("contact.front", 0.0, at("12:03:10"))
    home.blip("motion.hall", at("12:03:15"))
    home.blip("motion.kitchen", at("12:03:30"))  # and falls
    home.until(at("13:00"))
    assert home.away == ""


def test_who_moves_behind_the_closed_door_is_at_home() -> None:
    home = at_home()
    home.pass_door(at("09:00"))  # a visitor left
    home.blip("motion.kitchen", at("09:04"))
    home.until(at("13:00"))
    assert home.away == ""


@pytest.mark.parametrize("name", ["chair.living", "bed", "presence.living"])
def test_who_sits_or_lies_while_a_visitor_leaves_is_at_home(name: str) -> None:
    home = at_home()
    home.tell(name, 0.0, at("08:05"))
    home.tell(name, 1.0, at("08:50"))
    home.pass_door(at("09:00"))
    home.until(at("11:00"))
    assert home.away == ""


def test_a_chair_that_says_taken_for_days_keeps_nobody_at_home() -> None:
    home = at_home()
    home.tell("chair", 0.0, at("08:05"))
    home.tell("chair", 1.0, at("08:10"))
    home.walk(at("09:00", 2), "kitchen", "hall")
    home.pass_door(at("09:05", 2))
    home.until(at("10:00", 2))
    assert home.away == away.OUT


def test_a_door_that_stays_open_lets_nobody_out() -> None:
    home = at_home()
    home.tell("contact.front", 1.0, at("09:00"))
    home.until(at("12:00"))
    assert home.away == ""


def test_who_opens_the_door_is_back_and_closing_it_behind_is_no_leaving() -> None:
    home = out()
    home.pass_door(at("11:00"))
    assert home.away == ""
    home.until(at("23:30"))
    assert home.away == "", "whoever came in and moves no more may have collapsed"
    assert home.alarms, "and is missed"


def test_who_comes_home_with_bags_opens_the_door_twice_and_is_at_home() -> None:
    home = out()
    for clock in ("11:00", "11:00:09", "11:00:30"):
        home.pass_door(at(clock))
    home.until(at("13:00"))
    assert home.away == ""


def test_who_only_looked_in_is_out_again() -> None:
    home = out()
    home.pass_door(at("11:00"))
    home.pass_door(at("11:20"))
    home.until(at("12:00"))
    assert home.away == away.OUT


def test_who_was_at_the_dustbin_and_moves_no_more_is_at_home() -> None:
    home = at_home()
    home.pass_door(at("09:00"))
    home.pass_door(at("09:04"))
    home.until(at("12:00"))
    assert home.away == ""


def test_who_fiddles_with_the_lock_is_out() -> None:
    home = at_home()
    home.pass_door(at("09:00"))
    home.pass_door(at("09:00:40"))
    home.until(at("12:00"))
    assert home.away == away.OUT


def test_a_lone_blip_brings_nobody_home_and_a_walk_does() -> None:
    home = out()
    home.blip("motion.kitchen", at("11:00"))
    assert home.away == away.OUT
    home.walk(at("13:00"), "kitchen", "hall")
    assert home.away == ""


def test_nobody_is_missed_while_out_and_silence_is_counted_from_coming_home() -> None:
    home = out()
    home.until(at("20:00"))
    assert home.asked == []
    home.pass_door(at("20:00"))
    home.walk(at("20:02"), "hall", "kitchen")
    home.until(at("07:00", 2))
    assert home.asked == []


def test_the_switch_is_pressed_and_the_walk_to_the_door_does_not_end_it() -> None:
    home = at_home()
    home.tell("away", 0.0, at("08:30"))
    home.tell("away", 1.0, at("09:00"))
    home.walk(at("09:02"), "bedroom", "hall")
    home.pass_door(at("09:05"))
    home.until(at("12:00"))
    assert home.away == away.PRESSED
    home.tell("away", 0.0, at("12:30"))
    assert home.away == ""


def test_who_forgets_the_switch_is_at_home_all_the_same() -> None:
    home = at_home()
    home.tell("away", 0.0, at("08:30"))
    home.tell("away", 1.0, at("09:00"))
    home.walk(at("10:00"), "kitchen", "hall")
    assert home.away == ""
    home.until(at("22:30"))
    assert home.alarms


def test_a_switch_that_says_the_same_again_is_not_pressed_again() -> None:
    home = at_home()
    home.tell("away", 0.0, at("08:30"))
    home.tell("away", 1.0, at("09:00"))
    home.walk(at("10:00"), "kitchen", "hall")
    home.tell("away", 1.0, at("10:05"))
    assert home.away == ""


def at_the_daughters(home: LivedHome, since: int, until: int) -> None:
    away.go(home.world.home, away.DAUGHTER, since, until, "zhang")


def test_at_the_daughters_ends_on_its_day_and_who_is_not_back_is_missed() -> None:
    home = at_home()
    at_the_daughters(home, at("09:00"), at("18:00", 4))
    home.until(at("17:00", 4))
    assert home.asked == []
    home.until(at("07:00", 5))
    assert home.away == ""
    assert home.alarms[0][0] == at("06:00", 5) + 10 * MINUTE, "12 h after the end that was written down"


def test_who_waters_the_plants_does_not_end_it_and_who_stays_does() -> None:
    home = at_home()
    at_the_daughters(home, at("09:00"), at("18:00", 6))
    for minute in range(0, 40, 5):
        home.walk(at("12:00", 2) + minute * MINUTE, "hall", "kitchen")
    assert home.away == away.DAUGHTER
    for minute in range(0, 90, 5):
        home.walk(at("12:00", 4) + minute * MINUTE, "hall", "kitchen")
    assert home.away == "", "the elder is back early, and is watched over again"


def test_who_was_only_visiting_the_own_home_is_at_the_daughters_again_after_leaving() -> None:
    home = at_home()
    at_the_daughters(home, at("09:00"), at("18:00", 6))
    for minute in range(0, 90, 5):
        home.walk(at("12:00", 4) + minute * MINUTE, "hall", "kitchen")
    home.pass_door(at("13:30", 4))
    home.until(at("14:00", 4))
    assert home.away == away.DAUGHTER
    assert home.world.home.away is not None
    assert home.world.home.away.until_ns == at("18:00", 6)


def test_who_leaves_hours_after_it_was_written_down_is_not_taken_for_coming_back() -> None:
    home = at_home()
    at_the_daughters(home, at("09:00"), at("18:00", 6))
    for minute in range(10, 170, 5):
        home.walk(at("09:00") + minute * MINUTE, "hall", "kitchen")
    assert home.away == away.DAUGHTER


def test_a_person_who_says_that_she_is_back_is_believed() -> None:
    home = at_home()
    at_the_daughters(home, at("09:00"), at("18:00", 6))
    away.returned(home.world.home, at("12:00", 2))
    home.pass_door(at("13:30", 2))
    home.until(at("14:00", 2))
    assert home.away == away.OUT, "what was said before no longer holds"


def test_an_absence_of_a_day_that_nobody_announced_is_a_question_to_one_person() -> None:
    home = out()
    home.until(at("08:30", 2))
    assert home.findings == []
    home.until(at("10:00", 2))
    (finding,) = home.findings
    assert (finding.rule, finding.severity, finding.occurred_ns) == ("away-long", "notice", at("09:00:05"))
    home.pass_door(at("11:00", 2))
    home.walk(at("11:01", 2), "hall", "kitchen")
    home.until(at("11:05", 2))
    assert home.ended == ["back"]


def test_out_when_somebody_writes_down_until_when_the_question_ends() -> None:
    home = out()
    home.until(at("10:00", 2))
    at_the_daughters(home, at("09:00"), at("18:00", 6))
    home.until(at("10:05", 2))
    assert home.ended == ["away_daughter"]


def test_a_silence_between_two_doors_was_an_absence_whatever_it_looked_like() -> None:
    home = at_home()
    home.pass_door(at("09:00"))
    home.pass_door(at("09:04"))  # looks like somebody back from the dustbin
    home.until(at("12:50"))
    assert home.away == ""
    home.pass_door(at("12:50"))
    home.walk(at("12:51"), "hall", "kitchen")
    today = home.world.home.today
    assert today is not None
    assert max(today.longest_s) < 3600
    assert today.out_s == pytest.approx(3.75 * 3600, abs=120)


def test_an_absence_that_ends_inside_teaches_no_silence() -> None:
    home = out()
    home.until(at("18:00"))
    home.walk(at("18:00"), "kitchen", "hall")  # by a door that tells nothing
    today = home.world.home.today
    assert today is not None
    assert max(today.longest_s) < 3600
    assert today.away_s == pytest.approx(9 * 3600, abs=60)


@pytest.mark.parametrize(
    ("name", "exits", "leads_out"),
    [
        ("contact", (), True),
        ("contact.front", (), True),
        ("contact.main_door", (), True),
        ("contact.entrance", (), True),
        ("contact.door2", (), True),
        ("contact.fridge", (), False),
        ("contact.bathroom", (), False),
        ("motion.front", (), False),
        ("contact.garden", ("contact.garden",), True),
        ("contact.front", ("contact.garden",), False),
    ],
)
def test_which_doors_lead_outside(name: str, exits: tuple[str, ...], leads_out: bool) -> None:
    assert away.is_exit(name, HomeSetting("s", "p", exits=exits)) is leads_out


def test_a_home_with_nothing_but_a_front_door_is_neither_out_nor_quiet() -> None:
    home = LivedHome(begin=at("08:00"))
    home.tell("contact", 0.0, at("08:00"))
    home.pass_door(at("09:00"), "contact")
    home.until(at("12:00", 3))
    assert (home.away, home.asked, home.findings) == ("", [], [])


def test_doors_inside_let_nobody_out() -> None:
    home = at_home()
    home.tell("contact.fridge", 0.0, at("08:05"))
    home.pass_door(at("09:00"), "contact.fridge")
    home.until(at("09:00") + 2 * HOUR)
    assert home.away == ""
    assert home.life_ns < at("09:00") + DAY


def test_the_doors_that_are_written_down_are_checked() -> None:
    text = '[sites.s]\n[[homes]]\nsite = "s"\nplace = "p"\nexits = {}\n'
    assert registry.parse(text.format('["contact.garden", "contact"]')).homes["s", "p"].exits == ("contact.garden", "contact")
    for wrong in ('"contact.garden"', '["garden"]', '["motion.hall"]', "[1]"):
        with pytest.raises(Misconfigured, match="a list of contacts such as"):
            registry.parse(text.format(wrong))
