"""Backups: one folder with a consistent copy of each database, made while everything runs; and the way back.

Keys are not in it (`operations.privacy.keys`): who finds a backup has pseudonyms and no names. A backup that is older than
`privacy.backup_days` is deleted by the next one; an erased home is taken out of all that can be reached, and out of the others
when they are restored.
"""

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.privacy import raw
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.privacy.subject import Subject
from edge_gateway.settings import Settings
from operations.mosquitto import write_private
from operations.privacy import copies, erasures
from operations.privacy.erasures import Erasures

KNOWN: Final = "backups.json"  # in the data folder: where backups were put
MANIFEST: Final = "manifest.json"
DATABASES: Final = (copies.STORE, copies.VISITS, copies.READINGS, "console.db", "rollups.db")
SEALED: Final = ("duty.toml",)  # numbers and addresses of staff are in it
_SEALED: Final = ".sealed"
# Nothing else is taken out of a backup: whoever had the stick in hand could have put anything into it, under any name.
_OURS: Final = frozenset({*DATABASES, copies.REGISTRY, erasures.NAME, *(name + _SEALED for name in SEALED)})
_PREFIX: Final = "kanhu-"
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Backup:
    """One that was made here. reachable: it is there now."""

    folder: Path
    made_s: int

    @property
    def reachable(self) -> bool:
        """A stick that was pulled out is not."""
        return (self.folder / MANIFEST).exists()


def make(settings: Settings, target: Path, days: int) -> tuple[Backup, list[Path]]:
    """A new backup in a folder of its own below `target`; older ones than so many days (0: none) go. The new one, and those.

    Raises:
        Unavailable, Misconfigured: nothing half is left.
    """
    made_s = int(time.time())
    folder = target.absolute() / f"{_PREFIX}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(made_s))}"
    part = folder.with_name(folder.name + ".part")
    try:
        part.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise Misconfigured(f"cannot make {part}: {error}", "name a folder this user may write to") from error
    try:
        _fill(settings, part)
        _write_manifest(part, made_s)
        part.rename(folder)
    except OSError as error:
        raise Unavailable(f"{folder}: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    backup = Backup(folder, made_s)
    _remember(settings, [*known(settings), backup])
    return backup, prune(settings, days)


def _fill(settings: Settings, part: Path) -> None:
    for name in DATABASES:
        if (settings.data_dir / name).exists():
            copies.copy(settings.data_dir / name, part / name)
    for source, name in ((settings.registry, copies.REGISTRY), (settings.data_dir / erasures.NAME, erasures.NAME)):
        if source.exists():
            shutil.copyfile(source, part / name)
            (part / name).chmod(0o600)
    key = raw.key_file(settings.store_file)
    for name in SEALED:
        source = settings.data_dir / name
        if source.exists() and key.exists():
            sealed = raw.load(key).seal(source.read_bytes())
            with os.fdopen(os.open(part / (name + _SEALED), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(sealed)


def prune(settings: Settings, days: int) -> list[Path]:
    """Delete the backups that are older than so many days (0: none), where they can be reached; those."""
    gone, stay = [], []
    for one in known(settings):
        old = days > 0 and time.time() - one.made_s > days * _DAY_S
        if old and one.reachable:
            shutil.rmtree(one.folder)
            gone.append(one.folder)
        else:
            stay.append(one)
    _remember(settings, stay)
    return gone


def known(settings: Settings) -> list[Backup]:
    """All that were made here and not deleted by us, the oldest first."""
    file = settings.data_dir / KNOWN
    if not file.exists():
        return []
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        return [Backup(Path(row["folder"]), int(row["made_s"])) for row in rows]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}", "it says where backups are; mend or remove it") from error


def _remember(settings: Settings, backups: list[Backup]) -> None:
    rows = [{"folder": str(one.folder), "made_s": one.made_s} for one in backups]
    write_private(settings.data_dir / KNOWN, json.dumps(rows, indent=1) + "\n")


def erase(backup: Backup, subject: Subject, seal: RawSeal, line: str) -> dict[str, int]:
    """Take a home out of a backup, and write down in it that this was done. Raises as `copies.erase`."""
    manifest = _manifest(backup.folder)
    counts = copies.erase(backup.folder, subject, seal)
    erasures.append(backup.folder / erasures.NAME, line)
    _write_manifest(backup.folder, int(manifest["made_s"]))
    return counts


def restore(settings: Settings, folder: Path) -> list[str]:
    """Put a backup where the data were; what was erased since it was made is erased again. What was done, in words.

    Raises:
        Misconfigured: a gateway's data are there, or the backup is not whole.
    """
    data = settings.data_dir
    manifest = _manifest(folder)
    if there := [name for name in manifest["files"] if name in DATABASES and (data / name).exists()]:
        raise Misconfigured(
            f"{data} holds {', '.join(there)}", "stop the gateway and move that folder's *.db* files away first"
        )
    if strange := [name for name in manifest["files"] if name not in _OURS]:
        raise Misconfigured(f"{folder} holds what no backup does: {', '.join(strange)[:200]}", "take another backup")
    if bad := [name for name, told in manifest["files"].items() if _sum(folder / name) != told["sha256"]]:
        raise Misconfigured(f"{folder} is not as it was made: {', '.join(bad)}", "take another backup")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    seal = raw.load(raw.key_file(data / copies.STORE))
    part = data / f"restoring-{os.getpid()}"
    part.mkdir(mode=0o700)
    try:
        for name in manifest["files"]:
            shutil.copyfile(folder / name, part / name)
            (part / name).chmod(0o600)
        done = Erasures(data, seal)
        done.take(part / erasures.NAME)
        told = _erase_again(part, done, seal)
        for name in manifest["files"]:
            target = settings.registry if name == copies.REGISTRY else data / name
            if name.endswith(_SEALED):
                target = data / name.removesuffix(_SEALED)
                (part / name).write_bytes(seal.open((part / name).read_bytes()))
            ours = name in (copies.REGISTRY, *(one + _SEALED for one in SEALED))  # what is here already is newer
            if name != erasures.NAME and not (ours and target.exists()):
                (part / name).replace(target)
                told.append(f"restored {target.name}")
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return told


def _erase_again(part: Path, done: Erasures, seal: RawSeal) -> list[str]:
    told = []
    for subject in copies.subjects(part, done):
        counts = copies.erase(part, subject, seal)
        told.append(f"erased again: {sum(counts.values())} rows of somebody who was erased after this backup was made")
    return told


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        if links := [file.name for file in folder.iterdir() if file.is_symlink()]:
            raise ValueError(f"{', '.join(links)[:200]} leads somewhere else")
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        assert isinstance(found["files"], dict) and isinstance(found["made_s"], int)
    except (OSError, ValueError, LookupError, AssertionError, TypeError) as error:
        raise Misconfigured(f"{folder} is no backup: {error}", "a folder that `kanhu backup` made") from error
    return found


def _write_manifest(folder: Path, made_s: int) -> None:
    files = sorted(file for file in folder.iterdir() if file.name in _OURS and file.is_file())
    told = {file.name: {"sha256": _sum(file), "bytes": file.stat().st_size} for file in files}
    write_private(folder / MANIFEST, json.dumps({"made_s": made_s, "files": told}, indent=1) + "\n")


def _sum(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return ""
