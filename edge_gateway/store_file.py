"""The file behind the store: how it is opened, what is in it, and what happens when it is damaged."""

import sqlite3
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured, Unavailable

SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE device (site TEXT, device TEXT, crc INTEGER NOT NULL, body BLOB NOT NULL,
                     PRIMARY KEY (site, device)) WITHOUT ROWID;
CREATE TABLE alert (id TEXT PRIMARY KEY, open INTEGER NOT NULL, raised_ns INTEGER NOT NULL, crc INTEGER NOT NULL,
                    body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX alert_open ON alert (open, raised_ns);
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER NOT NULL, entries INTEGER NOT NULL,
                     received_ns INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX outbox_lane ON outbox (lane, id);
CREATE TABLE dead_letter (id INTEGER PRIMARY KEY AUTOINCREMENT, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
                          times INTEGER NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
                          topic TEXT NOT NULL, site TEXT NOT NULL, device TEXT NOT NULL, boot INTEGER, seq INTEGER,
                          crc INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE UNIQUE INDEX dead_letter_same ON dead_letter (crc, stage, reason, topic);
CREATE TABLE held (id INTEGER PRIMARY KEY AUTOINCREMENT, received_ns INTEGER NOT NULL, topic TEXT NOT NULL, site TEXT NOT NULL,
                   device TEXT NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE UNIQUE INDEX held_same ON held (crc, topic);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection; makes the file and its tables when they are not there.

    Raises:
        Misconfigured: the file system cannot do what is needed, or the file is from a newer program.
        sqlite3.DatabaseError: the file is damaged, see `damaged`.
    """
    new = not path.exists()
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    if new:
        path.chmod(0o600)
    # FULL, not NORMAL: the receipt goes out after this commit, so commit has to mean "on disk", also when the power goes.
    # Automatic checkpoints would run inside a commit; ours run when the gateway is idle.
    for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("wal_autocheckpoint", 0)):
        db.execute(f"PRAGMA {pragma} = {wanted}")
        seen = db.execute(f"PRAGMA {pragma}").fetchone()[0]
        if seen != wanted:
            raise Misconfigured(f"{path}: {pragma} is {seen}, not {wanted}", "the file system must support SQLite's WAL mode")
    db.execute("PRAGMA journal_size_limit = 67108864")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise Misconfigured(
            f"{path} has schema {version}, this program knows {SCHEMA_VERSION}", "run the version that wrote it"
        )
    # Cheap proof that the tables can be read at all; a damaged page elsewhere shows when it is read, by the rows' checksums.
    for table in ("device", "alert", "outbox", "dead_letter", "held", "counter"):
        db.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()
    return db


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than the disk full or busy."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def quarantine(path: Path) -> Path:
    """Rename a damaged file with its -wal and -shm, so that a new one can start and a person can look at the old one."""
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target


def read_only(path: Path) -> sqlite3.Connection:
    """A connection for readers beside the gateway: never writes, never checkpoints.

    Raises:
        Unavailable: there is no such file yet.
    """
    if not path.exists():
        raise Unavailable(f"there is no {path}; the gateway has not run here yet")
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5.0, check_same_thread=False)
    db.execute("PRAGMA query_only = ON")
    return db
