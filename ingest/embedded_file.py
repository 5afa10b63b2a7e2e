"""The embedded database's file: its schema, how it is opened, and what becomes of it when it is damaged."""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured, Unavailable
from ingest.points import TAGS

log = logging.getLogger(__name__)

VERSION: Final = 1
BUSY_S: Final = 10.0  # another process writes a moment, such as a backfill
JOURNAL_BYTES: Final = 64 << 20  # what is left of the WAL after a checkpoint

SERIES_COLUMNS: Final = ("measurement", *TAGS, "field")
_SCHEMA: Final = (
    f"""
CREATE TABLE series (   -- rows are only ever added: writers remember their ids
    id INTEGER PRIMARY KEY,
    {"".join(f"{name} TEXT NOT NULL, " for name in SERIES_COLUMNS)}
    UNIQUE ({", ".join(SERIES_COLUMNS)})
)
""",
    """
CREATE TABLE reading (
    series INTEGER NOT NULL REFERENCES series,
    time_ns INTEGER NOT NULL,
    value,              -- float or int, NULL when missing; no affinity: 21.0 stays a float, -0.0 keeps its sign
    text TEXT,          -- instead of value
    flag INTEGER,       -- NULL for a plain field
    raw,
    calibration TEXT,
    PRIMARY KEY (series, time_ns)
) WITHOUT ROWID
""",
    f"PRAGMA user_version = {VERSION}",
)
_FOR_A_PERSON: Final = frozenset({sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH})
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_for_writing(file: Path) -> sqlite3.Connection:
    """A connection in autocommit; a new file gets the schema, a damaged one is set aside first.

    Raises:
        Unavailable, Misconfigured: as `Sink.write`.
    """
    try:
        try:
            return _connect(file)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            set_aside(file, error)
            return _connect(file)
    except sqlite3.Error as error:
        raise told(error, file) from error
    except OSError as error:
        raise Misconfigured(f"cannot open {file}: {error}", "data_dir must be a folder this user may write to") from error


def open_for_reading(file: Path) -> sqlite3.Connection:
    """A connection that cannot write; it may read while others write, and sees one state for as long as a read lasts.

    Raises:
        Unavailable: there is no file yet, or it cannot be read now.
        Misconfigured: it is of another version.
    """
    try:
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S, isolation_level=None)
        try:
            db.execute("BEGIN")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0 and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
                raise Unavailable(f"{file} is just being made")
            _require_version(version, file)
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
    except sqlite3.Error as error:
        raise Unavailable(f"{file}: {error}" if file.exists() else f"there is no {file} yet") from error
    return db


def set_aside(file: Path, error: sqlite3.Error) -> None:
    """Keep a damaged file, with its -wal and -shm, under another name for a person to look at; close its connections first.

    Raises:
        Misconfigured: it cannot be renamed.
    """
    aside = file.with_name(f"{file.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    try:
        # The file first: a new one beside an old -wal is safe, the old file without its -wal would look whole and lack its end.
        for ending in ("", "-wal", "-shm"):
            part = file.with_name(file.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    except OSError as failed:
        raise Misconfigured(f"{file} is damaged ({error}) and cannot be renamed: {failed}", "move it away by hand") from error
    log.error("%s is damaged (%s): kept as %s, a new one is started; earlier readings are only there", file, error, aside)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, so that no later call could succeed."""
    return _code(error) in _DAMAGED


def told(error: sqlite3.Error, file: Path) -> Unavailable | Misconfigured:
    """The error as the caller has to take it. A full disk, an I/O error and a lock may pass: `Unavailable`."""
    if _code(error) in _FOR_A_PERSON:
        return Misconfigured(f"{file}: {error}", "the file and its folder must be writable for this user")
    return Unavailable(f"{file}: {error}")


def inode(file: Path) -> int | None:
    """What tells a file from another one of the same name; None when there is none."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def _connect(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)  # SQLite gives the -wal and -shm files the same
    db = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        # FULL: the gateway forgets after this commit, so commit has to mean "on disk", also when the power goes.
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
        db.execute("BEGIN IMMEDIATE")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
            for statement in _SCHEMA:
                db.execute(statement)
        else:
            _require_version(version, file)
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _require_version(version: int, file: Path) -> None:
    if version != VERSION:
        hint = "use the Kanhu that wrote it, or move the file away and a new one is started"
        raise Misconfigured(f"{file} has schema version {version}, this Kanhu knows {VERSION}", hint)


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
