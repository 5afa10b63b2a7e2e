"""The phone page in a real browser: a tap is kept without a network, over a restart too, and arrives exactly once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from edge_gateway.errors import Unavailable
from tests.console.conftest import _FLAGS as FLAGS
from tests.console.conftest import find_chromium
from tests.console.courier import TOKEN, Courier, courier, serving_at
from tests.servers import eventually, free_port

Phone = Callable[..., AbstractContextManager[BrowserContext]]

TEXT = "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"
NEXT = "picc_data=FD91EC264309878BE6345CBE53BADF40&cmac=ECC1E7F6C6C73BF6"
LONG_MS = 60_000


@pytest.fixture(scope="module")
def chromium() -> Iterator[Playwright]:
    """Ended with its module: its loop would be in the way of other tests."""
    find_chromium()
    with sync_playwright() as running:
        yield running


SMALL: Final[dict[str, Any]] = {"viewport": {"width": 360, "height": 740}, "locale": "zh-CN"}


@pytest.fixture
def lasting(chromium: Playwright, tmp_path: Path) -> Phone:
    """One phone that is switched off and on again: what its browser keeps stays."""

    @contextmanager
    def switched_on() -> Iterator[BrowserContext]:
        context = chromium.chromium.launch_persistent_context(
            str(tmp_path / "phone"), executable_path=find_chromium(), args=FLAGS.split(), headless=True, **SMALL
        )
        yield context
        context.close()

    return switched_on


@pytest.fixture(scope="module")
def program(chromium: Playwright) -> Iterator[Browser]:
    found = chromium.chromium.launch(executable_path=find_chromium(), args=FLAGS.split(), headless=True)
    yield found
    found.close()


@pytest.fixture
def phone(program: Browser) -> Phone:
    """A new phone each time."""

    @contextmanager
    def switched_on(**options: Any) -> Iterator[BrowserContext]:
        context = program.new_context(**{**SMALL, **options})
        yield context
        context.close()

    return switched_on


@pytest.fixture
def there() -> Courier:
    return courier()


@pytest.fixture
def port() -> int:
    return free_port()


def open_tag(context: BrowserContext, port: int, text: str = "") -> Page:
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/t{'?' + text if text else ''}")
    return page


def shown(page: Page, state: str) -> None:
    expect(page.locator("#state")).to_have_attribute("data-state", state, timeout=LONG_MS)


def ready(page: Page) -> None:
    expect(page.locator("#offline-yes")).to_be_visible(timeout=LONG_MS)


def this_is_my_phone(context: BrowserContext, port: int) -> None:
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}/me/{TOKEN}")
    page.click("#my-phone")
    expect(page.locator("#my-phone-done")).to_be_visible(timeout=LONG_MS)
    page.close()


def without_position(page: Page) -> None:
    page.click("#where-no")


def test_a_tap_without_a_network_is_kept_over_a_restart_and_arrives_once(there: Courier, lasting: Phone, port: int) -> None:
    with serving_at(there.app(), port), lasting() as browser:
        this_is_my_phone(browser, port)
        ready(open_tag(browser, port))
    # The server is gone and the network too.
    with lasting() as browser:
        browser.set_offline(True)
        page = open_tag(browser, port, TEXT)
        shown(page, "recorded")
        assert "已记录" in page.inner_text("#state") and "再试" not in page.inner_text("body")
        without_position(page)
        expect(page.locator("#waiting li")).to_have_count(1)
        assert page.url.endswith("/t")
    with lasting() as browser:
        browser.set_offline(True)
        page = open_tag(browser, port, TEXT)  # the browser opens its old page again
        shown(page, "recorded")
        expect(page.locator("#waiting li")).to_have_count(1)
        expect(page.locator("#already")).to_be_visible()
        with serving_at(there.app(), port):
            browser.set_offline(False)
            shown(page, "delivered")
            expect(page.locator("#waiting li")).to_have_count(0)
            page.reload()
            expect(page.locator("#gone li")).to_have_count(1)
    (sent,) = there.gateway.taps.values()
    assert (sent["text"], sent["link"], sent["location"]) == (TEXT, TOKEN, "refused")
    assert sent["sent_ns"] > sent["time_ns"]


def test_the_same_address_opened_twice_is_one_tap_and_the_next_reading_another(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        this_is_my_phone(browser, port)
        first = open_tag(browser, port, TEXT)
        without_position(first)
        shown(first, "delivered")
        shown(open_tag(browser, port, TEXT), "delivered")
        shown(open_tag(browser, port, NEXT), "delivered")
    assert [tap["text"] for tap in there.gateway.of("visits.tap")] == [TEXT, NEXT]
    assert [tap["seq"] for tap in there.gateway.of("visits.tap")] == [1, 2]


def test_while_the_gateway_is_away_the_tap_is_recorded_and_goes_out_later(there: Courier, phone: Phone, port: int) -> None:
    there.gateway.fails = Unavailable("down")
    with serving_at(there.app(), port), phone() as browser:
        this_is_my_phone(browser, port)
        page = open_tag(browser, port, TEXT)
        without_position(page)
        shown(page, "recorded")
        there.gateway.fails = None
        page.evaluate("window.dispatchEvent(new Event('online'))")
        shown(page, "delivered")
    assert len(there.gateway.taps) == 1


def test_one_position_goes_with_a_tap_when_the_courier_agrees(there: Courier, phone: Phone, port: int) -> None:
    here = {"latitude": 31.2304, "longitude": 121.4737, "accuracy": 18}
    with serving_at(there.app(), port), phone(geolocation=here, permissions=["geolocation"]) as browser:
        this_is_my_phone(browser, port)
        page = open_tag(browser, port, TEXT)
        page.click("#where-yes")
        shown(page, "delivered")
    (sent,) = there.gateway.of("visits.tap")
    assert (sent["location"], sent["lat"], sent["lon"], sent["accuracy_m"]) == ("given", 31.2304, 121.4737, 18)


def test_a_position_the_phone_refuses_costs_nothing(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone(permissions=[]) as browser:
        this_is_my_phone(browser, port)
        page = open_tag(browser, port, TEXT)
        page.click("#where-yes")
        shown(page, "delivered")
    (sent,) = there.gateway.of("visits.tap")
    assert sent["location"] in ("refused", "failed") and "lat" not in sent


def test_a_phone_nobody_has_claimed_asks_for_the_code_and_takes_the_whole_link(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        page = open_tag(browser, port, TEXT)
        shown(page, "recorded")
        without_position(page)
        page.fill("#code", "abc")
        page.click("#who button[type=submit]")
        expect(page.locator("#code-bad")).to_be_visible()
        page.fill("#code", f"http://127.0.0.1:{port}/me/{TOKEN}")
        page.click("#who button[type=submit]")
        shown(page, "delivered")
    assert [tap["link"] for tap in there.gateway.of("visits.tap")] == [TOKEN]


def test_who_does_not_say_who_he_is_has_tapped_all_the_same(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        page = open_tag(browser, port, TEXT)
        without_position(page)
        page.click("#not-now")
        shown(page, "delivered")
    assert "link" not in there.gateway.of("visits.tap")[0]


def test_a_link_that_is_withdrawn_is_asked_for_anew_and_the_tap_is_there(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        this_is_my_phone(browser, port)
        del there.ledger.links[TOKEN]
        page = open_tag(browser, port, TEXT)
        without_position(page)
        shown(page, "delivered")
        expect(page.locator("#who")).to_be_visible()
    assert len(there.gateway.taps) == 1


def test_the_worker_sends_what_is_kept_when_no_page_is_open(there: Courier, phone: Phone, port: int) -> None:
    there.gateway.fails = Unavailable("down")
    with serving_at(there.app(), port), phone() as browser:
        this_is_my_phone(browser, port)
        ready(open_tag(browser, port))
        page = open_tag(browser, port, TEXT)
        without_position(page)
        shown(page, "recorded")
        for one in browser.pages:
            one.goto("about:blank")
        there.gateway.fails = None
        tell_the_worker(browser, f"http://127.0.0.1:{port}")
        eventually(lambda: there.gateway.taps, 60, "the worker's tap")
    assert len(there.gateway.taps) == 1


def tell_the_worker(browser: BrowserContext, origin: str) -> None:
    """What the browser does by itself once the network is back."""
    session = browser.new_cdp_session(browser.pages[0])
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(one["registrationId"] for one in event["registrations"] if one["scopeURL"] == f"{origin}/t"),
    )
    session.send("ServiceWorker.enable")
    ends = 600
    while not found and ends:
        browser.pages[0].wait_for_timeout(100)
        ends -= 1
    ask = {"origin": origin, "registrationId": found[0], "tag": "taps", "lastChance": False}
    session.send("ServiceWorker.dispatchSyncEvent", ask)


def test_two_phones_that_drew_one_number_both_deliver(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        this_is_my_phone(browser, port)
        page = open_tag(browser, port)
        page.evaluate("Queue.tell('phone', 5)")
        there.gateway.call("visits.tap", phone=5, seq=1, text="e=1&c=2")
        page = open_tag(browser, port, TEXT)
        without_position(page)
        shown(page, "delivered")
    texts = {key: tap["text"] for key, tap in there.gateway.taps.items()}
    assert texts.pop((5, 1)) == "e=1&c=2" and list(texts.values()) == [TEXT]


def test_an_address_without_a_tags_words_records_nothing(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        shown(open_tag(browser, port, "%3Cscript%3E"), "odd")
        shown(open_tag(browser, port), "none")
    assert there.gateway.asked == []


def test_a_browser_that_keeps_nothing_sends_at_once_or_says_so(there: Courier, phone: Phone, port: int) -> None:
    with serving_at(there.app(), port), phone() as browser:
        browser.add_init_script("Object.defineProperty(window, 'indexedDB', {value: {open() { throw new Error('no'); }}})")
        shown(open_tag(browser, port, TEXT), "delivered")
        there.gateway.fails = Unavailable("down")
        shown(open_tag(browser, port, NEXT), "not_kept")
    assert len(there.gateway.taps) == 1
