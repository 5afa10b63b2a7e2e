"""The desk's screen: a courier taps twice at the reader beside it and sees his record for 30 seconds. It only shows."""

import sqlite3
from collections.abc import Callable
from datetime import date
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboards.console.courier import answers
from dashboards.console.courier.kiosk import BETWEEN_NS, FRESH_NS, SHOWN_NS, Opened, opened
from dashboards.console.courier.month import Row
from dashboards.console.courier.parts import numbers, visit_head
from dashboards.console.courier.ports import LANGUAGES, Ports
from dashboards.console.courier.record import month_of
from dashboards.console.courier.words import column, day, preferred, text
from dashboards.console.html import Html, join, tag
from edge_gateway.errors import KanhuError
from edge_gateway.visits.look import Ledger

VISITS: Final = 20


def router(ports_of: Callable[[Request], Ports]) -> APIRouter:
    """`/desk` and what its script asks for."""
    routes = APIRouter()

    @routes.get("/desk")
    def screen(request: Request, reader: str = "", lang: str = "") -> Response:
        ports = ports_of(request)
        ports.kiosk(request)
        language = lang if lang in LANGUAGES else preferred(request.headers.get("accept-language", ""))
        return answers.page(_screen(ports, reader, language))

    @routes.get("/desk/now")
    def now(request: Request, reader: str = "", lang: str = "") -> Response:
        """The record to show, or 204; the header says for how many milliseconds."""
        ports = ports_of(request)
        ports.kiosk(request)
        if reader not in ports.desk_readers:
            return answers.page("", 404)
        language = lang if lang in LANGUAGES else LANGUAGES[0]
        try:
            with ports.open_ledger() as ledger:
                return _now(ports, ledger, reader, language)
        except (KanhuError, sqlite3.Error):
            return answers.page(tag("p", text("desk_away", language), class_="notice"), 503)

    return routes


def _now(ports: Ports, ledger: Ledger, reader: str, language: str) -> Response:
    site, _, device = reader.partition("/")
    now_ns = ports.now_ns()
    since = now_ns - SHOWN_NS - BETWEEN_NS - FRESH_NS
    found = opened(ledger.recent_taps(site, device, since), now_ns)
    if found is None:
        return Response(status_code=204, headers=answers.GUARDED)
    html = _record(ports, ledger, found, language) if found.proven else tag("p", text("desk_weak", language), class_="notice")
    left_ms = max(0, (found.until_ns - now_ns) // 1_000_000)
    return answers.page(html, headers={"X-Left-Ms": str(left_ms)})


def _record(ports: Ports, ledger: Ledger, found: Opened, language: str) -> Html:
    """His pseudonym, the month in numbers, the last visits. Nothing of it is kept by the screen."""
    month = month_of(ports, ledger, found.site, found.courier)
    visits = list(month.visits)
    if len(visits) < VISITS:
        visits += month_of(ports, ledger, found.site, found.courier, last=True).visits
    shown = [
        tag(
            "article",
            tag("p", day(date.fromisoformat(visit.date), language), class_="facts"),
            visit_head(Row(visit), ports.local(found.site), language),
        )
        for visit in visits[:VISITS]
    ]
    return join(
        [
            tag("h1", found.courier),
            numbers(month.totals, language),
            tag("p", text("what_review_means", language), class_="explain"),
            tag("h2", text("last_visits", language)),
            tag("div", *shown, class_="columns") if shown else tag("p", text("nothing_yet", language)),
            tag("p", text("desk_gone", language), class_="explain"),
        ]
    )


def _screen(ports: Ports, asked: str, language: str) -> str:
    reader = asked if asked in ports.desk_readers else next(iter(ports.desk_readers), "")
    other = LANGUAGES[1 - column(language)]
    choices = [tag("a", one, href=f"/desk?reader={one}&lang={language}") for one in ports.desk_readers if one != reader]
    body = tag(
        "main",
        tag("a", text("other_language", language), href=f"/desk?reader={reader}&lang={other}", class_="language", lang=other),
        tag(
            "section",
            tag("h1", text("desk_title", language)),
            tag("p", text("desk_how" if reader else "desk_none", language)),
            tag("nav", *choices) if choices else None,
            id="how",
        ),
        tag("div", id="shown", role="status"),
        id="desk",
        data_reader=reader,
    )
    head = (
        tag("link", rel="stylesheet", href=answers.static("courier.css")),
        tag("link", rel="stylesheet", href=answers.static("desk.css")),
        tag("script", src=answers.static("desk.js"), defer=True),
    )
    return answers.document(text("desk_title", language), language, body, head)
