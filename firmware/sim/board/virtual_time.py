"""The board's clock: the machine's monotonic clock plus what was jumped over, and what is to happen when."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_LONG_MS: Final = 1 << 40
# A device that computes for ever asks for nothing; its watchdog still has to bite.
_LOOK_S: Final = 0.05


def machine_ms() -> int:
    """What MicroPython's own `ticks_ms` shows on this machine."""
    return time.monotonic_ns() // 1_000_000


@dataclass(order=True)
class Event:
    """Something that happens at `at_ms` of the board's clock."""

    at_ms: int
    number: int
    action: Callable[[], object] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


class VirtualTime:
    """Milliseconds since the board was made. All methods may be called from any thread.

    In mode real it only runs. In mode virtual the device may jump forward, but never over a scheduled event, nor past
    `limit`, which the test moves.

    Attributes:
        lock: guards everything of the board.
        offset: what the device has jumped over so far.
        idle: nobody computes (asleep, halted, off), so the time may be moved here.
        busy: asked before each jump; while it is true (the world has work to do) no time is jumped over.
        unheard: as `busy`, for a bell that the firmware is about to hear.
        catch_up: called before that, so that what the firmware printed is known when a goal is judged.
        ticks_at_zero: the machine's clock when the board's was 0.
    """

    def __init__(self, virtual: bool, lease_ms: int = 10_000) -> None:
        self.virtual = virtual
        self.lock = threading.RLock()
        self.offset = 0
        self.idle = True
        self.busy: Callable[[], bool] = lambda: False
        self.unheard: Callable[[], bool] = lambda: False
        self.catch_up: Callable[[], object] = lambda: None
        self._lease_ms = lease_ms
        self.ticks_at_zero = self._zero = machine_ms()
        self._within: int | None = None
        self._limit = 0
        self._goal: Callable[[], object] | None = None
        self._events: list[Event] = []
        self._numbers = itertools.count()
        self._sooner = threading.Condition(self.lock)
        self._reached = threading.Condition(self.lock)
        self._closed = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="board-time", daemon=True)
        self._thread.start()

    def now(self) -> int:
        """ms; within an event the time it was scheduled for."""
        within = self._within
        return machine_ms() - self._zero + self.offset if within is None else within

    def at(self, at_ms: int, action: Callable[[], object]) -> Event:
        """Do something at a time; at once, in another thread, if it is past."""
        with self.lock:
            event = Event(at_ms, next(self._numbers), action)
            heapq.heappush(self._events, event)
            if self._events[0] is event:
                self._sooner.notify()
            return event

    def after(self, ms: int, action: Callable[[], object]) -> Event:
        """Do something `ms` from now."""
        return self.at(self.now() + ms, action)

    def fail(self, error: BaseException) -> None:
        """Something in the simulation broke: whoever waits for the time hears of it."""
        self._failure = error
        with self.lock:
            self._reached.notify_all()

    def cancel(self, event: Event | None) -> None:
        if event is not None:
            event.cancelled = True

    def heard(self, offset: int) -> None:
        """The device says how far it has jumped; what is due by that happens now. Called with the lock."""
        if offset > self.offset:
            self.offset = offset
        if self._events and self._events[0].at_ms <= self.now():
            self._run_due()

    def advance(self, ms: int) -> tuple[int, int, int]:
        """The device has nothing to do for `ms`. Called with the lock.

        Returns:
            its new offset; up to when (machine ms + offset) it may jump without asking; real ms to wait before it asks again.
        """
        self.catch_up()
        self._check_goal()
        if not self.virtual or self.busy():
            return self.offset, 0, 2
        if self.unheard():
            return self.offset, 0, 1
        now = self.now()
        upto = min(now + ms, self._next_ms(), self._limit)
        if upto > now:
            self.offset += upto - now
            self._run_due()
            return self.offset, self._horizon(), 0
        return self.offset, 0, 0 if now < self._limit else 10

    def run_until(self, at_ms: int, real_s: float) -> None:
        """Let the time go on to `at_ms`, and no further.

        Raises:
            TimeoutError: not within `real_s` seconds of the machine's time.
        """
        self._let_run(at_ms, None, real_s)

    def wait_for(self, goal: Callable[[], object], within_ms: int, real_s: float) -> bool:
        """Let the time go on until `goal()` holds, at most `within_ms`; whether it does. It is called in other threads."""
        return self._let_run(self.now() + within_ms, goal, real_s)

    def close(self) -> None:
        with self.lock:
            self._closed = True
            self._sooner.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(10)

    def _let_run(self, at_ms: int, goal: Callable[[], object] | None, real_s: float) -> bool:
        ends = time.monotonic() + real_s
        with self.lock:
            self._goal, self._limit = goal, at_ms
            self._sooner.notify()
            try:
                while True:
                    self._check_goal()
                    if self._failure is not None:
                        failure, self._failure = self._failure, None
                        raise failure
                    if goal is not None and self._goal is None:
                        return True
                    if self.now() >= at_ms:
                        return goal is None
                    if time.monotonic() > ends:
                        raise TimeoutError(f"the board is at {self.now()} ms of {at_ms} after {real_s} s")
                    self._reached.wait(0.005)
            finally:
                self._goal, self._limit = None, self.now()

    def _check_goal(self) -> None:
        if self._goal is not None:
            try:
                reached = self._goal()
            except BaseException as error:
                self._failure, reached = error, True
            if reached:
                self._goal, self._limit = None, self.now()
                self._reached.notify_all()

    def _next_ms(self) -> int:
        while self._events and self._events[0].cancelled:
            heapq.heappop(self._events)
        return self._events[0].at_ms if self._events else _LONG_MS

    def _horizon(self) -> int:
        if self._goal is not None:
            return 0
        return min(self._next_ms(), self._limit, self.now() + self._lease_ms) + self._zero

    def _run_due(self) -> None:
        while self._within is None and self._next_ms() <= self.now():
            event = heapq.heappop(self._events)
            self._within = event.at_ms
            try:
                event.action()
            except BaseException as error:
                self.fail(error)
            finally:
                self._within = None

    def _run(self) -> None:
        """The thread that does what is due while the device does not ask."""
        with self.lock:
            while not self._closed:
                self._run_due()
                wait_s = max(0.0, min((self._next_ms() - self.now()) / 1000, _LOOK_S if self.virtual else 1.0))
                if self.idle and self.virtual:
                    wait_s = min(wait_s, self.advance(_LONG_MS)[2] / 1000)
                self._sooner.wait(wait_s)
