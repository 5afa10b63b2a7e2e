"""The command line: the one place that puts the parts together."""

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from edge_gateway import settings as settings_module
from edge_gateway.errors import KanhuError, Misconfigured
from edge_gateway.service import Gateway
from edge_gateway.settings import Settings
from ingest.sinks import open_sink

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out = Console()

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", "-s", envvar="KANHU_SETTINGS", help="TOML file; kanhu.toml in this folder if it is there"),
]


@app.callback()
def root() -> None:
    """看护 Kanhu: telemetry for eldercare and rivers; nothing is lost without being counted."""


@app.command()
def gateway(settings: SettingsFile = None) -> None:
    """Run the gateway in the foreground: broker to outbox to database, until SIGTERM."""
    _log_to_stderr()
    _serve(settings_module.load(settings))


def _serve(settings: Settings) -> None:
    # Entries live for some milliseconds; the default thresholds would walk over them again and again.
    gc.set_threshold(100_000, 20, 50)
    service = Gateway(settings, open_sink(settings))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, service.stop)
        await service.run(ready=lambda: logging.getLogger("kanhu").info("ready"))

    asyncio.run(run())


def _log_to_stderr() -> None:
    level = os.environ.get("KANHU_LOG", "INFO").upper()
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def main() -> None:
    """Run a command; an error that a person can do something about is one line and exit code 2, or 3 for settings."""
    try:
        app()
    except KanhuError as error:
        Console(stderr=True).print(f"[red]kanhu:[/red] {error}", highlight=False, markup=True)
        sys.exit(3 if isinstance(error, Misconfigured) else 2)


if __name__ == "__main__":
    main()
