"""What a device keeps until a receipt frees it: oldest first, events ahead, and an honest account of what had to go."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from simulator.senml import Loss

Identity = tuple[int, int]  # boot, seq

LOSSES_A_MESSAGE: Final = 50


class Lane(IntEnum):
    """Order of sending. A declared loss goes before readings: the gateway's `upto` waits for it, and so do they."""

    EVENT = 0
    LOSS = 1
    DATA = 2


@dataclass(slots=True, eq=False)
class Record:
    """One message as it was written; the bytes never change, so a repeat is a repeat.

    Attributes:
        attempts: how often it was sent.  retry_at: when it is sent again, monotonic seconds.
        losses: what this message declares.
        gone: freed or dropped; queues that still hold it skip it.
    """

    boot: int
    seq: int
    lane: Lane
    payload: bytes
    losses: tuple[Loss, ...] = ()
    attempts: int = 0
    retry_at: float = 0.0
    gone: bool = False

    @property
    def identity(self) -> Identity:
        return self.boot, self.seq


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where every message a device generated is: generated == pending + receipted + rejected + declared_lost + undeclared."""

    generated: int = 0
    pending: int = 0
    receipted: int = 0
    rejected: int = 0
    declared_lost: int = 0
    undeclared: int = 0

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(
            self.generated + other.generated,
            self.pending + other.pending,
            self.receipted + other.receipted,
            self.rejected + other.rejected,
            self.declared_lost + other.declared_lost,
            self.undeclared + other.undeclared,
        )

    @property
    def open(self) -> int:
        """Messages whose fate is not settled yet."""
        return self.pending + self.undeclared

    @property
    def balanced(self) -> bool:
        return self.generated == self.pending + self.receipted + self.rejected + self.declared_lost + self.undeclared


@dataclass(slots=True)
class Outbox:
    """Pending records and the counters. `capacity` is in messages, over all lanes.

    Readings are dropped before declarations, declarations before events, the oldest first.
    """

    capacity: int
    generated: int = 0
    receipted: int = 0
    rejected: int = 0
    declared_lost: int = 0
    pending: dict[Identity, Record] = field(default_factory=dict)
    _by_boot: dict[int, deque[Record]] = field(default_factory=dict)
    _by_lane: dict[Lane, deque[Record]] = field(default_factory=lambda: {lane: deque() for lane in Lane})
    _dropped: dict[int, set[int]] = field(default_factory=dict)  # not declared yet, by boot
    _again: list[Loss] = field(default_factory=list)  # were declared in a message that was dropped itself

    def __len__(self) -> int:
        return len(self.pending)

    @property
    def undeclared(self) -> int:
        """Dropped messages that no pending or receipted message declares."""
        return sum(map(len, self._dropped.values())) + sum(loss.count for loss in self._again)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.generated, len(self.pending), self.receipted, self.rejected, self.declared_lost, self.undeclared)

    @property
    def oldest_by_boot(self) -> list[tuple[int, int]]:
        """(boot, lowest seq no receipt has settled), for each boot that has one; the latest boot last."""
        lowest = {boot: queue[0].seq for boot, queue in self._by_boot.items() if queue}
        for boot, seqs in self._dropped.items():
            # Below the lowest the gateway may believe that all was receipted: not true of what is not declared yet.
            lowest[boot] = min(min(seqs), lowest.get(boot, 2**32))
        return list(lowest.items())

    @property
    def full(self) -> bool:
        return len(self.pending) >= self.capacity

    def put(self, record: Record) -> list[Record]:
        """Keep a new record, and return what no longer fits: it is dropped and waits to be declared."""
        self.generated += 1
        self.pending[record.identity] = record
        self._by_boot.setdefault(record.boot, deque()).append(record)
        self._by_lane[record.lane].append(record)
        dropped = []
        while len(self.pending) > self.capacity and (oldest := self.oldest()):
            self.drop(oldest)
            dropped.append(oldest)
        return dropped

    def oldest(self, lanes: Sequence[Lane] = (Lane.DATA, Lane.LOSS, Lane.EVENT)) -> Record | None:
        """What would be dropped next, of these lanes."""
        for lane in lanes:
            queue = self._by_lane[lane]
            while queue and queue[0].gone:
                queue.popleft()
            if queue:
                return queue[0]
        return None

    def drop(self, record: Record) -> None:
        """Let go of a record nobody has confirmed; its number waits to be declared, and what it declared is open again."""
        self._remove(record)
        self._dropped.setdefault(record.boot, set()).add(record.seq)
        self._again += record.losses
        self.declared_lost -= sum(loss.count for loss in record.losses)

    def free_upto(self, boot: int, upto: int) -> int:
        """A receipt's watermark: everything of `boot` with seq <= upto is held. Returns how many were freed."""
        freed = 0
        queue = self._by_boot.get(boot)
        while queue and (queue[0].gone or queue[0].seq <= upto):
            record = queue.popleft()
            if not record.gone:
                self._remove(record)
                freed += 1
        if queue is not None and not queue:
            del self._by_boot[boot]
        if held := {seq for seq in self._dropped.get(boot, ()) if seq <= upto}:
            # Dropped here, never declared, yet the gateway passed them: it had stored them before.
            self._forget_drop(boot, held)
            freed += len(held)
        self.receipted += freed
        return freed

    def free(self, boot: int, seqs: Iterable[int], *, rejected: bool = False) -> int:
        """Records named one by one: events that are held, or messages that can never be accepted. Returns how many."""
        freed = 0
        for seq in seqs:
            record = self.pending.get((boot, seq))
            if record is not None:
                self._remove(record)
                freed += 1
            elif seq in self._dropped.get(boot, ()):
                self._forget_drop(boot, {seq})
                freed += 1
        if rejected:
            self.rejected += freed
        else:
            self.receipted += freed
        return freed

    def take_losses(self) -> tuple[Loss, ...]:
        """Ranges to declare in one message, which the caller now puts; the rest waits for the next."""
        losses = self._again[:LOSSES_A_MESSAGE]
        del self._again[: len(losses)]
        for boot in list(self._dropped):
            for loss in list(_ranges(boot, self._dropped[boot]))[: LOSSES_A_MESSAGE - len(losses)]:
                self._forget_drop(boot, set(range(loss.first, loss.last + 1)))
                losses.append(loss)
        self.declared_lost += sum(loss.count for loss in losses)
        return tuple(losses)

    def _remove(self, record: Record) -> None:
        record.gone = True
        del self.pending[record.identity]
        # Freed in order almost always: keeps the queues as short as what is pending.
        for queue in (self._by_lane[record.lane], self._by_boot.get(record.boot)):
            while queue and queue[0].gone:
                queue.popleft()

    def _forget_drop(self, boot: int, seqs: set[int]) -> None:
        left = self._dropped[boot] - seqs
        if left:
            self._dropped[boot] = left
        else:
            del self._dropped[boot]


def _ranges(boot: int, seqs: set[int]) -> Iterator[Loss]:
    """Numbers as ranges without holes, ascending."""
    ordered = sorted(seqs)
    first = 0
    for index, seq in enumerate(ordered):
        if index + 1 == len(ordered) or ordered[index + 1] != seq + 1:
            yield Loss(boot, ordered[first], seq)
            first = index + 1
