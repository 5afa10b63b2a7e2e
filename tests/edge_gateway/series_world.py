"""A real gateway with its store, on clocks that a test moves; its database is a list that can be away, its disk can fail."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_gateway.errors import Unavailable
from edge_gateway.events import Entry
from edge_gateway.service import Gateway
from edge_gateway.settings import Settings
from edge_gateway.sink import Refusal
from ingest.points import points

SECOND = 10**9
MINUTE = 60.0
NOON_NS = 1_795_233_600 * SECOND  # 2026-11-21 12:00 in Shanghai
SITES = "[sites.s]\n"

Point = dict[str, Any]


def device(name: str, **more: Any) -> str:
    """A table of the registry; silent after three minutes unless said."""
    given = {"site": "s", "id": name, "cadence_s": 60.0, "silence_s": 180.0, **more}
    return "[[devices]]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in given.items())


def _toml(value: Any) -> str:
    return repr(value).replace("'", '"') if not isinstance(value, bool) else str(value).lower()


class Base:
    """A database that keeps what it is given. Attributes: away: it takes nothing now."""

    name = "list"

    def __init__(self) -> None:
        self.away = False
        self.entries: list[Entry] = []

    def write(self, entries: Sequence[Entry]) -> list[Refusal]:
        if self.away:
            raise Unavailable("away")
        self.entries += entries
        return []

    def close(self) -> None: ...


class SeriesWorld:
    """
    Attributes:
        wall_ns, monotonic_ns: the clocks.  connected: to the broker.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *devices: str, **settings: Any) -> None:
        self.wall_ns, self.monotonic_ns = NOON_NS, 1000 * SECOND
        self.connected = True
        self.base = Base()
        self._file = folder / "registry.toml"
        self.register(*devices)
        given: dict[str, Any] = {"influx": {"url": "http://127.0.0.1:9"}, **settings}
        given["gateway"] = {"ballast_mb": 0, "metrics_port": 0, **given.get("gateway", {})}
        given.setdefault("visits", {"enabled": False})
        self.settings = Settings(data_dir=folder / "var", registry=self._file, **given)
        self._seq = 0
        self._runner = asyncio.Runner()
        mine = SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
        mine.time_ns, mine.monotonic_ns = lambda: self.wall_ns, lambda: self.monotonic_ns
        mine.time, mine.monotonic = lambda: self.wall_ns / SECOND, lambda: self.monotonic_ns / SECOND
        for name, module in list(sys.modules.items()):
            if name.startswith("edge_gateway.") and module.__dict__.get("time") is time:
                patch.setattr(module, "time", mine)
        self._open()

    def register(self, *devices: str) -> None:
        """Write the registry; a running gateway takes it up with the second `look`."""
        self._file.write_text(SITES + "".join(devices), encoding="utf-8")

    def look(self) -> None:
        """The running gateway looks at its registry until it believes what it sees."""
        for _ in range(2):
            self.gateway.housekeeping.look_at_registry()

    def _open(self) -> None:
        async def inside() -> None:
            self.gateway = Gateway(self.settings, self.base, lambda: self.wall_ns)
            self.gateway.connected = lambda: self.connected  # type: ignore[method-assign]
            self.gateway._restore()

        self._runner.run(inside())
        self.step(0)

    def kill(self) -> None:
        """As by `kill -9`: what is not on disk is gone."""
        g = self.gateway
        self._runner.run(g.in_store(g.store.close))
        g.uplink.close()
        g.thread.shutdown(wait=True)

    def restart(self, after_s: float = 0.0) -> None:
        """Killed, and `after_s` later another process begins, whose monotonic clock shares nothing with the old one's."""
        self.kill()
        self.wall_ns += round(after_s * SECOND)
        self.monotonic_ns = 77 * SECOND
        self._open()

    def close(self) -> None:
        self.kill()
        self._runner.close()

    def step(self, seconds: float) -> None:
        """So much later the gateway does what it does each second."""
        self.wall_ns += round(seconds * SECOND)
        self.monotonic_ns += round(seconds * SECOND)

        async def inside() -> None:
            g = self.gateway
            g._listen()
            g.series.tick()
            g.desk.tick(g.pipeline.states)
            await g.committer.settle()

        self._runner.run(inside())

    def say(self, name: str, *readings: tuple[str, Any], age_s: float = 0.0) -> None:
        """A device says this; it is on disk when this returns."""
        self._seq += 1
        told = ",".join(f'{{"n":"{n}",{_value(value)}}}' for n, value in readings)
        head = f'{{"boot":1,"seq":{self._seq},"clk":"ntp","bt":{self.wall_ns / SECOND - age_s:.3f}}}'
        payload = f"[{head[:-1]},{told[1:]}]".encode()

        async def inside() -> None:
            self.gateway.pipeline.take(f"kanhu/1/s/{name}/up/data", payload, self.wall_ns)
            await self.gateway.committer.settle()

        self._runner.run(inside())
        self.step(0)

    def round(self) -> dict[tuple[str, ...], Point]:
        """What one round puts into the database: (measurement, device[, channel]) -> fields, without flags."""
        before = len(self.base.entries)

        async def inside() -> None:
            await self.gateway.series.write()

        self._runner.run(inside())
        self.gateway.uplink.turn()
        return found(self.base.entries[before:])

    def run(self, work: Any) -> Any:
        """Await it in the gateway's loop."""
        return self._runner.run(work)


def _value(value: Any) -> str:
    if value is None:
        return '"v":null'
    return f'"vb":{str(value).lower()}' if isinstance(value, bool) else f'"v":{value}'


def found(entries: Sequence[Entry]) -> dict[tuple[str, ...], Point]:
    """The newest point of each series; the place is a field here."""
    series: dict[tuple[str, ...], Point] = {}
    for entry in entries:
        for point in points(entry):
            fields: Point = {where.field: one.value for where, one in zip(point.columns, point.readings, strict=True)}
            key = (point.measurement, point.device, *([point.channel] if point.channel else []))
            series.setdefault(key, {}).update(fields, place=point.place)
    return series
