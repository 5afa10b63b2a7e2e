"""`kanhu visits sheet` and `kanhu visits verify`: the month's claim, and its check by somebody else."""

import time
from pathlib import Path
from typing import Annotated

import typer

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from edge_gateway.visits.words import LANGUAGES
from operations.commands.common import SettingsFile, bar, err, out
from operations.commands.visits_common import Site, ask, ledger, next_command, registry, settings_of, site_of
from operations.visits import sheet as sheets
from operations.visits import verify as verifying
from operations.visits.columns import Names
from operations.visits.compare import Report
from operations.words import program

_IDS_A_TIME = 500
_SHOWN = 30


def sheet(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="2026-11.")],
    settings: SettingsFile = None,
    site: Site = None,
    place: Annotated[list[str] | None, typer.Option(help="Only this place; again for more.")] = None,
    courier: Annotated[list[str] | None, typer.Option(help="Only this courier; again for more.")] = None,
    names: Annotated[bool, typer.Option("--names", help="With names from the sealed map; needs --by, --why.")] = False,
    by: Annotated[str, typer.Option("--by", help="With --names: who you are. It stands in the who-looked log.")] = "",
    why: Annotated[str, typer.Option("--why", help="With --names: what for.")] = "",
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path(),
    language: Annotated[str, typer.Option(help="Of the words in the rows: zh-CN or en.")] = "zh-CN",
    packed: Annotated[bool, typer.Option("--zip", help="Everything in one .zip.")] = False,
) -> None:
    """The month sheet for the claim: XLSX, CSV, and the chain file that proves them. Works also while the gateway is down."""
    if language not in LANGUAGES:
        raise Misconfigured(f"there is no language {language[:20]!r}", f"one of {', '.join(LANGUAGES)}")
    if names and not (by and why):
        raise Misconfigured("--names needs --by and --why", "who looks at names, and what for, is written down")
    found = settings_of(settings)
    found_site = site_of(found, site)
    known = registry(found).sites.get(found_site)
    zone = known.zone if known else "Asia/Shanghai"
    order = sheets.Order(
        found_site, sheets.check_month(month), zone, language, tuple(place or ()), tuple(courier or ()), None, time.time_ns()
    )
    if names:
        order = sheets.with_names(order, _names(found, order, by, why))
    # Opened after the names were asked for: the chain then holds who looked.
    with ledger(found) as opened, bar(f"visits of {month}") as progress:
        made = sheets.make(opened, folder, order, packed=packed, progress=progress)
    _told(made, names, next_command(found, "review", found_site))


def _names(settings: Settings, order: sheets.Order, by: str, why: str) -> Names:
    with ledger(settings) as opened:
        ids = sorted(sheets.people(opened, order))
        known = {row.id for row in opened.people()}
    wanted = [id for id in ids if id in known]
    found: dict[str, dict[str, str]] = {}
    for at in range(0, len(wanted), _IDS_A_TIME):
        answer = ask(settings, "people.reveal", 60.0, ids=wanted[at : at + _IDS_A_TIME], by=by, why=why)
        found |= {id: {key: str(value or "") for key, value in details.items()} for id, details in answer.items()}
    if missing := len(ids) - len(found):
        err.print(f"[yellow]{missing} of {len(ids)} have no name in the map[/yellow]; add them: {program()} people set")
    return found


def _told(made: sheets.Made, names: bool, review: str) -> None:
    totals = made.totals
    for path in made.files:
        out.print(str(path), markup=False, soft_wrap=True)
    told = f"{totals.visits:,} 条 visits; 应上门 planned {totals.total('planned'):,}, 已上门 done {totals.total('done'):,},"
    out.print(f"{told} 计入 counted {totals.total('counted'):,}")
    open_ = f"待核对 in review {totals.total('in_review'):,}, 情况不明 unknown {totals.total('unknown'):,},"
    out.print(f"{open_} 未送达 missed {totals.total('missed'):,}, 不予采信的打卡 refused taps {made.refused:,}")
    if totals.total("in_review"):
        out.print(f"[yellow]settle what is in review first[/yellow]: {review}", soft_wrap=True)
    if totals.total("not_yet"):
        out.print(
            f"[yellow]not over yet[/yellow]: {totals.total('not_yet'):,} visits are still to come; make the sheet anew then"
        )
    out.print(f"链尾 head {made.head.head}", soft_wrap=True)
    digits = made.head.head[:16]
    out.print(
        f"[dim]write {digits} on the signed paper; verify: kanhu visits verify FILE --head {digits}[/dim]", soft_wrap=True
    )
    if names:
        out.print(
            "[yellow]there are names in these files[/yellow]: keep them where names may be, and delete them after the claim"
        )


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of one sheet, or its .zip.")],
    head: Annotated[str, typer.Option(help="The hash on the signed paper, 12 digits or more.")] = "",
) -> None:
    """Check a month sheet with nothing but its files, on any machine. Exit code 1 when anything differs."""
    report = verifying.verify(files, head)
    _report(report)
    if report.count:
        raise typer.Exit(1)


def _report(report: Report) -> None:
    for difference in report.differences[:_SHOWN]:
        out.print(f"{difference.where}", style="red", markup=False, soft_wrap=True)
        out.print(
            f"  {difference.what}: seen {difference.seen!r}, expected {difference.expected!r}", markup=False, soft_wrap=True
        )
    if report.count > _SHOWN:
        out.print(f"and {report.count - _SHOWN:,} more")
    entries = f"{report.entries:,} entries of the chain ({report.sealed:,} of them sealed)"
    rows = ", ".join(f"{where}: {count:,}" for where, count in report.rows.items()) or "no table was given"
    out.print(f"{report.head.site} {report.head.month}: {entries}, {report.visits:,} visits, {report.counted:,} counted")
    out.print(f"rows compared: {rows}", markup=False, soft_wrap=True)
    for line in dict.fromkeys(report.unproved):
        out.print(f"[yellow]not proved[/yellow]: {line}", soft_wrap=True)
    if report.count:
        out.print(f"[bold red]不符 {report.count:,} difference{'s' if report.count > 1 else ''}[/bold red]")
    else:
        out.print(f"[bold green]相符 everything holds[/bold green]; head {report.head.head}", soft_wrap=True)
