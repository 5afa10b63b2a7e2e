"""Where rules, alert book and sender meet in the running gateway: judged now, saved with its cause, told after it is saved."""

import logging
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from edge_gateway.alerts import Alert, AlertBook, Changes, Notice
from edge_gateway.alerts.links import Links
from edge_gateway.alerts.replies import answer as take_answer
from edge_gateway.alerts.summary import summary
from edge_gateway.committer import HomeChanges
from edge_gateway.duty.people import DutyDesk
from edge_gateway.duty.roster import Roster
from edge_gateway.events import Entry, Event
from edge_gateway.feedback import Answer, answers
from edge_gateway.homes.selftest import Plan
from edge_gateway.homes.watch import HomeWatch, Order
from edge_gateway.notify import NOTIFIERS
from edge_gateway.notify.notifier import Outcome
from edge_gateway.notify.sender import HEARTBEAT, Sender
from edge_gateway.notify.siren import Ring, SirenNotifier, device_of
from edge_gateway.registry import Registry
from edge_gateway.rules import Verdict, broken, judge, missed_visit, wanted
from edge_gateway.rules.rule import HomesSeen, VisitsSeen
from edge_gateway.rules.watch import Watch
from edge_gateway.settings import Alerts, Person
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
        link_base: what stands before the secret word of a link in a message; "" messages carry none.
        ring: asks a device to sound as a siren, from any thread.

    Attributes:
        reports_unknown: reports of delivery that no open alert was waiting for.
        heartbeat: told what became of the message to the service outside.
    """

    def __init__(
        self,
        settings: Alerts,
        registry: Registry,
        clock_ns: Callable[[], int],
        changed: Callable[[], None],
        answer: Callable[[list[Answer]], None] = lambda _: None,
        order: Callable[[Order], None] = lambda _: None,
        link_base: str = "",
        ring: Ring = lambda site, device, seconds: "no siren can be asked here",
    ) -> None:
        self.duty = DutyDesk(settings, registry)
        self.book = AlertBook(settings, self.duty.tell, Links(lambda: secrets.token_urlsafe(16), link_base))
        self.book.where = self._community
        self.sender = Sender(self.duty.alerts(), self._answered, (SirenNotifier(ring), *NOTIFIERS))
        self.reports_unknown = 0
        self._clock_ns = clock_ns
        self._changed = changed
        self._answer = answer
        self._registry = registry
        self._watch = Watch(registry)
        self.homes = HomeWatch(registry)
        self.homes.tests.plan = _plan(settings)
        self.heartbeat: Callable[[Outcome], None] = lambda outcome: None
        self._order = order
        self._orders: list[Order] = []  # wait, as notices do, for the commit that holds what they follow from
        self._broken = ""  # what went wrong last while the rules looked
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

    @property
    def heard(self) -> Mapping[Key, int]:
        """(site, device) -> monotonic ns of the last thing received in this run."""
        return self._watch.heard

    @property
    def homes_seen(self) -> HomesSeen:
        """What was known of homes and sites at the last look."""
        return self._watch.homes

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
        self.duty.expect(registry)
        self._registry = registry

    def use_duty(self, roster: Roster) -> None:
        """A new duty list: from the next round of each alert on."""
        self.duty.use(roster)
        self.sender.use(self.duty.alerts())

    def people(self) -> Sequence[Person]:
        """Everybody who may be told, also of the duty list."""
        return self.duty.people

    def judge(self, entry: Entry) -> None:
        """Ask the rules about an entry that is being stored; called by the pipeline."""
        if isinstance(entry, Event) and entry.place:
            self.homes.observe(entry)
        if wanted(entry) and isinstance(entry, Event):
            view = self._watch.view(self._clock_ns(), time.monotonic_ns(), self.book.open_keys)
            self.book.apply(self.homes.witnessed(judge(entry, view)), self._clock_ns())
            self._unsaved += self.book.due(self._clock_ns())

    def tick(self, states: Mapping[Key, DeviceState]) -> None:
        """Once a second: rules that watch the time, messages that are due."""
        monotonic_ns, now_ns = time.monotonic_ns(), self._clock_ns()
        for key, known in states.items():
            if self._heard_wall.get(key) != known.heard_ns:
                self._heard_wall[key] = known.heard_ns
                self._watch.heard[key] = monotonic_ns
        try:
            self._look(states, now_ns, monotonic_ns)
        except Exception as error:
            # Whatever it is, it must not keep an SOS from its next round.
            if self._broken != (broke := f"{type(error).__name__}: {error}"):
                log.exception("the rules cannot look")
                self._broken = broke
            self.book.apply([broken("gateway", error, now_ns)], now_ns)
        notices = self.book.due(now_ns)
        self._unsaved += notices
        self._end_tests()
        if notices or self.book.unsaved or self.homes.unsaved:
            self._changed()

    def _look(self, states: Mapping[Key, DeviceState], now_ns: int, monotonic_ns: int) -> None:
        """What the rules say to the state of things, into the book."""
        self._follow_clock(now_ns, monotonic_ns)
        self.homes.told.follow(self.book.open_keys, now_ns)
        self._watch.homes = self.homes.seen(now_ns, self._missed())
        self._watch.sensors.look(self._registry, states, self._watch.heard, monotonic_ns, now_ns)
        found = self._watch.look(now_ns, monotonic_ns, self.book.open_keys)
        self.book.apply(self.homes.told.sift(found, now_ns), now_ns)
        self.book.apply(self.homes.look(self._watch.view(now_ns, monotonic_ns, self.book.open_keys)), now_ns)

    def _missed(self) -> dict[Key, int]:
        """Where a visit was missed, as far as nobody closed its alert, and when it was due."""
        if not any(key.startswith(f"{missed_visit.RULE.name}/") for key in self.book.open_keys):
            return {}
        rule = missed_visit.RULE.name
        return {(a.site, a.place): a.occurred_ns for a in self.book.open_alerts() if a.rule == rule}

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
        self._hush(changes.touched)
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

    def reply(self, person: str, text: str) -> dict[str, Any]:
        """A person answered a message. Raises Rejected: `no_person`."""
        done = take_answer(self.book, person, text, self._clock_ns())
        self._changed()
        about = summary(done.alert) if done.alert is not None else None
        return {"understood": done.understood, "did": done.did, "alert": about, "say_zh": done.zh, "say_en": done.en}

    def report(self, reference: str, arrived: bool, reason: str = "") -> bool:
        """A channel says what became of a message it took; False: nobody waits for this report (yet)."""
        known = self.book.reported([reference], arrived, reason, self._clock_ns())
        self.reports_unknown += not known
        if known:
            self._end_tests()
            self._changed()
        return known

    def test_ended(self, alert: Alert, passed: bool) -> None:
        """The message of a self-test was confirmed, or nobody confirmed it in time."""
        told_s = (alert.closed_ns - alert.raised_ns) / 1e9
        told = ", ".join(alert.told) if passed else ""
        self.homes.tests.ended((alert.site, alert.place), told, told_s, self._clock_ns())

    def notices(self) -> dict[str, int]:
        """Messages to people since the start, by their end; `unknown` are reports that no open alert was waiting for."""
        counts = self.sender.counts
        told = {name: int(getattr(counts, name)) for name in ("handed", "delivered", "taken", "failed", "in_doubt")}
        return {**told, "unknown": self.reports_unknown}

    def open_count(self) -> int:
        """Alerts nobody has closed."""
        return len(self.book.open_keys)

    def rehearse(self, event: Event) -> tuple[list[Verdict], list[Notice]]:
        """What the rules would say to this event now, and the first messages. Nothing is raised, kept or sent."""
        now_ns = self._clock_ns()
        found = judge(event, self._watch.view(now_ns, time.monotonic_ns(), ()))
        book = AlertBook(self.book.settings, self.duty.tell)
        book.where = self._community
        book.apply(found, now_ns)
        return found, book.due(now_ns)

    def _community(self, alert: Alert) -> str:
        """The name of its site where the registry has several; whoever has to go there cannot tell it from the place."""
        site = self._registry.sites.get(alert.site)
        return (site.name or alert.site) if site and alert.place and len(self._registry.sites) > 1 else ""

    def _answered(self, notice: Notice, outcome: Outcome) -> None:
        if notice.person == HEARTBEAT:
            self.heartbeat(outcome)
            return
        now_ns = self._clock_ns()
        if outcome.awaits_report:
            self.book.taken(notice, outcome.reference, now_ns)
        elif outcome.delivered:
            self.book.delivered(notice, now_ns)
        else:
            self.book.failed(notice, outcome.reason, now_ns, in_doubt=outcome.in_doubt)
        self._end_tests()
        self._changed()

    def _end_tests(self) -> None:
        ended, self.book.tests = self.book.tests, []
        for alert, passed in ended:
            self.test_ended(alert, passed)

    def _hush(self, touched: Sequence[Alert]) -> None:
        """Somebody took an alert for which sirens sound: they need not finish their minute."""
        if any(alert.siren and not alert.unanswered for alert in touched):
            devices = [found for url in self.book.settings.siren if (found := device_of(url)) is not None]
            self._orders += [Order(site, device, "siren", {"seconds": 0}) for site, device in devices]


def _plan(settings: Alerts) -> Plan | None:
    """When homes are tested; None: never by themselves."""
    told = settings.selftest
    begins, ends, last = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (told.begins, told.ends, told.last))
    return Plan(begins, ends, last, told.answer_s, told.retry_s, told.gather_s) if told.enabled else None
