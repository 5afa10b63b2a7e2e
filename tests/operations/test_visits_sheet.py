"""The month sheet: what stands in its rows, totals and exceptions, and what no cell of it can do."""

import csv
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import openpyxl
import pytest

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.visits import look
from edge_gateway.visits.records import Grade, Reason, State, Tap, Visit
from operations.visits import columns, sheet, totals, xlsx_file
from operations.visits.sheet import Made, Order
from tests.visit_ledger import LedgerFile, at, month

DAY = "2026-11-04"
LUNCH = Visit(
    "lunch-1/2026-11-04", "wutong", "p-1", "e-1", "meal", DAY, "k-1", State.ON_TIME, "lunch-1/2026-11-04",
    at(DAY, "11:00"), at(DAY, "12:00"), at(DAY, "11:20:33"), None, 0, Grade.STRONG, False, True, (), ("wutong/r1/3/17",),
    at(DAY, "11:20:35"),
)  # fmt: skip
LATE = msgspec.structs.replace(
    LUNCH, id="lunch-2/2026-11-04", slot="lunch-2/2026-11-04", place="p-2", person="e-2", state=State.LATE, late_s=1500,
    start_ns=at(DAY, "12:25"), reasons=(Reason.LATE, Reason.COUNTER_GAP), reviewing=True,
)  # fmt: skip
UNKNOWN = msgspec.structs.replace(
    LUNCH, id="lunch-3/2026-11-04", slot="lunch-3/2026-11-04", place="p-3", person="e-3", courier="", state=State.UNKNOWN,
    start_ns=None, counted=False, grade=Grade.NONE, reasons=(Reason.READER_OFFLINE,), taps=(), received_ns=0,
)  # fmt: skip
OTHER_MONTH = msgspec.structs.replace(LUNCH, id="lunch-1/2026-12-01", slot="lunch-1/2026-12-01", date="2026-12-01")
OTHER_SITE = msgspec.structs.replace(LUNCH, site="yunhe")
FORGED = Tap(
    "wutong", "r1", "p-1", 3, 18, at(DAY, "12:30"), at(DAY, "12:30:01"), "ntp", 1, 0.1, "sun", "",
)  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerFile]:
    file = LedgerFile(tmp_path / "visits.db")
    yield file


def made(ledger: LedgerFile, folder: Path, **order: object) -> Made:
    """The sheet of November of all that was written."""
    ledger.close()
    wanted = {"site": "wutong", "month": "2026-11", "zone": "Asia/Shanghai", "made_ns": at("2026-12-01", "09:00"), **order}
    how = {name: wanted.pop(name) for name in ("xlsx", "csv", "packed") if name in wanted}
    with look.open_ledger(ledger.path) as opened:
        return sheet.make(opened, folder, Order(**wanted), **how)  # type: ignore[arg-type]


def table(folder: Path, name: str) -> list[dict[str, str]]:
    """Rows of a CSV file by the English part of their titles."""
    (path,) = folder.glob(f"*-{name}.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    start = next(n for n, row in enumerate(rows) if len(row) > 3)
    titles = [title.split(" ")[-1] for title in rows[start]]
    return [dict(zip(titles, row, strict=True)) for row in rows[start + 1 :]]


def page(folder: Path, name: str) -> list[tuple[object, ...]]:
    (path,) = folder.glob("*.xlsx")
    return list(openpyxl.load_workbook(path)[name].iter_rows(values_only=True))


def test_a_row_has_the_six_elements_the_state_the_proof_and_the_reasons_in_words(ledger: LedgerFile, tmp_path: Path) -> None:
    for visit in (LUNCH, LATE, OTHER_MONTH, OTHER_SITE):
        ledger.visit(visit)
    made(ledger, tmp_path)
    first, second = table(tmp_path, "visits")
    assert {name: first[name] for name in ("date", "place", "person", "service", "courier", "start", "end")} == {
        "date": "2026-11-04", "place": "p-1", "person": "e-1", "service": "送餐", "courier": "k-1",
        "start": "2026-11-04 11:20:33", "end": "",
    }  # fmt: skip
    assert (first["planned"], first["state"], first["counted"], first["proof"]) == ("11:00-12:00", "准时", "是", "强")
    assert (second["state"], second["late_min"], second["in_review"]) == ("迟到", "25", "是")
    assert "；" in second["reasons"]
    assert second["code"] == "late strong counted review late counter_gap"
    assert second["visit"] == "lunch-2/2026-11-04"


def test_xlsx_and_csv_say_the_same(ledger: LedgerFile, tmp_path: Path) -> None:
    for visit in month(200):
        ledger.visit(visit, steps=2)
    made(ledger, tmp_path)
    for name, shown in (("visits", xlsx_file.VISITS), ("exceptions", xlsx_file.EXCEPTIONS)):
        twin = [tuple(row.values()) for row in table(tmp_path, name)]
        assert [tuple("" if cell is None else str(cell) for cell in row) for row in page(tmp_path, shown)[1:]] == twin
    assert len(table(tmp_path, "visits")) == 200


def test_the_words_are_in_the_language_that_was_asked_for(ledger: LedgerFile, tmp_path: Path) -> None:
    ledger.visit(LATE)
    made(ledger, tmp_path, language="en")
    (row,) = table(tmp_path, "visits")
    assert (row["state"], row["service"], row["counted"]) == ("late", "meal", "yes")


def test_what_a_person_corrected_says_when_who_why_and_what_was_there(ledger: LedgerFile, tmp_path: Path) -> None:
    ledger.visit(UNKNOWN)
    confirmed = msgspec.structs.replace(
        UNKNOWN, state=State.ON_TIME, counted=True, courier="k-9", by="zhang", reasons=(Reason.CARD_FORGOTTEN,)
    )
    ledger.corrected(UNKNOWN, confirmed, "confirm", "card_forgotten", at("2026-11-05", "09:12"), courier="k-9")
    objected = msgspec.structs.replace(confirmed, reviewing=True, by="k-9", comment="=1+1")
    ledger.corrected(confirmed, objected, "object", "=1+1", at("2026-11-06", "10:00"))
    made(ledger, tmp_path)
    (row,) = table(tmp_path, "visits")
    first, second = row["corrections"].split(" | ")
    assert first.startswith("2026-11-05 09:12 zhang ")
    for part in ("情况不明 → 准时", "计入 否 → 是", "配送员 - → k-9"):
        assert part in first
    assert second.startswith("2026-11-06 10:00 k-9 ")
    assert "=1+1" in second
    assert "待核对 否 → 是" in second
    assert row["comment"] == "'=1+1"


def test_totals_can_be_counted_again_from_the_rows(ledger: LedgerFile, tmp_path: Path) -> None:
    for visit in month(500):
        ledger.visit(visit)
    whole = made(ledger, tmp_path).totals
    rows = table(tmp_path, "visits")
    assert whole.visits == 500
    for state in ("late", "missed", "unknown", "on_time"):
        assert whole.total(state) == sum(row["code"].split(" ")[0] == state for row in rows)
    assert whole.total("counted") == sum(row["counted"] == "是" for row in rows)
    assert whole.total("in_review") == sum(row["in_review"] == "是" for row in rows)
    by_place = {row["name"]: row for row in table(tmp_path, "totals") if row["group"] == "place" or "地点" in row["group"]}
    assert int(by_place["p-3"]["done"]) == sum(row["place"] == "p-3" and row["start"] != "" for row in rows)
    assert sum(int(row["counted"]) for row in by_place.values()) == whole.total("counted")


def test_exceptions_are_what_waits_for_a_person_what_nobody_can_say_and_what_was_refused(
    ledger: LedgerFile, tmp_path: Path
) -> None:
    for visit in (LUNCH, LATE, UNKNOWN):
        ledger.visit(visit)
    ledger.refused(FORGED, Reason.BAD_CODE)
    assert made(ledger, tmp_path).refused == 1
    rows = table(tmp_path, "exceptions")
    assert [(row["kind"], row["place"]) for row in rows] == [
        ("待核对", "p-2"),
        ("情况不明", "p-3"),
        ("不予采信的打卡", "p-1"),
    ]
    assert all(row["reasons"] for row in rows)
    assert rows[2]["tapped"] == "2026-11-04 12:30:00"


def test_a_sheet_of_some_places_or_couriers_has_only_these_and_says_so(ledger: LedgerFile, tmp_path: Path) -> None:
    for visit in (LUNCH, LATE, UNKNOWN):
        ledger.visit(visit)
    made(ledger, tmp_path, places=("p-1", "p-3"))
    assert [row["place"] for row in table(tmp_path, "visits")] == ["p-1", "p-3"]
    assert next(tmp_path.glob("*-totals.csv")).read_text(encoding="utf-8-sig").splitlines()[2] == "地点 places,p-1 p-3"
    (tmp_path / "k").mkdir()
    with look.open_ledger(ledger.path) as opened:
        sheet.make(opened, tmp_path / "k", Order("wutong", "2026-11", "Asia/Shanghai", couriers=("k-1",)))
    assert [row["courier"] for row in table(tmp_path / "k", "visits")] == ["k-1", "k-1"]


def test_names_stand_in_columns_of_their_own_beside_the_pseudonyms(ledger: LedgerFile, tmp_path: Path) -> None:
    ledger.visit(LUNCH)
    names = {"e-1": {"name": "王秀英", "address": "3 号楼 201"}, "k-1": {"name": "@李"}}
    made(ledger, tmp_path, names=names)
    (row,) = table(tmp_path, "visits")
    assert (row["person"], row["person_name"], row["place_address"], row["courier_name"]) == (
        "e-1", "王秀英", "3 号楼 201", "'@李",
    )  # fmt: skip
    assert "王秀英" not in next(tmp_path.glob("*.chain.jsonl")).read_text(encoding="utf-8")


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "＝1+1"])
def test_no_cell_is_a_formula_or_a_link_whatever_people_wrote(ledger: LedgerFile, tmp_path: Path, evil: str) -> None:
    ledger.visit(msgspec.structs.replace(LUNCH, comment=evil, person=evil, service=evil))
    made(ledger, tmp_path)
    (row,) = table(tmp_path, "visits")
    for name in ("comment", "person", "service"):
        assert row[name][0] not in "=+-@\t\r＝"
    (path,) = tmp_path.glob("*.xlsx")
    cells = [cell for row in openpyxl.load_workbook(path)[xlsx_file.VISITS].iter_rows() for cell in row]
    assert {cell.data_type for cell in cells if cell.value is not None} <= {"s", "inlineStr", "n"}
    assert all(cell.hyperlink is None for cell in cells)
    with zipfile.ZipFile(path) as packed:
        assert not any(b"<f>" in packed.read(name) or b"hyperlink" in packed.read(name) for name in packed.namelist())


@pytest.mark.parametrize("text", ["<a&b>", "_x0041_", "a\nb", "\x00\x1b[31m", "汉字 𠮷", "  x  "])
def test_any_text_gives_a_workbook_that_opens(ledger: LedgerFile, tmp_path: Path, text: str) -> None:
    ledger.visit(msgspec.structs.replace(LUNCH, comment=text))
    made(ledger, tmp_path)
    (row,) = table(tmp_path, "visits")
    assert row["comment"] == columns.clean(text)
    cell = page(tmp_path, xlsx_file.VISITS)[1][16]
    assert str(cell).replace("_x005F_", "_") == columns.clean(text)


def test_a_page_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    book = xlsx_file.Book(tmp_path / "a.xlsx", columns.COLUMNS, columns.EXCEPTIONS, most_rows=4)
    row = tuple(0 if column.key.endswith("_min") else column.key for column in columns.COLUMNS)
    for _ in range(7):
        book.visit(row)
    book.close([], list(totals.Totals().rows()), totals.COLUMNS)
    found = openpyxl.load_workbook(tmp_path / "a.xlsx")
    pages = [name for name in found.sheetnames if name.startswith(xlsx_file.VISITS)]
    assert [found[name].max_row for name in pages] == [4, 4, 2]
    assert all(found[name]["A1"].value == "日期 date" for name in pages)


def test_files_are_for_this_user_only_and_all_or_none_of_them_appear(
    ledger: LedgerFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.visit(LUNCH)
    out = tmp_path / "out"
    files = made(ledger, out).files
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    before = {path: path.read_bytes() for path in files}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sheet, "write_chain", full)
    with look.open_ledger(ledger.path) as opened, pytest.raises(Unavailable, match="No space left"):
        sheet.make(opened, out, Order("wutong", "2026-11", "Asia/Shanghai"))
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_packed_it_is_one_file(ledger: LedgerFile, tmp_path: Path) -> None:
    ledger.visit(LUNCH)
    (path,) = made(ledger, tmp_path / "out", packed=True).files
    assert list((tmp_path / "out").iterdir()) == [path]
    with zipfile.ZipFile(path) as packed:
        assert len(packed.namelist()) == 5


@pytest.mark.parametrize("bad", ["2026-13", "2026", "11-2026", "2026-11-01", "x"])
def test_what_is_no_month_is_refused(ledger: LedgerFile, tmp_path: Path, bad: str) -> None:
    ledger.visit(LUNCH)
    with pytest.raises(Misconfigured, match="write 2026-11"):
        made(ledger, tmp_path, month=bad)


def test_a_month_without_visits_says_so(ledger: LedgerFile, tmp_path: Path) -> None:
    ledger.visit(OTHER_MONTH)
    with pytest.raises(Unavailable, match="no visits of 2026-11"):
        made(ledger, tmp_path)
