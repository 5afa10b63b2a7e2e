"""`kanhu status` and `kanhu doctor`."""

from typing import Annotated

import typer

from edge_gateway.errors import Rejected
from operations.commands.common import AsJson, SettingsFile, load, out
from operations.doctor import Outcome, examine
from operations.install import find_settings
from operations.status import as_json, one_device, overview, report


def status(
    settings: SettingsFile = None,
    device: Annotated[str | None, typer.Option(metavar="SITE/ID", help="Only this device, with everything about it.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every device, also those of which there is nothing to say.")] = False,
    json: AsJson = False,
) -> None:
    """Who was heard, what came, what is missing, held or refused. Works also while the gateway is down."""
    found = report(load(settings))
    if device is None:
        out.print(as_json(found), markup=False, soft_wrap=True) if json else out.print(overview(found, every))
        return
    site, _, name = device.partition("/")
    seen = found.snapshot.find(site, name)
    if seen is None:
        raise Rejected(
            "unknown_device", f"{device[:100]!r} is neither registered nor was it heard; `kanhu status --all` shows who is"
        )
    out.print(as_json(found, seen), markup=False, soft_wrap=True) if json else out.print(one_device(seen, found))


def doctor(settings: SettingsFile = None) -> None:
    """Find what is wrong with settings, registry, disk, clock, broker, database and gateway, and name the next step."""
    signs = {Outcome.OK: "[green]ok  [/green]", Outcome.WARN: "[yellow]warn[/yellow]", Outcome.FAIL: "[red]fail[/red]"}
    failed = 0
    for name, result in examine(find_settings(settings)):
        failed += result.outcome is Outcome.FAIL
        out.print(signs[result.outcome], f"{name}:", end=" ")
        out.print(result.seen, markup=False)
        if result.next_step:
            out.print(f"       -> {result.next_step}", markup=False, style="bold")
    if failed:
        raise typer.Exit(1)
