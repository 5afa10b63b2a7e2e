"""The page of meals in a real browser, on a phone and at a desk, in both languages."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from edge_gateway.visits import codec
from edge_gateway.visits.records import CardRole, Grade, Served
from edge_gateway.visits.served import canteen_visit
from tests.console.staff import DATE, VISITS, ConsoleProcess, Village, at, live
from tests.console.test_staff_pages import DESK, LONG, PHONE, faults_of, opened

expect.set_options(timeout=LONG)
SITE = "yunhe"


def meal(
    n: int, hour: int, minute: int, mass_g: float = 480.5, holder: str = "r-17", role: CardRole = CardRole.COURIER
) -> Served:
    tap = f"{SITE}/counter-1/1/{n}"
    return Served(tap, SITE, "hall", holder, role, DATE, at(hour, minute), mass_g, "cal-1", Grade.STRONG)


# Visits 1, 2, 3 and 4 of the village are handed over: five meals for four of them, and an elder at the counter.
MEALS = (*(meal(n, 10, 40 + n) for n in range(1, 6)), meal(6, 11, 50, 455.0, "e-8", CardRole.ELDER))


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    folder = tmp_path_factory.mktemp("meals")
    with Village(folder / "data") as village:
        eaten = canteen_visit(MEALS[-1])
        assert eaten is not None
        with village.ledger.book.transaction():
            for visit in VISITS[:4]:
                village.ledger.visits._save(replace(visit, taps=(f"{SITE}/door/1/{visit.place}",)))
            village.ledger.visits._save(eaten)
            for one in MEALS:
                row = (one.tap, one.site, one.place, one.holder, one.date, one.time_ns, codec.pack(one))
                village.ledger.book.db.execute("INSERT INTO served VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        with ConsoleProcess(folder, village) as console:
            yield console


def looked(page: Page, console: ConsoleProcess, path: str) -> None:
    page.goto(console.url + path)
    live(page)


@pytest.mark.parametrize("size", [pytest.param(PHONE, id="phone"), pytest.param(DESK, id="desk")])
def test_a_day_of_meals_says_what_was_served_and_asks_about_what_does_not_fit(
    browser: Browser, counter: ConsoleProcess, size: dict[str, int], tmp_path: Path
) -> None:
    page = opened(browser, size)
    faults = faults_of(page)
    counter.enter(page, "anna", f"/meals?date={DATE}")
    live(page)
    expect(page.locator(".total")).to_have_text("取餐 6，送达 5，计入 5，不符 1 处")
    expect(page.locator(".differs li")).to_have_text(["r-17 10:45 在 hall 取餐 480 克, 还没有对应的送达记录。"])
    expect(page.locator(".meal")).to_have_count(2)
    expect(page.locator(".meal", has_text="r-17")).to_contain_text("取餐 5送达 4计入 42,402 克")
    page.screenshot(path=tmp_path / f"meals-zh-{size['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.get_by_text("English").click()
    live(page)
    expect(page.locator(".total")).to_have_text("6 served, 5 handed over, 5 claimed, differences: 1")
    expect(page.locator(".differs li")).to_have_text(["r-17 took a meal (480 g) at hall, 10:45; no visit is recorded for it."])
    page.screenshot(path=tmp_path / f"meals-en-{size['width']}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.get_by_text("中文").click()
    live(page)
    looked(page, counter, f"/meals?date={(date.fromisoformat(DATE) - timedelta(1)).isoformat()}")
    expect(page.locator(".empty")).to_contain_text("没有取餐")
    page.get_by_text("后一天").click()
    expect(page.locator(".meal")).to_have_count(2)
    assert faults == []
    page.context.close()
