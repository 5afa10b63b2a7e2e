"""Checks a month sheet with nothing but its files: recomputes the chain, makes every row again from the entries, and compares.

What differs is told as (file, row, field, seen, expected). Rows are found by their visit: a sheet that was sorted is as good.
"""

import contextlib
import csv
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_gateway.errors import Misconfigured
from operations.visits import chain_file, columns, csv_file, xlsx_file
from operations.visits.cells import text
from operations.visits.columns import neutral
from operations.visits.compare import Lines, Report, Table
from operations.visits.expected import Expected

_TWIN: Final = re.compile(r"(?P<stem>.*?)(?:-(?:visits|exceptions|totals|meals)\.csv|\.xlsx|\.chain\.jsonl(?:\.gz)?)")
_DECODED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SHORTEST: Final = 12  # hex digits of a head hash


def verify(paths: Sequence[Path], head: str = "") -> Report:
    """Check the files of one sheet; its chain file is looked for beside them.

    Args:
        head: the hash that was printed, or its first 12 digits or more.
    Raises:
        Misconfigured: a file cannot be read, or no chain file is there.
    """
    wanted = head.strip().lower()
    if wanted and re.fullmatch(rf"[0-9a-f]{{{_SHORTEST},64}}", wanted) is None:
        raise Misconfigured(f"{head[:80]!r} is no hash", f"give the printed one, {_SHORTEST} digits or more")
    with contextlib.ExitStack() as stack:
        files = _unpacked(paths, stack)
        chain_path = _chain(files)
        tables = [path for path in files if path != chain_path] or _twins(chain_path)
        try:
            file = stack.enter_context(chain_path.open("rb"))
        except OSError as error:
            raise Misconfigured(f"{chain_path} cannot be read: {error}", "give the chain file too") from error
        reader = chain_file.Reader(file, chain_path.name)
        report = Report(reader.head)
        expected = stack.enter_context(Expected(_checked_head(reader.head, chain_path)))
        _read_chain(reader, expected, report)
        _check_end(report, chain_path.name, wanted)
        for path in tables:
            _table(path, expected, report)
    return report


def _checked_head(head: chain_file.Head, path: Path) -> chain_file.Head:
    try:
        ZoneInfo(head.zone)
        if head.language not in columns.YES or not re.fullmatch(r"\d{4}-\d\d", head.month) or len(head.previous) != 64:
            raise ValueError
        bytes.fromhex(head.previous)
    except (ValueError, OSError, LookupError):
        raise Misconfigured(f"the first line of {path.name} makes no sense", "give the file as it was made") from None
    return head


def _unpacked(paths: Sequence[Path], stack: contextlib.ExitStack) -> list[Path]:
    """The files, those within a .zip in a folder that goes away."""
    found: list[Path] = []
    for path in paths:
        if not path.is_file():
            raise Misconfigured(f"there is no file {path}", "give the files of a month sheet, or the .zip")
        if path.suffix.lower() != ".zip":
            found.append(path)
            continue
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kanhu-verify-")))
        try:
            with zipfile.ZipFile(path) as packed:
                for member in packed.infolist():
                    name = Path(member.filename).name  # never a path of the archive's own choosing
                    if _TWIN.fullmatch(name) is None:
                        continue
                    with packed.open(member) as source, (folder / name).open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    found.append(folder / name)
        except (OSError, zipfile.BadZipFile, EOFError) as error:
            raise Misconfigured(f"{path} cannot be unpacked: {error}", "fetch it once more") from error
    return list(dict.fromkeys(found))


def _chain(files: Sequence[Path]) -> Path:
    given = [path for path in files if ".chain.jsonl" in path.name]
    if len(given) > 1:
        raise Misconfigured("several chain files were given", "verify one sheet at a time")
    if given:
        return given[0]
    for path in files:
        match = _TWIN.fullmatch(path.name)
        if match is None:
            continue
        for ending in (".chain.jsonl", ".chain.jsonl.gz"):
            if (beside := path.with_name(match["stem"] + ending)).is_file():
                return beside
    raise Misconfigured("there is no chain file among or beside these files", "give the .chain.jsonl that came with the sheet")


def _twins(chain_path: Path) -> list[Path]:
    """The sheet's other files beside its chain file."""
    match = _TWIN.fullmatch(chain_path.name)
    if match is None:
        return []
    endings = (".xlsx", "-visits.csv", "-totals.csv", "-exceptions.csv", "-meals.csv")
    return [path for ending in endings if (path := chain_path.with_name(match["stem"] + ending)).is_file()]


def _read_chain(reader: chain_file.Reader, expected: Expected, report: Report) -> None:
    def broken(n: int, why: str) -> None:
        report.tell(f"{reader.name}, entry {n}", "chain", why, "an unbroken chain")

    for line in chain_file.check(reader.lines(), reader.head, broken):
        report.entries += 1
        report.sealed += line.sealed
        if why := expected.add(line):
            report.tell(f"{reader.name}, entry {line.n}", line.kind, why, "its content")
    expected.end()
    for n, visit in expected.unsaid():
        report.tell(f"{reader.name}, entry {n}", "correction", f"what was said of {visit} is sealed", "its content")
    report.visits, report.counted = expected.totals.visits, expected.totals.total("counted")


def _check_end(report: Report, name: str, wanted: str) -> None:
    head = report.head
    if wanted and not head.head.startswith(wanted):
        report.tell(name, "head", head.head[: len(wanted)], wanted)
    if not wanted:
        report.unproved.append("that nobody made the whole chain anew or cut its end: give the printed hash with --head")
    report.unproved.append(
        "that every refused tap is among the exceptions: entries of other taps are sealed, and so may one be"
    )
    if head.places or head.couriers:
        report.unproved.append("that no visit of these places or couriers was left out: the sheet is a part of the month")


def _table(path: Path, expected: Expected, report: Report) -> None:
    try:
        if path.suffix.lower() == ".xlsx":
            _xlsx(path, expected, report)
            return
        lines: Lines = iter(enumerate(csv_file.rows(path), 1))
        table = Table(path.name, lines, neutral, expected, report)
        for ending, check in (
            ("-visits.csv", table.visits),
            ("-exceptions.csv", table.exceptions),
            ("-totals.csv", table.totals),
            ("-meals.csv", table.meals),
        ):
            if path.name.endswith(ending):
                check()
                return
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        report.tell(path.name, "file", f"it cannot be read: {error}", "the file as it was made")
        return
    raise Misconfigured(f"{path.name} is no file of a month sheet", "keep the names that the files were made with")


def _xlsx(path: Path, expected: Expected, report: Report) -> None:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True)
    except Exception as error:  # openpyxl has no common error of its own
        report.tell(path.name, "file", f"it cannot be read: {str(error)[:200]}", "the file as it was made")
        return
    with contextlib.closing(book):
        names = list(book.sheetnames)
        eaten = (xlsx_file.MEALS,) if report.head.meals else ()
        for wanted in (xlsx_file.TOTALS, xlsx_file.EXCEPTIONS, xlsx_file.VISITS, *eaten):
            if wanted not in names:
                report.tell(path.name, "page", ", ".join(names), wanted)
                return
        more = [name for name in names if name == xlsx_file.VISITS or name.startswith(f"{xlsx_file.VISITS} ")]

        def table(*pages: str) -> Table:
            return Table(f"{path.name}, {pages[0]}", _lines(book, pages), str, expected, report)

        table(*more).visits()
        table(xlsx_file.EXCEPTIONS).exceptions()
        table(xlsx_file.TOTALS).totals()
        if eaten:
            table(xlsx_file.MEALS).meals()


def _lines(book: Any, pages: Sequence[str]) -> Lines:
    """Lines of pages one after the other; the header of the later ones is left out."""
    for n, page in enumerate(pages):
        sheet = book[page]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
            if n == 0 or number > 1:
                yield number, [_plain(cell) for cell in row]


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    found = cell if isinstance(cell, str) else text(cell)
    return _DECODED.sub(lambda match: chr(int(match[1], 16)), found) if "_x" in found else found
