"""The demo's books: what devices measured against what lies in the database, counted there, row by row."""

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_gateway.errors import Unavailable
from ingest.embedded_file import open_for_reading

Key = tuple[str, str]

# Readings only: losses, states, alerts and roll-ups have plain fields, without a flag.
_COUNT: Final = """
SELECT series.site, series.device, count(*) FROM reading JOIN series ON series.id = reading.series
WHERE reading.flag IS NOT NULL GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Group:
    """Devices of one kind."""

    kind: str
    devices: int
    online: int
    generated: int
    pending: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What those who send know of it.

    Attributes:
        generated, receipted, pending, lost, refused: messages; lost are declared, refused were named in a receipt.
        readings: single values measured.  open_readings: of these, in messages that no receipt has freed.
        told: (seconds since the start, what happened), oldest first.
        problem: why a connection is down; "" when none is.
        done: the plan has ended and every outbox is empty, or was given up.
    """

    groups: tuple[Group, ...] = ()
    generated: int = 0
    receipted: int = 0
    pending: int = 0
    lost: int = 0
    refused: int = 0
    readings: int = 0
    open_readings: int = 0
    told: tuple[tuple[float, str], ...] = ()
    problem: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """generated == stored + on_the_way + missing, in readings.

    Attributes:
        missing: receipted, and yet not in the database.
        exact: nothing waited in the outbox and nothing was declared lost, so `missing` is the whole truth.
    """

    generated: int
    stored: int
    on_the_way: int
    missing: int
    exact: bool


def count_stored(readings_file: Path, devices: Collection[Key]) -> int:
    """How many readings of these devices the embedded database holds. Reads them all.

    Raises:
        Unavailable: there is no such file yet.
    """
    db = open_for_reading(readings_file)
    try:
        return sum(n for site, device, n in db.execute(_COUNT) if (site, device) in devices)
    except sqlite3.Error as error:
        raise Unavailable(f"{readings_file}: {error}") from error
    finally:
        db.close()


def balance(sent: Sent, outbox_entries: int, stored: int) -> Balance:
    """Lay the books side by side. They were read in this order: `sent`, then the outbox, then the database.

    So whatever had a receipt in `sent` was in the outbox or the database when these were read, and nothing is accused wrongly.
    """
    exact = outbox_entries == 0 and sent.lost + sent.refused == 0
    missing = max(0, sent.readings - sent.open_readings - stored) if exact else 0
    known = min(stored, sent.readings)
    return Balance(sent.readings, known, sent.readings - known - missing, missing, exact)
