"""The ledger in the running gateway: takes taps from the queue, keeps the time, tells rules and database. Its own thread.

Nothing on the way of a message waits for it. While it cannot work the trouble `visits` says why, and taps stay in the queue.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from edge_gateway.errors import KanhuError, Unavailable
from edge_gateway.rules import missed_visit
from edge_gateway.transaction import TapRow
from edge_gateway.visits import codec
from edge_gateway.visits.actions import Actions
from edge_gateway.visits.ledger import Ledger, Taken
from edge_gateway.visits.reader_talk import ReaderTalk
from edge_gateway.visits.records import Tap
from edge_gateway.visits.rounds import Heard, Rounds
from edge_gateway.visits.visit_book import Touched, is_reader

if TYPE_CHECKING:
    from edge_gateway.registry import Registry
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

T = TypeVar("T")

_ROUND_S: Final = 1.0
_CLOCK_S: Final = 60.0  # between two looks for slots that are due
_AGAIN_S: Final = 5.0  # between two tries when the ledger cannot be used
_SKIPPED: Final = 10_000
_TELL: Final = 200  # changes handed to the outbox at once
_FRESH_NS: Final = 60 * 10**9  # a reader's word about its outbox older than this says nothing of now


class Parts:
    """What works on one opened ledger."""

    def __init__(self, gateway: "Gateway") -> None:
        s = gateway.settings
        known = gateway.pipeline.registry
        self.ledger = Ledger(s.visits_file, s.visits_key_file, known, s.visits, gateway.clock_ns, s.console.desk_readers)
        try:
            self.rounds = Rounds(self.ledger, known, s.visits.silence_s, s.visits.alert_days)
            self.actions = Actions(self.ledger)
        except sqlite3.Error as error:
            self.ledger.close()
            raise self.ledger.book.failed(error) from error
        except BaseException:
            self.ledger.close()
            raise

    def expect(self, registry: "Registry") -> None:
        """A changed registry."""
        self.ledger.expect(registry)
        self.rounds.expect(registry)


class VisitDesk:
    """Belongs to one gateway; everything but the jobs of `in_thread` runs in the event loop.

    Attributes:
        readers: what is said to readers.
        taps_judged, decide_s_last: since the start, and how long the last batch took.
    """

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="visits")
        self._parts: Parts | None = None
        self._woken = asyncio.Event()
        self._raised: set[tuple[str, str]] = set()
        self._seen_anew = True
        self._clock_at = 0.0
        self._pending: list[Touched] = []
        self._pending_upto_ns = 0
        self._caught_up = True
        self._registry = gateway.pipeline.registry
        self.readers = ReaderTalk(gateway, self)
        self._told_upto = 0
        self.taps_judged = 0
        self.decide_s_last = 0.0

    # --- asked by others

    def wake(self) -> None:
        """There may be taps in the queue."""
        self._woken.set()

    async def do(self, job: Callable[[Parts], T]) -> T:
        """Run a job of a command on the ledger, between two batches.

        Raises:
            Unavailable: the ledger cannot be used now. What the job raises.
        """
        if not self._gateway.settings.visits.enabled:
            raise Unavailable("visits are switched off; set visits.enabled")
        parts = self._parts
        if parts is None:
            raise Unavailable(
                f"the ledger of visits cannot be used: {self._gateway.troubles.now.get('visits', 'it is starting')}"
            )
        try:
            found = await self.in_thread(lambda: _guarded(parts, job))
        finally:
            self._seen_anew = True
            self.wake()
        return found

    async def tell_revoked(self) -> None:
        """A card was revoked, or is in use again: readers are to know."""
        if self._parts is not None:
            await self.readers.tell_revoked(self._parts)

    async def receive(self, tap: Tap) -> None:
        """Take in a tap that came by no reader; it is on disk when this returns.

        Raises:
            Unavailable: it could not be saved.
        """
        g = self._gateway
        if g.committer.halted:
            raise Unavailable("the store cannot be used now")
        g.pipeline.work.taps.append(tap)
        await g.committer.settle()
        self.wake()

    # --- the loop

    async def run(self) -> None:
        """Until it is cancelled; never ends by itself."""
        if not self._gateway.settings.visits.enabled:
            await asyncio.Event().wait()
        while True:
            try:
                if not await self.work():
                    await self._rest()
            except KanhuError as error:
                await self._fail(str(error))
            except Exception as error:
                if "visits" not in self._gateway.troubles.now:  # it will be tried again and again
                    log.exception("the ledger of visits")
                await self._fail(f"{type(error).__name__}; see the log")

    async def close(self) -> None:
        """Give the file back; a job under way ends first."""
        parts, self._parts = self._parts, None
        if parts is not None:
            await self.in_thread(parts.ledger.close)
        self._thread.shutdown(wait=False)

    async def _fail(self, why: str) -> None:
        self._gateway.troubles.set("visits", f"{why}; taps wait in the queue")
        self._gateway.desk.see(None)
        await self._shut()
        await asyncio.sleep(_AGAIN_S)

    async def _shut(self) -> None:
        """Open it anew the next time: what failed may have left something half done in memory."""
        parts, self._parts = self._parts, None
        self._pending.clear()
        self._clock_at = 0.0
        if parts is not None:
            await self.in_thread(parts.ledger.close)

    async def work(self) -> bool:
        """One portion of everything that there is to do now; whether there is more.

        Raises:
            Unavailable, Misconfigured: the ledger cannot be used; nothing is lost.
        """
        parts = self._parts
        if parts is None:
            parts = self._parts = await self.in_thread(lambda: Parts(self._gateway))
            self._registry = self._gateway.pipeline.registry
            self._seen_anew = True
            await self.readers.opened(parts)
        self._woken.clear()
        if self._registry is not self._gateway.pipeline.registry:
            self._registry = known = self._gateway.pipeline.registry
            await self.in_thread(lambda: parts.expect(known))
        busy = await self._take(parts)
        busy = await self.readers.note(parts) or busy
        busy = await self._keep_time(parts) or busy
        busy = await self._tell(parts) or busy
        await self._see(parts)
        self._gateway.troubles.set("visits", "")
        return busy

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROUND_S):
                await self._woken.wait()

    async def _take(self, parts: Parts) -> bool:
        """One batch from the queue; whether there was one."""
        g = self._gateway
        if g.committer.halted or not g.store.taps_queued:
            return False
        rows: list[TapRow] = await g.in_store(lambda: g.store.taps(g.settings.visits.batch))
        if not rows:
            return False
        taps, damaged = _unpacked(rows)
        began = time.monotonic()
        taken: Taken = await self.in_thread(lambda: _guarded(parts, lambda p: p.ledger.take(taps)))
        self.decide_s_last = time.monotonic() - began
        self.taps_judged += len(taken.judged)
        counters = taken.counters() | ({"entries_damaged": damaged} if damaged else {})
        await self.readers.ask(taken.judged, parts)
        # Only now: whatever happens before comes again, and changes nothing then.
        await g.in_store(lambda: g.store.forget_taps([row.id for row in rows], counters))
        self._seen_anew = self._seen_anew or bool(taken.visits)
        return True

    async def _keep_time(self, parts: Parts) -> bool:
        """Readers once a second; slots that are due once a minute, some places at a time."""
        g = self._gateway
        now_ns, listening = g.clock_ns(), g.connected() and not g.full
        heard = self._heard(now_ns)
        changed = await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.readers(heard, now_ns, listening)))
        if not self._pending and time.monotonic() >= self._clock_at:
            self._clock_at = time.monotonic() + _CLOCK_S
            self._pending_upto_ns = now_ns
            self._pending = await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.due(now_ns)))
            self._caught_up = False
        if self._pending:
            portion = self._pending.pop(0)
            changed += await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.derive(portion, g.clock_ns())))
        if not self._pending and not self._caught_up:
            await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.passed(self._pending_upto_ns)))
            self._caught_up = self._seen_anew = True  # what is to be told may be due by now although nothing changed
        self._seen_anew = self._seen_anew or bool(changed)
        return bool(self._pending)

    def _heard(self, now_ns: int) -> list[Heard]:
        """The readers as the pipeline knows them; only they, so that 20,000 homes cost nothing."""
        found = []
        for key, device in self._registry.devices.items():
            if not device.place or not is_reader(device.model, device.measures):
                continue
            known = self._gateway.pipeline.states.get(key)
            if known is None or not known.heard_ns:
                continue
            boot = known.boots[-1] if known.boots else None
            latest = known.latest.get("outbox_records")
            fresh = latest is not None and isinstance(latest.value, float) and now_ns - latest.time_ns < _FRESH_NS
            waiting = int(latest.value) if fresh and latest is not None and isinstance(latest.value, float) else None
            gapless = boot is not None and not boot.ahead
            found.append(Heard(*key, known.heard_ns, boot.boot if boot else None, waiting, gapless))
        return found

    async def _tell(self, parts: Parts) -> bool:
        """Hand changes to the outbox; those that it may have already are handed over again after a crash."""
        g = self._gateway
        if g.committer.halted:
            return False
        upto, entries = await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.untold(_TELL)))
        if not entries:
            if upto - self._told_upto > _SKIPPED:  # so much that concerns nobody need not be looked through again
                self._told_upto = upto
                await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.told(upto)))
            return False
        if g.committer.halted:  # meanwhile
            return False
        g.pipeline.work.events += entries
        await g.committer.settle()
        await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.told(upto)))
        return len(entries) >= _TELL

    async def _see(self, parts: Parts) -> None:
        """Let the rules know, when something changed or an alert was raised."""
        g = self._gateway
        open_ = {found for key in g.desk.book.open_keys if (found := missed_visit.visit_of(key))}
        if open_ == self._raised and not self._seen_anew:
            return
        if not open_ <= self._raised:
            # The ledger notes whom it has told of; an alert that could not be saved would be told to nobody, and never again.
            if g.committer.halted:
                return
            await g.committer.settle()
        raised, self._seen_anew = open_, False
        seen = await self.in_thread(lambda: _guarded(parts, lambda p: p.rounds.seen(g.clock_ns(), raised)))
        self._raised = raised
        g.desk.see(seen)

    async def in_thread(self, job: Callable[[], T]) -> T:
        """Run something where the ledger lives."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)


def _guarded(parts: Parts, job: Callable[[Parts], T]) -> T:
    """An error of the disk while reading too becomes what the caller knows."""
    try:
        return job(parts)
    except sqlite3.Error as error:
        raise parts.ledger.book.failed(error) from error


def _unpacked(rows: list[TapRow]) -> tuple[list[Tap], int]:
    """The taps of intact rows, and how many are not."""
    taps: list[Tap] = []
    for row in rows:
        try:
            if row.intact:
                taps.append(codec.unpack_tap(row.body))
        except msgspec.MsgspecError as error:
            log.error("a tap in the queue cannot be read: %s", type(error).__name__)
    return taps, len(rows) - len(taps)
