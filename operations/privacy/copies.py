"""Takes a home out of copies of the gateway's files that nobody uses: in a backup, or just restored from one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Unavailable
from edge_gateway.privacy import store_rows
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.privacy.subject import Subject
from edge_gateway.store_file import SCHEMA_VERSION
from ingest import embedded
from operations import registry_file
from operations.privacy.erasures import Erasures

STORE, READINGS, VISITS, REGISTRY = "gateway.db", "readings.db", "visits.db", "registry.toml"
Counts = dict[str, int]
_PEOPLE: Final = "SELECT id, site FROM person"


def erase(folder: Path, subject: Subject, seal: RawSeal | None) -> Counts:
    """Everything of a home in the copies of this folder; how many rows of each kind.

    Raises:
        Unavailable: a copy cannot be written, or is of an older version.
    """
    counts: Counts = {}
    if (folder / STORE).exists():
        with _changed(folder / STORE) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA_VERSION:
                raise Unavailable(f"{folder / STORE} is of version {version}; this program erases in {SCHEMA_VERSION}")
            counts |= store_rows.erase(db, subject, seal)
            counts["outbox"] = store_rows.erase_whole_outbox(db, subject)
    if (folder / READINGS).exists():
        with _changed(folder / READINGS) as db:
            counts["series"] = embedded.erase(db, subject.site, subject.place)
    if (folder / VISITS).exists():
        with _changed(folder / VISITS) as db:
            gone = [db.execute("DELETE FROM person WHERE id = ? AND site = ?", (one, subject.site)) for one in subject.words]
            counts["names"] = sum(cursor.rowcount for cursor in gone)
    if (folder / REGISTRY).exists():
        registry_file.remove_home(folder / REGISTRY, subject.site, subject.place)
    return counts


def subjects(folder: Path, erasures: Erasures) -> list[Subject]:
    """The homes and people in these copies that were erased once."""
    places: dict[tuple[str, str], set[str]] = {}
    people: set[tuple[str, str]] = set()
    if (folder / READINGS).exists():
        for site, place, device in _rows(folder / READINGS, "SELECT DISTINCT site, place, device FROM series"):
            places.setdefault((site, place), set()).add(device)
    if (folder / STORE).exists():
        for site, place in _rows(folder / STORE, "SELECT DISTINCT site, place FROM home"):
            places.setdefault((site, place), set())
    if (folder / REGISTRY).exists():
        for site, place, device in registry_file.places(folder / REGISTRY):
            places.setdefault((site, place), set()).update({device} - {""})
    if (folder / VISITS).exists():
        people = {(site, person) for person, site in _rows(folder / VISITS, _PEOPLE)}
    found = [Subject(site, place, "", frozenset(of)) for (site, place), of in places.items() if erasures.has(site, place)]
    found += [Subject(site, one, "") for site, one in sorted(people) if erasures.has(site, one)]
    return found


def copy(source: Path, target: Path) -> None:
    """One consistent copy of a database that others use, in one file.

    Raises:
        Unavailable: it cannot be read, or there is no room.
    """
    target.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30.0)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")
            if new.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise Unavailable(f"{source}: its copy is damaged; see `kanhu doctor`")
    except sqlite3.Error as error:
        raise Unavailable(f"{source} cannot be copied to {target}: {error}") from error


@contextmanager
def _changed(file: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on a copy, which is written anew afterwards, so that no byte of what went is left."""
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
            db.execute("VACUUM")
    except sqlite3.Error as error:
        raise Unavailable(f"{file}: {error}") from error


def _rows(file: Path, query: str) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()
    except sqlite3.Error as error:
        raise Unavailable(f"{file}: {error}") from error
