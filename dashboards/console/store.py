"""The console's own file: who may log in, who is logged in, who did what. One SQLite file, shared with the command line."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable

_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE user (id TEXT PRIMARY KEY, role TEXT NOT NULL, places TEXT NOT NULL, language TEXT NOT NULL,
                   password TEXT NOT NULL, made_ns INTEGER NOT NULL, made_by TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE session (key BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES user ON DELETE CASCADE, csrf TEXT NOT NULL,
                      made_ns INTEGER NOT NULL, seen_ns INTEGER NOT NULL, address TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX session_user ON session (user);
CREATE TABLE audit (n INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
                    subject TEXT NOT NULL, address TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'what was done stays'); END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'what was done stays'); END;
"""


class Store:
    """The open file. Calls may come from any thread; each takes some milliseconds.

    Raises:
        Misconfigured: the file cannot be opened, or is of a newer version.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made by us before SQLite can make it readable for others.
            file.touch(mode=0o600)
            self._db = sqlite3.connect(file, timeout=5.0, isolation_level=None, check_same_thread=False)
            # The command line writes it beside us: a rollback journal is safe for two writers with every version of SQLite.
            self._db.execute("PRAGMA journal_mode = DELETE")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute("PRAGMA foreign_keys = ON")
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise Misconfigured(f"cannot open {file}: {error}", "it holds who may log in; put a backup back") from error

    def _prepare(self) -> None:
        with self.write() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                for statement in _statements(_SCHEMA):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise Misconfigured(f"{self.file} is of version {version}, known is {_VERSION}", "update this program")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk at its end.

        Raises:
            Unavailable: another program holds the file, or the disk is full.
        """
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise Unavailable(f"{self.file.name}: {error}") from error

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """All rows of a question.

        Raises:
            Unavailable: another program holds the file.
        """
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.OperationalError as error:
                raise Unavailable(f"{self.file.name}: {error}") from error

    def close(self) -> None:
        """Nothing is lost without it."""
        with self._lock:
            self._db.close()


def _statements(script: str) -> Iterator[str]:
    """`executescript` would end the transaction."""
    text = ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            yield text
            text = ""
