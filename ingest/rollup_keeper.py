"""Keeps the roll-ups up to date beside a running gateway: a thread that computes what is due every half minute."""

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Final

from edge_gateway.errors import KanhuError, Misconfigured
from edge_gateway.events import Entry
from edge_gateway.registry import Registry
from edge_gateway.settings import Settings
from edge_gateway.sink import Refusal, Sink
from ingest.rollups import FILE, RollupSink, open_rollups
from ingest.sinks import PointSink

log = logging.getLogger(__name__)

EVERY_S: Final = 30.0
_STOP_S: Final = 5.0


def with_rollups(settings: Settings, sink: PointSink) -> Sink:
    """The sink with roll-ups and the thread that computes them; the sink alone where the database cannot be read back.

    Nor where the file of what is out of date cannot be opened: a gateway that does not start hears no SOS.
    """
    try:
        return RollupKeeper(open_rollups(settings, sink))
    except Misconfigured as error:
        log.warning("no hourly and daily roll-ups: %s", error)
    except (sqlite3.Error, OSError) as error:
        what_to_do = "move it away, restart, and compute the time until then with `kanhu ingest rollups --from`"
        log.error("no hourly and daily roll-ups: %s: %s; %s", settings.data_dir / FILE, error, what_to_do)
    return sink


class RollupKeeper:
    """A `Sink`. A database that is away stops nothing: what is not computed stays marked."""

    def __init__(self, sink: RollupSink, every_s: float = EVERY_S) -> None:
        self.name = sink.name
        self._sink, self._every_s = sink, every_s
        self._stop = threading.Event()
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="rollups", daemon=True)
        self._thread.start()

    def expect(self, registry: Registry) -> None:
        """See `Expecting.expect`."""
        self._sink.expect(registry)

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        """See `Sink.write`."""
        return self._sink.write(entries)

    def tell(self, entries: Sequence[Entry]) -> list[Refusal]:
        """See `Teller.tell`."""
        return self._sink.tell(entries)

    def erase(self, site: str, place: str, devices: Sequence[str]) -> int:
        """See `Eraser.erase`."""
        return self._sink.erase(site, place, devices)

    def forget(self, measurement: str, before_ns: int) -> int:
        """See `Eraser.forget`."""
        return self._sink.forget(measurement, before_ns)

    def close(self) -> None:
        """Ends the thread first; a range that is being computed stays marked."""
        self._stop.set()
        self._thread.join(_STOP_S)
        self._sink.close()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._sink.recompute_due(time.time_ns())
                self._tell("")
            except KanhuError as error:
                self._tell(str(error))
            except Exception:
                # A fault of our own must not end the roll-ups for good; what failed stays marked.
                log.exception("roll-ups: unexpected")

    def _tell(self, trouble: str) -> None:
        """Once when they stop, once when they are back."""
        if bool(trouble) != bool(self._trouble):
            log.warning("roll-ups wait: %s", trouble) if trouble else log.info("roll-ups: well again")
        self._trouble = trouble
