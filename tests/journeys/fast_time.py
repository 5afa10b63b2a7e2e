"""A gateway on a clock of ours: hours pass in seconds, and slower again where something is to be looked at.

It is the real program in a process of its own, which can be killed; broker, database, disk and the telephones of the people
know nothing of it. What is replaced is the clock: the name `time` in the gateway's modules and the clock of its event loop.
"""

import asyncio
import json
import selectors
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from tests.servers import eventually
from tests.spine import GatewayProcess

SECOND: Final = 1_000_000_000
_BEGIN_S: Final = 1000.0  # of the fast monotonic clock


class FastClock:
    """`rate` seconds pass in one; wall clock and monotonic clock alike, the same in every process that reads the file.

    Args:
        file: where the clock is kept.
        start_ns: wall clock at its beginning, ns since 1970; None: it is there already.
    """

    def __init__(self, file: Path, start_ns: int | None = None, rate: float = 1.0) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._seen = (0, 0)
        self._start_ns, self._real_s, self._fast_s, self._rate = 0, 0.0, 0.0, 1.0
        if start_ns is not None:
            self._write(start_ns, time.monotonic(), _BEGIN_S, rate)
        self._read()

    @property
    def rate(self) -> float:
        self._read()
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        now_s = self.monotonic()
        self._write(self._start_ns, time.monotonic(), now_s, rate)

    def monotonic(self) -> float:
        self._read()
        with self._lock:
            return self._fast_s + (time.monotonic() - self._real_s) * self._rate

    def monotonic_ns(self) -> int:
        return round(self.monotonic() * SECOND)

    def time_ns(self) -> int:
        return self._start_ns + round((self.monotonic() - _BEGIN_S) * SECOND)

    def time(self) -> float:
        return self.time_ns() / SECOND

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

    def install(self) -> None:
        """The gateway's modules see this clock instead of the machine's; for the rest of this process."""
        mine = SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
        mine.time, mine.time_ns, mine.monotonic, mine.monotonic_ns = self.time, self.time_ns, self.monotonic, self.monotonic_ns
        for name, module in list(sys.modules.items()):
            if name.startswith("edge_gateway.") and module.__dict__.get("time") is time:
                module.__dict__["time"] = mine

    def _write(self, start_ns: int, real_s: float, fast_s: float, rate: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps([start_ns, real_s, fast_s, rate]))
        new.replace(self._file)

    def _read(self) -> None:
        file = self._file.stat()
        seen = file.st_mtime_ns, file.st_ino
        if seen != self._seen:
            with self._lock:
                self._start_ns, self._real_s, self._fast_s, self._rate = json.loads(self._file.read_text())
                self._seen = seen


class FastGateway(GatewayProcess):
    """`kanhu gateway` on `clock`."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], registry_text: str, clock: Path) -> None:
        super().__init__(folder, settings, registry_text)
        self.program = ["-m", "tests.journeys.fast_time", str(self.settings_file), str(clock)]

    def wait_until_ready(self, within_s: float = 60.0) -> None:
        super().wait_until_ready(within_s)

    def ask(self, command: str, **arguments: Any) -> Any:
        """A command, once the gateway takes commands."""
        eventually(self.socket.exists, 30, "the gateway's socket")
        return self.call(command, **arguments)


class _Selector(selectors.DefaultSelector):
    """Waits as long as the fast clock says."""

    clock: FastClock

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self.clock.rate if timeout is not None and timeout > 0 else timeout)


def main(settings_file: Path, clock_file: Path) -> None:
    """What `kanhu gateway` does, on the fast clock."""
    import logging

    from edge_gateway.service import Gateway
    from edge_gateway.settings import load
    from ingest.rollup_keeper import with_rollups
    from ingest.sinks import open_sink

    logging.basicConfig(level="INFO", format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    clock = FastClock(clock_file)
    clock.install()
    settings = load(settings_file)
    selector = _Selector()
    selector.clock = clock
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = clock.monotonic  # type: ignore[method-assign]
    asyncio.set_event_loop(loop)

    async def live() -> None:
        import signal

        gateway = Gateway(settings, with_rollups(settings, open_sink(settings)), clock.time_ns)
        loop.add_signal_handler(signal.SIGTERM, gateway.stop)
        await gateway.run()

    loop.run_until_complete(live())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
