"""`kanhu dead-letters`: messages that could not be accepted, why, and another chance for them."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from edge_gateway import commands, view
from edge_gateway.reasons import REASONS
from operations import words
from operations.commands.common import AsJson, SettingsFile, load, out

app = typer.Typer(help="Messages that could not be accepted: why, and another chance for them.", no_args_is_help=True)
Numbers = Annotated[list[int], typer.Argument(metavar="NUMBER...", help="As shown by list.")]


@app.command("list")
def list_(
    settings: SettingsFile = None,
    reason: Annotated[str | None, typer.Option(help="Only those refused for this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest first.")] = 20,
    json: AsJson = False,
) -> None:
    """How many for each reason, and the newest ones. Works also while the gateway is down."""
    store = load(settings).store_file
    counted, found = view.reasons(store), view.letters(store, reason, limit)
    if json:
        import msgspec

        tree = {"reasons": counted, "letters": found}
        out.print(msgspec.json.format(msgspec.json.encode(tree), indent=1).decode(), markup=False, soft_wrap=True)
        return
    if not counted:
        out.print("没有无法识别的消息 no dead letters")
        return
    for kind in counted:
        twice = f" ({kind.letters:,} different)" if kind.letters != kind.times else ""
        out.print(f"[bold]{kind.reason}[/bold] {kind.times:,}{twice}: {REASONS.get(kind.reason, f'refused at {kind.stage}')}")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("number", "last", "times", "reason", "topic", "detail"):
        table.add_column(title, overflow="fold")
    now_ns = time.time_ns()
    for letter in found:
        when = words.moment(letter.last_ns, now_ns)
        texts = (letter.reason, words.printable(letter.topic), words.printable(letter.detail)[:120])
        table.add_row(str(letter.id), when, str(letter.times), *(text.replace("[", r"\[") for text in texts))
    out.print("", table)
    out.print(
        "[dim]look at one: kanhu dead-letters show NUMBER; after mending the cause: kanhu dead-letters retry NUMBER[/dim]"
    )


@app.command()
def show(
    number: Annotated[int, typer.Argument(help="As shown by list.")],
    settings: SettingsFile = None,
    whole: Annotated[bool, typer.Option("--whole", help="All bytes, not only the first 1,024.")] = False,
) -> None:
    """One dead letter: what was wrong, and its bytes, written so that no terminal obeys them."""
    letter, now_ns = view.find_letter(load(settings).store_file, number), time.time_ns()
    lines = [
        f"{letter.reason}: {words.printable(letter.detail)}",
        f"what to do: {REASONS.get(letter.reason, 'the database refused it; mend the cause there, then retry')}",
        f"topic {words.printable(letter.topic)}, boot {letter.boot}, seq {letter.seq}, stage {letter.stage}",
        f"came {letter.times} times, {words.moment(letter.first_ns, now_ns)} to {words.moment(letter.last_ns, now_ns)}",
        f"{len(letter.payload):,} bytes",
        *words.hexdump(letter.payload, len(letter.payload) if whole else 1024),
    ]
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


@app.command()
def retry(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="NUMBER...", help="As shown by list.")] = None,
    settings: SettingsFile = None,
    reason: Annotated[str | None, typer.Option(help="All that were refused for this reason.")] = None,
) -> None:
    """Give them another chance, after the registry, the catalogue or the database was mended. What is taken leaves the list."""
    found = load(settings)
    chosen = _chosen(numbers, reason, found.store_file)
    results = commands.call(found.command_socket, "dead.retry", timeout_s=60.0, ids=chosen)
    for number, result in results.items():
        out.print(
            f"{number}: [green]{result}[/green]" if result == "stored" else f"{number}: [yellow]{result}[/yellow], it stays"
        )


@app.command()
def remove(numbers: Numbers, settings: SettingsFile = None) -> None:
    """Throw them away for ever."""
    out.print(f"{commands.call(load(settings).command_socket, 'dead.remove', ids=numbers)} removed")


def _chosen(numbers: list[int] | None, reason: str | None, store: Path) -> list[int]:
    if bool(numbers) == (reason is not None):
        raise typer.BadParameter("give numbers, or --reason")
    return numbers or [letter.id for letter in view.letters(store, reason, limit=10_000)]
