"""Remote configuration: what a person sets reaches the device retained, and its answer is remembered."""

import json
import time
from pathlib import Path

import pytest

from edge_gateway.errors import Rejected
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import GatewayProcess


def test_settings_reach_a_device_that_connects_later_and_its_answer_is_kept(mosquitto: Mosquitto, tmp_path: Path) -> None:
    broker = {"port": mosquitto.port, "password_file": str(mosquitto.password_file)}
    gateway = GatewayProcess(tmp_path / "gateway", {"broker": broker})
    gateway.start()
    try:
        first = gateway.call("device.configure", site="s", device="d1", settings={"cadence": 20})
        version = gateway.call("device.configure", site="s", device="d1", settings={"cadence": 30})
        assert version > first
        assert version >= time.time() - 5
        time.sleep(0.2)
        with paho_client(mosquitto) as device:
            device.listen("kanhu/1/s/d1/down/config")
            eventually(lambda: device.received, 5.0, "the retained settings")
            assert json.loads(device.received[0].payload) == {"version": version, "settings": {"cadence": 30}}
            birth = {"online": True, "boot": 1, "config": version, "config_error": "cadence: 60 to 3600"}
            device.publish_all([("kanhu/1/s/d1/up/status", json.dumps(birth).encode())], retain=True)
        assert gateway.call("device.configure", site="s", device="d1", settings={"cadence": 60}) > version
        with pytest.raises(Rejected, match="registry"):
            gateway.call("device.configure", site="s", device="nobody", settings={})
    finally:
        gateway.stop()
