"""Changes the registry file the way a person would: comments, order and everything else stay as they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from edge_gateway import registry
from edge_gateway.errors import Misconfigured
from edge_gateway.registry import Device, Registry
from operations.mosquitto import write_private


def add(file: Path, devices: Sequence[Device], new_sites: dict[str, str] | None = None, note: str = "") -> Registry:
    """Append devices, and sites (id -> name) that are not there yet; returns the registry as it is now.

    Raises:
        Misconfigured: the file has mistakes, a site is unknown, a device is there already; then nothing is changed.
    """
    known = registry.load(file)
    if double := [f"{d.site}/{d.id}" for d in devices if d.key in known.devices]:
        raise Misconfigured(
            f"{', '.join(double[:5])} is in {file} already", "change it there with an editor, or revoke it first"
        )
    text = _parse(file)
    sites = text.setdefault("sites", tomlkit.table(is_super_table=True))
    for site, name in (new_sites or {}).items():
        if site not in known.sites:
            sites[site] = {"name": name or site}
    if unknown := sorted({d.site for d in devices} - set(sites)):
        have = ", ".join(sorted(known.sites)) or "none yet"
        raise Misconfigured(f"there is no site {unknown[0]!r} in {file}; sites: {have}", 'make it with --new-site "its name"')
    rows = text.setdefault("devices", tomlkit.aot())
    for device in devices:
        rows.append(_row(device, note))
    return _save(file, text)


def remove(file: Path, site: str, device: str) -> Registry:
    """Take a device out; returns the registry as it is now.

    Raises:
        Misconfigured: it is not there.
    """
    text = _parse(file)
    rows = text.get("devices", [])
    at = next((n for n, row in enumerate(rows) if (row.get("site"), row.get("id")) == (site, device)), None)
    if at is None:
        raise Misconfigured(f"{site}/{device} is not in {file}", "`kanhu device list` shows who is")
    if isinstance(rows, AoT) and len(rows) == 1:
        text.remove("devices")
    else:
        del rows[at]
    return _save(file, text)


def remove_home(file: Path, site: str, place: str) -> list[str]:
    """Take a home out: its [[homes]] and the devices at its place; the ids of those devices.

    Raises:
        Misconfigured: the file cannot be read.
    """
    text = _parse(file)
    gone = [row["id"] for row in text.get("devices", []) if (row.get("site"), row.get("place")) == (site, place)]
    for name in ("devices", "homes"):
        rows = text.get(name, [])
        left = [row for row in rows if (row.get("site"), row.get("place")) != (site, place)]
        if len(left) == len(rows):
            continue
        for at in reversed(range(len(rows))):
            if (rows[at].get("site"), rows[at].get("place")) == (site, place):
                del rows[at]
        if not left:
            text.remove(name)
    _save(file, text)
    return gone


def places(file: Path) -> list[tuple[str, str, str]]:
    """(site, place, device) of every line that names a place; device "" for a home's own."""
    text = _parse(file)
    rows = [(row, row.get("id", "")) for row in text.get("devices", [])] + [(row, "") for row in text.get("homes", [])]
    return [(str(row.get("site", "")), str(row["place"]), str(device)) for row, device in rows if row.get("place")]


def _parse(file: Path) -> tomlkit.TOMLDocument:
    if not file.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(file.read_text(encoding="utf-8"))
    except (TOMLKitError, OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"cannot read the registry {file}: {error}", "mend it first; `kanhu doctor` names every mistake"
        ) from error


def _save(file: Path, text: tomlkit.TOMLDocument) -> Registry:
    written = tomlkit.dumps(text)
    now = registry.parse(written, str(file))
    _write(file, written)
    return now


def _write(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    write_private(file, text)
    file.chmod(mode)


def _row(device: Device, note: str) -> dict[str, Any]:
    row = tomlkit.table()
    row["site"], row["id"] = device.site, device.id
    if device.place:
        row["place"] = device.place
    if device.model:
        row["model"] = device.model
    row["cadence_s"] = _plain(device.cadence_s)
    if device.silence_s != device.cadence_s * registry.SILENCE_FACTOR:
        row["silence_s"] = _plain(device.silence_s)
    if device.measures:
        row["measures"] = sorted(device.measures)
    if device.holder:
        row["holder"] = device.holder
    if device.via:
        row["via"] = device.via
    if device.lat is not None and device.lon is not None:
        row["lat"], row["lon"] = device.lat, device.lon
    if note:
        row["note"] = note
    return row


def _plain(seconds: float) -> float | int:
    return int(seconds) if seconds == int(seconds) else seconds


def append(file: Path, text: str) -> Registry:
    """Put TOML text of more sites and devices behind what is there; returns the registry as it is now.

    Raises:
        Misconfigured: together they are no registry; then nothing is changed.
    """
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    written = f"{before.rstrip()}\n\n{text.strip()}\n".lstrip()
    now = registry.parse(written, str(file))
    _write(file, written)
    return now
