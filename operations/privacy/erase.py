"""Takes a home out of everything: registry and broker, gateway and database, put-aside files, logs, backups; and looks again.

What is kept is said: the ledger of visits keeps the pseudonym, for couriers are paid by it; no name is behind it.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_gateway import commands, registry
from edge_gateway.errors import KanhuError, Misconfigured
from edge_gateway.privacy import raw
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.privacy.subject import Subject
from edge_gateway.settings import Settings
from ingest.influxql import InfluxReader
from ingest.query import open_reader
from ingest.rollups import open_rollups
from ingest.sinks import open_sink
from operations import mosquitto, registry_file
from operations.install import broker_folder
from operations.privacy import backup
from operations.privacy.erasures import Erasures

_PATIENCE_S: Final = 300.0
_CHUNK: Final = 1 << 20
_UNDER_WAY: Final = "erasing.json"  # until everything is done
_SQLITE: Final = b"SQLite format 3\0"
# Why a file may still name him; None: a person has to look.
_KEPT: Final = {
    "visits.db": "the ledger of visits: kept as long as pay and subsidies need it; it has no name",
    "console.db": "who did what in the console: chained, kept",
}


@dataclass
class Report:
    """What was done. left: what a person has to do, or to know."""

    rows: dict[str, int] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def subject_of(settings: Settings, site: str, place: str, person: str = "") -> Subject:
    """The home as the registry knows it.

    Raises:
        Misconfigured: it cannot be read.
    """
    known = registry.load(settings.registry)
    home = known.homes.get((site, place))
    devices = frozenset(d.id for d in known.devices.values() if (d.site, d.place) == (site, place))
    before = begun(settings)
    if before is not None and (before.site, before.place) == (site, place):
        # The registry had forgotten them already when it was interrupted.
        devices, person = devices | before.devices, person or before.person
    return Subject(site, place, person or (home.person if home else ""), devices)


def erase(settings: Settings, subject: Subject, by: str, reason: str) -> Report:
    """Everything, in an order in which it can be done again after any failure.

    Raises:
        Unavailable: the gateway does not answer; nothing was changed.
        Rejected: an urgent alert is open there.
    """
    report = Report()
    commands.call(settings.command_socket, "privacy.may_erase", site=subject.site, place=subject.place)
    _begin(settings, subject)
    gone = registry_file.remove_home(settings.registry, subject.site, subject.place)
    _take_from_broker(settings, subject, gone, report)
    seal = raw.load(raw.key_file(settings.store_file))
    line = Erasures(settings.data_dir, seal).add(subject, by)
    told: dict[str, Any] = commands.call(
        settings.command_socket, "privacy.erase", _PATIENCE_S, site=subject.site, place=subject.place, person=subject.person,
        devices=sorted(subject.devices), by=by, reason=reason,
    )  # fmt: skip
    report.rows |= told["rows"]
    report.left += told["left"]
    _put_aside(settings, subject, report)
    _logs(settings, subject, report)
    _backups(settings, subject, seal, line, report)
    report.left += look_again(settings, subject)
    if not told["left"]:
        (settings.data_dir / _UNDER_WAY).unlink()
    return report


def _begin(settings: Settings, subject: Subject) -> None:
    """What the registry is about to forget, for the case that the power goes."""
    plain = {"site": subject.site, "place": subject.place, "person": subject.person, "devices": sorted(subject.devices)}
    mosquitto.write_private(settings.data_dir / _UNDER_WAY, json.dumps(plain) + "\n")


def begun(settings: Settings) -> Subject | None:
    """The erasing that was interrupted; None: there is none. Raises Misconfigured: nobody can say whose it was."""
    try:
        plain = json.loads((settings.data_dir / _UNDER_WAY).read_text(encoding="utf-8"))
        return Subject(plain["site"], plain["place"], plain["person"], frozenset(plain["devices"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise Misconfigured(f"{settings.data_dir / _UNDER_WAY} cannot be read: {error}", "remove it") from error


def again(settings: Settings) -> Report:
    """Erase in the time-series database who was erased before its own backup was put back.

    Raises:
        Misconfigured: the database cannot be read, or cannot delete.
    """
    report = Report()
    reader = open_reader(settings)
    if not isinstance(reader, InfluxReader):
        report.left.append("the embedded database comes back by `kanhu restore`, which erases again by itself")
        return report
    done = Erasures(settings.data_dir)
    sink = open_rollups(settings, open_sink(settings))
    try:
        for site, place in sorted(reader.places()):
            if done.has(site, place):
                sink.erase(site, place, [])
                report.done.append(f"erased again: a home of {site}")
    finally:
        sink.close()
        reader.close()
    return report


def _take_from_broker(settings: Settings, subject: Subject, gone: list[str], report: Report) -> None:
    if not subject.devices:
        return
    names = ", ".join(sorted(subject.devices))
    report.done.append(f"out of the registry: {', '.join(gone) or 'they were out already'}")
    file = broker_folder(settings) / "passwords"
    if not file.exists():
        report.left.append(f"take the users of {names} out of your broker, and the devices out of the home")
        return
    with mosquitto.locked(file):
        mosquitto.remove_users(file, [f"{subject.site}/{device}" for device in subject.devices])
    report.left.append(f"take the devices out of the home: {names}; factory reset removes what they still hold")


def _put_aside(settings: Settings, subject: Subject, report: Report) -> None:
    """Damaged files were rescued when they were put aside; one that names him cannot be mended, so it goes whole."""
    for file in sorted(settings.data_dir.glob("*.damaged-*")):
        if file.exists() and mentions(file, subject):
            parts = [file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))]
            for part in parts:
                part.unlink(missing_ok=True)
            report.done.append(f"removed {file.name}, a damaged file that had been put aside")


def _logs(settings: Settings, subject: Subject, report: Report) -> None:
    """Lines stay, without the words. A line that is written at this very moment may be lost."""
    for file in sorted((settings.data_dir / "log").glob("*.log*")):
        with suppress(OSError):
            text = file.read_bytes()
            if subject.mentioned_in(text):
                with file.open("r+b") as opened:  # the same file: whoever appends to it goes on
                    opened.write(subject.pattern.sub(b"(erased)", text))
                    opened.truncate()
                report.done.append(f"struck out of {file.name}")


def _backups(settings: Settings, subject: Subject, seal: RawSeal, line: str, report: Report) -> None:
    for one in backup.known(settings):
        if not one.reachable:
            report.left.append(f"{one.folder} cannot be reached: its restore erases again; delete it if it will not be used")
            continue
        try:
            counts = backup.erase(one, subject, seal, line)
        except KanhuError as error:
            report.left.append(f"{one.folder}: {error}; delete this backup")
        else:
            report.done.append(f"out of {one.folder.name}: {sum(counts.values())} rows")


def look_again(settings: Settings, subject: Subject) -> list[str]:
    """Every file of this installation that still names him, and why."""
    folders = [settings.data_dir, *(one.folder for one in backup.known(settings) if one.reachable)]
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    files = [file for file in files if not file.name.endswith(("-wal", "-shm", ".lock", _UNDER_WAY))]
    naming = [file for file in dict.fromkeys([*files, settings.registry]) if file.exists() and mentions(file, subject)]
    hint = "look at it and strike it out by hand"
    return [f"{file} still names {subject.place}: {_KEPT.get(file.name, hint)}" for file in naming]


def mentions(file: Path, subject: Subject) -> bool:
    """Whether the words stand anywhere in a file, of any size; in a database in any cell of any table.

    Raises:
        Misconfigured: it cannot be read.
    """
    tail = b""
    try:
        with file.open("rb") as opened:
            if opened.read(len(_SQLITE)) == _SQLITE:
                return _in_cells(file, subject)
            opened.seek(0)
            while chunk := opened.read(_CHUNK):
                # An id at the end of a chunk may go on in the next one.
                if subject.mentioned_in((tail + chunk)[: -64 if len(chunk) == _CHUNK else None]):
                    return True
                tail = (tail + chunk)[-192:]
    except OSError as error:
        raise Misconfigured(f"cannot read {file}: {error}", "as the user whom the gateway runs as") from error
    return False


def _in_cells(file: Path, subject: Subject) -> bool:
    """A database joins texts without a space between: each has to be looked at by itself. A damaged one counts as bytes."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            rows = (row for table in tables for row in db.execute(f'SELECT * FROM "{table}"'))
            return any(subject.mentioned_in(text) for row in rows for cell in row for text in _texts(cell))
    except sqlite3.Error:
        data = file.read_bytes()
        return any(word.encode() in data for word in subject.words)


def _texts(cell: Any) -> Iterator[bytes]:
    """The texts in a cell, also those of a packed one; bytes that are neither, as they are."""
    if isinstance(cell, str):
        yield cell.encode("utf-8", "surrogatepass")
    elif isinstance(cell, bytes):
        try:
            yield from _texts(msgspec.msgpack.decode(cell))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            yield cell
    elif isinstance(cell, dict):
        for pair in cell.items():
            yield from _texts(list(pair))
    elif isinstance(cell, list | tuple):
        for one in cell:
            yield from _texts(one)
