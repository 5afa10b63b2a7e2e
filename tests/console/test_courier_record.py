"""What a courier sees behind his personal link, and what nobody sees."""

from collections.abc import Iterator
from typing import Any

import pytest

from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.visits.records import Grade, Reason, Ruling, State
from tests.console.courier import NOW, OTHER_TOKEN, TOKEN, Courier, Switch, courier, ns, said, switched, tap, visit
from tests.web import ask, serving

ME = f"/me/{TOKEN}"


@pytest.fixture
def there() -> Courier:
    """Four visits and a refused tap of r-17, one of r-9."""
    found = courier()
    found.ledger.all_visits = [
        visit("p1/2026-11-20", 20, 11),
        visit("p1/2026-11-19", 19, 11, reviewing=True, reasons=(Reason.CLOCK_UNSYNCED,)),
        visit("p1/2026-11-18", 18, 11, counted=False, by="li", state=State.WRONG_PLACE),
        visit("p1/2026-10-30", 30, 11, date="2026-10-30", start_ns=ns(2026, 10, 30, 11, 5), taps=()),
        visit("p2/2026-11-20", 20, 12, courier="r-9", place="guilin-1-102", comment="for r-9 only"),
    ]
    refused: dict[str, Any] = {"ruling": Ruling.REFUSED, "grade": Grade.NONE}
    found.ledger.all_taps = [
        tap(7, ns(2026, 11, 17, 11, 40), reasons=(Reason.BAD_CODE,), device="home-9", place="gate-2", **refused),
        tap(8, ns(2026, 11, 17, 11, 41), "r-9", reasons=(Reason.REPLAY,), device="home-8", place="guilin-1-102", **refused),
        tap(9, ns(2026, 11, 17, 11, 42), device="desk-1", place="front-desk"),
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


def fields(page: str, visit_id: str = "", **more: str) -> dict[str, str]:
    """What the form of the page sends."""
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    return {"csrf": csrf, "visit": visit_id, "text": "I was there at 11:40", "lang": "en", **more}


def test_a_month_shows_each_visit_with_place_code_state_and_reason_and_no_name(site: str) -> None:
    page = ask(site + ME + "?lang=en").text
    assert page.count("data-visit=") == 3
    assert "wutong-3-201" in page and "counted; a person will look at it" in page and "tap refused" in page
    assert "e-secret" not in page and "front-desk" not in page
    assert "2026-10-30" not in page and "p1/2026-10-30" in ask(site + ME + "?m=2026-10").text


def test_the_numbers_at_the_top_are_those_of_the_rows(site: str) -> None:
    page = ask(site + ME + "?lang=en").text
    assert [page.split(f"<dt>{name}</dt>")[0].rpartition("<dd>")[2].partition("<")[0] for name in
            ("visits counted", "of these in review", "not counted", "taps refused")] == ["2", "1", "1", "1"]  # fmt: skip


def test_nothing_of_another_courier_is_shown(site: str) -> None:
    mine, others = ask(site + ME).text, ask(f"{site}/me/{OTHER_TOKEN}").text
    assert "guilin-1-102" not in mine and "r-9" not in mine and "for r-9 only" not in mine
    assert "guilin-1-102" in others and "wutong-3-201" not in others and "r-17" not in others


def test_a_comment_that_is_somebodys_objection_or_correction_is_said_once_or_to_nobody_else(there: Courier, site: str) -> None:
    there.ledger.all_visits = [
        visit("p1/2026-11-20", 20, 11, comment="of r-9 alone"),
        visit("p1/2026-11-19", 19, 11, comment="nobody came"),
        visit("p1/2026-11-18", 18, 11, comment="the door was broken"),
    ]
    there.ledger.entries["p1/2026-11-20"] = [
        said(5, ns(2026, 11, 20, 15, 0), "p1/2026-11-20", "object", "r-9", "of r-9 alone"),
    ]
    there.ledger.entries["p1/2026-11-19"] = [
        said(6, ns(2026, 11, 19, 15, 0), "p1/2026-11-19", "decline", "li", "nobody came"),
    ]
    page = ask(site + ME).text
    assert "of r-9 alone" not in page
    assert (page.count("nobody came"), page.count("the door was broken")) == (1, 1)


def test_corrections_say_who_when_and_why_and_an_objection_waits_for_its_answer(there: Courier, site: str) -> None:
    there.ledger.entries["p1/2026-11-18"] = [
        said(5, ns(2026, 11, 18, 15, 0), "p1/2026-11-18", "decline", "li", Reason.WRONG_PLACE),
        said(6, ns(2026, 11, 19, 9, 0), "p1/2026-11-18", "object", "r-17", "it is the neighbour's door"),
        said(7, ns(2026, 11, 19, 9, 5), "p1/2026-11-18", "object", "r-9", "words of another courier"),
    ]
    page = ask(site + ME + "?lang=en").text
    assert "li · 18 Nov 15:00" in page and "it is the neighbour&#x27;s door" in page and "you · 19 Nov 09:00" in page
    assert "words of another courier" not in page and "waiting for an answer" in page
    there.ledger.entries["p1/2026-11-18"].append(said(8, ns(2026, 11, 20, 8, 0), "p1/2026-11-18", "change", "li", "neighbours"))
    assert "waiting for an answer" not in ask(site + ME + "?lang=en").text


@pytest.mark.parametrize("token", ["C" * 22, "A" * 22, "A", "A" * 900, "%00", "..%2f", "1' OR 1=1"])
def test_every_link_that_does_not_work_gets_the_same_answer(there: Courier, site: str, token: str) -> None:
    there.ledger.links["A" * 22] = there.ledger.links[TOKEN]
    there.now_ns = ns(2027, 1, 1, 0, 0)  # all links are over
    unknown, answer = ask(f"{site}/me/unknown"), ask(f"{site}/me/{token.replace(' ', '%20')}")
    assert (answer.status, answer.content) == (404, unknown.content)
    assert {k: v for k, v in answer.headers.items() if k != "date"} == {k: v for k, v in unknown.headers.items() if k != "date"}


def test_pages_are_kept_nowhere_and_load_nothing_foreign(site: str) -> None:
    headers = ask(site + ME).headers
    assert headers["cache-control"] == "no-store" and headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"] and "unsafe" not in headers["content-security-policy"]
    assert "set-cookie" not in headers


def test_who_guesses_links_is_slowed_down_and_who_has_one_is_not(there: Courier, site: str) -> None:
    answers = [ask(f"{site}/me/guess{n}").status for n in range(40)]
    assert answers[:20] == [404] * 20 and 429 in answers
    # ... from that address; another phone of the same courier is elsewhere.
    with serving(there.app()) as elsewhere:
        assert [ask(elsewhere + ME).status for _ in range(10)] == [200] * 10


def test_an_objection_reaches_the_gateway_in_the_couriers_name(there: Courier, site: str) -> None:
    page = ask(site + ME).text
    answer = ask(site + ME, fields(page, "p1/2026-11-18"))
    assert answer.status == 303 and "done=1" in answer.headers["location"]
    assert there.gateway.of("visits.object") == [
        {"site": "wutong", "courier": "r-17", "visit": "p1/2026-11-18", "text": "I was there at 11:40"}
    ]
    assert "Your objection is with us" in ask(site + answer.headers["location"]).text


def test_what_was_decided_no_longer_says_that_it_will_be_looked_at(there: Courier, site: str) -> None:
    plain: dict[str, Any] = {"state": State.WRONG_PLACE, "reasons": (Reason.WRONG_PLACE,)}
    there.ledger.all_visits = [visit("p1/2026-11-18", 18, 11, reviewing=True, **plain)]
    assert "Planned for another place; it is counted" in ask(site + ME + "?lang=en").text
    there.ledger.all_visits = [visit("p1/2026-11-18", 18, 11, counted=False, by="li", **plain)]
    page = ask(site + ME + "?lang=en").text
    assert "Planned for another place<" in page and ">not counted<" in page and "another place; it is counted" not in page
    there.ledger.all_visits = [visit("p1/2026-11-18", 18, 11, counted=False, reviewing=True, state=State.UNKNOWN, taps=())]
    assert "not counted yet; a person decides" in ask(site + ME + "?lang=en").text


def test_a_missing_visit_is_told_with_date_and_place(there: Courier, site: str) -> None:
    page = ask(site + ME).text
    assert ask(site + ME, fields(page, date="2026-11-12", time="11:20", place="wutong-5-101")).status == 303
    told = there.gateway.of("visits.object")[0]
    assert (told["visit"], told["date"], told["place"]) == ("", "2026-11-12", "wutong-5-101")
    assert told["text"] == "11:20 I was there at 11:40"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param({"csrf": "0" * 64}, 403, id="another page's token"),
        pytest.param({"csrf": ""}, 403, id="no token"),
        pytest.param({"visit": "p2/2026-11-20"}, 422, id="another courier's visit"),
        pytest.param({"visit": "none"}, 422, id="no such visit"),
        pytest.param({"text": " "}, 422, id="no words"),
        pytest.param({"text": "x" * 501}, 422, id="too long"),
        pytest.param({"visit": "", "date": "2026-11-22", "place": "p"}, 422, id="tomorrow"),
        pytest.param({"visit": "", "date": "2026-09-30", "place": "p"}, 422, id="long ago"),
        pytest.param({"visit": "", "date": "x", "place": "p"}, 422, id="no date"),
    ],
)
def test_a_form_that_is_not_right_asks_the_gateway_nothing(
    there: Courier, site: str, change: dict[str, str], status: int
) -> None:
    page = ask(site + ME).text
    assert ask(site + ME, {**fields(page, "p1/2026-11-20"), **change}).status == status
    assert there.gateway.asked == []


def test_a_form_from_another_site_is_refused(there: Courier, site: str) -> None:
    page = ask(site + ME).text
    assert ask(site + ME, fields(page, "p1/2026-11-20"), {"Origin": "https://evil.example"}).status == 403
    assert ask(site + ME, fields(page, "p1/2026-11-20"), {"Origin": site}).status == 303


@pytest.mark.parametrize(("error", "status"), [(Unavailable("away"), 503), (Rejected("no", "x"), 422)])
def test_words_that_could_not_be_delivered_are_still_in_the_form(
    there: Courier, site: str, error: Exception, status: int
) -> None:
    page = ask(site + ME).text
    there.gateway.fails = error
    answer = ask(site + ME, fields(page, "p1/2026-11-18"))
    assert answer.status == status and "I was there at 11:40</textarea>" in answer.text


def test_markup_in_any_text_is_shown_as_text(there: Courier, site: str) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    there.ledger.all_visits[0] = visit("p1/2026-11-20", 20, 11, place=evil, comment=f"{evil}!", service=evil)
    there.ledger.entries["p1/2026-11-20"] = [said(1, ns(2026, 11, 20, 12, 0), "p1/2026-11-20", "note", evil, evil)]
    page = ask(site + ME).text
    assert "<script>" not in page and "<img" not in page and page.count("&lt;script&gt;") == 5


def test_without_a_ledger_the_page_says_so(there: Courier, site: str) -> None:
    there.ledger.away = True
    answer = ask(site + ME + "?lang=en")
    assert answer.status == 503 and "your record is not affected" in answer.text


def test_the_pages_time_is_the_sites(there: Courier, site: str) -> None:
    assert NOW.utcoffset() is not None and "11:32" in ask(site + ME).text
