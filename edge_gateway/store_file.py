"""The file behind the store: how it is opened, what is in it, and what happens when it is damaged."""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, Literal

from edge_gateway.errors import Misconfigured, Unavailable

SCHEMA_VERSION: Final = 3
# What this program can read of a file that no newer gateway has opened yet: version 1 lacks the queue of taps, 2 the homes.
READABLE: Final = (1, 2, 3)
_TAPS: Final = """
CREATE TABLE tap (id INTEGER PRIMARY KEY AUTOINCREMENT, late INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX tap_order ON tap (late, id);
INSERT INTO size VALUES ('tap', 0, 0, 0);
"""
_HOMES: Final = """
CREATE TABLE home (site TEXT, place TEXT, part TEXT, crc INTEGER NOT NULL, body BLOB NOT NULL,
                   PRIMARY KEY (site, place, part)) WITHOUT ROWID;
CREATE TABLE home_log (id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT NOT NULL, place TEXT NOT NULL, at_ns INTEGER NOT NULL,
                       who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX home_log_place ON home_log (site, place, id);
"""
_SCHEMA: Final = (
    """
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
                          crc INTEGER NOT NULL, rank INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX dead_letter_same ON dead_letter (crc, stage, reason, topic);
CREATE INDEX dead_letter_rank ON dead_letter (rank);
CREATE TABLE held (id INTEGER PRIMARY KEY AUTOINCREMENT, received_ns INTEGER NOT NULL, topic TEXT NOT NULL, site TEXT NOT NULL,
                   device TEXT NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX held_same ON held (crc, topic);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE size (what TEXT PRIMARY KEY, rows INTEGER NOT NULL, entries INTEGER NOT NULL,
                   bytes INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO size VALUES ('event', 0, 0, 0), ('data', 0, 0, 0), ('held', 0, 0, 0), ('dead', 0, 0, 0);
"""
    + _TAPS
    + _HOMES
)
# What a file of an older version lacks.
_SINCE: Final = {1: _TAPS + _HOMES, 2: _HOMES}
_FEW: Final = ("device", "alert", "home", "counter", "size")
TABLES: Final = (*_FEW, "outbox", "dead_letter", "held", "tap", "home_log")
# Above the file a checkpoint leaves behind, or the log would ask for the next one at once.
WAL_LIMIT: Final = 4 << 20
_WAL_HEAD: Final = 32
_FRAME_HEAD: Final = 24


class Damaged(Exception):
    """The file cannot be used; `db` is still open, for what can be read of it."""

    def __init__(self, error: object, db: sqlite3.Connection | None) -> None:
        super().__init__(str(error))
        self.db = db


def lock(path: Path) -> IO[bytes]:
    """Make sure that one process uses the file; the lock goes with the returned file, or with the process.

    Raises:
        Misconfigured: another process has it.
    """
    file = path.with_name(path.name + ".lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Misconfigured(f"another gateway runs on {path.parent}", "stop it, or use another data_dir") from error
    return file


def connect(path: Path) -> sqlite3.Connection:
    """The writing connection; makes the file and its tables when they are not there.

    Raises:
        Misconfigured: the file system cannot do what is needed, or the file is from a newer program.
        Damaged: as it says.
        sqlite3.Error: no room, or no access.
    """
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size and not (path.exists() and path.stat().st_size):
        # SQLite would throw the log away without a word.
        raise Damaged("the file is gone or empty, its write-ahead log is not", None)
    path.touch(mode=0o600)
    path.chmod(0o600)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(db, path)
    except sqlite3.DatabaseError as error:
        if damaged(error):
            raise Damaged(error, db) from error
        db.close()
        raise
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    # FULL, not NORMAL: the receipt goes out after this commit, so commit has to mean "on disk", also when the power goes.
    # Automatic checkpoints would run inside a commit; ours run when the gateway is idle. Debian's SQLite overwrites what it
    # deletes with zeros: each outbox row would be written twice, and a full disk could not be emptied.
    for pragma, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("wal_autocheckpoint", 0), ("secure_delete", 0)):
        db.execute(f"PRAGMA {pragma} = {wanted}")
        seen = db.execute(f"PRAGMA {pragma}").fetchone()[0]
        if seen != wanted:
            raise Misconfigured(f"{path}: {pragma} is {seen}, not {wanted}", "the file system must support SQLite's WAL mode")
    db.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version in _SINCE:
        db.executescript(f"BEGIN IMMEDIATE; {_SINCE[version]} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version != SCHEMA_VERSION:
        raise Misconfigured(
            f"{path} has schema {version}, this program knows {SCHEMA_VERSION}", "run the version that wrote it"
        )
    # What the gateway cannot run without is read here, and of the long tables their two ends. A damaged page between them shows
    # when it is read (`Store.repair`), a changed byte by the row's checksum.
    for table in TABLES:
        few = table in _FEW
        key = "" if few else " ORDER BY id LIMIT 1"
        db.execute(f"SELECT * FROM {table}{key}").fetchall()
        if not few:
            db.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1").fetchall()


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than the disk full or busy."""
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def unread_commits(path: Path, db: sqlite3.Connection) -> int:
    """How many commits lie in the log behind a damaged place, where SQLite stops reading without a word.

    To be asked before the first write, which begins the log anew. The last one may be a commit that the power interrupted.
    """
    page = int(db.execute("PRAGMA page_size").fetchone()[0])
    read = int(db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])  # frames
    found = 0
    try:
        with path.with_name(path.name + "-wal").open("rb") as log:
            head = log.read(_WAL_HEAD)
            if not _intact(head):
                head = bytes(16) + log.read(16)[8:]  # the first frame knows the salts too
            frames = (os.fstat(log.fileno()).st_size - _WAL_HEAD) // (_FRAME_HEAD + page)
            for number in range(max(read, 0), frames):
                log.seek(_WAL_HEAD + number * (_FRAME_HEAD + page))
                frame = log.read(_FRAME_HEAD)
                # Frames of an earlier round of the log, whose pages are in the file by now, have other salts.
                found += frame[8:16] == head[16:24] and frame[4:8] != bytes(4)
    except FileNotFoundError:
        return 0
    return found


def _intact(head: bytes) -> bool:
    """Whether the log's header has the checksum SQLite gave it."""
    if len(head) < _WAL_HEAD:
        return False
    order: Literal["big", "little"] = "big" if head[3] & 1 else "little"
    a = b = 0
    for at in range(0, 24, 8):
        a = (a + int.from_bytes(head[at : at + 4], order) + b) & 0xFFFFFFFF
        b = (b + int.from_bytes(head[at + 4 : at + 8], order) + a) & 0xFFFFFFFF
    return (a, b) == (int.from_bytes(head[24:28], "big"), int.from_bytes(head[28:32], "big"))


def renew(path: Path, fault: Damaged, rescue: Callable[[sqlite3.Connection | None, sqlite3.Connection], None]) -> Path:
    """Put a damaged file aside and a new one with everything `rescue(old, new)` could copy in its place; then `connect`.

    The power may go between any two lines: the new file takes the place only when it is complete, and is found by `settle`.

    Returns:
        where the damaged file is now.
    """
    part, whole = path.with_name(path.name + ".rescue"), path.with_name(path.name + ".rescued")
    for suffix in ("", "-wal", "-shm"):
        part.with_name(part.name + suffix).unlink(missing_ok=True)
    new = connect(part)
    try:
        rescue(fault.db, new)
    finally:
        new.close()  # checkpoints: now it is one file, and synced
    part.rename(whole)
    aside = settle(path)
    assert aside is not None
    if fault.db is not None:
        # After the renaming, or closing would remove the log of the new file, which has the old one's name.
        fault.db.close()
    return aside


def settle(path: Path) -> Path | None:
    """Let a complete rescued file take the place of the damaged one, also when the power went in the middle of it.

    Returns:
        where the damaged file is now; None: there was nothing to do.
    """
    whole = path.with_name(path.name + ".rescued")
    if not whole.exists():
        return None
    aside = _quarantine(path)
    whole.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return aside


def _quarantine(path: Path) -> Path:
    """Rename a damaged file with its -wal and -shm, so that a person can look at it."""
    number = 1
    while any(path.parent.glob(f"{path.name}.damaged-{number}*")):
        number += 1
    target = path.with_name(f"{path.name}.damaged-{number}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target


def read_only(path: Path) -> sqlite3.Connection:
    """A connection for readers beside the gateway: never writes, never checkpoints.

    Raises:
        Unavailable: there is no such file yet, or it cannot be opened.
    """
    if not path.exists():
        raise Unavailable(f"there is no {path}; the gateway has not run here yet")
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise Unavailable(f"cannot open {path}: {error}") from error
    db.execute("PRAGMA query_only = ON")
    return db


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """The version of a reader's file; asked in its transaction, so that what it says and what is there belong together.

    Raises:
        Unavailable: it was made this moment, and nothing is in it yet.
    """
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        raise Unavailable(f"{path} is just being made")
    return version
