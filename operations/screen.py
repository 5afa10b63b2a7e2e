"""The screen of `kanhu up` and `kanhu demo`: what runs, who sends, what is stored, what to do next; it explains itself.

On a terminal it stays in place; elsewhere it is one line every few seconds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table

from edge_gateway.alerts import Alert
from edge_gateway.rules.words import zone
from operations import words
from operations.balance import Balance, Sent
from operations.commands.alerts import SEVERITIES, STATES, accept_command
from operations.status import Report, held_lines, remarkable, totals_line
from operations.supervise import State, Status

PLAIN_EVERY_S: Final = 5.0
TALL: Final = 44  # lines for everything
_KINDS: Final = {
    "elder_home": "住家 homes",
    "rider_reader": "骑手 couriers",
    "meal_counter": "取餐台 counters",
    "river_probe": "探头 river probes",
    "firmware": "真固件 real firmware",
}
_ALERTS: Final = 4
_TOLD: Final = 4


@dataclass(frozen=True, slots=True)
class Face:
    """Everything one look at the screen shows.

    Attributes:
        option: what to add to a command so that it means this installation; "" when it is found by itself.
        report: None until the gateway has written something.
        balance: None without simulated devices, or before the first count.
        stored: readings in the database; None where they cannot be counted.
        said: what the supervisor said, newest last.
        ends_in_s: None: it runs until it is stopped.
    """

    title: str
    running_s: float
    where: str
    option: str
    parts: Sequence[Status]
    report: Report | None = None
    sent: Sent | None = None
    balance: Balance | None = None
    stored: int | None = None
    stored_bytes: int = 0
    telephone: Sequence[str] = ()
    said: Sequence[str] = ()
    ends_in_s: float | None = None
    hints: Sequence[str] = field(default_factory=tuple)


class Screen:
    """Shows faces; use it as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, auto_refresh=False, screen=False, vertical_overflow="crop") if console.is_terminal else None
        )
        self._next_plain = 0.0

    def __enter__(self) -> "Screen":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, face: Face, last: bool = False) -> None:
        """Put a face up; `last` also where lines are rationed."""
        if self._live is not None:
            self._live.update(whole(face, self._console.size.height), refresh=True)
        elif last or time.monotonic() >= self._next_plain:
            self._next_plain = time.monotonic() + PLAIN_EVERY_S
            self._console.print(plain(face), markup=False, soft_wrap=True)

    def say(self, line: str) -> None:
        """One line above the screen, or in the stream of lines."""
        self._console.print(escape(line), soft_wrap=True)


def plain(face: Face) -> str:
    """The face as one line."""
    parts = [words.clock(face.running_s)]
    if face.balance is not None:
        parts.append(balance_text(face.balance, face.sent.lost if face.sent else 0))
    if face.report is not None:
        shot = face.report.snapshot
        outcomes = ", ".join(f"{outcome} {shot.total(outcome):,}" for outcome in ("stored", "duplicate", "held", "dead"))
        parts.append(f"messages: received {shot.total('received'):,}: {outcomes}")
        parts.append(f"alerts open: {len(shot.open_alerts)}")
    if face.stored is not None and face.balance is None:
        parts.append(f"readings in the database: {face.stored:,}")
    parts.append(", ".join(f"{part.name} {part.state}{f' {part.pid}' if part.pid else ''}" for part in face.parts))
    return " | ".join(parts)


def balance_text(b: Balance, lost: int) -> str:
    """The balance as one line of plain text."""
    return (
        f"readings: generated {b.generated:,} = stored {b.stored:,} + on the way {b.on_the_way:,}"
        f" + declared lost {lost:,}; missing {b.missing:,}"
    )


def whole(face: Face, height: int = TALL) -> RenderableType:
    """The face as a screen of so many lines; a low one leaves out what can be asked for by a command."""
    tall = height >= TALL
    rows: list[RenderableType] = [_head(face)]
    if face.balance is not None:
        rows.append(_balance_line(face))
    if face.report is not None:
        rows += [f"[red]! {escape(trouble)}[/red]" for trouble in face.report.troubles]
    if face.sent is not None and tall:
        rows += [Rule("谁在上报 who sends", align="left", style="dim"), _senders(face.sent)]
    if face.report is not None:
        if tall:
            rows.append(Rule("存了什么 what is stored", align="left", style="dim"))
        rows += _stored(face)
        if tall:
            rows.append(Rule("迟到, 待认领, 无法识别 late, held, refused", align="left", style="dim"))
        rows += _exceptions(face)
        if tall:
            rows.append(Rule("告警 alerts", align="left", style="dim"))
        rows += _alerts(face, tall)
    if tall:
        rows.append(Rule("进程 processes", align="left", style="dim"))
    rows.append(_processes(face))
    if tall:
        rows.append(Rule("试试看 what to try next", align="left", style="dim"))
    rows += [f"  {hint}" for hint in face.hints]
    if tall:
        rows += [f"[dim]{escape(line)}[/dim]" for line in _story(face)]
    return Group(*rows)


def _head(face: Face) -> str:
    ends = f", ends in {words.clock(face.ends_in_s)}" if face.ends_in_s is not None else ""
    return f"[bold]看护 Kanhu {face.title}[/bold] · {words.clock(face.running_s)}{ends} · {face.where} · 停止 stop: Ctrl-C"


def _balance_line(face: Face) -> str:
    assert face.balance is not None
    b = face.balance
    style = "bold red" if b.missing else "bold green"
    lost = face.sent.lost if face.sent else 0
    return (
        f"对账 balance: [{style}]缺 missing {b.missing:,}[/{style}] · readings generated {b.generated:,}"
        f" = [bold]stored {b.stored:,}[/bold] (counted in the database) + on the way {b.on_the_way:,} + declared lost {lost:,}"
    )


def _senders(sent: Sent) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("simulated devices")
    for title in ("online", "messages generated", "回执 receipted", "on the way"):
        table.add_column(title, justify="right")
    for group in sent.groups:
        receipted = group.generated - group.pending
        table.add_row(
            _KINDS.get(group.kind, group.kind),
            f"{group.online} of {group.devices}",
            f"{group.generated:,}",
            f"{receipted:,}",
            f"{group.pending:,}",
        )
    return Group(table, f"[red]{escape(sent.problem)}; the devices keep their messages[/red]") if sent.problem else table


def _stored(face: Face) -> list[str]:
    assert face.report is not None
    answer = face.report.answer
    database = answer["database"]["name"] if answer else ""
    rows = f"{face.stored:,} readings, {words.size(face.stored_bytes)}" if face.stored is not None else "see its own tools"
    # Why it is not well stands with the other troubles.
    well = bool(answer) and not (answer or {})["database"]["trouble"]
    state = (
        "[green]well[/green]"
        if well
        else "[red]not well[/red]"
        if answer
        else "[red]unknown: the gateway does not answer[/red]"
    )
    devices = face.report.snapshot.devices
    heard = sum(1 for device in devices if device.heard_ns)
    return [
        *totals_line(face.report.snapshot).split("\n"),
        f"数据库 database {database}: {rows}; {state} · devices heard: {heard} of {len(devices)}",
    ]


def _exceptions(face: Face) -> list[RenderableType]:
    assert face.report is not None
    shot = face.report.snapshot
    counters = [device.counters for device in shot.devices]
    timing = (
        f"late {sum(c.late for c in counters):,}, time unknown {sum(c.untimed for c in counters):,}"
        f" · repeated {sum(c.duplicate for c in counters):,} (harmless)"
        f" · missing messages {sum(device.missing for device in shot.devices):,}"
    )
    odd = [device.name for device in shot.devices if device.heard_ns and remarkable(device, shot.at_ns)]
    if odd:
        timing += f" · look at: {', '.join(odd[:3])}{f' and {len(odd) - 3} more' if len(odd) > 3 else ''}"
    lines: list[RenderableType] = [timing]
    lines += [line for line in held_lines(face.report) if line][:3]
    if shot.reasons:
        told = ", ".join(f"{reason.reason} {reason.times:,}" for reason in shot.reasons[:6])
        lines.append(f"[yellow]无法识别 dead letters[/yellow]: {told}; look: {words.program()} dead-letters list{face.option}")
    return lines


def _alerts(face: Face, tall: bool) -> list[str]:
    assert face.report is not None
    shot = face.report.snapshot
    if not shot.open_alerts:
        return ["[green]没有未处理的告警 none is open[/green]"]
    lines = []
    shown = _ALERTS if tall else 1
    for alert in shot.open_alerts[:shown]:
        where = zone(face.report.registry, alert.site)
        since = f"{words.moment(alert.raised_ns, shot.at_ns, where)}, {words.ago(alert.raised_ns, shot.at_ns)}"
        lines.append(f"{SEVERITIES[alert.severity]} {_who(alert)} · {since} · {escape(alert.text_zh)}")
        if tall:
            lines.append(f"   [dim]{escape(alert.text_en)}[/dim]")
        lines.append(f"   {_act(alert, face.option)}")
    if len(shot.open_alerts) > shown:
        lines.append(f"and {len(shot.open_alerts) - shown} more: {words.program()} alerts{face.option}")
    return lines + [
        f"[cyan]☏ on the telephone of 张 (pretended):[/cyan] {escape(text[:60])}" for text in face.telephone[-1:] if tall
    ]


def _who(alert: Alert) -> str:
    if alert.accepted_by:
        return f"{STATES[alert.state]} accepted by {escape(alert.accepted_by)}"
    told = f", told {', '.join(alert.told)}" if alert.told else ""
    return f"{STATES[alert.state]} {alert.state}{told}"


def _act(alert: Alert, option: str) -> str:
    if alert.unanswered:
        return f"[bold]接手 accept it: {accept_command(alert, option=option)}[/bold]"
    return f"处理完 when it is over: {words.program()} alerts close {alert.id} --by {alert.accepted_by} --reason test{option}"


def _processes(face: Face) -> str:
    styles: dict[str, str] = {State.READY: "green", State.STARTING: "yellow", State.WAITING: "red", State.STOPPED: "dim"}
    found = []
    for part in face.parts:
        again = f", restarted {part.restarts}x ({part.last_exit})" if part.restarts or part.last_exit else ""
        pid = f" process {part.pid}" if part.pid else ""
        found.append(f"[{styles[part.state]}]{part.name} {part.state}[/{styles[part.state]}]{pid}{again}")
    return " · ".join(found)


def _story(face: Face) -> list[str]:
    happened = [f"{words.clock(at_s)} {text}" for at_s, text in (face.sent.told if face.sent else ())]
    return [*happened[-_TOLD:], *face.said[-_TOLD:]]
