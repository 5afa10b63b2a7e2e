"""What the commands share: the settings option, where output goes, a progress bar, and times as people type them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from edge_gateway import settings as settings_module
from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from operations.install import find_settings

# Where it is no terminal, a line is as long as it is: programs and people search in it.
out: Final = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err: Final = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 200)

SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        "-s",
        envvar="KANHU_SETTINGS",
        help="Settings file. Without it: kanhu.toml in this folder, else that of the `kanhu up` or `demo` that runs here.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def load(file: Path | None) -> Settings:
    """The settings a command works with; says which, when nobody named them."""
    found = find_settings(file)
    if found is not None and found != file and found != settings_module.DEFAULT_FILE:
        err.print(f"[dim]settings: {found}[/dim]")
    return settings_module.load(found)


def settings_option(file: Path) -> str:
    """What a person has to add to a command so that it means this installation; "" when it is found without."""
    return "" if find_settings(None) == file else f" -s {file}"


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; gives the function to be told (done, total)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def instant(text: str | None, where: tzinfo | None = None) -> int | None:
    """Nanoseconds UTC of `2026-11-20`, `2026-11-20T14:05`, with `Z` or `+08:00`; without: that of `where`, else this machine's.

    Raises:
        Misconfigured: it is no time.
    """
    if text is None:
        return None
    try:
        when = datetime.combine(date.fromisoformat(text), time()) if len(text) == 10 else datetime.fromisoformat(text)
        when = when if when.tzinfo else when.replace(tzinfo=where) if where else when.astimezone()
    except ValueError:
        raise Misconfigured(f"{text[:60]!r} is no time", "write 2026-11-20 or 2026-11-20T14:05+08:00") from None
    # In integers: a float second is only exact to some hundred nanoseconds.
    since = when.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000
