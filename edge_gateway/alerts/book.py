"""All open alerts: what may happen to them, and what has to be saved when it did.

The book knows no clock, no file and no network. Whoever drives it saves `take()` in one transaction with whatever caused it,
and only then sends the notices that `due` gave out before: what a person was told is always on disk.
"""

from collections.abc import Callable, Collection, Iterable, KeysView, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_gateway.alerts import ladder
from edge_gateway.alerts.alert import Alert, Send, Sending, State, pack, unpack
from edge_gateway.alerts.entering import GATEWAY, add, enter, keep_evidence, raised, unreadable
from edge_gateway.alerts.ids import Ids
from edge_gateway.alerts.links import Links
from edge_gateway.alerts.notice import RANK, Notice, notice_of
from edge_gateway.alerts.reports import Reports
from edge_gateway.errors import Rejected
from edge_gateway.events import AlertChange
from edge_gateway.rules import Finding, Prewarn, Returned, Verdict
from edge_gateway.settings import Alerts, Person
from edge_gateway.topics import ID

DIGEST_OVER: Final = 5  # more unanswered alerts than this that are not urgent are told together
_ENDED: Final = 200  # closed alerts whose links still say so

People = Callable[[Alert, int], Sequence[Person]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction has to save.

    Attributes:
        alerts: (id, open, raised_ns, body) for the store's alert table, the newest state of each.
        entries: for the outbox, in the order in which it happened.
        touched: those alerts themselves, to be read before anything else happens.
    """

    alerts: tuple[tuple[str, bool, int, bytes], ...] = ()
    entries: tuple[AlertChange, ...] = ()
    touched: tuple[Alert, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.alerts or self.entries)


class AlertBook:
    """The open alerts and their ladders. Empty until `restore`.

    Args:
        alerts: people and distances; replace with `use`.
        people: whom to tell of an alert at a time, first to last; without: everybody in `alerts`.
        links: for messages; without: none.

    Attributes:
        ended: closed a short while ago, newest last.
        tests: tests that ended, and whether they passed, for whoever asked for them; he takes them away.
    """

    def __init__(self, alerts: Alerts, people: People | None = None, links: Links | None = None) -> None:
        self.settings = alerts
        self.links = links
        self.where: Callable[[Alert], str] = lambda alert: ""  # what messages name beside a place
        self.ended: list[Alert] = []
        self.tests: list[tuple[Alert, bool]] = []
        self._people: People = people or (lambda alert, now_ns: self.settings.people)
        self._by_key: dict[str, Alert] = {}
        self._by_id: dict[str, Alert] = {}
        self._unsaved: dict[str, Alert] = {}
        self._entries: list[AlertChange] = []
        self._flying: set[tuple[str, int, str, int]] = set()  # handed out by this process, not answered yet
        self._ids = Ids()
        self._reports = Reports()

    def use(self, alerts: Alerts) -> None:
        """Changed people or distances, from the next `due` on."""
        self.settings = alerts

    def restore(self, bodies: Iterable[bytes], now_ns: int) -> int:
        """Forget everything in memory and begin from what is on disk: at start, and after a commit that failed.

        Returns:
            how many were unreadable; then an urgent alert says so, because each may have been an SOS.
        """
        for memory in (self._by_key, self._by_id, self._unsaved, self._entries, self.tests):
            memory.clear()
        damaged = 0
        for body in bodies:
            try:
                alert = unpack(body)
            except msgspec.MsgspecError:
                damaged += 1
                continue
            self._ids.used(alert.id)
            if alert.state is State.CLOSED or alert.key in self._by_key:
                continue
            ladder.resume(alert, self._flying)
            if alert.state is State.ACCEPTED and not alert.close_due_ns:  # accepted in a version without this timer
                ladder.wait_for_end(alert, self.settings, now_ns)
                self._unsaved[alert.id] = alert
            self._by_key[alert.key] = self._by_id[alert.id] = alert
        if damaged:
            self.apply([unreadable(damaged, now_ns)], now_ns)
        return damaged

    @property
    def open_keys(self) -> KeysView[str]:
        """Keys of the open alerts, for `rules.View`."""
        return self._by_key.keys()

    def open_alerts(self) -> list[Alert]:
        """Open alerts, most urgent and oldest first; to be read, not changed."""
        return sorted(self._by_key.values(), key=lambda alert: (RANK[alert.severity], alert.raised_ns))

    def find(self, alert_id: str) -> Alert:
        """The open alert.

        Raises:
            Rejected: `unknown_alert`, nothing open has this id.
        """
        alert = self._by_id.get(alert_id)
        if alert is None:
            raise Rejected("unknown_alert", f"no open alert {alert_id[:80]!r}; `kanhu alerts list` shows those that are")
        return alert

    def key_of(self, alert_id: str) -> str:
        """The cause behind an open alert; "" when it is not open."""
        alert = self._by_id.get(alert_id)
        return alert.key if alert is not None else ""

    def apply(self, verdicts: Iterable[Verdict], now_ns: int) -> None:
        """Raise, update or end alerts by what the rules said."""
        flooded = self._flooded()
        for verdict in verdicts:
            if isinstance(verdict, Prewarn):
                continue  # nobody but the home itself is asked
            alert = self._by_key.get(verdict.key)
            if isinstance(verdict, Returned):
                if alert is not None and alert.returns:
                    keep_evidence(alert, [verdict.evidence])
                    self._close(alert, GATEWAY, verdict.reason, now_ns)
            elif alert is None:
                self._raise(verdict, flooded, now_ns)
            else:
                self._update(alert, verdict, now_ns)

    def accept(self, alert_id: str, person: str, now_ns: int) -> Alert:
        """A named person deals with it: the messages stop. The second to accept changes nothing and sees who was first.

        Raises:
            Rejected: `unknown_alert`; `no_person` when `person` is no person's id; `is_test`.
        """
        alert = self._to_handle(alert_id, person)
        if alert.unanswered:
            alert.accepted_by, alert.accepted_ns = person, now_ns
            ladder.wait_for_end(alert, self.settings, now_ns)
            self._enter(alert, State.ACCEPTED, person, "", now_ns)
        return alert

    def close(self, alert_id: str, person: str, reason: str, now_ns: int) -> Alert:
        """A named person says it is over, and why (`false_press`, `visited_fine`, `ambulance`, `test` or their own words).

        Raises:
            Rejected: `unknown_alert`, `no_person`, `is_test`, or `no_reason`.
        """
        alert = self._to_handle(alert_id, person)
        if not reason.strip():
            raise Rejected("no_reason", "closing needs a reason: false_press, visited_fine, ambulance, test, or your own words")
        self._close(alert, person, reason.strip()[:200], now_ns)
        return alert

    def close_soft(
        self, site: str, place: str, person: str, reason: str, now_ns: int, but: Collection[str] = ()
    ) -> list[Alert]:
        """A named person saw that all is well in a home: what is not urgent there is closed, except of the rules in `but`.

        Raises:
            Rejected: `no_person`, or `no_reason`.
        """
        _named(person)
        here = [a for a in self._by_key.values() if (a.site, a.place) == (site, place)]
        soft = [alert for alert in here if not alert.urgent and not alert.test and alert.rule not in but]
        return [self.close(alert.id, person, reason, now_ns) for alert in soft]

    def due(self, now_ns: int) -> list[Notice]:
        """Messages to send now, most urgent first. Save `take()`, send them, then answer each with `delivered` or `failed`."""
        flooded = self._flooded()
        notices: list[Notice] = []
        gathered: dict[tuple[bool, bool, str, int], list[tuple[Alert, Send]]] = {}
        for alert in list(self._by_key.values()):
            if not ladder.is_due(alert, self.settings, now_ns) or not self._goes_on(alert, now_ns):
                continue
            together = alert.test or alert.outside or (flooded and not alert.urgent)
            grid_s = self.settings.repeat_s if together and not alert.test else 0.0
            sends = ladder.advance(alert, self.settings, self._people(alert, now_ns), now_ns, grid_s)
            self._unsaved[alert.id] = alert
            for send in sends:
                self._flying.add((alert.id, send.step, send.person, send.channel))
                if together:
                    gathered.setdefault((alert.test, alert.outside, send.person, send.channel), []).append((alert, send))
                else:
                    notices.append(self._notice([(alert, send)], now_ns))
        notices += [self._notice(pairs, now_ns) for pairs in gathered.values()]
        return sorted(notices, key=lambda notice: (RANK[notice.items[0].severity], notice.items[0].test, notice.channel))

    def next_due_ns(self) -> int | None:
        """When `due` will have something to do, if nothing else happens; None: never."""
        return min((alert.due_ns for alert in self._by_key.values() if alert.due_ns is not None), default=None)

    def delivered(self, notice: Notice, now_ns: int) -> None:
        """A channel confirmed the message. Also true when the alert was accepted meanwhile; harmless when it was closed."""
        for alert, send in self._answered(notice):
            self._confirmed(alert, notice.person, send, now_ns)

    def taken(self, notice: Notice, own: str, now_ns: int) -> None:
        """A channel has the message and reports later whether it arrived; `own` is the channel's own name of it."""
        for alert, send in self._answered(notice):
            if send is not None:
                ladder.taken(send)
            self._reports.expect(alert, notice, own)
            self._unsaved[alert.id] = alert
        for early in self._reports.early(notice.reference, own):
            self.reported([notice.reference, own], early.arrived, early.reason, now_ns)

    def reported(self, references: Sequence[str], arrived: bool, reason: str, now_ns: int) -> bool:
        """A channel reports what became of a message, named by us or by itself; False: no open alert waits for that."""
        found = self._reports.match(self._by_key.values(), references)
        if not found:
            self._reports.keep(references, arrived, reason)
        for alert, message in found:
            send = next((s for s in alert.sends if (s.step, s.person, s.channel) == message), None)
            self._unsaved[alert.id] = alert
            if arrived:
                self._confirmed(alert, message[1], send, now_ns)
            elif send is not None and send.state in (Sending.TAKEN, Sending.IN_DOUBT):
                ladder.failed(alert, send, self.settings, (reason or "not delivered")[:200], False, now_ns)
            elif send is not None and send.state is Sending.OUT:
                self._reports.keep(references, arrived, reason)  # it overtook the channel's own answer
        return bool(found)

    def failed(self, notice: Notice, error: str, now_ns: int, *, in_doubt: bool = False) -> None:
        """The message did not arrive, or (`in_doubt`) may have: a time-out after it was written. The ladder goes on."""
        for alert, send in self._answered(notice):
            if send is not None:
                ladder.failed(alert, send, self.settings, error[:200], in_doubt, now_ns)
                self._unsaved[alert.id] = alert

    def changed(self, alert: Alert) -> None:
        """Something about an open alert was changed by who holds it; it is saved."""
        self._unsaved[alert.id] = alert

    @property
    def unsaved(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._unsaved or self._entries)

    def take(self) -> Changes:
        """Everything that changed since the last `take`. If it cannot be saved, `restore` from disk."""
        alerts = tuple((a.id, a.state is not State.CLOSED, a.raised_ns, pack(a)) for a in self._unsaved.values())
        changes = Changes(alerts, tuple(self._entries), tuple(self._unsaved.values()))
        self._unsaved.clear()
        self._entries.clear()
        return changes

    def _to_handle(self, alert_id: str, person: str) -> Alert:
        alert = self.find(alert_id)
        _named(person)
        if alert.test:
            # Else nobody would know whether its message arrived.
            raise Rejected("is_test", f"{alert.id} is a test; it ends by itself within {self.settings.test_s:g} s")
        return alert

    def _answered(self, notice: Notice) -> list[tuple[Alert, Send | None]]:
        """The alerts of a notice that are still open, with the message that was out, if its ladder still runs."""
        found: list[tuple[Alert, Send | None]] = []
        for item in notice.items:
            self._flying.discard((item.alert, item.step, notice.person, notice.channel))
            alert = self._by_id.get(item.alert)
            if alert is not None:
                who = (item.step, notice.person, notice.channel)
                sends = (s for s in alert.sends if (s.step, s.person, s.channel) == who and s.state is not Sending.DELIVERED)
                found.append((alert, next(sends, None)))
        return found

    def _confirmed(self, alert: Alert, person: str, send: Send | None, now_ns: int) -> None:
        if send is not None and send.state is not Sending.DELIVERED:
            ladder.delivered(alert, send, self.settings, now_ns)
        self._unsaved[alert.id] = alert
        if person == ladder.SIREN:
            # A siren is nobody: the ladder goes on as if it had not sounded.
            if not alert.siren and alert.unanswered:
                alert.siren = True
                self._enter(alert, alert.state, GATEWAY, ladder.SIREN, now_ns)
            return
        if person not in alert.told:
            alert.told.append(person)
        if alert.state is State.RAISED:
            self._enter(alert, State.NOTIFIED, GATEWAY, f"told {person}", now_ns)
        if alert.test:
            self._end_test(alert, True, now_ns)
        elif alert.once and not alert.urgent and alert.unanswered:
            self._close(alert, GATEWAY, "told", now_ns)

    def _goes_on(self, alert: Alert, now_ns: int) -> bool:
        """Whether its ladder runs: an accepted alert waits, and is opened again when it was left open; a test has an end."""
        if alert.state is State.ACCEPTED:
            if not ladder.left_open(alert, self.settings, now_ns):
                self._unsaved[alert.id] = alert
                return False
            self._open_again(alert, "not_closed", now_ns)
        elif ladder.failed_test(alert, self.settings, now_ns):
            self._end_test(alert, False, now_ns)
            return False
        return True

    def _end_test(self, alert: Alert, passed: bool, now_ns: int) -> None:
        self.tests.append((alert, passed))
        self._close(alert, GATEWAY, "test_passed" if passed else "test_failed", now_ns)

    def _notice(self, pairs: list[tuple[Alert, Send]], now_ns: int) -> Notice:
        alert, send = pairs[0]
        link = page = ""
        if self.links is not None and len(pairs) > 1:
            page = self.links.page
        elif self.links is not None and not (alert.test or alert.once) and send.person != ladder.SIREN:
            link = self.links.for_message(alert, send.step, send.person, self.settings.link_valid_s, now_ns)
        answers = self.settings.replies and not alert.test and not (alert.once and len(pairs) == 1)
        return notice_of(pairs, answers, link, page, self.where)

    def _raise(self, finding: Finding, flooded: bool, now_ns: int) -> None:
        alert = raised(finding, self._ids.new(finding, now_ns), now_ns)
        self._by_key[alert.key] = self._by_id[alert.id] = alert
        together = (flooded or alert.outside) and not alert.urgent and not alert.test
        grid_s = self.settings.repeat_s if together else 0.0
        ladder.begin(alert, self.settings, now_ns, ladder.on_grid(now_ns, grid_s))
        self._enter(alert, State.RAISED, GATEWAY, finding.rule, now_ns)

    def _update(self, alert: Alert, finding: Finding, now_ns: int) -> None:
        """More evidence for a known cause. What became worse, or is asked again long after it was accepted, is heard."""
        worse = RANK[finding.severity] < RANK[alert.severity]
        if not add(alert, finding, worse):
            return
        self._unsaved[alert.id] = alert
        waited_ns = now_ns - alert.accepted_ns
        if worse:
            alert.severity = finding.severity
            alert.returns = alert.returns and not alert.urgent
            self._open_again(alert, "worse", now_ns)
        elif finding.anew and alert.state is State.ACCEPTED and not 0 <= waited_ns < ladder.ns(self.settings.next_person_s):
            self._open_again(alert, "again", now_ns)

    def _open_again(self, alert: Alert, why: str, now_ns: int) -> None:
        """The ladder begins anew; who had accepted it is told first, and then the others."""
        alert.first, alert.reopened = alert.accepted_by, why
        alert.accepted_by, alert.accepted_ns = "", 0
        ladder.begin(alert, self.settings, now_ns, now_ns)
        if alert.first and why != "not_closed":
            # Somebody calls again or it became worse: who is on the way may not hear it, so another is told at once.
            alert.reached = 2
        self._enter(alert, State.RAISED, GATEWAY, why, now_ns)

    def _close(self, alert: Alert, by: str, reason: str, now_ns: int) -> None:
        alert.closed_by, alert.closed_ns = by, now_ns
        ladder.stop(alert)
        del self._by_key[alert.key], self._by_id[alert.id]
        if self.links is not None:
            self.links.forget(alert)
        self.ended = [*self.ended[-_ENDED + 1 :], alert]
        self._enter(alert, State.CLOSED, by, reason, now_ns)

    def _enter(self, alert: Alert, state: State, by: str, reason: str, now_ns: int) -> None:
        self._unsaved[alert.id] = alert
        self._entries.append(enter(alert, state, by, reason, now_ns))

    def _flooded(self) -> bool:
        # Those of another watcher are told together by themselves: however many, they delay no word about a person.
        counted = (alert for alert in self._by_key.values() if not alert.urgent and not alert.test and not alert.outside)
        return sum(alert.unanswered for alert in counted) > DIGEST_OVER


def _named(person: str) -> None:
    if ID.fullmatch(person) is None or person in (GATEWAY, ladder.SIREN):
        raise Rejected("no_person", f"{person[:80]!r} is no person: give the id of the one who does it, such as --by zhang")
