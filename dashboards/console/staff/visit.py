"""One visit: as it stands, its taps with their proof, and everything that was ever said about it, by whom and when."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

from nicegui import ui
from starlette.requests import Request

from dashboards.console.live import Page
from dashboards.console.roles import Right, may, may_see
from dashboards.console.staff import show
from dashboards.console.staff.decide import Decision
from dashboards.console.staff.frame import away, choose_site, frame, link, read, text, zone
from dashboards.console.staff.ledger import badge
from edge_gateway.visits.records import JudgedTap, State, Visit

if TYPE_CHECKING:
    from edge_gateway.visits.chain import LogEntry
    from edge_gateway.visits.look import Ledger

GATEWAY: Final = "gateway"
# Fields of a visit that a history tells about, and the key of their word.
TOLD: Final = {"state": "state", "courier": "courier", "person": "person", "service": "service", "counted": "counted",
               "reviewing": "review", "start_ns": "start", "end_ns": "end", "comment": "comment"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known of a visit."""

    visit: Visit
    taps: Sequence[JudgedTap]
    history: "Sequence[LogEntry]"


def story(ledger: "Ledger", site: str, id_: str) -> Story | None:
    """From the ledger; None: there is no such visit."""
    visit = ledger.visit(id_, site)
    return None if visit is None else Story(visit, ledger.taps(visit), ledger.history(id_, site))


async def build(request: Request, site: str = "", id: str = "") -> None:
    """`/visit?site=yunhe&id=meal-7/2026-11-21`."""
    page = Page(request, Right.LEDGER)
    site = await choose_site(page, site)
    with frame(page, request, "visit"):
        await away(page)
        found = await read(page, lambda ledger: (story(ledger, site, id[:300]),))
        if found is None:
            return
        known = found[0]
        if known is None or not may_see(page.session.user, site, known.visit.place):
            ui.label(page.say("no_visit")).classes("empty")
            return
        ui.link(f"‹ {page.say('back')}", link("/ledger", date=known.visit.date, site=site)).classes("step")
        where = zone(page, site)
        facts(page, known.visit, where)
        _decide(page, known.visit)
        taps(page, known.taps, where)
        history(page, known.history, where)


def _decide(page: Page, visit: Visit) -> None:
    """Say something about it, also anew: what was said before is kept."""
    if not may(page.session.user, Right.DECIDE) or visit.state in (State.PLANNED, State.CANCELLED):
        return

    async def done(_: str) -> None:
        ui.navigate.reload()

    with ui.element("div").classes("buttons").props('role="group"'):
        Decision(page, visit, done).buttons()


def facts(page: Page, visit: Visit, where: tzinfo) -> None:
    """What the ledger says now."""
    with ui.element("section").classes("card"):
        with ui.element("h1"):
            ui.label(" · ".join(part for part in (visit.place, show.service(visit.service, page.lang)) if part))
        ui.html(badge(page, visit))
        late = show.lateness(visit, page.lang)
        rows = (
            ("window" if visit.opens_ns else "date", f"{show.day(visit.date, page.lang)} {show.window(visit, where)}"),
            ("start", " ".join(part for part in (show.started(visit, where), late) if part) or page.say("no_taps")),
            ("person", visit.person),
            ("courier", visit.courier),
            ("grade", show.grade(visit.grade, page.lang) if visit.taps else ""),
            ("reasons", "\n".join(show.reasons(visit, page.lang))),
            ("comment", visit.comment),
        )
        with ui.element("dl"):
            for key, value in rows:
                if value:
                    text(page.say(key), element="dt")
                    text(value, element="dd")
        ui.label(page.say("counted" if visit.counted else "not_counted")).classes("count" if visit.counted else "count no")


def taps(page: Page, found: Sequence[JudgedTap], where: tzinfo) -> None:
    """Each tap: when, where, how good its proof is and why."""
    with ui.element("section").classes("card"):
        text(page.say("taps"), element="h2")
        if not found:
            ui.label(page.say("no_taps"))
        for judged in found:
            with ui.element("div").classes("tap"):
                when = show.moment(judged.tap.time_ns, where, page.lang)
                ui.label(f"{when} · {show.reader(judged, page.lang)} · {judged.courier or '?'}").classes("when")
                ui.label(show.proof(judged, page.lang))
                if late := show.arrived(judged, where, page.lang):
                    ui.label(late).classes("quiet")


def history(page: Page, entries: "Sequence[LogEntry]", where: tzinfo) -> None:
    """Each change, the oldest first: who, when, what is different, what was there before, and why."""
    with ui.element("section").classes("card"):
        text(page.say("history"), element="h2")
        before: Mapping[str, Any] = {}
        with ui.element("ol").classes("history"):
            for entry in entries:
                lines, before = _lines(page, entry, before, where)
                if not lines:
                    continue
                with ui.element("li"):
                    who = page.say("by_gateway") if entry.by == GATEWAY else entry.by
                    ui.label(page.say("who_when", when=show.moment(entry.at_ns, where, page.lang), who=who)).classes("when")
                    for line in lines:
                        ui.label(line)


def _lines(page: Page, entry: "LogEntry", before: Mapping[str, Any], where: tzinfo) -> tuple[list[str], Mapping[str, Any]]:
    body = entry.body
    if entry.kind == "correction":
        return _said(page, body), before
    if entry.kind != "visit":
        return [], before
    changed = [key for key in TOLD if body.get(key) != before.get(key) and (before or body.get(key))]
    lines = []
    for key in changed:
        value = _value(page, key, body.get(key), where)
        old = page.say("before", value=_value(page, key, before.get(key), where)) if before else ""
        lines.append(f"{page.say(TOLD[key])}: {value}" + (f"  ({old})" if old else ""))
    return lines, body


def _said(page: Page, body: Mapping[str, Any]) -> list[str]:
    action = str(body.get("action", ""))
    key = {"approve": "approve", "decline": "decline", "confirm": "confirm", "change": "change", "note": "note",
           "object": "objected"}.get(action)  # fmt: skip
    lines = [page.say(key) if key else action]
    if reason := str(body.get("reason", "")):
        lines.append(f"“{show.why(reason, page.lang)}”")
    if changes := body.get("changes"):
        lines.append(json.dumps(changes, ensure_ascii=False))
    return lines


def _value(page: Page, key: str, value: object, where: tzinfo) -> str:
    if key == "state" and isinstance(value, str) and value in set(State):
        return show.state(value, page.lang)
    if key.endswith("_ns") and isinstance(value, int):
        return show.moment(value, where, page.lang)
    if key == "service" and isinstance(value, str):
        return show.service(value, page.lang)
    if isinstance(value, bool):
        return "✓" if value else "✕"
    return "–" if value in (None, "") else str(value)
