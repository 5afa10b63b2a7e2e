"""A person's words about a visit while the gateway comes and goes, and what can be corrected."""

from playwright.sync_api import Browser, expect

from tests.console.staff import DATE, ConsoleProcess, live
from tests.servers import eventually


def test_a_reason_that_was_typed_is_still_there_when_the_gateway_was_away(browser: Browser, console: ConsoleProcess) -> None:
    page = browser.new_context(locale="zh-CN", viewport={"width": 360, "height": 740}).new_page()
    console.enter(page, "anna", f"/visit?site=yunhe&id=meal-3/{DATE}")
    live(page)
    page.get_by_role("button", name="不予计入").click()
    page.locator("textarea").fill("问过两次，没有人来")
    console.village.go()
    try:
        page.locator(".q-dialog").get_by_role("button", name="不予计入").click()
        expect(page.locator(".q-notification")).to_contain_text("网关没有应答")
        expect(page.locator("textarea")).to_have_value("问过两次，没有人来")
        assert console.village.visit(3).counted
    finally:
        console.village.come()
    page.locator(".q-dialog").get_by_role("button", name="不予计入").click()
    expect(page.locator(".count")).to_have_text("不计入")
    expect(page.locator(".q-dialog")).to_have_count(0)
    eventually(lambda: not console.village.visit(3).counted, 10, "it is declined")
    assert console.village.visit(3).comment == "问过两次，没有人来"
    page.context.close()


def test_a_service_can_be_corrected(browser: Browser, console: ConsoleProcess) -> None:
    page = browser.new_context(locale="zh-CN").new_page()
    console.enter(page, "anna", f"/visit?site=yunhe&id=meal-2/{DATE}")
    live(page)
    page.get_by_role("button", name="更正").click()
    page.get_by_label("服务").click()
    page.get_by_role("option", name="助浴").click()
    page.locator("textarea").fill("是助浴")
    page.get_by_role("button", name="保存").click()
    expect(page.locator("h1")).to_have_text("p-2 · 助浴")
    assert console.village.asked[-1][1]["changes"] == {"service": "bath"}
    page.context.close()
