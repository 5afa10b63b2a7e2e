"""What happens when much is waiting: memory with a million readings in the outbox, and an SOS behind a backlog."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Final

from tests.bench import load, processes
from tests.bench.consumers import count, kanhu_settings
from tests.bench.load import QUANTITIES, Publisher
from tests.bench.throughput import database_server
from tests.databases import Server
from tests.servers import Mosquitto, eventually
from tests.spine import GatewayProcess, registry

DEVICES: Final = 100
_PATIENCE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """A database that was away.

    Attributes:
        readings: how many waited.
        loading_mib, peak_mib: the gateway's most memory while they came, and until the last was stored.
        outbox_mib: their size on disk.
        drained_per_s: readings a second when the database was back.
        lost: readings that were not found afterwards.
    """

    readings: int
    loading_mib: float
    peak_mib: float
    outbox_mib: float
    drained_per_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class Sos:
    """Seconds until an HTTP notifier was told.

    Attributes:
        readings: how many were in the way.
        broker_s: they and the SOS waited in the broker; from the start of the gateway's process, its imports included.
        draining_s: they were in the outbox, and the database came back at the moment of the press.
    """

    readings: int
    broker_s: float
    draining_s: float


class _Spine:
    """Broker, database and gateway with one person to tell."""

    def __init__(self, folder: Path, url: str = "") -> None:
        (folder / "broker").mkdir(parents=True)
        self.broker = Mosquitto(folder / "broker")
        self.broker.start()
        self.server: Server = database_server(folder / "database")
        self.database = self.server.database()
        self.gateway = GatewayProcess(folder / "gateway", kanhu_settings(self.broker, self.database), registry(DEVICES))
        if url:
            self.gateway.environment["KANHU_ALERTS__PEOPLE"] = json.dumps([{"id": "duty", "urls": [url]}])

    def publish(self, messages: list[tuple[str, bytes]]) -> None:
        publisher = Publisher(self.broker.plain_port, "test", self.broker.passwords["test"])
        try:
            publisher.publish(messages)
        finally:
            publisher.close()

    def waiting(self) -> int:
        """Entries the gateway took and has not sent."""
        totals = self.gateway.state()["totals"]
        return int(totals.get("entries_stored", 0) - totals.get("entries_sent", 0))

    def close(self) -> None:
        self.gateway.kill()
        self.server.kill()
        self.broker.kill()


@contextmanager
def _spine(folder: Path, url: str = "") -> Iterator[_Spine]:
    spine = _Spine(folder, url)
    try:
        yield spine
    finally:
        spine.close()


def _messages(readings: int) -> list[tuple[str, bytes]]:
    messages = readings // len(QUANTITIES)
    return load.senml(messages, DEVICES, int(time.time()) - 600 - messages // DEVICES).messages


def memory(folder: Path, readings: int) -> Backlog:
    """Load while the database is away, then let it come back."""
    with _spine(folder) as spine:
        messages = _messages(readings)
        spine.gateway.start()
        spine.server.kill()
        spine.publish(messages)
        eventually(lambda: spine.waiting() >= len(messages), _PATIENCE_S, "everything in the outbox")
        pid = spine.gateway.pid
        loading_mib = processes.peak_mib(pid)
        file = spine.gateway.store_file
        outbox_mib = sum(part.stat().st_size for part in file.parent.glob(file.name + "*")) / 2**20
        spine.server.start()
        began = time.monotonic()
        first = 0
        while not first:  # it asks the database again some seconds after the last try
            time.sleep(0.05)
            began, first = time.monotonic(), count(spine.database)
        found, last, changed = first, 0, began
        while found < len(messages) and time.monotonic() < changed + 30:
            time.sleep(0.3)
            last, found = found, count(spine.database)
            changed = time.monotonic() if found > last else changed
        rate = (found - first) * len(QUANTITIES) / (changed - began)
        lost = (len(messages) - found) * len(QUANTITIES)
        return Backlog(len(messages) * len(QUANTITIES), loading_mib, processes.peak_mib(pid), outbox_mib, rate, lost)


def sos(folder: Path, readings: int) -> Sos:
    """Press behind a backlog in the broker, then behind one in the outbox."""
    with _notifier() as (url, told), _spine(folder, url) as spine:
        messages = _messages(readings)
        spine.gateway.start()  # once, so that the broker keeps a session for it
        spine.gateway.stop()
        spine.publish(messages)
        spine.publish([_press("d0", 1)])
        began = time.monotonic()
        spine.gateway.start()
        eventually(lambda: "p0" in told, _PATIENCE_S, "the SOS of p0")
        broker_s = told["p0"] - began
        eventually(lambda: spine.waiting() <= 0, _PATIENCE_S, "an empty outbox")

        spine.server.kill()
        spine.publish([(topic, payload.replace(b'"boot":1,', b'"boot":2,')) for topic, payload in messages])
        eventually(lambda: spine.waiting() >= len(messages), _PATIENCE_S, "everything in the outbox")
        spine.server.start()
        began = time.monotonic()
        spine.publish([_press("d1", 2)])
        eventually(lambda: "p1" in told, _PATIENCE_S, "the SOS of p1")
        return Sos(len(messages) * len(QUANTITIES), broker_s, told["p1"] - began)


def _press(device: str, boot: int) -> tuple[str, bytes]:
    record = {"boot": boot, "seq": 4_000_000, "clk": "ntp", "err": 0.05, "up": 60.0, "bt": time.time(), "n": "sos", "vb": True}
    return f"kanhu/1/s/{device}/up/event", json.dumps([record]).encode()


@contextmanager
def _notifier() -> Iterator[tuple[str, dict[str, float]]]:
    """(apprise address, place -> when it was first told) of a real HTTP server."""
    told: dict[str, float] = {}

    class Told(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            for place in ("p0", "p1"):
                if f"{place}: SOS" in text:
                    told.setdefault(place, time.monotonic())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Told)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"json://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        server.server_close()
