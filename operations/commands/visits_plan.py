"""`kanhu visits plan|except|holidays`: what is expected, from a file or by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from edge_gateway.visits.codec import plain
from edge_gateway.visits.plan import check_exception, concerns
from edge_gateway.visits.records import Plan, PlanException
from operations.commands.common import AsJson, SettingsFile, err, out
from operations.commands.visits_common import (
    By,
    Site,
    a_date,
    as_json,
    ask,
    ledger,
    next_command,
    registry,
    safe,
    settings_of,
    site_of,
    zone_of,
)
from operations.visits import cells, plan_template
from operations.visits.plan_file import PlanFile, exception_id, read_file
from operations.words import program

plan_app = typer.Typer(help="The plan: who is expected where and when.", no_args_is_help=True)
except_app = typer.Typer(help="Days that are different: cancelled or moved.", no_args_is_help=True)
holidays_app = typer.Typer(help="Holidays of the site.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A .csv or .xlsx file.")]
# A line of the gateway's socket has a megabyte, a plan's row some 200 bytes.
_ROWS_A_TIME: Final = 2000
_DAYS: Final = "一二三四五六日"


@plan_app.command("import")
def import_(
    file: File,
    by: By,
    settings: SettingsFile = None,
    site: Site = None,
    replace: Annotated[bool, typer.Option("--replace", help="What is not in the file leaves the plan.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is wrong and what would be imported.")] = False,
) -> None:
    """Plans, and exceptions and holidays if the workbook has such sheets. One bad row stops all; every problem is told."""
    found = settings_of(settings)
    found_site = site_of(found, site)
    read = read_file(file, found_site)
    if replace and not read.plans:
        raise Misconfigured(f"{file} has no plans", "with --replace the plan would be empty; leave it out")
    _warn_of_places(read, found, found_site)
    counts = f"{len(read.plans)} plans, {len(read.exceptions)} exceptions, {len(read.holidays)} holidays"
    if dry_run:
        out.print(f"{counts}: all well; nothing was imported")
        return
    if read.plans:
        answer = _send_plans(found, found_site, by, [_short(plan) for plan in read.plans], replace)
        out.print("plans: " + ", ".join(f"{name} {count}" for name, count in answer.items()))
    _send_others(found, found_site, by, read)


def _warn_of_places(read: PlanFile, settings: Settings, site: str) -> None:
    """A place without a reader is possible (a phone, a carried reader), but most often it is a slip of the pen."""
    known = {device.place for device in registry(settings).devices.values() if device.site == site}
    if strange := sorted({plan.place for plan in read.plans} - known):
        shown = ", ".join(strange[:8]) + (" ..." if len(strange) > 8 else "")
        err.print(f"[yellow]no reader stands at {len(strange)} of the places[/yellow]: {safe(shown)}")


def _short(record: Plan | PlanException) -> dict[str, Any]:
    """A row without what is as usual: a command is one line."""
    usual = {field.name: field.default for field in msgspec.structs.fields(record)}
    return {name: value for name, value in plain(record).items() if value != usual[name] and name != "site"} | {
        "site": record.site
    }


def _send_plans(settings: Settings, site: str, by: str, rows: Sequence[Mapping[str, Any]], replace: bool) -> dict[str, int]:
    if replace and len(rows) > _ROWS_A_TIME:
        raise Misconfigured(
            f"{len(rows)} rows cannot replace a plan at once", f"import them, then `{program()} visits plan remove`"
        )
    total: dict[str, int] = {}
    for at in range(0, len(rows), _ROWS_A_TIME):
        answer = ask(settings, "visits.plan", 60.0, site=site, by=by, rows=list(rows[at : at + _ROWS_A_TIME]), replace=replace)
        for name, count in answer.items():
            total[name] = total.get(name, 0) + count
    return total


def _send_others(settings: Settings, site: str, by: str, read: PlanFile) -> None:
    for at in range(0, len(read.exceptions), _ROWS_A_TIME):
        rows = [_short(entry) for entry in read.exceptions[at : at + _ROWS_A_TIME]]
        out.print(f"exceptions: saved {ask(settings, 'visits.except', 60.0, site=site, by=by, rows=rows)['saved']}")
    if read.holidays:
        out.print(f"holidays: saved {ask(settings, 'visits.holidays', site=site, by=by, dates=read.holidays)['saved']}")


@plan_app.command("list")
def list_plans(
    settings: SettingsFile = None,
    site: Site = None,
    place: Annotated[str | None, typer.Option(help="Only this place.")] = None,
    json: AsJson = False,
) -> None:
    """The plan as it is now."""
    found = settings_of(settings)
    with ledger(found) as opened:
        plans = [plan for plan in opened.plans(site_of(found, site)) if place in (None, plan.place)]
    if json:
        as_json(plans)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("id", "place", "person", "service", "days", "window", "courier", "holidays", "from", "until"):
        table.add_column(title, overflow="fold")
    for plan in plans:
        days = "每天" if len(plan.weekdays) == 7 else "周" + "".join(_DAYS[day - 1] for day in plan.weekdays)
        window = f"{cells.clock(plan.opens_min)}-{cells.clock(plan.closes_min)}"
        first = "" if plan.first == "2000-01-01" else plan.first
        texts = (plan.id, plan.place, plan.person, plan.service, days, window, plan.courier, plan.holidays, first, plan.last)
        table.add_row(*(safe(text) for text in texts))
    out.print(table if plans else f"没有计划 no plan; a form: {next_command(found, 'plan template plan.xlsx')}")


@plan_app.command("remove")
def remove_plans(
    ids: Annotated[list[str], typer.Argument(metavar="PLAN...", help="Ids, as list shows them.")],
    by: By,
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """Take lines out of the plan from now on; what was, stays in the ledger."""
    found = settings_of(settings)
    answer = ask(found, "visits.plan_remove", site=site_of(found, site), ids=ids, by=by)
    out.print(f"{answer['removed']} removed")


@plan_app.command()
def template(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="To write: .xlsx (with explanations) or .csv.")],
    kind: Annotated[str, typer.Option(help="Of a .csv: plans, exceptions or holidays.")] = "plans",
) -> None:
    """An empty form to fill in."""
    if kind not in plan_template.COLUMNS:
        raise Misconfigured(f"there is no kind {kind[:40]!r}", "one of " + ", ".join(plan_template.COLUMNS))
    plan_template.write(file, kind)
    out.print(f"fill in {file}, then: {program()} visits plan import {file} --by you")


@except_app.command("add")
def add_exception(
    day: Annotated[str, typer.Argument(metavar="DATE", help="2026-11-23, today.")],
    by: By,
    settings: SettingsFile = None,
    site: Site = None,
    plan: Annotated[str, typer.Option(help="Id of a line of the plan.")] = "",
    place: Annotated[str, typer.Option(help="Or everything at this place.")] = "",
    person: Annotated[str, typer.Option(help="Or everything for this person.")] = "",
    moved: Annotated[str | None, typer.Option(help="Another window, 13:00-14:00; without it: cancelled.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """One day is different for a line of the plan, a place or a person."""
    found = settings_of(settings)
    found_site = site_of(found, site)
    date = a_date(day, zone_of(found, found_site))
    try:
        opens, closes = cells.window(moved) if moved else (0, 0)
    except cells.Bad as error:
        raise Misconfigured(str(error)) from None
    kind = "moved" if moved else "cancelled"
    id = exception_id(date, plan, place, person)
    entry = PlanException(id, found_site, date, kind, plan, place, person, opens, closes, reason)
    check_exception(plain(entry))
    ask(found, "visits.except", site=found_site, by=by, rows=[_short(entry)])
    out.print(f"{kind}: {id}")
    with ledger(found) as opened:
        concerned = [one for one in opened.plans(found_site) if concerns(entry, one)]
    if not concerned:
        # Accepted all the same: its line may come with the next import. Most often it is a slip of the pen.
        about = " ".join(part for part in (plan, place, person) if part)
        err.print(f"[yellow]no line of the plan is about {safe(about)}[/yellow]: it changes nothing now")


@except_app.command("list")
def list_exceptions(
    settings: SettingsFile = None,
    site: Site = None,
    date_from: Annotated[str, typer.Option("--from", help="First date: 2026-11-01, today.")] = "today",
    date_to: Annotated[str | None, typer.Option("--to", help="Last date.")] = None,
    json: AsJson = False,
) -> None:
    """Days that are different, from today on."""
    found = settings_of(settings)
    found_site = site_of(found, site)
    where = zone_of(found, found_site)
    with ledger(found) as opened:
        rows = opened.exceptions(found_site, a_date(date_from, where), a_date(date_to, where) if date_to else None)
    if json:
        as_json(rows)
        return
    for row in rows:
        when = f" {cells.clock(row.opens_min)}-{cells.clock(row.closes_min)}" if row.kind == "moved" else ""
        about = " ".join(part for part in (row.plan, row.place, row.person) if part)
        out.print(f"{row.date} {row.kind}{when} {safe(about)} [bold]{safe(row.id)}[/bold] {safe(row.reason)}")
    if not rows:
        out.print("没有 none")


@except_app.command("remove")
def remove_exceptions(
    ids: Annotated[list[str], typer.Argument(metavar="EXCEPTION...", help="Ids, as list shows them.")],
    by: By,
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """Those days are as planned again."""
    found = settings_of(settings)
    ask(found, "visits.except", site=site_of(found, site), by=by, rows=[], remove=ids)
    out.print(f"{len(ids)} removed")


@except_app.command("import")
def import_exceptions(file: File, by: By, settings: SettingsFile = None, site: Site = None) -> None:
    """Exceptions from a file; one bad row stops all."""
    _import_only(file, by, settings, site, "exceptions")


@holidays_app.command("import")
def import_holidays(file: File, by: By, settings: SettingsFile = None, site: Site = None) -> None:
    """Holidays from a file with columns 日期 (date) and 名称 (name); one bad row stops all."""
    _import_only(file, by, settings, site, "holidays")


def _import_only(file: Path, by: str, settings: Path | None, site: str | None, only: str) -> None:
    found = settings_of(settings)
    found_site = site_of(found, site)
    _send_others(found, found_site, by, read_file(file, found_site, only=only))


@holidays_app.command("list")
def list_holidays(settings: SettingsFile = None, site: Site = None) -> None:
    """Holidays that are known."""
    found = settings_of(settings)
    with ledger(found) as opened:
        days = opened.holidays(site_of(found, site))
    for day, name in days.items():
        out.print(f"{day} {safe(name)}")
    if not days:
        out.print("没有 none")
