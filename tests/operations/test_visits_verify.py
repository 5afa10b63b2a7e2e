"""A month sheet is checked with nothing but its files, and whoever changed it is found out."""

import csv
import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest

from edge_gateway.errors import Misconfigured
from edge_gateway.visits import look
from edge_gateway.visits.chain import canonical, link
from edge_gateway.visits.records import Reason, State
from operations.visits import sheet
from operations.visits.compare import Report
from operations.visits.verify import verify
from tests.operations.test_visits_sheet import FORGED, LATE, LUNCH, OTHER_MONTH, OTHER_SITE, UNKNOWN
from tests.visit_ledger import LedgerFile, at

ORDER = sheet.Order("wutong", "2026-11", "Asia/Shanghai", made_ns=at("2026-12-01", "09:00"))
UNPLANNED = msgspec.structs.replace(
    LUNCH, id="wutong/r1/3/99", slot="", opens_ns=0, closes_ns=0, state=State.UNPLANNED, taps=("wutong/r1/3/99",), place="p-4"
)


def fill(ledger: LedgerFile) -> None:
    ledger.visit(OTHER_MONTH)
    for visit in (LUNCH, LATE, OTHER_SITE, UNKNOWN, UNPLANNED):
        ledger.visit(visit)
    confirmed = msgspec.structs.replace(UNKNOWN, state=State.ON_TIME, counted=True, by="zhang", comment="=note")
    ledger.corrected(UNKNOWN, confirmed, "confirm", "card_forgotten", at("2026-11-05", "09:12"))
    ledger.refused(FORGED, Reason.BAD_CODE)
    ledger.write("revealed", "e-1", "zhang", {"why": "a call"}, at("2026-11-06", "09:00"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A month sheet with all its files, and nothing else."""
    ledger = LedgerFile(tmp_path / "visits.db")
    fill(ledger)
    ledger.close()
    with look.open_ledger(ledger.path) as opened:
        sheet.make(opened, tmp_path / "out", ORDER)
    return tmp_path / "out"


def only(folder: Path, ending: str) -> Path:
    (path,) = folder.glob(f"*{ending}")
    return path


def told(report: Report) -> list[str]:
    return [str(difference) for difference in report.differences]


def edit_csv(path: Path, change: Callable[[list[list[str]]], object]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def edit_xlsx(path: Path, change: Callable[[Any], object]) -> None:
    book = openpyxl.load_workbook(path)
    change(book)
    book.save(path)


def edit_chain(path: Path, change: Callable[[list[Any]], object], again: bool = False) -> None:
    """Change lines; `again`: and make all hashes anew, as somebody would who knows how."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    change(lines)
    if again:
        head, previous = lines[0], bytes.fromhex(lines[0]["previous"])
        for n, line in enumerate(lines[1:], head["after"] + 1):
            body = line[6]
            digest = body if isinstance(body, str) else hashlib.sha256(canonical(body)).hexdigest()
            line[0] = n
            previous = link(previous, n, line[1], line[2], line[3], line[4], digest)
            line[5] = previous.hex()
        head["last"], head["head"] = lines[-1][0], previous.hex()
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))


def test_a_sheet_as_it_was_made_holds_in_every_table(folder: Path) -> None:
    report = verify([only(folder, ".chain.jsonl")])
    assert told(report) == []
    assert (report.visits, report.counted) == (4, 4)
    assert len(report.rows) == 6
    assert report.rows[f"{only(folder, '.xlsx').name}, 明细 visits"] == 4


def test_only_what_belongs_to_the_sheet_is_open_in_the_chain_file(folder: Path) -> None:
    text = only(folder, ".chain.jsonl").read_text(encoding="utf-8")
    assert "a call" not in text
    assert "2026-12-01/" not in text
    assert "yunhe" in text  # the subject of an entry, with a sealed body
    report = verify([only(folder, ".chain.jsonl")])
    assert report.sealed == 2


def test_one_file_is_enough_when_the_chain_lies_beside_it_and_a_zip_is_enough_alone(folder: Path, tmp_path: Path) -> None:
    assert verify([only(folder, ".xlsx")]).count == 0
    with look.open_ledger(tmp_path / "visits.db") as opened:
        (packed,) = sheet.make(opened, tmp_path / "zip", ORDER, packed=True).files
    report = verify([packed])
    assert (report.count, len(report.rows)) == (0, 6)


def test_a_gzipped_chain_file_is_read_as_well(folder: Path) -> None:
    chain = only(folder, ".chain.jsonl")
    with gzip.open(chain.with_name(chain.name + ".gz"), "wb") as file:
        file.write(chain.read_bytes())
    chain.unlink()
    assert verify([only(folder, "-visits.csv")]).count == 0


def test_a_changed_cell_of_the_csv_is_named_with_row_field_seen_and_expected(folder: Path) -> None:
    edit_csv(only(folder, "-visits.csv"), lambda rows: rows[2].__setitem__(8, "准时"))
    assert told(verify([only(folder, "-visits.csv")])) == [
        f"{only(folder, '-visits.csv').name}, row 3 (lunch-2/2026-11-04): 状态 state: seen '准时', expected '迟到'"
    ]


@pytest.mark.parametrize("cell", ["A2", "B2", "F2", "I3", "L4", "P4", "U2"])
def test_a_changed_cell_of_the_workbook_is_found_wherever_it_is(folder: Path, cell: str) -> None:
    def change(book: Any) -> None:
        book["明细 visits"][cell] = "2026-11-30 23:59:59"

    edit_xlsx(only(folder, ".xlsx"), change)
    (one,) = verify([only(folder, ".xlsx")]).differences
    assert one.seen == "2026-11-30 23:59:59"
    assert one.where.startswith(f"{only(folder, '.xlsx').name}, 明细 visits, row {cell[1]}")


def test_a_workbook_that_an_office_program_saved_again_and_sorted_still_holds(folder: Path) -> None:
    def change(book: Any) -> None:
        page = book["明细 visits"]
        rows = [[cell.value for cell in row] for row in page.iter_rows(min_row=2)]
        page.delete_rows(2, 10)
        for row in reversed(rows):
            page.append(row)

    edit_xlsx(only(folder, ".xlsx"), change)
    assert told(verify([only(folder, ".xlsx")])) == []


def test_a_removed_a_doubled_and_an_invented_row_are_found(folder: Path) -> None:
    edit_csv(only(folder, "-visits.csv"), lambda rows: rows.pop(1))
    (one,) = verify([only(folder, "-visits.csv")]).differences
    assert (one.what, one.seen, one.expected) == ("row", "no row", "the visit lunch-1/2026-11-04 of 2026-11-04 at p-1")
    edit_csv(only(folder, "-visits.csv"), lambda rows: rows.append(rows[1]))
    assert any("once more" in line for line in told(verify([only(folder, "-visits.csv")])))
    edit_csv(only(folder, "-visits.csv"), lambda rows: rows.append([*rows[1][:19], "lunch-9/2026-11-04", rows[1][20]]))
    assert any("no such visit in the chain" in line for line in told(verify([only(folder, "-visits.csv")])))


def test_changed_totals_and_exceptions_are_counted_again(folder: Path) -> None:
    edit_csv(only(folder, "-totals.csv"), lambda rows: rows[-1].__setitem__(5, "99"))
    assert any("counted: seen '99', expected" in line for line in told(verify([only(folder, "-totals.csv")])))
    edit_csv(only(folder, "-exceptions.csv"), lambda rows: rows.pop())
    (line,) = told(verify([only(folder, "-exceptions.csv")]))
    assert "不予采信的打卡" in line


def test_an_entry_that_was_changed_is_named(folder: Path) -> None:
    def change(lines: list[Any]) -> None:
        next(line for line in lines[1:] if line[3] == "wutong|lunch-2/2026-11-04")[6]["state"] = "on_time"

    edit_chain(only(folder, ".chain.jsonl"), change)
    lines = told(verify([only(folder, "-visits.csv")]))
    assert any("it was changed: its hash is" in line for line in lines)
    assert any("状态 state: seen '迟到', expected '准时'" in line for line in lines)


def test_an_entry_that_is_missing_and_an_end_that_was_cut_off_are_named(folder: Path) -> None:
    chain = only(folder, ".chain.jsonl")
    whole = chain.read_bytes()
    edit_chain(chain, lambda lines: lines.pop(2))
    assert any("is missing" in line for line in told(verify([only(folder, "-visits.csv")])))
    chain.write_bytes(whole)
    edit_chain(chain, lambda lines: lines.pop())
    assert any("the end is missing" in line for line in told(verify([only(folder, "-visits.csv")])))


def test_who_cuts_the_end_and_mends_all_hashes_is_found_by_the_printed_one(folder: Path) -> None:
    printed = verify([only(folder, "-visits.csv")]).head.head
    assert verify([only(folder, "-visits.csv")], printed[:16]).count == 0

    def cut(lines: list[Any]) -> None:
        del lines[-4:]  # with the correction of the third visit

    edit_chain(only(folder, ".chain.jsonl"), cut, again=True)
    report = verify([only(folder, ".chain.jsonl"), only(folder, "-visits.csv")], printed[:16])
    assert any(difference.what == "head" and difference.expected == printed[:16] for difference in report.differences)
    # Without the printed hash the sheet's own totals still name the head that it was made with.
    assert any("链尾" in line for line in told(verify([only(folder, "-totals.csv")])))


@pytest.mark.parametrize("hidden", ["lunch-2/2026-11-04", "wutong/r1/3/99"])
def test_a_visit_that_somebody_sealed_to_hide_its_row_is_found(folder: Path, hidden: str) -> None:
    def seal(lines: list[Any]) -> None:
        line = next(line for line in lines[1:] if line[3] == f"wutong|{hidden}")
        line[6] = hashlib.sha256(canonical(line[6])).hexdigest()

    edit_chain(only(folder, ".chain.jsonl"), seal)
    edit_csv(only(folder, "-visits.csv"), lambda rows: rows.remove(next(row for row in rows if row[19] == hidden)))
    lines = told(verify([only(folder, "-visits.csv")]))
    assert [line for line in lines if f"the visit {hidden} is sealed" in line]


def test_a_correction_that_somebody_sealed_to_hide_who_said_what_is_found(folder: Path) -> None:
    def seal(lines: list[Any]) -> None:
        line = next(line for line in lines[1:] if line[2] == "correction")
        line[6] = hashlib.sha256(canonical(line[6])).hexdigest()

    def forget(rows: list[list[str]]) -> None:
        for row in rows:
            row[:] = ["" if "zhang" in cell and "|" not in cell and len(cell) > len("zhang") else cell for cell in row]

    edit_chain(only(folder, ".chain.jsonl"), seal)
    edit_csv(only(folder, "-visits.csv"), forget)
    lines = told(verify([only(folder, "-visits.csv")]))
    assert lines == [line for line in lines if "is sealed" in line] and len(lines) == 1


def test_a_sheet_of_some_places_holds_and_says_what_it_cannot_prove(folder: Path, tmp_path: Path) -> None:
    with look.open_ledger(tmp_path / "visits.db") as opened:
        part = sheet.Order("wutong", "2026-11", "Asia/Shanghai", places=("p-1",))
        files = sheet.make(opened, tmp_path / "part", part).files
    report = verify(files)
    assert (report.count, report.visits) == (0, 1)
    assert any("was left out" in line for line in report.unproved)
    assert "p-2" not in next((tmp_path / "part").glob("*.jsonl")).read_text(encoding="utf-8").replace("lunch-2", "")


def test_names_are_not_proved_but_have_to_be_the_same_in_every_row(folder: Path, tmp_path: Path) -> None:
    names = {"k-1": {"name": "李"}, "e-1": {"name": "王"}}
    with look.open_ledger(tmp_path / "visits.db") as opened:
        named = sheet.Order("wutong", "2026-11", "Asia/Shanghai", names=names)
        sheet.make(opened, tmp_path / "named", named)
    report = verify([only(tmp_path / "named", "-visits.csv")])
    assert report.count == 0
    assert any("names" in line for line in report.unproved)
    edit_csv(only(tmp_path / "named", "-visits.csv"), lambda rows: rows[2].__setitem__(23, "赵"))
    (line,) = told(verify([only(tmp_path / "named", "-visits.csv")]))
    assert "courier_name: seen '赵', expected '李" in line


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.chain.jsonl", b""),
        ("a.chain.jsonl", b"not json\n"),
        ("a.chain.jsonl", b'{"format":"other/1","site":"s","month":"2026-11","zone":"UTC","language":"en","after":0}'),
        ("a.chain.jsonl", b"\x1f\x8bbroken"),
        ("a.zip", b"PK broken"),
        ("a.xlsx", b"no chain file beside it"),
        ("a.txt", b"?"),
    ],
)
def test_what_is_no_sheet_is_refused_in_one_line(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Misconfigured):
        verify([tmp_path / name])


@pytest.mark.parametrize("line", [b"[]\n", b'[1,2,"visit"]\n', b"\xff\xfe\n", b'[6,0,"visit","wutong|x","g","00","zz"]\n'])
def test_a_line_that_is_none_is_told_and_never_stops_the_check(folder: Path, line: bytes) -> None:
    chain = only(folder, ".chain.jsonl")
    lines = chain.read_bytes().splitlines(keepends=True)
    lines[4] = line
    chain.write_bytes(b"".join(lines))
    report = verify([only(folder, "-visits.csv")])
    assert report.count > 0
    assert any("chain" in difference.what for difference in report.differences)


def test_a_broken_table_is_told_and_the_others_are_still_checked(folder: Path) -> None:
    only(folder, ".xlsx").write_bytes(b"PK broken")
    shutil.copy(only(folder, "-totals.csv"), only(folder, "-visits.csv"))
    report = verify([only(folder, ".chain.jsonl")])
    assert {difference.what for difference in report.differences} == {"file", "columns"}
    assert only(folder, "-exceptions.csv").name in report.rows
