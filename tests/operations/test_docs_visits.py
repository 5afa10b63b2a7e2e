"""The sample month of docs/visits.md is what the code makes. `python -m tests.operations.test_docs_visits` makes it anew."""

import csv
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest

from edge_gateway.visits import look, words
from edge_gateway.visits.records import CardRole, Grade, Reason, Served, State, Tap, Visit
from edge_gateway.visits.served import canteen_visit
from operations.visits import plan_file, sheet
from operations.visits.advice import ADVICE, advice
from operations.visits.verify import verify
from tests.visit_ledger import LedgerFile, S, at

DOCS = Path(__file__).resolve().parents[2] / "docs"
SAMPLE = DOCS / "examples" / "visits"
PAGES = {"en": DOCS / "visits.md", "zh-CN": DOCS / "visits.zh-CN.md"}
SITE = "wutong"
_MEALS = ("date", "holder", "role", "served", "grams", "handed_over", "claimed", "confirmed", "words")
_SHOWN = ("date", "place", "courier", "start", "planned", "state", "counted", "proof", "corrections")


def meal(day: str, home: int, start: str | None, **more: Any) -> Visit:
    """A lunch of the sample: on time unless told otherwise."""
    opens_ns, closes_ns = at(day, "11:00"), at(day, "12:00")
    start_ns = at(day, start) if start else None
    slot = f"p-{home}-meal-1100/{day}"
    usual = {
        "courier": "k-012" if start else "",
        "state": State.ON_TIME,
        "grade": Grade.STRONG if start else Grade.NONE,
        "counted": start is not None,
        "taps": (f"{SITE}/r-{home}/4/{int(day[-2:])}",) if start else (),
        "received_ns": start_ns + 2 * S if start_ns else 0,
    }
    visit = Visit(slot, SITE, f"p-{home}", f"e-{home}", "meal", day, "", State.PLANNED, slot, opens_ns, closes_ns, start_ns)
    return msgspec.structs.replace(visit, **(usual | more))


def story(ledger: LedgerFile) -> None:
    """Three days of four homes, with one of everything that staff meets."""
    ledger.visit(meal("2026-11-02", 301, "11:14:05"), steps=2)
    ledger.visit(meal("2026-11-02", 302, "11:21:40"), steps=2)
    late = {"state": State.LATE, "late_s": 1500, "reasons": (Reason.LATE,)}
    ledger.visit(meal("2026-11-02", 303, "12:25:00", **late), steps=2)
    bath = msgspec.structs.replace(
        meal("2026-11-02", 304, "14:03:10"), id="p-304-bath-1400/2026-11-02", slot="p-304-bath-1400/2026-11-02", service="bath",
        opens_ns=at("2026-11-02", "14:00"), closes_ns=at("2026-11-02", "16:00"), end_ns=at("2026-11-02", "14:41:50"),
        taps=("wutong/r-304/4/2", "wutong/r-304/4/3"), received_ns=at("2026-11-02", "14:41:52"),
    )  # fmt: skip
    ledger.visit(bath, steps=2)

    synced = {"reasons": (Reason.SYNCED_LATE,), "received_ns": at("2026-11-03", "15:40:11")}
    ledger.visit(meal("2026-11-03", 301, "11:09:30", **synced), steps=2)
    away = meal("2026-11-03", 302, None, state=State.UNKNOWN, reasons=(Reason.READER_DEAD,))
    ledger.visit(away, steps=2)
    came = {"state": State.ON_TIME, "counted": True, "courier": "k-012", "by": "zhang"}
    told = (Reason.READER_DEAD, Reason.VISIT_WITHOUT_TAP)
    confirmed = msgspec.structs.replace(away, **came, reasons=told, comment="e-302 says lunch came")
    said = {"courier": "k-012"}
    ledger.corrected(away, confirmed, "confirm", "e-302 says lunch came", at("2026-11-04", "09:12"), **said)
    ledger.visit(meal("2026-11-03", 303, None, state=State.MISSED), steps=2)
    ledger.visit(meal("2026-11-03", 304, None, state=State.CANCELLED), steps=2)

    substitute = {"courier": "k-020", "reasons": (Reason.SUBSTITUTE,)}
    ledger.visit(meal("2026-11-04", 301, "11:31:12", **substitute), steps=2)
    doubted = meal("2026-11-04", 302, "11:36:00", reviewing=True, reasons=(Reason.COUNTER_OUT_OF_ORDER,))
    ledger.visit(doubted, steps=2)
    seen = msgspec.structs.replace(doubted, reviewing=False, by="zhang", comment="reader r-302 had a wrong clock")
    ledger.corrected(doubted, seen, "approve", "reader r-302 had a wrong clock", at("2026-11-05", "10:02"))
    ledger.visit(meal("2026-11-04", 303, "11:44:20", reviewing=True, reasons=(Reason.BURST,)), steps=2)
    extra = msgspec.structs.replace(
        meal("2026-11-04", 304, "17:20:45"), id="wutong/r-304/4/9", slot="", opens_ns=0, closes_ns=0, state=State.UNPLANNED,
        taps=("wutong/r-304/4/9",), reviewing=True, reasons=(Reason.UNPLANNED,),
    )  # fmt: skip
    ledger.visit(extra)
    replay = Tap(
        SITE, "r-303", "p-303", 4, 10, at("2026-11-04", "18:02"), at("2026-11-04", "18:02:01"), "ntp", 1, 0.1, "sun", ""
    )
    ledger.refused(replay, Reason.REPLAY, "")


def counter(ledger: LedgerFile) -> None:
    """What was weighed at the counter for these three days: one meal came nowhere, one elder ate at the counter."""
    taken = {
        "2026-11-02": ("10:41:10", "10:41:30", "10:42:05"),
        "2026-11-03": ("10:38:00", "10:38:25"),
        "2026-11-04": ("10:52:00", "10:52:20", "10:52:45", "17:01:30"),
    }
    seq = 0
    for day, clocks in taken.items():
        for n, clock in enumerate(clocks):
            seq += 1
            holder = "k-020" if (day, n) == ("2026-11-04", 0) else "k-012"
            ledger.served(weighed(seq, day, clock, holder, 480.0 + 7 * seq))
    lost = weighed(seq + 1, "2026-11-04", "10:53:10", "k-012", 512.0)
    eaten = weighed(seq + 2, "2026-11-04", "11:48:00", "e-310", 455.0, CardRole.ELDER)
    ledger.served(lost)
    ledger.served(eaten)
    at_counter = canteen_visit(eaten)
    assert at_counter is not None
    ledger.visit(msgspec.structs.replace(at_counter, received_ns=eaten.time_ns + 2 * S))


def weighed(seq: int, day: str, clock: str, holder: str, mass_g: float, role: CardRole = CardRole.COURIER) -> Served:
    """A meal of the sample."""
    tap = f"{SITE}/counter-1/2/{seq}"
    return Served(tap, SITE, "hall", holder, role, day, at(day, clock), mass_g, "counter-1/2026-10-28", Grade.STRONG)


def make(folder: Path, language: str = "zh-CN") -> list[Path]:
    """The files of the sample."""
    with tempfile.TemporaryDirectory() as kept:
        ledger = LedgerFile(Path(kept) / "visits.db")
        story(ledger)
        counter(ledger)
        ledger.close()
        order = sheet.Order(SITE, "2026-11", "Asia/Shanghai", language, made_ns=at("2026-12-01", "09:00"))
        with look.open_ledger(ledger.path) as opened:
            return sheet.make(opened, folder, order).files


def test_the_sample_of_the_docs_is_what_the_code_makes(tmp_path: Path) -> None:
    made = {path.name: path for path in make(tmp_path)}
    assert {path.name for path in SAMPLE.glob("kanhu-visits-*")} == made.keys(), (
        "run `python -m tests.operations.test_docs_visits`"
    )
    for name, path in made.items():
        if path.suffix == ".xlsx":
            assert cells(path) == cells(SAMPLE / name)
        else:
            assert path.read_bytes() == (SAMPLE / name).read_bytes(), name


def cells(path: Path) -> dict[str, list[tuple[object, ...]]]:
    book = openpyxl.load_workbook(path)
    return {page.title: list(page.iter_rows(values_only=True)) for page in book.worksheets}


def test_the_sample_is_verified_and_a_changed_one_is_not(tmp_path: Path) -> None:
    files = [Path(shutil.copy(path, tmp_path)) for path in SAMPLE.glob("kanhu-visits-*")]
    printed = {re.search(r"--head ([0-9a-f]{16})", page.read_text(encoding="utf-8"))[1] for page in PAGES.values()}  # type: ignore[index]
    (head,) = printed
    report = verify(files, head)
    assert [str(difference) for difference in report.differences] == []
    assert len(report.rows) == 8
    rows = next(path for path in files if path.name.endswith("-visits.csv"))
    rows.write_text(rows.read_text(encoding="utf-8").replace("迟到", "准时", 1), encoding="utf-8")
    assert verify(files, head).count == 1


def test_the_sample_plan_can_be_imported() -> None:
    assert len(plan_file.read_file(SAMPLE / "plan.csv", SITE).plans) == 5


def sample_table(language: str) -> str:
    """Some columns of the sample's rows; words in the page's language."""
    with tempfile.TemporaryDirectory() as kept:
        ledger = LedgerFile(Path(kept) / "visits.db")
        story(ledger)
        counter(ledger)
        ledger.close()
        order = sheet.Order(SITE, "2026-11", "Asia/Shanghai", language, made_ns=at("2026-12-01", "09:00"))
        with look.open_ledger(ledger.path) as opened:
            (path,) = (f for f in sheet.make(opened, Path(kept), order, xlsx=False).files if f.name.endswith("-visits.csv"))
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    at_title = {title.split(" ")[-1]: n for n, title in enumerate(rows[0])}
    shown = [at_title[name] for name in _SHOWN]
    titles = [rows[0][n] if language != "en" else rows[0][n].split(" ")[-1] for n in shown]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *(f"| {' | '.join(row[n].replace('|', '/') for n in shown)} |" for row in rows[1:])])


def meals_table(language: str) -> str:
    """The sample's page of meals, without what is 0 everywhere."""
    with tempfile.TemporaryDirectory() as kept:
        path = next(f for f in make(Path(kept), language) if f.name.endswith("-meals.csv"))
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    shown = [n for n, title in enumerate(rows[0]) if title.split(" ")[-1] in _MEALS]
    titles = [rows[0][n].split(" ")[-1 if language == "en" else 0] for n in shown]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *(f"| {' | '.join(row[n] for n in shown)} |" for row in rows[1:])])


def reasons_table(language: str) -> str:
    """Every reason, how the courier reads it, and what staff does."""
    head = "| word | what the courier reads | what you do |" if language == "en" else "| 代码 | 配送员看到的 | 您怎么做 |"
    rows = [f"| `{reason}` | {words.reason(reason, language)} | {advice(reason, language)} |" for reason in Reason]
    return "\n".join([head, "|---|---|---|", *rows])


def states_table(language: str) -> str:
    """Every state with its word."""
    head = "| word | shown as | means |" if language == "en" else "| 代码 | 显示 | 含义 |"
    rows = [f"| `{state}` | {words.state(state, language)} | {MEANING[state][language]} |" for state in State]
    return "\n".join([head, "|---|---|---|", *rows])


MEANING: dict[State, dict[str, str]] = {
    State.PLANNED: {"en": "its window and the grace after it are not over", "zh-CN": "时段和宽限还没过"},
    State.ON_TIME: {"en": "tapped within the window", "zh-CN": "在时段内打卡"},
    State.EARLY: {"en": "tapped before the window, and it still belongs to it", "zh-CN": "在时段前打卡, 仍算这一次"},
    State.LATE: {"en": "tapped after the window, and it still belongs to it", "zh-CN": "在时段后打卡, 仍算这一次"},
    State.WRONG_PLACE: {"en": "the courier was planned elsewhere at that time", "zh-CN": "计划是另一处"},
    State.UNPLANNED: {"en": "a tap that no line of the plan expected", "zh-CN": "计划里没有的打卡"},
    State.MISSED: {"en": "nobody tapped, and the reader was alive all the time", "zh-CN": "没有人打卡, 而读卡器一直正常"},
    State.UNKNOWN: {
        "en": "nobody can say: the reader was away; never called missed",
        "zh-CN": "说不清: 读卡器当时不在线; 决不算未送达",
    },
    State.CANCELLED: {"en": "taken out by an exception", "zh-CN": "按例外取消"},
}
TABLES: dict[str, Callable[[str], str]] = {
    "sample": sample_table,
    "meals": meals_table,
    "reasons": reasons_table,
    "states": states_table,
}


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.mark.parametrize("language", PAGES)
@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_staff_pages_is_that_of_the_code(name: str, language: str) -> None:
    found = _block(name).search(PAGES[language].read_text(encoding="utf-8"))
    assert found is not None
    assert found[2].strip() == TABLES[name](language), "run `python -m tests.operations.test_docs_visits`"


def test_every_reason_has_advice() -> None:
    assert ADVICE.keys() == set(Reason)


def write() -> None:
    """Make the sample and put the tables into both pages."""
    SAMPLE.mkdir(parents=True, exist_ok=True)
    for path in make(SAMPLE):
        path.chmod(0o644)
    (chain,) = SAMPLE.glob("*.chain.jsonl")
    head = verify([chain]).head.head[:16]
    for language, page in PAGES.items():
        text = re.sub(r"--head [0-9a-f]{16}", f"--head {head}", page.read_text(encoding="utf-8"))
        for name, table in TABLES.items():
            before, begin, _, end, after = _block(name).split(text)
            text = f"{before}{begin}{table(language)}\n{end}{after}"
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
