"""The chain of the ledger: each entry's hash covers the entry before it, so that nothing can be changed, left out or put in.

hash = SHA-256(hash of the entry before || canonical JSON of [n, at_ns, kind, subject, by, SHA-256 of the body in hex]); before
the first: 32 zero bytes. The body stands in it by its own hash, so that a chain can be shown without all of its bodies.
Canonical JSON is UTF-8, keys sorted, no spaces, integers as such, a float as Python writes it. No file, no clock.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final

import msgspec

GENESIS: Final = bytes(32)


class Broken(Exception):
    """The chain does not hold.

    Attributes:
        n: the first entry that is wrong.  why: in words.
    """

    def __init__(self, n: int, why: str) -> None:
        super().__init__(f"entry {n}: {why}")
        self.n = n
        self.why = why


class LogEntry(msgspec.Struct, frozen=True):
    """One entry as it is kept.

    Attributes:
        n: 1, 2, 3 ... without a hole.  at_ns: wall clock of the gateway when it was written.
        kind: what happened: tap, doubt, visit, correction ...  subject: what it happened to.
        by: a person's id, or `gateway`.
        text: the body as it was hashed, canonical JSON.  hash: lower-case hex.
    """

    n: int
    at_ns: int
    kind: str
    subject: str
    by: str
    text: str
    hash: str

    @property
    def body(self) -> dict[str, Any]:
        """The body's names and values."""
        found = json.loads(self.text)
        return found if isinstance(found, dict) else {"value": found}


def canonical(value: Any) -> bytes:
    """The one way in which a plain value is written.

    Raises:
        ValueError: NaN, infinity, or half a surrogate pair.  TypeError: no plain value.
    """
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def body_hash(text: str) -> str:
    """SHA-256 of a body as it is kept, lower-case hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def link(previous: bytes, n: int, at_ns: int, kind: str, subject: str, by: str, body_hash_hex: str) -> bytes:
    """The hash of an entry after one with the hash `previous`."""
    return hashlib.sha256(previous + canonical([n, at_ns, kind, subject, by, body_hash_hex])).digest()


def verify(entries: Iterable[LogEntry], after: tuple[int, bytes] = (0, GENESIS)) -> tuple[int, bytes]:
    """Go along the chain; number and hash of its end.

    Args:
        after: number and hash of the entry before the first of these.

    Raises:
        Broken: at the first entry that does not fit.
    """
    n, previous = after
    for entry in entries:
        if entry.n != n + 1:
            raise Broken(n + 1, f"it is missing; the next one is {entry.n}")
        try:
            found = link(previous, entry.n, entry.at_ns, entry.kind, entry.subject, entry.by, body_hash(entry.text))
        except ValueError as error:
            raise Broken(entry.n, f"it cannot be read: {error}") from error
        if found.hex() != entry.hash:
            raise Broken(entry.n, f"it was changed: its hash is {entry.hash[:16]}..., its content has {found.hex()[:16]}...")
        n, previous = entry.n, found
    return n, previous
