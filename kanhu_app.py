"""All commands; `kanhu.py` starts them."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_gateway import registry
from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings
from operations import install, registry_file
from operations.commands import (
    alerts,
    cards,
    channels,
    console,
    dashboards,
    database,
    dead_letters,
    device,
    duty,
    firmware,
    homes,
    homes_score,
    look,
    people,
    privacy,
    serve,
    visits,
)
from operations.commands.common import SettingsFile, err, load, out, settings_option
from operations.words import program

if TYPE_CHECKING:
    # Loaded where they are used: `kanhu status` should not wait for the simulator.
    from operations.balance import Sent
    from operations.status import Report
    from simulator.fleet import Fleet, Summary
    from simulator.link import Access
    from simulator.outbox import Ledger
    from simulator.village import Village

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
app.add_typer(alerts.app, name="alerts")
app.add_typer(duty.app, name="duty")
app.add_typer(channels.app, name="channels")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(device.app, name="device")
app.add_typer(cards.app, name="cards")
app.add_typer(visits.app, name="visits")
app.add_typer(homes.app, name="homes")
homes.app.command("score")(homes_score.score_homes)
app.add_typer(people.app, name="people")
app.add_typer(privacy.app, name="privacy")
app.add_typer(database.app, name="ingest")
app.add_typer(firmware.app, name="firmware")
app.add_typer(console.app, name="console")
app.add_typer(dashboards.app, name="dashboards")
app.command()(look.status)
app.command()(look.doctor)
app.command()(database.export)
app.command()(database.backfill)
app.command()(privacy.backup)
app.command()(privacy.restore)
app.command()(serve.gateway)

Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Of the broker on this machine; 0: any free one.", show_default="1883")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same devices and readings.")]


@app.callback()
def root() -> None:
    """看护 Kanhu: telemetry for eldercare and rivers; nothing is lost without being counted.

    To look: kanhu demo. To use: kanhu up. When something is wrong: kanhu doctor, kanhu status.
    """


@console.app.callback(invoke_without_command=True)
def serve_console(context: typer.Context, settings: SettingsFile = None) -> None:
    """Run the staff's pages, in the foreground, until Ctrl-C. `up` and `demo` start it beside the gateway."""
    if context.invoked_subcommand is not None and settings is not None and "KANHU_SETTINGS" not in os.environ:
        raise Misconfigured("--settings stands before the command", "put it behind: kanhu console user list --settings FILE")
    if context.invoked_subcommand is None:
        from dashboards.console.run import serve

        serve(load(settings))


@app.command()
def up(
    settings: SettingsFile = None,
    folder: Annotated[Path, typer.Option(help="Where everything is kept when no settings file is given.")] = install.FOLDER,
    port: Port = None,
    simulator: Annotated[
        bool,
        typer.Option("--simulator", help="Let `simulate` and `replay` speak for any device. For trials, never on a site."),
    ] = False,
) -> None:
    """Run the whole platform on this machine, for your own devices: mosquitto, gateway, embedded database."""
    from operations import mosquitto
    from operations.run import Platform, Show

    if settings is None and Path("kanhu.toml").exists():
        settings = Path("kanhu.toml")
    others = {"simulator": mosquitto.ANY_DEVICE} if simulator else {}
    installation = install.prepare(folder, settings, port, others=others)
    option = settings_option(installation.settings_file)

    def hints(found: "Report | None", _parts: Sequence[Any]) -> Sequence[str]:
        where = installation.settings
        return (
            f"add a device:      {program()} device add SITE ID --place PLACE --cadence 60{option}",
            f"it connects to:    this machine's port {where.broker.port}, topic kanhu/1/SITE/ID/up/data (docs/contract.md)",
            f"look:              {program()} status{option} · alerts{option} · doctor{option}",
            *console.hint(where, "console:           "),
            f"who is told:       [[alerts.people]] in {installation.settings_file}".replace("[[", r"\[["),
            f"your data:         {where.data_dir}; take it out: {program()} export readings.csv{option}",
        )

    platform = Platform(installation, out, Show("", option, hints))
    console.say_where(installation.settings, out)
    asyncio.run(platform.run())
    out.print(f"stopped; everything is in {installation.settings.data_dir}, and `kanhu up` goes on from there")


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option(help="Of the demo alone; what an earlier demo left there is removed.")
    ] = install.DEMO_FOLDER,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the broker; 0: any free one.")] = 0,
    homes: Annotated[int, typer.Option(min=1, help="Homes of old people.")] = 240,
    stations: Annotated[int, typer.Option(min=0, help="Probes in two rivers.")] = 30,
    readers: Annotated[int, typer.Option(min=0, help="Homes with a card reader; a courier brings meals to five of them.")] = 30,
    devices: Annotated[int | None, typer.Option(min=10, help="So many in all, instead of the three above.")] = None,
    firmware: Annotated[
        bool, typer.Option(help="Three more devices that run the real firmware, MicroPython on simulated boards.")
    ] = True,
    seed: Seed = 1,
    speed: Annotated[float, typer.Option(min=1, max=100, help="The village's day runs so many times as fast.")] = 1.0,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End by itself, count, and exit 1 if anything is missing.")
    ] = None,
) -> None:
    """See it: a simulated village, couriers and a river speak through a real broker and gateway. Pull any plug, and count."""
    from operations import boards, demo_homes, mosquitto
    from operations.run import Platform, Show, verdict
    from operations.telephone import Telephone
    from simulator.link import Access
    from simulator.story import SITE, STILL, Story, world
    from simulator.village import home

    if devices is not None:
        stations = readers = devices // 10
        homes = devices - stations - readers
    village = world(homes, stations, readers, seed, speed)
    real = boards.BOARDS if firmware else ()
    if real and (reason := boards.why_none()):
        real = ()
        err.print(f"without devices that run the real firmware: {reason}", markup=False)
    install.fresh_demo(folder)
    telephone = Telephone()
    installation = install.prepare(
        folder,
        None,
        port,
        others={"simulator": mosquitto.ANY_DEVICE, **boards.users(real)},
        registry=village.registry + boards.registry_text(real),
        gateway={"metrics_port": 0, "ballast_mb": 8, "future_s": 400 * 86_400.0},
        alerts=telephone.people,
    )
    access = Access(port=installation.settings.broker.port, password=installation.passwords["simulator"])
    option = settings_option(installation.settings_file)
    where = installation.settings
    lived = [one.entry.key for one in village.residents if one.entry.site == SITE and one.entry.id in demo_homes.LIVED]
    if speed == 1:  # the days of another pace are not those of the clock
        demo_homes.remember(where, home, lived, STILL, seed, time.time())
    show = Show("demo", option, lambda found, parts: _plugs(parts, option, where), telephone.messages, seconds)
    traffic = _Village(Story(access, village, speed, seed), seconds, lambda: _couriers(village, where))
    platform = Platform(installation, out, show, traffic, real, installation.settings.data_dir / "boards")
    console.say_where(installation.settings, out)
    asyncio.run(platform.run())
    telephone.close()
    if seconds is not None:
        counted, whole = verdict(platform)
        out.print(counted, markup=False)
        raise typer.Exit(0 if whole else 1)
    out.print(f"stopped; what was stored is in {folder} until the next demo: {program()} status{option}")


def _plugs(parts: Sequence[Any], option: str, settings: Settings) -> Sequence[str]:
    """What to try, with the processes as they are now."""
    pids = {part.name: part.pid for part in parts}
    lines = []
    if pid := pids.get("gateway"):
        lines.append(f"kill the gateway:   kill -9 {pid}   (comes back by itself; nothing is missing)")
    if pid := pids.get("mosquitto"):
        lines.append(f"freeze the broker:  kill -STOP {pid}; sleep 30; kill -CONT {pid}   or kill it: kill -9 {pid}")
    if pid := pids.get("firmware-home-1"):
        lines.append(f"cut a device's power: kill -9 {pid}   (what is in its flash comes when it is back)")
    lines += console.hint(settings, "console:            ")
    lines.append(f"look closer:        {program()} status{option}   also: alerts, dead-letters list, doctor")
    lines.append(f"take the data out:  {program()} export readings.csv{option}")
    return lines


def _couriers(village: "Village", settings: Settings) -> None:
    """Enrol the demo's cards and import its plan: of one meal about now, and of those of the day."""
    from operations import demo_visits
    from simulator.village import hour_of

    cards = [demo_visits.DemoCard(c.site, c.id, c.card.uid, c.card.meta, c.card.file) for c in village.couriers]
    meals = village.meals(int(hour_of(time.time()) * 60))
    demo_visits.prepare(settings.command_socket, [*cards, *demo_visits.BOARD_CARDS], meals)


class _Village:
    """The story as the platform's traffic."""

    def __init__(self, story: Any, seconds: float | None, before: Callable[[], None]) -> None:
        self.devices = story.keys
        self._story, self._seconds, self._before = story, seconds, before
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def _run(self) -> None:
        self._before()
        # A minute: a message whose receipt was lost is repeated after half of it.
        self._story.fleet.run(self._seconds, drain_s=60.0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._story.fleet.stop()
            self._thread.join(5.0)

    def books(self) -> "Sent":
        from operations.balance import Group, Sent

        done = self._thread.ident is not None and not self._thread.is_alive()
        books = self._story.books
        total = books.summary.total
        return Sent(
            tuple(Group(*group) for group in books.by_model),
            total.generated,
            total.receipted,
            total.pending,
            total.declared_lost + total.undeclared,
            total.rejected,
            books.values,
            books.open_values,
            books.told,
            books.summary.problem,
            done,
        )


@app.command()
def simulate(
    settings: SettingsFile = None,
    devices: Annotated[int, typer.Option(min=1, help="How many.")] = 100,
    every: Annotated[
        float | None, typer.Option(min=0.01, help="Each sends every so many seconds; without it: a village's day.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long they send; then the last receipts are awaited.")] = 60.0,
    speed: Annotated[float, typer.Option(min=0.01, help="Times real time.")] = 1.0,
    seed: Seed = 1,
    fault: Annotated[
        list[str] | None, typer.Option(help="What goes wrong, about every 5 s; again for more. `list` shows all.")
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Put the devices into the registry of these settings first.")
    ] = False,
) -> None:
    """Let simulated devices speak to the broker: they keep an outbox and wait for receipts, as real ones do."""
    from simulator.faults import FAULTS
    from simulator.fleet import Fleet, Pace
    from simulator.load import load as even_load
    from simulator.village import village

    if fault == ["list"]:
        for name, function in FAULTS.items():
            out.print(f"{name:16} {function.__doc__}", markup=False)
        return
    if unknown := set(fault or ()) - FAULTS.keys():
        raise Misconfigured(f"there is no fault {sorted(unknown)[0]!r}", f"known: {', '.join(FAULTS)}")
    found = load(settings)
    tenth = devices // 10
    world = even_load(devices, every, seed) if every else village(devices - 2 * tenth, tenth, tenth, seed)
    if register:
        _register(found, world.registry)
    start_s = time.time()
    random, next_at = Random(f"faults/{seed}"), [5.0]

    def play(summary: "Summary") -> None:
        if fault and summary.elapsed_s >= next_at[0]:
            next_at[0] = summary.elapsed_s + random.uniform(2.5, 7.5)
            err.print(FAULTS[random.choice(fault)](fleet, random), markup=False)

    fleet = Fleet(
        _access(found), world.devices(start_s), world.plan(start_s), Pace(start_s, speed), seed=seed, on_progress=play
    )
    thread = threading.Thread(target=fleet.run, args=(seconds, 90.0), daemon=True)
    thread.start()
    _follow(fleet, f"{devices} devices", thread)


@app.command()
def replay(
    recording: Annotated[
        str, typer.Argument(help="Its name (`list` shows them), the beginning of it, or the path of its file.")
    ],
    settings: SettingsFile = None,
    data: Annotated[Path, typer.Option(envvar="KANHU_DATA", help="Folder of the recorded data.")] = Path("data"),
    original: Annotated[bool, typer.Option("--original", help="Keep the recording's own times; else it ends now.")] = False,
    speed: Annotated[
        float | None, typer.Option(min=0.01, help="Times real time; without it: as fast as receipts come.")
    ] = None,
    register: Annotated[Path | None, typer.Option(help="Registry to put its devices into; `-`: that of the settings.")] = None,
    deadline: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 3600.0,
    seed: Seed = 1,
) -> None:
    """Recorded data as live MQTT traffic: the rows go through simulated devices, so receipts and repeats are real."""
    from simulator.recordings import RECORDINGS
    from simulator.recordings.find import find_recording
    from simulator.replay import replay as play

    if recording == "list":
        for entry in RECORDINGS.values():
            out.print(f"{entry.name:28} {entry.title}", markup=False)
        return
    chosen, path = find_recording(recording, data)
    found = load(settings)
    if register is not None:
        _register(found, chosen.registry(path), None if str(register) == "-" else register)
    if original and found.gateway.time_floor > "2001":
        err.print(
            f"[yellow]times before gateway.time_floor ({found.gateway.time_floor}) are replaced by those of receipt[/yellow]"
        )
    fleets: list[Fleet] = []
    shift_to_s = None if original else time.time()
    how = {"speed": speed, "shift_to_s": shift_to_s, "deadline_s": deadline, "seed": seed, "ready": fleets.append}
    thread = threading.Thread(target=play, args=(chosen, path, _access(found)), kwargs=how, daemon=True)
    thread.start()
    while not fleets and thread.is_alive():
        time.sleep(0.05)
    if not fleets:
        raise Misconfigured(f"{path} cannot be replayed", "see the message above")
    _follow(fleets[0], chosen.title, thread)


def _register(settings: Settings, text: str, file: Path | None = None) -> None:
    """Put those sites and devices into the registry that are not in it; the gateway sees it within a second."""
    from simulator.registry_text import registry_text

    target = file or settings.registry
    new, known = registry.parse(text), registry.load(target)
    sites = [site for site in new.sites.values() if site.id not in known.sites]
    missing = [entry for entry in new.devices.values() if entry.key not in known.devices]
    if missing:
        registry_file.append(target, registry_text(sites, missing))
        time.sleep(1.5)
    out.print(f"[dim]{len(missing)} devices registered in {target}[/dim]")


def _access(settings: Settings) -> "Access":
    """The broker as the user who may speak for all devices."""
    from edge_gateway.settings import secret
    from simulator.link import Access

    file = settings.data_dir / "secrets" / "simulator"
    if not file.exists():
        hint = "start it with `kanhu up --simulator`, or look at `kanhu demo`"
        raise Misconfigured(f"no user of this broker may speak for all devices (there is no {file})", hint)
    return Access(settings.broker.host, settings.broker.port, password=secret(file), tls_ca=settings.broker.tls_ca)


def _follow(fleet: "Fleet", title: str, thread: threading.Thread) -> None:
    """Show how far a fleet is until it ends; then its ledger, and exit code 1 when anything is open, lost or refused."""
    from rich.live import Live

    with Live(console=err, refresh_per_second=4, transient=True) as live:
        while thread.is_alive():
            live.update(f"{title}: {_ledger(fleet.summary.total)} [red]{fleet.summary.problem}[/red]")
            time.sleep(0.25)
    summary, total = fleet.summary, fleet.summary.total
    out.print(f"{_ledger(total)}; {summary.published:,} sent in {summary.elapsed_s:.1f} s")
    if summary.problem:
        out.print(f"[red]{summary.problem}[/red]")
    if total.open or total.declared_lost or total.rejected:
        raise typer.Exit(1)


def _ledger(total: "Ledger") -> str:
    return (
        f"generated {total.generated:,} = receipted {total.receipted:,} + on the way {total.pending:,}"
        f" + declared lost {total.declared_lost + total.undeclared:,} + refused {total.rejected:,}"
    )
