"""The fast clock itself: what takes a quarter of an hour is told after a quarter of an hour, whatever the rate."""

import json
from pathlib import Path

from edge_gateway import view
from tests.journeys.fast_time import SECOND, FastClock, FastGateway
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import registry

BEGIN = 1_790_000_000 * SECOND


def test_a_silent_device_is_told_after_its_own_time_on_the_fast_clock(tmp_path: Path, mosquitto: Mosquitto) -> None:
    clock = FastClock(tmp_path / "clock", BEGIN, 300.0)
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file), "keepalive_s": 600}
    gateway = FastGateway(tmp_path / "gateway", {"broker": broker}, registry(1, cadence_s=300), tmp_path / "clock")
    gateway.start()
    reading = [{"boot": 1, "seq": 1, "clk": "ntp", "bt": clock.time(), "n": "temperature", "v": 21.5}]
    with paho_client(mosquitto) as device:
        device.publish_all([("kanhu/1/s/d0/up/data", json.dumps(reading).encode())])
    heard_ns = clock.time_ns()
    eventually(lambda: view.alert_list(gateway.store_file), 60, "the alert")
    [alert] = view.alert_list(gateway.store_file)
    clock.rate = 1.0
    gateway.stop()
    assert alert.rule == "silence"
    assert 890 * SECOND < alert.raised_ns - heard_ns < 1800 * SECOND
