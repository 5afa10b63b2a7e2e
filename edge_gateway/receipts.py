"""Receipts: what a device may forget. Readings are confirmed a few times a second for each device, events at once."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from edge_gateway.pipeline import Pipeline
from edge_gateway.topics import Down, down
from edge_gateway.work import Work

# A device with more refused messages than this at once is told in several receipts.
_MOST_NUMBERS = 200


@dataclass(slots=True)
class Owed:
    """What the state on disk allows one boot of one device to forget."""

    site: str
    device: str
    boot: int
    upto: int
    events: list[int]
    rejected: list[int]


class Receipts:
    """Gathers what is owed and publishes it.

    Args:
        publish: topic and payload; QoS 1, not retained.
    """

    def __init__(self, publish: Callable[[str, bytes], None]) -> None:
        self._publish = publish
        self._due: dict[tuple[str, str, int], Owed] = {}
        self.sent = 0

    def snapshot(self, work: Work, pipeline: Pipeline) -> list[Owed]:
        """What `work` will allow once it is saved. The numbers are taken now: later messages are not yet on disk then."""
        owed = []
        for (site, device, number), receipt in work.receipts.items():
            known = pipeline.states.get((site, device))
            boot = known.find(number) if known else None
            if boot is not None:
                owed.append(Owed(site, device, number, boot.upto, receipt.events, receipt.rejected))
        return owed

    def owe(self, owed: list[Owed]) -> None:
        """The commit is done: send events now, the rest with the next `send_due`."""
        for o in owed:
            key = (o.site, o.device, o.boot)
            waiting = self._due.pop(key, None)
            if waiting is not None:
                o.rejected = waiting.rejected + o.rejected
            if o.events:
                self._send(o)
            else:
                self._due[key] = o

    def forget(self) -> None:
        """What is gathered is not true any more: a damaged file was replaced by an older state."""
        self._due.clear()

    def send_due(self) -> None:
        """Publish what is gathered; called a few times a second."""
        due, self._due = self._due, {}
        for o in due.values():
            self._send(o)

    def _send(self, o: Owed) -> None:
        while True:
            numbers: dict[str, int | list[int]] = {"boot": o.boot, "upto": o.upto}
            if o.events:
                numbers["events"] = o.events[:_MOST_NUMBERS]
            if o.rejected:
                numbers["rejected"] = o.rejected[:_MOST_NUMBERS]
            self._publish(down(o.site, o.device, Down.RECEIPT), json.dumps(numbers, separators=(",", ":")).encode())
            self.sent += 1
            o.events, o.rejected = o.events[_MOST_NUMBERS:], o.rejected[_MOST_NUMBERS:]
            if not o.events and not o.rejected:
                return
