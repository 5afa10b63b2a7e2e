"""What the commands at the desk share: the reader, the master's passphrase, the gateway, and how a card is told to a person."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import typer

from edge_gateway.commands import call
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.settings import Settings
from edge_gateway.topics import ID
from edge_gateway.visits.records import Card, CardKind
from operations.cards import desk
from operations.cards import master as masters
from operations.cards.identify import identify
from operations.cards.layout import link_of
from operations.cards.ntag424 import read_link
from operations.cards.reader import Card as HeldCard
from operations.cards.reader import Reader, find_again, open_reader, shown, wait_for_removal
from operations.commands.common import err, out

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger

WORTH: Final = {
    CardKind.NTAG424: "a code that is new at each reading: at the reader of a home it proves that the card was there",
    CardKind.NTAG424_LRP: "a code that is new at each reading: at the reader of a home it proves that the card was there",
    CardKind.NTAG21X: "a number that its maker signed, and a counter: a copy is noticed, not prevented",
    CardKind.UID: "a number that anybody can copy: weak evidence, which a person looks at",
}
_REMOVAL_S: Final = 10.0
_NO_MASTER: Final = "--master FILE; make one: kanhu cards master new"
_T = TypeVar("_T")


def say(text: str) -> None:
    """What goes on at the desk, on stderr: stdout is for the result."""
    err.print(f"[dim]{text}[/dim]")


def with_card(name: str, wait_s: float, act: Callable[[Reader, HeldCard], _T]) -> _T:
    """Do it with the next card on this reader."""
    with closing(open_reader(name)) as reader:
        err.print("请放卡 hold a card to the reader, until it is done")
        done = desk.patiently(reader, wait_s, say, partial(act, reader))
        err.print("可取卡 done, take the card away")
        if err.is_terminal:
            # Else the next command would begin with the card of this one.
            wait_for_removal(reader, _REMOVAL_S)
        return done


def master(file: Path | None, passphrase_file: Path | None) -> bytes:
    """
    Raises:
        Misconfigured: no file was named, or it does not open.
    """
    if file is None:
        raise Misconfigured("this needs the master of the keys", _NO_MASTER)
    word = masters.passphrase_from(passphrase_file)
    return masters.read(file, str(typer.prompt("passphrase", hide_input=True, err=True)) if word is None else word)


def gateway(settings: Settings) -> desk.Gateway:
    return partial(call, settings.command_socket)


def ids(**values: str) -> None:
    """
    Raises:
        Misconfigured: one of these is no id.
    """
    for what, value in values.items():
        if ID.fullmatch(value) is None:
            raise Misconfigured(f"{what} {value[:60]!r} cannot be an id", "a-z, 0-9, - and _, at most 48 characters")


def cards(settings: Settings, site: str | None) -> list[Card]:
    """As the ledger has them; none before there is a ledger."""
    with _ledger(settings) as ledger:
        return list(ledger.cards(site)) if ledger is not None else []


def card(settings: Settings, name: str) -> Card:
    """
    Raises:
        Rejected: there is none of this id.
    """
    with _ledger(settings) as ledger:
        found = ledger.card(name) if ledger is not None else None
    if found is None:
        raise Rejected("unknown_card", f"there is no card {name[:40]!r}; `kanhu cards list --all` shows them")
    return found


@contextmanager
def _ledger(settings: Settings) -> "Iterator[Ledger | None]":
    from edge_gateway.visits.look import open_ledger

    try:
        ledger = open_ledger(settings.visits_file)
    except Unavailable:
        yield None
        return
    with ledger:
        yield ledger


def when(at_ns: int, where: tzinfo | None = None) -> str:
    """Local time of a site, else of this machine, to the minute."""
    return datetime.fromtimestamp(at_ns / 1e9, UTC).astimezone(where).strftime("%Y-%m-%d %H:%M")


def print_json(value: Any) -> None:
    out.print(json.dumps(value, ensure_ascii=False), markup=False, soft_wrap=True)


def tell(made: desk.Made, as_json: bool, done: str, more: str) -> None:
    """The result of a card that was made or changed."""
    if as_json:
        fields = {"card": made.card, "kind": made.kind.value, "key_version": made.key_version, "counter": made.counter}
        print_json(fields)
        return
    out.print(f"[green]{done}[/green] card {made.card} ({made.kind.value}, number {made.number}): {more}")


def code(reader: Reader, held: HeldCard) -> str:
    """The text that the card gives for this one reading.

    Raises:
        Rejected: it gives none.
    """
    text = ""
    if identify(reader, held).kind is CardKind.NTAG424:
        text = link_of(read_link(find_again(reader, held.uid)))
    if "?" not in text:
        raise Rejected("no_code", "this card gives no code")
    return text


def inspect(reader: Reader, ask: desk.Gateway, site: str, secret: bytes | None, held: HeldCard) -> dict[str, Any]:
    """What this card is, whose, and what it proves: `says` are sentences."""
    found = identify(reader, held)
    says = [f"{found.name}, number {shown(found.uid or held.uid)}", f"such a card can give {WORTH[found.kind]}"]
    told: dict[str, Any] = {"kind": found.kind.value, "proved": False, "card": None, "says": says}
    known = None
    if found.kind is CardKind.NTAG424 and secret is not None:
        known = _checked(reader, ask, site, secret, held, told)
    elif found.uid:
        known = ask("cards.find", site=site, uid=found.uid.hex())
    if found.kind is CardKind.NTAG424 and secret is None:
        says.append("with --master its code is checked here")
    if known is None:
        says.append(f"{site} does not know it")
        return told
    told["card"] = known["id"]
    says.append(f"card {known['id']} of {known['role']} {known['holder']}, enrolled {when(known['enrolled_ns'])}")
    if known["revoked_ns"] is not None:
        says.append(f"REVOKED {when(known['revoked_ns'])} ({known['reason']}): its taps go to review")
    return told


def _checked(reader: Reader, ask: desk.Gateway, site: str, secret: bytes, held: HeldCard, told: dict[str, Any]) -> Any:
    try:
        read = desk.verify(ask, site, secret, code(reader, held))
    except Rejected as error:
        told["says"].append(f"it proves nothing: {error.detail}")
        return None
    told["proved"], told["counter"] = True, read.counter
    told["says"].append(f"its code is right: this very card, reading {read.counter}")
    return read.card
