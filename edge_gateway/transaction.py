"""What one transaction of the gateway saves, already encoded; plain records that the pipeline makes and the store writes."""

from dataclasses import dataclass, field
from enum import IntEnum

from isal.isal_zlib import crc32


class Lane(IntEnum):
    """Rows of the outbox; the lower goes first, the higher is dropped first."""

    EVENT = 0
    DATA = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message or entry that can never be accepted, kept with its reason so that a person can look and retry."""

    stage: str  # decode, write or outbox
    reason: str
    detail: str
    topic: str
    site: str
    device: str
    boot: int | None
    seq: int | None
    received_ns: int
    payload: bytes  # as it came (decode); one packed outbox row (write, outbox)
    lane: Lane = Lane.DATA  # of the outbox row (write, outbox)

    @property
    def rank(self) -> int:
        """The lower is dropped first: what was never taken, then what had been taken; of each readings before events."""
        is_event = self.lane is Lane.EVENT or self.topic.endswith("/up/event")
        return 2 * (self.stage != "decode") + is_event


@dataclass(frozen=True, slots=True)
class Held:
    """A message of a device nobody has registered."""

    topic: str
    site: str
    device: str
    received_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Entries of one commit and lane; `body` is `events.pack`."""

    id: int
    lane: int
    entries: int
    received_ns: int
    crc: int
    body: bytes

    @property
    def intact(self) -> bool:
        """Whether the bytes are those that were written."""
        return crc32(self.body) == self.crc


@dataclass(frozen=True, slots=True)
class TapRow:
    """A tap that waits to be judged; `body` is the msgpack of `visits.records.Tap`."""

    id: int
    crc: int
    body: bytes

    @property
    def intact(self) -> bool:
        """Whether the bytes are those that were written."""
        return crc32(self.body) == self.crc


@dataclass(slots=True)
class Commit:
    """Everything one transaction saves, already encoded."""

    rows: list[tuple[int, int, int, bytes]] = field(default_factory=list)  # lane, entries, received_ns, body
    devices: list[tuple[str, str, bytes]] = field(default_factory=list)
    alerts: list[tuple[str, bool, int, bytes]] = field(default_factory=list)  # id, open, raised_ns, body
    dead: list[DeadLetter] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    unheld: list[int] = field(default_factory=list)  # ids of held messages that were taken now
    taps: list[tuple[bool, bytes]] = field(default_factory=list)  # it came long after it was made; packed `Tap`
    homes: list[tuple[str, str, str, bytes]] = field(default_factory=list)  # site, place, part, body
    notes: list[tuple[str, str, int, str, str, str]] = field(default_factory=list)  # site, place, at_ns, who, what, detail
    undead: list[int] = field(default_factory=list)  # ids of dead letters that a person retried and that were taken now
    counters: dict[str, int] = field(default_factory=dict)  # name -> increment


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox in numbers, as of the last transaction."""

    rows: int = 0
    entries: int = 0
    bytes: int = 0
    oldest_ns: int | None = None
