"""The plan of a week: who is expected where and when, with the days that are different; a day can be cancelled and restored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from nicegui import ui
from starlette.requests import Request

from dashboards.console.html import Html, join, tag
from dashboards.console.live import Page
from dashboards.console.roles import Right, may_see
from dashboards.console.staff import show
from dashboards.console.staff.frame import away, choose_site, day_of, frame, link, read, site_links, text, zone
from edge_gateway.visits.records import PlanException, Slot

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger


@dataclass(frozen=True, slots=True)
class Week:
    """What is planned: the slots of each day, and what is different."""

    days: Sequence[tuple[str, Sequence[Slot]]]
    exceptions: Sequence[PlanException]
    holidays: dict[str, str]
    lines: int


async def build(request: Request, date: str = "", site: str = "", slot: str = "") -> None:
    """`/plan?date=2026-11-21&site=yunhe`: the week of that day; `&slot=`: and a question about this one."""
    page = Page(request, Right.PLAN)
    site = await choose_site(page, site)
    with frame(page, request, "plan"):
        gone = await away(page)
        if not site:
            ui.label(page.say("no_site")).classes("empty")
            return
        where = zone(page, site)
        day = day_of(date, where)
        first = day - timedelta(day.weekday())
        await site_links(page, site, lambda other: link("/plan", date=first.isoformat(), site=other))
        with ui.element("div").classes("days"):
            for step, key in ((-7, "previous_week"), (7, "next_week")):
                target = link("/plan", date=(first + timedelta(step)).isoformat(), site=site)
                ui.link(f"‹ {page.say(key)}" if step < 0 else f"{page.say(key)} ›", target).classes("step")
                if step < 0:
                    ui.label(page.say("week_of", first=show.day(first.isoformat(), page.lang))).classes("day")
        week = await read(page, lambda ledger: _week(ledger, page, site, first, where))
        if week is None:
            return
        if not any(slots for _, slots in week.days):
            ui.label(page.say("no_plan" if week.lines else "no_plan_yet")).classes("empty")
        back = link("/plan", date=first.isoformat(), site=site)
        asked = next((one for _, slots in week.days for one in slots if one.id == slot), None)
        if asked is not None and not gone:
            _question(page, asked, week, back)
        # One element for all: a week of a big site has a thousand visits.
        days = [_day(page, on, slots, week, where, "" if gone else back) for on, slots in week.days]
        ui.html(join(days)).classes("week")


def _week(ledger: "Ledger", page: Page, site: str, first: date, where: tzinfo) -> Week:
    dates = [(first + timedelta(n)).isoformat() for n in range(7)]
    days = [
        (on, sorted((slot for slot in ledger.slots(site, on, where) if may_see(page.session.user, site, slot.plan.place)),
                    key=lambda slot: (slot.opens_ns, slot.plan.place)))
        for on in dates
    ]  # fmt: skip
    return Week(days, ledger.exceptions(site, dates[0], dates[-1]), ledger.holidays(site), len(ledger.plans(site)))


def _day(page: Page, on: str, slots: Sequence[Slot], week: Week, where: tzinfo, back: str) -> Html:
    name = week.holidays.get(on)
    holiday = tag("p", page.say("holiday", name=name), class_="holiday") if name is not None else None
    rows = (_slot(page, slot, week, where, back) for slot in slots)
    return tag("section", tag("h2", show.day(on, page.lang)), holiday, *rows, class_="card")


def _slot(page: Page, slot: Slot, week: Week, where: tzinfo, back: str) -> Html:
    """One visit of the plan.

    Args:
        back: the address of this week; "": nothing can be changed now.
    """
    plan, ours = slot.plan, _ours(slot, week)
    who = " · ".join(part for part in (show.service(plan.service, page.lang), plan.person, plan.courier) if part)
    change = None
    # A wider exception, from the import, is changed where it was made.
    if back and (ours or not slot.cancelled):
        change = tag(
            "a", page.say("undo" if ours else "cancel_day"), href=f"{back}&{urlencode({'slot': slot.id})}", class_="small"
        )
    return tag(
        "div",
        tag("div", f"{show.clock(slot.opens_ns, where)}–{show.clock(slot.closes_ns, where)}  {plan.place}", class_="when"),
        tag("div", who, class_="quiet"),
        tag("div", f"– {page.say('cancelled_day')}: {slot.cancelled}") if slot.cancelled else None,
        change,
        class_="slot cancelled" if slot.cancelled else "slot",
    )


def _ours(slot: Slot, week: Week) -> PlanException | None:
    """The exception that was made here for this day."""
    return next((one for one in week.exceptions if one.id == _exception_id(slot)), None)


def _question(page: Page, slot: Slot, week: Week, back: str) -> None:
    """Cancel this day, or restore it."""
    ours = _ours(slot, week)
    with ui.element("section").classes("card ask"):
        title = page.say("undo" if ours else "cancel_day")
        text(f"{title}: {slot.plan.place} {show.day(slot.date, page.lang)}", element="h2")
        reason = None
        if ours is None:
            reason = ui.input(page.say("why")).props('autofocus maxlength="200"').classes("wide")

        async def save(_: object) -> None:
            if ours is not None:
                await _tell(page, slot, remove=[ours.id])
            else:
                row = {"id": _exception_id(slot), "site": slot.plan.site, "date": slot.date, "kind": "cancelled",
                       "plan": slot.plan.id, "reason": (reason.value if reason else "").strip()}  # fmt: skip
                await _tell(page, slot, rows=[row])
            ui.navigate.to(back)

        with ui.element("div").classes("buttons"):
            with ui.element("button").props('type="button"').classes("act good") as button:
                ui.label(page.say("save"))
            button.on("click", page.click(save))
            ui.link(page.say("cancel"), back).classes("act button")


async def _tell(page: Page, slot: Slot, **what: Any) -> None:
    await page.console.reach.call(
        page.session, "visits.except", site=slot.plan.site, place=slot.plan.place, **{"rows": [], **what}
    )


def _exception_id(slot: Slot) -> str:
    """The same for the same day, so that a second click is no second exception."""
    # Not the plan's own id: with the date it could be too long.
    return f"console-{slot.date}-{sha256(slot.plan.id.encode()).hexdigest()[:16]}"
