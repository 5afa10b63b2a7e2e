"""Faults do what they say, and a fleet among all of them still accounts for every message."""

import json
from random import Random

import pytest

from edge_gateway.topics import Up
from simulator.device import Outgoing, SimulatedDevice
from simulator.faults import FAULTS, POISON, Mangler, forged
from simulator.fleet import Fleet, Pace
from simulator.link import Access
from simulator.load import load
from tests.servers import Mosquitto, eventually
from tests.simulator.gateway import StandIn, read
from tests.simulator.live import LiveStandIn

WORLD = 1_780_000_000.0


@pytest.mark.parametrize("bad", POISON, ids=lambda bad: bad.id)
def test_poison_names_itself(bad: object) -> None:
    assert [p.id for p in POISON].count(bad.id) == 1  # type: ignore[attr-defined]


def test_a_bad_link_doubles_reorders_and_swallows_and_counts_it() -> None:
    messages = [Outgoing("s", "d", Up.DATA, b"", 1, seq) for seq in range(1, 1001)]
    mangler = Mangler(Random(1), duplicate=0.1, swallow=0.1, reorder=1.0)
    sent = mangler(messages)
    assert len(sent) == 1000 - mangler.counts["swallow"] + mangler.counts["duplicate"]
    assert [m.seq for m in sent] != sorted(m.seq for m in sent)
    assert 60 < mangler.counts["swallow"] < 140
    assert Mangler(Random(1))(messages) == messages


def test_forged_content_has_an_identity_that_was_used() -> None:
    device = SimulatedDevice("s", "d", boot=7, booted_at_s=WORLD)
    pack = read(forged(device, 3, WORLD + 5))
    assert (pack[0]["boot"], pack[0]["seq"]) == (7, 3)
    gateway = StandIn()
    gateway.take(forged(device, 3, WORLD + 5), event=False)
    gateway.take(forged(device, 3, WORLD + 6), event=False)
    assert gateway.conflicts == 1


def test_among_all_faults_every_message_of_the_fleet_is_accounted_for(mosquitto: Mosquitto) -> None:
    world = load(12, 0.1)
    devices = world.devices(WORLD, remember=True)
    for device in devices:
        device.resend_after_s = 0.5
    fleet = Fleet(
        Access(port=mosquitto.port, password=mosquitto.passwords["simulator"]), devices, world.plan(WORLD), Pace(WORLD)
    )
    random, told = Random(7), []
    with LiveStandIn(mosquitto) as gateway:
        fleet.start(duration_s=3.0, drain_s=20)
        eventually(lambda: fleet.summary.total.receipted > 50)
        for name in [*FAULTS, *["poison"] * 30, "good-link"]:
            fleet.call(lambda name=name: told.append(FAULTS[name](fleet, random)))  # type: ignore[misc]
        summary = fleet.wait(40)
    assert len(told) == len(FAULTS) + 31
    assert summary.total.open == 0
    assert summary.total.generated == summary.total.receipted
    assert summary.total.balanced
    assert gateway.bad > 5
    for device in devices:
        held = set(gateway.devices[device.key].held)
        assert {(g.boot, g.seq) for g in device.generated} <= held
    strangers = [name for _, name in gateway.order if name.startswith("stranger-")]
    assert len(strangers) == 1
    births = [g for line in summary.devices for g in range(line.reboots)]
    assert len(births) == 1
    assert json.loads(devices[0].birth(WORLD))["online"]
