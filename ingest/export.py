"""`kanhu export`: what is stored as CSV or Parquet, streamed, so that a year needs no more memory than an hour."""

import csv
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from edge_gateway.errors import Misconfigured
from ingest.cells import written
from ingest.rows import Reader
from ingest.tables import TABLES, Cell, Kind, Table, Type, table_rows

WINDOW_NS: Final = 7 * 86_400_000_000_000  # one query, as long as one of InfluxDB's shards
ROWS_AT_ONCE: Final = 50_000  # also a Parquet row group: about 10 MB while it is built

Progress = Callable[[int, int], None]
"""Called with (done, total) parts; the part is the caller's business only as a share."""


class _Writer(Protocol):
    def write(self, rows: list[tuple[Cell, ...]]) -> None: ...

    def close(self) -> None: ...


def export(
    reader: Reader,
    path: Path,
    kind: Kind = Kind.READINGS,
    start_ns: int | None = None,
    end_ns: int | None = None,
    *,
    site: str | None = None,
    device: str | None = None,
    progress: Progress = lambda done, total: None,
) -> int:
    """Write start_ns <= time < end_ns (None: from the first, to the last) to `path`; return the number of rows.

    The ending says the format, `.csv` or `.parquet`. Until it is whole the file is `<path>.part`; a file that is there is
    replaced. The order is by measurement, week, series and time, the same at every call.

    Raises:
        Unavailable, Misconfigured: as `Reader.rows`; also for an unknown ending or a path that cannot be written.
    """
    table = TABLES[kind]
    part = path.with_name(path.name + ".part")
    todo = list(_windows(reader, table, start_ns, end_ns))
    count = 0
    try:
        writer = _open(path, part, table)
        try:
            for done, (measurement, start, end) in enumerate(todo):
                progress(done, len(todo))
                stored = reader.rows(measurement, start, end, site, device)
                rows = (cells for row in stored for cells in table_rows(table, row))
                while batch := list(islice(rows, ROWS_AT_ONCE)):
                    writer.write(batch)
                    count += len(batch)
        finally:
            writer.close()
        part.replace(path)
    except OSError as error:
        raise Misconfigured(f"cannot write {path}: {error}", "give a path in a folder that exists and has room") from error
    finally:
        part.unlink(missing_ok=True)
    progress(len(todo), len(todo))
    return count


def _windows(reader: Reader, table: Table, start_ns: int | None, end_ns: int | None) -> Iterator[tuple[str, int, int]]:
    """(measurement, start, end) of the queries: week by week over what there is."""
    for measurement in table.measurements:
        span = reader.span(measurement)
        if span is None:
            continue
        start = span[0] if start_ns is None else max(span[0], start_ns)
        end = span[1] + 1 if end_ns is None else min(span[1] + 1, end_ns)
        while start < end:
            stop = min(end, start - start % WINDOW_NS + WINDOW_NS)
            yield measurement, start, stop
            start = stop


def _open(path: Path, part: Path, table: Table) -> _Writer:
    if path.suffix == ".csv":
        return _Csv(part, table)
    if path.suffix == ".parquet":
        return _Parquet(part, table)
    raise Misconfigured(f"{path.name} ends in {path.suffix or 'nothing'!r}", "end it in .csv or .parquet")


class _Csv:
    """RFC 4180: UTF-8, CRLF, a header. Text that a spreadsheet would run is guarded, see `ingest.cells`."""

    def __init__(self, part: Path, table: Table) -> None:
        self._types = tuple(table.columns.values())
        self._file = part.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, lineterminator="\r\n")
        self._csv.writerow(table.columns)

    def write(self, rows: list[tuple[Cell, ...]]) -> None:
        types = self._types
        self._csv.writerows([written(cell, column) for cell, column in zip(row, types, strict=True)] for row in rows)

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class _Parquet:
    """One row group for each call of `write`."""

    def __init__(self, part: Path, table: Table) -> None:
        # pyarrow takes a quarter of a second and 60 MB, which only an export to Parquet should pay for
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {
            Type.TIME: pa.timestamp("ns", tz="UTC"),
            Type.ID: pa.string(),
            Type.TEXT: pa.string(),
            Type.NUMBER: pa.float64(),
            Type.WHOLE: pa.int64(),
        }
        self._pa = pa
        self._schema = pa.schema([(name, types[column]) for name, column in table.columns.items()])
        self._writer = pq.ParquetWriter(part, self._schema, compression="zstd")

    def write(self, rows: list[tuple[Cell, ...]]) -> None:
        columns = [
            self._pa.array(column, type=field.type) for column, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(self._pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
