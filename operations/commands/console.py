"""`kanhu console user ...` and `kanhu console audit`: who may log in, and who did what. Works also while the console runs."""

import getpass
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dashboards.console import users as people
from dashboards.console.address import first_code_file, url
from dashboards.console.audit import Audit
from dashboards.console.roles import Role
from dashboards.console.store import Store
from dashboards.console.users import User, Users
from edge_gateway.errors import Rejected
from edge_gateway.settings import Settings
from operations import words
from operations.commands.common import SettingsFile, load, out

app = typer.Typer(help="The staff's pages in a browser, and who may log in there.")
user = typer.Typer(help="People who may log in to the console.", no_args_is_help=True)
app.add_typer(user, name="user")
Id = Annotated[str, typer.Argument(metavar="ID", help="a-z, 0-9, - and _; stands in the ledger as who decided.")]
Places = Annotated[
    list[str] | None, typer.Option("--place", help="`*`, SITE or SITE/PLACE he may see; again for more.", show_default=False)
]
TERMINAL = "terminal"


def _open(settings: Settings) -> tuple[Store, Users]:
    store = Store(settings.console_file)
    return store, Users(store, Audit(store))


def hint(settings: Settings, title: str) -> list[str]:
    """For a screen: where the console is, and the code of the first administrator while there is none."""
    if not settings.console.enabled:
        return []
    try:
        code = first_code_file(settings.data_dir).read_text(encoding="utf-8").strip()
    except OSError:
        return [f"{title}{url(settings.console)}"]
    return [f"{title}{url(settings.console)}   first start: the code {code} makes the administrator"]


def say_where(settings: Settings, screen: Console) -> None:
    """Where it is, once, where there is no screen to stand on; the code of the first administrator stays in its file."""
    if settings.console.enabled and not screen.is_terminal:
        code = f" (first start: the code is in {first_code_file(settings.data_dir)})" if _no_administrator(settings) else ""
        screen.print(f"console: {url(settings.console)}{code}", markup=False, soft_wrap=True)


def _no_administrator(settings: Settings) -> bool:
    """Also after a first start at which nobody typed the code."""
    if not settings.console_file.exists():
        return True
    store, users = _open(settings)
    try:
        return users.none_yet
    finally:
        store.close()


@user.command()
def add(
    id_: Id,
    role: Annotated[Role, typer.Option(help="What he is here.")],
    settings: SettingsFile = None,
    place: Places = None,
    language: Annotated[str, typer.Option(help=", ".join(people.LANGUAGES))] = people.LANGUAGES[0],
) -> None:
    """Make an account. The password is asked for, or read from standard input when that is no terminal."""
    new = User(id_, role, tuple(place or ()), language)
    people.check(new)
    store, users = _open(load(settings))
    try:
        if users.find(id_) is not None:
            raise Rejected("id_in_use", f"{id_} is somebody already; take another id")
        users.add(new, people.hashed(_password(id_)), TERMINAL)
    finally:
        store.close()
    out.print(f"[green]{id_}[/green] may log in as {role.value}")


@user.command()
def passwd(id_: Id, settings: SettingsFile = None) -> None:
    """Another password; he is logged out everywhere."""
    store, users = _open(load(settings))
    try:
        if users.find(id_) is None:
            raise Rejected("unknown_user", f"nobody is called {id_[:60]!r}; see `kanhu console user list`")
        users.set_password(id_, people.hashed(_password(id_)), TERMINAL)
    finally:
        store.close()
    out.print(f"[green]{id_}[/green] has a new password")


@user.command("set")
def set_(
    id_: Id,
    role: Annotated[Role, typer.Option(help="What he is from now on.")],
    settings: SettingsFile = None,
    place: Places = None,
) -> None:
    """Another role or other places; he is logged out everywhere and logs in anew."""
    store, users = _open(load(settings))
    try:
        users.set_role(id_, role, tuple(place or ()), TERMINAL)
    finally:
        store.close()
    out.print(f"[green]{id_}[/green] is {role.value} now, for {escape(', '.join(place or ()) or 'no place')}")


@user.command("list")
def list_(settings: SettingsFile = None) -> None:
    """Everybody who may log in."""
    store, users = _open(load(settings))
    found = users.all()
    store.close()
    table = Table("id", "role", "places", "language")
    for one in found:
        table.add_row(one.id, one.role.value, escape(", ".join(one.places)), one.language)
    out.print(table if found else "nobody yet; `kanhu console` shows a code for the first administrator")


@user.command()
def remove(id_: Id, settings: SettingsFile = None) -> None:
    """He can log in no more; what he did stays in the logs."""
    store, users = _open(load(settings))
    try:
        users.remove(id_, TERMINAL)
    finally:
        store.close()
    out.print(f"[green]{id_}[/green] is removed")


@app.command()
def audit(
    settings: SettingsFile = None,
    last: Annotated[int, typer.Option(min=1, help="So many of the newest.")] = 50,
) -> None:
    """Who did what in the console, and whether the log is whole. Exit 1 when somebody has changed it."""
    store = Store(load(settings).console_file)
    log = Audit(store)
    try:
        trouble, (head, link) = log.trouble(), log.head()
        for entry in log.entries(max(0, head - last), last):
            when = words.moment(entry.at_ns, entry.at_ns)[3:]
            told = (entry.n, when, entry.who, entry.what, entry.subject, entry.address, entry.detail)
            out.print(words.printable("  ".join(str(part) for part in told if part not in ("", "{}"))), markup=False)
    finally:
        store.close()
    if trouble:
        out.print(f"[red]{escape(trouble)}[/red]")
        raise typer.Exit(1)
    out.print(f"[green]whole[/green]: {head:,} entries, the last one {link}")


def _password(id_: str) -> str:
    if sys.stdin.isatty():
        password = getpass.getpass("password: ")
        if getpass.getpass("again: ") != password:
            raise Rejected("bad_password", "the two were different; nothing was changed")
    else:
        password = sys.stdin.readline().rstrip("\n")
    people.check_password(password, id_)
    return password
