"""`kanhu status`: who was heard, what came and what is missing, in words and as JSON; it only shows what it is handed."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from edge_gateway import commands
from edge_gateway.catalog import QUANTITIES
from edge_gateway.errors import KanhuError, Misconfigured
from edge_gateway.events import split_name
from edge_gateway.registry import Registry
from edge_gateway.registry import load as load_registry
from edge_gateway.rules.words import span_en, zone
from edge_gateway.settings import Settings
from edge_gateway.view import OUTCOMES, DeviceView, Snapshot, snapshot
from operations import words
from operations.supervise import Status, running

SHOWN: Final = 40  # devices in a table before the quiet ones are left out
_GAPS: Final = 3  # of a device, in a table
_ASK_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `kanhu status` knows.

    Attributes:
        registry_trouble: why the registry file cannot be used; "" when it can.
        answer: what the running gateway says of itself; None: it does not run, and all is as it was on disk.
        parts: the processes of `kanhu up`, if that runs.
    """

    snapshot: Snapshot
    registry: Registry
    registry_trouble: str = ""
    answer: Mapping[str, Any] | None = None
    parts: Sequence[Status] = field(default_factory=list)

    @property
    def troubles(self) -> list[str]:
        """What a person should know now."""
        found = [self.registry_trouble] if self.registry_trouble else []
        if self.answer is not None:
            found += [text for text in self.answer["troubles"].values() if text and text not in found]
        if not self.snapshot.adds_up:
            found.append("the counters do not add up: report this with `kanhu status --json`")
        if self.snapshot.damaged_alerts:
            found.append(f"{self.snapshot.damaged_alerts} open alerts on disk cannot be read; each may have been an SOS")
        return found


def report(settings: Settings) -> Report:
    """Look at an installation, whether it runs or not.

    Raises:
        Unavailable: no gateway has run there yet.
    """
    registry, trouble = Registry(), ""
    try:
        registry = load_registry(settings.registry)
    except Misconfigured as error:
        trouble = str(error)
    answer = None
    with suppress(KanhuError):
        answer = commands.call(settings.command_socket, "state", timeout_s=_ASK_S)
    return Report(snapshot(settings.store_file, registry), registry, trouble, answer, running(settings.data_dir) or [])


def notes(device: DeviceView, now_ns: int) -> list[str]:
    """What is remarkable about a device; empty when nothing is."""
    c = device.counters
    gaps = [f"{gap.first}-{gap.last}" if gap.last > gap.first else f"{gap.first}" for gap in device.gaps[:_GAPS]]
    more = f" and {len(device.gaps) - _GAPS} more" if len(device.gaps) > _GAPS else ""
    counted = (
        (c.duplicate, "duplicate"),
        (c.dead, "dead"),
        (c.refused, "records refused"),
        (c.late, "late"),
        (c.untimed, "without time"),
        (c.shifted, "same instant"),
    )
    found = [
        "[red]silent 没有数据[/red]" if device.silent(now_ns) else "",
        "[yellow]never heard[/yellow]" if device.expected and not device.heard_ns else "",
        "[red]not registered any more[/red]" if device.expected is None else "",
        f"[red]{device.missing:,} missing: {', '.join(gaps)}{more}[/red]" if device.gaps else "",
        f"[yellow]{device.lost:,} declared lost 已声明丢失[/yellow]" if device.lost else "",
        *(f"{n:,} {what}" for n, what in counted if n),
        "[red]two devices with this name[/red]" if c.two_devices else "",
        f"[red]settings refused: {escape(words.printable(device.config_error))}[/red]" if device.config_error else "",
    ]
    return [note for note in found if note]


def overview(found: Report, every: bool = False) -> RenderableType:
    """The whole report: totals, devices, held, dead letters, alerts, troubles."""
    shot = found.snapshot
    devices = list(shot.devices)
    quiet = 0
    if not every and len(devices) > SHOWN:
        devices = [d for d in devices if remarkable(d, shot.at_ns)][:SHOWN]
        quiet = len(shot.devices) - len(devices)
    parts: list[RenderableType] = [state_line(found), totals_line(shot)]
    if devices:
        parts += ["", device_table(devices, found)]
    if quiet:
        parts.append(f"[dim]... and {quiet} devices more; `kanhu status --all` shows them[/dim]")
    if not shot.devices and not found.registry_trouble:
        parts.append("no device is registered yet: kanhu device add SITE ID --place PLACE")
    parts += [*held_lines(found), *dead_lines(shot), *alert_lines(shot)]
    parts += [f"[red]! {escape(trouble)}[/red]" for trouble in found.troubles]
    return Group(*parts)


def remarkable(device: DeviceView, now_ns: int) -> bool:
    """Whether a person should look at it; duplicates are harmless."""
    c = device.counters
    noted = device.gaps or device.lost or device.config_error or c.dead or c.refused or c.late or c.untimed or c.two_devices
    return bool(noted or device.silent(now_ns) or device.expected is None)


def state_line(found: Report) -> str:
    """Whether it runs, and since when what is shown is true."""
    if found.answer is None:
        pid = next((part.pid for part in found.parts if part.name == "gateway" and part.pid), None)
        if pid is not None:
            hangs = f"process {pid} does not answer; this is what it had on disk. If it stays so: kill -9 {pid}"
            return f"[red]网关 gateway: {hangs}[/red], it comes back by itself"
        return "[red]网关 gateway: does not run[/red]; this is what it had on disk. Start it: kanhu up"
    broker = "connected" if found.answer["connected"] else "[red]not connected[/red]"
    trouble = found.answer["database"]["trouble"]
    database = f"[red]{escape(trouble)}[/red]" if trouble else "takes what it is given"
    pids = ", ".join(f"{part.name} {part.pid}" for part in found.parts if part.pid)
    return f"[green]网关 gateway: runs[/green]; broker {broker}; database {found.answer['database']['name']} {database}" + (
        f" [dim](processes: {pids})[/dim]" if pids else ""
    )


def totals_line(shot: Snapshot) -> str:
    """Every message that came ended in exactly one of four ways."""
    parts = " + ".join(f"{outcome} {shot.total(outcome):,}" for outcome in OUTCOMES)
    sign = "=" if shot.adds_up else "[red]≠[/red]"
    waiting = f"待发送 outbox: {shot.backlog.entries:,} entries"
    if shot.backlog.oldest_ns is not None:
        waiting += f", the oldest {words.ago(shot.backlog.oldest_ns, shot.at_ns)}"
    return f"消息 messages: received {shot.total('received'):,} {sign} {parts}\n{waiting}"


def device_table(devices: Iterable[DeviceView], found: Report) -> Table:
    """One line a device."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("设备 device", "地点 place", "听到 heard", "收到 messages", "备注 notes"):
        table.add_column(title, justify="right" if "messages" in title else "left", overflow="fold")
    now_ns = found.snapshot.at_ns
    for device in devices:
        heard = "never"
        if device.heard_ns:
            where = zone(found.registry, device.site)
            heard = f"{words.moment(device.heard_ns, now_ns, where)} [dim]{words.ago(device.heard_ns, now_ns)}[/dim]"
        came = words.of(device.came, device.lost, device.missing)
        place = device.expected.place if device.expected else ""
        table.add_row(device.name, place, heard, came, ", ".join(notes(device, now_ns)))
    return table


def held_lines(found: Report) -> list[RenderableType]:
    """Who is held, and the command that registers each."""
    if not found.snapshot.held:
        return []
    lines: list[RenderableType] = ["", "[yellow]待认领 held, nobody has registered them:[/yellow]"]
    for held in found.snapshot.held[:SHOWN]:
        since = words.ago(held.first_ns, found.snapshot.at_ns)
        lines.append(f"  {held.site}/{held.device}: {held.messages:,} messages, first {since}; register it:")
        lines.append(f"    {register(held.site, held.device, found.registry)}")
    return lines


def register(site: str, device: str, registry: Registry) -> str:
    """The command that registers a device."""
    new_site = "" if site in registry.sites else f' --new-site "{site}"'
    return f"{words.program()} device add {site} {device} --place PLACE{new_site}"


def dead_lines(shot: Snapshot) -> list[RenderableType]:
    """Dead letters by reason."""
    if not shot.reasons:
        return []
    told = ", ".join(f"{reason.reason} {reason.times:,}" for reason in shot.reasons[:8])
    return ["", f"[yellow]无法识别的消息 dead letters[/yellow]: {told}; look: {words.program()} dead-letters list"]


def alert_lines(shot: Snapshot) -> list[RenderableType]:
    """How many alerts are open, the most urgent first."""
    if not shot.open_alerts:
        return []
    first = shot.open_alerts[0]
    style = "bold red" if first.urgent else "yellow"
    return [
        "",
        f"[{style}]告警 alerts open: {len(shot.open_alerts)}[/{style}]; first: {escape(first.text_zh)}",
        f"  {first.id}; look: {words.program()} alerts",
    ]


def one_device(device: DeviceView, found: Report) -> RenderableType:
    """Everything about one device, with its current values."""
    now_ns = found.snapshot.at_ns
    where = zone(found.registry, device.site)
    lines = [f"[bold]{device.name}[/bold]", *(f"  {note}" for note in notes(device, now_ns))]
    heard = (
        f"{words.moment(device.heard_ns, now_ns, where)}, {words.ago(device.heard_ns, now_ns)}" if device.heard_ns else "never"
    )
    lines.append(f"听到 heard: {heard}")
    told = {True: "online", False: "offline (its last will)", None: "no birth yet"}[device.online]
    lines.append(
        f"状态 status: {told}; firmware {escape(words.printable(device.firmware)) or 'unknown'}; boots seen {device.boots}"
    )
    if device.update:
        lines.append(f"更新 update: {escape(words.printable(device.update))}")
    if device.expected:
        e = device.expected
        silence = f"silent after {span_en(e.silence_s)}" if e.silence_s else "never counts as silent"
        lines.append(
            f"登记 registered: place {e.place or 'none'}, model {e.model or 'any'}, every {span_en(e.cadence_s)}, {silence}"
            + (f", carried by {e.holder}" if e.holder else "")
        )
    lines.append(f"收到 messages: {words.of(device.came, device.lost, device.missing)} received; {device.lost:,} declared lost")
    lines += [f"  [red]missing: boot {gap.boot}, {gap.first} to {gap.last}[/red]" for gap in device.gaps[:50]]
    counters = ", ".join(f"{name} {n:,}" for name, n in msgspec.structs.asdict(device.counters).items() if n)
    lines.append(f"[dim]counters: {counters or 'all 0'}[/dim]")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("当前值 current", "value", "unit", "measured"):
        table.add_column(title)
    for name in sorted(device.latest):
        last = device.latest[name]
        known = QUANTITIES.get(split_name(name)[0])
        flag = "" if last.flag in (1, 2) else f" [red]flag {last.flag}[/red]"
        when = f"{words.moment(last.time_ns, now_ns, where)} [dim]{words.ago(last.time_ns, now_ns)}[/dim]"
        table.add_row(
            f"{name} [dim]{known.zh if known else ''}[/dim]",
            escape(words.number(last.value)) + flag,
            known.unit if known else "",
            when,
        )
    return Group(*lines, *([table] if device.latest else []))


def as_json(found: Report, only: DeviceView | None = None) -> str:
    """The report for programs; times are integer nanoseconds."""
    devices = [_device_json(device, found.snapshot.at_ns) for device in ([only] if only else found.snapshot.devices)]
    if only:
        return msgspec.json.format(msgspec.json.encode(devices[0]), indent=1).decode()
    shot = found.snapshot
    tree = {
        "at_ns": shot.at_ns,
        "running": found.answer is not None,
        "connected": bool(found.answer and found.answer["connected"]),
        "troubles": found.troubles,
        "totals": dict(shot.totals),
        "adds_up": shot.adds_up,
        "outbox": asdict(shot.backlog),
        "devices": devices,
        "held": [asdict(held) for held in shot.held],
        "dead": [asdict(reason) for reason in shot.reasons],
        "alerts_open": [alert.id for alert in shot.open_alerts],
        "parts": [asdict(part) for part in found.parts],
    }
    return msgspec.json.format(msgspec.json.encode(tree), indent=1).decode()


def _device_json(device: DeviceView, now_ns: int) -> dict[str, Any]:
    return {
        "site": device.site,
        "device": device.device,
        "registered": device.expected is not None,
        "place": device.expected.place if device.expected else "",
        "heard_ns": device.heard_ns,
        "silent": device.silent(now_ns),
        "online": device.online,
        "firmware": device.firmware,
        "update": device.update,
        "came": device.came,
        "lost": device.lost,
        "missing": device.missing,
        "gaps": [asdict(gap) for gap in device.gaps],
        "counters": msgspec.structs.asdict(device.counters),
        "values": {
            name: {"value": last.value, "flag": last.flag, "time_ns": last.time_ns} for name, last in device.latest.items()
        },
    }
