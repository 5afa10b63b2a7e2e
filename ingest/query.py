"""Opens the one way to read what is stored, whichever database holds it."""

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from ingest.embedded_query import EmbeddedReader
from ingest.influxql import InfluxReader
from ingest.rows import Reader, Row
from ingest.tokens import in_role

__all__ = ["Reader", "Row", "open_reader"]


def open_reader(settings: Settings, role: str = "reader") -> Reader:
    """A reader of the database these settings name; with InfluxDB, `role` says whose token it uses (`ingest.tokens`).

    Raises:
        Misconfigured: this database cannot be read back exactly, or others may read the token's file.
    """
    if not settings.influx.url:
        return EmbeddedReader(settings.readings_file)
    if settings.influx.kind == "victoriametrics":
        raise Misconfigured(
            "VictoriaMetrics has no InfluxQL, keeps milliseconds and drops texts: it can be written, not read back",
            "to export and for roll-ups use InfluxDB, or the embedded store (leave influx.url empty)",
        )
    return InfluxReader(in_role(settings, role))
