"""The database is away, silent, refuses or comes back: everything waits in the outbox, fresh readings first."""

import http.server
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from simulator.senml import Value
from tests.databases import Database, InfluxDB2
from tests.faults.judge import Influx
from tests.faults.world import World
from tests.servers import eventually, free_port

Make = Callable[..., World]


@pytest.mark.slow
def test_a_database_that_was_away_for_fifty_thousand_readings_gets_the_fresh_ones_first(
    world: Make, influxdb2: Database
) -> None:
    w = world(database=influxdb2, devices=40, rate=100.0)
    influxdb2.kill()
    w.begin(backlog=50_000)
    eventually(lambda: w.receipted() >= 10_000, 60, "50,000 readings receipted without a database")
    held = w.number("outbox_entries")
    assert held >= 50_000
    print(f"{held:.0f} entries in the outbox; SIGKILL of the gateway on top")
    w.gateway.kill()
    w.gateway.start()
    influxdb2.start()
    device = w.devices[0]
    came_back = time.monotonic()
    key = (*device.key, "battery_voltage", w.say(device.key, Value("battery_voltage", 3.9)))
    eventually(lambda: w.stored.holds(key), 10, f"a fresh reading: {w.trouble()}")
    behind = w.number("outbox_entries")
    print(f"fresh reading after {time.monotonic() - came_back:.1f} s, {behind:.0f} entries still waiting")
    assert behind > 1_000, "the fresh one overtook the backlog"
    eventually(lambda: w.number("outbox_entries") < 500, 60, "an empty outbox")
    took_s = time.monotonic() - came_back
    print(f"all of it after {took_s:.1f} s, {50_000 / took_s:.0f} readings/s")
    w.finish().require()


def test_a_frozen_database_costs_no_receipt(world: Make, influxdb1: Database) -> None:
    w = world(database=influxdb1, rate=300.0)
    w.begin()
    w.a_while(0.5, 1.0)
    influxdb1.server.freeze()
    before = w.receipted()
    w.a_while(4.0, 5.0)
    assert w.receipted() - before > 600, "receipts go on"
    influxdb1.server.thaw()
    print(f"live again after {w.live_again():.1f} s")
    w.finish().require()


class Mute:
    """Accepts connections, reads, never answers; `most` is how many were open at once."""

    def __init__(self) -> None:
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.open = self.most = self.total = 0
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
            self.total += 1
        time.sleep(0.3)  # the thread that read the one before may not have seen yet that it was closed
        with self._lock:
            self.most = max(self.most, self.open)
        with suppress(OSError), connection:
            while connection.recv(65536):
                pass
        with self._lock:
            self.open -= 1

    def close(self) -> None:
        self._listener.close()


def test_a_database_that_accepts_and_never_answers_gets_one_request_at_a_time(world: Make, tmp_path: Path) -> None:
    mute = Mute()
    influx = {"url": f"http://127.0.0.1:{mute.port}", "kind": "influxdb1", "timeout_s": 1.0}
    w = world(settings={"influx": influx}, rate=300.0)
    w.begin()
    eventually(lambda: mute.total >= 3, 15, "the gateway tries again")
    assert mute.most == 1
    eventually(lambda: w.gateway.state()["troubles"].get("database"), 5, "the trouble is told")
    print(f"{mute.total} requests, at most {mute.most} at once: {w.gateway.state()['troubles']['database']}")
    mute.close()
    w.finish(empty=False).require()


@pytest.mark.slow
def test_a_revoked_token_loses_nothing_and_is_told(world: Make, influxdb2: Database) -> None:
    assert isinstance(influxdb2.server, InfluxDB2)
    server, file = influxdb2.server, influxdb2.server.folder / "limited.token"
    bucket = json.loads(server.http("/api/v2/buckets", name=influxdb2.name))["buckets"][0]
    permissions = [{"action": "write", "resource": {"type": "buckets", "id": bucket["id"]}}]
    made = json.loads(
        server.http("/api/v2/authorizations", json.dumps({"orgID": bucket["orgID"], "permissions": permissions}).encode())
    )
    file.touch(0o600)
    file.write_text(made["token"])
    w = world(database=influxdb2, rate=300.0, settings={"influx": {"token_file": str(file)}})
    w.begin()
    print(f"at first live after {w.live_again():.1f} s")

    def switch(status: str) -> None:

        request = urllib.request.Request(
            f"{server.url}/api/v2/authorizations/{made['id']}",
            json.dumps({"status": status}).encode(),
            server.headers() | {"Content-Type": "application/json"},
            method="PATCH",
        )
        urllib.request.urlopen(request, timeout=10).close()

    switch("inactive")
    revoked = time.monotonic()
    eventually(lambda: w.gateway.state()["troubles"].get("database"), 10, "the trouble is told")
    print(f"told after {time.monotonic() - revoked:.1f} s: {w.gateway.state()['troubles']['database']}")
    before = w.receipted()
    w.a_while(2.0, 3.0)
    assert w.receipted() > before + 300, "receipts go on"
    switch("active")
    print(f"live again after {w.live_again(45.0):.1f} s")
    assert "database" not in w.gateway.state()["troubles"]
    w.finish().require()


def test_an_answer_that_is_lost_after_the_write_doubles_nothing(world: Make, influxdb1: Database) -> None:
    """A proxy in front of a real database swallows every third answer."""
    swallowed = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))

            headers = {
                k: v for k, v in self.headers.items() if k.lower() in ("content-encoding", "content-type", "authorization")
            }
            answer = urllib.request.urlopen(urllib.request.Request(influxdb1.url + self.path, body, headers), timeout=10)
            if len(swallowed) < 4 and w.random.random() < 0.5:
                swallowed.append(len(body))
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(answer.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    w = world(database=influxdb1, rate=300.0, settings={"influx": {"url": f"http://127.0.0.1:{proxy.server_port}"}})
    w.begin()
    eventually(lambda: len(swallowed) >= 4, 30, "four answers swallowed")
    print(f"answers swallowed: {len(swallowed)}; live again after {w.live_again():.1f} s")
    w.finish().require()
    assert isinstance(w.stored, Influx)
    proxy.shutdown()
    proxy.server_close()
