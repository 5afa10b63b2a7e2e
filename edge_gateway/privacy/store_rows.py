"""Takes a home out of a store's tables: the running gateway's, or a copy's. In a transaction of the caller."""

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from isal.isal_zlib import crc32

from edge_gateway import alerts, events, overdue
from edge_gateway.alerts import Alert
from edge_gateway.errors import Unavailable
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.privacy.subject import Subject
from edge_gateway.rescue import measure
from edge_gateway.visits import codec

_EXPECTED: Final = (overdue.SITE, overdue.EXPECTED)  # which devices are waited for, of all homes
_PACKED: Final = ("write", "outbox")  # stages of dead letters whose payload is a packed row of the outbox
OUTBOX_ROWS: Final = 200  # at a time; a row has up to some 2,000 readings
Counts = dict[str, int]


def erase(db: sqlite3.Connection, subject: Subject, seal: RawSeal | None) -> Counts:
    """How many rows of each kind went, `outbox` not among them. A text of another home that names this one loses the name."""
    gone = {
        "home": _home(db, subject),
        "devices": _devices(db, subject),
        "taps": _taps(db, subject, seal),
        "held": _held(db, subject),
        "dead letters": _dead(db, subject, seal),
        "alerts": _alerts(db, subject),
    }
    measure(db)
    return gone


def _home(db: sqlite3.Connection, subject: Subject) -> int:
    where = (subject.site, subject.place)
    rows = db.execute("DELETE FROM home WHERE site = ? AND place = ?", where).rowcount
    for body in [one for (one,) in db.execute("SELECT body FROM home WHERE site = ? AND part = ?", _EXPECTED)]:
        if (left := overdue.without(body, subject.owns)) is not None:
            db.execute("UPDATE home SET crc = ?, body = ? WHERE site = ? AND part = ?", (crc32(left), left, *_EXPECTED))
    rows += db.execute("DELETE FROM home_log WHERE site = ? AND place = ?", where).rowcount
    mentioned = [
        (subject.struck(detail), number)
        for number, detail in db.execute("SELECT id, detail FROM home_log WHERE site = ?", (subject.site,))
        if subject.mentioned_in(detail.encode())
    ]
    db.executemany("UPDATE home_log SET detail = ? WHERE id = ?", mentioned)
    return rows


def _devices(db: sqlite3.Connection, subject: Subject) -> int:
    return sum(
        db.execute("DELETE FROM device WHERE site = ? AND device = ?", (subject.site, device)).rowcount
        for device in subject.devices
    )


def without(body: bytes, subject: Subject) -> tuple[bytes, int, int] | None:
    """A packed row of the outbox without the entries of this home, how many stay and how many went; None: it has none.

    A row that cannot be read stays as it is: whoever reads it next counts it as damaged.
    """
    try:
        entries = events.unpack(body)
    except msgspec.MsgspecError:
        return None
    stay = [entry for entry in entries if not subject.owns(entry.site, entry.place, entry.device)]
    return None if len(stay) == len(entries) else (events.pack(stay), len(stay), len(entries) - len(stay))


def erase_outbox(db: sqlite3.Connection, subject: Subject, above: int, rows: int) -> tuple[int, int | None]:
    """So many rows of the outbox above this number: how many entries went, and the last row's number (None: that was all).

    In parts, because it may hold gigabytes, and an SOS wants to be saved meanwhile.
    """
    names = [name.encode() for name in (subject.place, *subject.devices)]
    query = "SELECT id, CAST(body AS BLOB) FROM outbox WHERE id > ? ORDER BY id LIMIT ?"
    found = db.execute(query, (above, rows)).fetchall()
    count = 0
    for number, old in found:
        if not any(name in old for name in names) or (new := without(old, subject)) is None:
            continue
        body, entries, gone = new
        count += gone
        if entries:
            db.execute("UPDATE outbox SET body = ?, crc = ?, entries = ? WHERE id = ?", (body, crc32(body), entries, number))
        else:
            db.execute("DELETE FROM outbox WHERE id = ?", (number,))
    if count:
        measure(db)
    return count, found[-1][0] if len(found) == rows else None


def erase_whole_outbox(db: sqlite3.Connection, subject: Subject) -> int:
    """The same for a file that nobody else uses."""
    count, above = 0, 0
    while True:
        gone, last = erase_outbox(db, subject, above, OUTBOX_ROWS)
        count += gone
        if last is None:
            return count
        above = last


def _taps(db: sqlite3.Connection, subject: Subject, seal: RawSeal | None) -> int:
    def his(body: bytes) -> bool:
        try:
            tap = codec.unpack_tap(_opened(body, seal))
        except (msgspec.MsgspecError, Unavailable):
            return False
        return subject.owns(tap.site, tap.place, tap.device)

    return _delete(db, "tap", (n for n, body in db.execute("SELECT id, body FROM tap") if his(body)))


def _held(db: sqlite3.Connection, subject: Subject) -> int:
    return sum(
        db.execute("DELETE FROM held WHERE site = ? AND device = ?", (subject.site, device)).rowcount
        for device in subject.devices
    )


def _dead(db: sqlite3.Connection, subject: Subject, seal: RawSeal | None) -> int:
    bad = []
    query = "SELECT id, stage, site, device, topic, detail, payload FROM dead_letter"
    for number, stage, site, device, topic, detail, payload in db.execute(query):
        try:
            plain = _opened(payload, seal)
        except Unavailable:
            plain = b""
        his = site == subject.site and device in subject.devices
        packed = stage in _PACKED and without(plain, subject) is not None
        named = site in (subject.site, "") and subject.mentioned_in(f"{topic} {detail} ".encode() + plain)
        if his or packed or named:
            bad.append(number)
    return _delete(db, "dead_letter", bad)


def _alerts(db: sqlite3.Connection, subject: Subject) -> int:
    """His go; one that is about many homes stays, without his name."""
    count = 0
    for id_, body in db.execute("SELECT id, body FROM alert").fetchall():
        # Within packed bytes a name may stand beside any letter: the first look is a rough one.
        if not any(word.encode() in body for word in (*subject.words, *subject.devices)):
            continue
        try:
            alert = alerts.unpack(body)
        except msgspec.MsgspecError:
            continue
        if subject.owns(alert.site, alert.place, alert.device):
            count += db.execute("DELETE FROM alert WHERE id = ?", (id_,)).rowcount
        elif alert.site not in (subject.site, ""):
            continue  # a home of another site, which may have the same number
        elif (struck := _struck(alert, subject)) != alert:
            new = alerts.pack(struck)
            db.execute("UPDATE alert SET body = ?, crc = ? WHERE id = ?", (new, crc32(new), id_))
    return count


def _struck(alert: Alert, subject: Subject) -> Alert:
    """Every text in it, however deep, without the words; its key and place stay, they are not his."""
    plain: dict[str, Any] = msgspec.to_builtins(alert)
    kept = {name: plain[name] for name in ("id", "key", "site", "place", "device")}
    struck: dict[str, Any] = _walk(plain, subject.struck)
    return msgspec.convert(struck | kept, Alert)


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _walk(one, change) for name, one in value.items()}
    return [_walk(one, change) for one in value] if isinstance(value, list | tuple) else value


def _opened(stored: bytes, seal: RawSeal | None) -> bytes:
    return stored if seal is None else seal.open(bytes(stored))


def _delete(db: sqlite3.Connection, table: str, numbers: Iterable[int]) -> int:
    found = [(number,) for number in numbers]
    db.executemany(f"DELETE FROM {table} WHERE id = ?", found)
    return len(found)
