"""`kanhu dashboards ...`: Grafana's dashboards and alert rules as files for a new Grafana, or pushed into one that runs."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from edge_gateway import registry
from edge_gateway.errors import Misconfigured, Rejected
from edge_gateway.settings import Settings, secret
from ingest.tokens import in_role
from operations.commands.common import SettingsFile, load, out

if TYPE_CHECKING:
    # Loaded where they are used: `kanhu status` should not wait for what builds dashboards.
    from dashboards.grafana.options import Options
    from dashboards.grafana.push.change import Plan
    from dashboards.grafana.push.client import Grafana

app = typer.Typer(help="Grafana's dashboards and alert rules, from this program.", no_args_is_help=True)

Address = Annotated[
    str, typer.Option("--grafana", envvar="GRAFANA_URL", metavar="URL", help="Grafana, as this machine reaches it.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        help="Holds the token of a service account with the role Admin; or GRAFANA_TOKEN, or GRAFANA_USER and _PASSWORD."
    ),
]
Public = Annotated[str, typer.Option(metavar="URL", help="Grafana, as people reach it: for links in messages.")]
Zone = Annotated[str, typer.Option(help="Of times and days; without it that of the registry's sites.", show_default=False)]
Tiles = Annotated[str, typer.Option(metavar="URL", help="Map tiles with {z}, {x}, {y}; without it maps ask nobody outside.")]
LanguageOf = Annotated[list[str] | None, typer.Option("--language", help="zh or en; again for more; both without it.")]
Gateways = Annotated[list[str] | None, typer.Option("--gateway", help="gateway.id of every gateway; this one's without it.")]
River = Annotated[
    int | None,
    typer.Option("--river-class", min=1, max=5, help="Class of GB 3838 that river rules watch.", show_default="3"),
]
Database = Annotated[
    str,
    typer.Option(
        "--influx-url",
        envvar="KANHU_GRAFANA_INFLUX_URL",
        metavar="URL",
        help="The database, as Grafana reaches it.",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: for scripts.")]

_GRAFANA: Final = 12
_INFLUX: Final = "KANHU_GRAFANA_INFLUX_URL"
_SIGN: Final = {"make": "[green]+[/green]", "change": "[yellow]~[/yellow]", "remove": "[red]-[/red]"}


@app.command()
def build(
    folder: Annotated[Path, typer.Argument(help="Of the files: empty, or one that an earlier build made.")],
    settings: SettingsFile = None,
    influx_url: Database = "",
    reader_token_file: Annotated[
        str, typer.Option(metavar="PATH", help="Of the database, where Grafana finds it.", show_default=False)
    ] = "",
    files: Annotated[str, typer.Option(metavar="PATH", help="Where Grafana finds the folder.", show_default=False)] = "",
    public_url: Public = "",
    zone: Zone = "",
    tiles: Tiles = "",
    language: LanguageOf = None,
    gateway: Gateways = None,
    river_class: River = None,
) -> None:
    """Write provisioning files for a new Grafana, checked before one is written. The same twice gives the same bytes."""
    from dashboards.grafana import build as builder
    from dashboards.grafana import contact_points

    found = load(settings)
    _influxql(found, influx_url)
    options = _options(found, influx_url, public_url, zone, tiles, language, gateway, river_class, reader_token_file, files)
    changed = builder.write(folder, options, os.environ)
    for path in changed:
        out.print(f"[red]removed[/red] {path[1:]}" if path.startswith("-") else f"[green]written[/green] {path}")
    for one in contact_points.left_out(options, os.environ):
        out.print(f"[dim]left out: contact point {one.uid}, {', '.join(one.missing)} not set[/dim]")
    out.print(f"{len(changed)} files changed in {folder}" if changed else f"{folder} is as it should be")
    # Where one of these is wrong Grafana does not start, and says so only in its own log.
    out.print(f"Grafana has to find this folder as {options.files} (--files)", markup=False, soft_wrap=True)
    if options.token_file:
        words = f"and the reader's token, readable by Grafana alone, as {options.token_file} (--reader-token-file)"
        out.print(words, markup=False, soft_wrap=True)
    out.print(f"start it with GF_PATHS_PROVISIONING={options.files}/provisioning", markup=False, soft_wrap=True)


@app.command()
def push(
    settings: SettingsFile = None,
    grafana: Address = "",
    token_file: TokenFile = None,
    influx_url: Database = "",
    public_url: Public = "",
    zone: Zone = "",
    tiles: Tiles = "",
    language: LanguageOf = None,
    gateway: Gateways = None,
    river_class: River = None,
    yes: Yes = False,
    secrets: Annotated[bool, typer.Option("--secrets", help="Send tokens and addresses of channels again.")] = False,
) -> None:
    """Bring dashboards and rules into a Grafana that runs: shows what differs, then changes that and nothing else.

    What provisioning files made is refused: an object comes from files or from a push, never from both. Addresses of channels
    are read from KANHU_GRAFANA_WEBHOOK_URL, _EMAIL, _WECOM_URL, _DINGTALK_URL, _FEISHU_URL.
    """
    from dashboards.grafana.push.plan import plan
    from dashboards.grafana.push.wanted import faults, wanted

    found = load(settings)
    _influxql(found, influx_url)
    options = _options(found, influx_url, public_url or grafana, zone, tiles, language, gateway, river_class)
    login = _login(found)
    client = _grafana(grafana, token_file, _texts(login))
    asked = wanted(options, os.environ, login)
    if wrong := faults(asked, options):
        raise Misconfigured("; ".join(wrong[:5]), "this is a fault of ours: please report it; nothing was changed")
    _say_version(client)
    made = plan(client, asked, renew_secrets=secrets)
    if _carry_out(client, made, yes):
        _tell_health(client)


@app.command()
def remove(grafana: Address = "", token_file: TokenFile = None, yes: Yes = False) -> None:
    """Take everything of ours out of a Grafana that it was pushed into; what others put into our folders stays."""
    from dashboards.grafana.push.plan import plan
    from dashboards.grafana.push.wanted import nothing

    client = _grafana(grafana, token_file, _texts(""))
    _carry_out(client, plan(client, nothing()), yes)


@app.command()
def check(
    settings: SettingsFile = None,
    grafana: Address = "",
    token_file: TokenFile = None,
    influx_url: Database = "",
    public_url: Public = "",
    zone: Zone = "",
    tiles: Tiles = "",
    language: LanguageOf = None,
    gateway: Gateways = None,
    river_class: River = None,
) -> None:
    """Change nothing: look for faults in what would be built; with --grafana try every rule there and show what differs."""
    from dashboards.grafana import build as builder
    from dashboards.grafana.push.plan import plan
    from dashboards.grafana.push.preflight import Outcome, preflight
    from dashboards.grafana.push.wanted import wanted

    found = load(settings)
    options = _options(found, influx_url, public_url or grafana, zone, tiles, language, gateway, river_class)
    with TemporaryDirectory() as folder:
        made = builder.write(Path(folder), options, os.environ)
    out.print(f"[green]{len(made)} files without a fault[/green]")
    if not grafana:
        return
    login = _login(found)
    client = _grafana(grafana, token_file, _texts(login))
    _say_version(client)
    differs = plan(client, wanted(options, os.environ, login))
    _show(differs)
    tried = preflight(client, differs.rules)
    for one in tried:
        if one.outcome is not Outcome.OK:
            out.print(f"{one.outcome:>8} {one.uid}: {one.detail}", markup=False)
    failed = sum(one.outcome is Outcome.FAILED for one in tried)
    out.print(f"{len(tried) - failed} of {len(tried)} rules run")
    _tell_health(client)
    if failed or differs.changes or differs.refused:
        raise typer.Exit(1)


def _options(
    found: Settings,
    influx_url: str,
    public_url: str,
    zone: str,
    tiles: str,
    language: Iterable[str] | None,
    gateway: Iterable[str] | None,
    river_class: int | None,
    token_file: str = "",
    files: str = "",
) -> "Options":
    """How this site's dashboards are; what nobody says comes from its settings and registry."""
    from dashboards.grafana.options import Options
    from dashboards.grafana.text import Language

    if strange := [one for one in language or () if one not in [*Language]]:
        raise Misconfigured(f"there is no language {strange[0]!r}", "zh or en")
    said: dict[str, Any] = {
        "influx_url": influx_url or found.influx.url,
        "files": files,
        "token_file": token_file,
        "languages": tuple(Language(one) for one in dict.fromkeys(language or ())),
        "gateways": tuple(gateway or ()) or (found.gateway.id,),
        "zone": zone or _zone(found),
        "river_class": river_class,
        "tiles": tiles,
        "grafana_url": public_url,
    }
    known = {key: value for key, value in said.items() if value}
    if found.influx.kind == "influxdb1" and not token_file:
        known["token_file"] = ""
    return Options(bucket=found.influx.bucket, **known)


def _zone(found: Settings) -> str:
    """That of the registry's sites when they have but one; "" otherwise, or without a registry."""
    if not found.registry.exists():
        return ""
    zones = {site.zone for site in registry.load(found.registry).sites.values()}
    return zones.pop() if len(zones) == 1 else ""


def _influxql(found: Settings, influx_url: str) -> None:
    if found.influx.kind == "victoriametrics":
        raise Misconfigured("influx.kind is victoriametrics", "the dashboards ask in InfluxQL: InfluxDB 1, 2 or 3")
    if not (influx_url or found.influx.url):
        seen = "these settings have no influx.url: the embedded store is no data source for Grafana"
        raise Misconfigured(seen, "set influx.url, or give --influx-url")


def _login(found: Settings) -> str | tuple[str, str]:
    """How Grafana logs in at the database; with InfluxDB 2 and 3 by a token that may only read."""
    influx = in_role(found, "reader")
    if token := secret(influx.token_file):
        return token
    return (influx.username, secret(influx.password_file)) if influx.username else ""


def _texts(login: str | tuple[str, str]) -> list[str]:
    """What is in no message: how Grafana logs in, and addresses of channels, which hold keys."""
    channels = [value for name, value in os.environ.items() if name.startswith("KANHU_GRAFANA_") and name != _INFLUX]
    return [login if isinstance(login, str) else login[1], *channels]


def _grafana(url: str, token_file: Path | None, secrets: Iterable[str]) -> "Grafana":
    from dashboards.grafana.push.client import Grafana

    if not url:
        raise Misconfigured("no Grafana is named", "--grafana http://127.0.0.1:3000, or GRAFANA_URL")
    if token := secret(token_file) or os.environ.get("GRAFANA_TOKEN", ""):
        return Grafana(url, token, secrets)
    user, password = os.environ.get("GRAFANA_USER", ""), os.environ.get("GRAFANA_PASSWORD", "")
    if not (user and password):
        hint = "--token-file FILE, or GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD"
        raise Misconfigured("nothing to log in at Grafana with", hint)
    return Grafana(url, (user, password), secrets)


def _say_version(client: "Grafana") -> None:
    """Which Grafana this is; what an older one does not know it forgets without a word."""
    version = client.version()
    out.print(f"Grafana {version} at {client.url}", markup=False)
    major = version.split(".")[0]
    if major.isdigit() and int(major) < _GRAFANA:
        said = "it does not know how long a rule keeps firing, how patient it is with missing series, and Feishu's form"
        out.print(f"made for Grafana {_GRAFANA}: {said}", style="yellow", markup=False)


def _carry_out(client: "Grafana", made: "Plan", yes: bool) -> bool:
    """Show the plan, ask, do it; False: there was nothing to do.

    Raises:
        typer.Exit: 1, nobody said yes; nothing was changed.
    """
    from dashboards.grafana.push.apply import apply

    _show(made)
    if made.refused:
        raise Misconfigured("; ".join(made.refused), "nothing was changed")
    if not made.changes:
        out.print("[green]nothing to do[/green]")
        return False
    if not yes and not (sys.stdin.isatty() and typer.confirm("Change it?")):
        out.print("nothing was changed; --yes does it")
        raise typer.Exit(1)
    apply(client, made, lambda line: out.print(line, markup=False))
    return True


def _show(made: "Plan") -> None:
    for change in made.changes:
        out.print(_SIGN[change.act], end=" ")
        out.print(f"{change.kind} {change.title}", markup=False)
        for line in change.lines:
            out.print(f"    {line}", markup=False, soft_wrap=True)
    for note in made.notes:
        out.print(f"  {note}", style="dim", markup=False)
    out.print(f"{made.same} as they should be, {len(made.changes)} to change")


def _tell_health(client: "Grafana") -> None:
    """Whether Grafana reaches the database."""
    from dashboards.grafana.query import KANHU, ROLLUPS

    for uid in (KANHU, ROLLUPS):
        try:
            out.print(f"data source {uid}: {client.health(uid)}", markup=False)
        except Rejected as error:
            out.print(f"data source {uid} does not work: {error.detail}", style="yellow", markup=False)
