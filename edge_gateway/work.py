"""What the pipeline gathers between two commits, and how a message can end."""

from dataclasses import dataclass, field
from enum import Enum

from edge_gateway.events import Entry
from edge_gateway.state import DeviceState
from edge_gateway.transaction import DeadLetter, Held
from edge_gateway.visits.records import Tap

Key = tuple[str, str]


class Outcome(Enum):
    """How a message ended."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    HELD = "held"
    DEAD = "dead"


@dataclass(slots=True)
class Receipt:
    """What one device may forget after the next commit."""

    events: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Work:
    """What happened since the last commit; the committer encodes and saves it as one transaction."""

    messages: int = 0
    data: list[Entry] = field(default_factory=list)
    events: list[Entry] = field(default_factory=list)
    touched: dict[Key, DeviceState] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    unheld: list[int] = field(default_factory=list)
    undead: list[int] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    receipts: dict[tuple[str, str, int], Receipt] = field(default_factory=dict)

    def count(self, name: str, n: int = 1) -> None:
        """Add to a total of the gateway."""
        self.counters[name] = self.counters.get(name, 0) + n
