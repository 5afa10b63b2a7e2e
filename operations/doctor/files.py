"""Checks of what a person wrote or must own: secret files, the registry, the people to tell, the data folder."""

import os
import tempfile
from pathlib import Path
from typing import Final

from edge_gateway import registry as registries
from edge_gateway.duty import file as duty_file
from edge_gateway.duty.chain import everybody
from edge_gateway.errors import Misconfigured
from edge_gateway.settings import Settings, secret
from operations.doctor.result import Result, fail, ok, warn

# SQLite's WAL needs memory shared between processes, which these do not give.
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph", "fuse.glusterfs"})
_FLEETING: Final = frozenset({"tmpfs", "ramfs"})
_SOCKET_PATH_MAX: Final = 107  # bytes; sun_path of unix(7)


def secrets(settings: Settings) -> Result:
    """Every secret file that the settings name is there and private."""
    named = [f for f in (settings.broker.password_file, settings.influx.token_file, settings.influx.password_file) if f]
    problems: list[Misconfigured] = []
    for file in named:
        try:
            if not secret(file):
                problems.append(Misconfigured(f"{file} is empty", "put the secret into it, mode 0600"))
        except Misconfigured as error:
            problems.append(error)
    if problems:
        return fail("; ".join(p.detail for p in problems), "; ".join(p.hint for p in problems))
    return ok(f"{len(named)} secret files, readable by nobody else" if named else "none configured")


def registry(settings: Settings) -> Result:
    """The registry can be read and names somebody."""
    if not settings.registry.exists():
        return warn(
            f"no file {settings.registry}: every device will be held, none is stored",
            "write it as docs/operations.md shows, or set `registry`",
        )
    try:
        found = registries.load(settings.registry)
    except Misconfigured as error:
        return fail(error.detail, error.hint)
    if not found.devices:
        return warn(f"{settings.registry} names no device: every device will be held", "add [[devices]] to it")
    return ok(f"{len(found.devices)} devices at {len(found.sites)} sites")


def people(settings: Settings) -> Result:
    """Somebody is told about an alert."""
    try:
        roster = duty_file.load(settings.duty_file)
    except Misconfigured as error:
        return fail(error.detail, error.hint)
    told = [person for person in everybody(settings.alerts.people, roster) if person.urls]
    if not told:
        return warn("nobody is told about alerts, not even about an SOS", "add [[alerts.people]] with urls to the settings")
    if len(told) == 1:
        return warn(f"only {told[0].id} is told about alerts; nobody follows when they do not answer", "add a second person")
    return ok(f"{len(told)} people, {sum(len(p.urls) for p in told)} channels")


def data_folder(settings: Settings) -> Result:
    """The data folder can be written, is private, and lies on a disk that keeps what SQLite wrote."""
    folder = settings.data_dir.absolute()
    if len(os.fsencode(settings.command_socket.absolute())) > _SOCKET_PATH_MAX:
        return fail(f"the path {folder} is too long for a socket in it", "set a shorter `data_dir`")
    # A folder that is yet to be made is made like this by the gateway.
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    if not existing.is_dir():
        return fail(f"{existing} is not a folder", "set `data_dir` to a folder")
    try:
        with tempfile.NamedTemporaryFile(dir=existing, prefix=".doctor-") as probe:
            probe.write(b"probe")
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return fail(f"cannot write in {existing}: {error.strerror}", f"chown or chmod {existing}, or set `data_dir`")
    kind = file_system(existing, Path("/proc/self/mountinfo").read_text(encoding="utf-8"))
    if kind in _REMOTE:
        return fail(f"{folder} is on {kind}: SQLite cannot keep its promises there", "set `data_dir` to a local disk")
    if kind in _FLEETING:
        return warn(f"{folder} is on {kind}: all is gone after a restart", "set `data_dir` to a real disk")
    if existing == folder and folder.stat().st_mode & 0o077:
        return warn(f"others may look into {folder}", f"chmod 700 {folder}")
    return ok(f"{folder} on {kind}")


def file_system(path: Path, mountinfo: str) -> str:
    """Type of the file system that holds `path`; `mountinfo` is the text of proc(5)'s file, later lines cover earlier ones."""
    best, kind = Path("/"), "unknown"
    real = path.resolve()
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        mount = Path(before.split()[4].replace("\\040", " "))
        if real.is_relative_to(mount) and len(mount.parts) >= len(best.parts):
            best, kind = mount, after.split()[0]
    return kind
