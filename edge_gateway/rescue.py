"""Copies what can still be read of a damaged store into a new one; what cannot is counted, by the sizes the old one kept."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from typing import Any, Final

# Where the damaged file does not say how far its numbers go.
_HIGHEST: Final = (1 << 63) - 1
_AT_ONCE: Final = 2000
# So many failures in a row, and there is nothing more: a page holds fewer rows, a whole file that is unreadable fails for ever.
_GIVE_UP: Final = 5000
_NUMBERED: Final = ("outbox", "dead_letter", "held", "tap", "home_log")
_NAMED: Final = {"device": "site, device", "alert": "id", "home": "site, place, part", "counter": "name"}
_ENTRIES: Final = "SELECT coalesce(sum(entries), 0) FROM size WHERE what IN ('event', 'data', 'tap')"
Row = Sequence[Any]


def rescue(old: sqlite3.Connection | None, new: sqlite3.Connection) -> None:
    """Fill the empty tables of `new` and count what is missing as `entries_lost_damage`.

    Numbers of outbox rows stay as they were and are never given again.
    """
    if old is not None:
        new.execute("PRAGMA synchronous = OFF")  # the file counts only when it is complete
        _rescue(old, new)
        new.execute("PRAGMA synchronous = FULL")
    new.execute("INSERT INTO counter VALUES ('damaged_files', 1) ON CONFLICT DO UPDATE SET value = value + 1")


def _rescue(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    with suppress(sqlite3.DatabaseError):
        old.execute("PRAGMA writable_schema = ON")  # lets a file be read that is shorter than its header says
    for table, key in _NAMED.items():
        _copy(new, table, _from_both_ends(old, table, key))
    for table in _NUMBERED:
        given = _number(old, f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'")
        _copy(new, table, _by_number(old, table, 1, given or _HIGHEST))
        if given:
            new.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, given))
    measure(new)
    had, kept = _number(old, _ENTRIES), _number(new, _ENTRIES)
    if had > kept:
        new.execute("INSERT INTO counter VALUES ('entries_lost_damage', 0) ON CONFLICT DO NOTHING")
        new.execute("UPDATE counter SET value = value + ? WHERE name = 'entries_lost_damage'", (had - kept,))


def measure(db: sqlite3.Connection) -> None:
    """Count the rows of the long tables anew, after rows came or went without being counted."""
    for lane, what in enumerate(("event", "data")):
        db.execute(
            "UPDATE size SET (rows, entries, bytes) = (SELECT count(*), coalesce(sum(entries), 0),"
            " coalesce(sum(length(body)), 0) FROM outbox WHERE lane = ?) WHERE what = ?",
            (lane, what),
        )
    for table, what, content in (("held", "held", "payload"), ("dead_letter", "dead", "payload"), ("tap", "tap", "body")):
        db.execute(
            f"UPDATE size SET (rows, entries, bytes) = (SELECT count(*), count(*), coalesce(sum(length({content})), 0)"
            f" FROM {table}) WHERE what = ?",
            (what,),
        )


def _copy(new: sqlite3.Connection, table: str, rows: Iterator[Row]) -> None:
    for first in rows:
        # OR IGNORE: a damaged page may show a row twice, or without what it must have.
        insert = f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(first))})"
        new.execute("BEGIN")
        new.executemany(insert, chain([first], islice(rows, _AT_ONCE)))
        new.execute("COMMIT")
        new.execute("PRAGMA wal_checkpoint(PASSIVE)")  # or the log would grow to the size of the file


def _by_number(old: sqlite3.Connection, table: str, low: int, high: int) -> Iterator[Row]:
    """Every row that can be read: where reading fails, the range is halved until the bad rows stand alone."""
    ranges, failures = [(low, high)], 0
    while ranges and failures < _GIVE_UP:
        low, high = ranges.pop()
        try:
            for row in old.execute(f"SELECT * FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id", (low, high)):
                yield row
                low, failures = row[0] + 1, 0
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            failures += 1
            if low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]


def _from_both_ends(old: sqlite3.Connection, table: str, key: str) -> Iterator[Row]:
    """The rows before the first and, backwards, after the last that cannot be read."""
    columns = key.count(",") + 1
    seen = set()
    for order in (key, ", ".join(f"{name} DESC" for name in key.split(", "))):
        try:
            for row in old.execute(f"SELECT * FROM {table} ORDER BY {order}"):
                if row[:columns] in seen:
                    return
                seen.add(row[:columns])
                yield row
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            continue


def _number(db: sqlite3.Connection, query: str) -> int:
    """The number a query asks for; 0 also when it cannot be read."""
    try:
        found = db.execute(query).fetchone()
    except sqlite3.DatabaseError:
        return 0
    return int(found[0]) if found else 0
