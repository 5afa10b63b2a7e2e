"""The ledger of one day: every visit with its state, proof and reasons; filters, totals, the days around it."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Final

from nicegui import ui
from starlette.requests import Request

from dashboards.console.html import Html, join, tag
from dashboards.console.live import Page
from dashboards.console.roles import Right, may, may_see
from dashboards.console.staff import show
from dashboards.console.staff.frame import away, choose_site, day_of, frame, link, read, site_links, zone
from edge_gateway.visits.records import DONE, State, Visit

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger

MOST: Final = 300  # rows of one page: a phone draws them within some seconds
_READ: Final = 20_000  # visits of one site and day that are looked through
REVIEW: Final = "review"  # beside the states, as a filter


async def build(request: Request, date: str = "", site: str = "", state: str = "", names: str = "") -> None:
    """`/ledger?date=2026-11-21&site=yunhe&state=late&names=1`."""
    page = Page(request, Right.LEDGER)
    site = await choose_site(page, site)
    with frame(page, request, "ledger"):
        await away(page)
        if not site:
            ui.label(page.say("no_site")).classes("empty")
            return
        where = zone(page, site)
        day = day_of(date, where)
        on = day.isoformat()

        def to(date: str = on, site: str = site, state: str = state, names: str = names) -> str:
            return link("/ledger", date=date, site=site, state=state, names=names)

        await site_links(page, site, lambda other: to(site=other, state=""))
        with ui.element("div").classes("days"):
            ui.link(f"‹ {page.say('previous_day')}", to(date=(day - timedelta(1)).isoformat())).classes("step").mark("previous")
            ui.label(show.day(on, page.lang)).classes("day")
            ui.link(f"{page.say('next_day')} ›", to(date=(day + timedelta(1)).isoformat())).classes("step").mark("next")
        found = await read(page, lambda ledger: _visits(ledger, page, site, on))
        if found is None:
            return
        _filters(page, found, state, to)
        shown = [visit for visit in found if not state or _fits(visit, state)]
        known = await _names(page, shown, site, on) if names else {}
        _names_link(page, names, to)
        rows(page, shown[:MOST], where, known)
        if len(shown) > MOST:
            ui.label(page.say("more_than_shown", count=MOST)).classes("empty")


def _visits(ledger: "Ledger", page: Page, site: str, on: str) -> list[Visit]:
    found = ledger.visits(site=site, date_from=on, date_to=on, limit=_READ)
    return sorted(
        (visit for visit in found if may_see(page.session.user, site, visit.place)),
        key=lambda visit: (visit.opens_ns or visit.start_ns or 0, visit.place, visit.id),
    )


def _fits(visit: Visit, state: str) -> bool:
    return visit.reviewing if state == REVIEW else visit.state == state


def _filters(page: Page, found: list[Visit], state: str, to: Callable[..., str]) -> None:
    by_state = Counter(visit.state for visit in found)
    reviewing = sum(visit.reviewing for visit in found)
    counted = sum(visit.counted for visit in found)
    ui.label(page.say("day_total", count=len(found), counted=counted, reviewing=reviewing)).classes("total").mark("total")
    with ui.element("nav").classes("chips"):
        ui.link(f"{page.say('all')} {len(found)}", to(state="")).classes("chip" if state else "chip here")
        for one in State:
            if by_state[one] or state == one:
                words = f"{show.SIGNS[one]} {show.state(one, page.lang)} {by_state[one]}"
                ui.link(words, to(state=one.value)).classes(f"chip {one.value}{' here' if state == one else ''}")
        if reviewing or state == REVIEW:
            here = " here" if state == REVIEW else ""
            ui.link(f"! {page.say('review')} {reviewing}", to(state=REVIEW)).classes(f"chip reviewing{here}")


async def _names(page: Page, visits: list[Visit], site: str, on: str) -> Mapping[str, str]:
    ids = {id_ for visit in visits[:MOST] for id_ in (visit.person, visit.courier)}
    found = await page.console.reach.names(page.session, ids, site, f"ledger {on}")
    return {id_: entry.get("name", "") for id_, entry in found.items()}


def _names_link(page: Page, names: str, to: Callable[..., str]) -> None:
    """Names only when somebody wants to see them: each look is written down."""
    if may(page.session.user, Right.NAMES):
        ui.link(page.say("hide_names" if names else "show_names"), to(names="" if names else "1")).classes("names").mark(
            "names"
        )


def rows(page: Page, visits: list[Visit], where: tzinfo, names: Mapping[str, str]) -> None:
    """A list on a phone, a table on a desk; each row leads to its visit.

    One element of NiceGUI for all: one for each cell cost 0.6 s and 18 MB for 300 visits.
    """
    if not visits:
        ui.label(page.say("no_visits")).classes("empty")
        return
    keys = ("state", "window", "place", "person_service", "courier", "start", "grade", "reasons")
    head = tag("div", *(tag("span", page.say(key)) for key in keys), class_="visit head", aria_hidden="true")
    ui.html(join([head, *(_row(page, visit, where, names) for visit in visits)])).classes("visits")


def _row(page: Page, visit: Visit, where: tzinfo, names: Mapping[str, str]) -> Html:
    lang = page.lang
    told = show.reasons(visit, lang) + ([visit.comment] if visit.comment else [])
    if not visit.counted and visit.state in DONE:
        told.insert(0, page.say("not_counted"))
    cells = {
        "window": show.window(visit, where),
        "place": visit.place,
        "person": _words(names.get(visit.person) or visit.person, show.service(visit.service, lang)),
        "courier": names.get(visit.courier) or visit.courier,
        "start": _words(show.started(visit, where), show.lateness(visit, lang)),
        "grade": show.GRADE_SIGNS[visit.grade] if visit.taps else "",
        "reasons": ("; " if lang == "en" else "；").join(told),
    }
    spans = (tag("span", value, class_=name) for name, value in cells.items())
    return tag("a", badge(page, visit), *spans, class_="visit", href=link("/visit", site=visit.site, id=visit.id))


def _words(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def badge(page: Page, visit: Visit) -> Html:
    """The state as colour, sign and word; and whether it waits for a person."""
    words = f"{show.SIGNS[visit.state]} {show.state(visit.state, page.lang)}"
    review = tag("span", f"! {page.say('review')}", class_="badge reviewing") if visit.reviewing else None
    return tag("span", tag("span", words, class_=f"badge {visit.state.value}"), review, class_="states")
