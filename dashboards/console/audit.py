"""Who did what, when, from where; and who looked at whom. Only appended, each entry hashed with the one before it."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards.console.store import Store

_GENESIS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done.

    Attributes:
        at_ns: this machine's clock.  who: a user's id, or `terminal`.  address: of the browser.
        subject: what it was done to: a user, a visit, a pseudonym.
    """

    n: int
    at_ns: int
    who: str
    what: str
    subject: str
    address: str
    detail: str
    hash: bytes


class Audit:
    """Appends and checks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def write(
        self,
        who: str,
        what: str,
        subject: str = "",
        address: str = "",
        detail: Mapping[str, Any] | None = None,
        db: sqlite3.Connection | None = None,
    ) -> None:
        """Append; with `db` in the transaction that does it, else in one of its own.

        Raises:
            Unavailable: it cannot be written; then nothing of it may be done.
        """
        if db is None:
            with self._store.write() as own:
                self.write(who, what, subject, address, detail, own)
            return
        last = db.execute("SELECT hash FROM audit ORDER BY n DESC LIMIT 1").fetchone()
        entry = (time.time_ns(), who, what, subject, address, json.dumps(detail or {}, ensure_ascii=False, sort_keys=True))
        link = _link(last[0] if last else _GENESIS, entry)
        db.execute(
            "INSERT INTO audit (at_ns, who, what, subject, address, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?)", (*entry, link)
        )

    def entries(self, after: int = 0, limit: int = 500) -> list[Entry]:
        """In order, from the entry after that number."""
        query = "SELECT n, at_ns, who, what, subject, address, detail, hash FROM audit WHERE n > ? ORDER BY n LIMIT ?"
        return [Entry(*row) for row in self._store.rows(query, after, limit)]

    def all(self) -> Iterator[Entry]:
        """Everything in order, in pieces."""
        last = 0
        while found := self.entries(last):
            yield from found
            last = found[-1].n

    def trouble(self) -> str:
        """What is wrong with the log in words; "" when nothing was changed or taken away."""
        before, expected = _GENESIS, 1
        for entry in self.all():
            if entry.n != expected:
                return f"entry {expected} is missing"
            told = (entry.at_ns, entry.who, entry.what, entry.subject, entry.address, entry.detail)
            if entry.hash != _link(before, told):
                return f"entry {entry.n} is not what was written"
            before, expected = entry.hash, entry.n + 1
        # SQLite's own count of what was ever given out: a tail that was cut off is missed by the chain alone.
        given = self._store.rows("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
        if given and given[0][0] != expected - 1:
            return f"entries {expected} to {given[0][0]} are missing"
        return ""

    def head(self) -> tuple[int, str]:
        """Number and hash of the newest entry; kept elsewhere they prove everything up to it."""
        rows = self._store.rows("SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1")
        return (rows[0][0], rows[0][1].hex()) if rows else (0, _GENESIS.hex())


def _link(before: bytes, entry: tuple[object, ...]) -> bytes:
    return hashlib.sha256(before + json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()).digest()
