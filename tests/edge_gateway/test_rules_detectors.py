"""Smoke, gas and leak: the contact of a detector is told at once, whoever has paused, and only a person ends smoke and gas."""

import pytest

from edge_gateway import rules
from edge_gateway.events import Event, Reading, Readings
from edge_gateway.homes.home import Away, Pause
from edge_gateway.rules import Severity
from tests.edge_gateway.watched_home import MINUTE, WatchedHome, at


@pytest.mark.parametrize("kind", ["smoke", "gas"])
def test_a_contact_that_closes_is_urgent_at_once(kind: str) -> None:
    home = WatchedHome()
    home.tell(kind, 1.0, at("14:05"))
    alert = home.alert(kind)
    assert (alert.key, alert.severity, alert.returns) == (f"{kind}/wutong/3-201", Severity.URGENT, False)
    assert "11月20日 14:05" in alert.text_zh
    assert "119" in alert.text_en
    assert alert.evidence == [f"2026-11-20 14:05:00+0800 {kind} active h1 (1/1)"]


def test_smoke_and_gas_are_two_causes_and_two_detectors_of_a_kind_are_one() -> None:
    home = WatchedHome()
    for name in ("smoke.kitchen", "smoke.hall", "gas"):
        home.tell(name, 1.0, at("14:05"))
    assert len(home.book.open_alerts()) == 2
    assert home.alert("smoke").count == 2


def test_a_contact_at_rest_at_the_start_raises_nothing() -> None:
    home = WatchedHome()
    home.tell("smoke", 0.0, at("14:05"))
    home.look(at("14:06"))
    assert home.said == []


@pytest.mark.parametrize("last", ["released", "silence", "restart", "clock", "unreadable"])
def test_only_a_person_ends_it(last: str) -> None:
    home = WatchedHome()
    home.tell("smoke", 1.0, at("14:05"))
    if last == "released":
        home.tell("smoke", 0.0, at("14:06"))
        assert home.alert("smoke").evidence[-1] == "2026-11-20 14:06:00+0800 smoke no longer active h1 (1/2)"
    elif last == "unreadable":
        home.tell("smoke", None, at("14:06"))
    elif last == "restart":
        home.restart()
    elif last == "clock":
        home.homes.jumped(1000 * MINUTE)
    home.until(at("14:05", 22), 60 * MINUTE)
    assert len(home.alerts("smoke")) == 1
    home.close("smoke")
    home.until(home.now_ns + 60 * MINUTE)
    assert home.alerts("smoke") == []


def test_a_message_that_cannot_be_read_is_no_alarm_but_somebody_has_to_look() -> None:
    home = WatchedHome()
    home.tell("smoke", None, at("14:05"))
    assert home.alerts("smoke") == []
    assert home.alert("detector").severity is Severity.WARNING


def test_a_value_outside_its_range_raises_no_alarm_of_smoke() -> None:
    home = WatchedHome()
    home.tell("smoke", 7.0, at("14:05"))
    home.tell("smoke", 1.0, at("14:05"), flag=4)
    home.look(at("14:06"))
    assert home.alerts("smoke") == []


def test_one_that_arrives_late_tells_both_times() -> None:
    home = WatchedHome()
    home.tell("gas", 1.0, at("14:05"), received_ns=at("15:45"))
    assert "11月20日 14:05 触发, 11月20日 15:45 才收到" in home.alert("gas").text_zh


def test_pause_absence_and_a_backlog_hush_no_detector() -> None:
    home = WatchedHome()
    home.memory.pause = Pause(at("8:00"), at("20:00"), "elder")
    home.memory.away = Away("long", at("8:00"), at("8:00", 25), "zhang")
    home.tell("motion", 1.0, at("13:00"), received_ns=at("14:04"))
    home.tell("smoke", 1.0, at("14:05"))
    home.tell("leak", 1.0, at("14:05"))
    _told_as_a_reading(home, "gas.kitchen", 1.0, at("14:05"))
    home.look(at("14:05") + 1)
    assert len(home.alerts("smoke")) == len(home.alerts("leak")) == len(home.alerts("gas")) == 1


def test_a_detector_that_tells_its_state_beside_other_readings_is_heard_too() -> None:
    home = WatchedHome()
    seen = home.memory
    _told_as_a_reading(home, "smoke.hall", 0.0, at("14:00"))
    _told_as_a_reading(home, "smoke.hall", 1.0, at("14:05"))
    home.look(at("14:05") + 1)
    assert home.alert("smoke").occurred_ns == at("14:05")
    assert seen.timers["detectors.smoke"] == at("14:05")
    home.close("smoke")
    home.until(at("14:30"))
    assert home.alerts("smoke") == [], "closed by a person"
    _told_as_a_reading(home, "smoke.hall", 0.0, at("14:31"))
    _told_as_a_reading(home, "smoke.hall", 1.0, at("14:40"))
    home.look(at("14:41"))
    assert home.alert("smoke").occurred_ns == at("14:40")


def test_when_the_contact_was_active_last_is_the_proof_that_it_works() -> None:
    home = WatchedHome()
    home.tell("smoke", 1.0, at("14:05"))
    home.tell("smoke", 0.0, at("14:06"))
    assert home.memory.timers["detectors.smoke"] == at("14:05")


def test_water_is_a_warning_that_ends_when_it_is_dry() -> None:
    home = WatchedHome()
    home.tell("leak.bath", 1.0, at("14:05"))
    home.tell("leak.kitchen", 1.0, at("14:06"))
    home.look(at("14:07"))
    assert home.alert("leak").severity is Severity.WARNING
    home.tell("leak.bath", 0.0, at("14:20"))
    home.look(at("14:21"))
    assert len(home.alerts("leak")) == 1, "the kitchen is still wet"
    home.tell("leak.kitchen", 0.0, at("14:30"))
    home.look(at("14:31"))
    assert home.alerts("leak") == []


@pytest.mark.parametrize("last", ["silence", "unreadable", "out of range", "restart", "clock"])
def test_nothing_but_dry_ends_water(last: str) -> None:
    home = WatchedHome()
    home.tell("leak", 1.0, at("14:05"))
    if last == "unreadable":
        home.tell("leak", None, at("14:06"))
    elif last == "out of range":
        home.tell("leak", 0.0, at("14:06"), flag=4)
    elif last == "restart":
        home.restart()
    elif last == "clock":
        home.homes.jumped(1000 * MINUTE)
    home.until(at("14:05", 21), 10 * MINUTE)
    assert len(home.alerts("leak")) == 1


def _told_as_a_reading(home: WatchedHome, name: str, value: float, at_ns: int) -> None:
    from edge_gateway.events import Reading, Readings

    home.homes.observe(
        Readings.of(
            "wutong", "h1", "3-201", 1, 900, at_ns, at_ns, "ntp", 0, None, [Reading("humidity", 50.0), Reading(name, value)]
        )
    )


@pytest.mark.parametrize("kind", ["smoke", "gas", "leak", "sos"])
def test_what_stands_behind_another_reading_of_the_same_event_rings_all_the_same(kind: str) -> None:
    home = WatchedHome()
    readings = [Reading("contact.lid", 1.0, 1), Reading(kind, 1.0, 1)]
    event = Event("wutong", "h1", "3-201", 1, 1, at("14:05"), at("14:05"), "ntp", 0, None, "contact.lid", readings)
    assert rules.wanted(event)
    home.homes.observe(event)
    home.say(rules.judge(event, home.view(at("14:05"))))
    assert home.alert(kind).device == "h1"


@pytest.mark.parametrize("kind", ["smoke", "gas"])
def test_a_detector_at_rest_does_not_speak_for_another_one_of_the_same_name(kind: str) -> None:
    home = WatchedHome()
    for seq, (device, value) in enumerate((("h1", 0.0), ("h2", 0.0), ("h1", 1.0), ("h2", 0.0))):
        who = ("wutong", device, "3-201", 1, seq + 1, at("14:05") + seq, at("14:05") + seq, "ntp", 0, None)
        home.homes.observe(Readings.of(*who, [Reading(kind, value, 1)]))
    home.look(at("14:06"))
    assert len(home.alerts(kind)) == 1


def test_where_nobody_lives_a_dry_detector_does_not_end_what_another_one_tells() -> None:
    home = WatchedHome()
    told = (("d1", "leak", 1.0, 1), ("d2", "leak", 0.0, 1), ("d1", "leak.pump", 0.0, 1), ("d1", "leak", 0.0, 0))
    for seq, (device, name, value, alerts) in enumerate(told):
        when = at("14:05") + seq
        event = Event("wutong", device, "cellar", 1, seq + 1, when, when, "ntp", 0, None, name, [Reading(name, value, 1)])
        home.say(rules.judge(event, home.view(when)))
        assert len(home.alerts("leak")) == alerts


def test_a_device_that_invents_detectors_raises_few_alerts() -> None:
    home = WatchedHome()
    for number in range(3):
        wet = [Reading(f"leak.c{number}-{n}", 1.0, 1) for n in range(50)]
        when = at("14:05") + number
        event = Event("wutong", "d1", "cellar", 1, number + 1, when, when, "ntp", 0, None, wet[0].name, wet)
        home.say(rules.judge(event, home.view(when)))
    assert 1 <= len(home.alerts("leak")) <= 9
