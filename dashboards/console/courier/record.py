"""A courier's own record behind his personal link: what is counted, what a person will look at, and his objections."""

import hmac
import sqlite3
from collections.abc import Callable, Iterable
from datetime import date
from hashlib import sha256
from time import monotonic
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from dashboards.console.courier import answers
from dashboards.console.courier.limits import Limit
from dashboards.console.courier.month import Month, Row, Word, first_of_month, last_of_month, shown, stray, totals
from dashboards.console.courier.ports import LANGUAGES, Ports
from dashboards.console.courier.record_page import LONGEST_WORDS, Draft, Record, plain, show, show_bad_link
from dashboards.console.courier.words import preferred, text
from edge_gateway.errors import KanhuError, Rejected, Unavailable
from edge_gateway.visits.chain import LogEntry
from edge_gateway.visits.look import CourierLink, Ledger

MOST_VISITS: Final = 500
MOST_TAPS: Final = 1000
_LONGEST_TOKEN: Final = 64


class Links:
    """Which courier a link belongs to, and how often links may be asked for.

    Wrong links are limited by address, right ones by themselves: couriers behind one address do not lock each other out.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._wrong = Limit(burst=20, per_minute=10, clock=clock)
        self._pages = Limit(burst=30, per_minute=30, clock=clock)
        self.objections = Limit(burst=10, per_minute=0.5, clock=clock)

    def find(self, ledger: Ledger, token: str, address: str, now_ns: int) -> CourierLink | None:
        """The courier, or None for a link that does not work.

        Raises:
            TooOften: this link, or wrong links from this address, came too often.
        """
        if self._wrong.spent(address):
            raise TooOften
        link = ledger.find_courier_by_token(token, now_ns) if len(token) <= _LONGEST_TOKEN else None
        if link is None:
            self._wrong.take(address)
        elif not self._pages.take(f"{link.site}/{link.courier}"):
            raise TooOften
        return link


class TooOften(Exception):
    """Asked more often than a person does."""


def csrf_of(token: str) -> str:
    """What the forms of a link's page carry: only who knows the link can make it."""
    return hmac.new(token.encode(), b"kanhu courier objection", sha256).hexdigest()


def router(ports_of: Callable[[Request], Ports], links: Links) -> APIRouter:
    """Pages under `/me/`."""
    routes = APIRouter()

    @routes.get("/me/{token:path}")
    def my_record(request: Request, token: str, m: str = "", lang: str = "", done: str = "") -> Response:
        language = _language(request, lang)
        return _open(request, token, language, _seen(m, language, "objection_sent" if done else ""))

    @routes.post("/me/{token:path}")
    def object_to(
        request: Request,
        token: str,
        csrf: Annotated[str, Form()] = "",
        visit: Annotated[str, Form()] = "",
        words: Annotated[str, Form(alias="text")] = "",
        on: Annotated[str, Form(alias="date")] = "",
        at: Annotated[str, Form(alias="time")] = "",
        place: Annotated[str, Form()] = "",
        m: Annotated[str, Form()] = "",
        lang: Annotated[str, Form()] = "",
    ) -> Response:
        language = _language(request, lang)
        draft = Draft(visit, words.strip(), on, at, place.strip())
        if not answers.from_here(request) or not hmac.compare_digest(csrf.encode(), csrf_of(token).encode()):
            return answers.page(plain(text("link_bad", language), text("form_old", language), language), 403)
        return _open(request, token, language, _objected(draft, m, language))

    def _open(request: Request, token: str, language: str, then: "_Then") -> Response:
        """Find whose link this is, and go on with `then`; what fails on the way gets its page here."""
        ports = ports_of(request)
        try:
            with ports.open_ledger() as ledger:
                link = links.find(ledger, token, ports.address(request), ports.now_ns())
                if link is None:
                    return answers.page(show_bad_link(language), 404)
                return then(ports, links, ledger, link, token)
        except TooOften:
            words = plain(text("my_record", language), text("too_often", language), language)
            return answers.page(words, 429, {"Retry-After": "60"})
        except (KanhuError, sqlite3.Error):
            return answers.page(plain(text("my_record", language), text("no_ledger", language), language), 503)

    return routes


_Then = Callable[[Ports, Links, Ledger, CourierLink, str], Response]


def _language(request: Request, asked: str) -> str:
    return asked if asked in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def _seen(month: str, language: str, notice: str) -> _Then:
    def then(ports: Ports, _links: Links, ledger: Ledger, link: CourierLink, token: str) -> Response:
        return answers.page(show(record_of(ports, ledger, link, token, month, notice), ports.local(link.site), language))

    return then


def _objected(draft: Draft, month: str, language: str) -> _Then:
    """Send an objection on; what was typed is never lost by a failure."""

    def again(ports: Ports, ledger: Ledger, link: CourierLink, token: str, notice: str, status: int) -> Response:
        record = record_of(ports, ledger, link, token, month, notice, draft)
        return answers.page(show(record, ports.local(link.site), language), status)

    def then(ports: Ports, links: Links, ledger: Ledger, link: CourierLink, token: str) -> Response:
        if wrong := _wrong(draft, ports, ledger, link):
            return again(ports, ledger, link, token, wrong, 422)
        if not links.objections.take(f"{link.site}/{link.courier}"):
            raise TooOften
        try:
            _send(draft, ports, link)
        except Rejected:
            return again(ports, ledger, link, token, "objection_refused", 422)
        except Unavailable:
            return again(ports, ledger, link, token, "objection_kept", 503)
        return answers.elsewhere(f"/me/{quote(token, safe='')}?m={quote(month)}&lang={language}&done=1")

    return then


def _wrong(draft: Draft, ports: Ports, ledger: Ledger, link: CourierLink) -> str:
    """Key of the text that says what is wrong with an objection; "" nothing."""
    if not 1 <= len(draft.text) <= LONGEST_WORDS or len(draft.time) > 5 or len(draft.place) > 64:
        return "objection_bad"
    if draft.visit:
        found = ledger.visit(draft.visit, link.site)
        return "" if found is not None and found.courier == link.courier else "objection_refused"
    try:
        on = date.fromisoformat(draft.date)
    except ValueError:
        return "objection_bad_date"
    today = ports.local(link.site).now().date()
    return "" if draft.place and first_of_month(today, 1) <= on <= today else "objection_bad_date"


def _send(draft: Draft, ports: Ports, link: CourierLink) -> None:
    about = {"site": link.site, "courier": link.courier, "text": draft.text, "visit": draft.visit}
    if not draft.visit:
        about |= {"date": draft.date, "place": draft.place, "text": f"{draft.time} {draft.text}".strip()}
    ports.call("visits.object", 10.0, **about)


def record_of(
    ports: Ports, ledger: Ledger, link: CourierLink, token: str, month: str, notice: str = "", draft: Draft | None = None
) -> Record:
    """This month or the last of one courier; any other `month` is this one."""
    before = first_of_month(ports.local(link.site).now().date(), 1)
    found = month_of(ports, ledger, link.site, link.courier, last=month == f"{before:%Y-%m}")
    rows = [Row(visit, _said(ledger.history(visit.id, link.site))) for visit in found.visits]
    return Record(link, token, csrf_of(token), found, rows, notice, draft)


def month_of(ports: Ports, ledger: Ledger, site: str, courier: str, last: bool = False) -> Month:
    """A courier's visits of this month, or of the last."""
    first = first_of_month(ports.local(site).now().date(), int(last))
    begins, ends = str(first), str(last_of_month(first))
    visits = ledger.visits(site=site, courier=courier, date_from=begins, date_to=ends, limit=MOST_VISITS + 1, newest_first=True)
    # Taps at the desk and at a meal counter are not meant as visits.
    elsewhere = {meal.tap for meal in ledger.served(site=site, holder=courier, date_from=begins, date_to=ends, limit=MOST_TAPS)}
    strays = [
        tap
        for tap in stray(ledger.courier_taps(courier, begins, ends, limit=MOST_TAPS), visits)
        if tap.tap.site == site and f"{site}/{tap.tap.device}" not in ports.desk_readers and tap.tap.id not in elsewhere
    ]
    rows = shown(visits[:MOST_VISITS])
    return Month(first, rows, strays, totals(rows, strays), cut=len(visits) > MOST_VISITS)


def _said(entries: Iterable[LogEntry]) -> tuple[Word, ...]:
    """What people said, oldest first; the visit's own states are in the visit."""
    found = (entry for entry in entries if entry.kind == "correction")
    return tuple(
        Word(
            entry.at_ns,
            str(entry.body.get("action", "")),
            str(entry.body.get("by", entry.by)),
            str(entry.body.get("reason", "")),
        )
        for entry in found
    )
