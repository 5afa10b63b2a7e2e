"""Where rules, alert book and sender meet in the running gateway: judged now, saved with its cause, told after it is saved."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge_gateway.alerts import Alert, AlertBook, Changes, Notice
from edge_gateway.committer import HomeChanges
from edge_gateway.events import Entry, Event
from edge_gateway.feedback import Answer, answers
from edge_gateway.homes.watch import HomeWatch, Order
from edge_gateway.notify.notifier import Outcome
from edge_gateway.notify.sender import Sender
from edge_gateway.registry import Registry
from edge_gateway.rules import judge, wanted
from edge_gateway.rules.rule import VisitsSeen
from edge_gateway.rules.watch import Watch
from edge_gateway.settings import Alerts
from edge_gateway.state import DeviceState

log = logging.getLogger(__name__)

_JUMP_NS: Final = 5 * 10**9

Key = tuple[str, str]


class AlertDesk:
    """Lives in the event loop; knows both clocks, the wall clock for words and the monotonic one for waiting.

    Args:
        changed: called when there is something to save although no message came.
        answer: called with what devices are to be told of their alerts, once it is on disk.
        order: called with what a device is to do, once what it follows from is on disk.
    """

    def __init__(
        self,
        settings: Alerts,
        registry: Registry,
        clock_ns: Callable[[], int],
        changed: Callable[[], None],
        answer: Callable[[list[Answer]], None] = lambda _: None,
        order: Callable[[Order], None] = lambda _: None,
    ) -> None:
        self.book = AlertBook(settings)
        self.sender = Sender(settings, self._answered)
        self._clock_ns = clock_ns
        self._changed = changed
        self._answer = answer
        self._registry = registry
        self._watch = Watch(registry)
        self.homes = HomeWatch(registry)
        self._order = order
        self._orders: list[Order] = []  # wait, as notices do, for the commit that holds what they follow from
        self._clocks: tuple[int, int] | None = None  # wall and monotonic, at the last look
        self._heard_wall: dict[Key, int] = {}
        # Notices wait until the commit that holds them is on disk.
        self._unsaved: list[Notice] = []
        self._saving: list[Notice] = []
        self._answers: list[Answer] = []
        self._repeat_s = settings.repeat_s
        self._cried: dict[tuple[str, str, int], float] = {}  # told unsaved: (cause, person, channel) -> when, monotonic s

    def restore(self, bodies: list[bytes], states: Mapping[Key, DeviceState], homes: list[tuple[str, str, str, bytes]]) -> None:
        """Begin from what is on disk: at start, and after a commit that failed."""
        self._unsaved, self._saving, self._answers, self._orders = [], [], [], []
        if unread := self.homes.restore(homes):
            log.error("the memory of %d homes cannot be read; they are watched as new", unread)
        damaged = self.book.restore(bodies, self._clock_ns())
        if damaged:
            log.error("%d open alerts on disk cannot be read; an urgent alert says so", damaged)
        self._heard_wall = {key: known.heard_ns for key, known in states.items()}
        self._answer([told for alert in self.book.open_alerts() for told in answers(alert)])

    def listening(self, connected: bool) -> None:
        """The broker is reachable or not; silence counts only while it is."""
        if connected:
            self._watch.listening(time.monotonic_ns())
        else:
            self._watch.deaf()

    def see(self, visits: VisitsSeen | None) -> None:
        """What the ledger of visits says; None: it cannot be asked."""
        self._watch.visits = visits

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._watch.expect(registry, time.monotonic_ns())
        self.homes.expect(registry)
        self._registry = registry

    def judge(self, entry: Entry) -> None:
        """Ask the rules about an entry that is being stored; called by the pipeline."""
        if isinstance(entry, Event) and entry.place:
            self.homes.observe(entry)
        if wanted(entry) and isinstance(entry, Event):
            view = self._watch.view(self._clock_ns(), time.monotonic_ns(), self.book.open_keys)
            self.book.apply(judge(entry, view), self._clock_ns())
            self._unsaved += self.book.due(self._clock_ns())

    def tick(self, states: Mapping[Key, DeviceState]) -> None:
        """Once a second: rules that watch the time, messages that are due."""
        monotonic_ns, now_ns = time.monotonic_ns(), self._clock_ns()
        for key, known in states.items():
            if self._heard_wall.get(key) != known.heard_ns:
                self._heard_wall[key] = known.heard_ns
                self._watch.heard[key] = monotonic_ns
        self._follow_clock(now_ns, monotonic_ns)
        self.book.apply(self._watch.look(now_ns, monotonic_ns, self.book.open_keys), now_ns)
        self.book.apply(self.homes.look(self._watch.view(now_ns, monotonic_ns, self.book.open_keys)), now_ns)
        notices = self.book.due(now_ns)
        self._unsaved += notices
        if notices or self.book.unsaved or self.homes.unsaved:
            self._changed()

    def _follow_clock(self, now_ns: int, monotonic_ns: int) -> None:
        """Somebody set the wall clock: for the homes nothing else has happened."""
        if self._clocks is not None:
            by_ns = (now_ns - self._clocks[0]) - (monotonic_ns - self._clocks[1])
            if abs(by_ns) > _JUMP_NS:
                log.warning("the clock jumped by %.1f s", by_ns / 1e9)
                self.homes.jumped(by_ns)
        self._clocks = now_ns, monotonic_ns

    def take(self) -> Changes:
        """What the commit that is being made has to save; called by the committer."""
        self._saving += self._unsaved
        self._unsaved = []
        changes = self.book.take()
        self._answers += [told for alert in changes.touched for told in answers(alert)]
        return changes

    def take_homes(self) -> HomeChanges:
        """What the commit that is being made has to save of the homes."""
        self._orders += self.homes.orders
        self.homes.orders = []
        notes = [(n.site, n.place, n.at_ns, n.who, n.what, n.detail) for n in self.homes.take_notes()]
        return self.homes.take(self._clock_ns()), notes

    def saved(self) -> None:
        """The commit is on disk: tell people, and devices."""
        orders, self._orders = self._orders, []
        for order in orders:
            self._order(order)
        notices, self._saving = self._saving, []
        self._cried.clear()
        told, self._answers = self._answers, []
        self._answer(told)
        if notices:
            self.sender.send(notices)

    def cry(self) -> None:
        """The disk cannot save: who pressed SOS must be heard all the same. Each cause goes to each channel once a round."""
        now_s = time.monotonic()
        for notice in self._saving + self._unsaved:
            cause = (self.book.key_of(notice.items[0].alert), notice.person, notice.channel)
            if notice.urgent and now_s >= self._cried.get(cause, -math.inf) + self._repeat_s:
                self._cried[cause] = now_s
                self.sender.send([notice])

    def accept(self, alert_id: str, person: str) -> dict[str, Any]:
        """A named person takes it. Raises Rejected as `AlertBook.accept`."""
        alert = self.book.accept(alert_id, person, self._clock_ns())
        self._changed()
        return summary(alert)

    def close(self, alert_id: str, person: str, reason: str) -> dict[str, Any]:
        """A named person says it is over. Raises Rejected as `AlertBook.close`."""
        alert = self.book.close(alert_id, person, reason, self._clock_ns())
        self._changed()
        return summary(alert)

    def open_count(self) -> int:
        """Alerts nobody has closed."""
        return len(self.book.open_keys)

    def _answered(self, notice: Notice, outcome: Outcome) -> None:
        now_ns = self._clock_ns()
        if outcome.delivered:
            self.book.delivered(notice, now_ns)
        else:
            self.book.failed(notice, outcome.reason, now_ns, in_doubt=outcome.in_doubt)
        self._changed()


def summary(alert: Alert) -> dict[str, Any]:
    """An alert as plain values for the command line."""
    return {
        "id": alert.id,
        "state": alert.state.value,
        "severity": alert.severity.value,
        "rule": alert.rule,
        "site": alert.site,
        "place": alert.place,
        "device": alert.device,
        "text_zh": alert.text_zh,
        "text_en": alert.text_en,
        "occurred_ns": alert.occurred_ns,
        "raised_ns": alert.raised_ns,
        "accepted_by": alert.accepted_by,
        "closed_by": alert.closed_by,
        "told": list(alert.told),
        "evidence": list(alert.evidence),
        "count": alert.count,
    }
