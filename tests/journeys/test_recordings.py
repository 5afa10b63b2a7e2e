"""Recorded homes and rivers through a real broker, gateway and database, killed in the middle: what goes in is what is stored.

What must be stored is computed by `tests.recordings.expected` from the source files, with code of its own.
"""

import time
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any, Final

import pytest

from simulator.fleet import Fleet
from simulator.link import Access
from simulator.recordings import RECORDINGS
from simulator.replay import replay
from simulator.senml import Encoding
from tests.databases import Database
from tests.faults.judge import Embedded, Facts, Influx, Spool, uneven
from tests.faults.world import seeded
from tests.recordings.expected import EXPECTED
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess

ROWS_A_MESSAGE: Final = 5


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    return seeded(request.node.name)


def expected(name: str, data: Path) -> Facts:
    """Every value of the recording under its series and time, none twice."""
    path, values = EXPECTED[name]
    site, facts, count = RECORDINGS[name].site, {}, 0
    for device, quantity, time_ns, value in values(data / path):
        facts[site, device, quantity, time_ns] = value
        count += 1
    assert len(facts) == count
    return facts


def journey(
    name: str,
    data: Path,
    folder: Path,
    broker: Mosquitto,
    random: Random,
    database: Database | None = None,
    encoding: Encoding = Encoding.JSON,
) -> None:
    recording, wanted = RECORDINGS[name], expected(name, data)
    settings: dict[str, Any] = {
        "broker": broker.settings().model_dump(mode="json", exclude_none=True),
        # The recordings are older than the floor below which a device's clock counts as wrong.
        "gateway": {"time_floor": "2005-01-01T00:00:00Z", "readings_every_s": 3600},
    }
    if database is not None:
        settings["influx"] = database.settings().model_dump(mode="json", exclude_none=True)
    gateway = GatewayProcess(folder / "gateway", settings, recording.registry(data / recording.path))
    gateway.start()
    instants = len({(device, time_ns) for _, device, _, time_ns in wanted})
    # Each at a random moment of its third of the way.
    kills = [
        (random.uniform(low, low + 0.2) * instants / ROWS_A_MESSAGE, victims)
        for low, victims in ((0.1, ["gateway"]), (0.4, ["broker"]), (0.7, ["gateway", "broker"]))
    ]
    killed: list[str] = []
    killers: list[Thread] = []

    def kill(fleet: Fleet) -> None:
        for after, victims in kills:
            eventually(lambda at=after: sum(d.outbox.receipted for d in fleet.devices.values()) >= at, 60, "receipts")  # type: ignore[misc]
            if "gateway" in victims:
                gateway.kill()
            if "broker" in victims:
                broker.kill()
                broker.start()
            if "gateway" in victims:
                gateway.start(wait=False)
            killed.extend(victims)

    def ready(fleet: Fleet) -> None:
        for device in fleet.devices.values():
            device.resend_after_s = 2.0  # moved: 30 s in the field
        killers.append(Thread(target=kill, args=(fleet,), daemon=True))
        killers[0].start()

    try:
        began = time.monotonic()
        summary = replay(
            recording,
            data / recording.path,
            Access(port=broker.port, password=broker.passwords["simulator"]),
            per_message=ROWS_A_MESSAGE,
            deadline_s=300,
            encoding=encoding,
            seed=random.randrange(10**6),
            ready=ready,
        )
        took_s = time.monotonic() - began
        # The last kill may come when everything has its receipt already.
        killers[0].join(90)
        assert summary.plan_done
        assert summary.total.generated == summary.total.receipted, f"{summary}\n{gateway.log[-2000:]}"
        gateway.wait_until_ready()
        eventually(lambda: gateway.state()["numbers"]["outbox_entries"] == 0, 60, "an empty outbox")
        gateway.stop()
    finally:
        gateway.kill()
    stored = (Embedded(gateway.readings_file) if database is None else Influx(database)).facts()
    stored = {key: value for key, value in stored.items() if key[0] == recording.site}
    print(f"{summary.total.generated} messages, {len(wanted)} values in {took_s:.1f} s; killed {killed}")
    assert killed == ["gateway", "broker", "gateway", "broker"]
    assert len(stored) == len(wanted)
    assert stored == wanted, [
        (key, wanted.get(key), stored.get(key))
        for key in wanted.keys() | stored
        if wanted.get(key, "no") != stored.get(key, "no")
    ][:10]
    spool = Spool.read(gateway.store_file)
    assert not uneven(spool)
    assert not spool.dead and not spool.held and not spool.outbox


@pytest.mark.slow
def test_a_home_arrives_whole(data: Path, tmp_path: Path, mosquitto: Mosquitto, random: Random) -> None:
    journey("casas-al", data, tmp_path, mosquitto, random)


@pytest.mark.slow
def test_a_home_arrives_whole_in_influxdb_2(
    data: Path, tmp_path: Path, mosquitto: Mosquitto, random: Random, influxdb2: Database
) -> None:
    journey("casas-al", data, tmp_path, mosquitto, random, influxdb2, Encoding.CBOR)


def test_a_river_arrives_whole(data: Path, tmp_path: Path, mosquitto: Mosquitto, random: Random) -> None:
    journey("logan-tony-grove-2014", data, tmp_path, mosquitto, random, encoding=Encoding.CBOR)


@pytest.mark.slow
def test_174_days_of_the_national_stations_arrive_whole(
    data: Path, tmp_path: Path, mosquitto: Mosquitto, random: Random
) -> None:
    journey("cn-stations", data, tmp_path, mosquitto, random)
