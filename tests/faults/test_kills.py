"""`kill -9` and SIGTERM of each part, at random moments under load: lost 0, doubled 0, counted at the database."""

import os
from collections.abc import Callable
from typing import Final

import pytest

from tests.databases import Database
from tests.faults.world import STOPS_S, World
from tests.servers import Mosquitto

Make = Callable[..., World]

# Quick by default; the scoreboard's fifty are KANHU_KILLS=50.
KILLS: Final = int(os.environ.get("KANHU_KILLS", "5"))


def test_nothing_is_lost_when_the_gateway_is_killed_again_and_again(world: Make) -> None:
    w = world(rate=800.0)
    w.begin()
    for _ in range(KILLS):
        w.a_while(0.2, 1.2)
        w.gateway.kill()
        w.gateway.start(wait=False)
    w.gateway.wait_until_ready()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()


@pytest.mark.slow
def test_nothing_is_lost_when_the_broker_is_killed_again_and_again(world: Make, mosquitto: Mosquitto) -> None:
    w = world(rate=800.0)
    w.begin()
    for _ in range(KILLS):
        w.a_while(0.2, 1.2)
        mosquitto.kill()
        w.a_while(0.0, 0.3)
        mosquitto.start()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()


def test_nothing_is_lost_when_gateway_and_broker_are_killed_together(world: Make, mosquitto: Mosquitto) -> None:
    w = world(rate=500.0)
    w.begin()
    for _ in range(3):
        w.a_while(0.5, 1.5)
        w.gateway.kill()
        mosquitto.kill()
        mosquitto.start()
        w.gateway.start(wait=False)
    w.gateway.wait_until_ready()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()


def database_killed(w: World, database: Database) -> None:
    w.begin()
    for _ in range(3):
        w.a_while(0.3, 1.0)
        database.kill()
        w.a_while(0.2, 0.8)
        database.start()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()


def test_nothing_is_lost_when_influxdb_2_is_killed_again_and_again(world: Make, influxdb2: Database) -> None:
    database_killed(world(database=influxdb2), influxdb2)


def test_nothing_is_lost_when_influxdb_1_is_killed_again_and_again(world: Make, influxdb1: Database) -> None:
    database_killed(world(database=influxdb1), influxdb1)


@pytest.mark.slow
def test_nothing_is_lost_when_all_three_are_killed_at_random(world: Make, mosquitto: Mosquitto, influxdb2: Database) -> None:
    w = world(database=influxdb2)
    w.begin()
    for _ in range(KILLS):
        w.a_while(0.2, 1.0)
        victims = w.random.sample(("gateway", "broker", "database"), w.random.randint(1, 3))
        for victim in victims:
            {"gateway": w.gateway.kill, "broker": mosquitto.kill, "database": influxdb2.kill}[victim]()
        for victim in reversed(victims):
            if victim == "gateway":
                w.gateway.start(wait=False)
            else:
                {"broker": mosquitto.start, "database": influxdb2.start}[victim]()
    w.gateway.wait_until_ready()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()


def test_a_gateway_that_is_told_to_stop_ends_in_time_and_leaves_nothing_behind(world: Make) -> None:
    w = world(rate=1500.0)
    w.begin()
    slowest = 0.0
    for _ in range(3):
        w.a_while(0.5, 1.0)
        slowest = max(slowest, w.gateway.stop())
        w.gateway.start()
    print(f"the slowest stop took {slowest:.2f} s")
    assert slowest <= STOPS_S
    w.finish().require()
