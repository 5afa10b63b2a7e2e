"""`kanhu ingest setup`: makes what a database needs before the first write; a second run finds it all and mends what is gone.

InfluxDB 2
    The server is taken into use if it is new (its admin password is made here and written to `influx-admin.password`, mode
    0600: move it off this machine afterwards). Organisation, two buckets, each with a DBRP mapping of its own name for
    InfluxQL: `<bucket>` forgets readings after `retention_days`, `<bucket>_rollups` keeps hourly and daily roll-ups for ever.
    Three tokens, each in a file of mode 0600 and never printed:

    gateway   write `<bucket>`, nothing else: it is in use all day
    rollups   read `<bucket>`, write `<bucket>_rollups`
    reader    read both: Grafana, export, console
InfluxDB 1
    The two databases. Users and their rights are the administrator's.
InfluxDB 3, VictoriaMetrics, embedded
    Nothing: they make a database at the first write, and retention is an option of the server.

A retention that is already set to something else is told and left alone: changing it may delete data.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Influx, Settings
from ingest.influxql import InfluxReader
from ingest.rows import rollup_database

ROLLUP_SHARD_D: Final = 91  # a year of roll-ups is asked for at once: in the usual 7 days it would lie in 53 pieces
RETENTION_DAYS: Final = 400  # a year and a month, so that a day can be laid beside the same day of last year
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class State(StrEnum):
    """What became of a step."""

    EXISTS = "exists"
    MADE = "made"
    REPLACED = "replaced"
    WOULD_MAKE = "would make"
    DIFFERS = "differs"  # it is there, but otherwise than asked; left alone


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a database needs; `detail` never holds a secret."""

    what: str
    state: State
    detail: str = ""


def setup(
    settings: Settings, *, admin_token: str = "", retention_days: int = RETENTION_DAYS, dry_run: bool = False
) -> list[Step]:
    """Make what is missing and tell what was found, in order.

    Args:
        admin_token: of an InfluxDB 2 that is already in use; used for this call and kept nowhere. Else the password that an
            earlier run wrote is used.
        retention_days: for the readings; 0: for ever. The roll-ups always stay.
        dry_run: change nothing, tell what would be made.

    Raises:
        Unavailable: the server does not answer; call again.
        Misconfigured: a person must act; says how.
    """
    influx = settings.influx
    if not influx.url:
        return [Step("embedded store", State.EXISTS, f"nothing to set up; {settings.readings_file} is made at the first write")]
    for name in (influx.bucket, influx.org):
        if _NAME.fullmatch(name) is None:
            raise Misconfigured(f"{name[:60]!r} cannot name a bucket or organisation", "letters, digits, _ . - and at most 100")
    if influx.kind == "influxdb2":
        # influxdb-client takes half a second to import; the other databases do not need it
        from ingest.setup_influxdb2 import InfluxDB2

        return InfluxDB2(settings, admin_token, retention_days, dry_run).steps()
    if influx.kind == "influxdb1":
        return list(_influxdb1(influx, retention_days, dry_run))
    return [
        Step(influx.kind, State.EXISTS, "nothing to set up: it takes the first write; retention is an option of the server")
    ]


def _influxdb1(influx: Influx, retention_days: int, dry_run: bool) -> Iterator[Step]:
    server = InfluxReader(influx)
    have = {row[0] for series in server.ask("", "SHOW DATABASES") for row in series.values}
    for name, days in ((influx.bucket, retention_days), (rollup_database(influx.bucket), 0)):
        wanted = f"{days} d" if days else "for ever"
        if name not in have:
            if not dry_run:
                duration = f"{days}d" if days else "INF"
                shards = f"SHARD DURATION {ROLLUP_SHARD_D}d " if name == rollup_database(influx.bucket) else ""
                list(server.ask("", f'CREATE DATABASE "{name}" WITH DURATION {duration} {shards}NAME "autogen"', "POST"))
            yield Step(f"database {name}", State.WOULD_MAKE if dry_run else State.MADE, f"keeps data {wanted}")
            continue
        policies = [row for series in server.ask("", f'SHOW RETENTION POLICIES ON "{name}"') for row in series.values]
        kept = next((row[1] for row in policies if row[4]), "no default retention policy")
        differs = kept != (f"{days * 24}h0m0s" if days else "0s")
        detail = (
            f"its default retention policy has {kept}, asked was {wanted}; not changed" if differs else f"keeps data {wanted}"
        )
        yield Step(f"database {name}", State.DIFFERS if differs else State.EXISTS, detail)
