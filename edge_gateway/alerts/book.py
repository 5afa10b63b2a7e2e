"""All open alerts: what may happen to them, and what has to be saved when it did.

The book knows no clock, no file and no network. Whoever drives it saves `take()` in one transaction with whatever caused it,
and only then sends the notices that `due` gave out before: what a person was told is always on disk.
"""

from collections.abc import Iterable, KeysView
from dataclasses import dataclass
from datetime import UTC
from hashlib import blake2b
from typing import Final

import msgspec

from edge_gateway.alerts import ladder
from edge_gateway.alerts.alert import Alert, Change, Send, Sending, State, pack, unpack
from edge_gateway.alerts.notice import Item, Notice
from edge_gateway.errors import Rejected
from edge_gateway.events import AlertChange
from edge_gateway.rules import Finding, Prewarn, Returned, Severity, Verdict
from edge_gateway.rules.words import local
from edge_gateway.settings import Alerts
from edge_gateway.topics import ID

GATEWAY: Final = "gateway"  # `by` of what no person did
DIGEST_OVER: Final = 5  # more unanswered alerts than this that are not urgent are told together
_EVIDENCE: Final = 10
_HISTORY: Final = 100
_SHOWN_EVIDENCE: Final = 3
_RANK: Final = {Severity.URGENT: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
# Read aloud over a telephone: no 0/o, 1/l/i, u/v.
_LETTERS: Final = "23456789abcdefghjkmnpqrstwxyz"


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
    """

    def __init__(self, alerts: Alerts) -> None:
        self._alerts = alerts
        self._by_key: dict[str, Alert] = {}
        self._by_id: dict[str, Alert] = {}
        self._unsaved: dict[str, Alert] = {}
        self._entries: list[AlertChange] = []
        self._flying: set[tuple[str, int, str, int]] = set()  # handed out by this process, not answered yet
        self._used_ids: set[str] = set()

    def use(self, alerts: Alerts) -> None:
        """Changed people or distances, from the next `due` on."""
        self._alerts = alerts

    def restore(self, bodies: Iterable[bytes], now_ns: int) -> int:
        """Forget everything in memory and begin from what is on disk: at start, and after a commit that failed.

        Returns:
            how many were unreadable; then an urgent alert says so, because each may have been an SOS.
        """
        self._by_key.clear()
        self._by_id.clear()
        self._unsaved.clear()
        self._entries.clear()
        damaged = 0
        for body in bodies:
            try:
                alert = unpack(body)
            except msgspec.MsgspecError:
                damaged += 1
                continue
            self._used_ids.add(alert.id)
            if alert.state is State.CLOSED or alert.key in self._by_key:
                continue
            ladder.resume(alert, self._flying)
            self._by_key[alert.key] = self._by_id[alert.id] = alert
        if damaged:
            self.apply([_damaged(damaged, now_ns)], now_ns)
        return damaged

    @property
    def open_keys(self) -> KeysView[str]:
        """Keys of the open alerts, for `rules.View`."""
        return self._by_key.keys()

    def open_alerts(self) -> list[Alert]:
        """Open alerts, most urgent and oldest first; to be read, not changed."""
        return sorted(self._by_key.values(), key=lambda alert: (_RANK[alert.severity], alert.raised_ns))

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
                    if verdict.evidence:
                        # The alert closes now; what ended it may have happened long ago.
                        alert.evidence = [*alert.evidence, verdict.evidence][-_EVIDENCE:]
                    self._close(alert, GATEWAY, verdict.reason, now_ns)
            elif alert is None:
                self._raise(verdict, flooded, now_ns)
            else:
                self._update(alert, verdict, now_ns)

    def accept(self, alert_id: str, person: str, now_ns: int) -> Alert:
        """A named person deals with it: the messages stop. The second to accept changes nothing and sees who was first.

        Raises:
            Rejected: `unknown_alert`; `no_person` when `person` is no person's id.
        """
        alert = self.find(alert_id)
        _named(person)
        if alert.unanswered:
            alert.accepted_by, alert.accepted_ns = person, now_ns
            ladder.stop(alert)
            self._enter(alert, State.ACCEPTED, person, "", now_ns)
        return alert

    def close(self, alert_id: str, person: str, reason: str, now_ns: int) -> Alert:
        """A named person says it is over, and why (`false_press`, `visited_fine`, `ambulance`, `test` or their own words).

        Raises:
            Rejected: `unknown_alert`, `no_person`, or `no_reason`.
        """
        alert = self.find(alert_id)
        _named(person)
        if not reason.strip():
            raise Rejected("no_reason", "closing needs a reason: false_press, visited_fine, ambulance, test, or your own words")
        self._close(alert, person, reason.strip()[:200], now_ns)
        return alert

    def due(self, now_ns: int) -> list[Notice]:
        """Messages to send now, most urgent first. Save `take()`, send them, then answer each with `delivered` or `failed`."""
        flooded = self._flooded()
        single: list[tuple[Alert, Send]] = []
        gathered: dict[tuple[str, int], list[tuple[Alert, Send]]] = {}
        for alert in self._by_key.values():
            if not ladder.is_due(alert, self._alerts, now_ns):
                continue
            together = flooded and not alert.urgent
            sends = ladder.advance(alert, self._alerts, now_ns, self._alerts.repeat_s if together else 0.0)
            self._unsaved[alert.id] = alert
            for send in sends:
                self._flying.add((alert.id, send.step, send.person, send.channel))
                if together:
                    gathered.setdefault((send.person, send.channel), []).append((alert, send))
                else:
                    single.append((alert, send))
        notices = [_notice([pair]) for pair in single] + [_notice(pairs) for pairs in gathered.values()]
        return sorted(notices, key=lambda notice: (_RANK[notice.items[0].severity], notice.channel))

    def next_due_ns(self) -> int | None:
        """When `due` will have something to do, if nothing else happens; None: never."""
        return min((alert.due_ns for alert in self._by_key.values() if alert.due_ns is not None), default=None)

    def delivered(self, notice: Notice, now_ns: int) -> None:
        """A channel confirmed the message. Also true when the alert was accepted meanwhile; harmless when it was closed."""
        for alert, send in self._answered(notice):
            if send is not None:
                ladder.delivered(send)
            if notice.person not in alert.told:
                alert.told.append(notice.person)
            self._unsaved[alert.id] = alert
            if alert.state is State.RAISED:
                self._enter(alert, State.NOTIFIED, GATEWAY, f"told {notice.person}", now_ns)

    def failed(self, notice: Notice, error: str, now_ns: int, *, in_doubt: bool = False) -> None:
        """The message did not arrive, or (`in_doubt`) may have: a time-out after it was written. The ladder goes on."""
        for alert, send in self._answered(notice):
            if send is not None:
                ladder.failed(alert, send, self._alerts, error[:200], in_doubt, now_ns)
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

    def _raise(self, finding: Finding, flooded: bool, now_ns: int) -> None:
        alert = Alert(
            id=self._new_id(finding, now_ns),
            key=finding.key,
            rule=finding.rule,
            severity=finding.severity,
            site=finding.site,
            device=finding.device,
            place=finding.place,
            occurred_ns=finding.occurred_ns,
            raised_ns=now_ns,
            text_zh=finding.text_zh,
            text_en=finding.text_en,
            evidence=list(finding.evidence[-_EVIDENCE:]),
            returns=finding.returns and finding.severity is not Severity.URGENT,
            events=_events(finding),
        )
        self._by_key[alert.key] = self._by_id[alert.id] = alert
        grid_s = self._alerts.repeat_s if flooded and not alert.urgent else 0.0
        ladder.begin(alert, self._alerts, now_ns, ladder.on_grid(now_ns, grid_s))
        self._enter(alert, State.RAISED, GATEWAY, finding.rule, now_ns)

    def _update(self, alert: Alert, finding: Finding, now_ns: int) -> None:
        """More evidence for a cause that is known. Somebody who asks again long after it was accepted is heard again."""
        fresh = [seen for seen in finding.evidence if seen not in alert.evidence]
        if not fresh:
            return
        alert.evidence = [*alert.evidence, *fresh][-_EVIDENCE:]
        alert.count += 1
        alert.events = [*alert.events, *_events(finding)][-_EVIDENCE:]
        alert.text_zh, alert.text_en = finding.text_zh, finding.text_en
        self._unsaved[alert.id] = alert
        waited_ns = now_ns - alert.accepted_ns
        if finding.anew and alert.state is State.ACCEPTED and not 0 <= waited_ns < self._alerts.next_person_s * ladder.SECOND:
            alert.accepted_by, alert.accepted_ns = "", 0
            ladder.begin(alert, self._alerts, now_ns, now_ns)
            self._enter(alert, State.RAISED, GATEWAY, "again", now_ns)

    def _close(self, alert: Alert, by: str, reason: str, now_ns: int) -> None:
        alert.closed_by, alert.closed_ns = by, now_ns
        ladder.stop(alert)
        del self._by_key[alert.key], self._by_id[alert.id]
        self._enter(alert, State.CLOSED, by, reason, now_ns)

    def _enter(self, alert: Alert, state: State, by: str, reason: str, now_ns: int) -> None:
        alert.state = state
        # The first lines tell how it began, the last how it stands; what is dropped is between them.
        alert.history = [*alert.history[: _HISTORY // 2], *alert.history[_HISTORY // 2 :][-(_HISTORY // 2 - 1) :]]
        alert.history.append(Change(now_ns, state, by, reason))
        self._unsaved[alert.id] = alert
        self._entries.append(
            AlertChange(
                site=alert.site or GATEWAY,
                device=alert.device or GATEWAY,
                place=alert.place,
                time_ns=now_ns,
                alert=alert.id,
                rule=alert.rule,
                severity=alert.severity.value,
                state=state.value,
                by=by,
                reason=reason,
            )
        )

    def _flooded(self) -> bool:
        return sum(1 for alert in self._by_key.values() if alert.unanswered and not alert.urgent) > DIGEST_OVER

    def _new_id(self, finding: Finding, now_ns: int) -> str:
        """Such as `20261121-1405-sos-3f2a`, UTC; the same inputs give the same id."""
        if len(self._used_ids) > 100_000:  # the minute is in the id, so old ones cannot come again
            self._used_ids = set(self._by_id)
        minute = f"{local(now_ns, UTC):%Y%m%d-%H%M}"
        counter = 0
        while True:
            digest = blake2b(f"{finding.key}\n{now_ns}\n{counter}".encode(), digest_size=8).digest()
            number = int.from_bytes(digest, "big")
            letters = "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(4))
            alert_id = f"{minute}-{finding.rule}-{letters}"
            if alert_id not in self._used_ids:
                self._used_ids.add(alert_id)
                return alert_id
            counter += 1


def _events(finding: Finding) -> list[tuple[str, int, int]]:
    return [(finding.device, *finding.event)] if finding.event is not None else []


def _named(person: str) -> None:
    if ID.fullmatch(person) is None or person == GATEWAY:
        raise Rejected("no_person", f"{person[:80]!r} is no person: give the id of the one who does it, such as --by zhang")


def _notice(pairs: list[tuple[Alert, Send]]) -> Notice:
    pairs = sorted(pairs, key=lambda pair: (_RANK[pair[0].severity], pair[0].raised_ns))
    items = tuple(
        Item(
            alert=alert.id,
            step=send.step,
            severity=alert.severity,
            text_zh=alert.text_zh,
            text_en=alert.text_en,
            evidence=tuple(alert.evidence[-_SHOWN_EVIDENCE:]),
            told=tuple(alert.told),
        )
        for alert, send in pairs
    )
    return Notice(pairs[0][1].person, pairs[0][1].channel, items)


def _damaged(number: int, now_ns: int) -> Finding:
    return Finding(
        key="damaged/alerts",
        rule="damaged",
        severity=Severity.URGENT,
        site="",
        device="",
        place="",
        occurred_ns=now_ns,
        text_zh=f"网关磁盘上有 {number} 条未处理告警读不出来, 其中可能有紧急求助。请逐户确认, 并告诉技术人员。",
        text_en=f"{number} open alerts on the gateway's disk cannot be read; one may be an SOS. Check every home.",
        evidence=(f"{number} damaged rows",),
        anew=True,
    )
