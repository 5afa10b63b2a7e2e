"""Reads the rows of an exported (or hand-made) CSV or Parquet file as a stream."""

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edge_gateway.errors import Misconfigured
from ingest.cells import unguard
from ingest.entries import FileRow, RefusedRow
from ingest.tables import Table, Type, table_of


class File(Protocol):
    """A file of one table."""

    table: Table
    columns: list[str]
    size: int  # in parts, as `done` counts them

    def rows(self) -> Iterator[FileRow | RefusedRow]:
        """From the beginning; a row that cannot be read is a refusal, and the next one follows."""
        ...

    def done(self) -> int:
        """How many parts have been read, about: bytes of a CSV, rows of a Parquet file."""
        ...

    def close(self) -> None: ...


def open_file(path: Path) -> File:
    """The reader for the file's ending.

    Raises:
        Misconfigured: no such file, unknown ending, or columns that are of no table.
    """
    try:
        if path.suffix == ".csv":
            return _Csv(path)
        if path.suffix == ".parquet":
            return _Parquet(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"cannot read {path}: {error}", "give a CSV or Parquet file") from error
    raise Misconfigured(f"{path.name} ends in {path.suffix or 'nothing'!r}", "end it in .csv or .parquet")


class _Csv:
    """UTF-8, with or without a byte order mark; bytes that are not UTF-8 refuse their row only."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("rb", buffering=0)
        self.size = os.fstat(self._raw.fileno()).st_size
        buffered = io.BufferedReader(self._raw, 1 << 16)
        self._text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._csv = csv.reader(self._text, strict=True)
        try:
            self.columns = next(self._csv, [])
            self.table = table_of(self.columns, path.name)
        except BaseException:
            self.close()
            raise
        self._texts = [name for name in self.columns if self.table.columns.get(name) is Type.TEXT]

    def rows(self) -> Iterator[FileRow | RefusedRow]:
        while True:
            try:
                cells = next(self._csv)
            except StopIteration:
                return
            except csv.Error as error:  # a quote out of place, a cell of more than 128 KiB
                yield RefusedRow(FileRow(self._csv.line_num, {}), "malformed_row", str(error))
                continue
            if not cells:
                continue
            row = FileRow(self._csv.line_num, dict(zip(self.columns, cells, strict=False)))
            for name in self._texts:
                row.cells[name] = unguard(row.cells.get(name, ""))
            if len(cells) != len(self.columns):
                yield RefusedRow(row, "malformed_row", f"{len(cells)} cells; the header has {len(self.columns)}")
            else:
                yield row

    def done(self) -> int:
        return self._raw.tell()

    def close(self) -> None:
        self._text.close()


class _Parquet:
    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa, self._name, self._count = pa, path.name, 0
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise Misconfigured(f"cannot read {path}: {error}", "give a CSV or Parquet file") from error
        self.size = self._file.metadata.num_rows
        self.columns = list(self._file.schema_arrow.names)
        self.table = table_of(self.columns, path.name)
        if not pa.types.is_timestamp(self._file.schema_arrow.field("time").type):
            raise Misconfigured(f"{path.name}: column time is no timestamp", "write it as timestamp[ns, UTC]")

    def rows(self) -> Iterator[FileRow | RefusedRow]:
        try:
            yield from self._rows()
        except (OSError, self._pa.ArrowException) as error:
            hint = "what came before is stored; write the file anew"
            raise Misconfigured(f"{self._name} is damaged after row {self._count}: {error}"[:300], hint) from error

    def _rows(self) -> Iterator[FileRow]:
        pa = self._pa
        for batch in self._file.iter_batches(batch_size=5000):
            columns = [
                column.cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64()).to_pylist()
                if self.table.columns.get(name) is Type.TIME
                else column.to_pylist()
                for name, column in zip(self.columns, batch.columns, strict=True)
            ]
            for cells in zip(*columns, strict=True):
                self._count += 1
                yield FileRow(self._count, dict(zip(self.columns, cells, strict=True)))

    def done(self) -> int:
        return self._count

    def close(self) -> None:
        self._file.close()
