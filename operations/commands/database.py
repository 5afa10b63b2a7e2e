"""`kanhu ingest ...`, `kanhu export` and `kanhu backfill`: the database made ready, taken out, put back."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Annotated

import typer

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from edge_gateway.sink import Sink
from ingest import backfill as backfills
from ingest import export as exports
from ingest.query import open_reader
from ingest.rollups import open_rollups
from ingest.setup import RETENTION_DAYS, State
from ingest.setup import setup as set_up
from ingest.sinks import open_sink
from ingest.tables import Kind
from ingest.tokens import token_path
from operations.commands.common import SettingsFile, bar, instant, load, out
from operations.doctor.gateway import answers
from operations.doctor.machine import wal_reset_bug

app = typer.Typer(help="The database: make it ready, compute roll-ups anew.", no_args_is_help=True)
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="2026-11-20 or 2026-11-20T14:05+08:00; from the first.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Up to, not including it; to the last.")]
_STYLES = {State.MADE: "green", State.REPLACED: "green", State.DIFFERS: "yellow", State.WOULD_MAKE: "cyan"}


def _alone(settings: Settings) -> None:
    """Two programs may write the embedded file only where SQLite is mended.

    Raises:
        Misconfigured: a gateway writes it, and this SQLite can lose a commit when two do.
    """
    if not settings.influx.url and wal_reset_bug(sqlite3.sqlite_version_info) and answers(settings):
        seen = (
            f"the gateway writes {settings.readings_file}, and SQLite {sqlite3.sqlite_version} can damage a file that two write"
        )
        raise Misconfigured(seen, "stop the gateway, run this, start it again; or use InfluxDB")


@app.command()
def setup(
    settings: SettingsFile = None,
    retention_days: Annotated[
        int, typer.Option(min=0, help="Readings are kept so long; 0: for ever. Roll-ups stay.")
    ] = RETENTION_DAYS,
    admin_token_file: Annotated[
        Path | None,
        typer.Option(help="Holds an admin token, for an InfluxDB 2 that is in use already. Used once, kept nowhere."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, tell what would be made.")] = False,
) -> None:
    """Make what the database needs: buckets, retention, mappings, tokens with few rights. A second run mends what is gone."""
    # A token on a command line is seen by every user of the machine; a file or the environment is not.
    token = os.environ.get("KANHU_ADMIN_TOKEN", "")
    if admin_token_file is not None:
        try:
            token = admin_token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Misconfigured(f"cannot read {admin_token_file}: {error}", "give a file with the token") from error
    found = load(settings)
    for step in set_up(found, admin_token=token, retention_days=retention_days, dry_run=dry_run):
        style = _STYLES.get(step.state, "dim")
        out.print(f"[{style}]{step.state:>10}[/{style}] {step.what}", end="")
        out.print(f"  {step.detail}" if step.detail else "", markup=False)
    if found.influx.url and found.influx.kind == "influxdb2" and found.influx.token_file is None:
        line = f'token_file = "{token_path(found, "gateway").absolute()}"'
        out.print(f"next: below [influx] in the settings, {line}", markup=False, soft_wrap=True)


@app.command()
def rollups(settings: SettingsFile = None, start: From = None, end: To = None) -> None:
    """Compute the hourly and daily roll-ups anew. With --from and --to a range, without them only what is out of date."""
    found = load(settings)
    _alone(found)
    start_ns, end_ns = instant(start), instant(end)
    sink = open_rollups(found, open_sink(found))
    try:
        if start_ns is not None or end_ns is not None:
            marked = sink.mark(start_ns or 0, end_ns or time.time_ns())
            out.print(f"{marked:,} device hours marked")
        done = sink.recompute_due(time.time_ns(), delay_s=0.0)
        out.print(f"[green]{done:,} roll-ups computed[/green]; {sink.waiting():,} periods are not over yet")
    finally:
        sink.close()


def export(
    file: Annotated[Path, typer.Argument(help="To write: its ending says the format, .csv or .parquet.")],
    settings: SettingsFile = None,
    kind: Annotated[Kind, typer.Option(help="What to take out.")] = Kind.READINGS,
    start: From = None,
    end: To = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    device: Annotated[str | None, typer.Option(help="Only this device (with --site).")] = None,
) -> None:
    """Take readings, events, losses, statuses, alerts or visits out as CSV or Parquet, with flags and units."""
    reader = open_reader(load(settings))
    try:
        with bar(f"export {file.name}") as progress:
            rows = exports.export(reader, file, kind, instant(start), instant(end), site=site, device=device, progress=progress)
    finally:
        reader.close()
    out.print(f"[green]{rows:,} {kind}[/green] in {file}")


def backfill(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file that `kanhu export` wrote, or with such columns.")],
    settings: SettingsFile = None,
) -> None:
    """Put an exported file into the database, exact. After a stop the same command goes on; to repeat it is harmless."""
    found = load(settings)
    _alone(found)
    database = open_sink(found)
    has_rollups = not found.influx.url or found.influx.kind != "victoriametrics"
    # Notes the hours it touches; the gateway that runs computes them, or `kanhu ingest rollups`.
    sink: Sink = open_rollups(found, database) if has_rollups else database
    try:
        with bar(f"backfill {file.name}") as progress:
            done = backfills.backfill(file, sink, progress=progress)
    finally:
        sink.close()
    skipped = f", {done.skipped:,} had been stored before" if done.skipped else ""
    out.print(f"[green]{done.stored:,} rows stored[/green]{skipped}, {done.refused:,} refused")
    if done.refused_file is not None:
        out.print(f"[yellow]the refused rows and why: {done.refused_file}[/yellow]; mend them there and backfill that file")
        raise typer.Exit(1)
