"""`kanhu alerts`: what is open, and the named person who takes it and closes it."""

from typing import Annotated, Any

import typer
from rich.markup import escape

from edge_gateway import commands, evidence_words, view
from edge_gateway.alerts import Alert, State
from edge_gateway.alerts.story import NEXT, NOW, story
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.registry import Registry
from edge_gateway.registry import load as load_registry
from edge_gateway.rules.words import zone
from edge_gateway.settings import Settings
from operations import words
from operations.commands.common import AsJson, SettingsFile, load, out

STATES = {State.RAISED: "已收到", State.NOTIFIED: "已通知", State.ACCEPTED: "有人接手", State.CLOSED: "已处理"}
_PARTS = {NOW: "这一轮 this round", NEXT: "接下来 next"}
SEVERITIES = {"urgent": "[bold red]紧急 urgent[/bold red]", "warning": "[yellow]告警 warning[/yellow]", "notice": "提醒 notice"}

app = typer.Typer(help="Open alerts; a named person accepts and closes them.", invoke_without_command=True)
Id = Annotated[str, typer.Argument(metavar="ALERT", help="Its id, such as 20261121-1405-sos-3f2a.")]
By = Annotated[str, typer.Option("--by", help="Who you are: a-z, 0-9, - and _. It stands in the alert's history.")]


@app.callback()
def alerts(context: typer.Context, settings: SettingsFile = None) -> None:
    """Open alerts; a named person accepts and closes them. Without a command: list."""
    context.obj = settings
    if context.invoked_subcommand is None:
        _list(load(settings), every=False, json=False)


@app.command("list")
def list_(
    context: typer.Context,
    settings: SettingsFile = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    json: AsJson = False,
) -> None:
    """Open alerts, most urgent first. Works also while the gateway is down."""
    _list(load(settings or context.obj), every, json)


@app.command()
def show(context: typer.Context, alert: Id, settings: SettingsFile = None) -> None:
    """One alert: what happened, who was told, and its history."""
    found = load(settings or context.obj)
    _print(view.find_alert(found.store_file, alert), _registry(found), whole=True)


@app.command()
def accept(context: typer.Context, alert: Id, by: By, settings: SettingsFile = None) -> None:
    """You deal with it: the messages stop. Whoever accepts second is told who was first."""
    done = _ask(load(settings or context.obj), "alerts.accept", id=alert, by=by)
    if done["accepted_by"] == by:
        out.print(f"[green]有人接手 accepted by {escape(by)}[/green]: {escape(done['text_zh'])}")
        out.print(f"when it is over: {words.program()} alerts close {done['id']} --by {escape(by)} --reason visited_fine")
    else:
        out.print(f"[yellow]{escape(done['accepted_by'])} had already accepted it[/yellow]; nothing was changed")


@app.command()
def close(
    context: typer.Context,
    alert: Id,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="false_press, visited_fine, ambulance, test, or your own words.")],
    settings: SettingsFile = None,
) -> None:
    """It is over, and why. An SOS is closed by a person only."""
    done = _ask(load(settings or context.obj), "alerts.close", id=alert, by=by, reason=reason)
    out.print(f"[green]已处理 closed by {escape(done['closed_by'])}[/green]: {escape(done['text_zh'])}")


def accept_command(alert: Alert, by: str = "you", option: str = "") -> str:
    """What a person types to accept this alert."""
    return f"{words.program()} alerts accept {alert.id} --by {by}{option}"


def _ask(settings: Settings, command: str, **arguments: Any) -> Any:
    try:
        return commands.call(settings.command_socket, command, **arguments)
    except Unavailable as error:
        # The store has one writer: nothing can be accepted behind its back.
        raise Unavailable(f"{error}. The alert is on disk and stays open until then") from error


def _list(settings: Settings, every: bool, json: bool) -> None:
    found = view.alert_list(settings.store_file, closed=every)
    if json:
        import msgspec

        out.print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode(), markup=False, soft_wrap=True)
        return
    if not found:
        out.print("没有未处理的告警 no open alerts")
    registry = _registry(settings)
    for alert in found:
        _print(alert, registry)


def _registry(settings: Settings) -> Registry:
    """Only for the time zones of the screen; a bad one must not hide an SOS."""
    try:
        return load_registry(settings.registry)
    except Misconfigured:
        return Registry()


def _print(alert: Alert, registry: Registry, whole: bool = False) -> None:
    import time

    where, now_ns = zone(registry, alert.site), time.time_ns()
    since = f"{words.moment(alert.raised_ns, now_ns, where)}, {words.ago(alert.raised_ns, now_ns)}"
    who = f" ({escape(alert.accepted_by)})" if alert.accepted_by else ""
    out.print(f"{SEVERITIES[alert.severity]} {STATES[alert.state]} {alert.state}{who} · {since} · [bold]{alert.id}[/bold]")
    site = registry.sites.get(alert.site)
    community = f"{site.name or alert.site} · " if site and alert.place and len(registry.sites) > 1 else ""
    out.print(f"  {escape(community + alert.text_zh)}\n  {escape(community + alert.text_en)}")
    if alert.told:
        out.print(f"  已通知 told: {', '.join(alert.told)}")
    elif alert.unanswered:
        trouble = next(
            (send.error for send in alert.sends if send.error), "nobody is in [[alerts.people]], or no channel answered"
        )
        out.print(f"  [red]nobody was told yet[/red]: {escape(trouble)}")
    if alert.unanswered:
        out.print(f"  接手 accept it: {accept_command(alert)}")
    steps = story(alert)
    if not whole:
        coming = [line for line in steps if line.when == NEXT]
        if coming:
            out.print(
                "  接下来 next: "
                + "; ".join(f"{words.moment(n.at_ns, now_ns, where)} {escape(n.zh)} {escape(n.en)}" for n in coming)
            )
        return
    out.print("  证据 evidence:", *(f"\n    {escape(words.printable(_seen(line)))}" for line in alert.evidence))
    if alert.count > 1:
        out.print(f"  found {alert.count} times while it was open")
    if alert.chain:
        out.print(f"  名单 people: {' → '.join(alert.chain)} (first {min(alert.reached, len(alert.chain))} told in a round)")
    out.print("  经过 history:")
    for change in alert.history:
        reason = f": {escape(words.printable(change.reason))}" if change.reason else ""
        moment = words.moment(change.at_ns, now_ns, where)
        out.print(f"    {moment} {STATES[change.state]} {change.state} by {escape(change.by)}{reason}")
    for when, title in _PARTS.items():
        lines = [line for line in steps if line.when == when]
        if lines:
            out.print(f"  {title}:")
        for line in lines:
            text = f"{escape(words.printable(line.zh))} · {escape(words.printable(line.en))}"
            out.print(f"    {words.moment(line.at_ns, now_ns, where)} {text}")


def _seen(line: str) -> str:
    """A piece of evidence in both languages."""
    said = evidence_words.read(line)
    return evidence_words.zh(line) if said.zh == said.en else f"{evidence_words.zh(line)} / {said.en}"
