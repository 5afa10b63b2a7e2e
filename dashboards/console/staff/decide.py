"""What a person can say about one visit: approve, confirm, decline, change, note; for the queue and the visit's own page."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final

from nicegui import ui

from dashboards.console.live import Page
from dashboards.console.staff import show
from dashboards.console.staff.frame import text, zone
from edge_gateway.visits import words
from edge_gateway.visits.records import CardRole, State, Visit

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger

# What a person may correct it to.
CHOICES: Final = (
    State.ON_TIME, State.EARLY, State.LATE, State.WRONG_PLACE, State.UNPLANNED, State.MISSED, State.UNKNOWN,
)  # fmt: skip
WITHOUT_TAP: Final = "visit_without_tap"
_GATEWAY: Final = "gateway"
Done = Callable[[str], Awaitable[None]]


def came(visit: Visit) -> bool:
    """Whether something says that it took place; else to approve it is to confirm it."""
    return bool(visit.taps) or visit.state not in (State.MISSED, State.UNKNOWN)


@dataclass(slots=True)
class Fields:
    """What a dialog asks besides the reason; None: it does not ask."""

    state: ui.select | None = None
    courier: ui.input | None = None
    service: ui.select | None = None
    times: dict[str, ui.input] = field(default_factory=dict)


class Decision:
    """The buttons of one visit as it was shown.

    Args:
        done: called with the action after it was saved, or after somebody else was faster.
    """

    def __init__(self, page: Page, seen: Visit, done: Done) -> None:
        self._page, self._seen, self._done = page, seen, done
        self._where = zone(page, seen.site)
        self._busy = False
        self._dialog: ui.dialog | None = None

    @property
    def asking(self) -> bool:
        """Whether a dialog is open: then keys mean nothing else."""
        return self._dialog is not None and bool(self._dialog.value)

    def buttons(self) -> None:
        """Draw them where we are."""
        yes = "approve" if came(self._seen) else "confirm"
        for key, classes, work in (
            (yes, "good", self.approve), ("decline", "bad", self.decline), ("change", "", self.change), ("note", "", self.note),
        ):  # fmt: skip
            button(self._page, key, classes, work)

    async def approve(self) -> None:
        """It counts, and a person says so; without a tap he is asked who came and when."""
        if came(self._seen):
            # The gateway wants a reason for everything that a person says; here it is that he looked.
            await self._say("approve", self._page.say("looked_fine"), {})
        else:
            await self._ask("confirm", who=True)

    async def decline(self) -> None:
        """It does not count."""
        await self._ask("decline")

    async def change(self) -> None:
        """Something of it is wrong."""
        await self._ask("change", state=True, who=True)

    async def note(self) -> None:
        """Words that decide nothing."""
        await self._ask("note")

    async def _ask(self, action: str, state: bool = False, who: bool = False) -> None:
        page = self._page
        couriers = await page.console.reach.read(self._couriers) if who else []
        with ui.dialog() as dialog, ui.element("div").classes("ask card"):
            text(page.say(action), element="h2")
            fields = self._fields(state, couriers) if who else Fields()
            reason = ui.textarea(page.say("reason_wanted")).props('autofocus maxlength="500"').classes("wide")
            wrong = ui.label().classes("wrong").props('role="alert"')
            wrong.visible = False

            async def save() -> None:
                given = (reason.value or "").strip() or (WITHOUT_TAP if action == "confirm" else "")
                changes = self._changes(fields)
                trouble = "reason_missing" if not given else "nothing_changed" if action == "change" and not changes else ""
                if changes is None:
                    trouble = "bad_time"
                if trouble or changes is None:
                    wrong.text, wrong.visible = page.say(trouble), True
                    return
                await self._say(action, given, changes, dialog.close)

            async def cancel() -> None:
                dialog.close()

            with ui.element("div").classes("buttons"):
                # The button says what it does.
                button(page, action if action == "decline" else "save", "bad" if action == "decline" else "good", save)
                button(page, "cancel", "", cancel)
        self._dialog = dialog
        dialog.open()

    def _fields(self, state: bool, couriers: list[str]) -> Fields:
        page, seen, found = self._page, self._seen, Fields()
        if state:
            options = {one.value: f"{show.SIGNS[one]} {show.state(one, page.lang)}" for one in State if one in CHOICES}
            options.setdefault(seen.state.value, show.state(seen.state, page.lang))
            found.state = ui.select(options, value=seen.state.value, label=page.say("other_state")).classes("wide")
        found.courier = ui.input(page.say("courier"), value=seen.courier, autocomplete=couriers).classes("wide")
        services = {name: show.service(name, page.lang) for name in (seen.service, *words.SERVICES)}
        found.service = ui.select(services, value=seen.service, label=page.say("service")).classes("wide")
        for name, key in (("start_ns", "start"), ("end_ns", "end")):
            value = show.clock(getattr(seen, name), self._where)
            found.times[name] = ui.input(page.say(key), value=value).props('type="time" stack-label').classes("wide")
        return found

    def _changes(self, fields: Fields) -> dict[str, Any] | None:
        """What is different from what was shown; None: a time is none."""
        changes: dict[str, Any] = {}
        if fields.state is not None and fields.state.value != self._seen.state.value:
            changes["state"] = fields.state.value
        if fields.courier is not None and (given := (fields.courier.value or "").strip()) != self._seen.courier:
            changes["courier"] = given
        if fields.service is not None and fields.service.value != self._seen.service:
            changes["service"] = fields.service.value
        for name, box in fields.times.items():
            given = (box.value or "").strip()
            if given == show.clock(getattr(self._seen, name), self._where):
                continue
            try:
                changes[name] = moment(self._seen, given, self._where) if given else None
            except ValueError:
                return None
        return changes

    def _couriers(self, ledger: "Ledger") -> list[str]:
        """Who comes to this site, for the field to offer."""
        site = self._seen.site
        known = {plan.courier for plan in ledger.plans(site)}
        known |= {card.holder for card in ledger.cards(site) if card.role is CardRole.COURIER}
        return sorted(known - {""})

    async def _say(
        self, action: str, reason: str, changes: Mapping[str, Any], settled: Callable[[], object] = lambda: None
    ) -> None:
        """Tell the gateway; a second click while it is on its way does nothing.

        Args:
            settled: called when there is nothing more to say; not while the gateway is away: what was typed stays there.
        """
        if self._busy:
            return
        self._busy = True
        page, seen = self._page, self._seen
        try:
            now = await page.console.reach.read(lambda ledger: ledger.visit(seen.id, seen.site))
            if now != seen:
                # Somebody else, or a late tap: what was decided about is no more what is there.
                other = now is not None and now.by not in (seen.by, _GATEWAY)
                page.tell(page.say("decided_already", who=now.by) if now and other else page.say("changed_meanwhile"))
            else:
                more = {"changes": dict(changes)} if changes else {}
                await page.console.reach.call(
                    page.session, "visits.decide", site=seen.site, place=seen.place, visit=seen.id, action=action,
                    reason=reason, **more,
                )  # fmt: skip
                ui.notify(page.say("decided", what=page.say(action)), position="bottom", type="positive")
            settled()
            await self._done(action)
        finally:
            self._busy = False


def button(page: Page, key: str, classes: str, work: Callable[[], Awaitable[None]]) -> None:
    """A large one, for fingers."""

    async def pressed(_: object) -> None:
        await work()

    with ui.element("button").props('type="button"').classes(f"act {classes}") as found:
        ui.label(page.say(key))
    found.on("click", page.click(pressed))


def moment(visit: Visit, clock: str, where: tzinfo) -> int:
    """Nanoseconds of a clock time on the visit's day, or in the night after it where its window goes over midnight.

    Raises:
        ValueError: it is no time of day.
    """
    then = datetime.combine(datetime.fromisoformat(visit.date).date(), time.fromisoformat(clock), where)
    if visit.opens_ns and then.timestamp() * 10**9 < visit.opens_ns - 12 * 3600 * 10**9:
        then += timedelta(days=1)
    return int(then.timestamp()) * 10**9
