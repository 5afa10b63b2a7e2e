"""`kanhu firmware`: build it, sign it, put it onto devices, set them up, and update them from afar."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_gateway import registry
from edge_gateway.commands import call
from edge_gateway.errors import Misconfigured, Rejected
from edge_gateway.view import snapshot
from operations.commands.common import SettingsFile, load, out
from operations.firmware import build as builder
from operations.firmware import bundle, rollout, serial
from operations.firmware import keys as key_files
from operations.firmware import provision as identities
from operations.firmware import serve as web
from operations.mosquitto import write_private

app = typer.Typer(help="Firmware of the devices: build, flash, set up, update.", no_args_is_help=True)
_LONGEST_STEP_S = 300.0  # two megabytes at 115,200 baud, or sixty files
Model = Annotated[str, typer.Argument(help="elder_home, rider_reader, meal_counter or river_probe.")]
PortName = Annotated[str | None, typer.Option(help="Serial port; without it the only one with a USB device.")]
Keys = Annotated[Path | None, typer.Option(help="Folder with the public keys (*.pub) whose releases it will take.")]
Image = Annotated[Path | None, typer.Option(help="MicroPython itself (.app-bin), if an update is to bring it too.")]


@app.command()
def keys(
    folder: Annotated[Path, typer.Argument(help="A new folder, not on the gateway and not in the repository.")],
    open_: Annotated[bool, typer.Option("--open", help="Do not ask for a passphrase. For trials.")] = False,
) -> None:
    """Make the keys that sign releases: one in use, and the next one, to be kept elsewhere."""
    passphrase = "" if open_ else typer.prompt("passphrase", hide_input=True, confirmation_prompt=True)
    key_files.make(folder, passphrase)
    out.print(f"[green]已生成 made[/green] present.pem and next.pem in {folder}; the firmware gets the .pub of both")
    out.print("keep next.pem offline in another place: with it devices still take updates when present.pem is lost or stolen")


@app.command()
def build(
    model: Model,
    version: Annotated[str, typer.Argument(help="Three numbers that rise: 1.4.0.")],
    target: Annotated[Path, typer.Option("--out", help="A folder MODEL-VERSION is made there.")] = Path("build/firmware"),
    keys: Keys = None,
    lowest: Annotated[str, typer.Option(help="Lowest installed version that an update with it may replace.")] = "0.0.0",
    highest: Annotated[str, typer.Option(help="Highest such version.")] = "999.999.999",
    image: Image = None,
    frozen: Annotated[bool, typer.Option("--frozen", help="The app is in that image: an update is the image alone.")] = False,
) -> None:
    """Compile the firmware of one model; the same sources give the same bytes."""
    public = key_files.public(keys) if keys is not None else []
    content = image.read_bytes() if image is not None else None
    built = builder.build(model, version, target, public, (lowest, highest), image=content, frozen=frozen)
    size = sum(map(len, built.files.values()))
    out.print(f"[green]已编译 built[/green] {built.folder}: {len(built.files)} files, {size:,} bytes")
    if not public:
        out.print("[yellow]without --keys it will take no update from afar[/yellow]")


@app.command()
def release(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="Folder that `build` made.")],
    key: Annotated[Path, typer.Option(help="Private key (present.pem).")],
    target: Annotated[Path, typer.Option("--out", help="Folder that is served; MODEL/VERSION is made there.")] = Path(
        "build/releases"
    ),
    image: Image = None,
) -> None:
    """Sign a build, so that devices take it from afar. A version is released once."""
    made = bundle.release(folder, key_files.load(key), target, image)
    out.print(f"[green]已签名 signed[/green] {made}")


@app.command()
def flash(
    folder: Annotated[Path, typer.Argument(metavar="BUILD", help="Folder that `build` made.")],
    image: Annotated[Path | None, typer.Option(help="MicroPython to write first, with boot loader (firmware.bin).")] = None,
    erase: Annotated[bool, typer.Option("--erase", help="Empty the whole flash before: settings and readings go too.")] = False,
    template: Annotated[Path | None, typer.Option(help="Settings that all your devices share, as JSON.")] = None,
    chip: Annotated[str, typer.Option(help=", ".join(serial.CHIPS))] = "esp32",
    port: PortName = None,
) -> None:
    """Put a build onto the device at the USB port; its settings stay unless everything is erased."""
    if chip not in serial.CHIPS:
        raise Misconfigured(f"there is no chip {chip!r}", f"known: {', '.join(serial.CHIPS)}")
    if not (folder / "flash" / "main.py").is_file():
        raise Misconfigured(f"{folder} is no build", "make one with `kanhu firmware build`")
    if template is not None:
        _settings(template)
    name = serial.choose(port, serial.ports())
    if erase:
        _step(serial.erase(chip, name), "emptying the flash")
    if image is not None:
        _step(serial.write_image(chip, name, image), "writing MicroPython")
    _step(serial.forget_slots(name), "taking the old code away")
    for argv in serial.copy_tree(name, folder / "flash"):
        _step(argv, "copying the firmware")
    if template is not None:
        _step(serial.copy_file(name, template, "template.json"), "copying the template")
    _step(serial.reset(name), "restarting")
    out.print(f"[green]已写入 written[/green] to {name}; set it up: kanhu firmware provision, or by its own Wi-Fi")


@app.command()
def provision(
    file: Annotated[
        Path, typer.Argument(metavar="SETTINGS", help="The device's settings, as JSON: docs/firmware/provision.md.")
    ],
    ca: Annotated[Path | None, typer.Option(help="Authority that signed the broker's certificate (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option(help="The device's own certificate, if the broker asks for one.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key.")] = None,
    password: Annotated[Path | None, typer.Option(help="File with its password, as `kanhu device add` wrote it.")] = None,
    label: Annotated[Path | None, typer.Option(help="Write the set-up network's password there and do not print it.")] = None,
    port: PortName = None,
) -> None:
    """Write settings and certificates onto the device at the USB port, checked before as the device would check them."""
    document = _settings(file)
    if password is not None:
        document.setdefault("broker", {})["password"] = password.read_text(encoding="utf-8").strip()
    given = {kind: path for kind, path in (("ca", ca), ("cert", cert), ("key", key)) if path is not None}
    who = identities.identity(document, given)
    identities.send(serial.choose(port, serial.ports()), who)
    out.print(f"[green]已设置 set up[/green] {document['site']}/{document['device']}")
    if label is not None:
        write_private(label, who.portal + "\n")
    else:
        out.print(f"for its label: network kanhu-{document['device']}, password {who.portal}", markup=False)


@app.command()
def monitor(port: PortName = None) -> None:
    """Show what the device at the USB port prints, until Ctrl-C; nothing is sent to it."""
    name = serial.choose(port, serial.ports())
    out.print(f"[dim]{name}, Ctrl-C ends[/dim]")
    try:
        for line in serial.listen(name):
            out.print(line, markup=False)
    except KeyboardInterrupt:
        out.print()


@app.command()
def serve(
    folder: Annotated[Path, typer.Argument(help="Where `release` puts them.")] = Path("build/releases"),
    host: Annotated[str, typer.Option(help="Address of this machine that the devices can reach.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8070,
) -> None:
    """Serve releases to devices over HTTP until Ctrl-C. They are signed, so the way they come need not be secret."""
    web.run(folder, host, port)


@app.command()
def update(
    url: Annotated[str, typer.Argument(help="Folder of a release: http://192.168.1.5:8070/elder_home/1.4.0")],
    device: Annotated[str | None, typer.Option(help="Only this one, as SITE/ID.")] = None,
    site: Annotated[str | None, typer.Option(help="Only devices of this site.")] = None,
    percent: Annotated[float, typer.Option(min=0.1, max=100, help="Share of the devices of its model.")] = 10.0,
    force: Annotated[bool, typer.Option("--force", help="Go on although updates of this share failed.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Tell devices to update themselves; a share first. Say the same with a larger share when those run well."""
    found, chosen = load(settings), rollout.look(url)
    known = [d for d in snapshot(found.store_file, registry.load(found.registry)).devices if site in (None, d.site)]
    if device is not None:
        known, percent = [d for d in known if d.name == device], 100.0
    if not any(d.expected is not None and d.expected.model == chosen.model for d in known):
        where = f" at site {site}" if site else f" named {device}" if device else ""
        raise Misconfigured(f"no device of model {chosen.model}{where} is registered", "`kanhu device list` shows them")
    step = rollout.step(known, chosen, percent)
    for one in step.failed:
        out.print(f"[red]{one.name}[/red] {one.update}", markup=True)
    if step.failed and not (force or device):
        raise Rejected("rollout_stopped", f"{len(step.failed)} updates went wrong, see above; --force goes on all the same")
    for one in [*step.send, *(step.failed if force or device else ())]:
        call(
            found.command_socket,
            "device.command",
            site=one.site,
            device=one.device,
            name="update",
            arguments=rollout.command(chosen),
        )
        out.print(f"{one.name}: {rollout.version(one) or 'unknown version'} -> {chosen.version}")
    out.print(f"[green]已通知 told[/green] {len(step.send)}; {len(step.done)} run {chosen.version} already")


def _settings(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Misconfigured(f"cannot read {file}: {error}", "docs/firmware/provision.md has an example") from error
    if not isinstance(document, dict):
        raise Misconfigured(f"{file} holds no JSON object", "docs/firmware/provision.md has an example")
    return document


def _step(argv: list[str], doing: str) -> None:
    out.print(f"{doing} ...")
    serial.run(argv, doing, _LONGEST_STEP_S)
