"""Heat and cold: a step once a room was beyond its limit for long enough, held until it is one degree back."""

import pytest

from edge_gateway.homes.home import Away
from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import MINUTE, WatchedHome, at

HOUR = 60 * MINUTE


def room(values: list[tuple[str, float]], name: str = "temperature.living", every: int = 10) -> WatchedHome:
    """Measured every ten minutes; each (clock, value) holds until the next."""
    home = WatchedHome()
    warm(home, values, name, every)
    return home


def warm(home: WatchedHome, values: list[tuple[str, float]], name: str = "temperature.living", every: int = 10) -> None:
    for (clock, value), (end, _) in zip(values, [*values[1:], ("", 0.0)], strict=True):
        now, until = at(clock), at(end) if end else at(clock) + 1
        while now < until:
            home.tell(name, value, now)
            home.look(now)
            now += every * MINUTE


@pytest.mark.parametrize(
    ("rule", "value", "hours", "severity"),
    [
        pytest.param("heat", 26.5, 4, Severity.NOTICE),
        pytest.param("heat", 30.5, 2, Severity.WARNING),
        pytest.param("heat", 32.5, 1 / 6, Severity.URGENT),
        pytest.param("cold", 17.5, 2, Severity.NOTICE),
        pytest.param("cold", 15.5, 1, Severity.WARNING),
        pytest.param("cold", 11.5, 1 / 6, Severity.URGENT),
    ],
)
def test_each_step_takes_its_time(rule: str, value: float, hours: float, severity: Severity) -> None:
    home = room([("9:50", 22.0), ("10:00", value)])
    start, end = at("10:00"), at("10:00") + round(hours * HOUR)
    for now in range(start + 10 * MINUTE, end, 10 * MINUTE):
        home.tell("temperature.living", value, now)
        home.look(now)
    assert not [alert for alert in home.alerts(rule) if alert.severity is severity]
    home.tell("temperature.living", value, end)
    home.look(end + 1)
    alert = home.alert(rule)
    assert (alert.key, alert.severity, alert.occurred_ns) == (f"{rule}/wutong/3-201", severity, start)
    assert alert.evidence[-1].endswith(f"+0800 temperature.living {value} °C")
    assert len(alert.evidence) == min(3, 1 + round(hours / 0.5) if hours > 0.5 else 2)


def test_the_words_say_where_what_since_when_and_what_to_do() -> None:
    home = room([("10:00", 30.5), ("12:10", 30.5)])
    alert = home.alert("heat")
    assert alert.text_zh == (
        "3-201 (客厅): 室温过高, 11月20日 10:00 起高于 30 °C。请打电话: 开空调、多喝水, 找凉快的地方; 今天再看一次。"
    )
    assert alert.text_en.startswith("3-201 (living room): too hot, above 30 °C since 20 Nov 10:00. Call:")


def test_one_measurement_is_no_evidence_and_a_dip_begins_the_time_anew() -> None:
    home = room([("10:00", 35.0), ("10:10", 25.0), ("13:00", 25.0)])
    home.until(at("16:00"))
    assert home.said == []
    assert room([("10:00", 30.5), ("11:50", 29.9), ("12:00", 30.5), ("13:50", 30.5)]).alerts("heat") == []


def test_a_room_that_gets_worse_makes_the_same_alert_worse() -> None:
    home = room([("10:00", 27.0), ("14:10", 27.0)])
    first = home.alert("heat")
    assert first.severity is Severity.NOTICE
    warm(home, [("14:20", 33.0), ("14:40", 33.0)])
    assert home.alert("heat") is first
    assert first.severity is Severity.URGENT
    assert not first.returns
    assert "紧急" not in first.text_zh
    assert "120" in first.text_zh


def test_a_step_is_held_until_one_degree_back_and_then_it_ends() -> None:
    home = room([("10:00", 30.5), ("12:10", 29.5), ("12:40", 28.5), ("13:00", 25.5), ("13:30", 25.5)])
    assert home.alert("heat").severity is Severity.WARNING
    warm(home, [("13:40", 25.0)])
    assert home.alerts("heat") == []
    assert not [timer for timer in home.memory.timers if timer.startswith("heat.") and not timer.startswith("heat.told.")]
    assert "heat.seen" not in home.memory.notes


@pytest.mark.parametrize("last", ["silence", "-100", "127", "85", "broken", "restart", "clock"])
def test_missing_and_impossible_values_clear_nothing(last: str) -> None:
    home = room([("10:00", 15.0), ("11:10", 15.0)])
    if last == "restart":
        home.restart()
    elif last == "clock":
        home.homes.jumped(48 * HOUR)
        home.now_ns += 48 * HOUR
    elif last == "broken":
        home.tell("temperature.living", None, at("11:20"))
    elif last != "silence":
        home.tell("temperature.living", float(last), at("11:20"))
    home.until(home.now_ns + 24 * HOUR, 10 * MINUTE)
    assert len(home.alerts("cold")) == 1


@pytest.mark.parametrize("value", [-100.0, -127.0, 85.0, 60.0, -30.0, 1e9])
def test_no_value_a_room_cannot_have_raises_anything(value: float) -> None:
    home = room([("10:00", 22.0), ("10:10", value), ("18:00", value)])
    assert home.said == []


@pytest.mark.parametrize("flag", [3, 4])
def test_a_value_that_is_marked_as_doubtful_or_wrong_raises_and_clears_nothing(flag: int) -> None:
    home = WatchedHome()
    for minute in range(0, 300, 10):
        home.tell("temperature", 35.0, at("8:00") + minute * MINUTE, flag=flag)
        home.look(at("8:00") + minute * MINUTE)
    assert home.said == []
    home = room([("10:00", 15.0), ("11:10", 15.0)])
    for minute in range(0, 60, 10):
        home.tell("temperature.living", 22.0, at("11:20") + minute * MINUTE, flag=flag)
        home.look(at("11:20") + minute * MINUTE)
    assert len(home.alerts("cold")) == 1


def test_time_of_which_nothing_was_measured_counts_for_nothing() -> None:
    home = WatchedHome()
    home.tell("temperature", 15.0, at("8:00"))
    home.tell("temperature", 15.0, at("11:00"))
    home.look(at("11:00") + 1)
    assert home.alerts("cold") == []
    home.tell("temperature", 15.0, at("12:00"))
    home.look(at("12:00") + 1)
    assert home.alert("cold").occurred_ns == at("11:00")


def test_measurements_that_come_late_are_taken_at_their_own_time_and_old_ones_undo_nothing() -> None:
    home = WatchedHome()
    for minute in range(0, 70, 10):  # an outage of the network: all of it comes at once
        home.tell("temperature", 15.0, at("8:00") + minute * MINUTE, received_ns=at("9:30"))
    home.tell("temperature", 22.0, at("7:00"), received_ns=at("9:30"))
    home.until(at("9:35"))
    assert home.alert("cold").occurred_ns == at("8:00")


def test_a_clock_that_jumps_ages_no_room() -> None:
    home = room([("10:00", 27.0), ("10:20", 27.0)])
    home.homes.jumped(8 * HOUR)
    home.tell("temperature.living", 27.0, at("18:30"))
    home.look(at("18:30"))
    assert home.alerts("heat") == []


def test_a_warm_bedroom_is_a_warning_at_night_only() -> None:
    home = room([("19:00", 28.5), ("22:20", 28.5)], name="temperature.bedroom")
    assert not [alert for alert in home.alerts("heat") if alert.severity is Severity.URGENT]
    warm(home, [("22:30", 28.5), ("22:40", 28.5)], name="temperature.bedroom")
    alert = home.alert("heat")
    assert (alert.severity, "28 °C" in alert.text_en) == (Severity.WARNING, True)


@pytest.mark.parametrize(
    "name", ["temperature.outside", "temperature.fridge", "temperature.water_heater", "temperature.balcony"]
)
def test_what_is_no_room_is_not_watched(name: str) -> None:
    assert room([("8:00", 2.0), ("12:00", 40.0), ("18:00", 40.0)], name=name).said == []


def test_the_south_room_is_a_room_and_a_kitchen_is_never_urgent() -> None:
    assert len(room([("8:00", 30.5), ("10:10", 30.5)], name="temperature.south").alerts("heat")) == 1
    home = room([("8:00", 36.0), ("12:10", 36.0)], name="temperature.kitchen")
    assert home.alert("heat").severity is Severity.WARNING


def test_limits_are_those_of_the_home() -> None:
    home = WatchedHome("heat = [28, 31, 34]")
    warm(home, [("8:00", 27.5), ("20:00", 27.5)])
    assert home.said == []


def test_an_empty_home_is_told_of_frost_and_not_of_a_warm_day() -> None:
    home = WatchedHome()
    home.memory.away = Away("long", at("6:00"), at("6:00", 25), "zhang")
    warm(home, [("8:00", 27.0), ("14:00", 27.0)])
    assert home.alerts("heat") == []
    warm(home, [("14:10", 8.0), ("14:30", 8.0)])
    assert home.alert("cold").severity is Severity.URGENT


def test_what_a_person_closed_is_said_again_when_it_gets_worse() -> None:
    home = room([("10:00", 27.0), ("14:10", 27.0)])
    home.close("heat")
    warm(home, [("14:20", 27.0), ("16:00", 27.0)])
    assert home.alerts("heat") == []
    warm(home, [("16:10", 31.0), ("18:20", 31.0)])
    assert home.alert("heat").severity is Severity.WARNING


def test_a_device_that_invents_rooms_fills_no_memory() -> None:
    home = WatchedHome()
    for number in range(100):
        home.tell(f"temperature.r{number}", 35.0, at("10:00"))
    assert len(home.memory.timers) < 100


def test_a_room_of_which_nothing_is_heard_any_more_is_not_told_of_anew() -> None:
    home = room([("10:00", 15.0), ("11:10", 15.0)])
    home.close("cold")
    home.until(at("11:10", 21), 10 * MINUTE)
    assert home.alerts("cold") == []


def test_two_devices_with_one_name_are_two_rooms() -> None:
    home = WatchedHome()
    for minute in range(0, 130, 10):
        home.tell("temperature", 31.0, at("10:00") + minute * MINUTE)
        home.tell("temperature", 22.0, at("10:00") + minute * MINUTE, device="h2")
        home.look(at("10:00") + minute * MINUTE + 1)
    alert = home.alert("heat")
    assert (alert.severity, alert.device) == (Severity.WARNING, "h1")


def test_a_sensor_that_was_replaced_keeps_no_alert_of_its_successor_open() -> None:
    home = room([("10:00", 27.0), ("14:10", 27.0)])
    home.close("heat")
    home.look(at("14:11"))
    for minute in range(0, 300, 10):
        home.tell("temperature.living", 27.0, at("10:00", 24) + minute * MINUTE, device="h2")
        home.look(at("10:00", 24) + minute * MINUTE)
    assert home.alert("heat").device == "h2"
    home.tell("temperature.living", 24.0, at("15:00", 24), device="h2")
    home.look(at("15:01", 24))
    assert home.alerts("heat") == []
