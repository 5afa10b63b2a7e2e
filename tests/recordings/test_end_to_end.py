"""A recording through broker, gateway and database, `kill -9` of gateway and broker in the middle: what went in is stored."""

from collections import Counter
from pathlib import Path

import pytest

from ingest.embedded import Reader
from simulator.fleet import Summary
from simulator.link import Access
from simulator.recordings import RECORDINGS
from simulator.replay import replay
from tests.recordings.expected import EXPECTED, Expected
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess


def stored(file: Path, site: str) -> Counter[Expected]:
    """Every reading of a site in an embedded store; fields that are no reading (time quality, status) have no flag."""
    reader = Reader(file)
    found: Counter[Expected] = Counter()
    for measurement in {series.measurement for series in reader.series(site=site)}:
        for item in reader.read(measurement, -(2**62), 2**62, site=site):
            if item.flag is not None:
                series = item.series
                name = f"{series.field}.{series.channel}" if series.channel else series.field
                found[series.device, name, item.time_ns, item.value] += 1
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["casas-al", "logan-tony-grove-2014", "cn-stations"])
def test_what_goes_in_is_stored_whoever_is_killed(name: str, data: Path, mosquitto: Mosquitto, tmp_path: Path) -> None:
    recording, (path, expected) = RECORDINGS[name], EXPECTED[name]
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file)}
    settings = {"broker": broker, "gateway": {"time_floor": "2000-01-01T00:00:00Z"}}
    gateway = GatewayProcess(tmp_path / "gateway", settings, recording.registry(data / recording.path))
    gateway.start()
    kills: list[int] = []

    def progress(summary: Summary) -> None:
        if len(kills) < 2 and summary.total.receipted > 200 * (1 + len(kills)):
            kills.append(summary.total.receipted)
            mosquitto.kill()
            gateway.kill()
            mosquitto.start()
            gateway.start(wait=False)

    try:
        access = Access(port=mosquitto.port, password=mosquitto.passwords["simulator"])
        summary = replay(recording, data / recording.path, access, deadline_s=400, on_progress=progress)
        assert len(kills) == 2
        assert summary.total.generated == summary.total.receipted
        wanted = Counter(expected(data / path))
        eventually(lambda: stored(gateway.readings_file, recording.site).total() >= wanted.total(), 20.0, "the uplink to drain")
        gateway.stop()
        got = stored(gateway.readings_file, recording.site)
        assert (wanted - got, got - wanted) == (Counter(), Counter())
    finally:
        gateway.kill()
