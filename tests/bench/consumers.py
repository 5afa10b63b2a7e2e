"""Who carries messages from the broker to the database: our gateway, the usual script, Telegraf; each a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Protocol

from tests.bench.load import QUANTITIES
from tests.databases import ORG, Database, InfluxDB2
from tests.servers import Mosquitto
from tests.spine import ROOT, GatewayProcess, registry


class Consumer(Protocol):
    """One process.

    Attributes:
        name: as the table has it.
        speaks: the load it takes, `senml` or `flat`.
    """

    name: str
    speaks: str

    def start(self, folder: Path, broker: Mosquitto, database: Database, devices: int) -> int:
        """Start it and return its process id; it need not be ready."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Kanhu:
    """The gateway as `kanhu gateway` starts it, every check and promise switched on."""

    speaks = "senml"

    def __init__(self, name: str = "Kanhu") -> None:
        self.name = name

    def start(self, folder: Path, broker: Mosquitto, database: Database, devices: int) -> int:
        self._gateway = GatewayProcess(folder, kanhu_settings(broker, database), registry(devices))
        self._gateway.start()
        return self._gateway.pid

    def stop(self) -> None:
        self._gateway.stop()


def kanhu_settings(broker: Mosquitto, database: Database) -> dict[str, object]:
    """The tables of kanhu.toml that name broker and database; all else is left at its default."""
    influx = {"url": database.url, "kind": database.kind, "bucket": database.name}
    if database.token_file is not None:
        influx["token_file"] = str(database.token_file)
    return {"broker": {"port": broker.port, "password_file": str(broker.password_file)}, "influx": influx}


class _Program:
    """A process that logs into its folder."""

    _process: subprocess.Popen[bytes]

    def _run(self, folder: Path, *command: str) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        return self._process.pid

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class UsualScript(_Program):
    name = "usual Python script"
    speaks = "flat"

    def start(self, folder: Path, broker: Mosquitto, database: Database, devices: int) -> int:
        script = str(Path(__file__).with_name("usual_script.py"))
        about = (str(broker.plain_port), broker.passwords["test"], database.url, database.token or "none", database.name)
        return self._run(folder, sys.executable, script, *about)


_TELEGRAF = """
[agent]
  interval = "1s"
  flush_interval = "200ms"
  metric_batch_size = 5000
  metric_buffer_limit = 100000
  omit_hostname = true
  quiet = true

[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:{port}"]
  topics = ["kanhu/1/+/+/up/data"]
  topic_tag = ""
  qos = 1
  persistent_session = true
  client_id = "telegraf"
  username = "test"
  password = "{password}"
  max_undelivered_messages = 10000
{parser}
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  token = "{token}"
  organization = "{org}"
  bucket = "{bucket}"
  content_encoding = "gzip"
"""

_JSON_V2 = """
  data_format = "json_v2"
  [[inputs.mqtt_consumer.json_v2]]
    measurement_name = "climate"
    timestamp_path = "time"
    timestamp_format = "unix_ms"
    [[inputs.mqtt_consumer.json_v2.tag]]
      path = "device"
""" + "".join(
    f'    [[inputs.mqtt_consumer.json_v2.field]]\n      path = "{name}"\n      type = "float"\n' for name in QUANTITIES
)

# SenML of one instant: Telegraf has no parser for it, and none that could add the base time to the others.
_XPATH = """
  data_format = "xpath_json"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "+/+/+/+/+/+"
    tags = "_/_/_/device/_/_"
  [[inputs.mqtt_consumer.xpath]]
    metric_name = "'climate'"
    metric_selection = "/"
    timestamp = "/*/bt"
    timestamp_format = "unix"
    field_selection = "/*"
    field_name = "n"
    field_value = "number(v)"
"""


class Telegraf(_Program):
    """QoS 1 with a kept session; it acknowledges when the database has answered, and keeps nothing on disk."""

    def __init__(self, program: str, speaks: str = "flat") -> None:
        self.name = "Telegraf" if speaks == "flat" else "Telegraf on SenML (xpath)"
        self.speaks = speaks
        self._program = program

    def start(self, folder: Path, broker: Mosquitto, database: Database, devices: int) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "telegraf.conf"
        file.write_text(
            _TELEGRAF.format(
                parser=_JSON_V2 if self.speaks == "flat" else _XPATH,
                **{"port": broker.plain_port, "password": broker.passwords["test"], "org": ORG},
                **{"url": database.url, "token": database.token, "bucket": database.name},
            )
        )
        return self._run(folder, self._program, "--config", str(file))


def count(database: Database) -> int:
    """Points of the load that a query finds."""
    server = database.server
    if isinstance(server, InfluxDB2):
        series = server.query(database.name, 'SELECT count(temperature) FROM "climate"')
        return int(series[0]["values"][0][1]) if series else 0
    # No label tells the bucket of a v2 write, but each run has a server of its own.
    server.http("/internal/force_flush")
    answer = server.http("/api/v1/query", query="sum(count_over_time(climate_temperature[2d]))")
    result = json.loads(answer)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0
