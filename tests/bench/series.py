"""What it costs to say each minute how silent everything is: `python -m tests.bench.series [--devices N] [--quantities N]`.

A gateway whose devices are heard or dead, and a real InfluxDB 2 (`INFLUXD2`), minute after minute of a clock that is moved. CPU
is that of this process, so a busy machine does not spoil it; bytes are those of the database's folder once
everything lies in its compacted files.
"""

import asyncio
import os
import random
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import Entry
from edge_gateway.overdue import is_measured
from edge_gateway.service import Gateway
from edge_gateway.settings import Settings
from edge_gateway.state import DeviceState, Latest
from ingest.line_protocol import lines as lines_of
from ingest.rollups import open_rollups
from ingest.sinks import open_sink
from tests.bench import processes
from tests.databases import InfluxDB2

S = 1_000_000_000
MINUTE_S = 60
STILL_S = 30.0
out = Console()


class _Small(InfluxDB2):
    """Puts what it holds into files of its final form soon, so that their size can be told."""

    def arguments(self) -> list[str]:
        cold = ("cache-snapshot-write-cold-duration", "compact-full-write-cold-duration")
        return [*super().arguments(), *[f"--storage-{name}=5s" for name in cold]]


def main(
    devices: Annotated[int, typer.Option(help="of which one in a hundred is dead")] = 1000,
    quantities: Annotated[int, typer.Option(help="of each device")] = 20,
    minutes: Annotated[int, typer.Option(help="that are written")] = 120,
) -> None:
    """Measure and print."""
    folder = Path(tempfile.mkdtemp(prefix="kanhu-bench-"))
    server = _Small(folder / "influx", os.environ["INFLUXD2"])
    server.folder.mkdir()
    server.start()
    try:
        server.set_up()
        asyncio.run(_run(folder, server, devices, quantities, minutes))
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


async def _run(folder: Path, server: _Small, devices: int, quantities: int, minutes: int) -> None:
    names = [name for name in QUANTITIES if is_measured(name)][:quantities]
    file = folder / "registry.toml"
    file.write_text(
        "[sites.s]\n"
        + "".join(
            f'[[devices]]\nsite = "s"\nid = "d{n}"\nplace = "p{n}"\ncadence_s = 60\nmeasures = {names}\n'
            for n in range(devices)
        )
    )
    database = server.database()
    now_ns = time.time_ns() // S * S - minutes * MINUTE_S * S
    settings = Settings(data_dir=folder / "var", registry=file, influx=database.settings(), gateway={"ballast_mb": 0})  # type: ignore[arg-type]
    gateway = Gateway(settings, open_rollups(settings, open_sink(settings)), lambda: now_ns)
    gateway.connected = lambda: True  # type: ignore[method-assign]
    gateway._restore()
    gateway._listen()
    dice, before = random.Random(1), _size(server.folder)
    built_s = told_s = longest_s = 0.0
    lines = size = 0
    for minute in range(minutes):
        now_ns += MINUTE_S * S
        gateway.series._listening.at_least(minute * float(MINUTE_S))
        gateway.series.tick()
        _hear(gateway, devices, names, now_ns, dice)
        began = time.thread_time()
        longest_s = max(longest_s * (minute > 1), _longest(gateway, now_ns))  # the first fills caches
        await gateway.series.write()
        built_s += time.thread_time() - began
        entries: list[Entry] = gateway.uplink._round
        if minute == 0:
            found = [line for entry in entries for line in lines_of(entry)]
            lines, size = len(found), sum(len(line) + 1 for line in found)
        began = time.process_time()
        assert gateway.uplink.turn() is None, gateway.uplink.state.trouble
        told_s += time.process_time() - began
    built_s /= 2  # `_longest` did the same once more
    _settle(server.folder)
    grown, index = _size(server.folder, ".tsm"), _size(server.folder) - _size(server.folder, ".tsm") - before
    out.print(f"{processes.host()}; {processes.version(os.environ['INFLUXD2'], 'version').partition(' (')[0]}")
    out.print(f"{devices:,} devices of {quantities} quantities: {lines:,} points, {size / 1e6:.2f} MB of lines a minute")
    out.print(f"CPU a minute: {built_s / minutes * 1e3:.0f} ms to say it, {told_s / minutes * 1e3:.0f} ms to write it")
    out.print(f"longest time without a turn for others: {longest_s * 1e3:.1f} ms")
    a_point = grown / minutes / lines
    out.print(
        f"InfluxDB 2: {grown / minutes / 1e3:.0f} kB a minute, {a_point:.1f} bytes a point; {index / 1e6:.0f} MB of index"
    )
    out.print(f"of 14 days: {grown / minutes * 14 * 1440 / 1e9:.1f} GB")
    gateway.uplink.close()
    gateway.thread.shutdown(wait=True)
    gateway.sink.close()


def _hear(gateway: Gateway, devices: int, names: list[str], now_ns: int, dice: random.Random) -> None:
    """What the minute brought, as the pipeline would have noted it."""
    states, listened_s = gateway.pipeline.states, gateway.pipeline.listened_s
    for n in range(devices):
        known = states.setdefault(("s", f"d{n}"), DeviceState("s", f"d{n}"))
        if n % 100 == 99 and known.heard_ns:
            continue
        at_ns = now_ns - dice.randrange(MINUTE_S * S)
        known.heard_ns, known.listened_s = at_ns, listened_s
        known.counters.stored += 1
        for name in names:
            known.latest[name] = Latest(at_ns, 1.0, 1, at_ns, listened_s)


def _longest(gateway: Gateway, now_ns: int) -> float:
    """CPU of the longest hundred parts of a round, after which others have their turn; the last round's state is put back."""
    series = gateway.series
    last = dict(series._last)
    longest = 0.0
    began = time.thread_time()
    for number, _ in enumerate(series._parts(now_ns, True)):
        if number % 100 == 99:
            longest, began = max(longest, time.thread_time() - began), time.thread_time()
    series._last = last
    return max(longest, time.thread_time() - began)


def _settle(folder: Path) -> None:
    """Until everything is in files of the final form, and those change no more."""
    seen: tuple[int, int] = (0, 0)
    since = time.monotonic()
    while time.monotonic() - since < STILL_S or _size(folder, ".wal") > 64 << 10:
        now = _size(folder, ".tsm"), len(list(folder.rglob("*.tsm")))
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(1.0)


def _size(folder: Path, suffix: str = "") -> int:
    found = 0
    for file in folder.rglob(f"*{suffix}"):
        with suppress(FileNotFoundError):  # put together with others meanwhile
            found += file.stat().st_size if file.is_file() else 0
    return found


if __name__ == "__main__":
    typer.run(main)
