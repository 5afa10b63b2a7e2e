"""The review queue: one doubtful visit after the other, why it is doubtful in words, and the decision of a named person.

It counts until somebody declines it. What was decided goes to the gateway at once and stays in the visit's history.
"""

from typing import TYPE_CHECKING, Final

from nicegui import events, ui
from starlette.requests import Request

from dashboards.console.live import Page
from dashboards.console.roles import Right, may_see
from dashboards.console.staff import show
from dashboards.console.staff.decide import Decision, button
from dashboards.console.staff.frame import away, choose_site, frame, link, read, site_links, zone
from dashboards.console.staff.visit import Story, facts, history, story, taps
from edge_gateway.visits.records import Visit

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger

MOST: Final = 500  # of the queue at once; it is the oldest that are shown


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
        self._now: Decision | None = None
        self._left = ui.label().classes("total")
        ui.label(page.say("default_rule")).classes("quiet")
        self._box = ui.element("div").classes("desk")

    async def begin(self) -> None:
        """Show the first; listen to the keyboard."""
        ui.keyboard(self._page.click(self._key), ignore=["input", "textarea", "select"])
        await self._show()

    async def next(self) -> None:
        """Leave this one for later."""
        if self._queue:
            self._queue.append(self._queue.pop(0))
        await self._show()

    async def _done(self, action: str) -> None:
        await (self.next() if action == "note" else self._show())

    async def _show(self) -> None:
        page, found = self._page, None
        while self._queue and found is None:
            found = await page.console.reach.read(lambda ledger: story(ledger, self._site, self._queue[0]))
            # Somebody else, or a late tap, has settled it meanwhile.
            if found is None or not found.visit.reviewing:
                found = None
                del self._queue[0]
        self._left.text = page.say("queue_left", count=len(self._queue)) if self._queue else page.say("queue_empty")
        self._box.clear()
        self._now = Decision(page, found.visit, self._done) if found is not None else None
        if found is not None and self._now is not None:
            with self._box:
                self._draw(found, self._now)

    def _draw(self, found: Story, decision: Decision) -> None:
        page, where = self._page, zone(self._page, self._site)
        with ui.element("div").classes("buttons").props('role="group"'):
            decision.buttons()
            button(page, "skip", "", self.next)
        ui.label(page.say("keys")).classes("quiet keys")
        with ui.element("section").classes("why"):
            for reason in show.reasons(found.visit, page.lang):
                ui.label(reason)
        facts(page, found.visit, where)
        taps(page, found.taps, where)
        history(page, found.history, where)

    async def _key(self, event: events.KeyEventArguments) -> None:
        pressed = event.action.keydown and not event.action.repeat
        if self._now is None or self._now.asking or not pressed:
            return
        if event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        work = {"a": self._now.approve, "d": self._now.decline, "n": self.next}.get(event.key.name.lower())
        if work is not None:
            with self._box:
                await work()
