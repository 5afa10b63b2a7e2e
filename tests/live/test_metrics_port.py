"""The page of numbers is not worth an SOS: a gateway whose port is taken works, says so, and opens the page when it can."""

import json
import socket
from pathlib import Path

from tests.servers import Mosquitto, eventually, free_port, paho_client
from tests.spine import GatewayProcess, registry
from tests.web import ask


def test_a_taken_port_of_the_metrics_keeps_no_message_out_and_is_opened_when_it_is_free(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    port = free_port()
    settings = {
        "broker": {"port": mosquitto.port, "password_file": str(mosquitto.password_file)},
        "gateway": {"metrics_port": port},
    }
    gateway = GatewayProcess(tmp_path / "gateway", settings, registry(1))
    with socket.create_server(("127.0.0.1", port)):
        gateway.start()
        said = gateway.state()
        assert said["metrics_port"] == 0
        assert f"port {port} of the metrics cannot be opened" in said["troubles"]["metrics"]
        press = [{"boot": 1, "seq": 1, "clk": "ntp", "bt": 1_790_000_000, "n": "sos", "vb": True}]
        with paho_client(mosquitto) as client:
            client.publish_all([("kanhu/1/s/d0/up/event", json.dumps(press).encode())])
        eventually(lambda: gateway.state()["totals"].get("messages_stored") == 1, 10.0, "the press")
    eventually(lambda: gateway.state()["metrics_port"] == port, 30.0, "the page")
    assert "metrics" not in gateway.state()["troubles"]
    assert 'kanhu_messages_total{outcome="stored"} 1.0' in ask(f"http://127.0.0.1:{port}/metrics").text
    gateway.stop()
