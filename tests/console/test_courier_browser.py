"""A courier's record in a real browser: his objection, texts that are no markup, and what fits on his screen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from edge_gateway.visits.records import Grade, Reason, Ruling, State
from tests.console.courier import OTHER_TOKEN, TOKEN, Courier, Switch, courier, ns, said, switched, tap, visit

SIZES = [pytest.param(360, 740, id="phone"), pytest.param(1440, 900, id="screen")]
EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def there() -> Courier:
    """A month with one visit of each kind."""
    found = courier()
    found.ledger.all_visits = [
        visit("p1/2026-11-20", 20, 11),
        visit("p2/2026-11-20", 20, 12, place="guilin-1-102", state=State.LATE, reasons=(Reason.LATE,), late_s=1900),
        visit("p1/2026-11-19", 19, 11, reviewing=True, grade=Grade.WEAK, reasons=(Reason.WEAKER_PROOF, Reason.CLOCK_UNSYNCED)),
        visit("p1/2026-11-18", 18, 11, counted=False, by="li", state=State.WRONG_PLACE, comment=f"{EVIL}!"),
        visit("p1/2026-11-17", 17, 11, counted=False, state=State.UNKNOWN, reviewing=True, start_ns=None, taps=(),
              grade=Grade.NONE, reasons=(Reason.READER_OFFLINE,)),
        visit("p3/2026-11-16", 16, 11, courier="r-9", comment="of r-9"),
    ]  # fmt: skip
    found.ledger.entries["p1/2026-11-18"] = [
        said(5, ns(2026, 11, 18, 15, 0), "p1/2026-11-18", "decline", "li", Reason.WRONG_PLACE),
        said(6, ns(2026, 11, 19, 9, 0), "p1/2026-11-18", "object", "r-17", EVIL),
    ]
    found.ledger.all_taps = [
        tap(
            7,
            ns(2026, 11, 17, 11, 40),
            ruling=Ruling.REFUSED,
            grade=Grade.NONE,
            reasons=(Reason.BAD_CODE,),
            place="guilin-1-102",
        )
    ]
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Switch]]:
    with switched() as found:
        yield found


@pytest.fixture
def site(there: Courier, server: tuple[str, Switch]) -> str:
    address, switch = server
    switch.app = there.app()
    return address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 360, "height": 740}, locale="zh-CN")
    yield opened
    opened.close()


def keep_picture(page: Page, name: str) -> None:
    """Into `KANHU_PICTURES`, for people to look at."""
    if folder := os.environ.get("KANHU_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def fits(page: Page) -> None:
    """Nothing is wider than the screen, and what is pressed is large enough for a thumb."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    small = "[...document.querySelectorAll('button')].filter(b => b.offsetHeight && b.offsetHeight < 36).length"
    assert page.evaluate(small) == 0


def test_an_objection_in_the_browser_reaches_the_gateway(there: Courier, site: str, page: Page) -> None:
    page.goto(f"{site}/me/{TOKEN}")
    row = page.locator('[data-visit="p1/2026-11-18"]')
    row.locator("summary").click()
    row.locator("textarea").fill("我在门口 <b>等了</b> 5 分钟")
    row.locator("button").click()
    expect(page.locator(".notice")).to_be_visible()
    (told,) = there.gateway.of("visits.object")
    assert (told["visit"], told["courier"], told["text"]) == ("p1/2026-11-18", "r-17", "我在门口 <b>等了</b> 5 分钟")


def test_a_missing_visit_in_the_browser_reaches_the_gateway(there: Courier, site: str, page: Page) -> None:
    page.goto(f"{site}/me/{TOKEN}?lang=en")
    form = page.locator(".missing")
    form.locator("summary").click()
    form.locator("[name=date]").fill("2026-11-12")
    form.locator("[name=time]").fill("11:20")
    form.locator("[name=place]").fill("wutong-5-101")
    form.locator("textarea").fill("the reader was dark")
    form.locator("button").click()
    expect(page.locator(".notice")).to_be_visible()
    (told,) = there.gateway.of("visits.object")
    assert (told["visit"], told["date"], told["place"]) == ("", "2026-11-12", "wutong-5-101")


def test_script_in_a_comment_and_in_an_objection_is_shown_as_text(site: str, page: Page) -> None:
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"{site}/me/{TOKEN}")
    expect(page.locator(".comment")).to_have_text(f"{EVIL}!")
    expect(page.locator(".history q")).to_contain_text([EVIL])
    assert page.title() != "owned" and page.locator("main img").count() == 0
    assert [text for text in errors if "favicon" not in text and "404" not in text] == []


def test_another_couriers_link_shows_nothing_of_this_one(site: str, page: Page) -> None:
    page.goto(f"{site}/me/{OTHER_TOKEN}")
    body = page.inner_text("body")
    assert "of r-9" in body and "r-17" not in body and "guilin-1-102" not in body
    page.goto(f"{site}/me/{TOKEN[:-1]}9")
    assert page.locator("h1").inner_text() == "此链接无效"


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_record_fits_on_the_screen(site: str, page: Page, width: int, height: int, language: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{site}/me/{TOKEN}?lang={language}")
    page.locator(".missing summary").click()
    fits(page)
    keep_picture(page, f"record-{width}-{language}")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_tap_page_fits_on_the_screen(site: str, page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{site}/t?e=AA&c={width}")
    expect(page.locator("#who")).to_be_visible()
    expect(page.locator("#state")).to_have_attribute("data-state", "recorded")
    fits(page)
    keep_picture(page, f"tap-{width}")
    page.click("#where-no")
    page.click("#not-now")
    expect(page.locator("#state")).to_have_attribute("data-state", "delivered", timeout=60_000)
    page.click("#language")
    fits(page)
    keep_picture(page, f"tap-delivered-{width}-en")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_desk_fits_on_the_screen(there: Courier, site: str, page: Page, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{site}/desk")
    fits(page)
    keep_picture(page, f"desk-{width}")
    there.ledger.all_taps += [tap(1, there.now_ns - 4_000_000_000), tap(2, there.now_ns - 1_000_000_000)]
    expect(page.locator("#shown article").first).to_be_visible(timeout=60_000)
    fits(page)
    keep_picture(page, f"desk-record-{width}")
