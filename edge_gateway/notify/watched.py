"""What another watcher, Grafana, tells the gateway: a command of its socket. It never touches an alert of the gateway's own."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edge_gateway.alerts import Alert, unpack
from edge_gateway.commands import Handler
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.rules.rule import Returned
from edge_gateway.second_opinion import (
    MORE,
    MOST,
    MOST_AN_HOUR,
    RULE,
    Said,
    Word,
    firing_line,
    is_told,
    split,
    too_many,
    verdict,
)
from edge_gateway.text import escaped

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

AT_ONCE: Final = 100  # in one command
_COUNTED: Final = ("firing", "resolved", "unknown", "repeated", "told_already", "beyond", "test", "unread")
_TROUBLE: Final = "grafana"
_TROUBLE_S: Final = 3600.0
_HOUR_S: Final = 3600.0
_QUEUE: Final = 20  # commands; while the disk stands still each of them is kept in memory
_NAME: Final = 250  # characters of a rule's uid or an instance
_TEXT: Final = 500
# An alert is looked for among those that were raised at most so long before its cause began, by another clock.
_SKEW_NS: Final = 3600 * 10**9
_OURS: Final = f"{RULE}/".encode()  # stands in every packed alert of ours, in its key


@dataclass
class Watched:
    """What was told since the start.

    Attributes:
        counts: alerts by what was said of them; `repeated`: nothing new; `told_already`: the gateway's own rules said it;
            `beyond`: too many; `test`; `unread`: not understood.
    """

    gateway: "Gateway"
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    _unread_s: float = -math.inf  # monotonic, when something could not be understood last
    _raised_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_AN_HOUR))  # monotonic, of new alerts
    # One after the other, however many come at once: an SOS waits behind one of them at most.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0

    async def tell(self, said: list[Said], left_out: int) -> None:
        """Raise, update and end alerts, and save that.

        Raises:
            Unavailable: a disk that stands still, or too many at once; Grafana comes again.
        """
        if self._waiting >= _QUEUE:
            raise Unavailable(f"{_QUEUE} messages of Grafana's wait already")
        self._waiting += 1
        try:
            async with self._turn:
                await self._take_in(said, left_out)
        finally:
            self._waiting -= 1

    async def _take_in(self, said: list[Said], left_out: int) -> None:
        g, now_ns = self.gateway, self.gateway.clock_ns()
        closed = await self._closed(said)
        registry, book = g.pipeline.registry, g.desk.book
        known = {alert.key: alert for alert in book.open_alerts() if alert.rule == RULE}
        new = [one for one in said if one.key in known or not self._was_closed(one, closed)]
        self.counts["repeated"] += len(said) - len(new)
        own = [alert for alert in book.open_alerts() if alert.rule != RULE]
        told = [one for one in new if one.key not in known and is_told(one, own)]
        self.counts["told_already"] += len(told)
        new = [one for one in new if one not in told]
        now_s = time.monotonic()
        room = MOST_AN_HOUR - sum(at_s > now_s - _HOUR_S for at_s in self._raised_s)
        taken, beyond = split(new, known.__contains__, len(known.keys() - {MORE}), room)
        for one in taken:
            found = verdict(one, known.get(one.key), registry, now_ns)
            before = known[one.key].count if one.key in known else 0
            if found is not None:
                if not before:
                    self._raised_s.append(now_s)
                book.apply([found], now_ns)
                known = {alert.key: alert for alert in book.open_alerts() if alert.rule == RULE}
            same = found is None or (one.key in known and known[one.key].count == before)
            self.counts["repeated" if same else one.word.value] += 1
        self.counts["beyond"] += len(beyond) + left_out
        if beyond or left_out:
            if MORE not in known:
                self._raised_s.append(now_s)
            book.apply([too_many(beyond, left_out, registry, now_ns)], now_ns)
        elif MORE in known and len(known) - 1 <= MOST // 2 and room > MOST_AN_HOUR // 2:
            book.apply([Returned(MORE, now_ns, "fewer")], now_ns)
        if book.unsaved:
            await g.committer.settle()

    def not_read(self, number: int, why: str) -> None:
        """So many could not be understood; a trouble for an hour, and until something comes that can be."""
        now_s = time.monotonic()
        if number:
            self.counts["unread"] += number
            self._unread_s = now_s
            told = f"{self.counts['unread']} of Grafana's alerts could not be understood, the last: {why}"
            self.gateway.troubles.set(_TROUBLE, f"{told}; see docs/alerts.md")
        elif now_s > self._unread_s + _TROUBLE_S:
            self.gateway.troubles.set(_TROUBLE, "")

    async def _closed(self, said: list[Said]) -> dict[str, list[Alert]]:
        """Closed alerts of Grafana's, by key, as far as one of these may be the repeat of one."""
        firing = [one.at_ns for one in said if one.word is Word.FIRING]
        found: dict[str, list[Alert]] = {}
        if not firing:
            return found
        store = self.gateway.store
        for body in await self.gateway.in_store(lambda: store.closed_alerts(min(firing) - _SKEW_NS)):
            if _OURS not in body:
                continue
            try:
                alert = unpack(body)
            except msgspec.MsgspecError:
                continue  # a damaged row; at worst one alert is told again
            if alert.rule == RULE:
                found.setdefault(alert.key, []).append(alert)
        return found

    def _was_closed(self, said: Said, closed: Mapping[str, list[Alert]]) -> bool:
        """Somebody closed the alert of this very firing, or it ended: Grafana repeats itself, or an old word came late."""
        if said.word is not Word.FIRING:
            return False
        line = firing_line(said, self.gateway.pipeline.registry)
        return any(line in alert.evidence for alert in closed.get(said.key, ()))


def handlers(gateway: "Gateway") -> Mapping[str, Handler]:
    """Command name -> function of its arguments; each raises Rejected for arguments it cannot use."""

    async def watched(arguments: Mapping[str, Any]) -> dict[str, int]:
        given = arguments.get("alerts", [])
        if not isinstance(given, list) or len(given) > AT_ONCE:
            raise Rejected("bad_argument", f"alerts should be a list of at most {AT_ONCE}")
        said = [said_of(one) for one in given]
        left_out, unread, tests = (_number(arguments, name) for name in ("left_out", "unread", "tests"))
        gateway.watched.counts["test"] += tests
        gateway.watched.not_read(unread, _text(arguments, "why", _TEXT, empty=True))
        await gateway.watched.tell(said, left_out)
        return dict(gateway.watched.counts)

    return {"alerts.watched": watched}


def said_of(one: Any) -> Said:
    """One alert of the command's arguments. Raises Rejected: `bad_argument`, `too_long`."""
    if not isinstance(one, dict) or one.get("word") not in list(Word):
        raise Rejected("bad_argument", f"an alert should say {', '.join(Word)}; seen {str(one)[:200]!r}")
    at_ns = one.get("at_ns")
    if type(at_ns) is not int or not 0 < at_ns < 2**63:
        raise Rejected("bad_argument", f"at_ns is {at_ns!r}; expected nanoseconds since 1970")
    names = [
        _text(one, "rule", _NAME),
        *(_text(one, name, _NAME, empty=True) for name in ("instance", "reason", "site", "device")),
    ]
    rule, instance, reason, site, device = names
    texts = _text(one, "text_zh", _TEXT), _text(one, "text_en", _TEXT)
    return Said(rule, instance, Word(one["word"]), at_ns, reason, one.get("warning") is True, site, device, *texts)


def _number(arguments: Mapping[str, Any], name: str) -> int:
    value = arguments.get(name, 0)
    if type(value) is not int or not 0 <= value <= 10**6:
        raise Rejected("bad_argument", f"{name} is {value!r}; expected a whole number")
    return value


def _text(arguments: Mapping[str, Any], name: str, most: int, empty: bool = False) -> str:
    value = arguments.get(name, "" if empty else None)
    if not isinstance(value, str) or not (empty or value.strip()):
        raise Rejected("bad_argument", f"{name} is {str(value)[:100]!r}; expected a text")
    return escaped(value.strip(), most, name)
