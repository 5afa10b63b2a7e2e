"""Ours beside the usual script and Telegraf, interleaved: `python -m tests.bench [--quick] [--write docs/performance.md]`.

`INFLUXD2` names InfluxDB 2's influxd (else VictoriaMetrics is the database), `TELEGRAF` Telegraf (else it is left out).
"""

import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import track

from operations.mosquitto import find_mosquitto
from tests.bench import backlog, processes, report, throughput
from tests.bench.consumers import Consumer, Kanhu, Telegraf, UsualScript
from tests.bench.report import Case
from tests.databases import find

BEGIN: Final = "<!-- measured: written by `make bench`, do not edit -->"
END: Final = "<!-- end of measured -->"
_PACK: Final = 20
out = Console(width=None if os.isatty(1) else 180)


def main(
    messages: Annotated[int, typer.Option(help="in each run; packs are a tenth of it")] = 100_000,
    repeats: Annotated[int, typer.Option(min=1, help="runs of each case, interleaved")] = 3,
    waiting: Annotated[int, typer.Option(help="readings in the outbox for the measure of memory")] = 1_000_000,
    quick: Annotated[bool, typer.Option("--quick", help="one short run of each, no backlog: to see that it works")] = False,
    write: Annotated[Path | None, typer.Option(help="put the tables between the marks of this Markdown file")] = None,
) -> None:
    """Measure, print, and write if asked."""
    if quick:
        messages, repeats = min(messages, 20_000), 1
    telegraf = os.environ.get("TELEGRAF")
    if telegraf is None:
        out.print("[yellow]Telegraf is left out: name its program in TELEGRAF.[/yellow]")
    consumers: list[tuple[Consumer, int]] = [(Kanhu(), 1), (UsualScript(), 1)]
    if telegraf is not None:
        consumers += [(Telegraf(telegraf), 1), (Telegraf(telegraf, "senml"), 1)]
    consumers.append((Kanhu(), _PACK))
    folder = Path(tempfile.mkdtemp(prefix="kanhu-bench-"))
    try:
        cases = _measure(consumers, messages, repeats, folder)
        table = report.rows(cases)
        out.print(report.screen(table))
        lines = report.ratios(cases[0], cases[1:3])
        if not quick:
            lines += report.told(backlog.memory(folder / "memory", waiting), backlog.sos(folder / "sos", 100_000))
        for line in lines:
            out.print(f"- {line}")
        if write is not None:
            _write(write, "\n\n".join([_about(messages, repeats, telegraf), report.markdown(table), _list(lines)]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(consumers: list[tuple[Consumer, int]], messages: int, repeats: int, folder: Path) -> list[Case]:
    cases = []
    for consumer, instants in consumers:
        load = throughput.make_load(consumer.speaks, 1, instants)
        cases.append(Case(consumer.name, load.message_bytes, instants, []))
    turns = [(repeat, number) for repeat in range(repeats) for number in range(len(consumers))]
    for repeat, number in track(turns, "measuring", console=out, transient=True):
        consumer, instants = consumers[number]
        load = throughput.make_load(consumer.speaks, messages if instants == 1 else messages // 10, instants)
        place = folder / f"{repeat}-{number}"
        cases[number].runs.append(throughput.run(consumer, load, place))
        shutil.rmtree(place)
    return cases


def _about(messages: int, repeats: int, telegraf: str | None) -> str:
    database = os.environ.get("INFLUXD2") or find("victoria-metrics", "victoria-metrics")
    argument = "version" if "influxd" in database else "--version"
    broker = processes.version(*find_mosquitto().argv, "-h")
    programs = [broker, processes.version(database, argument).partition(" (")[0]] + (
        [processes.version(telegraf, "--version")] if telegraf else []
    )
    today = datetime.now(UTC).date().isoformat()
    return (
        f"{today}, {processes.host()}; {'; '.join(programs)}. {messages:,} messages a run (packs: {messages // 10:,}),"
        f" {repeats} runs of each, interleaved; median and range."
    )


def _list(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _write(file: Path, measured: str) -> None:
    """Replace what is between the marks; the words around it are people's."""
    page = file.read_text(encoding="utf-8") if file.exists() else f"# Performance\n\n{BEGIN}\n{END}\n"
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    assert pattern.search(page), f"{file} has no {BEGIN}"
    file.write_text(pattern.sub(lambda _: f"{BEGIN}\n{measured}\n{END}", page), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
