"""Group commit: what arrives within some milliseconds is saved in one transaction; only then is it acknowledged and receipted.

Runs in the event loop; the transaction itself runs in the store's one thread, one at a time, so that reading goes on meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol

from edge_gateway import events, state
from edge_gateway.alerts import Changes
from edge_gateway.errors import Unavailable
from edge_gateway.pipeline import Pipeline
from edge_gateway.receipts import Receipts
from edge_gateway.store import Store
from edge_gateway.transaction import Commit, Lane
from edge_gateway.visits import codec
from edge_gateway.work import Work

log = logging.getLogger(__name__)

_BUSY = "commits are behind"


# As `Commit.homes` and `Commit.notes`.
HomeChanges = tuple[list[tuple[str, str, str, bytes]], list[tuple[str, str, int, str, str, str]]]


class Source(Protocol):
    """Where messages come from and acknowledgements go: a broker session."""

    def acknowledge(self, packet_ids: Sequence[int], generation: int) -> None:
        """Tell the broker that these are on disk."""

    def pause(self, why: str) -> None:
        """Stop reading."""

    def resume(self, why: str) -> None:
        """Read again, if nobody else has a reason."""


class Publication(Protocol):
    """One message as the broker session hands it over."""

    topic: str
    payload: bytes
    packet_id: int | None
    retain: bool


class Desk(Protocol):
    """Where alerts are."""

    def take(self) -> Changes:
        """What has to be saved now."""

    def take_homes(self) -> HomeChanges:
        """Of the homes too; asked right after `take`."""

    def saved(self) -> None:
        """It is on disk: messages may go out."""


@dataclass(slots=True)
class Acks:
    """Packet ids of one source and connection that wait for the commit."""

    source: Source
    generation: int
    packet_ids: list[int] = field(default_factory=list)


class Committer:
    """Takes messages in, lets them go after the commit.

    Args:
        clock_ns: the wall clock.
        desk: gives the alerts that changed, to be saved in the same transaction as what changed them.
        saved: called after each commit with the number of entries that are new in the outbox.
        failed: called when a commit failed and nothing of it counts; must make every source re-deliver and bring pipeline and
            desk back to what is on disk. While it could not (it raised), `halted` is set: nothing is decided and nothing
            saved, for the next commit would receipt what was never written. Whoever brought them back clears it.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        store: Store,
        thread: Executor,
        receipts: Receipts,
        clock_ns: Callable[[], int],
        commit_s: float,
        commit_messages: int,
        desk: Desk,
        saved: Callable[[int], None],
        failed: Callable[[Unavailable], None],
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._thread = thread
        self._receipts = receipts
        self._clock_ns = clock_ns
        self._commit_s = commit_s
        self._commit_messages = commit_messages
        self._desk = desk
        self._saved = saved
        self._failed = failed
        self._acks: list[Acks] = []
        self._timer: asyncio.TimerHandle | None = None
        self._running: asyncio.Task[None] | None = None
        self._paused: list[Source] = []
        self._paused_at = 0.0
        self._again = False  # something that is not a message has to be saved after the commit under way
        self.halted = False
        self.commits = self.failures = 0
        self.commit_s_last = 0.0

    def received(self, source: Source, messages: Sequence[Publication], generation: int, urgent: bool = False) -> None:
        """Decide these messages now; they are acknowledged to `source` after the commit that holds them."""
        if self.halted:
            if urgent:
                self._ring(messages)
            return  # not acknowledged: they come again
        now_ns = self._clock_ns()
        take = self._pipeline.take
        packet_ids = []
        for message in messages:
            try:
                take(message.topic, message.payload, now_ns, message.retain)
            except Exception as error:
                # A fault of ours: this message must not come again and again and stop its neighbours.
                log.exception("deciding a message of %r", message.topic[:200])
                self._pipeline.bury_unexpected(message.topic, message.payload, now_ns, error)
            if message.packet_id is not None:
                packet_ids.append(message.packet_id)
        if packet_ids:
            if self._acks and self._acks[-1].source is source and self._acks[-1].generation == generation:
                self._acks[-1].packet_ids += packet_ids
            else:
                self._acks.append(Acks(source, generation, packet_ids))
        waiting = _size(self._pipeline.work)
        if waiting >= 4 * self._commit_messages and source not in self._paused:
            source.pause(_BUSY)
            if not self._paused:
                self._paused_at = time.monotonic()
            self._paused.append(source)
        self.soon(urgent or waiting >= self._commit_messages)

    def paused_s(self) -> float:
        """For how long nothing is read because a transaction does not end; 0: it is read."""
        return time.monotonic() - self._paused_at if self._paused else 0.0

    def _ring(self, messages: Sequence[Publication]) -> None:
        """Nothing can be taken in: somebody who calls for help is heard all the same."""
        for message in messages:
            try:
                self._pipeline.ring(message.topic, message.payload, self._clock_ns())
            except Exception:
                log.exception("ringing for a message of %r", message.topic[:200])

    def soon(self, now: bool = False) -> None:
        """Make sure that a commit follows within the commit time, or at once."""
        if self._running is not None:
            self._again = self._again or now
        elif now:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._commit_s, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._running is None and not self.halted:
            self._running = asyncio.get_running_loop().create_task(self._commit())

    async def _commit(self) -> None:
        acks, self._acks = self._acks, []
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            work = self._pipeline.take_work()
            changes = self._desk.take()
            work.events += changes.entries
            commit = self._encode(work)
            commit.alerts = list(changes.alerts)
            commit.homes, commit.notes = self._desk.take_homes()
            owed = self._receipts.snapshot(work, self._pipeline)
            await loop.run_in_executor(self._thread, self._store.commit, commit)
        except Exception as error:
            if not isinstance(error, Unavailable):
                log.exception("saving")
                error = Unavailable(f"saving failed: {error!r}")
            self._acks.clear()
            self._again = False
            self._resume()
            self._running = None
            self.failures += 1
            self.halted = True
            try:
                self._failed(error)
                self.halted = False
            except Exception as fault:
                log.error("cannot go back to what is on disk, so nothing is taken in: %s", fault)
            return
        self.commits += 1
        self.commit_s_last = loop.time() - began
        self._running = None
        for ack in acks:
            ack.source.acknowledge(ack.packet_ids, ack.generation)
        self._receipts.owe(owed)
        self._desk.saved()
        self._resume()
        self._saved(len(work.data) + len(work.events))
        waiting = self._pipeline.work
        again, self._again = self._again, False
        if again or waiting.messages or waiting.events or waiting.data:
            self.soon(again or _size(waiting) >= self._commit_messages or bool(waiting.events))

    def _encode(self, work: Work) -> Commit:
        commit = Commit(dead=work.dead, undead=work.undead, held=work.held, unheld=work.unheld, counters=totals(work))
        for lane, entries in ((Lane.EVENT, work.events), (Lane.DATA, work.data)):
            if entries:
                commit.rows.append((int(lane), len(entries), self._clock_ns(), events.pack(entries)))
        commit.taps = [(codec.is_late(tap), codec.pack_tap(tap)) for tap in work.taps]
        pack = state.pack
        commit.devices = [(site, device, pack(known)) for (site, device), known in work.touched.items()]
        return commit

    def _resume(self) -> None:
        for source in self._paused:
            source.resume(_BUSY)
        self._paused.clear()

    async def settle(self) -> None:
        """Wait until what is decided now is on disk, also while more and more messages come.

        Raises:
            Unavailable: it could not be saved and is forgotten.
        """
        failures = self.failures
        for _ in range(2):  # the commit under way, and the one that takes what came during it
            self._flush()
            if self._running is not None:
                self._again = True
                await asyncio.wait([self._running])
        if self.halted or self.failures != failures:
            raise Unavailable("it could not be saved and is not done; see the gateway's log")

    async def drain(self) -> None:
        """Commit what is waiting; used at the end, when no more messages come."""
        while self._running is not None or self._pipeline.work.messages or self._pipeline.work.events or self._acks:
            self._flush()
            if self._running is None:
                return  # halted
            await asyncio.wait([self._running])


def _size(work: Work) -> int:
    """Messages, or the entries in them when those are more: a pack of a hundred instants needs the memory of a hundred."""
    return max(work.messages, len(work.data))


def totals(work: Work) -> dict[str, int]:
    """The gateway's totals: every message is stored, duplicate, held or dead."""
    counters = dict(work.counters)
    if work.messages:
        others = sum(counters.get(name, 0) for name in ("messages_duplicate", "messages_held", "messages_dead"))
        counters["messages_received"] = work.messages
        counters["messages_stored"] = work.messages - others
    if work.data or work.events:
        counters["entries_stored"] = len(work.data) + len(work.events)
    return counters
