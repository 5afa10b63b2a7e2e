"""The staff's pages in a real browser, on a phone and at a desk: what is seen is text, what is decided is in the ledger."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.console.audit import Audit
from dashboards.console.store import Store
from edge_gateway.visits.look import open_ledger
from edge_gateway.visits.records import PlanException, State
from tests.console.staff import DATE, ConsoleProcess, at, live
from tests.servers import eventually

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1440, "height": 900}
LONG = 60_000  # ms: the machine is slow and shared
expect.set_options(timeout=LONG)


def opened(browser: Browser, size: dict[str, int] | None = None) -> Page:
    """A new person's browser; an error in its console fails the test that asks `page.faults`."""
    page = browser.new_context(viewport=size or DESK, locale="zh-CN").new_page()  # type: ignore[arg-type]
    page.set_default_timeout(LONG)
    return page


def faults_of(page: Page) -> list[str]:
    """Everything that the browser complains about from now on."""
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


@pytest.mark.parametrize("size", [pytest.param(PHONE, id="phone"), pytest.param(DESK, id="desk")])
def test_every_page_fits_its_screen_and_the_browser_has_nothing_to_complain(
    browser: Browser, console: ConsoleProcess, size: dict[str, int], tmp_path: Path
) -> None:
    page = opened(browser, size)
    faults = faults_of(page)
    page.goto(console.url)
    page.screenshot(path=tmp_path / "login.png")
    console.type_in(page, "anna")
    visit = f"/visit?site=yunhe&id=meal-4/{DATE}"
    for name, path in (
        ("ledger", f"/ledger?date={DATE}"),
        ("visit", visit),
        ("review", "/review"),
        ("plan", f"/plan?date={DATE}"),
    ):
        page.goto(console.url + path)
        live(page)
        page.screenshot(path=tmp_path / f"{name}-{size['width']}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name
        small = page.evaluate(
            "[...document.querySelectorAll('button, .chip')].map(e => [e.innerText, e.getBoundingClientRect().height])"
            ".filter(([_, height]) => height > 0 && height < 43.5)"
        )
        assert small == [], f"{name}: too small for a finger"
    assert faults == []
    page.context.close()


def test_the_ledger_tells_each_state_by_word_and_sign_and_filters_by_it(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", f"/ledger?date={DATE}")
    expect(page.locator(".total")).to_have_text("共 7 次，计入 4 次，待核对 2 次")
    expect(page.locator("a.visit")).to_have_count(7)
    for words in ("✓ 准时", "▷ 迟到", "✕ 未送达", "? 情况不明", "+ 计划外", "○ 未到时间"):
        expect(page.locator(".badge", has_text=words).first).to_be_visible()
    page.locator(".chip.late").click()
    expect(page.locator("a.visit")).to_have_count(1)
    expect(page.locator("a.visit")).to_contain_text("晚 12 分钟")
    page.locator(".chip.reviewing").click()
    expect(page.locator("a.visit")).to_have_count(2)
    page.get_by_text("前一天").click()
    expect(page.locator(".day")).to_contain_text("11月19日")
    page.context.close()


def test_what_somebody_wrote_is_shown_as_text_and_never_obeyed(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    faults = faults_of(page)
    console.enter(page, "anna", "/")
    for path in (f"/ledger?date={DATE}", f"/visit?site=yunhe&id=meal-4/{DATE}"):
        page.goto(console.url + path)
        live(page)
        expect(page.get_by_text('<img src=x onerror="window.hacked=1">').first).to_be_visible()
        expect(page.get_by_text("{{7*7}}").first).to_be_visible()
        assert page.evaluate("window.hacked") is None
    assert faults == []
    page.context.close()


def test_a_visit_approved_with_the_keyboard_is_approved_in_the_ledger_by_who_did_it(
    browser: Browser, console: ConsoleProcess
) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/review")
    live(page)
    expect(page.locator(".total")).to_have_text("还有 2 条待核对")
    first = 3 if "p-3" in page.locator(".card h1").inner_text() else 4
    page.keyboard.press("a")
    expect(page.locator(".total")).to_have_text("还有 1 条待核对")
    decided = console.village.visit(first)
    assert not decided.reviewing
    assert decided.counted
    assert decided.by == "anna"
    page.goto(f"{console.url}/visit?site=yunhe&id=meal-{first}/{DATE}")
    expect(page.locator(".history")).to_contain_text("anna")
    expect(page.locator(".history")).to_contain_text("确认有效")
    page.context.close()


def test_to_decline_takes_a_reason_which_the_history_keeps_with_what_was_there(
    browser: Browser, console: ConsoleProcess
) -> None:
    page = opened(browser, PHONE)
    console.enter(page, "anna", "/review")
    live(page)
    first = 3 if "p-3" in page.locator(".card h1").inner_text() else 4
    page.get_by_role("button", name="不予计入").click()
    page.locator(".q-dialog").get_by_role("button", name="不予计入").click()
    expect(page.get_by_role("alert").filter(has_text="没有原因")).to_be_visible()
    assert console.village.visit(first).reviewing
    page.locator("textarea").fill("当天 <b>没有</b> 送餐")
    page.locator(".q-dialog").get_by_role("button", name="不予计入").click()
    expect(page.locator(".total")).to_have_text("还有 1 条待核对")
    decided = console.village.visit(first)
    assert not decided.counted
    assert decided.comment == "当天 <b>没有</b> 送餐"
    page.goto(f"{console.url}/visit?site=yunhe&id=meal-{first}/{DATE}")
    history = page.locator(".history")
    expect(history).to_contain_text("当天 <b>没有</b> 送餐")
    expect(history).to_contain_text("原来：✓")
    page.context.close()


def test_who_came_and_when_is_corrected_and_a_decision_taken_anew_at_the_visit_itself(
    browser: Browser, console: ConsoleProcess
) -> None:
    page = opened(browser, PHONE)
    console.enter(page, "anna", f"/visit?site=yunhe&id=meal-2/{DATE}")
    live(page)
    page.get_by_role("button", name="更正").click()
    page.get_by_role("button", name="保存").click()
    page.locator("textarea").fill("代班")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_role("alert").filter(has_text="还没有改动")).to_be_visible()
    page.get_by_label("配送员", exact=True).fill("r-99")
    page.get_by_label("打卡时间").fill("11:40")
    page.get_by_role("button", name="保存").click()
    expect(page.locator("dl")).to_contain_text("r-99")
    changed = console.village.visit(2)
    assert (changed.courier, changed.start_ns, changed.state) == ("r-99", at(11, 40), State.LATE)
    assert console.village.asked[-1][1]["changes"] == {"courier": "r-99", "start_ns": at(11, 40)}
    live(page)
    page.get_by_role("button", name="不予计入").click()
    page.locator("textarea").fill("不是这一家")
    page.locator(".q-dialog").get_by_role("button", name="不予计入").click()
    expect(page.locator(".count")).to_have_text("不计入")
    assert not console.village.visit(2).counted
    page.context.close()


def test_keys_mean_nothing_behind_a_dialog(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/review")
    live(page)
    page.keyboard.press("d")
    dialog = page.locator(".q-dialog")
    expect(dialog.get_by_role("heading", name="不予计入")).to_be_visible()
    dialog.get_by_role("heading", name="不予计入").click()
    page.keyboard.press("a")
    dialog.get_by_role("button", name="取消").click()
    expect(dialog).to_have_count(0)
    assert console.village.asked == []
    page.context.close()


def test_two_people_at_the_queue_decide_a_visit_once(browser: Browser, console: ConsoleProcess) -> None:
    one, two = opened(browser), opened(browser)
    console.enter(one, "anna", "/review")
    console.enter(two, "admin", "/review?site=yunhe")
    live(one)
    live(two)
    one.get_by_role("button", name="确认有效").click()
    expect(one.locator(".total")).to_have_text("还有 1 条待核对")
    two.get_by_role("button", name="确认有效").click()
    expect(two.get_by_text("已经有人核对过了：anna")).to_be_visible()
    expect(two.locator(".total")).to_have_text("还有 1 条待核对")
    assert [arguments["by"] for command, arguments in console.village.asked if command == "visits.decide"] == ["anna"]
    one.context.close()
    two.context.close()


def test_a_click_on_a_page_whose_session_was_ended_decides_nothing(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/review")
    live(page)
    store = Store(console.village.data_dir / "console.db")
    with store.write() as db:
        db.execute("DELETE FROM session")
    store.close()
    page.get_by_role("button", name="确认有效").click()
    page.wait_for_url(re.compile("/login"))
    assert console.village.asked == []
    page.context.close()


def test_log_out_ends_the_other_pages_of_the_session_too(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/review")
    other = page.context.new_page()
    other.goto(f"{console.url}/ledger")
    live(page)
    other.get_by_role("button", name="退出").click()
    other.wait_for_url(re.compile("/login"))
    page.wait_for_url(re.compile("/login"))
    page.context.close()


def test_without_the_gateway_everything_can_be_read_and_nothing_changed(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", "/review")
    live(page)
    console.village.go()
    page.get_by_role("button", name="确认有效").click()
    expect(page.get_by_text("网关没有应答，可能没有保存。请过一分钟再试。")).to_be_visible()
    expect(page.locator(".total")).to_have_text("还有 2 条待核对")
    page.goto(f"{console.url}/ledger?date={DATE}")
    expect(page.locator(".away")).to_be_visible()
    expect(page.locator("a.visit")).to_have_count(7)
    console.village.come()
    page.reload()
    expect(page.locator(".away")).to_have_count(0)
    page.context.close()


def test_the_language_is_kept_for_the_person(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "eve", f"/ledger?date={DATE}")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".total")).to_have_text("7 visits, 4 counted, 2 to review")
    assert page.evaluate("document.documentElement.lang").startswith("en")
    page.context.close()
    again = opened(browser)
    console.enter(again, "eve", "/")
    expect(again.get_by_role("button", name="中文")).to_be_visible()
    again.context.close()


def test_names_are_shown_when_asked_for_and_who_looked_is_written_down(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser)
    console.enter(page, "anna", f"/ledger?date={DATE}")
    expect(page.get_by_text("王秀英")).to_have_count(0)
    assert not console.village.asked
    page.get_by_text("显示姓名").click()
    expect(page.get_by_text("王秀英").first).to_be_visible()
    expect(page.get_by_text("李强").first).to_be_visible()
    (command, arguments), *_ = console.village.asked
    assert (command, arguments["by"], arguments["why"]) == ("people.reveal", "anna", f"ledger {DATE}")
    store = Store(console.village.data_dir / "console.db")
    looked = [entry for entry in Audit(store).entries() if entry.what == "looked"]
    store.close()
    assert looked[0].who == "anna"
    assert "e-1" in looked[0].detail
    assert "王" not in looked[0].detail
    page.context.close()


def test_the_ledger_is_only_read_by_the_console(browser: Browser, console: ConsoleProcess) -> None:
    with open_ledger(console.village.file) as ledger:
        before = ledger.head()
    page = opened(browser)
    console.enter(page, "anna", "/review")
    live(page)
    page.get_by_role("button", name="下一条").click()
    expect(page.locator(".total")).to_have_text("还有 2 条待核对")
    with open_ledger(console.village.file) as ledger:
        assert ledger.head() == before
    page.context.close()


def test_a_day_of_the_plan_is_cancelled_with_its_reason(browser: Browser, console: ConsoleProcess) -> None:
    page = opened(browser, PHONE)
    console.enter(page, "anna", f"/plan?date={DATE}")
    live(page)
    expect(page.locator(".week .card")).to_have_count(7)
    expect(page.locator(".slot")).to_have_count(15)
    page.get_by_role("link", name="这天取消").first.click()
    live(page)
    page.get_by_label("原因").fill("家人来访")
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".slot")).to_have_count(15)
    eventually(lambda: console.village.asked, 60, "the gateway to be asked")
    command, arguments = console.village.asked[0]
    assert (command, arguments["by"], arguments["site"]) == ("visits.except", "anna", "yunhe")
    (row,) = arguments["rows"]
    assert set(row) <= set(PlanException.__struct_fields__)
    assert {name: row[name] for name in ("date", "kind", "plan", "reason")} == {
        "date": "2026-11-16",
        "kind": "cancelled",
        "plan": "meal-1",
        "reason": "家人来访",
    }
    page.context.close()
