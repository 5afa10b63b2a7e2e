"""All the simulator says in earnest is a good message to the gateway, and its poison does not bring the decoders down."""

from itertools import islice
from pathlib import Path

import pytest

from edge_gateway import registry
from edge_gateway.decoders import senml
from edge_gateway.decoders.status import decode_status
from edge_gateway.errors import Rejected
from edge_gateway.message import Message
from edge_gateway.topics import Address, Up, parse
from edge_gateway.validate import validate
from simulator.device import Clock, Outgoing, SimulatedDevice
from simulator.faults import POISON, Poison
from simulator.load import load
from simulator.recordings import RECORDINGS
from simulator.replay import pack
from simulator.senml import Encoding, Instant, Value
from simulator.village import Village, village

NOON = 1_780_027_200.0  # 2026-05-29 12:00 in China


def heard(message: Outgoing, known: registry.Registry) -> Message:
    return validate(senml.decode(message.payload), parse(message.topic), known.find(message.site, message.device))


@pytest.mark.parametrize("world", [village(8, 4, 4), load(5, 0.5)], ids=["village", "load"])
def test_a_village_has_nothing_the_gateway_would_refuse(world: Village) -> None:
    known = registry.parse(world.registry)
    devices = {device.key: device for device in world.devices(NOON)}
    for planned in islice(world.plan(NOON), 1500):
        devices[planned.key].measure(planned.instants, planned.at_s, event=planned.event)
    events = 0
    for device in devices.values():
        device.connected()
        assert decode_status(device.birth(NOON)).oldest == [(device.boot, 1)]
        assert decode_status(device.will()).online is False
        for message in device.due(0.0, NOON):
            got = heard(message, known)
            assert (got.boot, got.seq, got.refused) == (message.boot, message.seq, [])
            events += message.channel is Up.EVENT
    assert events > 3 or "load" in known.sites


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_have_nothing_the_gateway_would_refuse_and_keep_their_times(
    name: str, encoding: Encoding, data: Path
) -> None:
    recording = RECORDINGS[name]
    known = registry.parse(recording.registry(data / recording.path))
    for planned in islice(pack(recording.rows(data / recording.path), recording.site), 100):
        device = SimulatedDevice(*planned.key, booted_at_s=planned.at_s - 1e6, clock=Clock("rtc"), encoding=encoding)
        device.connected()
        device.measure(planned.instants, planned.at_s, err_s=planned.err_s)
        got = heard(device.due(0.0, planned.at_s)[0], known)
        assert got.refused == []
        assert got.error_s == planned.err_s
        assert [i.time_ns for i in got.instants] == [i.time_ns for i in planned.instants]
        assert [[v.name for v in i.readings] for i in got.instants] == [[v.name for v in i.values] for i in planned.instants]


@pytest.mark.parametrize("clock", [Clock("none"), Clock("rtc", -826_000_000.0), Clock("gnss", 0.0, 0.5)], ids=lambda c: c.kind)
def test_whatever_the_clock_a_message_and_a_declared_loss_are_understood(clock: Clock) -> None:
    device = SimulatedDevice("wutong", "home-1", boot=9, booted_at_s=NOON - 90, clock=clock, capacity=2)
    for n in range(5):
        device.measure((Instant(round(NOON + n) * 10**9, (Value("temperature", 20.5, "Cel"),)),), NOON + n)
    device.connected()
    messages = [heard(message, registry.Registry()) for message in device.due(0.0, NOON + 10)]
    assert messages[0].losses == [(9, 1, 4)]
    assert messages[1].instants[0].uptime_ns == 94 * 10**9
    assert all(message.refused == [] for message in messages)


@pytest.mark.parametrize("bad", POISON, ids=lambda bad: bad.id)
def test_poison_is_refused_in_whole_or_in_part_or_plainly_taken(bad: Poison) -> None:
    harmless = {"duplicate-keys"}
    try:
        message = validate(senml.decode(bad.payload), Address("s", "d", Up.DATA))
    except Rejected as error:
        assert error.reason
    else:
        assert message.refused or bad.id in harmless
