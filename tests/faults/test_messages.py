"""Poison, wrong clocks, names used twice, strangers, and a gateway that lost its memory; under load, at a real broker."""

import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from edge_gateway import topics
from edge_gateway.topics import Up
from simulator.device import Clock, SimulatedDevice
from simulator.faults import POISON, YEAR_2000_S, Mangler, other_content
from simulator.plan import at_once
from simulator.senml import Value
from tests.faults.judge import Spool, uneven
from tests.faults.world import SITE, World
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import registry

Make = Callable[..., World]


def test_retained_poison_does_not_come_back_for_ever(world: Make, mosquitto: Mosquitto) -> None:
    w = world(rate=200.0)
    w.begin()
    with paho_client(mosquitto) as paho:
        for channel in (Up.DATA, Up.EVENT, Up.STATUS):
            for n, bad in enumerate(p for p in POISON if p.payload and len(p.payload) < 65_000):
                # A topic keeps one retained message: a device a poison.
                paho.publish(topics.up(SITE, f"d{n % 20}", channel), bad.payload, qos=1, retain=True)
                paho.publish(topics.up(SITE, f"poisoned-{n}", channel), bad.payload, qos=1, retain=True)
        for strange in ("kanhu/1/s/d1/up/other", "kanhu/1//d1/up/data", "kanhu/1/s/D 1/up/data"):
            paho.publish(strange, b"{}", qos=1, retain=True)
        paho.publish(topics.up(SITE, "d0", Up.DATA), b"\xff" * 60_000, qos=1, retain=True).wait_for_publish(10)
    eventually(lambda: w.number("messages_dead") >= 60, 10, "dead letters")
    began = time.monotonic()
    print(f"with poison about, a fresh reading took {w.live_again():.1f} s")
    assert time.monotonic() - began < 2.0, "neighbours are less than a second late"
    letters = []
    for _ in range(3):
        w.gateway.kill()
        w.gateway.start()
        w.live_again()
        letters.append(dead_letters(w))
    print(f"dead letters after each restart: {letters}")
    assert letters[1] == letters[2], "the same poison again is counted in its row"
    assert w.gateway.running
    w.finish(poisoned=True).require()


def dead_letters(w: World) -> int:
    with closing(sqlite3.connect(f"{w.gateway.store_file.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM dead_letter").fetchone()[0])


def test_ten_thousand_poison_messages_stall_nobody(world: Make, mosquitto: Mosquitto) -> None:
    w = world(rate=200.0)
    w.begin()
    w.live_again()
    bad = [p.payload for p in POISON if 0 < len(p.payload) < 5_000]
    messages = [
        (topics.up(SITE, f"d{n % 20}", w.random.choice((Up.DATA, Up.EVENT))), bad[n % len(bad)] + b" " * (n // len(bad)))
        for n in range(10_000)
    ]
    began = time.monotonic()
    with paho_client(mosquitto) as paho:
        for topic, payload in messages:
            paho.publish(topic, payload, qos=1)
        slowest = max(w.live_again() for _ in range(3))
        # Some of it is readable and stored in part, or a repeat of an identity.
        eventually(lambda: w.gateway.state()["totals"]["messages_received"] > w.receipted() + 9_000, 40, "all of it")
    took_s = time.monotonic() - began
    print(f"10,000 in {took_s:.1f} s, {10_000 / took_s:.0f}/s; a fresh reading meanwhile took at most {slowest:.1f} s")
    w.finish(poisoned=True).require()


@pytest.mark.parametrize(
    ("clock", "quality"),
    [
        pytest.param(Clock("rtc", YEAR_2000_S - time.time()), "receipt", id="2000"),
        pytest.param(Clock("none"), "receipt", id="none"),
        pytest.param(Clock("rtc", 40 * 86_400.0), "receipt", id="ahead"),
        pytest.param(Clock("rtc", -40 * 86_400.0), "late", id="behind"),
    ],
)
def test_a_wrong_clock_costs_no_reading_and_is_marked(world: Make, clock: Clock, quality: str) -> None:
    w = world(devices=5, rate=100.0, clock=clock)
    w.begin()
    w.a_while(0.5, 1.0)
    w.gateway.kill()
    w.gateway.start()
    w.a_while(0.5, 1.0)
    w.finish(own_times=False).require()
    with closing(sqlite3.connect(w.gateway.readings_file)) as db:
        query = (
            "SELECT text, count(*), min(time_ns), max(time_ns) FROM reading JOIN series ON series.id = reading.series"
            " WHERE site = 's' AND field = 'time_quality' GROUP BY text"
        )
        marks = {
            word: (count, first / 1e9 - w.start_s, last / 1e9 - w.start_s) for word, count, first, last in db.execute(query)
        }
        instants = db.execute(
            "SELECT count(*) FROM (SELECT DISTINCT device, time_ns, measurement FROM reading JOIN series"
            " ON series.id = reading.series WHERE site = 's' AND flag IS NOT NULL)"
        ).fetchone()[0]
    print(marks)
    assert sum(count for count, *_ in marks.values()) == instants, "every one is marked"
    if quality == "receipt":
        assert all(-60 < first <= last < 60 for _, first, last in marks.values()), "the times are ours, not the device's"
    assert set(marks) <= {quality, "shifted", "repaired"}


def test_a_reboot_without_a_clock_makes_no_false_duplicates(world: Make) -> None:
    w = world(devices=5, rate=100.0)
    w.begin()
    for n in range(5):
        w.a_while(0.2, 0.5)
        key, lost_clock = w.devices[n].key, w.devices[n]
        assert w.fleet is not None

        def reboot(key: tuple[str, str] = key, device: SimulatedDevice = lost_clock) -> None:
            assert w.fleet is not None
            device.clock = Clock("none")
            w.fleet.reboot(key)

        w.fleet.call(reboot)
    w.a_while(0.5, 1.0)
    w.finish(own_times=False).require()


def test_two_devices_with_one_name_are_noticed(world: Make) -> None:
    w = world(devices=5, rate=50.0)
    w.begin()
    w.a_while(0.3, 0.5)
    assert w.fleet is not None
    twin = SimulatedDevice(SITE, "d1", booted_at_s=w.start_s, resend_after_s=2.0, remember=True)

    def speak(n: int) -> None:
        # Both alternate for a quarter of an hour of the world's time.
        for device in (twin, w.devices[1]):
            planned = at_once(device.key, w.start_s - 900 + 10 * n + (device is twin), Value("battery_voltage", 3.0 + n / 100))
            device.measure(planned.instants, planned.at_s)

    w.fleet.call(lambda: w.fleet.welcome(twin))  # type: ignore[union-attr]
    for n in range(60):
        w.fleet.call(lambda n=n: speak(n))  # type: ignore[misc]
        time.sleep(0.02)
    eventually(lambda: twin.pending == 0 and twin.seq >= 60, 10, "receipts for the twin")
    w.devices.append(twin)
    verdict = w.finish()
    verdict.require()
    known = Spool.read(w.gateway.store_file).devices[SITE, "d1"]
    print(f"messages that prove two devices: {known.counters.two_devices}")
    assert known.counters.two_devices > 0
    assert Spool.read(w.gateway.store_file).devices[SITE, "d2"].counters.two_devices == 0


def test_messages_of_a_device_nobody_registered_come_in_when_somebody_does(world: Make) -> None:
    w = world(devices=10, rate=200.0, registry_text=registry(5))
    w.begin()
    w.a_while(1.0, 2.0)
    eventually(lambda: w.number("messages_held") > 100, 10, "held messages")
    assert all(device.outbox.receipted == 0 for device in w.devices[5:]), "no receipt for strangers"
    w.gateway.kill()
    w.gateway.start()
    w.gateway.registry.write_text(registry(10), encoding="utf-8")
    eventually(lambda: all(device.outbox.receipted for device in w.devices), 10, "receipts for all")
    w.finish().require()
    spool = Spool.read(w.gateway.store_file)
    print(f"held in all {spool.totals['messages_held']}, now {spool.held}")
    assert spool.held == 0


@pytest.mark.parametrize("broker_too", [True, False])
def test_a_new_box_takes_over_where_the_lost_one_ended(broker_too: bool, world: Make, mosquitto: Mosquitto) -> None:
    """The data folder is gone. What was in its database is lost with it; no device stands still, and nothing is taken twice."""
    w = world(devices=10, rate=300.0)
    w.begin()
    w.a_while(1.0, 1.5)
    w.gateway.kill()
    if broker_too:
        mosquitto.kill()
        mosquitto.start()
    box = Spool.read(w.gateway.store_file)
    lost = box.totals["messages_stored"]
    old = w.stored.facts() | box.outbox
    receipted = w.receipted()
    shutil.rmtree(w.gateway.folder / "var")
    w.gateway.start()
    took = w.live_again()
    # What was sent into the void waits twice as long each time before it is sent again.
    verdict = w.finish(within_s=180.0)
    print(f"live after {took:.1f} s; the old box held {lost} messages, {receipted} were receipted then")
    gone = set(verdict.lost)
    assert gone <= old.keys(), "only what the lost box held is missing"
    assert not verdict.doubled and not verdict.changed and not verdict.invented and not verdict.unaccounted
    forgiven = sum(boot.forgiven for known in Spool.read(w.gateway.store_file).devices.values() for boot in known.boots)
    print(f"forgiven {forgiven}, readings only the old box had {len(gone)}")
    assert forgiven > 0


def test_a_frozen_broker_is_noticed_and_costs_nothing(world: Make, mosquitto: Mosquitto) -> None:
    w = world(rate=300.0, settings={"broker": {"keepalive_s": 2}})
    w.begin()
    w.a_while(0.5, 1.0)
    mosquitto.freeze()
    eventually(lambda: not w.gateway.state()["connected"], 10, "the gateway notices")
    w.a_while(0.5, 1.0)
    mosquitto.thaw()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()
    assert not uneven(Spool.read(w.gateway.store_file))


def test_a_link_that_doubles_reorders_and_swallows_changes_nothing(world: Make) -> None:
    w = world(devices=10, rate=300.0)
    mangler = Mangler(w.random, duplicate=0.2, reorder=0.3, swallow=0.1)
    w.begin()
    assert w.fleet is not None
    fleet = w.fleet
    fleet.call(lambda: setattr(fleet, "mangle", mangler))
    for _ in range(2):
        w.a_while(0.5, 1.0)
        w.gateway.kill()
        w.gateway.start()
    w.a_while(0.5, 1.0)
    fleet.call(lambda: setattr(fleet, "mangle", None))
    w.finish().require()
    print(mangler.counts, Spool.read(w.gateway.store_file).totals)
    assert min(mangler.counts.values()) > 0


def test_an_identity_with_other_content_never_replaces_what_was_stored(world: Make) -> None:
    w = world(devices=5, rate=100.0)
    w.begin()
    w.live_again()
    assert w.fleet is not None
    fleet, said = w.fleet, []
    for _ in range(20):
        fleet.call(lambda: said.append(other_content(fleet, w.random)))
        w.a_while(0.02, 0.05)
    eventually(lambda: w.number("messages_dead") + w.number("messages_duplicate") >= 20, 10, "all judged")
    w.gateway.kill()
    w.gateway.start()
    # A message of long ago is known by its number only; then other content is a repeat, and the first one stays all the same.
    w.finish().require()


def test_a_registry_that_somebody_broke_changes_nothing_until_it_is_mended(world: Make) -> None:
    w = world(devices=5, rate=100.0)
    w.begin()
    good = w.gateway.registry.read_text()
    w.gateway.registry.write_text(good.replace("[[devices]]", "[[devices]", 1), encoding="utf-8")
    eventually(lambda: w.gateway.state()["troubles"].get("registry"), 5, "the trouble is told")
    w.live_again()
    w.gateway.registry.write_text(good + "# mended\n", encoding="utf-8")
    eventually(lambda: "registry" not in w.gateway.state()["troubles"], 5, "well again")
    w.finish().require()
    assert Spool.read(w.gateway.store_file).totals.get("messages_held", 0) == 0


def test_a_gateway_that_stood_still_goes_on(world: Make) -> None:
    """SIGSTOP for longer than the keep-alive: the broker ends the session's connection, and nothing else happens."""
    w = world(rate=300.0, settings={"broker": {"keepalive_s": 2}})
    w.begin()
    w.a_while(0.5, 1.0)
    os.kill(w.gateway.pid, signal.SIGSTOP)
    w.a_while(4.0, 5.0)
    os.kill(w.gateway.pid, signal.SIGCONT)
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()
