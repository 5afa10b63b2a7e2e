"""Reports of delivery: a channel that took a message says later whether it arrived, sometimes before its own first answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_gateway.alerts.alert import Alert, Awaited
from edge_gateway.alerts.notice import Notice, reference

_OF_ALERT: Final = 32
_EARLY: Final = 200

Message = tuple[int, str, int]  # step, person, channel


@dataclass(frozen=True, slots=True)
class Early:
    """A report that came before the channel's own answer."""

    arrived: bool
    reason: str


class Reports:
    """Finds the message a report is about. What is awaited is saved with the alert; what came early is only remembered."""

    def __init__(self) -> None:
        self._early: dict[str, Early] = {}

    def expect(self, alert: Alert, notice: Notice, own: str) -> None:
        """A report about this message will come, under the notice's reference or the channel's own."""
        step = next(item.step for item in notice.items if item.alert == alert.id)
        names = [name for name in (own, notice.reference) if name]
        awaited = [Awaited(name, step, notice.person, notice.channel) for name in names]
        alert.awaited = [*alert.awaited, *awaited][-_OF_ALERT:]

    def match(self, alerts: Iterable[Alert], references: Sequence[str]) -> list[tuple[Alert, Message]]:
        """The open alerts whose message it is; what they awaited is awaited no longer."""
        wanted = {name for name in references if name}
        found: list[tuple[Alert, Message]] = []
        for alert in alerts:
            message = _message(alert, wanted)
            if message is not None:
                alert.awaited = [a for a in alert.awaited if (a.step, a.person, a.channel) != message]
                found.append((alert, message))
        return found

    def keep(self, references: Sequence[str], arrived: bool, reason: str) -> None:
        """Nobody waits for it, yet."""
        for name in references:
            self._early[name] = Early(arrived, reason)
        while len(self._early) > _EARLY:
            del self._early[next(iter(self._early))]

    def early(self, *names: str) -> list[Early]:
        """What came early under one of these names; at most one."""
        found = [self._early.pop(name) for name in names if name in self._early]
        return found[:1]


def _message(alert: Alert, wanted: set[str]) -> Message | None:
    for awaited in alert.awaited:
        if awaited.ref in wanted:
            return awaited.step, awaited.person, awaited.channel
    for send in alert.sends:  # the channel's answer was lost, its report was not
        if reference(alert.id, send.step, send.person, send.channel) in wanted:
            return send.step, send.person, send.channel
    return None
