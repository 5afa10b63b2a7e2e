"""How long each panel takes with a year of 200 devices in the database: `python -m tests.bench.panels [--kind influxdb2]`.

Roll-ups are written as the platform would have left them after a year of minute data (a year of days, and of hours as many as
`--hourly-days`), readings of the last day too, and a year of visits, taps, alerts and losses. Then every panel of every
dashboard is asked over a day, a month, four months and a year, everything chosen.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from dashboards.grafana import objects
from dashboards.grafana.options import Options
from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.settings import Settings
from ingest.rows import DAILY, VISIT
from ingest.setup import setup
from ingest.visit_days import STATES
from tests.bench import processes
from tests.databases import TOKEN, InfluxDB1, InfluxDB2, InfluxQLServer, find
from tests.grafana import asking
from tests.grafana.asking import Asked, Query
from tests.grafana.expand import Range

END_S: Final = 1_782_795_600  # 30 June 2026, 13:00 in Shanghai
DAY_S: Final = 86_400
SHANGHAI_S: Final = 8 * 3600
LENGTHS: Final = {"a day": 1, "a month": 30, "four months": 120, "a year": 365}
AT_ONCE: Final = 4_000_000  # characters a request
VARIANTS: Final = 16  # different values of each series
LIMIT_S: Final = 1.0
ROOMS: Final = ("bedroom", "kitchen", "living_room", "bathroom", "door")
HEALTH: Final = (
    "battery_level",
    "battery_voltage",
    "rssi",
    "memory_free",
    "uptime",
    "outbox_records",
    "restarts",
    "reconnects",
)
VISITS: Final = ("on_time",) * 20 + ("late", "missed", "unknown", "early")
WATER: Final = tuple(q.name for q in QUANTITIES.values() if q.group == "water" and q.kind is not Kind.TEXT)
out = Console(width=None if os.isatty(1) else 160)


@dataclass(frozen=True)
class Kept:
    """One series: its measurement and tags, and what it holds. `own`: written by the gateway, each minute."""

    group: str
    tags: str
    quantities: tuple[str, ...]
    summed: bool = True


def series(devices: int) -> Iterator[Kept]:
    """Half of the devices watch homes, the others rivers; every tenth has a reader beside it."""

    def of(group: str) -> tuple[str, ...]:
        return tuple(q.name for q in QUANTITIES.values() if q.group == group and q.kind is not Kind.TEXT)

    yield Kept("gateway", "device=gateway,site=kanhu", of("gateway"))
    for n in range(devices):
        if n % 2:
            site, device, place = f"river{n % 4}", f"probe-{n}", f"point-{n}"
            yield Kept("water", f"device={device},place={place},site={site}", WATER)
            yield Kept("position", f"device={device},place={place},site={site}", ("lat", "lon"))
            measured: Iterable[str] = WATER
        else:
            site, device, place = f"village{n % 4}", f"home-{n}", f"home-{n}"
            where = f"device={device},place={place},site={site}"
            yield Kept("climate", where, ("temperature", "humidity"))
            for room in ROOMS:
                yield Kept("presence", f"channel={room},{where}", ("contact",) if room == "door" else ("motion",))
            yield Kept("home", f"device=gateway,place={place},site={site}", of("home"))
            measured = ("temperature", "humidity", *(f"motion-{room}" for room in ROOMS))
        where = f"device={device},place={place},site={site}"
        yield Kept("health", where, HEALTH)
        yield Kept("fleet", where, of("fleet"))
        for name in measured:
            yield Kept("silence", f"channel={name},{where}", of("silence"), summed=False)


def rolled(kept: Kept, expected: int, chance: Random) -> list[str]:
    """Fields of a roll-up, in some variants."""
    found = []
    for _ in range(VARIANTS):
        fields = []
        for name in kept.quantities:
            value = chance.uniform(0, 30)
            fields.append(f"{name}_mean={value:.6g},{name}_min={value - 1:.6g},{name}_max={value + 1:.6g}")
            fields.append(f"{name}_count={expected - chance.randrange(3)}i,{name}_bad={chance.randrange(3)}i")
        found.append(",".join([*fields, f"expected={expected}i"]))
    return found


def read(kept: Kept, chance: Random) -> list[str]:
    """Fields of a reading."""
    flags = (1, 1, 1, 1, 1, 1, 3, 4)
    return [
        ",".join(f"{name}={chance.uniform(0, 30):.6g},{name}_flag={chance.choice(flags)}i" for name in kept.quantities)
        for _ in range(VARIANTS)
    ]


def lines(measurement: str, kept: Kept, fields: list[str], first_s: int, step_s: int) -> Iterator[str]:
    """Line protocol in whole seconds."""
    head = f"{measurement},{kept.tags} "
    for number, at_s in enumerate(range(first_s, END_S, step_s)):
        yield f"{head}{fields[number * 7 % VARIANTS]} {at_s}"


def rollups(all_series: Iterable[Kept], hourly_days: int) -> Iterator[str]:
    """A year of days, and so many days of hours."""
    chance = Random(1)
    midnight = (END_S + SHANGHAI_S) // DAY_S * DAY_S - SHANGHAI_S
    for kept in all_series:
        if kept.summed:
            yield from lines(f"{kept.group}_1d", kept, rolled(kept, 1440, chance), midnight - 365 * DAY_S, DAY_S)
            first_s = (END_S - hourly_days * DAY_S) // 3600 * 3600
            yield from lines(f"{kept.group}_1h", kept, rolled(kept, 60, chance), first_s, 3600)


def visit_days(devices: int) -> Iterator[str]:
    """A year of days of visits, two meals at each home."""
    chance = Random(3)
    midnight = (END_S + SHANGHAI_S) // DAY_S * DAY_S - SHANGHAI_S
    for n in range(0, devices, 2):
        head = f"{VISIT}{DAILY},device=gateway,kind=meal,place=home-{n},site=village{n % 4} "
        for at_s in range(midnight - 365 * DAY_S, END_S, DAY_S):
            found = Counter(chance.choice(VISITS) for _ in range(2))
            counts = ",".join(f"{state}_count={found[state]}i" for state in STATES)
            yield f"{head}{counts},reviewing_count=0i,late_s_max={chance.randrange(3600) if found['late'] else 0} {at_s}"


def readings(all_series: Iterable[Kept], devices: int) -> Iterator[str]:
    """The last day by the minute, and a year of what has no roll-up."""
    chance = Random(2)
    for kept in all_series:
        yield from lines(kept.group, kept, read(kept, chance), END_S - DAY_S, 60)
    for n in range(0, devices, 2):
        where = f"place=home-{n},site=village{n % 4}"
        for day in range(365):
            for meal, hour in (("lunch", 3), ("dinner", 9)):
                at_s = END_S - day * DAY_S - 86_400 + hour * 3600
                state = chance.choice(VISITS)
                late_s = chance.randrange(3600) if state == "late" else 0
                fields = f'visit="{meal}-{n}/{day}",state="{state}",grade="strong",person="e-{n}",courier="k-1",counted=1'
                yield f"visit,channel={meal}-{n},device=gateway,kind=meal,{where} {fields},reviewing=0,late_s={late_s} {at_s}"
                tapped = f'tap="1-{day}",tap_flag=2i,boot=1i,seq={day}i {at_s + 600}'
                yield f"event,device=reader-{n},kind=tap,{where} {tapped}"
            if chance.random() < 0.1:
                at_s = END_S - day * DAY_S - chance.randrange(DAY_S)
                for state, after_s in (("raised", 0), ("notified", 2), ("accepted", 90), ("closed", 900)):
                    told = f'alert="a-{n}-{day}",state="{state}",by="zhang",reason="",waited_s={after_s} {at_s + after_s}'
                    yield f"alert,device=home-{n},rule=sos,severity=urgent,{where} {told}"
                yield f"loss,device=home-{n},{where} lost=4,boot=1i,first=1i,last=4i {at_s}"
                yield f'status,device=home-{n},{where} online=1,boot=1i,firmware="1.2.1" {at_s}'


def write(server: InfluxQLServer, database: str, made: Iterable[str]) -> int:
    """Send lines; how many."""
    count, size, part = 0, 0, list[str]()

    def send() -> None:
        query: dict[str, object] = {"db": database, "precision": "s"}
        server.http("/write", "\n".join(part).encode(), **query)
        part.clear()

    for line in made:
        part.append(line)
        count, size = count + 1, size + len(line)
        if size >= AT_ONCE:
            send()
            size = 0
    if part:
        send()
    return count


def rest(pid: int, most_s: float = 300.0) -> None:
    """Wait until the database has put what was written into order, which would take the time of the panels."""
    ends = time.monotonic() + most_s
    while time.monotonic() < ends:
        used = processes.cpu_s(pid)
        time.sleep(3)
        if processes.cpu_s(pid) - used < 0.15:
            return


def by_panel(dashboard: Mapping[str, Any]) -> dict[str, list[Query]]:
    """All queries that one panel sends."""
    found: dict[str, list[Query]] = {}
    for query in asking.panel_queries(dashboard):
        found.setdefault(query.where.rsplit(" ", 1)[0], []).append(query)
    return found


@dataclass(frozen=True, order=True)
class Took:
    """One panel over one length: medians of wall clock and of the database's CPU, and the first time, seconds."""

    wall_s: float
    cpu_s: float
    first_s: float
    panel: str
    length: str
    rows: int


def measure(asked: Asked, pid: int, repeats: int) -> list[Took]:
    """Every panel over every length, slowest first."""
    found = []
    for placed in objects.dashboards(Options()):
        dashboard = placed.dashboard
        if not dashboard["uid"].endswith("-zh"):
            continue
        for length, days in LENGTHS.items():
            shown = Range((END_S - days * DAY_S) * 1000, END_S * 1000)
            variables = asking.set_to_all(asked, dashboard, shown)
            for panel, queries in by_panel(dashboard).items():
                wall, cpu, rows = [], [], 0
                for _ in range(repeats):
                    began, used = time.perf_counter(), processes.cpu_s(pid)
                    rows = sum(len(one.rows) for query in queries for one in asked.run(query, shown, variables))
                    wall.append(time.perf_counter() - began)
                    cpu.append(processes.cpu_s(pid) - used)
                    if wall[0] > 5 * LIMIT_S:
                        break
                found.append(Took(median(wall), median(cpu), wall[0], panel, length, rows))
    return sorted(found, reverse=True)


def main(
    devices: Annotated[int, typer.Option(help="half of them at homes, half in rivers")] = 200,
    kind: Annotated[str, typer.Option(help="influxdb1, or influxdb2 of INFLUXD2")] = "influxdb1",
    hourly_days: Annotated[int, typer.Option(help="days of hourly roll-ups; longer ranges read days")] = 130,
    repeats: Annotated[int, typer.Option(help="of each panel")] = 3,
) -> None:
    """Fill, measure, print; ends with 1 when a panel takes longer than a second on the roll-ups."""
    with tempfile.TemporaryDirectory(prefix="kanhu-panels-") as name:
        folder = Path(name)
        (folder / "server").mkdir()
        two = kind == "influxdb2"
        server: InfluxDB1 | InfluxDB2
        server = (
            InfluxDB2(folder / "server", os.environ["INFLUXD2"])
            if two
            else InfluxDB1(folder / "server", find("influxd", "influxdb"))
        )
        server.start()
        try:
            asked = _ready(server, folder)
            kept = list(series(devices))
            began = time.monotonic()
            sums = write(server, f"{asked.bucket}_rollups", chain(rollups(kept, hourly_days), visit_days(devices)))
            plain = write(server, asked.bucket, readings(kept, devices))
            out.print(f"{sums:,} roll-ups and {plain:,} other points written in {time.monotonic() - began:.0f} s ({kind})")
            rest(server.pid)
            slowest = measure(asked, server.pid, repeats)
        finally:
            server.stop()
    _show(slowest)
    if any(one.wall_s > LIMIT_S for one in slowest):
        raise typer.Exit(1)


def _ready(server: InfluxDB1 | InfluxDB2, folder: Path) -> Asked:
    if isinstance(server, InfluxDB2):
        server.set_up()
    database = server.database()
    settings = Settings(data_dir=folder, influx=database.settings(token_file=None))
    if isinstance(server, InfluxDB2):
        settings = Settings(data_dir=folder, influx=database.settings(token_file=folder / "secrets" / "influx.token"))
    setup(settings, admin_token=TOKEN if isinstance(server, InfluxDB2) else "", retention_days=0)
    return Asked(server.url, database.name, server.headers())


def _show(slowest: list[Took]) -> None:
    table = Table("median", "CPU of the database", "first", "panel", "over", "rows", show_lines=False)
    for one in slowest[:15]:
        times = (f"{seconds * 1000:.0f} ms" for seconds in (one.wall_s, one.cpu_s, one.first_s))
        table.add_row(*times, one.panel, one.length, f"{one.rows:,}")
    out.print(table)
    for length in LENGTHS:
        mine = [one.wall_s for one in slowest if one.length == length]
        out.print(f"{length}: {len(mine)} panels, median {median(mine) * 1000:.0f} ms, slowest {max(mine) * 1000:.0f} ms")


if __name__ == "__main__":
    typer.run(main)
