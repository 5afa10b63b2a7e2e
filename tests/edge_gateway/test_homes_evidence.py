"""What is a sign of life and what is not: blips, stuck sensors, held beds, values that cannot be, clocks that are wrong."""

import pytest

from edge_gateway.events import Flag, Reading, Readings
from edge_gateway.homes import evidence, signs
from edge_gateway.homes.home import Home, Pause, Watched, pack, unpack_home
from tests.edge_gateway.lived_home import DAY, HOUR, MINUTE, SECOND, LivedHome, at
from tests.edge_gateway.watched_home import WatchedHome


def lived(begin: str = "08:00") -> LivedHome:
    """A home with three rooms in which somebody just walked."""
    home = LivedHome(begin=at(begin))
    home.walk(at(begin) + MINUTE, "bedroom", "kitchen", "hall")
    assert home.life_ns == at(begin) + 2 * MINUTE + SECOND
    return home


def test_a_lone_blip_is_no_life() -> None:
    home = lived()
    home.blip("motion.kitchen", at("11:00"))
    assert home.life_ns == at("08:02:01")
    assert home.world.home.signs[-1].time_ns == at("11:00:01"), "but it is kept: staff may see it"


@pytest.mark.parametrize(
    ("name", "minutes"),
    [
        pytest.param("motion.hall", 40, id="another room within the hour"),
        pytest.param("motion.kitchen", 1, id="the same room again"),
        pytest.param("light.kitchen", 5, id="a lamp"),
    ],
)
def test_a_blip_in_company_is_life(name: str, minutes: int) -> None:
    home = lived()
    home.tell("light.kitchen", 0.0, at("08:05"))
    home.blip("motion.kitchen", at("11:00"))
    home.tell(name, 1.0, at("11:00") + minutes * MINUTE)
    assert home.life_ns == at("11:00") + minutes * MINUTE


def test_a_blip_and_its_own_end_are_one_sign_however_long_the_detector_holds() -> None:
    home = lived()
    home.tell("motion.kitchen", 1.0, at("11:00"))
    home.tell("motion.kitchen", 0.0, at("11:05"))
    assert home.life_ns == at("08:02:01")


@pytest.mark.parametrize("name", ["cancel", "sos", "medication", "meal"])
def test_a_button_is_life_beyond_doubt(name: str) -> None:
    home = lived()
    home.tell(name, 1.0, at("11:00"))
    assert home.life_ns == at("11:00")


@pytest.mark.parametrize("value", [0.0, None])
def test_a_button_that_was_let_go_or_cannot_be_believed_is_no_life(value: float | None) -> None:
    home = lived()
    home.tell("sos", value, at("11:00"))
    assert home.life_ns == at("08:02:01")


def test_a_cupboard_that_is_opened_and_closed_is_life_and_one_that_trembles_is_not() -> None:
    home = lived()
    home.tell("contact.cupboard", 0.0, at("08:05"))
    home.tell("contact.cupboard", 1.0, at("11:00"))
    home.tell("contact.cupboard", 0.0, at("11:00:01"))
    assert home.life_ns == at("08:02:01")
    home.tell("contact.cupboard", 1.0, at("13:00"))
    home.tell("contact.cupboard", 0.0, at("13:00:04"))
    assert home.life_ns == at("13:00:04")


def test_several_movements_in_one_report_are_life_and_one_is_not() -> None:
    home = lived()
    home.tell("movements.kitchen", 1.0, at("11:00"))
    assert home.life_ns == at("08:02:01")
    home.tell("movements.kitchen", 3.0, at("13:00"))
    assert home.life_ns == at("13:00")


def test_a_detector_and_its_own_count_are_no_company_for_each_other() -> None:
    home = lived()
    home.tell("motion.kitchen", 1.0, at("11:00"))
    home.tell("movements.kitchen", 1.0, at("11:00"))
    assert home.life_ns == at("08:02:01")


def test_a_sensor_that_says_the_same_for_hours_says_nothing() -> None:
    home = lived()
    home.tell("motion.kitchen", 1.0, at("09:00"))
    home.tell("motion.hall", 1.0, at("09:01"))
    assert home.life_ns == at("09:01")
    for minute in range(5, 240, 5):
        home.tell("motion.kitchen", 1.0, at("09:00") + minute * MINUTE)
    assert home.life_ns <= at("09:10")


def test_a_door_that_was_open_for_days_and_closes_is_no_life_on_its_own() -> None:
    home = lived()
    home.tell("contact.inner", 0.0, at("08:05"))
    home.tell("contact.inner", 1.0, at("08:06"))
    life_ns = home.life_ns
    home.tell("contact.inner", 0.0, at("20:06", 2))
    assert home.life_ns == life_ns


def test_one_detector_that_fires_all_day_while_the_others_see_nothing_is_not_believed() -> None:
    home = lived()
    for minute in range(0, 20 * 60, 2):
        home.blip("motion.kitchen", at("09:00") + minute * MINUTE)
    assert at("21:00") - 10 * MINUTE <= home.life_ns <= at("21:00") + 10 * MINUTE
    home.walk(at("05:30", 2), "hall", "bedroom")
    assert home.life_ns == at("05:30:31", 2), "who is seen elsewhere is seen"


def test_a_home_with_one_detector_has_to_believe_it() -> None:
    home = LivedHome(begin=at("08:00"))
    for minute in range(0, 20 * 60, 2):
        home.blip("motion", at("08:00") + minute * MINUTE)
    assert home.life_ns > at("03:50", 2)


def test_a_value_outside_its_range_is_no_sign_and_changes_no_state() -> None:
    home = lived()
    home.tell("motion.hall", 1.0, at("11:00"), flag=Flag.FAIL)
    home.tell("motion.kitchen", 1.0, at("11:01"), flag=Flag.FAIL)
    home.tell("movements.kitchen", -5.0, at("11:02"), flag=Flag.FAIL)
    home.tell("cancel", 1.0, at("11:03"), flag=Flag.FAIL)
    assert home.life_ns == at("08:02:01")
    assert home.world.home.states["motion.hall"].value == 0.0


def test_a_sensor_that_comes_back_from_not_knowing_did_not_move() -> None:
    home = lived()
    home.tell("bed", 0.0, at("08:10"))
    home.tell("bed", None, at("09:00"))
    home.tell("bed", 1.0, at("11:00"))
    assert home.life_ns == at("08:02:01")


def test_a_bed_that_flickers_is_not_left() -> None:
    home = lived("20:00")
    home.tell("bed", 0.0, at("20:10"))
    home.tell("bed", 1.0, at("22:00"))
    assert home.life_ns == at("22:00"), "somebody lay down"
    home.tell("bed", 0.0, at("03:00", 2))
    assert home.life_ns == at("03:00", 2)
    home.tell("bed", 1.0, at("03:00:01", 2))
    home.tell("bed", 0.0, at("03:00:02", 2))
    assert home.life_ns == at("03:00", 2)


def test_what_comes_late_is_no_news_and_never_takes_life_back() -> None:
    home = lived()
    home.walk(at("11:00"), "kitchen", "hall")
    life_ns = home.life_ns
    home.tell("cancel", 1.0, at("10:00"), received_ns=at("11:30"))
    assert home.life_ns == life_ns
    assert [sign.time_ns for sign in home.world.home.signs] == sorted(sign.time_ns for sign in home.world.home.signs)


def test_a_state_that_comes_late_changes_nothing() -> None:
    home = lived()
    home.tell("bed", 0.0, at("09:00"))
    home.tell("bed", 1.0, at("10:00"))
    home.tell("bed", 0.0, at("09:30"), received_ns=at("10:05"))
    state = home.world.home.states["bed"]
    assert (state.value, state.since_ns) == (1.0, at("10:00"))


def test_a_device_whose_clock_is_ahead_promises_no_life() -> None:
    home = lived()
    home.tell("cancel", 1.0, at("09:00", 9), received_ns=at("11:00"))
    assert home.life_ns == at("11:00")


def watched(home: LivedHome, silence_s: float = 900.0) -> Watched:
    return Watched(home.setting, home.world.home, home.world.past, silence_s=silence_s)


def test_time_of_which_no_device_told_is_not_silence_of_the_person() -> None:
    home = LivedHome(begin=at("08:00"), silence_s=900.0)
    home.walk(at("08:01"), "kitchen", "hall")
    home.until(at("10:00"), every_s=300)
    home.tell("temperature", 21.0, at("13:00"))  # three hours without power
    home.until(at("14:00"), every_s=300)
    quiet = evidence.quiet(watched(home), at("14:00"))
    assert quiet.seconds == pytest.approx(3 * 3600, abs=400)
    assert not quiet.deaf
    assert evidence.quiet(watched(home), at("14:20")).deaf, "and now nobody tells anything"


def test_what_a_device_kept_while_the_network_was_down_fills_the_gap() -> None:
    home = LivedHome(begin=at("08:00"), silence_s=900.0)
    home.walk(at("08:01"), "kitchen", "hall")
    home.until(at("10:00"), every_s=300)
    home.tell("temperature", 21.0, at("13:00"))
    for minute in range(5, 180, 5):
        home.tell("temperature", 21.0, at("10:00") + minute * MINUTE, received_ns=at("13:01"))
    quiet = evidence.quiet(watched(home), at("13:05"))
    assert quiet.seconds == pytest.approx(5 * 3600, abs=600), "they were awake all the time, and nobody moved"


def test_a_home_whose_sensors_cannot_be_believed_is_deaf_and_one_with_only_a_button_always_is() -> None:
    home = lived()
    for room in ("bedroom", "kitchen", "hall"):
        home.tell(f"motion.{room}", None, at("09:00"))
    assert evidence.quiet(watched(home, 0.0), at("12:00")).deaf
    button = LivedHome(begin=at("08:00"))
    button.tell("cancel", 1.0, at("08:01"))
    assert evidence.quiet(watched(button, 0.0), at("12:00")).deaf


def test_silence_is_counted_from_the_end_of_a_pause() -> None:
    home = lived()
    home.world.home.pause = Pause(at("08:30"), at("12:00"), "zhang")
    home.until(at("14:00"))
    assert evidence.quiet(watched(home, 0.0), at("14:00")).start_ns == at("12:00")


def test_a_person_who_has_seen_the_elder_is_a_sign_of_life_and_teaches() -> None:
    home = lived()
    home.until(at("13:02"))
    evidence.said_fine(home.world.home, at("13:02"), "zhang")
    assert (home.life_ns, home.world.home.life_name) == (at("13:02"), "seen")
    today = home.world.home.today
    assert today is not None
    assert today.longest_s[8] == pytest.approx(5 * 3600, abs=2)


def test_what_lies_ahead_of_the_clock_happened_now() -> None:
    home = Home("wutong", "3-201", since_ns=at("00:00"), life_ns=at("12:00", 9))
    home.timers = {"evidence.from": at("12:00", 9), "medication.medication": at("12:00", 9)}
    evidence.mend(home, at("08:00"))
    assert (home.life_ns, home.timers["evidence.from"]) == (at("08:00"), at("08:00"))
    assert home.timers["medication.medication"] == at("08:00"), "of a rule too, or it would see nothing until that time"


def test_everything_evidence_remembers_is_saved() -> None:
    home = lived()
    home.pass_door(at("08:30"))
    home.until(at("09:00"))
    assert unpack_home(pack(home.world.home)) == home.world.home


def test_the_memory_of_a_home_stays_small() -> None:
    home = lived()
    for minute in range(1440):
        home.walk(at("09:00") + minute * MINUTE, "kitchen", "hall")
    assert len(home.world.home.signs) <= 32
    assert len(pack(home.world.home)) < 8000
    assert signs.start_ns(home.world.home) == home.life_ns
    assert home.life_ns > at("09:00") + DAY - HOUR


@pytest.mark.parametrize("quantity", ["motion", "contact", "bed", "light", "movements", "leak", "smoke", "temperature"])
def test_a_device_that_invents_channels_fills_no_memory_and_another_one_is_heard_all_the_same(quantity: str) -> None:
    home = WatchedHome()
    home.tell("motion.known", 0.0, at("08:00"))
    for number in range(600):
        for value in (1.0, 0.0, 1.0):
            who = ("wutong", "h1", "3-201", 1, 1, at("08:01") + number, at("08:01") + number, "ntp", 0, None)
            home.homes.observe(Readings.of(*who, [Reading(f"{quantity}.c{number}", value, 1)]))
    assert len(home.memory.states) <= evidence.MOST_OF_A_DEVICE and len(home.memory.timers) < 400
    who = ("wutong", "h2", "3-201", 1, 1, at("09:00"), at("09:00"), "ntp", 0, None)
    home.homes.observe(Readings.of(*who, [Reading("motion.hall", 1.0, 1), Reading("leak", 1.0, 1), Reading("smoke", 1.0, 1)]))
    home.tell("motion.known", 1.0, at("09:00"))
    assert home.memory.states["motion.hall"].value == 1.0 and home.memory.states["motion.known"].value == 1.0
    home.look(at("09:01"))
    assert home.alerts("leak") and home.alerts("smoke")
