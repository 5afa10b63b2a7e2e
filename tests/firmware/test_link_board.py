"""The link of a whole device on a simulated board, its hours passed in seconds, before a real broker and gateway."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from firmware.sim.board import Board, rom
from firmware.sim.board.chips.sht31 import Sht31
from tests.faults.judge import Embedded
from tests.servers import Mosquitto
from tests.spine import GatewayProcess

REGISTRY = '[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\nplace = "p1"\nmodel = "elder_home"\ncadence_s = 3600.0\n'
MINUTE, HOUR = 60_000, 3_600_000


class Site:
    """A device that measures every minute, a broker and a gateway."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        settings: dict[str, Any] = {"broker": broker.settings().model_dump(mode="json", exclude_none=True)}
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.gateway.start()
        self.board = Board(
            folder / "board",
            "elder_home",
            {
                "site": "s1",
                "device": "d1",
                "wifi": [{"ssid": "home", "password": "kanhukanhu"}],
                "broker": {"host": "127.0.0.1", "port": broker.port, "password": broker.passwords["s1/d1"]},
                "ntp": ["ntp.local"],
                "pins": {"sos": 32, "cancel": 33, "buzzer": 13, "i2c": {"scl": 22, "sda": 21}},
            },
            source=rom.image(),
            heap="112wK",
        )
        self.board.attach_i2c(0x44, Sht31(self.board.now_ms, lambda: 21.5, lambda: 40.0))
        for pin in (32, 33):
            self.board.set_pin(pin, 1)

    def measured_ms(self) -> list[int]:
        """Board ms of the stored temperatures."""
        facts = Embedded(self.gateway.readings_file).facts()
        return sorted(key[3] // 1_000_000 - self.board.start_unix_ms for key in facts if key[2] == "temperature")

    def until_stored(self, count: int) -> None:
        """So many temperatures are in the database. The gateway lives in real time, so the device waits for it."""
        for _ in range(60):
            if len(self.measured_ms()) >= count:
                return
            self.board.run_for(30_000)
        raise AssertionError(f"{len(self.measured_ms())} of {count}\n{self.board.log[-3000:]}")

    def until_whole(self, from_ms: int, to_ms: int) -> None:
        """Until there is a reading for each minute between. The gateway works in real time; the board is ahead of it."""
        self.board.wait_for(lambda: without_a_hole(self.measured_ms(), from_ms, to_ms), 6 * HOUR, what="a reading a minute")


@pytest.fixture
def site(tmp_path: Path, mosquitto: Mosquitto, micropython: str) -> Iterator[Site]:
    made = Site(tmp_path, mosquitto)
    yield made
    made.board.stop()
    made.gateway.kill()


def most_in_a_minute(times: list[int]) -> int:
    return max(sum(begin <= at < begin + MINUTE for at in times) for begin in times)


def without_a_hole(times: list[int], from_ms: int, to_ms: int) -> bool:
    """Whether there is a reading for each minute between."""
    within = [at for at in times if from_ms <= at <= to_ms]
    return len(within) >= (to_ms - from_ms) // MINUTE - 1 and all(b - a < 90_000 for a, b in pairwise(within))


# What is stalled is waited for in real time.
@pytest.mark.parametrize(("how", "minutes"), [("cut", 60), ("stalled", 10)])
def test_a_line_that_flaps_loses_nothing_and_is_not_hammered(site: Site, how: str, minutes: int) -> None:
    site.board.start()
    site.until_stored(2)
    began = site.board.now_ms()
    site.board.network.flap(up_ms=5000, down_ms=5000, until_ms=began + minutes * MINUTE, how=how)
    site.board.run_for(minutes * MINUTE)
    site.until_whole(began, began + minutes * MINUTE)
    assert most_in_a_minute(site.board.network.connects) <= 12
    # On a busy machine hardly an answer comes within the five seconds; a device resets itself after half an hour without one.
    assert len(site.board.resets) - 1 <= minutes // 30


def test_a_driver_that_hangs_is_brought_back_without_a_reset(site: Site) -> None:
    site.board.start()
    site.until_stored(2)
    began = site.board.now_ms()
    site.board.station.hang()
    site.board.run_for(10 * MINUTE)
    site.until_whole(began, began + 10 * MINUTE)
    assert len(site.board.resets) == 1


def test_an_access_point_that_is_away_for_hours_costs_nothing(site: Site) -> None:
    site.board.start()
    site.until_stored(2)
    began = site.board.now_ms()
    site.board.access_points[0].here = False
    site.board.station.look()
    site.board.run_for(5 * HOUR)
    site.board.access_points[0].here = True
    site.board.station.look()
    site.until_whole(began, began + 5 * HOUR)
