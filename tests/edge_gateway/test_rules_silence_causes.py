"""Silence by cause: a receiver that took its homes along, a home that is off on purpose, a sensor of a device that is heard."""

import pytest

from edge_gateway.homes.home import Away
from edge_gateway.registry import Device, Registry, Site, parse
from edge_gateway.rules import Finding, Returned, Severity, Verdict, View, look
from edge_gateway.rules.rule import HomesSeen
from edge_gateway.rules.sensor_watch import SensorWatch
from edge_gateway.rules.watch import Watch
from edge_gateway.state import DeviceState, Latest
from tests.edge_gateway.watched_home import MINUTE, SECOND, WatchedHome, at

NOON = at("12:00")
HOUR_S = 3600


def device(name: str, via: str = "", model: str = "", measures: frozenset[str] = frozenset()) -> Device:
    return Device("wutong", name, f"home-{name}", model, 60.0, 180.0, measures, via=via)


def registry(*devices: Device) -> Registry:
    return Registry({"wutong": Site("wutong", "wutong")}, {d.key: d for d in devices})


def said(
    known: Registry, at_s: float, quiet: dict[str, float], opened: tuple[str, ...] = (), homes: HomesSeen | None = None
) -> list[Verdict]:
    """At monotonic second `at_s`; each device was heard a second ago, or when `quiet` says."""
    heard = {key: round(quiet.get(key[1], at_s - 1) * SECOND) for key in known.devices}
    view = View(NOON, known, round(at_s * SECOND), heard, {}, 0, set(opened), None, homes or HomesSeen())
    return look(view)


BUILDING = [device(f"a{n}", via="lora-1") for n in range(30)]
OTHERS = [device(f"b{n}", via="lora-2") for n in range(270)]


def test_thirty_homes_behind_one_dead_receiver_are_one_alert_also_where_the_rest_of_the_site_is_heard() -> None:
    known = registry(*BUILDING, *OTHERS)
    (finding,) = said(known, 2000, {d.id: 1800 + n for n, d in enumerate(BUILDING)})
    assert isinstance(finding, Finding)
    assert (finding.key, finding.severity) == ("silence/wutong/via/lora-1", Severity.WARNING)
    assert "home-a0, home-a1, " in finding.text_zh
    assert "(+18)" in finding.text_en


def test_a_receiver_that_is_a_device_itself_is_named_and_its_homes_are_not() -> None:
    known = registry(device("lora-1"), *BUILDING[:3])
    quiet = {"lora-1": 1800.0, "a0": 1801.0, "a1": 1802.0, "a2": 1803.0}
    (finding,) = said(known, 2000, quiet)
    assert isinstance(finding, Finding)
    assert finding.key == "silence/wutong/via/lora-1"


def test_two_homes_of_many_behind_a_receiver_that_works_are_two_devices() -> None:
    found = said(registry(*BUILDING), 2000, {"a3": 1000.0, "a7": 1100.0})
    assert {v.key for v in found if isinstance(v, Finding)} == {"silence/wutong/a3", "silence/wutong/a7"}


def test_all_receivers_at_once_are_the_site() -> None:
    known = registry(*BUILDING, *OTHERS)
    (finding,) = said(known, 2000, {d.id: 1800.0 for d in (*BUILDING, *OTHERS)})
    assert isinstance(finding, Finding)
    assert finding.key == "silence/wutong"


def test_a_receiver_is_back_when_most_behind_it_are_heard_and_only_then() -> None:
    known, key = registry(*BUILDING), "silence/wutong/via/lora-1"
    watch = Watch(known)
    watch.listening(0)
    watch.heard = {d.key: 1800 * SECOND for d in BUILDING}
    assert [v.key for v in watch.look(NOON, 2000 * SECOND, [])] == [key]
    assert watch.look(NOON, 2000 * SECOND, [key])[0].key == key, "it goes on saying so"
    watch.listening(2050 * SECOND)  # the gateway was started again: nobody was heard since
    assert watch.look(NOON, 2200 * SECOND, [key]) == []
    watch.heard |= {d.key: 2310 * SECOND for d in BUILDING[:20]}
    (returned,) = watch.look(NOON, 2311 * SECOND, [key])
    assert isinstance(returned, Returned)
    assert [v.key for v in watch.look(NOON, 2312 * SECOND, [])] == [], "the rest has its whole time again"
    watch.heard |= {d.key: 2490 * SECOND for d in BUILDING[:20]}
    late = watch.look(NOON, 2500 * SECOND, [])
    assert len(late) == 10, "and then each is named"


def test_the_registry_knows_the_receiver_and_refuses_a_bad_one() -> None:
    text = '[sites.s]\n[[devices]]\nsite = "s"\nid = "a"\nvia = "lora-1"\n'
    assert parse(text).devices["s", "a"].via == "lora-1"
    for bad in ('"A B"', "7", '"a"'):
        with pytest.raises(Exception, match="via is"):
            parse(text.replace('"lora-1"', bad))


def test_in_a_pause_only_the_sos_button_is_missed_and_during_repairs_nothing() -> None:
    button, pad = device("button", model="elder_home"), device("pad")
    known, quiet = registry(button, pad), {"button": 1000.0, "pad": 1000.0}

    def keys(reason: str) -> set[str]:
        paused = {("wutong", "home-button"): reason, ("wutong", "home-pad"): reason}
        return {v.key for v in said(known, 2000, quiet, homes=HomesSeen(paused))}

    assert keys("visitors") == {"silence/wutong/button"}
    assert keys("maintenance") == set()
    assert {v.key for v in said(known, 2000, quiet)} == {"silence/wutong/button", "silence/wutong/pad"}


def test_devices_of_a_home_that_is_empty_until_a_day_are_missed_from_that_day_on() -> None:
    home = WatchedHome()
    home.tell("humidity", 50.0, at("10:00"))
    home.memory.away = Away("daughter", at("11:00"), at("12:00", 22), "zhang")
    assert home.view(at("11:59", 22)).homes.absent == {("wutong", "3-201")}
    assert home.view(at("12:00", 22)).homes.absent == frozenset()
    home.memory.away = Away("out", at("11:00"))
    assert home.view(at("11:30")).homes.absent == frozenset()
    button = device("button", model="elder_home")
    away = HomesSeen(absent=frozenset({("wutong", "home-button")}))
    assert said(registry(button), 2000, {"button": 1000.0}, homes=away) == []
    assert len(said(registry(button), 2000, {"button": 1000.0})) == 1


class Bench:
    """One device and what is remembered of it; the test is the clock."""

    def __init__(self, *measures: str) -> None:
        self.device = device("h1", measures=frozenset(measures))
        self.known = registry(self.device)
        self.state = DeviceState("wutong", "h1")
        self.watch = SensorWatch()
        self.now_s = 0
        self.open: set[str] = set()

    def run(self, hours: float, step_s: int = 300, **values: float | None) -> list[Verdict]:
        """Time passes; every step the device tells these, at one that is called `moving` a bit more each time."""
        verdicts: list[Verdict] = []
        for _ in range(int(hours * HOUR_S / step_s)):
            self.now_s += step_s
            for name, value in values.items():
                flag = 9 if value is None else 4 if value == -100.0 else 1
                moved = value + self.now_s % 7000 / 7e5 if name == "humidity" and value else value
                self.state.latest[name.replace("__", ".")] = Latest(NOON + self.now_s * SECOND, moved, flag)
            for _ in range(60):  # everybody has his turn
                self.watch.look(
                    self.known,
                    {self.device.key: self.state},
                    {self.device.key: self.now_s * SECOND},
                    self.now_s * SECOND,
                    NOON + self.now_s * SECOND,
                )
            view = View(NOON + self.now_s * SECOND, self.known, self.now_s * SECOND, open=self.open, faulty=self.watch.faulty)
            verdicts = [v for v in look(view) if v.key.startswith("sensor/")]
            for verdict in verdicts:
                (self.open.discard if isinstance(verdict, Returned) else self.open.add)(verdict.key)
        return verdicts


def text(found: list[Verdict]) -> str:
    (finding,) = found
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.NOTICE
    return finding.text_en


def test_one_sensor_that_is_silent_while_the_device_is_heard_is_for_the_technician() -> None:
    bench = Bench()
    assert bench.run(1, temperature=20.0, humidity=50.0) == []
    assert bench.run(0.9, humidity=50.0) == []
    assert "temperature silent while the device is heard (since 20 Nov 13:00)" in text(bench.run(0.3, humidity=50.0))
    assert bench.run(0.5, temperature=20.5, humidity=50.0) == []
    assert not bench.open


def test_a_sensor_that_was_promised_and_never_came_is_told_apart() -> None:
    bench = Bench("temperature", "humidity")
    assert "temperature never heard of" in text(bench.run(1.2, humidity=50.0))


def test_what_says_itself_that_it_is_broken_is_told_and_a_single_time_is_not() -> None:
    bench = Bench()
    bench.run(1, temperature=20.0, humidity=50.0)
    assert bench.run(0.1, temperature=None, humidity=50.0) == []
    assert bench.run(0.1, temperature=20.0, humidity=50.0) == []
    assert "broken, the device says so itself" in text(bench.run(0.5, temperature=None, humidity=50.0))


def test_a_value_outside_its_range_raises_nothing_but_does_not_hide_that_there_is_none() -> None:
    bench = Bench()
    bench.run(1, temperature=20.0, humidity=50.0)
    assert bench.run(0.9, temperature=-100.0, humidity=50.0) == []
    assert "temperature without a believable value (since 20 Nov 13:00)" in text(
        bench.run(0.3, temperature=-100.0, humidity=50.0)
    )
    bench.run(0.2, temperature=20.5, humidity=50.0)
    assert not bench.open


def test_two_sensors_of_one_chip_are_one_notice() -> None:
    bench = Bench()
    bench.run(1, temperature=20.0, humidity=50.0)
    found = text(bench.run(0.5, temperature=None, humidity=None))
    assert "temperature" in found
    assert "humidity" in found


def test_a_measured_value_that_stands_still_for_days_is_stuck_also_when_it_is_sent_again_with_new_times() -> None:
    bench = Bench()
    assert bench.run(47, step_s=1800, temperature=20.0, humidity=50.0) == []
    assert "temperature stuck" in text(bench.run(3, step_s=1800, temperature=20.0, humidity=50.0))


def test_motion_that_is_on_for_hours_is_stuck_and_a_silent_room_is_not() -> None:
    bench = Bench()
    bench.run(1, motion=0.0, motion__bath=0.0)
    assert "motion stuck" in text(bench.run(5, motion=1.0, motion__bath=0.0))
    assert bench.run(30, step_s=1800, motion=0.0, motion__bath=0.0) == []
    assert not bench.open


def test_a_sensor_that_tells_only_changes_may_be_silent_for_days() -> None:
    bench = Bench()
    bench.run(2, step_s=1800, contact=0.0, humidity=50.0)
    assert bench.run(100, step_s=1800, humidity=50.0) == []


def test_a_restart_and_a_device_that_is_silent_end_no_notice() -> None:
    bench = Bench()
    bench.run(1, temperature=20.0, humidity=50.0)
    bench.run(1.5, humidity=50.0)
    assert bench.open
    bench.watch = SensorWatch()
    bench.run(0.5, humidity=50.0)
    assert bench.open, "after a restart nobody knows how it does"
    bench.run(0.5, temperature=20.5, humidity=50.0)
    bench.run(0.2, temperature=20.7, humidity=50.0)
    assert not bench.open


def test_a_home_whose_sensors_all_say_that_they_are_broken_is_told_to_staff() -> None:
    home = WatchedHome()
    home.tell("motion.kitchen", 0.0, at("10:00"))
    home.tell("bed", 0.0, at("10:00"))
    home.tell("motion.kitchen", None, at("11:00"))
    home.until(at("13:00"))
    assert home.alerts("deaf") == []
    home.tell("bed", None, at("13:00"))
    home.until(at("13:58"))
    assert home.alerts("deaf") == []
    home.until(at("14:02"))
    alert = home.alert("deaf")
    assert (alert.severity, alert.occurred_ns) == (Severity.WARNING, at("13:00"))
    assert alert.evidence[-1] == "2026-11-20 13:00:00+0800 bed cannot be believed h1"
    home.until(home.now_ns + 600 * MINUTE, 10 * MINUTE)
    assert len(home.alerts("deaf")) == 1
    home.tell("bed", 0.0, home.now_ns)
    home.look(home.now_ns + SECOND)
    assert home.alerts("deaf") == []


def test_a_home_with_nothing_but_a_button_is_not_deaf() -> None:
    home = WatchedHome()
    home.tell("sos", 0.0, at("10:00"))
    home.until(at("14:00"))
    assert home.said == []
