"""What became of an event is told to the device it came from: a person was notified, has accepted, has closed (`answered`).

Told once it is on disk, again two seconds after the device's next birth, and again when the gateway starts: the lamp beside
an SOS button must not wait for a word that was lost. An answer is the same however often it comes, and has the same id.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_gateway.alerts.alert import Alert, State, unpack
from edge_gateway.topics import Down, down

# After a restart: how old an alert may be whose end a device that comes back is told, ...
REMEMBERED_NS: Final = 7 * 86_400 * 10**9
# ... and how fresh an end that is told at once, for it may have been on disk but not yet with the broker.
_FRESH_NS: Final = 3600 * 10**9
_AFTER_BIRTH_S: Final = 2.0  # a device subscribes after its birth
_MOST: Final = 16  # alerts kept of one device

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """How an alert stands, for the device that sent `event` (boot, seq)."""

    site: str
    device: str
    alert: str
    event: tuple[int, int]
    state: str

    def command(self) -> bytes:
        """The payload of `down/command`."""
        boot, seq = self.event
        told = {"id": f"{self.alert}/{self.state}/{boot}-{seq}", "name": "answered", "event": self.event, "state": self.state}
        return json.dumps(told, separators=(",", ":")).encode()


def answers(alert: Alert) -> list[Answer]:
    """What each device behind an alert should know: that of its newest event. Nothing while nobody was told of it."""
    if alert.state is State.RAISED:
        return []
    newest = {device: (boot, seq) for device, boot, seq in alert.events}
    return [Answer(alert.site, device, alert.id, event, alert.state.value) for device, event in newest.items()]


class Feedback:
    """Knows what each device was last told of its alerts.

    Args:
        publish: topic and payload; QoS 1, not retained, kept while the broker is away.
        monotonic: seconds.
    """

    def __init__(self, publish: Callable[[str, bytes], None], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._publish = publish
        self._monotonic = monotonic
        self._told: dict[Key, dict[str, Answer]] = {}
        self._due: dict[Key, float] = {}

    def remember(self, closed: Iterable[bytes], now_ns: int) -> None:
        """Alerts that were closed before this start: their devices may not know."""
        for body in closed:
            try:
                alert = unpack(body)
            except msgspec.MsgspecError:
                continue  # closed and unreadable: nobody waits for it but a lamp
            told = answers(alert)
            if 0 <= now_ns - alert.closed_ns < _FRESH_NS:
                self.tell(told)
            else:
                for answer in told:
                    self._keep(answer)

    def tell(self, told: Iterable[Answer]) -> None:
        """Publish what is new; it is on disk."""
        for answer in told:
            if self._keep(answer):
                self._publish(down(answer.site, answer.device, Down.COMMAND), answer.command())

    def born(self, site: str, device: str) -> None:
        """The device has come back."""
        if (site, device) in self._told:
            self._due[site, device] = self._monotonic() + _AFTER_BIRTH_S

    def tick(self) -> None:
        """Once a second: tell again those who came back."""
        now = self._monotonic()
        for key in [key for key, due in self._due.items() if due <= now]:
            del self._due[key]
            for answer in self._told.get(key, {}).values():
                self._publish(down(*key, Down.COMMAND), answer.command())
            # Told to a device that has just come: what is over need not be told it again.
            self._told[key] = {a.alert: a for a in self._told.get(key, {}).values() if a.state != State.CLOSED}
            if not self._told[key]:
                del self._told[key]

    def _keep(self, answer: Answer) -> bool:
        """Whether it says something new."""
        known = self._told.setdefault((answer.site, answer.device), {})
        new = known.pop(answer.alert, None) != answer
        known[answer.alert] = answer
        if len(known) > _MOST:
            # Those that are over first: of an open one the device still waits to hear.
            del known[next((a.alert for a in known.values() if a.state == State.CLOSED), next(iter(known)))]
        return new
