"""The embedded store as a `Reader`: its single values, put together to the lines they came in."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from ingest.embedded import Reader as Values
from ingest.embedded import Stored
from ingest.points import CALIBRATION, FLAG, RAW, TAGS
from ingest.rows import Row, checked


class EmbeddedReader:
    """See `Reader`; every call opens the file anew, also while the gateway in another process writes it."""

    def __init__(self, file: Path) -> None:
        self._values = Values(file)

    def rows(
        self, measurement: str, start_ns: int, end_ns: int, site: str | None = None, device: str | None = None
    ) -> Iterator[Row]:
        """See `Reader.rows`."""
        checked(measurement, site, device)
        stored = self._values.read(measurement, start_ns, end_ns, site, device)
        # series[1:-1]: measurement and tags, without the number and the field
        return (_row(time_ns, line) for (_, time_ns), line in groupby(stored, key=lambda s: (s.series[1:-1], s.time_ns)))

    def span(self, measurement: str) -> tuple[int, int] | None:
        """See `Reader.span`."""
        checked(measurement, None, None)
        return self._values.span(measurement)

    def close(self) -> None:
        """Nothing stays open between calls."""


def _row(time_ns: int, line: Iterable[Stored]) -> Row:
    tags: dict[str, str] = {}
    fields: dict[str, float | int | str] = {}
    for series, _, value, flag, raw, calibration in line:
        name = series.field
        tags = tags or {tag: told for tag, told in zip(TAGS, series[2:-1], strict=True) if told}
        told = ((name, value), (name + FLAG, flag), (name + RAW, raw), (name + CALIBRATION, calibration))
        fields.update((key, something) for key, something in told if something is not None)
    return Row(time_ns, tags, fields)
