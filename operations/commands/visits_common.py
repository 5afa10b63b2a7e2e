"""What the commands of visits share: site, ledger, zone, and how a visit looks on a terminal."""

import time
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from edge_gateway import commands
from edge_gateway.errors import Misconfigured
from edge_gateway.registry import Registry
from edge_gateway.registry import load as load_registry
from edge_gateway.rules.words import zone
from edge_gateway.settings import Settings
from edge_gateway.visits import codec, look, words
from edge_gateway.visits.records import Grade, JudgedTap, Reason, Ruling, State, Visit
from operations.commands.common import load, out
from operations.install import find_settings
from operations.visits.columns import LocalTime
from operations.words import printable, program

Site = Annotated[str | None, typer.Option("--site", help="Id of the site; needed where the registry has several.")]
By = Annotated[str, typer.Option("--by", help="Who you are: a-z, 0-9, - and _. It stands in the ledger.")]
VisitId = Annotated[str, typer.Argument(metavar="VISIT", help="Its id, as `kanhu visits list` shows it.")]
_FILE: ContextVar[Path | None] = ContextVar("settings file that was named", default=None)
_SITE: ContextVar[str | None] = ContextVar("site that was named", default=None)
_COLOURS: Final = {
    State.ON_TIME: "green",
    State.EARLY: "green",
    State.LATE: "yellow",
    State.WRONG_PLACE: "yellow",
    State.UNPLANNED: "yellow",
    State.MISSED: "red",
    State.UNKNOWN: "magenta",
    State.PLANNED: "dim",
    State.CANCELLED: "dim",
}


def registry(settings: Settings) -> Registry:
    """The registry, or an empty one: a mistake in it must not hide the ledger."""
    try:
        return load_registry(settings.registry)
    except Misconfigured:
        return Registry()


def said_before(file: Path | None, site: str | None) -> None:
    """What stood before the command's own word: `kanhu visits -s FILE --site ID list`."""
    _FILE.set(file)
    _SITE.set(site)


def settings_of(file: Path | None) -> Settings:
    """The settings a command works with; `-s` may stand before or after the command's own word."""
    _FILE.set(file or _FILE.get())
    return load(_FILE.get())


def site_of(settings: Settings, site: str | None) -> str:
    """The site that is meant; `--site` may stand before or after the command's own word.

    Raises:
        Misconfigured: nobody said which of several; or the registry has a mistake, so that nobody knows which there are.
    """
    if meant := site or _SITE.get():
        return meant
    known = sorted(registry(settings).sites)
    if not known:
        load_registry(settings.registry)  # says what is wrong with it
        raise Misconfigured(
            f"which site? There is none in {settings.registry}", "in another folder: -s FILE of its kanhu.toml; else --site ID"
        )
    if len(known) > 1:
        raise Misconfigured(f"which site? The registry has {', '.join(known)}", "add --site ID")
    return known[0]


def next_command(settings: Settings, words_: str, site: str = "") -> str:
    """A `kanhu visits` command to copy: with the settings file that was named, and the site where there are several."""
    file = _FILE.get()
    named = f" -s {file}" if file and find_settings(None) != file else ""
    where = f" --site {site}" if site and len(registry(settings).sites) != 1 else ""
    return f"{program()} visits{named}{where} {words_}"


def zone_of(settings: Settings, site: str) -> tzinfo:
    """The site's time zone."""
    return zone(registry(settings), site)


def today(where: tzinfo) -> str:
    """Local date there, now."""
    return datetime.fromtimestamp(time.time(), UTC).astimezone(where).date().isoformat()


def a_date(text: str, where: tzinfo) -> str:
    """`2026-11-21`, today or yesterday.

    Raises:
        Misconfigured: it is no date.
    """
    now = today(where)
    if text in ("today", "今天"):
        return now
    if text in ("yesterday", "昨天"):
        return (date.fromisoformat(now) - timedelta(1)).isoformat()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Misconfigured(f"{text[:40]!r} is no date", "write 2026-11-21, today or yesterday") from None


def ask(settings: Settings, command: str, timeout_s: float = 30.0, **arguments: Any) -> Any:
    """A command to the gateway: the ledger has one writer."""
    return commands.call(settings.command_socket, command, timeout_s, **arguments)


def as_json(found: Iterable[msgspec.Struct]) -> None:
    """Records with their names, for programs."""
    tree = [codec.plain(record) for record in found]
    out.print(msgspec.json.format(msgspec.json.encode(tree), indent=1).decode(), markup=False, soft_wrap=True)


def safe(text: str) -> str:
    """Text from outside for a rich table."""
    return escape(printable(text))


def in_both(word: State | Grade | Ruling | Reason) -> str:
    """准时 on time."""
    return f"{words.text(word, 'zh-CN')} {words.text(word, 'en')}"


def state(visit: Visit) -> str:
    """准时 on time, in its colour; with what waits or does not count."""
    told = in_both(visit.state)
    return f"[{_COLOURS[visit.state]}]{told}[/{_COLOURS[visit.state]}]" + (
        " [yellow]待核对[/yellow]" if visit.reviewing else ""
    )


def table_of(visits: Iterable[Visit], where: tzinfo) -> Table:
    """The ledger as people look at it."""
    local = LocalTime(where)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("date", "window", "place", "service", "courier", "start", "state", "counted", "proof", "visit"):
        table.add_column(title, overflow="fold")
    for visit in visits:
        window = f"{local.minute(visit.opens_ns)}-{local.minute(visit.closes_ns)}" if visit.closes_ns else ""
        start = local.text(visit.start_ns)[11:]
        counted = "是 yes" if visit.counted else "否 no"
        cells = (visit.date[5:], window, safe(visit.place), safe(visit.service), safe(visit.courier), start)
        table.add_row(*cells, state(visit), counted, in_both(visit.grade), safe(visit.id))
    return table


def reasons(visit: Visit) -> str:
    """Why it is as it is, in both languages."""
    return "; ".join(f"{words.reason(r, 'zh-CN')} / {words.reason(r, 'en')}" for r in visit.reasons)


def tap_line(judged: JudgedTap, where: tzinfo) -> str:
    """One tap: when, where, how good, what became of it."""
    tap, judgement = judged.tap, judged.judgement
    told = f"{LocalTime(where).text(tap.time_ns)} {safe(tap.id)} at {safe(judged.place) or '?'}"
    told += f": {in_both(judgement.grade)}, {in_both(judgement.ruling)}"
    why = "; ".join(f"{words.reason(reason, 'zh-CN')} / {words.reason(reason, 'en')}" for reason in judgement.reasons)
    return f"{told}: {why}" if why else told


def ledger(settings: Settings) -> look.Ledger:
    """The ledger, read-only; works while the gateway is down."""
    return look.open_ledger(settings.visits_file)
