"""A real gateway on a clock of ours: hours pass in seconds, and slower again where something is to be looked at.

Broker, database, disk and the web server of the people are real and know nothing of it. What is replaced is the clock: the name
`time` in the gateway's modules and the clock of its event loop.
"""

import asyncio
import selectors
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from edge_gateway.service import Gateway
from edge_gateway.settings import Settings
from ingest.rollup_keeper import with_rollups
from ingest.sinks import open_sink
from tests.servers import eventually

SECOND = 1_000_000_000


class FastClock:
    """`rate` seconds pass in one; wall clock and monotonic clock alike.

    Args:
        start_ns: wall clock, ns since 1970.
    """

    def __init__(self, start_ns: int, rate: float) -> None:
        self._lock = threading.Lock()
        self._real_s, self._fast_s = time.monotonic(), 0.0
        self._start_ns = start_ns
        self._rate = rate

    @property
    def rate(self) -> float:
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        with self._lock:
            now = time.monotonic()
            self._fast_s += (now - self._real_s) * self._rate
            self._real_s, self._rate = now, rate

    def monotonic(self) -> float:
        with self._lock:
            return 1000.0 + self._fast_s + (time.monotonic() - self._real_s) * self._rate

    def monotonic_ns(self) -> int:
        return round(self.monotonic() * SECOND)

    def time_ns(self) -> int:
        return self._start_ns + round((self.monotonic() - 1000.0) * SECOND)

    def until(self, at_ns: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait for this wall-clock time."""
        while (left_s := (at_ns - self.time_ns()) / SECOND) > 0:
            meanwhile()
            time.sleep(min(0.01, left_s / self._rate))

    @contextmanager
    def slowly(self, rate: float) -> Iterator[None]:
        """Where people act: their web server and this machine's scheduling are as slow as ever."""
        before, self.rate = self.rate, rate
        try:
            yield
        finally:
            self.rate = before

    @contextmanager
    def installed(self) -> Iterator[None]:
        """The gateway's modules see this clock instead of the machine's."""
        mine = SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
        mine.time_ns, mine.monotonic, mine.monotonic_ns = self.time_ns, self.monotonic, self.monotonic_ns
        mine.time = lambda: self.time_ns() / SECOND
        patched: list[ModuleType] = []
        for name, module in list(sys.modules.items()):
            if name.startswith("edge_gateway.") and module.__dict__.get("time") is time:
                module.__dict__["time"] = mine
                patched.append(module)
        try:
            yield
        finally:
            for module in patched:
                module.__dict__["time"] = time


class _Selector(selectors.DefaultSelector):
    """Waits as long as the fast clock says."""

    clock: FastClock

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self.clock.rate if timeout is not None and timeout > 0 else timeout)


class FastGateway:
    """A gateway in a thread, on `clock`. Stop and start it again as often as needed.

    Attributes:
        gateway: the running one; its parts belong to its loop, so ask it through `do`.
    """

    def __init__(self, settings: Settings, clock: FastClock) -> None:
        self.settings = settings
        self.clock = clock
        self.gateway: Gateway
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._failed: list[BaseException] = []

    def start(self) -> None:
        selector = _Selector()
        selector.clock = self.clock
        self._loop = asyncio.SelectorEventLoop(selector)
        self._loop.time = self.clock.monotonic  # type: ignore[method-assign]
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="gateway", daemon=True)
        self._thread.start()
        eventually(lambda: ready.is_set() or self._failed, 30, "the gateway")
        assert not self._failed, self._failed
        eventually(lambda: self.gateway.connected(), 30, "both sessions")

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def live() -> None:
            self.gateway = Gateway(self.settings, with_rollups(self.settings, open_sink(self.settings)), self.clock.time_ns)
            await self.gateway.run(ready.set)

        try:
            self._loop.run_until_complete(live())
        except BaseException as error:
            self._failed.append(error)
            raise
        finally:
            self._loop.close()

    def do(self, job: Callable[[Gateway], Any]) -> Any:
        """Run something in the gateway's loop; a coroutine is awaited there."""

        async def inside() -> Any:
            found = job(self.gateway)
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(60)

    def stop(self) -> None:
        """As by SIGTERM."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._loop.call_soon_threadsafe(self.gateway.stop)
        thread.join(60)
        assert not thread.is_alive(), "the gateway did not end"
        assert not self._failed, self._failed
