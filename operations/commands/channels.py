"""`kanhu channels`: the ways to each person, what is wrong with them, and a test message through them."""

from dataclasses import dataclass
from secrets import token_hex
from typing import Annotated, Final

import typer
from rich.markup import escape

from edge_gateway.duty import file as duty_file
from edge_gateway.duty.chain import everybody
from edge_gateway.errors import Rejected
from edge_gateway.notify import Letter, Outcome, notifier_for
from edge_gateway.rules import Severity
from edge_gateway.settings import Person, Settings
from operations.commands.common import SettingsFile, load, out
from operations.doctor.channels import mistakes

app = typer.Typer(help="The ways to people, and a test message through them.", invoke_without_command=True)
_ZH: Final = "这是测试, 不用处理。看到这条消息, 说明这个渠道能用。"
_EN: Final = "This is a test; there is nothing to do. If you can read it, this channel works."


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one test message."""

    person: str
    channel: int
    kind: str
    outcome: Outcome


@app.callback()
def channels(context: typer.Context, settings: SettingsFile = None) -> None:
    """The ways to people, and a test message through them. Without a command: list."""
    context.obj = settings
    if context.invoked_subcommand is None:
        _list(load(settings))


@app.command("list")
def list_(context: typer.Context, settings: SettingsFile = None) -> None:
    """Each person's channels, first to last, and what is wrong with them; no address is shown. A mistake ends it with 1."""
    _list(load(settings or context.obj))


@app.command("try")
def try_(
    context: typer.Context,
    person: Annotated[str, typer.Argument(help="Id of the person.")],
    settings: SettingsFile = None,
    channel: Annotated[int | None, typer.Option("--channel", min=1, help="Only this one; 1 is the first.")] = None,
    urgent: Annotated[
        bool, typer.Option("--urgent", help="As loud as an SOS, with mentions; without it nothing rings.")
    ] = False,
) -> None:
    """Send a message that is marked as a test, and say what each channel answered. Ends with 1 when one did not take it."""
    found = load(settings or context.obj)
    severity = Severity.URGENT if urgent else Severity.NOTICE
    tried = attempt(_person(found, person), channel, severity, found.alerts.notify_timeout_s)
    for one in tried:
        told = "[green]taken[/green]" if one.outcome.delivered else f"[red]not taken[/red]: {escape(one.outcome.reason)}"
        if one.outcome.awaits_report:
            told = "[yellow]taken; whether it arrives only its report can tell[/yellow]"
        elif one.outcome.in_doubt:
            told = f"[yellow]in doubt[/yellow]: {escape(one.outcome.reason)}"
        out.print(f"{one.person} {one.channel} {one.kind}: {told}")
    if not all(one.outcome.delivered or one.outcome.awaits_report for one in tried):
        raise typer.Exit(1)


def attempt(person: Person, channel: int | None, severity: Severity, timeout_s: float) -> list[Tried]:
    """Send through the channels, one after the other.

    Raises:
        Rejected: there is no such channel.
    """
    numbers = range(1, len(person.urls) + 1) if channel is None else [channel]
    if not numbers or numbers[-1] > len(person.urls):
        raise Rejected("unknown_channel", f"{person.id} has {len(person.urls)} channels")
    tried = []
    for number in numbers:
        url = person.urls[number - 1]
        letter = Letter(
            "看护: 测试 / Kanhu: test",
            f"{_ZH}\n\n{_EN}",
            severity,
            token_hex(6),
            test=severity is not Severity.URGENT,
            short=_ZH,
        )
        notifier = notifier_for(url)
        if notifier is None:
            tried.append(Tried(person.id, number, "?", Outcome(False, "nobody can send to such an address")))
        else:
            tried.append(Tried(person.id, number, notifier.name, notifier.send(url, letter, timeout_s)))
    return tried


def _list(settings: Settings) -> None:
    people = _people(settings)
    for person in people:
        kinds = [notifier.name if (notifier := notifier_for(url)) else "?" for url in person.urls]
        out.print(f"{person.id}: {' → '.join(kinds) or '[red]no address[/red]'}")
    found = mistakes(people)
    for line in found:
        out.print(f"[red]{escape(line)}[/red]")
    if found:
        raise typer.Exit(1)


def _person(settings: Settings, wanted: str) -> Person:
    people = _people(settings)
    found = next((person for person in people if person.id == wanted), None)
    if found is None:
        known = ", ".join(person.id for person in people) or "nobody"
        raise Rejected("unknown_person", f"nobody is called {wanted[:60]!r}; known are {known}")
    return found


def _people(settings: Settings) -> list[Person]:
    return list(everybody(settings.alerts.people, duty_file.load(settings.duty_file)))
