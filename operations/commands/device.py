"""`kanhu device`: who is registered, with the password each needs at the broker."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_gateway import registry as registries
from edge_gateway import view
from edge_gateway.commands import call
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.registry import DEFAULT_CADENCE_S, SILENCE_FACTOR, Device
from edge_gateway.rules.words import span_en
from edge_gateway.settings import Settings
from edge_gateway.topics import ID
from operations import enrolment, mosquitto, registry_file
from operations.commands.common import SettingsFile, load, out
from operations.install import broker_folder
from operations.status import register
from operations.supervise import running

app = typer.Typer(help="Register devices, with their passwords.", no_args_is_help=True)
Site = Annotated[str, typer.Argument(help="Id of the site: a-z, 0-9, - and _.")]
Name = Annotated[str, typer.Argument(metavar="ID", help="Id of the device; SITE/ID is its user name at the broker.")]


@app.command()
def add(
    site: Site,
    device: Name,
    place: Annotated[str, typer.Option(help="Home, door or river point; leave out for one that moves.")] = "",
    cadence: Annotated[float, typer.Option(min=0.1, help="Seconds between two of its messages.")] = DEFAULT_CADENCE_S,
    silence: Annotated[float | None, typer.Option(min=0, help="Silent after so many seconds; 3 x cadence. 0: never.")] = None,
    model: Annotated[str, typer.Option(help="elder_home, rider_reader, meal_counter, river_probe, or a free word.")] = "",
    measures: Annotated[str, typer.Option(help="Names it may send, separated by spaces; empty: any.")] = "",
    holder: Annotated[str, typer.Option(metavar="COURIER", help="Who carries a reader that moves: id of a courier.")] = "",
    lat: Annotated[float | None, typer.Option(min=-90, max=90, help="Where a station stands, degrees WGS 84.")] = None,
    lon: Annotated[float | None, typer.Option(min=-180, max=180, help="The same; both, or none.")] = None,
    note: Annotated[str, typer.Option(help="For people.")] = "",
    new_site: Annotated[str | None, typer.Option(metavar="NAME", help="Make the site too, with this name.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="Write the device's password there (mode 0600) and do not print it.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Register a device and make its password. What was held of it is stored within a second or two."""
    found = load(settings)
    silence_s = cadence * SILENCE_FACTOR if silence is None else silence
    if (lat is None) != (lon is None):
        raise Misconfigured("a station has a latitude and a longitude", "give both --lat and --lon, or none")
    entry = Device(site, device, place, model, cadence, silence_s, frozenset(measures.split()), holder, "", lat, lon)
    _refuse_bad_names(entry)
    registry_file.add(found.registry, [entry], {} if new_site is None else {site: new_site}, note)
    out.print(f"[green]已登记 registered[/green] {site}/{device} in {found.registry}")
    _give_password(found, f"{site}/{device}", password_file)


@app.command("list")
def list_(settings: SettingsFile = None) -> None:
    """Who is registered, who is held, and the command that registers those."""
    found = load(settings)
    known = registries.load(found.registry)
    for entry in known.devices.values():
        silence = f"silent after {span_en(entry.silence_s)}" if entry.silence_s else "never silent"
        where = entry.place or (f"with {entry.holder}" if entry.holder else "-")
        out.print(f"{entry.site}/{entry.id}  {where}  every {span_en(entry.cadence_s)}, {silence}  {entry.model}")
    out.print(f"[dim]{len(known.devices)} devices at {len(known.sites)} sites in {found.registry}[/dim]")
    with suppress(Unavailable):  # no gateway has run yet: nobody is held
        for held in view.held_devices(found.store_file):
            out.print(f"[yellow]待认领 held[/yellow] {held.site}/{held.device}, {held.messages} messages; register it:")
            out.print(f"  {register(held.site, held.device, known)}", markup=False)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV with the header site,id,place,model,cadence_s,silence_s,measures,holder,via,lat,lon.")
    ],
    passwords: Annotated[
        Path | None, typer.Option(help="Write `user,password` lines there (mode 0600); default: FILE.passwords.csv")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Register the devices of a spreadsheet. One bad row refuses them all, and every bad row is named."""
    found = load(settings)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read {file}: {error}", "give a CSV file in UTF-8") from error
    entries = registries.from_csv(text, registries.load(found.registry))
    registry_file.add(found.registry, entries)
    secrets = {f"{entry.site}/{entry.id}": mosquitto.new_secret() for entry in entries}
    out.print(f"[green]已登记 registered[/green] {len(entries)} devices in {found.registry}")
    target = passwords or file.with_name(file.name + ".passwords.csv")
    mosquitto.write_private(target, "user,password\n" + "".join(f"{user},{word}\n" for user, word in secrets.items()))
    out.print(f"their passwords: {target} (only you can read it; delete it when they are in the devices)", markup=False)
    _tell_broker(found, secrets)


@app.command()
def enrol(
    site: Annotated[str | None, typer.Argument(help="Id of the site.")] = None,
    device: Annotated[str | None, typer.Argument(metavar="ID", help="Id of a registered device.")] = None,
    file: Annotated[Path | None, typer.Option("--csv", help="Many: a CSV file with the columns site and id.")] = None,
    hours: Annotated[float, typer.Option(min=0.1, max=720, help="How long a code is good.")] = enrolment.HOURS,
    codes: Annotated[
        Path | None, typer.Option(help="Write `device,code` lines there (mode 0600) and do not print them.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Make one-time codes: typed into a device, it hands in a password of its own, and the one it had ends."""
    if (file is None) == (site is None) or (site is None) != (device is None):
        raise Misconfigured("name one device (SITE ID), or a file of many (--csv)", "kanhu device enrol yunhe home-7")
    found = load(settings)
    wanted = enrolment.from_csv(file) if file is not None else [(str(site), str(device))]
    made = enrolment.BrokerUsers(found).create(wanted, hours)
    lines = [f"{at}/{name}/{enrolment.shown(code)}" for (at, name), code in made.items()]
    if codes is None:
        out.print("\n".join(lines), markup=False)
    else:
        text = "device,code\n" + "".join(f"{line.rpartition('/')[0]},{line}\n" for line in lines)
        mosquitto.write_private(codes, text)
        out.print(f"{len(lines)} codes in {codes} (only you can read it)", markup=False)
    out.print(
        f"[dim]good for {hours:g} hours; type it on the page of the device's own Wi-Fi (docs/firmware/provision.md)[/dim]"
    )


@app.command()
def configure(
    site: Site,
    device: Name,
    values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE ...", help="VALUE is JSON, else it is a text.")],
    settings: SettingsFile = None,
) -> None:
    """Send settings to a device; it gets them when it next connects. `kanhu status` shows which version it uses, or why not."""
    wanted = dict(_setting(value) for value in values)
    version = call(load(settings).command_socket, "device.configure", site=site, device=device, settings=wanted)
    out.print(f"[green]已发送 sent[/green] version {version} to {site}/{device}: {wanted}", markup=True)


@app.command()
def command(
    site: Site,
    device: Name,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as reboot, identify, prewarn; unknown ones do nothing.")],
    values: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE ...", help="VALUE is JSON, else a text.")] = None,
    settings: SettingsFile = None,
) -> None:
    """Ask a device to do something once. One that is away gets it when it comes back, if the broker kept its session."""
    details = dict(_setting(value) for value in values or [])
    socket = load(settings).command_socket
    identity = call(socket, "device.command", site=site, device=device, name=name, arguments=details)
    out.print(f"[green]已发送 sent[/green] {name} to {site}/{device} (id {identity})")


@app.command()
def revoke(site: Site, device: Name, settings: SettingsFile = None) -> None:
    """Take a device out of the registry and its password away. What it sends from then on is held."""
    found = load(settings)
    registry_file.remove(found.registry, site, device)
    file = broker_folder(found) / "passwords"
    if file.exists():
        with mosquitto.locked(file):
            mosquitto.remove_users(file, [f"{site}/{device}"])
        enrolment.BrokerUsers(found).used(site, device)  # an open code, too: what was handed in with it may still be on its way
    out.print(f"[green]已作废 revoked[/green] {site}/{device}")
    _reload(found, f"take {site}/{device} out of your broker's password file")


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise Misconfigured(f"{text[:60]!r} is no setting", "write NAME=VALUE, such as cadence=60")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _refuse_bad_names(entry: Device) -> None:
    for what, value in (("site", entry.site), ("device", entry.id), ("place", entry.place), ("holder", entry.holder)):
        if value and ID.fullmatch(value) is None:
            raise Misconfigured(f"{what} {value[:60]!r} cannot be an id", "a-z, 0-9, - and _, at most 48 characters")
    if entry.place and entry.holder:
        raise Misconfigured("a reader has a place or a holder, not both", "leave out --holder, or --place for one that moves")


def _give_password(settings: Settings, user: str, file: Path | None) -> None:
    word = mosquitto.new_secret()
    if file is None:
        out.print(f"user     {user}\npassword {word}", markup=False)
        out.print("[dim]shown this once; put both into the device[/dim]")
    else:
        mosquitto.write_private(file, word + "\n")
        out.print(f"user {user}, password in {file}", markup=False)
    _tell_broker(settings, {user: word})


def _tell_broker(settings: Settings, passwords: dict[str, str]) -> None:
    file = broker_folder(settings) / "passwords"
    if file.exists():
        with mosquitto.locked(file):
            mosquitto.set_passwords(file, passwords)
    _reload(settings, "add them to your broker's password file (mosquitto_passwd), and send mosquitto SIGHUP")


def _reload(settings: Settings, otherwise: str) -> None:
    if not (broker_folder(settings) / "passwords").exists():
        out.print(f"[yellow]this broker is not ours[/yellow]: {otherwise}")
        return
    broker = next((part for part in running(settings.data_dir) or [] if part.name == "mosquitto"), None)
    if broker is None or broker.pid is None:
        out.print("[dim]the broker does not run; it knows when it starts[/dim]")
        return
    with suppress(ProcessLookupError):
        os.kill(broker.pid, signal.SIGHUP)
        out.print("[dim]the broker knows[/dim]")
