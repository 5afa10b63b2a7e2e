"""`kanhu homes`: how the homes of a community stand, and what a named person says of one: seen, paused, away, agreed."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from edge_gateway.errors import Misconfigured
from edge_gateway.homes import learn, selftest
from edge_gateway.homes import round as rounds
from edge_gateway.homes.home import Home, Past
from edge_gateway.homes.look import HomesLook, open_homes
from edge_gateway.homes.round import Rank, Row
from edge_gateway.homes.said import EMERGENCIES, EMERGENCY_BY, EMERGENCY_UNTIL
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules.words import span_en, span_zh
from edge_gateway.settings import Settings
from operations.commands.common import AsJson, SettingsFile, instant, out
from operations.commands.visits_common import Site, a_date, ask, registry, said_before, settings_of, site_of, zone_of
from operations.words import ago, moment, printable

app = typer.Typer(help="Homes: the round, pause, away, consent, self-test, emergency.", invoke_without_command=True)
Place = Annotated[str, typer.Argument(metavar="PLACE", help="Id of the home, such as 3-201.")]
By = Annotated[str, typer.Option("--by", help="Who you are: a-z, 0-9, - and _. It stands in the home's log.")]
Until = Annotated[str | None, typer.Option("--until", help="2026-11-22 (that whole day) or 2026-11-22T08:00, local time.")]
Hours = Annotated[float | None, typer.Option("--hours", min=0.1, help="Instead of --until: so many hours from now.")]
_COLOURS: Final = {
    Rank.NOW: "bold red", Rank.ASKING: "yellow", Rank.WORRY: "yellow", Rank.WEATHER: "yellow", Rank.TAKEN: "cyan",
    Rank.CHECK: "magenta", Rank.FINE: "green", Rank.SEEN: "green", Rank.AWAY: "dim", Rank.PAUSED: "dim",
}  # fmt: skip
_AWAY_KINDS: Final = "out, daughter, long"
_DAY_NS: Final = 86_400 * 10**9
_UNTIL: Final = re.compile(r"until=(\d{1,19})")


@app.callback()
def homes(context: typer.Context, settings: SettingsFile = None, site: Site = None) -> None:
    """The homes that are watched over, whom to visit first at the top. Without a command: list.

    Everything about one home, to hand out or to erase: kanhu privacy.
    """
    said_before(settings, site)
    if context.invoked_subcommand is None:
        _list(settings_of(settings), site, json=False)


@app.command("list")
def list_(settings: SettingsFile = None, site: Site = None, json: AsJson = False) -> None:
    """The round: every home, whom to visit first, and why. Works also while the gateway is down."""
    _list(settings_of(settings), site, json)


@app.command()
def show(place: Place, settings: SettingsFile = None, site: Site = None) -> None:
    """One home: how it stands, what is normal there, its last signs of life, pause, consent, self-test."""
    found = settings_of(settings)
    site_id = site_of(found, site)
    setting = _setting(found, site_id, place)
    where, now_ns = zone_of(found, site_id), time.time_ns()
    with _look(found) as look:
        facts = look.facts(site_id, registry(found), where, now_ns, found.privacy.consent_required)
        row = next(row for row in rounds.morning_round(facts) if row.place == place)
        home, past = look.home(site_id, place) or Home(site_id, place), look.past(site_id, place)
    colour, rank = _COLOURS[row.rank], " ".join(rounds.RANKS[row.rank])
    out.print(f"[bold]{escape(site_id)}/{escape(place)}[/bold] [{colour}]{rank}[/{colour}]")
    for zh, en in row.why:
        out.print(f"  {escape(printable(zh))}\n  {escape(printable(en))}", soft_wrap=True)
    for name, value in _about(home, past, setting, where, now_ns):
        out.print(f"  [dim]{name:<22}[/dim] {escape(printable(value))}", soft_wrap=True)
    for sign in reversed(home.signs[-5:]):
        out.print(f"  [dim]{'':<22}[/dim] {moment(sign.time_ns, now_ns, where)} {escape(printable(sign.name))}")
    for alert in row.alerts:
        out.print(f"  [yellow]alert[/yellow] {alert}")


@app.command()
def log(
    place: Annotated[str, typer.Argument(metavar="PLACE", help='Id of the home; "" for what concerns the whole site.')],
    settings: SettingsFile = None,
    site: Site = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="So many lines at most.")] = 100,
    json: AsJson = False,
) -> None:
    """Who looked, who paused, who said what, the newest first. Works also while the gateway is down."""
    found = settings_of(settings)
    site_id = site_of(found, site)
    where, now_ns = zone_of(found, site_id), time.time_ns()
    with _look(found) as look:
        notes = look.log(site_id, place, limit)
    if json:
        _as_json(notes)
        return
    if not notes:
        out.print("还没有记录 nothing is written down yet")
    for note in notes:
        detail = _UNTIL.sub(lambda end: f"until {moment(int(end[1]), now_ns, where)}", note.detail)
        line = f"{moment(note.at_ns, now_ns, where)} {note.who} {note.what} {detail}"
        out.print(escape(printable(line.strip())), soft_wrap=True)


@app.command()
def pause(
    place: Place,
    by: By,
    until: Until = None,
    hours: Hours = None,
    reason: Annotated[str, typer.Option("--reason", help="In your words.")] = "",
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """The elder does not want to be watched until then. SOS, smoke, gas and leak still work."""
    found, site_id, where = _at(settings, site)
    end_ns = _end(until, hours, where)
    ask(found, "homes.pause", site=site_id, place=place, by=by, until_ns=end_ns, reason=reason)
    out.print(f"[green]{escape(place)} 已暂停到 paused until {moment(end_ns, time.time_ns(), where)}[/green]")


@app.command()
def resume(place: Place, by: By, settings: SettingsFile = None, site: Site = None) -> None:
    """Watch again before the pause is over."""
    _said(_do(settings, site, "homes.resume", place=place, by=by), place, "恢复看护 watched again", "was not paused")


@app.command()
def away(
    place: Place,
    by: By,
    kind: Annotated[str, typer.Option("--kind", help=f"{_AWAY_KINDS}; only out may be without an end.")] = "out",
    until: Until = None,
    hours: Hours = None,
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """Nobody is at home: out, at the daughter's, or away for long. Door, smoke and leak still work."""
    found, site_id, where = _at(settings, site)
    if kind in rounds.AWAY and kind != "out" and not (until or hours):
        raise Misconfigured(f"--kind {kind} needs an end", "add --until 2026-11-25 or --hours 48")
    end_ns = _end(until, hours, where) if until or hours else 0
    ask(found, "homes.away", site=site_id, place=place, by=by, kind=kind, until_ns=end_ns)
    end = f" 到 until {moment(end_ns, time.time_ns(), where)}" if end_ns else ""
    out.print(f"[green]{escape(place)} {rounds.AWAY[kind][0]} {rounds.AWAY[kind][1]}{end}[/green]")


@app.command()
def back(place: Place, by: By, settings: SettingsFile = None, site: Site = None) -> None:
    """Somebody is at home again."""
    _said(_do(settings, site, "homes.back", place=place, by=by), place, "已经回家 back at home", "was not away")


@app.command()
def seen(
    place: Place,
    by: By,
    note: Annotated[str, typer.Option("--note", help="In your words.")] = "",
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """You saw the elder and all is well: a sign of life. Ends what is not urgent; an SOS is closed by `kanhu alerts close`."""
    done = _do(settings, site, "homes.seen", place=place, by=by, note=note)
    out.print(f"[green]{escape(place)} 看过了, 平安 seen, fine[/green]")
    for alert in done["closed"]:
        out.print(f"  已处理 closed {alert}")
    for alert in done["open"]:
        out.print(f"  [yellow]还要处理 still open[/yellow] {alert}")


@app.command()
def unseen(place: Place, by: By, settings: SettingsFile = None, site: Site = None) -> None:
    """It was another home: takes back what you said with `seen`, within ten minutes and unless there was life since."""
    _do(settings, site, "homes.unseen", place=place, by=by)
    out.print(f"[yellow]{escape(place)} 已撤销 taken back[/yellow]")


@app.command()
def consent(
    place: Place,
    by: By,
    version: Annotated[str, typer.Option("--version", help="Of the text that was agreed to.")],
    given: Annotated[bool, typer.Option("--given/--withdrawn", help="Agreed, or no longer.")],
    date: Annotated[str, typer.Option("--date", help="When: 2026-11-21, today or yesterday.")] = "today",
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """The person agreed to this version of the text, or no longer does. Without consent there are no sensors in a home."""
    found, site_id, where = _at(settings, site)
    on = a_date(date, where)
    ask(found, "homes.consent", site=site_id, place=place, by=by, version=version, given=given, date=on)
    word = "同意 agreed" if given else "撤回 withdrawn"
    out.print(f"[green]{escape(place)} 知情同意 consent: {word} {on}, {escape(version)}[/green]")


@app.command()
def test(place: Place, by: By, settings: SettingsFile = None, site: Site = None) -> None:
    """Try the way of an alarm now: from the button to a person's telephone, marked as a test."""
    done = _do(settings, site, "homes.test", place=place, by=by)
    out.print(f"自检已开始 the test has begun: {done['test']}; how it ended: kanhu homes show {escape(place)}")


@app.command()
def emergency(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{', '.join(EMERGENCIES)}; off ends it.")],
    by: By,
    until: Until = None,
    hours: Hours = None,
    settings: SettingsFile = None,
    site: Site = None,
) -> None:
    """A heat wave, cold spell, flood or outage at a whole site: the round and the rules put other things first."""
    found, site_id, where = _at(settings, site)
    if kind != "off" and kind not in EMERGENCIES:
        raise Misconfigured(f"{kind[:40]!r} is no emergency", f"one of {', '.join(EMERGENCIES)}, or off")
    ending = kind == "off"
    end_ns = _end(until, hours, where) if (until or hours) and not ending else 0
    ask(found, "homes.emergency", site=site_id, kind="" if ending else kind, by=by, until_ns=end_ns)
    if ending:
        out.print(f"[green]{escape(site_id)}: 应急结束 the emergency is over[/green]")
        return
    zh, en = rounds.EMERGENCY[kind]
    end = f" 到 until {moment(end_ns, time.time_ns(), where)}" if end_ns else ""
    out.print(f"[yellow]{escape(site_id)}: {zh} {en}{end}[/yellow]; the round: kanhu homes list")


def _list(settings: Settings, site: str | None, json: bool) -> None:
    site_id = site_of(settings, site)
    where, now_ns = zone_of(settings, site_id), time.time_ns()
    with _look(settings) as look:
        facts = look.facts(site_id, registry(settings), where, now_ns, settings.privacy.consent_required)
        memory = look.memory(site_id)
    rows = rounds.morning_round(facts)
    if json:
        _as_json(rows)
        return
    if facts.emergency:
        zh, en = rounds.EMERGENCY[facts.emergency]
        until_s = memory.notes.get(EMERGENCY_UNTIL, 0.0)
        end = f" 到 until {moment(int(until_s * 1e9), now_ns, where)}" if isinstance(until_s, float) and until_s else ""
        out.print(f"[yellow]应急 emergency: {zh} {en}{end}, {escape(str(memory.notes.get(EMERGENCY_BY, '')))}[/yellow]")
    for alert in rounds.everywhere(facts.alerts, site_id):
        out.print(f"[bold red]![/bold red] {escape(alert.text_zh)}\n  {escape(alert.text_en)}", soft_wrap=True)
    if rows:
        out.print(_table(rows, where, now_ns))
    else:
        out.print(
            "没有住家 no homes: a place with a device of model elder_home is one, or [[homes]] in the registry", markup=False
        )


def _table(rows: list[Row], where: tzinfo, now_ns: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("place", "", "why", "last life", "by"):
        table.add_column(title, overflow="fold")
    for row in rows:
        zh, en = row.why[0] if row.why else ("", "")
        life = f"{moment(row.life_ns, now_ns, where)}" if row.life_ns else "-"
        who = row.accepted_by or (row.seen_by if row.rank is Rank.SEEN else "")
        colour = _COLOURS[row.rank]
        told = (f"[{colour}]{' '.join(rounds.RANKS[row.rank])}[/{colour}]", escape(printable(f"{zh} {en}")), life, escape(who))
        table.add_row(escape(row.place), *told)
    return table


def _about(home: Home, past: Past, setting: HomeSetting, where: tzinfo, now_ns: int) -> Iterator[tuple[str, str]]:
    """What is known of a home, each with its name."""

    def at(time_ns: int) -> str:
        return f"{moment(time_ns, now_ns, where)} ({ago(time_ns, now_ns)})"

    yield "动静 last life", at(home.life_ns) if home.life_ns else "none yet"
    if home.pause is not None:
        yield "暂停 paused until", f"{moment(home.pause.until_ns, now_ns, where)} {home.pause.by} {home.pause.reason}".strip()
    if home.away is not None:
        end = f" until {moment(home.away.until_ns, now_ns, where)}" if home.away.until_ns else ""
        yield "外出 away", f"{' '.join(rounds.AWAY[home.away.kind])} since {at(home.away.since_ns)}{end}, {home.away.by}"
    limits = learn.bands(past, setting)
    learned = f"the least of each; {len(past.days)} days known" if past.limits_s else "not learned yet: fixed"
    spans = ", ".join(f"{span_zh(s)} {span_en(s)}" for s in limits)
    yield "询问 asked after", f"{spans} (day, evening, night; {learned})"
    standing = selftest.standing(home, now_ns, setting)
    yield "自检 self-test", f"{standing.why_zh} {standing.why_en}" + (f", {at(standing.since_ns)}" if standing.since_ns else "")
    if home.test.pressed_ns:
        yield "真按 real press", at(home.test.pressed_ns)
    if home.consents:
        last = home.consents[-1]
        yield "知情同意 consent", f"{'同意 given' if last.given else '撤回 withdrawn'} {last.date} {last.version} {last.by}"
    else:
        yield "知情同意 consent", "none recorded"


@contextmanager
def _look(settings: Settings) -> Iterator[HomesLook]:
    with open_homes(settings.store_file) as look:
        yield look


def _setting(settings: Settings, site: str, place: str) -> HomeSetting:
    """Raises Misconfigured: there is no such home."""
    known = {there: setting for (other, there), setting in registry(settings).homes.items() if other == site}
    if place not in known:
        some = ", ".join(sorted(known)[:8]) or "none"
        raise Misconfigured(f"{place[:60]!r} is no home of {site}", f"its homes: {some}{' ...' if len(known) > 8 else ''}")
    return known[place]


def _at(settings: Any, site: str | None) -> tuple[Settings, str, tzinfo]:
    found = settings_of(settings)
    site_id = site_of(found, site)
    return found, site_id, zone_of(found, site_id)


def _do(settings: Any, site: str | None, command: str, **arguments: Any) -> Any:
    found, site_id, _ = _at(settings, site)
    return ask(found, command, site=site_id, **arguments)


def _said(done: Any, place: str, yes: str, no: str) -> None:
    if done["changed"]:
        out.print(f"[green]{escape(place)} {yes}[/green]")
    else:
        out.print(f"[yellow]{escape(place)} {no}[/yellow]; nothing was changed")


def _end(until: str | None, hours: float | None, where: tzinfo) -> int:
    """When it ends, ns.

    Raises:
        Misconfigured: nobody said when, or it is no time.
    """
    if (until is None) == (hours is None):
        raise Misconfigured("until when?", "give one of --until 2026-11-22T08:00 and --hours 8")
    if hours is not None:
        return time.time_ns() + int(hours * 3600 * 10**9)
    at_ns = instant(a_date(until, where) if until in ("today", "今天") else until, where)
    assert at_ns is not None
    # A date alone is that whole day.
    return at_ns + _DAY_NS - 10**9 if until is not None and len(until) == 10 else at_ns


def _as_json(found: list[Any]) -> None:
    out.print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode(), markup=False, soft_wrap=True)
