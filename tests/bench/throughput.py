"""One run: a consumer, a fresh broker, a fresh database; from the first publish until a query finds everything."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import load, processes
from tests.bench.consumers import Consumer, count
from tests.bench.load import Load, Publisher
from tests.databases import InfluxDB2, Server, VictoriaMetrics, find
from tests.servers import Mosquitto

DEVICES: Final = 100
WARM_UP: Final = 3000  # messages: imports, connections and caches are not what is measured
_GIVE_UP_S: Final = 20.0  # without progress


@dataclass(frozen=True, slots=True)
class Run:
    """What one run showed; microseconds of user and system time for each message.

    Attributes:
        rate: messages a second, from the first publish until all were found.
        published_s: until the broker had acknowledged the last.
        lost: messages that were not found; below 0: VictoriaMetrics counts one that was sent again twice.
    """

    rate: float
    published_s: float
    consumer_us: float
    broker_us: float
    database_us: float
    peak_mib: float
    lost: int


def database_server(folder: Path) -> Server:
    """InfluxDB 2 if `INFLUXD2` names it, else VictoriaMetrics, which takes the same writes."""
    folder.mkdir(parents=True)
    if program := os.environ.get("INFLUXD2"):
        server = InfluxDB2(folder, program)
        server.start()
        server.set_up()
        return server
    other = VictoriaMetrics(folder, find("victoria-metrics", "victoria-metrics"))
    other.start()
    return other


def make_load(speaks: str, messages: int, instants: int = 1) -> Load:
    """The load of a run, warm-up included; its last reading is some minutes old."""
    total = messages + WARM_UP
    start_s = int(time.time()) - 600 - total // DEVICES * instants
    return load.senml(total, DEVICES, start_s, instants) if speaks == "senml" else load.flat(total, DEVICES, start_s)


def run(consumer: Consumer, traffic: Load, folder: Path) -> Run:
    """Measure one consumer."""
    folder.mkdir(parents=True)
    (folder / "broker").mkdir()
    broker = Mosquitto(folder / "broker")
    broker.start()
    server = database_server(folder / "database")
    database = server.database()
    pid = consumer.start(folder / "consumer", broker, database, DEVICES)
    publisher = Publisher(broker.plain_port, "test", broker.passwords["test"])
    try:
        first, warm, measured = traffic.messages[:1], traffic.messages[1:WARM_UP], traffic.messages[WARM_UP:]
        ends = time.monotonic() + 30.0
        while not count(database):  # it may not have subscribed yet, so again and again the same message
            assert time.monotonic() < ends, f"{consumer.name} stores nothing: see {folder}"
            publisher.publish(first)
            time.sleep(0.2)
        publisher.publish(warm)
        found, _ = _wait(lambda: count(database), WARM_UP * traffic.instants)
        pids = (pid, broker.pid, server.pid)
        before = [processes.cpu_s(p) for p in pids]
        began, published_s = publisher.publish(measured)
        found, took_s = _wait(lambda: count(database), len(traffic.messages) * traffic.instants, began)
        us = [(processes.cpu_s(p) - b) / len(measured) * 1e6 for p, b in zip(pids, before, strict=True)]
        lost = len(traffic.messages) - found // traffic.instants
        return Run(len(measured) / took_s, published_s, *us, processes.peak_mib(pid), lost)
    finally:
        publisher.close()
        consumer.stop()
        server.kill()
        broker.kill()


def _wait(count_now: Callable[[], int], expected: int, began: float | None = None) -> tuple[int, float]:
    """(points found, seconds since `began`), when all are there or nothing more comes."""
    began = time.monotonic() if began is None else began
    last, changed = -1, time.monotonic()
    while True:
        asked = time.monotonic()
        found = count_now()
        now = time.monotonic()
        if found >= expected:
            return found, now - began
        if found != last:
            last, changed = found, now
        if now - changed > _GIVE_UP_S:
            return found, changed - began
        time.sleep(max(0.1, 3 * (now - asked)))  # the question costs the database something too
