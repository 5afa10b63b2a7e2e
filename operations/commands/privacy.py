"""`kanhu backup`, `kanhu restore` and `kanhu privacy`: copies of everything, and what a person may ask for about himself."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from edge_gateway.errors import Misconfigured
from operations.commands.common import SettingsFile, load, out
from operations.install import find_settings
from operations.words import program

app = typer.Typer(help="What a person may ask for: take out or erase all about a home.", no_args_is_help=True)
Site = Annotated[str, typer.Argument(metavar="SITE", help="Id of the site.")]
Place = Annotated[str, typer.Argument(metavar="PLACE", help="Pseudonym of the home.")]
By = Annotated[str, typer.Option("--by", help="Who you are: a-z, 0-9, - and _. It is written down.")]
Person = Annotated[str, typer.Option(help="Pseudonym of who lives there; default: as [[homes]] says.")]
PASSPHRASE = "KANHU_KEYS_PASSPHRASE"  # noqa: S105 - the name of a variable
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help=f"Of the keys' file; else {PASSPHRASE} is taken, or you are asked.")
]


def backup(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Each backup is a folder of its own in it.")],
    settings: SettingsFile = None,
    keys: Annotated[
        Path | None, typer.Option(help="Write keys and settings into this new file, sealed. Keep it elsewhere.")
    ] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Copy the gateway's files while it runs; backups older than privacy.backup_days go. Without keys nobody reads a name."""
    from operations.privacy import backup as backups
    from operations.privacy import keys as sealed_keys

    found = load(settings)
    if keys is not None:
        names = sealed_keys.save(found, keys, _passphrase(passphrase_file, new=True), find_settings(settings))
        out.print(f"[green]{len(names)} keys and settings[/green] in {keys}", markup=True)
    made, gone = backups.make(found, target, found.privacy.backup_days)
    out.print(f"[green]已备份 backed up[/green] {made.folder}")
    for folder in gone:
        out.print(f"deleted {folder}, which was older than {found.privacy.backup_days} days", markup=False)
    if found.influx.url:
        told = f"{found.influx.kind} is not in it: it has a backup of its own; once that is put back: {program()} privacy again"
        out.print(f"[yellow]{told}[/yellow]")
    if keys is None:
        out.print(f"[dim]the keys are not in it: once {program()} backup {target} --keys FILE, kept somewhere else[/dim]")


def restore(
    folder: Annotated[Path, typer.Argument(metavar="BACKUP", help="A folder that `kanhu backup` made.")],
    settings: SettingsFile = None,
    keys: Annotated[Path | None, typer.Option(help="The sealed file of the keys, where this machine has none.")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Put a backup back, with the gateway stopped; whoever was erased since it was made is erased again before."""
    from operations.privacy import backup as backups
    from operations.privacy import keys as sealed_keys

    found = load(settings)
    if keys is not None:
        put = sealed_keys.restore(found, keys, _passphrase(passphrase_file))
        out.print(f"{len(put)} keys put back: {', '.join(put) or 'all were here'}", markup=False)
    for line in backups.restore(found, folder):
        out.print(line, markup=False)


@app.command()
def erase(
    site: Site,
    place: Place,
    by: By,
    reason: Annotated[str, typer.Option(help="Why, such as consent withdrawn; no name.")],
    settings: SettingsFile = None,
    person: Person = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase all about a home for ever: registry, gateway, database, names, put-aside files, logs, backups."""
    from operations.privacy import erase as erasing

    found = load(settings)
    subject = erasing.subject_of(found, site, place, person)
    whom = f"{site}/{place}" + (f" and {subject.person}" if subject.person else "")
    devices = ", ".join(sorted(subject.devices)) or "no devices"
    if not yes and not typer.confirm(f"永久删除 erase for ever: {whom} ({devices})?"):
        raise typer.Abort
    report = erasing.erase(found, subject, by, reason)
    counted = ", ".join(f"{what} {n:,}" if n >= 0 else what for what, n in report.rows.items() if n)
    out.print(f"[green]已删除 erased[/green] {whom}: {counted or 'nothing was there'}")
    for line in report.done:
        out.print(f"  {line}", markup=False)
    for line in report.left:
        out.print(f"  还需要 to do or to know: {line}", markup=False)


@app.command()
def export(
    site: Site,
    place: Place,
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="To write.")],
    by: By,
    settings: SettingsFile = None,
    person: Person = "",
) -> None:
    """Take out all that is kept about a home and who lives there, for that person: tables, alerts, log, consent, name."""
    from operations.privacy import erase as erasing
    from operations.privacy import export as exporting

    found = load(settings)
    counts = exporting.export(found, erasing.subject_of(found, site, place, person), file, by)
    for name, rows in counts.items():
        out.print(f"  {name}: {rows:,}", markup=False)
    out.print(f"[green]已导出 exported[/green] {file} (only you can read it; hand it to that person alone)")


@app.command()
def again(settings: SettingsFile = None) -> None:
    """After InfluxDB's own backup was put back: erase again who was erased since it was made."""
    from operations.privacy import erase as erasing

    report = erasing.again(load(settings))
    for line in [*report.done, *report.left] or ["nobody in the database was erased"]:
        out.print(line, markup=False)


@app.command()
def kept(settings: SettingsFile = None) -> None:
    """How long what is kept here, and where the backups are."""
    from operations.privacy import backup as backups

    found = load(settings)
    for name, days in found.privacy.model_dump().items():
        if name.endswith("_days"):
            out.print(f"{name:18} {f'{days} days' if days else '不限 for ever'}", markup=False)
    out.print(f"{'consent_required':18} {str(found.privacy.consent_required).lower()}", markup=False)
    for one in backups.known(found):
        made = datetime.fromtimestamp(one.made_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
        out.print(f"backup {made} {one.folder}{'' if one.reachable else ' (cannot be reached now)'}", markup=False)


def _passphrase(file: Path | None, new: bool = False) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Misconfigured(f"cannot read {file}: {error}", "a file with the passphrase as its only line") from error
    given = os.environ.get(PASSPHRASE, "")
    return given or str(typer.prompt("passphrase of the keys' file", hide_input=True, confirmation_prompt=new))
