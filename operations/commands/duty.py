"""`kanhu duty`: who is told of an alert now and on the days to come, and what is wrong with the list."""

from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from edge_gateway import registry as registry_module
from edge_gateway.duty import Roster
from edge_gateway.duty.check import gaps
from edge_gateway.duty.file import load as load_roster
from edge_gateway.duty.people import DutyDesk
from edge_gateway.errors import Misconfigured
from edge_gateway.registry import Registry
from edge_gateway.rules import Severity
from edge_gateway.rules.words import local
from edge_gateway.settings import Settings
from operations.commands.common import SettingsFile, instant, load, out

app = typer.Typer(help="Who is told of alerts, by hours, weekdays, holidays and leave.", invoke_without_command=True)
Site = Annotated[str, typer.Option("--site", help="Only this site.")]
_WEEK = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")


@app.callback()
def duty(context: typer.Context, settings: SettingsFile = None) -> None:
    """Who is told of alerts, by hours, weekdays, holidays and leave. Without a command: show."""
    context.obj = settings
    if context.invoked_subcommand is None:
        _show(load(settings), None, "", 7)


@app.command()
def show(
    context: typer.Context,
    settings: SettingsFile = None,
    at: Annotated[str | None, typer.Option("--at", help="At this time instead of now: 2026-10-01T20:00.")] = None,
    site: Site = "",
    days: Annotated[int, typer.Option("--days", min=1, max=62, help="How many days of the list.")] = 7,
) -> None:
    """Who is told now, first to last, and who is on duty on the days to come."""
    _show(load(settings or context.obj), at, site, days)


@app.command()
def check(
    context: typer.Context,
    settings: SettingsFile = None,
    site: Site = "",
    days: Annotated[int, typer.Option("--days", min=1, max=62, help="How many days are looked at.")] = 14,
) -> None:
    """What is wrong with the list: ids of nobody, people without an address, hours without anybody. Then it ends with 1."""
    import time

    found = load(settings or context.obj)
    desk, registry = _desk(found)
    lines = desk.trouble_lines()
    for name in _sites(registry, site):
        start = local(time.time_ns(), desk.zone(name))
        for gap in gaps(desk.people, desk.roster, name, start, days):
            lines.append(f"{name or 'gateway'}: nobody is on duty from {_moment(gap.start)} to {_moment(gap.end)}")
    if not any(person.urls for person in desk.people):
        lines.append("nobody has an address: add urls to [[alerts.people]] in the settings, or to [[people]] in the duty list")
    if any(person.urls for person in desk.roster.people) and found.duty_file.stat().st_mode & 0o077:
        lines.append(f"{found.duty_file} holds addresses and can be read by others: chmod 600 {found.duty_file}")
    for line in lines:
        out.print(f"[yellow]{escape(line)}[/yellow]")
    if lines:
        raise typer.Exit(1)
    out.print(f"[green]值班表没有问题 the duty list is in order[/green] ({found.duty_file}, {days} days looked at)")


def _show(settings: Settings, at: str | None, site: str, days: int) -> None:
    import time

    desk, registry = _desk(settings)
    if not desk.roster.shifts:
        out.print(f"no shifts in {settings.duty_file}: everybody is told, in this order, at every hour (docs/alerts.md)")
    for name in _sites(registry, site):
        zone = desk.zone(name)
        given = instant(at, zone)
        now_ns = time.time_ns() if given is None else given
        told = {severity.value: desk.at(name, "", severity, now_ns) for severity in Severity}
        told["equipment"] = desk.at(name, "", Severity.NOTICE, now_ns, equipment=True)
        out.print(f"[bold]{name or '-'}[/bold] {_moment(local(now_ns, zone))}")
        for kind, people in told.items():
            out.print(f"  {kind}: {' → '.join(person.id for person in people) or '[red]nobody[/red]'}")
        if desk.roster.shifts:
            out.print(_table(desk.roster, name, local(now_ns, zone), days))
    for leave in desk.roster.leave:
        instead = f", instead {leave.instead}" if leave.instead else ""
        out.print(f"休假 leave: {leave.person} {leave.first} - {leave.last}{instead}")


def _table(roster: Roster, site: str, start: datetime, days: int) -> Table:
    """For each day: from when on who is on duty, for urgent alerts."""
    table = Table("日期 day", "值班 on duty, for urgent alerts", box=None)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(days):
        day = midnight + timedelta(days=number)
        parts: list[str] = []
        last: list[str] | None = None
        for quarter in range(96):
            at = day + timedelta(minutes=15 * quarter)
            people = roster.on_duty(site, Severity.URGENT, at)
            if people != last:
                parts.append(f"{at:%H:%M} {', '.join(people) or '[red]nobody[/red]'}")
                last = people
        rest = "" if "workday" in roster.words(day.date()) else " [dim]休[/dim]"
        table.add_row(f"{day:%Y-%m-%d} {_WEEK[day.weekday()]}{rest}", " · ".join(parts))
    return table


def _desk(settings: Settings) -> tuple[DutyDesk, Registry]:
    """The list as the gateway would use it. Raises Misconfigured as the list's own reader."""
    try:
        registry = registry_module.load(settings.registry)
    except Misconfigured:
        registry = Registry()  # `kanhu doctor` says what is wrong with it
    desk = DutyDesk(settings.alerts, registry)
    desk.use(load_roster(settings.duty_file))
    return desk, registry


def _sites(registry: Registry, site: str) -> list[str]:
    if site and site not in registry.sites:
        raise Misconfigured(f"there is no site {site[:60]!r}", f"known are {', '.join(registry.sites) or 'none'}")
    return [site] if site else list(registry.sites) or [""]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} {_WEEK[at.weekday()]}"
