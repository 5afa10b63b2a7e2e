"""The service outside hears from us only while the whole chain works: each link is broken in turn, and it hears nothing."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge_gateway.homes.look import open_homes
from operations import mosquitto as broker_files
from tests.faults.phone import Phone
from tests.servers import Mosquitto, eventually, paho_client
from tests.spine import GatewayProcess

REGISTRY = '[sites.s1]\n[[devices]]\nsite = "s1"\nid = "d1"\nplace = "p1"\nmodel = "elder_home"\ncadence_s = 3600.0\n'


class Service:
    """Somebody who misses us; `status` is its answer, `paths` what was asked."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bytes: list[bytes] = []
        self.status = 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.paths.append(self.path)
                service.bytes.append(str(self.headers).encode())
                self.send_response(service.status)
                self.send_header("Location", "/portal")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/ping/secret-of-ours"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Watched:
    """A gateway before a broker, with one person and the service outside."""

    def __init__(self, folder: Path, broker: Mosquitto, phone: Phone, service: Service) -> None:
        self.broker, self.phone, self.service = broker, phone, service
        settings: dict[str, Any] = {
            "broker": broker.settings().model_dump(mode="json", exclude_none=True),
            "alerts": {"heartbeat_url": service.url, "heartbeat_s": 1},
        }
        self.gateway = GatewayProcess(folder / "gateway", settings, REGISTRY)
        self.gateway.environment = phone.people()

    def beats(self) -> int:
        return len(self.service.paths)

    def trouble(self) -> str:
        return str(self.gateway.state()["troubles"].get("heartbeat", ""))

    def beats_again(self) -> None:
        had = self.beats()
        eventually(lambda: self.beats() > had and not self.trouble(), 60, "a heartbeat")

    def withheld(self, why: str) -> None:
        """The trouble says why, and with it nothing more is heard."""
        eventually(lambda: why in self.trouble(), 90, f"the trouble that says: {why}")
        assert "secret-of-ours" not in self.trouble()
        had, now_s = self.beats(), time.monotonic()
        eventually(lambda: time.monotonic() > now_s + 2.5, what="one beat more")
        assert self.beats() == had and self.trouble()

    def close(self) -> None:
        self.gateway.kill()


@pytest.fixture
def service() -> Iterator[Service]:
    with closing(Service()) as service:
        yield service


@pytest.fixture
def watched(tmp_path: Path, mosquitto: Mosquitto, service: Service) -> Iterator[Watched]:
    with closing(Phone()) as phone, closing(Watched(tmp_path, mosquitto, phone, service)) as watched:
        yield watched


def test_the_service_hears_from_us_again_and_again_and_nobody_else_does(watched: Watched) -> None:
    watched.gateway.start()
    watched.beats_again()
    watched.beats_again()
    assert set(watched.service.paths) == {"/ping/secret-of-ours"}
    assert watched.phone.calls == [], "a rehearsal is told to nobody"
    assert not watched.gateway.state()["numbers"]["alerts_open"]
    assert not watched.gateway.state()["totals"].get("messages_held")
    assert b"d1" not in b"".join(watched.service.bytes) and b"p1" not in b"".join(watched.service.bytes)


def test_a_broker_that_does_not_deliver_is_missed_and_heard_of_when_it_is_back(watched: Watched) -> None:
    watched.gateway.start()
    watched.beats_again()
    watched.broker.freeze()
    watched.withheld("at the step: broker")
    watched.broker.thaw()
    watched.beats_again()


def test_access_rules_of_an_older_version_are_named(watched: Watched) -> None:
    acl = watched.broker.folder / "acl"
    lines = [line for line in acl.read_text().splitlines() if "_gateway" not in line]
    broker_files.write_private(acl, "\n".join(lines) + "\n")
    watched.broker.restart()
    watched.gateway.start()
    watched.withheld("access rules")


def test_nobody_to_be_told_is_no_heartbeat(watched: Watched) -> None:
    watched.gateway.environment = {}
    watched.gateway.start()
    watched.withheld("would be told to nobody")
    assert not watched.beats()


def test_channels_that_take_nothing_are_no_heartbeat(watched: Watched) -> None:
    watched.phone.status = 500
    watched.gateway.start()
    watched.beats_again()
    watched.gateway.call("homes.test", site="s1", place="p1", by="zhang")
    publish_answer(watched)
    watched.withheld("no channel of anybody takes messages")
    watched.phone.status = 200
    watched.beats_again()


def publish_answer(watched: Watched) -> None:
    """The device answers the self-test."""

    def asked() -> str:
        with open_homes(watched.gateway.store_file) as look:
            home = look.home("s1", "p1")
            return home.test.id if home is not None else ""

    eventually(asked, 30, "the test")
    message = f'[{{"boot":1,"seq":1,"clk":"none","n":"selftest","vs":"{asked()}"}}]'.encode()
    with paho_client(watched.broker, "s1/d1") as device:
        device.publish_all([("kanhu/1/s1/d1/up/event", message)])


def test_a_service_that_does_not_say_yes_is_a_trouble_that_ends(watched: Watched) -> None:
    watched.gateway.start()
    for status in (302, 404, 500):
        watched.service.status = status
        eventually(lambda status=status: f"answered {status}" in watched.trouble(), 60, "the trouble")
    assert "secret-of-ours" not in watched.gateway.log
    watched.service.status = 200
    watched.beats_again()
    assert "/portal" not in watched.service.paths
