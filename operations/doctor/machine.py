"""Checks of the machine: room on the disk, the SQLite library, the clock, certificates."""

import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge_gateway import machine
from edge_gateway.settings import Gateway, Settings
from operations.doctor.result import Result, fail, ok, warn

_MIB: Final = 1024 * 1024
_SYNCHRONOUS: Final = ("OFF", "NORMAL", "FULL", "EXTRA")
_CLOCK_SLACK: Final = timedelta(minutes=5)
_RENEW_WITHIN: Final = timedelta(days=21)  # as the alert rule `kanhu-certificate`


def disk_space(settings: Settings) -> Result:
    """There is room for the outbox's quota."""
    folder = settings.data_dir.absolute()
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    return room(shutil.disk_usage(existing).free, settings.gateway)


def room(free: int, gateway: Gateway) -> Result:
    """Judge `free` bytes against what the gateway may need."""
    seen = f"{free / _MIB:,.0f} MiB free; the outbox may grow to {gateway.outbox_quota_mb:,} MiB"
    if free < (gateway.ballast_mb + 64) * _MIB:
        return fail(
            f"{seen}, the ballast file alone needs {gateway.ballast_mb} MiB", "make room: the gateway cannot keep anything"
        )
    if free < gateway.outbox_quota_mb * _MIB:
        return warn(seen, "make room, or lower gateway.outbox_quota_mb: a long outage of the database would fill the disk")
    return ok(seen)


def sqlite(settings: Settings) -> Result:
    """The library commits to disk, and the gateway's file is whole and in WAL mode."""
    with sqlite3.connect(":memory:") as db:
        synchronous = _SYNCHRONOUS[db.execute("PRAGMA synchronous").fetchone()[0]]
    seen = f"SQLite {sqlite3.sqlite_version}, synchronous {synchronous} by default (the gateway sets FULL)"
    if wal_reset_bug(sqlite3.sqlite_version_info):
        seen += "; has the WAL-reset bug: never open a live file with another program that writes"
    for file in (settings.store_file, settings.readings_file):
        if not file.exists():
            continue
        try:
            mode = _journal_mode(file)
        except sqlite3.Error as error:
            return fail(f"{file}: {error}", "stop the gateway and start it: it sets a damaged file aside and reports the gap")
        if mode != "wal":
            return warn(f"{file} is in journal mode {mode}", "start the gateway once: it switches to WAL")
    return ok(seen)


def _journal_mode(file: Path) -> str:
    db = sqlite3.connect(f"file:{file.absolute()}?mode=ro", uri=True, timeout=2)
    try:
        db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return str(db.execute("PRAGMA journal_mode").fetchone()[0])
    finally:
        db.close()


def wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether two connections that write and checkpoint at once can lose a commit (fixed in 3.51.3, 3.50.7 and 3.44.6)."""
    fixed = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return version >= (3, 7, 0) and not fixed


def clock(settings: Settings) -> Result:
    """The clock is believable and somebody keeps it right."""
    now = datetime.now(UTC)
    floor = datetime.fromisoformat(settings.gateway.time_floor)
    if now < floor:
        return fail(
            f"the clock shows {now:%Y-%m-%d %H:%M} UTC, before {floor:%Y-%m-%d}", "set it: sudo timedatectl set-ntp true"
        )
    for file in (settings.store_file, settings.registry):
        if file.exists() and (written := datetime.fromtimestamp(file.stat().st_mtime, UTC)) > now + _CLOCK_SLACK:
            return fail(
                f"the clock shows {now:%Y-%m-%d %H:%M} UTC, but {file} was written {written:%Y-%m-%d %H:%M}",
                "set it: sudo timedatectl set-ntp true",
            )
    if _synchronised() is False:
        return warn(f"{now:%Y-%m-%d %H:%M} UTC, but nothing keeps it right", "sudo timedatectl set-ntp true")
    return ok(f"{now:%Y-%m-%d %H:%M} UTC")


def certificates(settings: Settings) -> Result:
    """None of ours ends soon: then devices, gateway or browsers are shut out all at once."""
    files = machine.certificate_files(settings)
    ends = {file: machine.certificate_ends([file]) for file in files}
    if unread := [str(file) for file, end in ends.items() if end is None and not _collection(file)]:
        return fail(f"{', '.join(unread)} cannot be read, or holds no certificate", "put a PEM certificate there")
    known = sorted((end, file) for file, end in ends.items() if end is not None)
    if not known:
        return ok("none of ours: no TLS here, or the system's own authorities")
    end, file = known[0]
    seen = f"the first to end is {file}, {end:%Y-%m-%d %H:%M} UTC"
    if end < datetime.now(UTC):
        return fail(f"{seen}: it is over", "renew it and restart what uses it")
    if end < datetime.now(UTC) + _RENEW_WITHIN:
        return warn(seen, "renew it now and restart what uses it")
    return ok(seen)


def _collection(file: Path) -> bool:
    """A system's collection of authorities: its ends are not ours to watch."""
    try:
        return file.read_bytes().count(b"BEGIN CERTIFICATE") > machine.OWN
    except OSError:
        return False


def _synchronised() -> bool | None:
    """What systemd says about network time; None where it cannot say."""
    try:
        words = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer.stdout.strip())
