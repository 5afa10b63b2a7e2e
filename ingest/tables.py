"""What a person may take out and put back: seven tables, their columns, and how a stored row becomes table rows.

`kanhu export` writes them and `kanhu backfill` reads them, so both say the same. One reading is one table row, so that a
spreadsheet can filter by quantity. Times are ISO 8601 in UTC with nine decimals in CSV, nanosecond timestamps in Parquet.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from edge_gateway.catalog import QUANTITIES
from edge_gateway.errors import Misconfigured
from ingest.points import CALIBRATION, FLAG, RAW
from ingest.rows import GROUPS, Row

Cell = float | int | str | None


class Kind(StrEnum):
    """What to export."""

    READINGS = "readings"
    SILENCE = "silence"
    EVENTS = "events"
    LOSSES = "losses"
    STATUSES = "statuses"
    ALERTS = "alerts"
    VISITS = "visits"


class Type(StrEnum):
    """How a column is kept. An ID is a text that needs no care."""

    TIME = "time"
    ID = "id"
    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Table:
    """One kind: the measurements it is made of, its columns, and the column that tells a file of this kind."""

    kind: Kind
    measurements: tuple[str, ...]
    columns: dict[str, Type]
    sign: str


_WHERE: Final = {"time": Type.TIME, "site": Type.ID, "device": Type.ID, "place": Type.ID}
_READING: Final = {
    "channel": Type.ID,
    "quantity": Type.ID,
    "value": Type.NUMBER,
    "text": Type.TEXT,
    "unit": Type.TEXT,
    "flag": Type.WHOLE,
    "raw": Type.NUMBER,
    "calibration": Type.TEXT,
    "time_quality": Type.ID,
    "clock_error_s": Type.NUMBER,
}
_LOSS: Final = {"lost": Type.NUMBER, "boot": Type.WHOLE, "first": Type.WHOLE, "last": Type.WHOLE}
_STATUS: Final = {"online": Type.NUMBER, "boot": Type.WHOLE, "firmware": Type.TEXT}
_ALERT: Final = {
    "rule": Type.ID,
    "severity": Type.ID,
    "alert": Type.TEXT,
    "state": Type.TEXT,
    "by": Type.TEXT,
    "reason": Type.TEXT,
    "waited_s": Type.NUMBER,
}
_VISIT: Final = {
    "kind": Type.ID,
    "channel": Type.ID,
    "visit": Type.TEXT,
    "state": Type.ID,
    "grade": Type.ID,
    "person": Type.ID,
    "courier": Type.ID,
    "counted": Type.NUMBER,
    "reviewing": Type.NUMBER,
    "late_s": Type.NUMBER,
    "reasons": Type.TEXT,
}
# What the gateway says each minute of everything it expects: hundreds of times as much as what devices say.
_SILENCE: Final = ("fleet", "silence", "home")
_EVENT: Final = {"kind": Type.ID, "boot": Type.WHOLE, "seq": Type.WHOLE}

TABLES: Final[dict[Kind, Table]] = {
    # Visits before events, which have a kind too.
    Kind.VISITS: Table(Kind.VISITS, ("visit",), _WHERE | _VISIT, "visit"),
    # Events before readings: a file of events has all columns of readings too.
    Kind.EVENTS: Table(Kind.EVENTS, ("event",), _WHERE | _EVENT | _READING, "kind"),
    # A file of silence comes back as readings, which it is.
    Kind.READINGS: Table(Kind.READINGS, tuple(g for g in GROUPS if g not in _SILENCE), _WHERE | _READING, "quantity"),
    Kind.SILENCE: Table(Kind.SILENCE, _SILENCE, _WHERE | _READING, "quantity"),
    Kind.LOSSES: Table(Kind.LOSSES, ("loss",), _WHERE | _LOSS, "lost"),
    Kind.STATUSES: Table(Kind.STATUSES, ("status",), _WHERE | _STATUS, "online"),
    Kind.ALERTS: Table(Kind.ALERTS, ("alert",), _WHERE | _ALERT, "alert"),
}


def table_of(columns: list[str], source: str) -> Table:
    """The table whose columns these are.

    Raises:
        Misconfigured: none, or there is a column that no table has (a spelling mistake would lose it silently).
    """
    table = next((t for t in TABLES.values() if t.sign in columns), None)
    if table is None:
        raise Misconfigured(f"{source}: columns {columns[:20]} are of no table", "export a small range and use its header")
    unknown = [name for name in columns if name not in table.columns and name not in REFUSAL_COLUMNS]
    missing = [name for name in ("time", "site", "device", table.sign) if name not in columns]
    if unknown or missing or len(set(columns)) < len(columns):
        wrong = f"unknown {unknown}, missing {missing}" if unknown or missing else "a column is there twice"
        raise Misconfigured(f"{source}: {wrong}", f"{table.kind} have {', '.join(table.columns)}")
    return table


REFUSAL_COLUMNS: Final = ("line", "refused_for", "detail")
"""Added to a file of refused rows, and left unread when such a file comes back mended."""


def table_rows(table: Table, row: Row) -> Iterator[tuple[Cell, ...]]:
    """The rows of one stored line, in the order of `table.columns`; the time is ns."""
    known: dict[str, Cell] = {"time": row.time_ns, **row.tags, **row.fields}
    if "quantity" not in table.columns:
        yield tuple([known.get(name) for name in table.columns])
        return
    for name in sorted(row.fields):
        if not name.endswith(FLAG):
            continue
        quantity = name.removesuffix(FLAG)
        value = row.fields.get(quantity)
        about = QUANTITIES.get(quantity)
        known["quantity"] = quantity
        known["value"], known["text"] = (None, value) if isinstance(value, str) else (value, None)
        known["unit"] = about.unit if about else ""
        known["flag"] = row.fields[name]
        known["raw"] = row.fields.get(quantity + RAW)
        known["calibration"] = row.fields.get(quantity + CALIBRATION)
        yield tuple([known.get(column) for column in table.columns])


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS: Final = 1_000_000_000
_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def iso(time_ns: int) -> str:
    """`2026-05-01T08:00:00.000000001Z`."""
    seconds, ns = divmod(time_ns, _SECOND_NS)
    return f"{_clock(seconds)}.{ns:09d}Z"


@lru_cache(maxsize=1024)
def _clock(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def parse_iso(text: str) -> int:
    """Integer ns of a time with zone and up to nine decimals.

    Raises:
        ValueError: anything else, a time without a zone included.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is no time such as 2026-05-01T08:00:00.000000001Z")
    whole, decimals, zone = match.groups()
    return _seconds(whole + zone) * _SECOND_NS + int((decimals or "0").ljust(9, "0"))


@lru_cache(maxsize=1024)
def _seconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(seconds=1)
