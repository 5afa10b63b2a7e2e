"""The CSV twin of a sheet: UTF-8 with the mark that Excel looks for, and no cell that a spreadsheet takes for a formula."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from operations.visits.columns import Cell, neutral


class CsvTable:
    """Writes one table; use it as a context."""

    def __init__(self, path: Path, *rows_before: Sequence[Cell]) -> None:
        self._file = path.open("w", encoding="utf-8-sig", newline="")
        self._writer = csv.writer(self._file)
        for row in rows_before:
            self.row(row)

    def row(self, cells: Sequence[Cell]) -> None:
        """One row."""
        self._writer.writerow([neutral(cell) if isinstance(cell, str) else cell for cell in cells])

    def __enter__(self) -> "CsvTable":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def rows(path: Path) -> Iterator[list[str]]:
    """Rows as they stand in a file.

    Raises:
        UnicodeDecodeError, csv.Error: it is no CSV in UTF-8.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.reader(file)
