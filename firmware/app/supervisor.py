"""Keeps the device's tasks alive: each beats, is started again when it ends, and the watchdog is fed only while all beat."""

import asyncio

from app import ticks
from app.log import Trouble, log

LIMIT_S = 90  # without a beat for so long a task hangs
_LOOK_MS = 1000  # while a task is down, and
_CALM_MS = 5000  # while all is well
_FIRST_WAIT_MS = 1000
_LONGEST_WAIT_MS = 60_000
# A task that ran so long without failing is well; before that its failures add up.
_WELL_MS = 120_000
# Failures in a row after which only a reset is left: about eight minutes of trying.
_MOST_FAILURES = 12


class _Task:
    def __init__(self, name, make, limit_ms) -> None:
        self.name = name
        self.make = make
        self.limit_ms = limit_ms
        self.running = None
        self.hung = False
        self.beaten = self.started = 0  # ticks
        self.due: int | None = None  # ticks at which it is started again
        self.failures = 0  # in a row
        self.trouble = Trouble(name)

    def beat(self) -> None:
        self.beaten = ticks.now()


class Supervisor:
    """Runs named tasks for ever.

    Args:
        wdt: has `feed()`; None on the work bench.
        give_up: called with a reason when a task fails and fails; it resets the device. `patience` doubles how often that
            takes, for a reset that did not help must not become a habit: an SOS button works also beside a broken sensor.
    """

    def __init__(self, wdt=None, give_up=None, patience: int = 0) -> None:
        self._wdt = wdt
        self._give_up = give_up
        self._most = _MOST_FAILURES << min(patience, 5)
        self._tasks = []
        self._jobs = []
        self.restarts = 0

    def add(self, name: str, make, limit_s: int = LIMIT_S) -> None:
        """A task for ever: `make(beat)` is a coroutine that calls `beat()` at least every `limit_s` seconds."""
        self._tasks.append(_Task(name, make, limit_s * 1000))

    def once(self, name: str, coroutine) -> None:
        """A job that ends, beside the tasks; what it raises is logged."""

        async def job():
            try:
                await coroutine
            except Exception as error:
                log("error", "%s: %s" % (name, _said(error)))
            finally:
                self._jobs.remove(task)

        task = asyncio.create_task(job())
        self._jobs.append(task)

    async def run(self) -> None:
        """Start everything and watch over it; never ends."""
        while True:
            await asyncio.sleep_ms(_CALM_MS if self.look() else _LOOK_MS)

    def look(self) -> bool:
        """One round: start what is due, end what hangs, feed the watchdog if all is alive. True: all is well."""
        now = ticks.now()
        alive = True
        for task in self._tasks:
            if task.running is None:
                if task.due is None or ticks.since(task.due, now) >= 0:
                    self._start(task, now)
            elif ticks.since(task.beaten, now) > task.limit_ms:
                # If the cancelling is swallowed the beat stays old, and the watchdog does the rest.
                alive = False
                task.hung = True
                task.running.cancel()
            elif task.failures and ticks.since(task.started, now) > _WELL_MS:
                task.failures = 0
                task.trouble.set()
        if alive and self._wdt is not None:
            self._wdt.feed()
        return alive and all(task.running is not None for task in self._tasks)

    def _start(self, task, now) -> None:
        if task.due is not None:
            self.restarts += 1
        task.started = now
        task.hung = False
        task.beat()
        task.running = asyncio.create_task(self._live(task))

    async def _live(self, task) -> None:
        reason = "ended"
        try:
            await task.make(task.beat)
        except asyncio.CancelledError:
            if not task.hung:
                raise  # everything ends
            reason = "hung for more than %d s" % (task.limit_ms // 1000)
        except Exception as error:
            reason = _said(error)
        finally:
            task.running = None
        now = ticks.now()
        if ticks.since(task.started, now) > _WELL_MS:
            task.failures = 0
        wait_ms = min(_FIRST_WAIT_MS << min(task.failures, 6), _LONGEST_WAIT_MS)
        task.failures += 1
        task.due = ticks.after(now, wait_ms)
        task.trouble.set(reason)
        if task.failures >= self._most and self._give_up is not None:
            self._give_up("%s: %s" % (task.name, reason))


def _said(error) -> str:
    return "%s: %s" % (type(error).__name__, error)
