"""A station with a position is on the map each hour, also while it is silent; a home never is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_gateway import registry
from edge_gateway.errors import Misconfigured
from edge_gateway.events import Readings, unpack
from edge_gateway.stations import positions
from tests.home_gateway import HOUR, SECOND, HomeGateway

NOW = 1_795_233_600 * SECOND + 17 * 60 * SECOND  # 2026-11-21 04:17 UTC
FULL = NOW - 17 * 60 * SECOND
PROBE = '[[devices]]\nsite = "river"\nid = "probe-1"\nplace = "bridge"\n'
TEXT = f"[sites.river]\n{PROBE}lat = 30.3289\nlon = 120\n[[devices]]\nsite = 'river'\nid = 'boat-1'\n"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[HomeGateway]:
    with HomeGateway(tmp_path, TEXT, NOW) as found:
        yield found


def written(gateway: HomeGateway) -> list[tuple[str, str, int, object, object]]:
    """What lies in the outbox after the stations have looked: device, place, time, lat, lon."""
    gateway.do(lambda: gateway.gateway.stations.tick())
    gateway.do(lambda: gateway.gateway.committer.settle())
    with closing(sqlite3.connect(gateway.settings.store_file)) as db:
        entries = [entry for (row,) in db.execute("SELECT body FROM outbox ORDER BY id") for entry in unpack(row)]
    found = []
    for entry in entries:
        assert isinstance(entry, Readings)
        lat, lon = entry.values
        found.append((entry.device, entry.place, entry.time_ns, lat, lon))
    return found


def test_a_station_is_written_at_each_full_hour_and_what_moves_is_not() -> None:
    found = positions(registry.parse(TEXT), NOW)
    (entry,) = found.values()
    assert (entry.device, entry.place, entry.time_ns) == ("probe-1", "bridge", FULL)
    assert [(r.name, r.value, r.flag) for r in entry.readings] == [("lat", 30.3289, 1), ("lon", 120.0, 1)]
    assert positions(registry.parse(TEXT), FULL + HOUR - 1) == found
    assert positions(registry.parse(TEXT), FULL + HOUR) != found


def test_it_is_written_once_an_hour_and_when_the_registry_says_another_place(gateway: HomeGateway) -> None:
    first = ("probe-1", "bridge", FULL, 30.3289, 120.0)
    assert written(gateway) == [first]
    assert written(gateway) == [first], "nothing new"
    gateway.gateway.pipeline.expect(registry.parse(TEXT.replace("30.3289", "30.5")))
    assert written(gateway) == [first, ("probe-1", "bridge", FULL, 30.5, 120.0)], "the same point, so the last one stands"
    gateway.now_ns += HOUR
    assert written(gateway)[2:] == [("probe-1", "bridge", FULL + HOUR, 30.5, 120.0)]


def test_on_a_full_disk_it_takes_no_room(gateway: HomeGateway) -> None:
    gateway.gateway.full = True
    assert written(gateway) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param("lat = 30.1", "lon is None; degrees from -180 to 180, and both", id="half"),
        pytest.param("lat = 91\nlon = 3", "lat is 91; degrees from -90 to 90", id="beyond"),
        pytest.param("lat = nan\nlon = 3", "lat is nan", id="nan"),
        pytest.param('lat = "30.1"\nlon = 3', "lat is '30.1'", id="text"),
        pytest.param("lat = true\nlon = 3", "lat is True", id="yes"),
        pytest.param('lat = 30.1\nlon = 3\nholder = "k-1"', "'k-1' carries it about", id="carried"),
        pytest.param('lat = 30.1\nlon = 3\nplace = "a-1"\nmodel = "elder_home"', "a-1 is a home", id="home"),
        pytest.param('lat = 30.1\nlon = 3\nplace = "a-2"', "a-2 is a home", id="home-of-another-device"),
    ],
)
def test_a_position_that_cannot_be_or_should_not_be_is_refused(line: str, problem: str) -> None:
    home = '[[homes]]\nsite = "river"\nplace = "a-2"\n'
    with pytest.raises(Misconfigured, match=problem):
        registry.parse(f'[sites.river]\n{home}[[devices]]\nsite = "river"\nid = "probe-1"\n{line}\n')


def test_a_sheet_with_a_latitude_that_is_no_number_names_its_line() -> None:
    with pytest.raises(Misconfigured, match="line 2: lat 'north' is not a number of degrees"):
        registry.from_csv("site,id,lat,lon\nriver,p,north,3\n", registry.parse("[sites.river]"))
