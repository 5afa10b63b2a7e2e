"""What devices are going to measure, and when: the input of a fleet."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simulator.senml import Instant, Value

Key = tuple[str, str]  # site, device


@dataclass(frozen=True, slots=True)
class Planned:
    """One message to come.

    Attributes:
        key: (site, device) of who measures.
        at_s: true time, UTC seconds, at which the device writes it; a plan is in this order.
        instants: true times and values.
        err_s: uncertainty of these times, where it differs from the clock's.
    """

    key: Key
    at_s: float
    instants: tuple[Instant, ...]
    event: bool = False
    err_s: float | None = None


def merge(plans: Iterable[Iterator[Planned]]) -> Iterator[Planned]:
    """One plan in order of time out of one plan a device."""
    return heapq.merge(*plans, key=lambda planned: planned.at_s)


def at_once(key: Key, at_s: float, *values: Value, event: bool = False) -> Planned:
    """A message with one instant, measured when it is written."""
    return Planned(key, at_s, (Instant(round(at_s * 1e6) * 1000, values),), event)
