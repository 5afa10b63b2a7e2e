"""The desk's screen: who is shown when two taps come, and for how long."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from dashboards.console.courier.kiosk import opened
from dashboards.console.roles import Forbidden
from edge_gateway.visits.records import Card, CardKind, CardRole, Grade, JudgedTap, Reason, Ruling
from tests.console.courier import NOW, Courier, S, Switch, courier, switched, tap, visit
from tests.web import ask, serving

T = int(NOW.timestamp()) * S
CARD = Card("c-9", "wutong", CardKind.NTAG424, CardRole.COURIER, "r-17")
DESK = "/desk/now?reader=wutong/desk-1&lang=en"


@pytest.fixture
def there() -> Courier:
    found = courier()
    found.ledger.all_visits = [visit(f"p1/2026-11-{day}", day, 11) for day in range(1, 21)]
    found.ledger.all_visits += [visit("p9/1", 20, 12, courier="r-9", place="guilin-1-102", comment="r-9's own")]
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


def twice(apart_s: float = 3, ago_s: float = 1, **changes: Any) -> list[JudgedTap]:
    """Two taps, the second some seconds ago."""
    second = T - int(ago_s * S)
    return [tap(1, second - int(apart_s * S), **changes), tap(2, second, **changes)]


def shown(taps: list[JudgedTap], now_ns: int = T) -> str:
    found = opened(taps, now_ns)
    return "" if found is None else found.courier if found.proven else f"{found.courier}?"


def test_two_taps_within_ten_seconds_open_a_record_for_thirty() -> None:
    assert shown(twice()) == "r-17"
    assert shown(twice(apart_s=10)) == "r-17"
    assert shown(twice(apart_s=10.5)) == ""
    assert shown(twice(ago_s=29.5)) == "r-17"
    assert shown(twice(ago_s=30)) == ""


def test_one_tap_opens_nothing() -> None:
    assert shown(twice()[:1]) == ""
    assert shown([twice()[0], twice()[0]]) == ""


def test_two_couriers_one_after_the_other_open_nothing() -> None:
    first, second = tap(1, T - 3 * S), tap(2, T - 1 * S, courier="r-9")
    assert shown([first, second]) == ""
    assert shown([tap(0, T - 5 * S, courier="r-9"), first, second]) == ""


def test_the_next_courier_takes_over_at_once() -> None:
    assert shown([*twice(ago_s=8), tap(3, T - 4 * S, courier="r-9"), tap(4, T - 2 * S, courier="r-9")]) == "r-9"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ruling": Ruling.REFUSED}, id="refused"),
        pytest.param({"ruling": Ruling.REPEATED}, id="repeated"),
        pytest.param({"reasons": (Reason.REVOKED_CARD,), "ruling": Ruling.REVIEW}, id="revoked"),
        pytest.param({"reasons": (Reason.CLONED_CARD,), "ruling": Ruling.REVIEW}, id="cloned"),
        pytest.param({"card": Card("c-9", "wutong", CardKind.NTAG424, CardRole.PLACE, "r-17")}, id="a place's tag"),
        pytest.param(
            {"card": Card("c-9", "wutong", CardKind.NTAG424, CardRole.COURIER, "r-17", revoked_ns=5)}, id="revoked now"
        ),
        pytest.param({"card": None}, id="unknown card"),
    ],
)
def test_taps_that_may_not_be_the_courier_open_nothing(changes: dict[str, Any]) -> None:
    assert shown(twice(**changes)) == ""


def test_a_number_that_anybody_can_copy_opens_no_record() -> None:
    assert shown(twice(grade=Grade.WEAK)) == "r-17?"


def test_what_a_reader_had_in_its_memory_opens_nothing() -> None:
    old = [tap(n, T - 3600 * S + n * S, received_ns=T - S) for n in (1, 2)]
    assert shown(old) == ""


def test_the_record_has_numbers_and_the_last_twenty_visits_of_this_courier_alone(there: Courier, site: str) -> None:
    there.ledger.all_taps = twice()
    answer = ask(site + DESK)
    assert answer.status == 200 and answer.text.count("<article>") == 20
    assert "r-17" in answer.text and "e-secret" not in answer.text and "guilin" not in answer.text
    assert 28_000 <= int(answer.headers["x-left-ms"]) <= 30_000 and answer.headers["cache-control"] == "no-store"


def test_a_weak_card_is_told_why_it_opens_nothing(there: Courier, site: str) -> None:
    there.ledger.all_taps = twice(grade=Grade.WEAK)
    answer = ask(site + DESK)
    assert "anybody can copy" in answer.text and "wutong-3-201" not in answer.text


def test_without_taps_there_is_nothing_and_without_a_ledger_a_word(there: Courier, site: str) -> None:
    assert ask(site + DESK).status == 204
    there.ledger.away = True
    assert ask(site + DESK).status == 503


def test_a_reader_that_is_no_desk_shows_nothing(there: Courier, site: str) -> None:
    there.ledger.all_taps = twice(device="home-1")
    assert ask(site + "/desk/now?reader=wutong/home-1").status == 404
    assert ask(site + DESK).status == 204


def test_who_may_not_see_the_screen_sees_nothing(there: Courier, site: str) -> None:
    there.ledger.all_taps = twice()
    there.forbidden = Forbidden("kiosk")
    assert ask(site + "/desk").status == 403 and ask(site + DESK).status == 403


def test_the_screen_shows_the_record_and_takes_it_away(there: Courier, browser: Browser) -> None:
    with serving(there.app()) as site:
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="zh-CN")
        page.goto(site + "/desk")
        expect(page.locator("#how")).to_be_visible()
        there.ledger.all_taps = twice()
        expect(page.locator("#shown article")).to_have_count(20, timeout=60_000)
        expect(page.locator("#how")).to_be_hidden()
        there.now_ns += 31 * S
        expect(page.locator("#shown article")).to_have_count(0, timeout=60_000)
        expect(page.locator("#how")).to_be_visible()
        page.close()


def test_the_screen_forgets_the_record_also_when_the_server_is_gone(there: Courier, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    with serving(there.app()) as site:
        there.ledger.all_taps = twice(ago_s=25)  # five seconds are left
        page.goto(site + "/desk")
        expect(page.locator("#shown article")).to_have_count(20, timeout=60_000)
    expect(page.locator("#shown article")).to_have_count(0, timeout=60_000)
    page.close()
