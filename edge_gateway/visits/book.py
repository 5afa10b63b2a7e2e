"""The writing connection of the ledger with its chain: one transaction at a time, everything in it or nothing."""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.store_file import damaged
from edge_gateway.visits import records, sealed
from edge_gateway.visits.chain import GENESIS, body_hash, canonical, link
from edge_gateway.visits.ledger_file import connect, replace_damaged

log = logging.getLogger(__name__)

GATEWAY: Final = records.GATEWAY
_CHECK: Final = b"kanhu visits"
_UNKNOWN: Final = -1  # number of the chain's last entry, until it can be read


class Book:
    """Used by one thread.

    Args:
        clock_ns: the wall clock.

    Attributes:
        db: the connection; another one after a damaged file was replaced.
        seal: opens and seals what nobody may read in the file.
        forget: called when a transaction was taken back or the file replaced: what was read into memory may be wrong.

    Raises:
        Unavailable, Misconfigured: as `ledger_file.connect` and `sealed.load`.
    """

    def __init__(self, path: Path, key_file: Path, clock_ns: Callable[[], int]) -> None:
        self.path = path
        self.clock_ns = clock_ns
        self.forget: list[Callable[[], None]] = []
        self.db = connect(path)
        try:
            self._begin(key_file)
        except sqlite3.Error as error:
            failed = self.failed(error)
            self.close()
            raise failed from error
        except BaseException:
            self.close()
            raise

    def _begin(self, key_file: Path) -> None:
        self._read_head()
        check = self.meta("key_check")
        self.seal = sealed.load(key_file, make=check is None)
        mine = self.seal.index(_CHECK)
        if check is None:
            with self.transaction():
                self.set_meta("key_check", mine)
        elif bytes(check) != mine:
            raise Misconfigured(f"{key_file} is not the key of {self.path}", "restore the one this ledger was sealed with")
        self._tell_rescue()

    def _read_head(self) -> None:
        found = self.db.execute("SELECT n, hash FROM log ORDER BY n DESC LIMIT 1").fetchone()
        self.n: int = found[0] if found else 0
        self.head = bytes(found[1]) if found else GENESIS

    def _tell_rescue(self) -> None:
        """What could be copied of a damaged file is told in the chain, whose end may be missing now."""
        rows = dict(self.db.execute("SELECT name, value FROM meta WHERE name LIKE 'rescued\\_%' ESCAPE '\\'").fetchall())
        if rows:
            before = self.n
            with self.transaction():
                self.write(
                    "rescued", str(self.path.name), GATEWAY, {name.removeprefix("rescued_"): n for name, n in rows.items()}
                )
                self.db.execute("DELETE FROM meta WHERE name LIKE 'rescued\\_%' ESCAPE '\\'")
                # Numbers behind a lost end come anew; what they say has not been told to anybody.
                self.db.execute("UPDATE meta SET value = ? WHERE name = 'told_upto' AND value > ?", (before, before))

    def meta(self, name: str) -> Any:
        """A value kept beside the chain; None: never set."""
        found = self.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def set_meta(self, name: str, value: Any) -> None:
        """Keep a value; within a transaction."""
        self.db.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def write(self, kind: str, subject: str, by: str, body: Mapping[str, Any]) -> int:
        """Add an entry to the chain; within a transaction. Its number."""
        text = canonical(dict(body))
        n, at_ns = self.n + 1, self.clock_ns()
        digest = link(self.head, n, at_ns, kind, subject, by, body_hash(text.decode()))
        self.db.execute(
            "INSERT INTO log (n, at_ns, kind, subject, by, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (n, at_ns, kind, subject, by, text.decode(), digest),
        )
        self.n, self.head = n, digest
        return n

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is on disk at its end, or nothing of it.

        Raises:
            Unavailable: the disk; taken back. A damaged file has been replaced by now.
        """
        try:
            self.db.execute("BEGIN IMMEDIATE")
            if self.n == _UNKNOWN:
                self._read_head()
            yield
            self.db.execute("COMMIT")
        except sqlite3.Error as error:
            self._take_back()
            raise self.failed(error) from error
        except BaseException:
            self._take_back()
            raise

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A part of a transaction that is taken back by itself when it fails."""
        n, head = self.n, self.head
        self.db.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self.n, self.head = n, head
            with suppress(sqlite3.Error):  # a full disk has taken back everything already
                self.db.execute("ROLLBACK TO attempt")
                self.db.execute("RELEASE attempt")
            raise
        self.db.execute("RELEASE attempt")

    def _take_back(self) -> None:
        with suppress(sqlite3.Error):
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
        self.n = _UNKNOWN  # what was written by now is no part of the chain; a disk that fails here too is asked again
        with suppress(sqlite3.Error):
            self._read_head()
        for forget in self.forget:
            forget()

    def failed(self, error: sqlite3.Error) -> Unavailable:
        """What to raise; a damaged file is put aside first, so that the next try meets one that works."""
        if damaged(error):
            with suppress(sqlite3.Error):
                self.db.close()
            try:
                self.db = replace_damaged(self.path, error)
                self._read_head()
                self._tell_rescue()
            except (sqlite3.Error, OSError) as worse:
                return Unavailable(f"{self.path} is damaged and cannot be replaced: {worse}")
            for forget in self.forget:
                forget()
        return Unavailable(f"{self.path}: {getattr(error, 'sqlite_errorname', '')} {error}")

    def close(self) -> None:
        """Checkpoint and close."""
        with suppress(sqlite3.Error):
            self.db.close()
