"""The gateway's own numbers: Prometheus metrics on a local port, and readings of the device `gateway.id` in the database."""

import logging
import math
import time
from collections.abc import Iterator
from datetime import datetime
from threading import Thread
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server
from prometheus_client.core import CollectorRegistry, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from edge_gateway import clock, machine
from edge_gateway.alerts.waiting import unaccepted, waited_s
from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import Flag, Reading, Readings
from edge_gateway.homes.selftest import unprotected_ns

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

SITE: Final = "kanhu"
_TROUBLE: Final = "metrics"
_AGAIN_S: Final = 10.0
_CERTIFICATES_S: Final = 3600.0  # between two looks
_PATIENCE_S: Final = 0.5  # of the event loop with a disk that stands still
# Also known to Prometheus under an older name of their own, or as a total: a strict reader refuses a page with a name twice.
_OTHERWISE: Final = frozenset({"commit_time", "write_time", "times_repaired"})
_OUTCOMES: Final = ("stored", "duplicate", "held", "dead")


class Health(Collector):
    """Reads the parts of a gateway; never changes them."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._server: WSGIServer | None = None
        self._thread: Thread | None = None
        self._boot = int(time.time())  # a new number at every start, as the contract asks
        self._seq = 0
        self._tried = -math.inf
        self._looked = -math.inf
        self._certificate_ends: datetime | None = None
        self._counted: dict[str, float] = {}  # what takes a look at everything; by the event loop, read by any thread
        self.port = 0  # 0 while the page is not served

    def open(self) -> None:
        """Serve metrics on 127.0.0.1 (port 0: any free one, then in `self.port`).

        A taken port is a trouble and is tried again: no SOS waits for a page of numbers.
        """
        port = self._gateway.settings.gateway.metrics_port
        self._tried = time.monotonic()
        known = CollectorRegistry(auto_describe=False)
        known.register(self)
        try:
            self._server, self._thread = start_http_server(port, addr="127.0.0.1", registry=known)
        except OSError as error:
            why = f"port {port} of the metrics cannot be opened ({error.strerror or error})"
            self._gateway.troubles.set(_TROUBLE, f"{why}: stop what uses it, or set gateway.metrics_port; 0 takes any free one")
            return
        self.port = self._server.server_port
        self._gateway.troubles.set(_TROUBLE, "")

    def tick(self) -> None:
        """Once a second: try again for a port that was taken."""
        if self._server is None and time.monotonic() > self._tried + _AGAIN_S:
            self.open()

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def numbers(self) -> dict[str, float]:
        """The gateway in numbers, by the catalogue's names."""
        g = self._gateway
        totals, backlog = g.totals(), g.store.backlog
        age_s = 0.0 if backlog.oldest_ns is None else max(0.0, (g.clock_ns() - backlog.oldest_ns) / 1e9)
        return {
            **{f"messages_{outcome}": float(totals.get(f"messages_{outcome}", 0)) for outcome in _OUTCOMES},
            "outbox_entries": float(backlog.entries),
            "outbox_age": age_s,
            "taps_queued": float(g.store.taps_queued),
            "alerts_open": float(g.desk.open_count()),
            "disk_free": float(g.ballast.free()),
            "disk_used": machine.disk_used(g.settings.data_dir),
            "commit_time": g.committer.commit_s_last,
            "write_time": g.uplink.state.last_write_s,
            "database_ok": float(not g.uplink.state.trouble),
            "database_refused": float(totals.get("entries_refused", 0)),
            "broker_connected": float(g.connected()),
            "times_repaired": float(totals.get("times_repaired", 0)),
            "devices_expected": float(g.series.expected),
            "devices_silent": float(g.series.silent),
            "troubles": float(len(g.troubles.now)),
            **self._notices(),
            **self._counted,
            **self._told(),
        }

    def _notices(self) -> dict[str, float]:
        """Messages to people; sent and failed since the start."""
        told = self._gateway.desk.notices()
        sent = told["delivered"] + told["taken"]
        lost = told["failed"] + told["in_doubt"]
        return {
            "notices_sent": float(sent),
            "notices_failed": float(lost),
            "notices_waiting": float(max(0, told["handed"] - sent - lost)),
        }

    def _told(self) -> dict[str, float]:
        """What is left out where nobody can say: absent is not zero."""
        g, trusted = self._gateway, machine.clock_trusted()
        told = {}
        if g.broker_dropped is not None:
            told["broker_dropped"] = float(g.broker_dropped)
        if trusted is not None:
            told["clock_trusted"] = float(trusted)
        if self._certificate_ends is not None:
            told["certificate_left"] = machine.seconds_until(self._certificate_ends, g.clock_ns())
        return told

    def _count(self, now_ns: int) -> None:
        """What takes a look at all alerts and homes."""
        g = self._gateway
        waiting = [waited_s(alert, now_ns) for alert in g.desk.book.open_alerts() if unaccepted(alert)]
        homes = [g.desk.homes.homes.get(key) for key in g.pipeline.registry.homes]
        self._counted = {
            "alerts_unaccepted": float(len(waiting)),
            "alert_unaccepted_age": max(waiting, default=0.0),
            "homes_unprotected": float(sum(home is not None and unprotected_ns(home, now_ns) > 0 for home in homes)),
        }
        if time.monotonic() > self._looked + _CERTIFICATES_S:
            self._looked = time.monotonic()
            # Files are read where a disk that stands still holds up nobody; what it says later is told later.
            looking = Thread(target=self._look_at_certificates, name="certificates", daemon=True)
            looking.start()
            looking.join(_PATIENCE_S)

    def _look_at_certificates(self) -> None:
        self._certificate_ends = machine.certificate_ends(machine.certificate_files(self._gateway.settings))

    def entry(self, now_ns: int) -> Readings:
        """The numbers as readings of the gateway. Called in the event loop."""
        self._count(now_ns)
        self._seq += 1
        return own_readings(self._gateway.settings.gateway.id, SITE, self.numbers(), now_ns, self._boot, self._seq)

    def write_readings(self) -> None:
        """Put the numbers into the outbox, like those of any device: how it was while the database was away is told later."""
        g = self._gateway
        if g.full:
            return
        g.pipeline.work.data.append(self.entry(g.clock_ns()))
        g.committer.soon()

    def collect(self) -> Iterator[Metric]:
        """Prometheus asks; runs in the metrics server's thread."""
        g = self._gateway
        totals = g.totals()
        messages = CounterMetricFamily("kanhu_messages", "Messages by how they ended", labels=["outcome"])
        for outcome in _OUTCOMES:
            messages.add_metric([outcome], totals.get(f"messages_{outcome}", 0))
        yield messages
        for name in sorted(totals.keys() - {f"messages_{o}" for o in _OUTCOMES}):
            yield CounterMetricFamily(f"kanhu_{name}", name.replace("_", " "), value=totals[name])
        devices = CounterMetricFamily("kanhu_device_messages", "Messages of a device", labels=["site", "device", "outcome"])
        heard = GaugeMetricFamily(
            "kanhu_device_heard_timestamp_seconds", "When a device was last heard", labels=["site", "device"]
        )
        for known in list(g.pipeline.states.values()):
            for outcome in ("stored", "duplicate", "dead"):
                devices.add_metric([known.site, known.device, outcome], getattr(known.counters, outcome))
            heard.add_metric([known.site, known.device], known.heard_ns / 1e9)
        yield devices
        yield heard
        for name, value in self.numbers().items():
            if not name.startswith("messages_") and name not in _OTHERWISE:
                yield GaugeMetricFamily(f"kanhu_{name}", name.replace("_", " "), value=value)
        yield GaugeMetricFamily("kanhu_outbox_bytes", "Size of the outbox", value=g.store.backlog.bytes)
        yield GaugeMetricFamily("kanhu_wal_bytes", "Size of the write-ahead log", value=g.store.wal_bytes())
        yield CounterMetricFamily("kanhu_commits", "Transactions since the start", value=g.committer.commits)
        yield GaugeMetricFamily("kanhu_commit_seconds", "Duration of the last transaction", value=g.committer.commit_s_last)
        yield GaugeMetricFamily(
            "kanhu_write_seconds", "Duration of the last write to the database", value=g.uplink.state.last_write_s
        )
        yield CounterMetricFamily("kanhu_receipts", "Receipts sent since the start", value=g.receipts.sent)
        notices = CounterMetricFamily("kanhu_notices", "Messages to people since the start, by their end", labels=["outcome"])
        for outcome, number in g.desk.notices().items():
            notices.add_metric([outcome], number)
        yield notices
        watched = CounterMetricFamily("kanhu_grafana_alerts", "What Grafana said since the start", labels=["said"])
        for said, number in g.watched.counts.items():
            watched.add_metric([said], number)
        yield watched
        troubles = GaugeMetricFamily("kanhu_trouble", "1 for each trouble an operator should know", labels=["cause"])
        for cause in sorted(g.troubles.now):
            troubles.add_metric([cause], 1.0)
        yield troubles


def own_readings(device: str, site: str, values: dict[str, float], now_ns: int, boot: int, seq: int) -> Readings:
    """What the gateway says of itself, as readings like any other; names as in the catalogue's group `gateway`."""
    unknown = values.keys() - QUANTITIES.keys()
    assert not unknown, unknown
    readings = [Reading(name, value, int(Flag.PASS)) for name, value in values.items()]
    return Readings.of(site, device, "", boot, seq, now_ns, now_ns, "ntp", clock.DEVICE, None, readings)
