"""The series that never vanish: silence is a value that grows, whatever happens to the gateway, its disk and its database."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_gateway import series
from edge_gateway.errors import Unavailable
from edge_gateway.homes.home import Away, Pause
from tests.edge_gateway.series_world import MINUTE, SECOND, SeriesWorld, device, found

DAY = 86_400.0
Make = Callable[..., SeriesWorld]
A = ("fleet", "a")


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[SeriesWorld] = []

    def one(*devices: str, **settings: Any) -> SeriesWorld:
        made.append(SeriesWorld(tmp_path, monkeypatch, *(devices or (device("a"),)), **settings))
        return made[-1]

    yield one
    for world in made:
        world.close()


def near(value: Any) -> Any:
    """Ages are written to an eighth of a second, ratios to 1/1024."""
    return pytest.approx(value, rel=2e-3, abs=2e-3)


def overdue(w: SeriesWorld, name: str = "a") -> float:
    value: float = w.round()["fleet", name]["overdue"]
    return value


# Silence is a value


def test_a_dead_device_goes_on_having_a_point_each_round_and_passes_one_at_its_own_limit(make: Make) -> None:
    w = make()
    w.say("a", ("temperature", 21.0))
    ratios = []
    for _ in range(5):
        w.step(MINUTE)
        ratios.append(overdue(w))
    assert ratios == near([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    w.say("a", ("temperature", 21.0))
    assert overdue(w) == 0.0


def test_it_says_since_when_how_often_it_should_be_heard_and_what_was_lost(make: Make) -> None:
    w = make(device("a", place="home-1"))
    w.say("a", ("temperature", 21.0))
    w._seq += 2  # two messages never came
    w.say("a", ("temperature", 21.0))
    w.step(90.0)
    told = w.round()[A]
    assert told["silent_for"] == near(90.0)
    assert (told["cadence"], told["place"]) == (60.0, "home-1")
    assert (told["boots"], told["missing_messages"], told["lost_messages"]) == (1.0, 2.0, 0.0)
    assert (told["stored_messages"], told["dead_messages"]) == (2.0, 0.0)


def test_a_device_that_was_never_heard_is_silent_since_it_is_expected(make: Make) -> None:
    w = make()
    w.step(4 * MINUTE)
    assert w.round()[A]["silent_for"] == near(240.0)
    w.restart(after_s=3600)
    assert w.round()[A]["overdue"] == near(4 / 3)  # the hour in which nobody listened is not its fault
    assert w.round()[A]["silent_for"] == near(240.0 + 3600.0)


def test_a_device_registered_while_the_gateway_runs_is_expected_from_then_on(make: Make) -> None:
    w = make()
    w.step(DAY)
    w.register(device("a"), device("b"))
    w.look()
    w.step(MINUTE)
    told = w.round()
    assert told["fleet", "b"]["overdue"] == near(1 / 3)
    assert told["fleet", "a"]["overdue"] == near((DAY + 60) / 180)


def test_a_device_without_a_limit_is_never_overdue_and_has_its_series_all_the_same(make: Make) -> None:
    w = make(device("a", silence_s=0.0, measures=["temperature"]))
    w.say("a", ("temperature", 21.0))
    w.step(7 * DAY)
    told = w.round()
    assert told[A]["overdue"] == 0.0
    assert told[A]["silent_for"] == near(7 * DAY)
    assert told["silence", "a", "temperature"]["reading_overdue"] == 0.0
    assert told["silence", "a", "temperature"]["reading_age"] == near(7 * DAY)
    assert told["gateway", "gateway"]["devices_expected"] == 0.0


# Nobody listens


def test_while_the_broker_is_away_it_is_kept_and_goes_on_from_there(make: Make) -> None:
    w = make()
    w.say("a", ("temperature", 21.0))
    w.step(2 * MINUTE)
    w.connected = False
    w.step(0)
    for _ in range(3):
        w.step(DAY)
        assert overdue(w) == near(2 / 3)
    assert w.round()[A]["silent_for"] == near(2 * MINUTE + 3 * DAY)
    w.connected = True
    w.step(0)
    w.step(MINUTE + 1)
    assert overdue(w) > 1.0


def test_a_dead_device_is_found_though_the_broker_comes_and_goes_all_day(make: Make) -> None:
    w = make()
    w.say("a", ("temperature", 21.0))
    for _ in range(10):
        for connected in (False, True):
            w.connected = connected
            w.step(0)
            w.step(20.0)
    assert overdue(w) > 1.0
    assert not any(key.startswith("silence/") for key in w.gateway.desk.book.open_keys), "the rule begins anew each time"


def test_a_restart_never_lowers_it_not_even_when_everything_is_dead(make: Make) -> None:
    w = make(device("a"), device("b"))
    for name in "ab":
        w.say(name, ("temperature", 21.0))
    last = 0.0
    for _ in range(4):
        w.step(50.0)
        now = overdue(w)
        assert now > last
        last = now
        w.restart(after_s=600)
        w.step(1.0)
        assert overdue(w) == near(last + 1 / 180)
    assert last > 1.0


def test_after_a_restart_a_device_that_was_heard_is_not_late(make: Make) -> None:
    """Its row is saved with what it said, also when the last round is older."""
    w = make()
    w.round()
    w.step(10 * MINUTE)
    w.say("a", ("temperature", 21.0))
    w.restart(after_s=DAY)
    w.step(30.0)
    assert overdue(w) == near(30 / 180)


def test_a_damaged_memory_begins_anew_and_stops_nothing(make: Make) -> None:
    w = make()
    w.step(10 * MINUTE)
    assert overdue(w) > 1.0
    w.kill()
    with sqlite3.connect(w.settings.store_file) as db:
        db.execute("UPDATE home SET body = x'c1' WHERE site = '_gateway'")
    w._open()
    assert overdue(w) == 0.0


@pytest.mark.parametrize("jump_s", [366 * DAY, -366 * DAY, 3600.0])
def test_a_wall_clock_that_jumps_makes_nobody_silent_and_no_silence_shorter(make: Make, jump_s: float) -> None:
    w = make(device("a"), device("never"))
    w.say("a", ("temperature", 21.0))
    w.step(2 * MINUTE)
    w.wall_ns += round(jump_s * SECOND)
    w.step(0)
    told = w.round()
    for name in ("a", "never"):
        assert told["fleet", name]["overdue"] == near(2 / 3)
        assert told["fleet", name]["silent_for"] == near(2 * MINUTE)
    assert told["silence", "a", "temperature"]["reading_overdue"] == near(120 / 3600)


# Nobody expects it


def test_in_a_pause_nobody_expects_a_home_but_its_sos_button(make: Make) -> None:
    w = make(device("a", place="p", measures=["motion"]), device("button", place="p", model="elder_home"))
    w.step(10 * MINUTE)
    key = ("s", "p")
    w.gateway.desk.homes.change(key, w.wall_ns).pause = Pause(w.wall_ns, w.wall_ns + 3600 * SECOND, "li")
    w.step(1.0)
    told = w.round()
    assert told[A]["overdue"] == 0.0
    assert told["silence", "a", "motion"]["reading_overdue"] == 0.0
    assert told["fleet", "button"]["overdue"] > 1.0
    assert told["home", "gateway"]["home_paused"] == 1.0
    w.gateway.desk.homes.change(key, w.wall_ns).pause = Pause(w.wall_ns, w.wall_ns + 3600 * SECOND, "li", "maintenance")
    w.step(1.0)
    assert overdue(w, "button") == 0.0
    w.step(2 * 3600.0)
    assert overdue(w) > 1.0  # the pause is over, and it was never heard


def test_a_home_that_is_empty_until_a_day_expects_nothing(make: Make) -> None:
    w = make(device("a", place="p", model="elder_home"))
    w.step(10 * MINUTE)
    w.gateway.desk.homes.change(("s", "p"), w.wall_ns).away = Away("long", w.wall_ns, w.wall_ns + 3600 * SECOND, "li")
    w.step(1.0)
    told = w.round()
    assert (told[A]["overdue"], told["home", "gateway"]["home_away"]) == (0.0, 1.0)
    assert told["gateway", "gateway"]["devices_expected"] == 0.0


def test_a_device_that_leaves_the_registry_has_one_last_point_of_zero(make: Make) -> None:
    w = make(device("a", place="p", measures=["temperature", "co2"]), device("b"))
    w.step(4 * 3600)
    w.round()
    w.register(device("b"))
    w.look()
    told = w.round()
    assert told[A] == {"overdue": 0.0, "place": "p"}
    assert told["silence", "a", "co2"] == {"reading_overdue": 0.0, "place": "p"}
    assert not [key for key in w.round() if key[1] == "a"]


def test_so_does_one_that_left_while_the_gateway_was_down(make: Make) -> None:
    w = make(device("a", measures=["temperature"]), device("b"))
    w.step(4 * 3600)
    w.round()
    w.kill()
    w.register(device("b"))
    w._open()
    told = w.round()
    assert told[A] == {"overdue": 0.0, "place": ""}
    assert told["silence", "a", "temperature"] == {"reading_overdue": 0.0, "place": ""}
    assert not [key for key in w.round() if key[1] == "a"]


def test_one_that_moves_or_measures_less_ends_only_what_it_leaves(make: Make) -> None:
    w = make(device("a", place="p1", measures=["temperature", "co2"]))
    w.step(MINUTE)
    w.round()
    w.register(device("a", place="p1", measures=["temperature"]))
    w.look()
    w.step(MINUTE)
    told = w.round()
    assert told["silence", "a", "co2"] == {"reading_overdue": 0.0, "place": "p1"}
    assert told["silence", "a", "temperature"]["reading_overdue"] == near(120 / 3600)
    w.register(device("a", place="p2", measures=["temperature"]))
    w.look()
    before = len(w.base.entries)
    w.round()
    fleet = {e.place: e.values for e in w.base.entries[before:] if getattr(e, "shape", "").find("overdue=") >= 0}
    assert fleet["p1"] == (0.0,)
    assert fleet["p2"][2] == near(120 / 180)


def test_a_device_that_comes_back_after_months_is_expected_from_then_on(make: Make) -> None:
    w = make(device("a"), device("b"))
    w.say("a", ("temperature", 21.0))
    w.register(device("b"))
    w.look()
    w.round()
    w.step(90 * DAY)
    w.round()
    w.kill()
    w.register(device("a"), device("b"))
    w._open()
    w.step(MINUTE)
    assert overdue(w) == near(1 / 3)


# Quantities


def test_a_sensor_that_died_in_a_device_that_lives_is_overdue_by_the_catalogues_limit(make: Make) -> None:
    w = make(device("a", measures=["temperature", "motion.kitchen", "sos", "firmware", "battery_voltage"]))
    w.say("a", ("temperature", 21.0), ("motion.kitchen", True), ("battery_voltage", 3.0))
    for _ in range(70):
        w.step(MINUTE)
        w.say("a", ("battery_voltage", 3.0))
    told = w.round()
    assert told[A]["overdue"] == 0.0
    assert told["silence", "a", "temperature"]["reading_overdue"] == near(70 / 60)
    assert told["silence", "a", "temperature"]["reading_age"] == near(70 * MINUTE)
    assert told["silence", "a", "motion-kitchen"]["reading_overdue"] == near(70 * 60 / DAY)
    assert told["silence", "a", "battery_voltage"]["reading_age"] == 0.0
    assert {key[2] for key in told if key[0] == "silence"} == {"temperature", "motion-kitchen", "battery_voltage"}


@pytest.mark.parametrize("value", [None, 200.0], ids=["missing", "out of range"])
def test_a_value_that_is_none_is_not_a_measurement(make: Make, value: float | None) -> None:
    w = make(device("a", measures=["temperature"]))
    w.say("a", ("temperature", 21.0))
    w.step(MINUTE)
    w.say("a", ("temperature", value))
    told = w.round()
    assert told[A]["overdue"] == 0.0
    assert told["silence", "a", "temperature"]["reading_age"] == near(MINUTE)


def test_old_readings_that_come_late_are_heard_now_and_old_all_the_same(make: Make) -> None:
    w = make(device("a", measures=["temperature"]))
    w.step(3 * 3600.0)
    w.say("a", ("temperature", 21.0), age_s=2 * 3600.0)
    told = w.round()["silence", "a", "temperature"]
    assert told["reading_age"] == near(2 * 3600.0)
    assert told["reading_overdue"] == 0.0


def test_quantities_survive_a_restart_as_devices_do(make: Make) -> None:
    w = make(device("a", measures=["temperature", "co2"]))
    w.say("a", ("temperature", 21.0))
    w.step(1800.0)
    w.round()
    w.restart(after_s=DAY)
    w.step(900.0)
    told = w.round()
    for name in ("temperature", "co2"):
        assert told["silence", "a", name]["reading_overdue"] == near(2700 / 3600)
        assert told["silence", "a", name]["reading_age"] == near(2700 + DAY)


def test_a_device_without_measures_is_watched_for_what_it_told_and_cannot_invent_thousands_of_series(make: Make) -> None:
    w = make()
    for part in range(10):
        w.say("a", *[(f"temperature.c{part}_{number}", 1.0) for number in range(20)])
    told = {key[2] for key in w.round() if key[0] == "silence"}
    assert len(told) == 64
    w.step(MINUTE)
    w.say("a", ("humidity", 50.0))
    assert {key[2] for key in w.round() if key[0] == "silence"} == told


def test_of_a_home_that_may_not_be_watched_nothing_tells_of_its_person(make: Make) -> None:
    rules = {"consent_required": True}
    w = make(device("a", place="p", model="elder_home", measures=["motion", "battery_voltage"]), privacy=rules)
    w.say("a", ("motion", True), ("battery_voltage", 3.0))
    told = w.round()
    assert {key[2] for key in told if key[0] == "silence"} == {"battery_voltage"}
    assert "home_away" not in told["home", "gateway"]
    w.restart()
    assert {key[2] for key in w.round() if key[0] == "silence"} == {"battery_voltage"}


# Disk and database


def test_on_a_full_disk_it_is_told_all_the_same_and_accuses_nobody(make: Make) -> None:
    w = make()
    w.say("a", ("temperature", 21.0))
    w.step(MINUTE)
    w.gateway.give_way()
    w.step(DAY)
    told = w.round()
    assert told[A]["overdue"] == near(1 / 3)
    assert told["gateway", "gateway"]["devices_silent"] == 0.0
    w.restart(after_s=600)  # a few bytes find room where readings do not
    assert overdue(w) == near(1 / 3)
    w.step(3 * MINUTE)
    assert overdue(w) > 1.0


def test_with_a_store_that_fails_or_stands_still_it_is_told_all_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    w = make()
    w.step(10 * MINUTE)

    def fails(rows: object) -> None:
        raise Unavailable("the disk does not answer")

    monkeypatch.setattr(w.gateway.store, "keep", fails)
    assert overdue(w) > 1.0
    monkeypatch.setattr(series, "_SAVED_WITHIN_S", 0.05)

    async def hangs() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(w.gateway.series, "save", hangs)
    for _ in range(2):
        assert overdue(w) > 1.0
    assert caplog.text.count("cannot be saved: the disk does not answer") == 1, "said once, not every minute"
    w.run(_cancel(w))


async def _cancel(w: SeriesWorld) -> None:
    assert w.gateway.series._saving is not None
    w.gateway.series._saving.cancel()


def test_a_store_that_cannot_save_makes_no_device_silent_for_the_rule_either(make: Make) -> None:
    w = make()
    w.say("a", ("temperature", 21.0))
    w.gateway._failing_since = w.monotonic_ns / SECOND
    w.step(0)
    w.step(DAY)
    assert overdue(w) == 0.0
    assert not list(w.gateway.desk.book.open_keys)


def test_a_database_that_is_away_fills_no_outbox_with_it_and_gets_the_newest_when_it_is_back(make: Make) -> None:
    w = make(device("a", silence_s=3600.0))  # longer than this takes: no alert is stored meanwhile
    w.round()
    entries = w.gateway.store.backlog.entries
    w.base.away = True
    for _ in range(5):
        w.step(MINUTE)
        assert w.round() == {}
    assert w.gateway.store.backlog.entries == entries
    w.base.away = False
    before = len(w.base.entries)
    told = w.round()
    assert told[A]["overdue"] == near(300 / 3600)
    assert sum(getattr(e, "device", "") == "a" for e in w.base.entries[before:]) == 1
    assert told["gateway", "gateway"]["database_ok"] == 0.0  # as it was when this was written down
    assert w.round()["gateway", "gateway"]["database_ok"] == 1.0


def test_a_round_that_the_database_cannot_take_stops_nothing_in_the_outbox(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    w = make()
    write = w.base.write

    def picky(entries: Any) -> Any:
        if any(getattr(entry, "device", "") == "a" and "overdue" in getattr(entry, "shape", "") for entry in entries):
            raise Unavailable("too slow for these")
        return write(entries)

    monkeypatch.setattr(w.base, "write", picky)
    for _ in range(3):
        w.say("a", ("temperature", 21.0))
        w.step(MINUTE)
        w.round()
    assert w.gateway.store.backlog.entries == 0
    assert sum("temperature" in getattr(entry, "shape", "") for entry in w.base.entries) == 3


def test_without_a_time_series_database_nothing_is_told_but_what_is_silent_is_counted(make: Make) -> None:
    w = make(device("a"), device("b"), influx={"url": ""})
    w.say("a", ("temperature", 21.0))
    w.step(10 * MINUTE)
    w.say("a", ("temperature", 21.0))
    w.round()
    assert not [e for e in w.base.entries if "overdue" in getattr(e, "shape", "")]
    numbers = w.gateway.health.numbers()
    assert (numbers["devices_expected"], numbers["devices_silent"]) == (2.0, 1.0)
    w.restart()
    w.step(1.0)
    w.round()
    assert w.gateway.health.numbers()["devices_silent"] == 1.0


def test_thousands_of_devices_leave_the_event_loop_to_an_sos(make: Make) -> None:
    w = make(*[device(f"d{number}", measures=["temperature", "humidity"]) for number in range(2000)])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def inside() -> None:
        task = asyncio.create_task(others())
        await w.gateway.series.write()
        task.cancel()

    w.run(inside())
    assert turns >= 20


def test_an_erased_home_is_told_of_no_more_and_stands_in_no_memory(make: Make) -> None:
    w = make(device("a", place="p"), device("b", place="q"))
    w.step(MINUTE)
    w.base.away = True
    w.round()
    w.base.away = False
    w.register(device("b", place="q"))
    w.look()
    w.gateway.series.forget(lambda site, place, id_: (site, place) == ("s", "p"))
    told = w.round()
    assert not [key for key in told if key[1] == "a"]
    with sqlite3.connect(w.settings.store_file) as db:
        kept = b"".join(body for (body,) in db.execute("SELECT body FROM home"))
    assert b"\xa1a" not in kept and b"\xa1b" in kept  # as MessagePack writes these ids


def test_a_home_that_is_erased_while_a_round_is_made_is_not_told_with_it(make: Make) -> None:
    w = make(device("a", place="p"), device("b", place="q"))
    w.step(MINUTE)

    async def erased_meanwhile() -> None:
        goes_on = threading.Event()
        w.gateway.thread.submit(goes_on.wait, 60)  # the disk is slow
        task = asyncio.create_task(w.gateway.series.write())
        while w.gateway.series._saving is None:
            await asyncio.sleep(0)
        w.gateway.series.forget(lambda site, place, id_: (site, place) == ("s", "p"))
        goes_on.set()
        await task

    w.run(erased_meanwhile())
    w.gateway.uplink.turn()
    assert {key[1] for key in found(w.base.entries)} == {"gateway", "b"}
    w.register(device("b", place="q"))
    w.look()
    assert not [key for key in w.round() if key[1] == "a"], "nor that it ended"


def test_only_the_gateway_says_these_names(make: Make) -> None:
    w = make()
    w.say("a", ("overdue", 0.0))
    w.say("a", ("messages_stored", 5.0))
    assert w.round()[A]["dead_messages"] == 2.0
    w.register(device("a", measures=["overdue"]))
    w.look()
    assert "not in the catalogue" in w.gateway.troubles.now["registry"]


def test_gateways_that_share_a_database_have_names_of_their_own(make: Make) -> None:
    w = make(device("a", place="p", model="elder_home"), gateway={"id": "east"})
    told = w.round()
    assert ("gateway", "east") in told and ("home", "east") in told
