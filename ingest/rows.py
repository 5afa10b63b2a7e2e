"""What a reader gives: rows of one measurement, streamed; the vocabulary of everything that reads."""

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from edge_gateway.catalog import NOT_SUMMED, QUANTITIES
from edge_gateway.errors import Misconfigured
from edge_gateway.topics import ID

GROUPS: Final = tuple(dict.fromkeys(q.group for q in QUANTITIES.values() if q.group != "event"))
"""Measurements that hold readings."""
SUMMED: Final = tuple(group for group in GROUPS if group not in NOT_SUMMED)
"""Those that have roll-ups, `<group>_1h` and `<group>_1d`."""
HOURLY: Final = "_1h"
DAILY: Final = "_1d"
VISIT: Final = "visit"
"""Counted by the day: `visit_1d`, see `ingest.visit_days`."""
ROLLED: Final = (*(group + ending for group in SUMMED for ending in (HOURLY, DAILY)), VISIT + DAILY)
"""All roll-ups."""
MEASUREMENTS: Final = frozenset({*GROUPS, "event", "loss", "status", "alert", VISIT, *ROLLED})


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line as it is stored; what its tags and fields mean is said in `ingest.points`.

    Attributes:
        time_ns: exact, since 1970 UTC.
        tags: without those that are empty.
        fields: without those that are missing; float, int or str as the schema says, never as JSON happened to print it.
    """

    time_ns: int
    tags: dict[str, str]
    fields: dict[str, float | int | str]


class Reader(Protocol):
    """What may be asked of a database. Every call blocks; one reader serves one thread."""

    def rows(
        self, measurement: str, start_ns: int, end_ns: int, site: str | None = None, device: str | None = None
    ) -> Iterator[Row]:
        """Rows with start_ns <= time < end_ns: series by series, in an order that only the tags decide; by time within one.

        Memory stays bounded however long the range. A generator that is not read to its end must be closed.

        Raises:
            Unavailable: away, busy, or the answer broke off; the rows so far were right but not all.
            Misconfigured: wrong token, no such database, or an argument that is no id.
        """
        ...

    def span(self, measurement: str) -> tuple[int, int] | None:
        """Times of the first and last row, ns; None when there is none. Raises as `rows`."""
        ...

    def close(self) -> None:
        """Give back connections and files; a second call does nothing."""
        ...


def checked(measurement: str, site: str | None, device: str | None) -> None:
    """Let nothing into a query that is not a name of ours.

    Raises:
        Misconfigured: says which argument.
    """
    if measurement not in MEASUREMENTS:
        raise Misconfigured(f"there is no measurement {measurement[:60]!r}", f"known are {', '.join(sorted(MEASUREMENTS))}")
    for name, value in (("site", site), ("device", device)):
        if value is not None and ID.fullmatch(value) is None:
            raise Misconfigured(f"{name} {value[:60]!r} is no id", "a-z, 0-9, - and _, at most 48 characters")


def is_integer(field: str) -> bool:
    """Whether the schema stores `field` as an integer; other numbers are floats. JSON prints both alike."""
    return field in _INTEGERS or field.endswith(_INTEGER_SUFFIXES)


_INTEGERS: Final = frozenset({"boot", "seq", "first", "last", "expected"})
_INTEGER_SUFFIXES: Final = ("_flag", "_count", "_bad")


def rollup_database(bucket: str) -> str:
    """The bucket (InfluxDB 1 and 3: database) of the roll-ups: one of its own, so that they outlive the readings."""
    return f"{bucket}_rollups"
