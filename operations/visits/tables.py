"""Rows out of a CSV or XLSX file with the headers people use; nothing here knows what a plan is."""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Misconfigured
from operations.visits.cells import Bad, text

MOST_BYTES: Final = 20_000_000
MOST_ROWS: Final = 50_000
_MOST_COLUMNS: Final = 60
_HEADER_WITHIN: Final = 10  # rows; above it may stand a title


@dataclass(frozen=True, slots=True)
class Row:
    """One row under its header.

    Attributes:
        where: `plan.xlsx, sheet 计划, row 7`.
        cells: column -> what stands there; empty cells are left out.
    """

    where: str
    cells: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table of a file; `name` is "" in a CSV file.  rows: (number as the office program shows it, cells)."""

    file: str
    name: str
    rows: Sequence[tuple[int, Sequence[Any]]]

    def at(self, number: int) -> str:
        """`plan.xlsx, sheet 计划, row 7`."""
        return f"{self.file}, " + (f"sheet {self.name}, " if self.name else "") + f"row {number}"


class Problems:
    """Everything that is wrong with a file, told at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, where: str, what: str) -> None:
        """One more."""
        self.lines.append(f"{where}: {what}")

    def end(self, file: str) -> None:
        """Raises Misconfigured when there is any."""
        if not self.lines:
            return
        shown = self.lines[:50]
        if len(self.lines) > len(shown):
            shown.append(f"and {len(self.lines) - len(shown):,} more")
        count = f"{len(self.lines):,} problem{'s' if len(self.lines) > 1 else ''} in {file}; nothing was imported"
        raise Misconfigured("\n  ".join([count, *shown]), "mend them all and import again")


def sheets(path: Path) -> list[Sheet]:
    """All tables of a .csv or .xlsx file.

    Raises:
        Misconfigured: it is neither, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise Misconfigured(f"{path} has {size:,} bytes", f"split it into files below {MOST_BYTES:,} bytes")
        if path.suffix.lower() == ".xlsx":
            return _xlsx(path)
        if path.suffix.lower() in (".csv", ".txt", ".tsv"):
            return [Sheet(path.name, "", list(_capped(path, _csv(path.read_bytes(), path))))]
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error}", "give the path of a .csv or .xlsx file") from error
    raise Misconfigured(f"{path} is neither .csv nor .xlsx", "save it as one of them (另存为 .xlsx)")


def _csv(data: bytes, path: Path) -> Iterator[Sequence[Any]]:
    if data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
        raise Misconfigured(f"{path} is an Excel file with another ending", "save it as .xlsx, or as real CSV")
    try:
        found = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        try:
            found = data.decode("gb18030")  # what a Chinese Excel writes as CSV
        except UnicodeDecodeError as error:
            raise Misconfigured(f"{path} is neither UTF-8 nor GB 18030: {error}", "save it as .xlsx or CSV UTF-8") from None
    first = next((line for line in found.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=first.count)
    try:
        yield from csv.reader(io.StringIO(found, newline=""), delimiter=delimiter)
    except csv.Error as error:
        raise Misconfigured(f"{path} is no CSV: {error}", "save it as .xlsx or CSV UTF-8") from None


def _xlsx(path: Path) -> list[Sheet]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except OSError:
        raise
    except Exception as error:  # openpyxl has no common error of its own
        raise Misconfigured(f"{path} is no .xlsx file: {str(error)[:200]}", "open and save it as .xlsx once more") from None
    try:
        found = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its own size may be a million empty columns
            rows = _capped(path, sheet.iter_rows(values_only=True, max_col=_MOST_COLUMNS))
            found.append(Sheet(path.name, str(sheet.title), list(rows)))
        return found
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Misconfigured(f"{path} cannot be read: {str(error)[:200]}", "open and save it as .xlsx once more") from None
    finally:
        book.close()


def _capped(path: Path, rows: Iterable[Sequence[Any]]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Rows that have anything in them, with their numbers."""
    for number, row in enumerate(rows, 1):
        if number > MOST_ROWS:
            raise Misconfigured(f"{path} has more than {MOST_ROWS:,} rows", "split it")
        if any(text(cell) for cell in row):
            yield number, row


def plain(header: Any) -> str:
    """A header as it is looked up: `开始 (时:分)` and `Start time` become 开始 and starttime."""
    found = unicodedata.normalize("NFKC", text(header)).lower()
    return re.sub(r"\(.*?\)|[\s_*:.-]", "", found)


def read(sheet: Sheet, names: Mapping[str, Sequence[str]], problems: Problems) -> list[Row]:
    """Rows under the header, which is the first of the upper rows that has two columns we know.

    Args:
        names: column -> headers it is known by.
    """
    known = {plain(name): column for column, also in names.items() for name in (column, *also)}
    header = _header(sheet, known)
    if header is None:
        wanted = ", ".join(f"{also[0]} ({column})" for column, also in names.items())
        problems.add(sheet.at(1), f"no row of column names was found; known are: {wanted}")
        return []
    at, titles = header
    columns: dict[int, str] = {}
    for n, title in enumerate(titles):
        if not text(title):
            continue
        found = known.get(plain(title))
        if found is None:
            problems.add(sheet.at(at), f"the column {text(title)[:40]!r} is not known; known are: {', '.join(names)}")
        elif found in columns.values():
            problems.add(sheet.at(at), f"the column {found} is there twice")
        else:
            columns[n] = found
    return [_row(sheet, number, cells, columns, problems) for number, cells in sheet.rows if number > at]


def _header(sheet: Sheet, known: Mapping[str, str]) -> tuple[int, Sequence[Any]] | None:
    for number, cells in sheet.rows:
        if number > _HEADER_WITHIN:
            break
        if sum(1 for cell in cells if plain(cell) in known) >= 2:
            return number, cells
    return None


def _row(sheet: Sheet, number: int, cells: Sequence[Any], columns: Mapping[int, str], problems: Problems) -> Row:
    for n, cell in enumerate(cells):
        if n not in columns and text(cell):
            problems.add(sheet.at(number), f"{text(cell)[:40]!r} stands in a column without a name")
    found = {column: cells[n] for n, column in columns.items() if n < len(cells) and text(cells[n])}
    return Row(sheet.at(number), found)


def value(row: Row, column: str, read_cell: Any, default: Any, problems: Problems) -> Any:
    """The cell by `read_cell`; the default when it is empty or bad, which then is a problem."""
    if column not in row.cells:
        return default
    try:
        return read_cell(row.cells[column])
    except Bad as error:
        problems.add(f"{row.where}, {column}", str(error))
        return default
