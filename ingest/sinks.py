"""Which database the settings name."""

from collections.abc import Sequence
from typing import Protocol

from edge_gateway.settings import Settings
from edge_gateway.sink import Sink
from ingest.embedded import EmbeddedSink
from ingest.influx import InfluxSink
from ingest.points import Point, RefusedPoint


class PointSink(Sink, Protocol):
    """A `Sink` that also takes points that come from no entry, such as roll-ups."""

    def write_points(self, batch: Sequence[Point]) -> list[RefusedPoint]:
        """As `Sink.write`: returns when the database holds every point but the refused ones, and raises the same."""
        ...


def open_sink(settings: Settings) -> PointSink:
    """The database of `influx.url`, or the embedded store when there is none.

    Raises:
        Misconfigured: a secret that cannot be read, an impossible address, a file that cannot be opened.
    """
    if settings.influx.url:
        return InfluxSink(settings.influx)
    return EmbeddedSink(settings.readings_file)
