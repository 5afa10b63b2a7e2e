"""The fast clock itself: what takes a quarter of an hour is told after a quarter of an hour, whatever the rate."""

import json
from pathlib import Path

from edge_gateway.settings import Alerts, Broker, Settings
from edge_gateway.settings import Gateway as GatewaySettings
from tests.journeys.fast_time import SECOND, FastClock, FastGateway
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import registry

BEGIN = 1_790_000_000 * SECOND


def test_a_silent_device_is_told_after_its_own_time_on_the_fast_clock(tmp_path: Path, mosquitto: Mosquitto) -> None:
    (tmp_path / "registry.toml").write_text(registry(1, cadence_s=300))
    settings = Settings(
        data_dir=tmp_path / "var",
        registry=tmp_path / "registry.toml",
        broker=Broker(port=mosquitto.port, password_file=mosquitto.password_file, keepalive_s=600),
        gateway=GatewaySettings(ballast_mb=0, metrics_port=0),
        alerts=Alerts(),
    )
    clock = FastClock(BEGIN, 300.0)
    gateway = FastGateway(settings, clock)
    with clock.installed():
        gateway.start()
        reading = [{"boot": 1, "seq": 1, "clk": "ntp", "bt": clock.time_ns() / SECOND, "n": "temperature", "v": 21.5}]
        with paho_client(mosquitto) as device:
            device.publish_all([("kanhu/1/s/d0/up/data", json.dumps(reading).encode())])
        heard_ns = clock.time_ns()
        eventually(lambda: gateway.do(lambda g: g.desk.open_count()), 60, "the alert")
        [alert] = gateway.do(lambda g: g.desk.book.open_alerts())
        gateway.stop()
    assert alert.rule == "silence"
    assert 890 * SECOND < alert.raised_ns - heard_ns < 1800 * SECOND
