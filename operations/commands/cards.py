"""`kanhu cards`: make cards at the desk, look at them, take them out of use."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from edge_gateway.commands import call
from edge_gateway.errors import Misconfigured
from edge_gateway.visits import codec
from edge_gateway.visits.records import CardKind, CardRole
from operations.cards import at_desk, desk
from operations.cards import master as masters
from operations.cards.layout import DEFAULT_LINK
from operations.commands.common import AsJson, SettingsFile, err, instant, load, out
from operations.commands.visits_common import zone_of

app = typer.Typer(help="Cards and tags: make them at the desk, list them, revoke them.", no_args_is_help=True)
master_app = typer.Typer(help="The master of all cards' keys, which a person holds.", no_args_is_help=True)
app.add_typer(master_app, name="master")

CardId = Annotated[str, typer.Argument(metavar="CARD", help="Its id, such as c-7f3a9k; `kanhu cards list` shows them.")]
SiteId = Annotated[str, typer.Option(help="Id of the site.")]
By = Annotated[str, typer.Option(help="Who you are: a-z, 0-9, - and _. It stands in the ledger.")]
MasterFile = Annotated[
    Path | None,
    typer.Option(envvar="KANHU_CARDS_MASTER", help="File of the master: `kanhu cards master new`.", show_envvar=False),
]
PassphraseFile = Annotated[
    Path | None, typer.Option(help=f"File with its passphrase, for scripts; or {masters.PASSPHRASE}; else you are asked.")
]
ReaderName = Annotated[
    str,
    typer.Option("--reader", envvar="KANHU_CARDS_READER", help="usb, tty:/dev/ttyUSB0:pn532, or pcsc.", show_envvar=False),
]
Wait = Annotated[float, typer.Option(min=0, help="How long to wait for a card, seconds.")]


_IN_HAND: Final = frozenset({CardRole.COURIER, CardRole.STAFF, CardRole.ELDER})


@master_app.command()
def new(
    file: Annotated[Path, typer.Option(help="A new file; keep it on a stick, not on the gateway.")],
    restore: Annotated[bool, typer.Option("--restore", help="Make it from the backup code on the paper.")] = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a master, sealed by a passphrase. Its backup code is shown this once: write it on paper, and lock that away."""
    if file.exists():
        raise Misconfigured(f"{file} is there already", "give another file")
    known = masters.restored(typer.prompt("backup code")) if restore else None
    word = masters.passphrase_from(passphrase_file)
    if word is None:
        word = str(typer.prompt("passphrase", hide_input=True, confirmation_prompt=True))
    made = masters.make(file, word, known)
    out.print(f"[green]已生成 made[/green] {file}, fingerprint {masters.fingerprint(made)}")
    if not restore:
        out.print(f"backup code:  {masters.backup(made)}", markup=False)
        out.print("on paper, away from the file: who has it can copy every card; without file and paper none can be changed")


@master_app.command()
def check(file: Annotated[Path, typer.Option(help="File of the master.")], passphrase_file: PassphraseFile = None) -> None:
    """Does the passphrase open it? Shows the fingerprint, by which two masters are told apart."""
    out.print(f"[green]可用 good[/green] {file}, fingerprint {masters.fingerprint(at_desk.master(file, passphrase_file))}")


@app.command()
def enrol(
    site: SiteId,
    role: Annotated[CardRole, typer.Option(help="Whose card it is: courier, staff, elder, place or service.")],
    holder: Annotated[str, typer.Option(help="Id of the courier, member of staff, elder, place or service.")],
    by: By,
    master: MasterFile = None,
    link: Annotated[
        str, typer.Option(envvar="KANHU_CARDS_LINK", help="Where a phone goes that reads it; no name in it.", show_envvar=False)
    ] = DEFAULT_LINK,
    weak: Annotated[bool, typer.Option("--weak", help="Take also a card that anybody can copy.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Take a card that was revoked, with new keys.")] = False,
    reader: ReaderName = "usb",
    wait: Wait = 60.0,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """Make the card on the reader one of the site. If it is taken away too early, hold it again, or do the same again."""
    at_desk.ids(site=site, holder=holder, by=by)
    wish = desk.Wish(site, role, holder, by, link, weak, again)
    known = load(settings)
    ask = at_desk.gateway(known)
    secret = None if master is None else at_desk.master(master, passphrase_file)
    made = at_desk.with_card(reader, wait, lambda there, card: desk.enrol(there, ask, secret, wish, card, at_desk.say))
    at_desk.tell(made, as_json, "已登记 enrolled", f"{role.value} {holder}")
    if made.kind is CardKind.UID:
        err.print("[yellow]anybody can copy its number: its taps are weak evidence, and a person looks at them[/yellow]")
    for other in at_desk.cards(known, site) if role in _IN_HAND else []:
        if other.revoked_ns is None and (other.role, other.holder) == (role, holder) and other.id != made.card:
            # Mostly the one before was lost. Whoever has it now taps as its holder, and nothing would show it.
            lost = f"kanhu cards revoke {other.id} --by {by} --reason lost"
            err.print(f"[yellow]{holder} has also card {other.id}; if it is lost or broken: {lost}[/yellow]", soft_wrap=True)


@app.command()
def rotate(
    card: CardId,
    by: By,
    master: MasterFile = None,
    reader: ReaderName = "usb",
    wait: Wait = 60.0,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """Give the card on the reader new keys. Until it is done the gateway reads the old ones too."""
    at_desk.ids(by=by)
    found = load(settings)
    ask, known = at_desk.gateway(found), codec.plain(at_desk.card(found, card))
    secret = at_desk.master(master, passphrase_file)
    made = at_desk.with_card(reader, wait, lambda there, held: desk.rotate(there, ask, secret, known, by, held, at_desk.say))
    at_desk.tell(made, as_json, "已换钥 rotated", f"key version {made.key_version}")


@app.command()
def revoke(
    card: CardId,
    by: By,
    reason: Annotated[str, typer.Option(help="lost, stolen, left, or your own words; no names.")],
    since: Annotated[str | None, typer.Option(help="Lost since 2026-11-20T14:05+08:00: taps after it are looked at.")] = None,
    settings: SettingsFile = None,
) -> None:
    """Take a card out of use, now. Its taps from then on go to review; readers are told at once, or when they are back."""
    at_desk.ids(by=by)
    arguments: dict[str, Any] = {"card": card, "by": by, "reason": reason}
    if since is not None:
        arguments["since_ns"] = instant(since)
    call(load(settings).command_socket, "cards.revoke", **arguments)
    out.print(f"[green]已作废 revoked[/green] {card}")


@app.command()
def audit(
    site: SiteId,
    by: By,
    master: MasterFile = None,
    text: Annotated[
        str | None, typer.Option(help="What a phone read from the tag on its wall; else it is at the desk.")
    ] = None,
    reader: ReaderName = "usb",
    wait: Wait = 60.0,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """Burn what was harvested from a wall tag: every code below this reading counts no more."""
    at_desk.ids(site=site, by=by)
    ask = at_desk.gateway(load(settings))
    secret = at_desk.master(master, passphrase_file)
    if text is not None:
        made = desk.audit(ask, site, secret, text, by)
    else:
        made = at_desk.with_card(reader, wait, lambda there, card: desk.audit(ask, site, secret, at_desk.code(there, card), by))
    at_desk.tell(made, as_json, "已核 audited", f"all counters below {made.counter} are used up")


@app.command()
def test(
    site: SiteId,
    master: MasterFile = None,
    reader: ReaderName = "usb",
    wait: Wait = 60.0,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """Read a card at the desk and say what it is, whose, and what it proves. Nothing is written; its counter rises."""
    at_desk.ids(site=site)
    ask = at_desk.gateway(load(settings))
    secret = None if master is None else at_desk.master(master, passphrase_file)
    told = at_desk.with_card(reader, wait, lambda there, card: at_desk.inspect(there, ask, site, secret, card))
    if as_json:
        at_desk.print_json(told)
        return
    for line in told["says"]:
        out.print(line, markup=False)


@app.command("list")
def list_(
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are revoked.")] = False,
    as_json: AsJson = False,
    settings: SettingsFile = None,
) -> None:
    """Cards by id, with whose they are. Works also while the gateway is down."""
    found = load(settings)
    cards = [card for card in at_desk.cards(found, site) if everything or card.revoked_ns is None]
    if as_json:
        at_desk.print_json([codec.plain(card) for card in cards])
        return
    for card in cards:
        gone = ""
        if card.revoked_ns is not None:
            at = at_desk.when(card.revoked_ns, zone_of(found, card.site))
            gone = f"  [red]已作废 revoked[/red] {at} {card.reason}"
        out.print(f"{card.id}  {card.site}  {card.role.value} {card.holder}  {card.kind.value}{gone}")
    out.print(f"[dim]{len(cards)} card{'' if len(cards) == 1 else 's'}[/dim]")


@app.command()
def show(card: CardId, as_json: AsJson = False, settings: SettingsFile = None) -> None:
    """One card: whose, since when, with which keys. Its number is not shown."""
    known = load(settings)
    found = at_desk.card(known, card)
    where = zone_of(known, found.site)
    if as_json:
        at_desk.print_json(codec.plain(found))
        return
    lines = {
        "card": found.id,
        "site": found.site,
        "of": f"{found.role.value} {found.holder}",
        "kind": f"{found.kind.value}: {at_desk.WORTH[found.kind]}",
        "keys": f"version {found.key_version}",
        "enrolled": at_desk.when(found.enrolled_ns, where),
    }
    if found.revoked_ns is not None:
        lines["revoked"] = f"{at_desk.when(found.revoked_ns, where)}, {found.reason}"
    for name, value in lines.items():
        out.print(f"{name:9} {value}", markup=False)
