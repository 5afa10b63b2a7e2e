"""The review queue: one doubtful visit after the other, why it is doubtful in words, and the decision of a named person.

It counts until somebody declines it. What was decided goes to the gateway at once and stays in the visit's history.
"""

from typing import TYPE_CHECKING, Any

from nicegui import events, ui
from starlette.requests import Request

from dashboards.console.live import Page
from dashboards.console.roles import Right, may_see
from dashboards.console.staff import show
from dashboards.console.staff.frame import away, choose_site, frame, link, read, site_links, text, zone
from dashboards.console.staff.visit import Story, facts, history, story, taps
from edge_gateway.visits.records import State, Visit

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger

MOST = 500  # of the queue at once; it is the oldest that are shown
# What a person may correct it to.
CHOICES = (State.ON_TIME, State.EARLY, State.LATE, State.WRONG_PLACE, State.UNPLANNED, State.MISSED, State.UNKNOWN)
_KEYS = {"a": "approve", "d": "decline", "n": "skip"}


async def build(request: Request, site: str = "") -> None:
    """`/review?site=yunhe`."""
    page = Page(request, Right.DECIDE)
    site = await choose_site(page, site)
    with frame(page, request, "review"):
        await away(page)
        if not site:
            ui.label(page.say("no_site")).classes("empty")
            return
        await site_links(
            page, site, lambda other: link("/review", site=other), lambda ledger, one: len(_queue(ledger, page, one))
        )
        found = await read(page, lambda ledger: _queue(ledger, page, site))
        if found is not None:
            await Desk(page, site, found).begin()


def _queue(ledger: "Ledger", page: Page, site: str) -> list[Visit]:
    return [visit for visit in ledger.review_queue(site, limit=MOST) if may_see(page.session.user, site, visit.place)]


class Desk:
    """The queue as it was when the page was opened, and the visit that is before us."""

    def __init__(self, page: Page, site: str, queue: list[Visit]) -> None:
        self._page, self._site = page, site
        self._queue = [visit.id for visit in queue]
        self._now: Story | None = None
        self._busy = False
        self._dialog: ui.dialog | None = None
        self._left = ui.label().classes("total").mark("left")
        ui.label(page.say("default_rule")).classes("quiet")
        self._box = ui.element("div").classes("desk")
        self._actions = {"approve": self._approve, "confirm": self._confirm, "skip": self.next, "decline": self._ask_decline}

    async def begin(self) -> None:
        """Show the first; listen to the keyboard."""
        ui.keyboard(self._page.click(self._key), ignore=["input", "textarea", "select"])
        await self._show()

    async def next(self) -> None:
        """Leave this one for later."""
        if self._queue:
            self._queue.append(self._queue.pop(0))
        await self._show()

    async def _show(self) -> None:
        page = self._page
        self._now = None
        while self._queue and self._now is None:
            found = await page.console.reach.read(lambda ledger: story(ledger, self._site, self._queue[0]))
            # Somebody else, or a late tap, has settled it meanwhile.
            if found is not None and found.visit.reviewing:
                self._now = found
            else:
                del self._queue[0]
        self._left.text = page.say("queue_left", count=len(self._queue)) if self._queue else page.say("queue_empty")
        self._box.clear()
        if self._now is not None:
            with self._box:
                self._draw(self._now)

    def _draw(self, now: Story) -> None:
        page, where = self._page, zone(self._page, self._site)
        with ui.element("div").classes("buttons").props('role="group"'):
            came = now.visit.taps or now.visit.state not in (State.MISSED, State.UNKNOWN)
            self._button("approve" if came else "confirm", "good", self._approve if came else self._confirm)
            self._button("decline", "bad", self._ask_decline)
            self._button("change", "", self._ask_change)
            self._button("note", "", self._ask_note)
            self._button("skip", "", self.next)
        ui.label(page.say("keys")).classes("quiet keys")
        with ui.element("section").classes("why"):
            for reason in show.reasons(now.visit, page.lang):
                ui.label(reason)
        facts(page, now.visit, where)
        taps(page, now.taps, where)
        history(page, now.history, where)

    def _button(self, key: str, classes: str, work: Any) -> None:
        with ui.element("button").props('type="button"').classes(f"act {classes}").mark(key) as button:
            ui.label(self._page.say(key))
        button.on("click", self._page.click(lambda _: work()))

    async def _key(self, event: events.KeyEventArguments) -> None:
        wanted = _KEYS.get(event.key.name.lower())
        asking = self._dialog is not None and self._dialog.value
        plain = not asking and not (event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta)
        if event.action.keydown and not event.action.repeat and plain and wanted and self._now is not None:
            came = self._now.visit.taps or self._now.visit.state not in (State.MISSED, State.UNKNOWN)
            await self._actions["confirm" if wanted == "approve" and not came else wanted]()

    async def _approve(self) -> None:
        # The gateway wants a reason for everything that a person says; here it is that he looked.
        await self._decide("approve", self._page.say("looked_fine"))

    async def _confirm(self) -> None:
        await self._decide("confirm", "visit_without_tap")

    async def _ask_decline(self) -> None:
        await self._ask("decline")

    async def _ask_note(self) -> None:
        await self._ask("note")

    async def _ask_change(self) -> None:
        await self._ask("change", choose=True)

    async def _ask(self, action: str, choose: bool = False) -> None:
        """A dialog with a reason, which is not optional; for a change also what it should be."""
        page = self._page
        if self._now is None:
            return
        about = self._now.visit.id
        with self._box, ui.dialog() as dialog, ui.element("div").classes("ask card"):
            text(page.say(action), element="h2")
            choice: ui.select | None = None
            if choose:
                options = {one.value: f"{show.SIGNS[one]} {show.state(one, page.lang)}" for one in CHOICES}
                choice = ui.select(options, value=self._now.visit.state.value, label=page.say("other_state")).classes("wide")
            reason = ui.textarea(page.say("reason_wanted")).props('autofocus maxlength="500"').classes("wide").mark("reason")
            wrong = ui.label().classes("wrong").props('role="alert"')
            wrong.visible = False

            async def save(_: object) -> None:
                given = (reason.value or "").strip()
                if not given:
                    wrong.text, wrong.visible = page.say("reason_missing"), True
                    return
                dialog.close()
                if self._now is None or self._now.visit.id != about:
                    return
                changes = {"state": choice.value} if choice is not None else None
                await self._decide(action, given, changes)

            async def cancel(_: object) -> None:
                dialog.close()

            with ui.element("div").classes("buttons"):
                for key, work, classes in (("save", save, "good"), ("cancel", cancel, "")):
                    with ui.element("button").props('type="button"').classes(f"act {classes}").mark(key) as button:
                        ui.label(page.say(key))
                    button.on("click", page.click(work))
        self._dialog = dialog
        dialog.open()

    async def _decide(self, action: str, reason: str, changes: dict[str, Any] | None = None) -> None:
        """Tell the gateway, then show the next; a second click while it is on its way does nothing."""
        if self._busy or self._now is None:
            return
        self._busy = True
        page, seen = self._page, self._now.visit
        try:
            now = await page.console.reach.read(lambda ledger: ledger.visit(seen.id, self._site))
            if now is not None and now.reviewing:
                more = {} if changes is None else {"changes": changes}
                await page.console.reach.call(
                    page.session, "visits.decide", site=self._site, place=seen.place, visit=seen.id, action=action,
                    reason=reason, **more,
                )  # fmt: skip
                ui.notify(page.say("decided", what=page.say(action)), position="bottom", type="positive")
            else:
                page.tell(page.say("decided_already", who=now.by if now else "?"))
            if action == "note":
                await self.next()
            else:
                await self._show()
        finally:
            self._busy = False
