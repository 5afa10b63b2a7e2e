"""The month sheet as XLSX: totals, exceptions, and the visits, however many.

XlsxWriter makes the workbook (formats, widths, totals) with empty pages, and the rows are streamed into them here: it takes 4
us a cell, 65 s for a million visits. Every cell of a visit is text or a number, never a formula and never a link.
"""

import io
import re
import tempfile
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from operations.visits.columns import Cell, Column, Row

TOTALS: Final = "汇总 totals"
EXCEPTIONS: Final = "异常 exceptions"
VISITS: Final = "明细 visits"
MEALS: Final = "用餐 meals"
_STREAMED: Final = ((2, EXCEPTIONS), (3, VISITS))
MOST_ROWS: Final = 1_048_576  # of one page, by the format
_GATHER: Final = 500  # rows
_ESCAPED: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


class Book:
    """Writes one workbook. Exceptions and visits may come in any order; `close` puts it together.

    Args:
        made_ns: what the file says of itself; the same rows and time make the same file.
        most_rows: of a page, with its header; more go to a further page.
    """

    def __init__(
        self,
        path: Path,
        visits: Sequence[Column],
        exceptions: Sequence[Column],
        made_ns: int = 0,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._made = datetime.fromtimestamp(made_ns // 1_000_000_000, UTC)
        self._path, self._columns, self._most = path, visits, most_rows
        self._exception_columns = exceptions
        empty = zipfile.ZipFile(self._skeleton(1, [], [(0,)], []))
        self._pattern = {name: _Pattern(empty.read(f"xl/worksheets/sheet{n}.xml")) for n, name in _STREAMED}
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._spool: IO[bytes] = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 (`close` or `abandon`)
        self._exceptions = _Page(self._spool, self._pattern[EXCEPTIONS])
        self._pages = 0
        self._visits = self._next_page()

    def visit(self, row: Row) -> None:
        """One visit."""
        if self._visits.rows >= self._most:
            self._visits.end()
            self._visits = self._next_page()
        self._visits.row(row)

    def exception(self, row: Row) -> None:
        """One exception; what no longer fits on its page is in the CSV file only."""
        if self._exceptions.rows < self._most:
            self._exceptions.row(row)

    def close(
        self,
        info: Sequence[tuple[str, Cell]],
        totals: Sequence[Row],
        columns: Sequence[Column],
        meals: tuple[Sequence[Row], Sequence[Column]] | None = None,
    ) -> None:
        """Put it together: what the sheet is about, and the totals under their columns.

        Args:
            meals: rows and columns of a page of its own; what does not fit on it is in the CSV file only.
        """
        self._visits.end()
        with self._zip.open(_member("xl/worksheets/sheet2.xml"), "w", force_zip64=True) as member:
            self._exceptions.end(closes=False)
            self._spool.seek(0)
            while block := self._spool.read(1 << 20):
                member.write(block)
        self._spool.close()
        with zipfile.ZipFile(self._skeleton(self._pages, info, totals, columns, meals)) as skeleton:
            for name in skeleton.namelist():
                if name not in self._zip.NameToInfo:
                    self._zip.writestr(_member(name), skeleton.read(name))
            for n, page in _STREAMED:
                # The styles of the cells were those of the first skeleton.
                assert _Pattern(skeleton.read(f"xl/worksheets/sheet{n}.xml")).styles == self._pattern[page].styles
        self._zip.close()

    def abandon(self) -> None:
        """Give up the file handles after a failure."""
        self._spool.close()
        self._visits.file.close()
        self._zip.close()

    def _next_page(self) -> "_Page":
        self._pages += 1
        member = self._zip.open(_member(f"xl/worksheets/sheet{2 + self._pages}.xml"), "w", force_zip64=True)
        return _Page(member, self._pattern[VISITS])

    def _skeleton(
        self,
        pages: int,
        info: Sequence[tuple[str, Cell]],
        totals: Sequence[Row],
        columns: Sequence[Column],
        meals: tuple[Sequence[Row], Sequence[Column]] | None = None,
    ) -> io.BytesIO:
        import xlsxwriter

        found = io.BytesIO()
        # constant_memory: texts stand in their cells, not in a list beside the pages that is another in each skeleton.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        book = xlsxwriter.Workbook(found, options)
        book.set_properties({"created": self._made})
        formats = _Formats(book)
        _totals(book.add_worksheet(TOTALS), formats, info, totals, columns)
        _empty(book.add_worksheet(EXCEPTIONS), formats, self._exception_columns)
        for n in range(1, pages + 1):
            _empty(book.add_worksheet(VISITS if n == 1 else f"{VISITS} {n}"), formats, self._columns)
        if meals is not None:
            _page(book.add_worksheet(MEALS), formats, meals[0][: self._most - 1], meals[1])
        book.close()
        return found


def _member(name: str) -> zipfile.ZipInfo:
    """With a fixed time, as XlsxWriter does it."""
    found = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    found.compress_type = zipfile.ZIP_DEFLATED
    found._compresslevel = 1  # type: ignore[attr-defined]
    return found


class _Formats:
    """All formats, made in one order so that their numbers are the same in every skeleton."""

    def __init__(self, book: Any) -> None:
        # "@": a cell that is edited later stays text as well.
        self.text = book.add_format({"num_format": "@"})
        self.number = book.add_format({"num_format": "0"})
        self.title = book.add_format({"bold": True, "bg_color": "#E7EEF0", "bottom": 1, "num_format": "@"})
        self.element = book.add_format({"bold": True, "bg_color": "#CFE6D8", "bottom": 1, "num_format": "@"})
        self.bold = book.add_format({"bold": True, "num_format": "@"})


def _totals(
    sheet: Any, formats: _Formats, info: Sequence[tuple[str, Cell]], rows: Sequence[Row], columns: Sequence[Column]
) -> None:
    # It is printed and signed.
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L制表 made by ____________&C审核 checked by ____________&R日期 date ____________")
    # Numbers of formats follow their first use: this line is the same in every skeleton.
    sheet.write_string(0, 0, "上门台账月报表 month sheet of visits", formats.title)
    for n, name in enumerate(("text", "number", "element", "bold"), 1):
        sheet.write_blank(0, n, None, getattr(formats, name))
    at = 1
    for label, value in info:
        sheet.write_string(at, 0, label, formats.bold)
        _write(sheet, at, 1, value, formats)
        at += 1
    at += 1
    for n, column in enumerate(columns):
        sheet.set_column(n, n, column.width)
        sheet.write_string(at, n, column.title, formats.title)
    for row in rows:
        at += 1
        for n, cell in enumerate(row):
            _write(sheet, at, n, cell, formats)


def _write(sheet: Any, at: int, n: int, cell: Cell, formats: _Formats) -> None:
    if isinstance(cell, str):
        sheet.write_string(at, n, cell, formats.text)
    else:
        sheet.write_number(at, n, cell, formats.number)


def _page(sheet: Any, formats: _Formats, rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """A page with few rows."""
    for n, column in enumerate(columns):
        sheet.set_column(n, n, column.width)
        sheet.write_string(0, n, column.title, formats.title)
    for at, row in enumerate(rows, 1):
        for n, cell in enumerate(row):
            _write(sheet, at, n, cell, formats)
    sheet.freeze_panes(1, 2)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, len(rows), len(columns) - 1)


def _empty(sheet: Any, formats: _Formats, columns: Sequence[Column]) -> None:
    """A page with its header and one row of formats, which the stream replaces."""
    for n, column in enumerate(columns):
        sheet.set_column(n, n, column.width)
        sheet.write_string(0, n, column.title, formats.element if column.element else formats.title)
    for n, column in enumerate(columns):
        sheet.write_blank(1, n, None, formats.number if column.number else formats.text)
    sheet.freeze_panes(1, 2)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


class _Pattern:
    """What stands before and after the rows of a page, and the style of each column."""

    def __init__(self, page: bytes) -> None:
        text = re.sub(r"<dimension [^>]*/>", "", page.decode())
        row = re.search(r'<row r="2".*?</row>', text)
        assert row is not None
        self.styles = re.findall(r'<c r="([A-Z]+)2" s="(\d+)"/>', row[0])
        self.before, self.after = text[: row.start()].encode(), text[row.end() :].encode()
        assert self.after.startswith(b"</sheetData>")


class _Page:
    """Rows of one page, streamed as XML."""

    def __init__(self, file: IO[bytes], pattern: _Pattern) -> None:
        self.file, self._pattern = file, pattern
        self.rows = 1
        self._columns = [
            (f'<c r="{letters}', f'" s="{style}" t="inlineStr"><is><t>', f'" s="{style}"><v>')
            for letters, style in pattern.styles
        ]
        self._gathered: list[str] = []
        file.write(pattern.before)

    def row(self, cells: Row) -> None:
        """One row."""
        self.rows += 1
        at = str(self.rows)
        out = self._gathered
        out.append(f'<row r="{at}">')
        for (start, text, number), cell in zip(self._columns, cells, strict=True):
            if cell.__class__ is int:
                out.append(f"{start}{at}{number}{cell}</v></c>")
            elif cell:
                out.append(f"{start}{at}{text}{escaped(cell)}</t></is></c>")  # type: ignore[arg-type]
        out.append("</row>")
        if self.rows % _GATHER == 0:
            self._flush()

    def end(self, closes: bool = True) -> None:
        """The rest of the page."""
        self._flush()
        first, last = self._pattern.styles[0][0], self._pattern.styles[-1][0]
        head, tail = self._pattern.after[:12], self._pattern.after[12:]
        self.file.write(head + f'<autoFilter ref="{first}1:{last}{self.rows}"/>'.encode() + tail)
        if closes:
            self.file.close()

    def _flush(self) -> None:
        self.file.write("".join(self._gathered).encode())
        self._gathered.clear()


def escaped(text: str) -> str:
    """As XML, with what Excel would decode again (`_x0041_`) kept as it is; `columns.clean` wrote control characters out."""
    if "&" in text or "<" in text or ">" in text:
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _ESCAPED.sub("_x005F_", text) if "_x" in text else text
