"""The file behind the ledger of visits: what is in it, how it is opened, and what happens when it is damaged.

One connection writes, from one thread. Tables beside `log` are derived from it or sealed; a row of `log` is never changed.
"""

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_gateway.errors import KanhuError, Misconfigured, Unavailable
from edge_gateway.store_file import damaged, read_only, settle

log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1
# Every table has a rowid: by it a damaged file is copied (`_salvage`).
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT NOT NULL UNIQUE, value NOT NULL);
CREATE TABLE log (n INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, by TEXT NOT NULL,
                  body TEXT NOT NULL, hash BLOB NOT NULL);
CREATE INDEX log_subject ON log (subject, n);
CREATE TABLE tap (id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, place TEXT NOT NULL, device TEXT NOT NULL, boot INTEGER NOT NULL,
                  seq INTEGER NOT NULL, time_ns INTEGER NOT NULL, date TEXT NOT NULL, received_ns INTEGER NOT NULL,
                  use TEXT NOT NULL, chip TEXT NOT NULL, counter INTEGER, courier TEXT NOT NULL, ruling TEXT NOT NULL,
                  mark BLOB NOT NULL, body BLOB NOT NULL, text BLOB NOT NULL);
CREATE INDEX tap_place ON tap (site, place, time_ns);
CREATE INDEX tap_device ON tap (site, device, received_ns);
CREATE INDEX tap_courier ON tap (courier, date, site, use, ruling, place, time_ns) WHERE courier <> '';
CREATE INDEX tap_refused ON tap (site, date) WHERE ruling = 'refused';
CREATE TABLE fact (chip TEXT NOT NULL, tap TEXT NOT NULL, site TEXT NOT NULL, device TEXT NOT NULL, place TEXT NOT NULL,
                   boot INTEGER NOT NULL, seq INTEGER NOT NULL, counter INTEGER, time_ns INTEGER NOT NULL,
                   uncertainty_ns INTEGER NOT NULL);
CREATE INDEX fact_counter ON fact (chip, counter);
CREATE INDEX fact_time ON fact (chip, time_ns);
CREATE INDEX fact_stream ON fact (chip, site, device, boot, seq);
CREATE TABLE visit (site TEXT NOT NULL, id TEXT NOT NULL, place TEXT NOT NULL, date TEXT NOT NULL, person TEXT NOT NULL,
                    service TEXT NOT NULL, courier TEXT NOT NULL, state TEXT NOT NULL, reviewing INTEGER NOT NULL,
                    counted INTEGER NOT NULL, begins_ns INTEGER NOT NULL, first_n INTEGER NOT NULL, last_n INTEGER NOT NULL,
                    body BLOB NOT NULL, UNIQUE (site, id));
CREATE INDEX visit_place ON visit (site, place, date);
CREATE INDEX visit_order ON visit (date, site, place, begins_ns, id);
CREATE INDEX visit_courier ON visit (courier, date) WHERE courier <> '';
CREATE INDEX visit_review ON visit (date, site) WHERE reviewing = 1;
CREATE INDEX visit_planned ON visit (date) WHERE state = 'planned';
CREATE INDEX visit_missed ON visit (date) WHERE state = 'missed';
CREATE TABLE visit_tap (tap TEXT NOT NULL, site TEXT NOT NULL, visit TEXT NOT NULL, UNIQUE (tap, site, visit));
CREATE INDEX visit_tap_visit ON visit_tap (site, visit);
CREATE TABLE correction (n INTEGER NOT NULL UNIQUE, site TEXT NOT NULL, visit TEXT NOT NULL, place TEXT NOT NULL,
                         date TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX correction_visit ON correction (site, visit);
CREATE INDEX correction_place ON correction (site, place, date);
CREATE INDEX correction_date ON correction (site, date);
CREATE TABLE plan (site TEXT NOT NULL, id TEXT NOT NULL, from_date TEXT NOT NULL, until_date TEXT NOT NULL, body BLOB NOT NULL,
                   UNIQUE (site, id, from_date));
CREATE TABLE exception (site TEXT NOT NULL, id TEXT NOT NULL, date TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (site, id));
CREATE INDEX exception_date ON exception (site, date);
CREATE TABLE holiday (site TEXT NOT NULL, date TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (site, date));
CREATE TABLE outage (site TEXT NOT NULL, device TEXT NOT NULL, place TEXT NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER,
                     body BLOB NOT NULL, UNIQUE (site, device, from_ns));
CREATE INDEX outage_place ON outage (site, place, from_ns);
CREATE TABLE reader (site TEXT NOT NULL, device TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (site, device));
CREATE TABLE card (id TEXT NOT NULL UNIQUE, chip TEXT NOT NULL, site TEXT NOT NULL, holder TEXT NOT NULL, number BLOB NOT NULL,
                   sealed BLOB NOT NULL, body BLOB NOT NULL);
CREATE INDEX card_number ON card (site, number);
CREATE TABLE site_key (site TEXT NOT NULL UNIQUE, sealed BLOB NOT NULL);
CREATE TABLE person (id TEXT NOT NULL UNIQUE, site TEXT NOT NULL, role TEXT NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE personal_link (hash BLOB NOT NULL UNIQUE, courier TEXT NOT NULL, site TEXT NOT NULL, until_ns INTEGER NOT NULL);
CREATE TABLE alerted (site TEXT NOT NULL, visit TEXT NOT NULL, UNIQUE (site, visit));
CREATE TABLE served (tap TEXT NOT NULL UNIQUE, site TEXT NOT NULL, place TEXT NOT NULL, holder TEXT NOT NULL,
                     date TEXT NOT NULL, time_ns INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX served_date ON served (site, date, place);
"""
_WAL_LIMIT: Final = 16 << 20


class DamagedLedger(KanhuError):
    """The file is broken; it has been put aside by the time this is raised again."""


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection; makes the file when it is not there. A damaged one is put aside, what can be read is copied.

    Raises:
        Unavailable: no room, no access, or the folder cannot be written.
        Misconfigured: the file is from a newer program.
    """
    try:
        settle(path)
        try:
            return _open(path)
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise
            return replace_damaged(path, error)
    except (sqlite3.Error, OSError) as error:
        name = getattr(error, "sqlite_errorname", "")
        raise Unavailable(f"the ledger {path} cannot be opened: {name} {error}".replace("  ", " ")) from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        # FULL: a tap leaves the gateway's queue when it is in here, so commit has to mean "on disk".
        for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2)):
            db.execute(f"PRAGMA {pragma} = {wanted}")
            seen = db.execute(f"PRAGMA {pragma}").fetchone()[0]
            if seen != wanted:
                raise Misconfigured(
                    f"{path}: {pragma} is {seen}, not {wanted}", "the file system must support SQLite's WAL mode"
                )
        db.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT}")
        # One tap changes a page of each of some twenty indexes; the more of it lies in the log, the more changes share a page.
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute("PRAGMA cache_size = -32768")  # 32 MiB: the inner pages of the indexes of a million visits
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise Misconfigured(f"{path} has schema {version}, this program knows {SCHEMA_VERSION}", "run what wrote it")
        _look_at(db)
    except BaseException:
        db.close()
        raise
    return db


def _look_at(db: sqlite3.Connection) -> None:
    """Read what the ledger cannot do without, and the ends of what is long."""
    for table in ("meta", "plan", "card", "site_key", "reader"):
        db.execute(f"SELECT * FROM {table}").fetchall()
    for table in ("log", "tap", "visit", "fact", "correction", "outage"):
        for order in ("", " DESC"):
            db.execute(f"SELECT * FROM {table} ORDER BY rowid{order} LIMIT 1").fetchall()


def replace_damaged(path: Path, error: sqlite3.Error) -> sqlite3.Connection:
    """Put a damaged ledger aside and open a new one with everything that can still be read of it.

    The power may go between any two lines: the new file takes the place only when it is whole, and is found by `settle`.
    """
    part, whole = path.with_name(path.name + ".rescue"), path.with_name(path.name + ".rescued")
    for suffix in ("", "-wal", "-shm"):
        part.with_name(part.name + suffix).unlink(missing_ok=True)
    new = _open(part)
    try:
        counts = _salvage(path, new)
        for name, n in counts.items():
            new.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (f"rescued_{name}", n))
    finally:
        new.close()
    part.rename(whole)
    aside = settle(path)
    log.error("%s is damaged: %s; it is put aside as %s, what can be read of it is in a new file", path, error, aside)
    return _open(path)


def _salvage(path: Path, new: sqlite3.Connection) -> dict[str, int]:
    """Copy every row that can be read; how many of each table."""
    counts: dict[str, int] = {}
    try:
        old = read_only(path)
    except (Unavailable, sqlite3.Error):
        return counts
    tables = [name for (name,) in new.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    new.execute("PRAGMA synchronous = OFF")  # the file counts only when it is complete
    for table in tables:
        new.execute("BEGIN")
        counts[table] = _copy(old, new, table)
        new.execute("COMMIT")
    new.execute("PRAGMA synchronous = FULL")
    with suppress(sqlite3.Error):
        old.close()
    return counts


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> int:
    """Where reading fails the range is halved, until the bad rows stand alone; a page that is gone takes its rows with it."""
    columns = [row[1] for row in new.execute(f"PRAGMA table_info({table})")]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    ranges, failures, copied = [(0, 1 << 40)], 0, 0
    while ranges and failures < 2000:
        low, high = ranges.pop()
        try:
            for rowid, *row in old.execute(
                f"SELECT rowid, {names} FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid", (low, high)
            ):
                copied += new.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row).rowcount
                low, failures = rowid + 1, 0
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            failures += 1
            if low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
    return copied
