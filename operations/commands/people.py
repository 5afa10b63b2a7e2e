"""`kanhu people`: the sealed map from pseudonyms to names. Whoever looks is written down."""

from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from edge_gateway.errors import Misconfigured
from operations.commands.common import AsJson, SettingsFile, load, out
from operations.commands.visits_common import By, Site, ask, ledger, safe, site_of, zone_of
from operations.visits.columns import LocalTime
from operations.words import program

app = typer.Typer(help="Who is behind a pseudonym: sealed, and whoever looks is written down.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="Pseudonym of a person, or id of a place (its address).")]
_LOOKS = ("revealed", "person", "person_forgotten")


@app.command("set")
def set_(
    id: Id,
    by: By,
    settings: SettingsFile = None,
    site: Site = None,
    role: Annotated[str, typer.Option(help="elder, courier, staff, place, or another word.")] = "elder",
    ask_details: Annotated[bool, typer.Option("--ask", help="Ask, so that nothing stays in the shell's history.")] = False,
    name: Annotated[str, typer.Option(help="Name; better with --ask.")] = "",
    phone: Annotated[str, typer.Option(help="Telephone.")] = "",
    address: Annotated[str, typer.Option(help="Address.")] = "",
) -> None:
    """Write down who a pseudonym is; sealed with the gateway's key, shown only by reveal and `visits sheet --names`."""
    found = load(settings)
    if ask_details:
        name, phone, address = (typer.prompt(title, default="", show_default=False) for title in ("name", "phone", "address"))
    if not (name or phone or address):
        raise Misconfigured("nothing was said about this person", "add --ask, or --name, --phone, --address")
    details: dict[str, Any] = {"name": name, "phone": phone, "address": address}
    ask(found, "people.set", id=id, role=role, site=site_of(found, site), by=by, **details)
    out.print(f"[green]已保存 saved[/green] {safe(id)}")


@app.command("list")
def list_(settings: SettingsFile = None, site: Site = None, json: AsJson = False) -> None:
    """Which pseudonyms have an entry; no names."""
    found = load(settings)
    with ledger(found) as opened:
        people = opened.people(site)
    if json:
        out.print(msgspec.json.format(msgspec.json.encode(people), indent=1).decode(), markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("id", "role", "site"):
        table.add_column(title)
    for row in people:
        table.add_row(safe(row.id), safe(row.role), safe(row.site))
    out.print(table if people else f"没有 none; add one: {program()} people set e-0317 --ask --by you")


@app.command()
def forget(id: Id, by: By, settings: SettingsFile = None) -> None:
    """Delete a person's entry for ever. The ledger keeps the pseudonym, which then stands for nobody that is known."""
    answer = ask(load(settings), "people.forget", id=id, by=by)
    out.print("deleted" if answer["removed"] else f"{safe(id)} has no entry")


@app.command()
def reveal(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Pseudonyms.")],
    by: By,
    why: Annotated[str, typer.Option("--why", help="What for. It stands in the who-looked log.")],
    settings: SettingsFile = None,
) -> None:
    """Show who somebody is. Who looked, at whom, when and why stays in the ledger for ever."""
    answer: dict[str, dict[str, Any]] = ask(load(settings), "people.reveal", ids=ids, by=by, why=why)
    for id in dict.fromkeys(ids):
        details = answer.get(id)
        if details is None:
            out.print(f"{safe(id)}: 没有登记 no entry")
        else:
            shown = " · ".join(str(details[key]) for key in ("name", "phone", "address") if details.get(key))
            out.print(f"{id}: {shown}", markup=False, soft_wrap=True)


@app.command()
def looked(
    settings: SettingsFile = None,
    site: Site = None,
    id: Annotated[str | None, typer.Option(help="Only at this pseudonym.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many, the newest first.")] = 50,
) -> None:
    """Who looked at whom, when and why; and who wrote or deleted an entry."""
    found = load(settings)
    local = LocalTime(zone_of(found, site_of(found, site)))
    with ledger(found) as opened:
        lines = [entry for entry in opened.log() if entry.kind in _LOOKS and id in (None, entry.subject)][-limit:]
    for entry in reversed(lines):
        done = {"revealed": "看过 looked at", "person": "写入 wrote", "person_forgotten": "删除 deleted"}[entry.kind]
        why = f": {entry.body['why']}" if entry.body.get("why") else ""
        out.print(f"{local.text(entry.at_ns)} {entry.by} {done} {entry.subject}{why}", markup=False, soft_wrap=True)
    if not lines:
        out.print("没有 none")
