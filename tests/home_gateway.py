"""A real gateway with its store and its command socket, in a thread, without a broker: what devices say is handed to it."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_gateway import commands
from edge_gateway.gateway_commands import handlers
from edge_gateway.service import Gateway
from edge_gateway.settings import Settings
from ingest.sinks import open_sink

SECOND = 1_000_000_000
HOUR = 3600 * SECOND


class HomeGateway:
    """One gateway on a clock that stands still until a test moves it.

    Attributes:
        now_ns: the wall clock it sees.
        visits: with the ledger of visits, where names are kept.
    """

    def __init__(self, folder: Path, registry: str, now_ns: int, visits: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / "registry.toml"
        file.write_text(registry, encoding="utf-8")
        given: dict[str, Any] = {"gateway": {"ballast_mb": 0, "metrics_port": 0}, "visits": {"enabled": visits}}
        self.settings = Settings(data_dir=folder / "var", registry=file, **given)
        self.now_ns = now_ns
        self.gateway: Gateway
        self._seq = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway", daemon=True)
        self._server: asyncio.Server | None = None
        self._visits: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(lambda: self._open())
        self.come()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.go()
        self.do(lambda: self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def data_dir(self) -> Path:
        """Where its files are."""
        return self.settings.data_dir

    def come(self) -> None:
        """It answers at its socket."""
        self._server = self.do(lambda: commands.serve(self.settings.command_socket, handlers(self.gateway)))

    def go(self) -> None:
        """It does not: as if it were stopped; what is on disk stays there."""
        server, self._server = self._server, None
        if server is not None:
            self._loop.call_soon_threadsafe(server.close)
            self.settings.command_socket.unlink(missing_ok=True)

    def call(self, command: str, **arguments: Any) -> Any:
        """As the console and the command line do."""
        return commands.call(self.settings.command_socket, command, 30.0, **arguments)

    def say(self, device: str, name: str, value: bool | float, at_ns: int | None = None, event: bool = False) -> None:
        """A device says something; it is on disk when this returns."""
        self._seq += 1
        at_ns = self.now_ns if at_ns is None else at_ns
        told = f'"vb":{str(value).lower()}' if isinstance(value, bool) else f'"v":{value}'
        record = f'[{{"boot":1,"seq":{self._seq},"clk":"ntp","bt":{at_ns / 1e9:.3f},"n":"{name}",{told}}}]'
        site, id_ = device.split("/")
        lane = "event" if event else "data"
        self.do(lambda: self._take(f"kanhu/1/{site}/{id_}/up/{lane}", record.encode()))

    def tick(self) -> None:
        """One second of the gateway: rules look, what changed is on disk."""
        self.do(lambda: self._tick())

    def do(self, work: Callable[[], Any]) -> Any:
        """Run it in the gateway's loop; a coroutine is awaited there."""

        async def inside() -> Any:
            found = work()
            return await found if asyncio.iscoroutine(found) else found

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(60)

    async def _open(self) -> None:
        self.gateway = Gateway(self.settings, open_sink(self.settings), lambda: self.now_ns)
        self.gateway.connected = lambda: True  # type: ignore[method-assign]
        self.gateway._restore()
        if self.settings.visits.enabled:
            self._visits = asyncio.create_task(self.gateway.visits.run())

    async def _take(self, topic: str, payload: bytes) -> None:
        self.gateway.pipeline.take(topic, payload, self.now_ns)
        await self.gateway.committer.settle()

    async def _tick(self) -> None:
        self.gateway.desk.tick(self.gateway.pipeline.states)
        self.gateway.desk.homes.hurry()
        await self.gateway.committer.settle()

    async def _close(self) -> None:
        if self._visits is not None:
            self._visits.cancel()
        await self.gateway.visits.close()
        await self.gateway.in_store(self.gateway.store.close)
        self.gateway.thread.shutdown(wait=True)
        self.gateway.sink.close()
