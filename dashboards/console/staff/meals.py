"""Meals of one day: what each courier and elder was served, handed over and is claimed, and what does not fit, in words."""

from datetime import timedelta

from nicegui import ui
from starlette.requests import Request

from dashboards.console.html import Html, join, tag
from dashboards.console.live import Page
from dashboards.console.roles import Right, may_see
from dashboards.console.staff import show
from dashboards.console.staff.frame import away, choose_site, day_of, frame, link, read, site_links, zone
from edge_gateway.visits import words
from edge_gateway.visits.meal_day import MealDay, meal_day
from edge_gateway.visits.served import DayTotal, Difference, difference_words

_NUMBERS = ("served", "handed_over", "claimed")


async def build(request: Request, date: str = "", site: str = "") -> None:
    """`/meals?date=2026-11-21&site=yunhe`."""
    page = Page(request, Right.LEDGER)
    site = await choose_site(page, site)
    with frame(page, request, "meals"):
        await away(page)
        if not site:
            ui.label(page.say("no_site")).classes("empty")
            return
        where = zone(page, site)
        day = day_of(date, where)
        on = day.isoformat()
        await site_links(page, site, lambda other: link("/meals", date=on, site=other))
        with ui.element("div").classes("days"):
            for step, key in ((-1, "previous_day"), (1, "next_day")):
                target = link("/meals", date=(day + timedelta(step)).isoformat(), site=site)
                ui.link(f"‹ {page.say(key)}" if step < 0 else f"{page.say(key)} ›", target).classes("step")
                if step < 0:
                    ui.label(show.day(on, page.lang)).classes("day")
        if not may_see(page.session.user, site):
            # A meal belongs to no place before it is handed over, so a part of the site cannot be compared.
            ui.label(page.say("whole_site_only")).classes("empty")
            return
        found = await read(page, lambda ledger: meal_day(ledger, site, on, where))
        if found is not None:
            _content(page, found)


def _content(page: Page, day: MealDay) -> None:
    if not day.totals and not day.differences:
        ui.label(page.say("no_meals")).classes("empty")
        return
    numbers = {name: day.sum(name) for name in _NUMBERS}
    ui.label(page.say("meals_total", differences=len(day.differences), **numbers)).classes("total").mark("total")
    if day.differences:
        # A question, and no verdict: what to do about it is told beside it.
        items = (_difference(page, one) for one in day.differences)
        ui.html(join([tag("p", page.say("ask_first"), class_="quiet"), tag("ul", *items)])).classes("card differs")
    # One element for all, as in the ledger.
    ui.html(join([_row(page, total) for total in day.totals])).classes("meals")


def _difference(page: Page, one: Difference) -> Html:
    told = difference_words(one, page.lang)
    visit = link("/visit", site=one.site, id=one.visit) if one.visit else ""
    return tag("li", tag("a", told, href=visit) if visit else told)


def _row(page: Page, total: DayTotal) -> Html:
    """One courier or elder; each number has its word beside it, on a phone as at a desk."""
    who = total.holder or page.say("nobodys_card")
    numbers = [_number(page, name, getattr(total, name)) for name in _NUMBERS]
    more = [
        page.say(f"meals_{name}", count=number)
        for name in ("unweighed", "confirmed", "shared_meals", "shared_visits", "uncompared")
        if (number := getattr(total, name))
    ]
    return tag(
        "div",
        tag("span", who, class_="holder"),
        tag("span", words.role(total.role, page.lang), class_="quiet"),
        *numbers,
        tag("span", page.say("grams", grams=f"{total.grams:,.0f}"), class_="number"),
        tag("span", "; ".join(more), class_="reasons quiet"),
        class_="meal",
    )


def _number(page: Page, name: str, number: int) -> Html:
    return tag("span", page.say(f"meals_{name}"), " ", tag("b", str(number)), class_="number")
