"""The month sheet of a site: visits, totals and exceptions as XLSX and CSV, and the chain file that proves them.

All rows are streamed: a million visits take no more memory than a hundred.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.visits.chain import LogEntry
from edge_gateway.visits.look import Ledger, subject
from edge_gateway.visits.records import JudgedTap, Visit
from operations.visits import chain_file, columns, meals, totals
from operations.visits.columns import Cell, Names, Row, Rows
from operations.visits.corrections import Step, said
from operations.visits.csv_file import CsvTable
from operations.visits.parts import Parts
from operations.visits.proof import Chosen, about, write_chain
from operations.visits.xlsx_file import Book

_PAGE: Final = 500
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What a sheet is to be about.

    Attributes:
        month: `2026-11`.  zone: IANA name of the site's.  language: of the words: `zh-CN` or `en`.
        places, couriers: only these; empty: all.
        names: pseudonym -> what the sealed map told; None: a sheet of pseudonyms.
        made_ns: now, by this machine's clock.
    """

    site: str
    month: str
    zone: str
    language: str = "zh-CN"
    places: tuple[str, ...] = ()
    couriers: tuple[str, ...] = ()
    names: Names | None = None
    made_ns: int = 0

    @property
    def stem(self) -> str:
        """How its files begin."""
        return f"kanhu-visits-{self.month}-{self.site}" + ("-part" if self.places or self.couriers else "")

    @property
    def filters(self) -> Mapping[str, str]:
        """For the queries of `look`."""
        only = {"place": self.places, "courier": self.couriers}
        found = {name: values[0] for name, values in only.items() if len(values) == 1}
        return {"site": self.site, "date_from": self.dates[0], "date_to": self.dates[1], **found}

    @property
    def dates(self) -> tuple[str, str]:
        """First and last local date; no month has more than 31."""
        return f"{self.month}-01", f"{self.month}-31"

    def wants(self, place: str, courier: str) -> bool:
        """Whether a visit belongs into it."""
        return (not self.places or place in self.places) and (not self.couriers or courier in self.couriers)


@dataclass(slots=True)
class Made:
    """What was made."""

    head: chain_file.Head
    totals: totals.Totals
    refused: int = 0
    meal_differences: int = 0
    files: list[Path] = field(default_factory=list)


def check_month(month: str) -> str:
    """The month.

    Raises:
        Misconfigured: it is none.
    """
    if re.fullmatch(r"2\d{3}-(?:0[1-9]|1[0-2])", month) is None:
        raise Misconfigured(f"{month[:40]!r} is no month", "write 2026-11")
    return month


def with_names(order: Order, names: Names) -> Order:
    """The same sheet with names."""
    return replace(order, names=names)


def people(ledger: Ledger, order: Order) -> set[str]:
    """All pseudonyms in a sheet, for the sealed map."""
    found: set[str] = set()
    for visit in _visits(ledger, order):
        found.update((visit.place, visit.person, visit.courier))
    return found - {""}


def make(
    ledger: Ledger,
    folder: Path,
    order: Order,
    *,
    xlsx: bool = True,
    csv: bool = True,
    packed: bool = False,
    progress: Progress = lambda done, total: None,
) -> Made:
    """Write the files; those of the same name are replaced when all is done, and stay as they were when it fails.

    Args:
        packed: everything in one .zip.
        progress: is told (rows done, rows in all).
    Raises:
        Unavailable: there is no visit in this month, or the disk is full.
        Misconfigured: the month is none, or the folder cannot be written.
    """
    check_month(order.month)
    if not ledger.log_range(**order.filters)[0]:
        raise Unavailable(f"there are no visits of {order.month} at {order.site}; `kanhu visits list` shows which there are")
    parts = Parts(folder, order.stem)
    try:
        made = _make(ledger, order, parts, xlsx, csv, progress)
        if packed:
            parts.pack()
        made.files = parts.finish()
    except OSError as error:
        raise Unavailable(f"the sheet cannot be written into {folder}: {error}") from error
    finally:
        parts.clean()
    return made


def _make(ledger: Ledger, order: Order, parts: Parts, xlsx: bool, csv: bool, progress: Progress) -> Made:
    rows = Rows(ZoneInfo(order.zone), order.language, order.names)
    head = _head(ledger, order)
    made = Made(head, totals.Totals())
    info = about(head)
    with contextlib.ExitStack() as stack:
        book = Book(parts.new(".xlsx"), rows.columns, columns.EXCEPTIONS, order.made_ns) if xlsx else None
        if book is not None:
            stack.callback(book.abandon)
        tables = [
            stack.enter_context(CsvTable(parts.new(f"-{name}.csv"), columns.titles(of)))
            for name, of in (("visits", rows.columns), ("exceptions", columns.EXCEPTIONS))
            if csv
        ]
        eaten: list[Row] = []
        joiner = _joiner(ledger, order, eaten) if head.meals else None
        chosen = _write_visits(ledger, order, rows, made, book, tables, progress, joiner)
        _write_refused(ledger, order, rows, made, book, tables, chosen)
        found = list(made.totals.rows())
        if book is not None:
            book.close(info, found, totals.COLUMNS, (eaten, meals.COLUMNS) if joiner is not None else None)
        if csv:
            _write_csv(parts.new("-totals.csv"), found, *info, (), columns.titles(totals.COLUMNS))
        if joiner is not None:
            made.meal_differences = joiner.differences
        if csv and joiner is not None:
            _write_csv(parts.new("-meals.csv"), eaten, columns.titles(meals.COLUMNS))
    with parts.new(".chain.jsonl").open("wb") as file:
        write_chain(ledger, head, chosen, file)
    return made


def _write_csv(path: Path, rows: Sequence[Row], *above: Sequence[Cell]) -> None:
    with CsvTable(path, *above) as table:
        for row in rows:
            table.row(row)


def _joiner(ledger: Ledger, order: Order, rows: list[Row]) -> meals.Joiner:
    """With the visits of the day before the month."""
    before, after = meals.neighbours(order.month)
    served = ledger.each_served(site=order.site, date_from=before, date_to=after)
    joiner = meals.Joiner(served, ZoneInfo(order.zone), order.language, order.month, rows.append)
    for visit in ledger.each_visit(site=order.site, date_from=before, date_to=before):
        joiner.add(visit)
    return joiner


def _head(ledger: Ledger, order: Order) -> chain_file.Head:
    last, newest = ledger.head()
    first = ledger.log_range(**order.filters)[0]
    # A part of a month has none: a meal of the counter belongs to no place yet, and others' visits explain where it went.
    whole = not order.places and not order.couriers
    with_meals = whole and bool(ledger.served(site=order.site, date_from=order.dates[0], date_to=order.dates[1], limit=1))
    if with_meals:
        first = min(first, ledger.first_of_meals(order.site, *meals.neighbours(order.month)))
    before = next(ledger.log(first - 1, first - 1), None) if first > 1 else None
    return chain_file.Head(
        site=order.site,
        month=order.month,
        zone=order.zone,
        language=order.language,
        places=order.places,
        couriers=order.couriers,
        after=first - 1,
        previous=before.hash if before is not None else "00" * 32,
        last=last,
        head=newest,
        made_ns=order.made_ns,
        meals=with_meals,
    )


def _visits(ledger: Ledger, order: Order) -> Iterator[Visit]:
    return (visit for visit in ledger.each_visit(**order.filters) if order.wants(visit.place, visit.courier))


def _write_visits(
    ledger: Ledger,
    order: Order,
    rows: Rows,
    made: Made,
    book: Book | None,
    tables: Sequence[CsvTable],
    progress: Progress,
    joiner: meals.Joiner | None,
) -> Chosen:
    corrected = {correction.visit for correction in ledger.corrections(order.site, *order.dates)}
    chosen = Chosen(set() if order.places or order.couriers else None, set(), set())
    total = ledger.count(**order.filters)
    for done, visit in enumerate(_visits(ledger, order), 1):
        told = ""
        if visit.id in corrected:
            history = [entry for entry in ledger.history(visit.id, order.site) if entry.n > made.head.after]
            told = said((step(entry) for entry in history), order.language, rows.local)
            chosen.corrections.update(entry.n for entry in history if entry.kind == "correction")
        if chosen.visits is not None:
            chosen.visits.add(subject(order.site, visit.id))
        row, exception = rows.visit(visit, told), rows.exception(visit)
        made.totals.add(visit)
        if joiner is not None:
            joiner.add(visit)
        if book is not None:
            book.visit(row)
            if exception is not None:
                book.exception(exception)
        if tables:
            tables[0].row(row)
            if exception is not None:
                tables[1].row(exception)
        if done % 5000 == 0:
            progress(done, total)
    if joiner is not None:
        after = meals.neighbours(order.month)[1]
        for visit in ledger.each_visit(site=order.site, date_from=after, date_to=after):
            joiner.add(visit)
        joiner.end()
    return chosen


def step(entry: LogEntry) -> Step:
    """An entry of a visit's history as `corrections` reads it."""
    return Step(entry.kind, entry.at_ns, entry.by, entry.body)


def _write_refused(
    ledger: Ledger, order: Order, rows: Rows, made: Made, book: Book | None, tables: Sequence[CsvTable], chosen: Chosen
) -> None:
    for judged in _refused(ledger, order):
        made.refused += 1
        tap = judged.tap
        chosen.taps.add(tap.id)
        row = rows.refused(tap.id, tap.time_ns, judged.place, judged.courier, judged.judgement.reasons)
        if book is not None:
            book.exception(row)
        if tables:
            tables[1].row(row)


def _refused(ledger: Ledger, order: Order) -> Iterator[JudgedTap]:
    """Refused taps of the month, the newest first."""
    offset, (first, last) = 0, order.dates
    while page := ledger.refused(order.site, date_from=first, date_to=last, limit=_PAGE, offset=offset):
        yield from (judged for judged in page if order.wants(judged.place, judged.courier))
        offset += len(page)
