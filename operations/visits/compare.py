"""Compares the tables of a month sheet, cell by cell, with what its chain says they have to be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from operations.visits import chain_file, columns, meals, totals
from operations.visits.columns import Cell, Column
from operations.visits.expected import Expected
from operations.visits.proof import about

MOST_TOLD: Final = 500

Lines = Iterator[tuple[int, Sequence[str]]]  # number as the office program shows it, cells
Neutral = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be.

    Attributes:
        where: file, page and row.  what: the column, or `row` for a whole one.
    """

    where: str
    what: str
    seen: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: seen {self.seen!r}, expected {self.expected!r}"


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        differences: the first `MOST_TOLD`; count: all of them.
        entries: of the chain; sealed: those whose body is not in the file.
        visits: of the chain that belong to the sheet; counted: of them, for the claim.
        rows: compared, by table.
        unproved: what these files cannot tell, in words.
    """

    head: chain_file.Head
    differences: list[Difference] = field(default_factory=list)
    count: int = 0
    entries: int = 0
    sealed: int = 0
    visits: int = 0
    counted: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    unproved: list[str] = field(default_factory=list)

    def tell(self, where: str, what: str, seen: object, expected: object) -> None:
        """One more difference."""
        self.count += 1
        if len(self.differences) < MOST_TOLD:
            self.differences.append(Difference(where, what, str(seen), str(expected)))


class Table:
    """One table of a sheet, as its lines come.

    Args:
        where: its name in messages.
        neutral: what the kind of file does to text (`columns.neutral` for CSV).
    """

    def __init__(self, where: str, lines: Lines, neutral: Neutral, expected: Expected, report: Report) -> None:
        self._where, self._lines, self._neutral = where, lines, neutral
        self._expected, self._report = expected, report
        self._header: dict[str, int] = {}

    def visits(self) -> None:
        """The page of visits: every one that the chain has, once, with every cell."""
        if not self._find_header(columns.COLUMNS, columns.NAMES):
            return
        met, names = self._expected.unseen(), _Names(self._header)
        for where, row in self._rows():
            visit = self._at(row, "visit")
            wanted = self._expected.row(visit)
            if wanted is None:
                self._report.tell(where, "row", f"the visit {visit}", "no such visit in the chain")
            elif not met.add(visit):
                self._report.tell(where, "row", f"the visit {visit} once more", "each visit once")
            else:
                self._compare(row, columns.COLUMNS, wanted, f"{where} ({visit})")
            for what, seen, known in names.look(where, row):
                self._report.tell(where, what, seen, known)
        for visit, date, place in met.rest():
            self._report.tell(self._where, "row", "no row", f"the visit {visit} of {date} at {place}")
        if names.any:
            self._report.unproved.append("names and addresses: the chain holds pseudonyms only")

    def exceptions(self) -> None:
        """The page of exceptions."""
        if not self._find_header(columns.EXCEPTIONS):
            return
        wanted = dict(self._expected.exceptions())
        for where, row in self._rows():
            id = self._at(row, "id")
            right = wanted.pop(id, None)
            if right is None:
                self._report.tell(where, "row", f"an exception {id}", "none in the chain")
            else:
                self._compare(row, columns.EXCEPTIONS, right, f"{where} ({id})")
        for id, right in wanted.items():
            self._report.tell(self._where, "row", "no row", f"an exception: {right[0]} {id}")

    def totals(self) -> None:
        """What the sheet is about, and the totals counted again."""
        if not self._about():
            return
        wanted = {(str(row[0]), str(row[1])): row for row in self._expected.totals.rows()}
        self._header = {column.key: n for n, column in enumerate(totals.COLUMNS)}
        for where, row in self._rows():
            group, name = self._at(row, "group"), self._at(row, "name")
            right = wanted.pop((group, name.removeprefix("'")), None)
            if right is None:
                self._report.tell(where, "row", f"{group} {name}", "none in the chain")
            else:
                self._compare(row, totals.COLUMNS, right, f"{where} ({group} {name})")
        for group, name in wanted:
            self._report.tell(self._where, "row", "no row", f"{group} {name}")

    def meals(self) -> None:
        """The page of meals."""
        if not self._find_header(meals.COLUMNS):
            return
        keys = [column.key for column in meals.COLUMNS[: meals.KEY]]
        wanted = {tuple(self._neutral(str(cell)) for cell in row[: meals.KEY]): row for row in self._expected.meals()}
        for where, row in self._rows():
            key = tuple(self._at(row, name) for name in keys)
            right = wanted.pop(key, None)
            if right is None:
                self._report.tell(where, "row", " ".join(key), "none in the chain")
            else:
                self._compare(row, meals.COLUMNS, right, f"{where} ({' '.join(key)})")
        for key in wanted:
            self._report.tell(self._where, "row", "no row", " ".join(key))

    def _about(self) -> bool:
        """The lines above the totals; whether their header was found."""
        info, titles = dict(about(self._expected.head)), columns.titles(totals.COLUMNS)
        found = False
        for number, row in self._lines:
            if tuple(row[: len(titles)]) == titles:
                found = True
                break
            label = row[0] if row else ""
            if label in info:
                seen, right = (row[1] if len(row) > 1 else ""), str(info.pop(label))
                if seen != self._neutral(right):
                    self._report.tell(f"{self._where}, row {number}", label, seen, right)
        if not found:
            self._report.tell(self._where, "header", "none", ", ".join(titles)[:120])
            return False
        for label, wanted in info.items():
            self._report.tell(self._where, label, "no row", wanted)
        return True

    def _find_header(self, wanted: Sequence[Column], also: Sequence[Column] = ()) -> bool:
        """Where each column stands; False, and told: it is not the header of a sheet."""
        row = next(self._lines, (0, ()))[1]
        found = {title: n for n, title in enumerate(row) if title}
        missing = [column.title for column in wanted if column.title not in found]
        if missing:
            self._report.tell(f"{self._where}, header", "columns", ", ".join(row)[:200], ", ".join(missing))
        self._header = {column.key: found[column.title] for column in (*wanted, *also) if column.title in found}
        return not missing

    def _rows(self) -> Iterator[tuple[str, Sequence[str]]]:
        """(where, cells) of all lines that are not empty; counts them."""
        compared = 0
        for number, row in self._lines:
            if any(row):
                compared += 1
                yield f"{self._where}, row {number}", row
        self._report.rows[self._where] = compared

    def _at(self, row: Sequence[str], key: str) -> str:
        n = self._header[key]
        return row[n] if n < len(row) else ""

    def _compare(self, row: Sequence[str], of: Sequence[Column], wanted: Sequence[Cell], where: str) -> None:
        for column, cell in zip(of, wanted, strict=True):
            right = self._neutral(cell) if isinstance(cell, str) else str(cell)
            seen = self._at(row, column.key)
            if seen != right:
                self._report.tell(where, column.title, seen, right)


class _Names:
    """The same pseudonym has the same name in every row: the one thing about names that can be checked here."""

    def __init__(self, header: Mapping[str, int]) -> None:
        pairs = (("person_name", "person"), ("courier_name", "courier"))
        self._pairs = [(name, header[name], of, header[of]) for name, of in pairs if name in header]
        self._known: dict[tuple[str, str], tuple[str, str]] = {}
        self.any = bool(self._pairs)

    def look(self, where: str, row: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """(column, seen, expected) of what is not as before."""
        for name, at, of, of_at in self._pairs:
            found = row[at] if at < len(row) else ""
            first, known = self._known.setdefault((of, row[of_at]), (where, found))
            if found != known:
                yield name, found, f"{known} as in {first}"
