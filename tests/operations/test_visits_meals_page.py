"""The page of meals in a month sheet: right at every edge of a day, the same when it is recounted, and nobody hides a meal."""

import csv
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest

from edge_gateway.visits import look
from edge_gateway.visits.records import CardRole, Grade, Served, State, Visit
from edge_gateway.visits.served import join
from operations.visits import meals, sheet
from operations.visits.columns import Row
from operations.visits.verify import verify
from tests.operations.test_visits_verify import edit_chain, edit_csv, only, told
from tests.visit_ledger import ZONE, LedgerFile, S, at

SITE = "wutong"
ORDER = sheet.Order(SITE, "2026-11", "Asia/Shanghai", "en", made_ns=at("2026-12-01", "09:00"))


def meal(n: int, day: str, clock: str, holder: str = "k-1", role: CardRole = CardRole.COURIER, **more: Any) -> Served:
    found = Served(f"{SITE}/counter-1/1/{n}", SITE, "hall", holder, role, day, at(day, clock), 480.5, "cal-1", Grade.STRONG)
    return msgspec.structs.replace(found, **more)


def visit(n: int, day: str, clock: str, courier: str = "k-1", **more: Any) -> Visit:
    opens_ns = at(day, "11:00")
    found = Visit(
        f"m-{n}/{day}", SITE, f"p-{n}", f"e-{n}", "meal", day, courier, State.ON_TIME, f"m-{n}/{day}", opens_ns,
        opens_ns + 3600 * S, at(day, clock), counted=True, taps=(f"{SITE}/r-{n}/1/{day[-2:]}",), received_ns=at(day, clock),
    )  # fmt: skip
    return msgspec.structs.replace(found, **more)


def fill(ledger: LedgerFile) -> None:
    """Three served, two handed over, on the 4th; a meal of the 30th handed over after midnight; an elder at the counter."""
    for n, clock in enumerate(("10:50", "10:51", "10:52"), 1):
        ledger.served(meal(n, "2026-11-04", clock))
    ledger.visit(visit(1, "2026-11-04", "11:05"))
    ledger.visit(visit(2, "2026-11-04", "11:15"))
    ledger.served(meal(4, "2026-11-05", "11:40", "e-9", CardRole.ELDER))
    eaten = visit(9, "2026-11-05", "11:40", "", place="hall", taps=(f"{SITE}/counter-1/1/4",), id=f"{SITE}/counter-1/1/4")
    ledger.visit(msgspec.structs.replace(eaten, slot="", opens_ns=0, closes_ns=0))
    ledger.served(meal(5, "2026-10-31", "23:30"))
    ledger.visit(visit(3, "2026-11-01", "00:20"))
    ledger.served(meal(6, "2026-11-30", "23:40"))
    ledger.visit(visit(4, "2026-12-01", "00:30"))
    # Doubted later, and taken out in the end.
    ledger.served(meal(7, "2026-11-05", "10:30", reviewing=True))
    ledger.served(meal(7, "2026-11-05", "10:30", "k-2"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    ledger = LedgerFile(tmp_path / "visits.db")
    fill(ledger)
    ledger.close()
    with look.open_ledger(ledger.path) as opened:
        made = sheet.make(opened, tmp_path / "out", ORDER)
    assert made.meal_differences == 2
    return tmp_path / "out"


def rows_of(folder: Path) -> list[dict[str, str]]:
    with only(folder, "-meals.csv").open(encoding="utf-8-sig", newline="") as file:
        return [{title.split(" ")[-1]: cell for title, cell in row.items()} for row in csv.DictReader(file)]


def test_the_page_says_who_was_served_what_and_where_it_does_not_fit(folder: Path) -> None:
    found = {(row["date"], row["holder"]): row for row in rows_of(folder)}
    day = found["2026-11-04", "k-1"]
    assert [day[key] for key in ("served", "grams", "handed_over", "claimed", "differences")] == ["3", "1442", "2", "2", "1"]
    assert day["words"] == "k-1 took a meal (480 g) at hall, 10:52; no visit is recorded for it."
    eaten = found["2026-11-05", "e-9"]
    assert [eaten[key] for key in ("role", "served", "handed_over", "claimed", "differences")] == ["elder", "1", "1", "1", "0"]
    (page,) = (p for p in openpyxl.load_workbook(only(folder, ".xlsx")).worksheets if p.title == "用餐 meals")
    assert [str(cell or "") for cell in list(page.values)[1]][:5] == list(found["2026-11-04", "k-1"].values())[:5]


def test_a_meal_carried_over_midnight_fits_also_at_the_ends_of_a_month(folder: Path) -> None:
    found = {(row["date"], row["holder"]): row for row in rows_of(folder)}
    last = found["2026-11-30", "k-1"]
    assert (last["served"], last["handed_over"], last["differences"]) == ("1", "1", "0")
    assert ("2026-11-01", "k-1") not in found  # it stands on the day of its meal, in October
    assert {key[0] for key in found} == {"2026-11-04", "2026-11-05", "2026-11-30"}


def test_it_is_recounted_from_the_chain_alone(folder: Path) -> None:
    report = verify([only(folder, ".chain.jsonl")])
    assert told(report) == []
    assert len(report.rows) == 8
    assert report.rows[only(folder, "-meals.csv").name] == 4


def test_a_changed_row_and_a_missing_one_are_found(folder: Path) -> None:
    def change(rows: list[list[str]]) -> None:
        rows[1][3] = "2"
        del rows[2]

    edit_csv(only(folder, "-meals.csv"), change)
    found = verify([only(folder, "-meals.csv")])
    assert [one.what for one in found.differences] == ["取餐 served", "row"]


@pytest.mark.parametrize("hides", ["body", "entry", "page"])
def test_a_hidden_meal_is_found(folder: Path, hides: str) -> None:
    def change(lines: list[Any]) -> None:
        (at,) = (n for n, line in enumerate(lines) if n and line[2] == "served" and line[3].endswith("/3"))
        if hides == "body":
            lines[at][6] = "0" * 64
        elif hides == "entry":
            del lines[at]
        else:
            lines[0]["meals"] = False

    edit_chain(only(folder, ".chain.jsonl"), change, again=True)
    assert verify([only(folder, ".chain.jsonl")]).count >= 1


def test_a_part_of_a_month_and_a_month_without_a_counter_have_no_page_of_meals(folder: Path, tmp_path: Path) -> None:
    with look.open_ledger(tmp_path / "visits.db") as opened:
        made = sheet.make(opened, tmp_path / "part", replace(ORDER, places=("p-1",)))
        assert len(made.files) == 5 and not made.head.meals
        assert verify([only(tmp_path / "part", ".chain.jsonl")]).count == 0
        lines = only(tmp_path / "part", ".chain.jsonl").read_text(encoding="utf-8").splitlines()[1:]
        assert {type(line[6]) for line in map(json.loads, lines) if line[2] == "served"} == {str}  # sealed
        december = sheet.make(opened, tmp_path / "next", replace(ORDER, month="2026-12"))
        assert not december.head.meals
    assert verify([only(tmp_path / "next", ".chain.jsonl")]).count == 0


def test_a_visit_of_no_known_service_is_said_to_be_so_and_brings_a_meal_that_was_on_the_way(tmp_path: Path) -> None:
    ledger = LedgerFile(tmp_path / "visits.db")
    ledger.served(meal(1, "2026-11-04", "10:50"))
    brought = visit(1, "2026-11-04", "11:05", service="", id=f"{SITE}/r-1/1/4", slot="", state=State.UNPLANNED)
    ledger.visit(msgspec.structs.replace(brought, opens_ns=0, closes_ns=0))
    ledger.close()
    with look.open_ledger(ledger.path) as opened:
        assert sheet.make(opened, tmp_path / "out", ORDER).meal_differences == 0
    rows = only(tmp_path / "out", "-visits.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[1].split(",")[3] == "none"
    assert ",未填 none,1," in only(tmp_path / "out", "-totals.csv").read_text(encoding="utf-8-sig")
    assert told(verify([only(tmp_path / "out", ".chain.jsonl")])) == []


def random_days(seed: int) -> Iterator[tuple[Served | None, Visit | None]]:
    """Couriers at all hours, also about midnight; meals without visits and visits without meals."""
    chance = random.Random(seed)
    for n in range(400):
        day = (date(2026, 11, 1) + timedelta(chance.randrange(25))).isoformat()
        minute, courier = chance.choice([690, 1050, 1425]) + chance.randrange(-40, 14), f"k-{chance.randrange(4)}"
        taken = meal(n, day, f"{minute // 60:02}:{minute % 60:02}", courier)
        start_ns = taken.time_ns + chance.randrange(5, 60) * 60 * S
        brought = visit(n, day, "12:00", courier, start_ns=start_ns)
        luck = chance.random()
        yield (taken if luck > 0.1 else None), (brought if luck < 0.9 else None)


@pytest.mark.parametrize("seed", range(3))
def test_day_by_day_the_rows_are_those_of_all_days_at_once(seed: int) -> None:
    pairs = list(random_days(seed))
    served = sorted((one for one, _ in pairs if one), key=lambda one: (one.date, one.time_ns))
    visits = sorted((one for _, one in pairs if one), key=lambda one: one.date)
    found: list[Row] = []
    joiner = meals.Joiner(served, ZONE, "en", "2026-11", found.append)
    for one in visits:
        joiner.add(one)
    joiner.end()
    assert found == list(meals.rows(*join(served, visits, ZONE), "en"))
    assert joiner.differences > 20


def test_a_day_that_never_ends_is_cut_and_takes_no_memory_for_ever() -> None:
    days = [(date(2026, 11, 1) + timedelta(n)).isoformat() for n in range(28)]
    most = 0
    joiner = meals.Joiner((meal(n, day, "23:55") for n, day in enumerate(days)), ZONE, "en", "2026-11", lambda row: None)
    for n, day in enumerate(days):
        joiner.add(visit(n, day, "23:59"))
        most = max(most, len(joiner._open[0]))
    joiner.end()
    assert 1 < most <= 7
