"""A dead device in a real database: its series goes on and grows through everything that happens to what watches it."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databases import Database, Row
from tests.faults.test_disk import fill, small_disk
from tests.servers import Mosquitto, PahoClient, paho_client
from tests.spine import GatewayProcess

__all__ = ["small_disk"]
SILENCE_S = 4.0
REGISTRY = "[sites.s]\n" + "".join(
    f'[[devices]]\nsite = "s"\nid = "{name}"\nplace = "p"\ncadence_s = 1\nsilence_s = {SILENCE_S}\nmeasures = ["temperature"]\n'
    for name in ("dead", "alive")
)
WITHIN_S = 60.0


class Story:
    """A broker, a gateway and a database; `alive` speaks while anybody waits for something."""

    def __init__(self, folder: Path, broker: Mosquitto, database: Database, ballast_mb: int = 0) -> None:
        self.broker, self.database = broker, database
        settings = {
            "broker": {"port": broker.port, "password_file": str(broker.password_file)},
            "influx": database.settings(timeout_s=3.0).model_dump(mode="json", exclude_none=True),
            "gateway": {"readings_every_s": 1.0, "ballast_mb": ballast_mb},
        }
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.client: PahoClient | None = None
        self._seq = 0

    def say(self, name: str) -> None:
        self._seq += 1
        head = {"boot": 1, "seq": self._seq, "clk": "ntp", "bt": round(time.time(), 3), "n": "temperature", "v": 21.5}
        assert self.client is not None
        self.client.publish(f"kanhu/1/s/{name}/up/data", json.dumps([head]), qos=1)

    def until(self, condition: Callable[[], object], what: str) -> None:
        ends = time.monotonic() + WITHIN_S
        while not condition():
            assert time.monotonic() < ends, (
                f"not within {WITHIN_S} s: {what}; {self.points('dead')[-3:]}\n{self.gateway.log[-2000:]}"
            )
            if self.client is not None:
                self.say("alive")
            time.sleep(0.3)

    def points(self, name: str, after_ns: int = 0) -> list[Row]:
        return [row for row in self.database.rows("fleet") if row["device"] == name and row["time"] > after_ns]

    def newest(self, name: str) -> float:
        return float(self.points(name)[-1]["overdue"])

    def goes_on(self, what: str, number: int = 2) -> list[Row]:
        """So many points of the dead device that are newer than now."""
        now_ns = time.time_ns()
        self.until(lambda: len(self.points("dead", now_ns)) >= number, what)
        return self.points("dead", now_ns)


@pytest.mark.timeout(240)
def test_the_series_of_a_dead_device_grows_through_a_restart_an_absent_broker_and_an_absent_database(
    request: pytest.FixtureRequest, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    kind = "influxdb2" if os.environ.get("INFLUXD2") else "influxdb1"
    story = Story(tmp_path, mosquitto, request.getfixturevalue(kind))
    gateway, database = story.gateway, story.database
    gateway.start()
    try:
        with paho_client(mosquitto) as story.client:
            story.say("dead")
            story.until(lambda: story.points("dead") and story.newest("dead") > 1.0, "the dead device is silent")
            assert story.newest("alive") < 1.0

            last = story.newest("dead")
            gateway.kill()
            gateway.start()
            assert story.goes_on("the gateway is back")[0]["overdue"] >= last

            database.kill()
            killed_ns = time.time_ns()
            time.sleep(2.5)  # rounds that nobody takes
            database.start()
            story.goes_on("the database is back")
            assert story.newest("dead") > last
            story.until(lambda: gateway.state()["numbers"]["outbox_entries"] == 0, "the outbox is empty")
            assert story.database.rows("gateway")[-1]["time"] > killed_ns

        story.client = None
        mosquitto.kill()
        story.until(lambda: not gateway.state()["connected"], "the gateway sees that the broker is away")
        deaf = story.goes_on("the broker is away", 4)
        assert len({row["overdue"] for row in deaf[1:]}) == 1, "kept while nobody can be heard"
        assert deaf[-1]["silent_for"] > deaf[1]["silent_for"]
        assert story.newest("alive") < 1.0
        silence = [row for row in database.rows("silence") if row["device"] == "dead"]
        assert {row["channel"] for row in silence} == {"temperature"}

        grown = [row["overdue"] for row in story.points("dead")]
        first = next(at for at, ratio in enumerate(grown) if ratio > 1.0)
        assert grown[first:] == sorted(grown[first:]), "no minute was shorter than the one before"
        mosquitto.start()
        with paho_client(mosquitto) as story.client:
            story.until(lambda: gateway.state()["connected"], "the broker is back")
            story.say("dead")
            story.until(lambda: story.newest("dead") < 1.0, "it is heard again")
    finally:
        gateway.kill()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_on_a_full_disk_the_series_goes_on_and_stands_still(
    small_disk: Path, request: pytest.FixtureRequest, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    kind = "influxdb2" if os.environ.get("INFLUXD2") else "influxdb1"
    story = Story(tmp_path, mosquitto, request.getfixturevalue(kind), ballast_mb=8)
    story.gateway.start()
    try:
        with paho_client(mosquitto) as story.client:
            story.say("dead")
            story.until(lambda: story.points("dead"), "the first round")
            others = fill(small_disk)
            story.until(lambda: story.gateway.state()["full"], "the gateway notices")
            full = story.goes_on("the disk is full", 4)
            assert len({row["overdue"] for row in full[1:]}) == 1, "nobody could be heard"
            assert story.newest("alive") < 1.0
            assert len([row for row in story.database.rows("gateway") if row["time"] >= full[0]["time"]]) >= 3
            assert story.gateway.state()["full"]
            others.unlink()
            story.until(lambda: not story.gateway.state()["full"], "there is room")
            story.until(lambda: story.newest("dead") > 1.0, "the dead device is silent")
    finally:
        story.gateway.kill()
