"""`kanhu visits`: the ledger, the review queue and what a person decides, the plan, the month sheet and its check."""

from typing import Annotated, Any

import typer

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from edge_gateway.visits import corrections, words
from edge_gateway.visits.chain import LogEntry
from edge_gateway.visits.records import State
from operations.commands import visits_meals, visits_month, visits_plan
from operations.commands.common import AsJson, SettingsFile, instant, out
from operations.commands.visits_common import (
    By,
    Site,
    VisitId,
    a_date,
    as_json,
    ask,
    in_both,
    ledger,
    next_command,
    reasons,
    safe,
    said_before,
    settings_of,
    site_of,
    state,
    table_of,
    tap_line,
    today,
    zone_of,
)
from operations.visits.advice import advice
from operations.visits.columns import LocalTime
from operations.visits.corrections import said
from operations.visits.sheet import step
from operations.words import printable

app = typer.Typer(help="Visits: ledger, review, plan, month sheet.", invoke_without_command=True)
app.add_typer(visits_plan.plan_app, name="plan")
app.add_typer(visits_plan.except_app, name="except")
app.add_typer(visits_plan.holidays_app, name="holidays")
app.command()(visits_month.sheet)
app.command()(visits_month.verify)
app.command()(visits_meals.meals)

ACTIONS = tuple(action for action in corrections.ACTIONS if action != corrections.OBJECT)


@app.callback()
def visits(context: typer.Context, settings: SettingsFile = None, site: Site = None) -> None:
    """The ledger of visits: who was visited, when, by whom, and how well that is proved. Without a command: today."""
    said_before(settings, site)
    if context.invoked_subcommand is None:
        _today(settings_of(settings), site)


def _today(settings: Settings, site: str | None) -> None:
    found_site = site_of(settings, site)
    where = zone_of(settings, found_site)
    with ledger(settings) as opened:
        found = opened.visits(site=found_site, date_from=today(where), date_to=today(where), limit=500)
        waiting = opened.count(site=found_site, reviewing=True)
    if found:
        out.print(table_of(found, where))
    else:
        plan = next_command(settings, "plan template plan.xlsx")
        out.print(f"今天没有上门计划, 也没有打卡 no visits today; a plan: {plan}", soft_wrap=True)
    if waiting:
        review = next_command(settings, "review", found_site)
        out.print(f"[yellow]待核对 in review: {waiting:,}[/yellow]; look: {review}", soft_wrap=True)


@app.command("list")
def list_(
    settings: SettingsFile = None,
    site: Site = None,
    date_from: Annotated[str, typer.Option("--from", help="First date: 2026-11-01, today or yesterday.")] = "today",
    date_to: Annotated[str | None, typer.Option("--to", help="Last date; the first one when left out.")] = None,
    place: Annotated[str | None, typer.Option(help="Only this place.")] = None,
    courier: Annotated[str | None, typer.Option(help="Only this courier.")] = None,
    state: Annotated[State | None, typer.Option(help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 200,
    json: AsJson = False,
) -> None:
    """Rows of the ledger. Works also while the gateway is down."""
    found_settings = settings_of(settings)
    found_site = site_of(found_settings, site)
    where = zone_of(found_settings, found_site)
    first = a_date(date_from, where)
    last = a_date(date_to, where) if date_to else first
    asked: dict[str, Any] = {"site": found_site, "date_from": first, "date_to": last, "place": place, "courier": courier}
    asked["state"] = state.value if state else None
    with ledger(found_settings) as opened:
        found, total = opened.visits(limit=limit, **asked), opened.count(**asked)
    if json:
        as_json(found)
        return
    out.print(table_of(found, where) if found else "没有 none")
    if total > len(found):
        out.print(f"[dim]{len(found):,} of {total:,}; more: --limit[/dim]")


@app.command()
def show(visit: VisitId, settings: SettingsFile = None, site: Site = None) -> None:
    """One visit with its taps, reasons, and everything that was ever written about it."""
    found_settings = settings_of(settings)
    found_site = site_of(found_settings, site)
    where = zone_of(found_settings, found_site)
    with ledger(found_settings) as opened:
        found, history = opened.visit(visit, found_site), opened.history(visit, found_site)
        taps = opened.taps(found) if found else []
    if found is None and not history:
        rows = next_command(found_settings, "list", found_site)
        raise Misconfigured(f"there is no visit {visit[:80]!r} at {found_site}", f"`{rows}` shows them")
    if found is not None:
        out.print(table_of([found], where))
        if found.reasons:
            out.print(f"原因 reasons: {reasons(found)}", markup=False)
        if found.comment:
            out.print(f"备注 comment: {safe(found.comment)}")
        out.print(f"证据 proof: {words.grade_explained(found.grade, 'zh-CN')} / {words.grade_explained(found.grade, 'en')}")
    for judged in taps:
        out.print(f"打卡 tap: {tap_line(judged, where)}", soft_wrap=True)
    out.print("经过 history:")
    _history(history, LocalTime(where))


def _history(history: list[LogEntry], local: LocalTime) -> None:
    for n, entry in enumerate(history):
        when = local.text(entry.at_ns)
        if entry.kind == "correction":
            # With the state before and the one it led to, so that the line says what was there.
            before = [e for e in history[:n] if e.kind == "visit"][-1:]
            told = said((step(e) for e in (*before, *history[n : n + 2])), "zh-CN", local).split(" | ")[0]
            out.print(f"  {entry.n} {told}", markup=False, soft_wrap=True)
        else:
            body = entry.body
            told = in_both(State(body["state"])) if entry.kind == "visit" else "不再有 gone"
            counted = "计入 counted" if body.get("counted") else "不计入 not counted"
            out.print(f"  {entry.n} {when} {entry.by}: {told}, {counted}", markup=False, soft_wrap=True)


@app.command()
def review(
    settings: SettingsFile = None,
    site: Site = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many at most.")] = 50,
    json: AsJson = False,
) -> None:
    """What waits for a person, oldest first, with the reason and the command for it. Counted until somebody declines."""
    found_settings = settings_of(settings)
    found_site = site_of(found_settings, site)
    where = zone_of(found_settings, found_site)
    with ledger(found_settings) as opened:
        found, total = opened.review_queue(found_site, limit=limit), opened.count(site=found_site, reviewing=True)
    if json:
        as_json(found)
        return
    if not found:
        out.print("没有待核对的 nothing waits for review")
    local = LocalTime(where)
    for visit in found:
        start = local.text(visit.start_ns) or "没有打卡 no tap"
        out.print(
            f"{state(visit)} · {visit.date} {safe(visit.place)} {safe(visit.courier)} · {start} · [bold]{safe(visit.id)}[/bold]"
        )
        out.print(f"  {reasons(visit)}", markup=False, soft_wrap=True)
        if visit.reasons:
            todo = dict.fromkeys(f"{advice(r, 'zh-CN')} / {advice(r, 'en')}" for r in visit.reasons)
            out.print(f"  → {'; '.join(todo)}", markup=False, soft_wrap=True)
        if visit.comment:
            out.print(f"  “{safe(visit.comment)}”")
    if found:
        words_ = f"decide {printable(found[0].id)} approve --by you --reason seen"
        out.print(f"decide: {next_command(found_settings, words_, found_site)}", style="dim", markup=False, soft_wrap=True)
    if total > len(found):
        out.print(f"[dim]{len(found):,} of {total:,}; more: --limit[/dim]")


@app.command()
def decide(
    visit: VisitId,
    action: Annotated[str, typer.Argument(metavar="ACTION", help="approve, decline, confirm, change or note.")],
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="A reason word such as card_forgotten, or your own words.")],
    settings: SettingsFile = None,
    site: Site = None,
    set_state: Annotated[State | None, typer.Option("--state", help="With change or confirm: the state.")] = None,
    courier: Annotated[str | None, typer.Option(help="With change or confirm: who came.")] = None,
    person: Annotated[str | None, typer.Option(help="With change or confirm: who was visited.")] = None,
    service: Annotated[str | None, typer.Option(help="With change or confirm: the service.")] = None,
    start: Annotated[str | None, typer.Option(help="With change or confirm: 2026-11-20T11:20, time of the site.")] = None,
    end: Annotated[str | None, typer.Option(help="With change or confirm: the end.")] = None,
    counted: Annotated[bool | None, typer.Option("--counted/--not-counted", help="With change: into the claim or not.")] = None,
) -> None:
    """A person's word about a visit: approve and decline settle a review, confirm says it took place without a tap."""
    if action not in ACTIONS:
        raise Misconfigured(f"there is no action {action[:40]!r}", f"one of {', '.join(ACTIONS)}")
    found_settings = settings_of(settings)
    found_site = site_of(found_settings, site)
    where = zone_of(found_settings, found_site)
    changes: dict[str, Any] = {
        "state": set_state.value if set_state else None,
        "courier": courier,
        "person": person,
        "service": service,
        "start_ns": instant(start, where),
        "end_ns": instant(end, where),
        "counted": counted,
    }
    given = {name: value for name, value in changes.items() if value is not None}
    answer = ask(
        found_settings, "visits.decide", site=found_site, visit=visit, by=by, action=action, reason=reason, changes=given
    )
    _answered(answer)


@app.command("object")
def object_(
    visit: VisitId,
    courier: Annotated[str, typer.Option(help="Whose visit it is.")],
    text: Annotated[str, typer.Option(help="What is wrong, in the courier's words.")],
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """Write down a courier's objection; the visit goes to review, and nothing else changes."""
    found = settings_of(settings)
    answer = ask(found, "visits.object", site=site_of(found, site), visit=visit, courier=courier, text=text)
    _answered(answer)


def _answered(answer: Any) -> None:
    now = answer["visit"]
    told = in_both(State(now["state"]))
    counted = "计入 counted" if now["counted"] else "不计入 not counted"
    waits = ", 待核对 in review" if now["reviewing"] else ""
    out.print(f"[green]已记录 written[/green] as entry {answer['n']}: {safe(str(now['id']))} {told}, {counted}{waits}")


@app.command()
def refused(
    settings: SettingsFile = None,
    site: Site = None,
    date_from: Annotated[str | None, typer.Option("--from", help="First date: 2026-11-01, today or yesterday.")] = None,
    date_to: Annotated[str | None, typer.Option("--to", help="Last date.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many, the newest first.")] = 50,
    json: AsJson = False,
) -> None:
    """Taps whose own proof is wrong: forged or used codes, foreign cards. Kept, shown, never a visit."""
    found_settings = settings_of(settings)
    found_site = site_of(found_settings, site)
    where = zone_of(found_settings, found_site)
    first, last = (a_date(text, where) if text else None for text in (date_from, date_to))
    with ledger(found_settings) as opened:
        found = opened.refused(found_site, date_from=first, date_to=last, limit=limit)
    if json:
        as_json(found)
        return
    for judged in found:
        out.print(tap_line(judged, where), soft_wrap=True)
    if not found:
        out.print("没有 none")


@app.command()
def link(
    courier: Annotated[str, typer.Argument(metavar="COURIER", help="Pseudonym of the courier.")],
    by: By,
    settings: SettingsFile = None,
    site: Site = None,
    days: Annotated[float, typer.Option(min=0.01, max=400, help="How long it is good.")] = 90.0,
) -> None:
    """Make a courier's personal link: his own record and objections, without a password. Shown this once."""
    found = settings_of(settings)
    answer = ask(found, "visits.link", courier=courier, site=site_of(found, site), by=by, days=days)
    public = found.console.public_url.rstrip("/")
    out.print(f"{public}/me/{answer['token']}", markup=False, soft_wrap=True)
    if not public:
        out.print("[dim]put the console's address before it; set console.public_url, and it stands here[/dim]")
    out.print("whoever has it sees this courier's record: give it to nobody else; lost: `kanhu visits unlink`, then a new one")


@app.command()
def unlink(
    courier: Annotated[str, typer.Argument(metavar="COURIER", help="Pseudonym of the courier.")],
    by: By,
    settings: SettingsFile = None,
) -> None:
    """Take all personal links of a courier back."""
    answer = ask(settings_of(settings), "visits.unlink", courier=courier, by=by)
    out.print(f"{answer['removed']} removed")
