"""The plan of a week: who is expected where and when, with the days that are different; a day can be cancelled and restored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nicegui import ui
from starlette.requests import Request

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


async def build(request: Request, date: str = "", site: str = "") -> None:
    """`/plan?date=2026-11-21&site=yunhe`: the week of that day."""
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
                ui.link(page.say(key), target).classes("step")
                if step < 0:
                    ui.label(page.say("week_of", first=show.day(first.isoformat(), page.lang))).classes("day")
        week = await read(page, lambda ledger: _week(ledger, page, site, first, where))
        if week is None:
            return
        if not any(slots for _, slots in week.days):
            ui.label(page.say("no_plan")).classes("empty")
        with ui.element("div").classes("week"):
            for on, slots in week.days:
                _day(page, on, slots, week, where, can_change=not gone)


def _week(ledger: "Ledger", page: Page, site: str, first: date, where: tzinfo) -> Week:
    dates = [(first + timedelta(n)).isoformat() for n in range(7)]
    days = [
        (on, sorted((slot for slot in ledger.slots(site, on, where) if may_see(page.session.user, site, slot.plan.place)),
                    key=lambda slot: (slot.opens_ns, slot.plan.place)))
        for on in dates
    ]  # fmt: skip
    return Week(days, ledger.exceptions(site, dates[0], dates[-1]), ledger.holidays(site))


def _day(page: Page, on: str, slots: Sequence[Slot], week: Week, where: tzinfo, can_change: bool) -> None:
    with ui.element("section").classes("card"):
        text(show.day(on, page.lang), element="h2")
        if on in week.holidays:
            ui.label(page.say("holiday", name=week.holidays[on])).classes("holiday")
        for slot in slots:
            with ui.element("div").classes("slot cancelled" if slot.cancelled else "slot"):
                window = f"{show.clock(slot.opens_ns, where)}–{show.clock(slot.closes_ns, where)}"
                ui.label(f"{window}  {slot.plan.place}").classes("when")
                who = " · ".join(
                    part for part in (show.service(slot.plan.service, page.lang), slot.plan.person, slot.plan.courier) if part
                )
                ui.label(who).classes("quiet")
                if slot.cancelled:
                    ui.label(f"– {page.say('cancelled_day')}: {slot.cancelled}")
                if can_change:
                    _change(page, slot, week)


def _change(page: Page, slot: Slot, week: Week) -> None:
    ours = next((one for one in week.exceptions if one.id == _exception_id(slot)), None)
    if slot.cancelled and ours is None:
        return  # a wider exception, from the import: it is changed where it was made
    key = "undo" if ours is not None else "cancel_day"
    with ui.element("button").props('type="button"').classes("small").mark(key) as button:
        ui.label(page.say(key))

    async def ask(_: object) -> None:
        if ours is not None:
            await _tell(page, slot, remove=[ours.id])
        else:
            _dialog(page, slot)

    button.on("click", page.click(ask))


def _dialog(page: Page, slot: Slot) -> None:
    with ui.dialog() as dialog, ui.element("div").classes("ask card"):
        text(f"{page.say('cancel_day')}: {slot.plan.place} {show.day(slot.date, page.lang)}", element="h2")
        reason = ui.input(page.say("why")).props('autofocus maxlength="200"').classes("wide").mark("reason")

        async def save(_: object) -> None:
            dialog.close()
            plan = slot.plan
            row = {"id": _exception_id(slot), "site": plan.site, "date": slot.date, "kind": "cancelled", "plan": plan.id,
                   "reason": (reason.value or "").strip()}  # fmt: skip
            await _tell(page, slot, rows=[row])

        async def cancel(_: object) -> None:
            dialog.close()

        with ui.element("div").classes("buttons"):
            for key, work in (("save", save), ("cancel", cancel)):
                with ui.element("button").props('type="button"').classes("act").mark(key) as button:
                    ui.label(page.say(key))
                button.on("click", page.click(work))
    dialog.open()


async def _tell(page: Page, slot: Slot, **what: Any) -> None:
    await page.console.reach.call(
        page.session, "visits.except", site=slot.plan.site, place=slot.plan.place, **{"rows": [], **what}
    )
    ui.navigate.reload()


def _exception_id(slot: Slot) -> str:
    """The same for the same day, so that a second click is no second exception."""
    # Not the plan's own id: with the date it could be too long.
    return f"console-{slot.date}-{sha256(slot.plan.id.encode()).hexdigest()[:16]}"
