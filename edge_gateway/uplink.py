"""Empties the outbox into the database, in a thread of its own: events first, fresh readings next, the backlog beside them.

A row is forgotten only after the database answered that it holds the row. What it can never take becomes a dead letter.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from edge_gateway import events
from edge_gateway.errors import KanhuError, Misconfigured, Unavailable
from edge_gateway.events import Entry
from edge_gateway.sink import Refusal, Sink
from edge_gateway.store import Store
from edge_gateway.store_file import read_only
from edge_gateway.topics import Up, up
from edge_gateway.transaction import DeadLetter, Lane, OutboxRow

log = logging.getLogger(__name__)

_LINGER_S: Final = 0.1  # so that single messages travel together
_RETRY_FIRST_S: Final = 1.0
_RETRY_MOST_S: Final = 60.0
_OPERATOR_S: Final = 30.0  # a wrong token is not hammered


@dataclass(slots=True)
class UplinkState:
    """What a screen shows of the way to the database; written by the uplink's thread only."""

    sent: int = 0
    refused: int = 0
    damaged: int = 0
    trouble: str = ""  # why nothing goes out at the moment; "" when it does
    trouble_is_ours: bool = False  # a person must act
    last_write_s: float = 0.0
    last_ok_monotonic: float = 0.0


class Uplink:
    """The thread and its state.

    Args:
        store_thread: the one thread in which `store` is used.
        told: called (in the uplink's thread) once when the database goes away and once when it is back.
    """

    def __init__(
        self,
        path: Path,
        store: Store,
        store_thread: Executor,
        sink: Sink,
        batch_entries: int = 5000,
        told: Callable[[str], None] = lambda trouble: None,
        seed: int | None = None,
    ) -> None:
        self.state = UplinkState()
        self._path = path
        self._store = store
        self._store_thread = store_thread
        self._sink = sink
        self._batch_entries = batch_entries
        self._told = told
        self._random = Random(seed)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        # Rows up to this id are backlog: they go oldest first, but behind what came later.
        self._backlog_to = 0

    def start(self) -> None:
        """Begin; a backlog of an earlier run is behind live readings from the first moment."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the outbox; any thread may call."""
        self._wake.set()

    def stop(self, wait_s: float = 5.0) -> None:
        """End after the write that is under way; what is not confirmed stays in the outbox."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        failures = 0
        db: sqlite3.Connection | None = None
        while not self._stop.is_set():
            try:
                if db is None:
                    db = read_only(self._path)
                    self._backlog_to = _last_id(db)
                busy = self._step(db)
                failures = 0
                if not busy:
                    self._wake.wait(1.0)
                    self._wake.clear()
                    self._stop.wait(_LINGER_S)
            except KanhuError as error:
                failures += 1
                self._trouble(error, db)
                self._stop.wait(self._pause_s(error, failures))
            except (sqlite3.Error, OSError) as error:
                failures += 1
                log.error("cannot read the outbox: %s", error)
                db = None
                self._stop.wait(self._pause_s(Unavailable(str(error)), failures))
            except Exception:
                # A fault of our own must not end the only way to the database; say it and go on.
                failures += 1
                log.exception("uplink: unexpected")
                db = None
                self._stop.wait(self._pause_s(Unavailable(""), failures))
        if db is not None:
            db.close()

    def _step(self, db: sqlite3.Connection) -> bool:
        """Send what should go next; whether there was anything."""
        sent = self._send(self._rows(db, Lane.EVENT, 0)) or self._send(self._rows(db, Lane.DATA, self._backlog_to))
        if self._backlog_to:
            old = self._send(self._rows(db, Lane.DATA, 0, self._backlog_to))
            if not old:
                self._backlog_to = 0
            sent = sent or old
        return sent

    def _rows(self, db: sqlite3.Connection, lane: Lane, above: int, upto: int | None = None) -> list[OutboxRow]:
        """Rows of one lane in order, together about one batch of entries."""
        query = "SELECT id, lane, entries, received_ns, crc, body FROM outbox WHERE lane = ? AND id > ? AND id <= ? ORDER BY id"
        rows: list[OutboxRow] = []
        entries = 0
        for found in db.execute(query, (int(lane), above, upto if upto is not None else 1 << 62)):
            row = OutboxRow(*found)
            if rows and entries + row.entries > self._batch_entries:
                break
            rows.append(row)
            entries += row.entries
        return rows

    def _send(self, rows: list[OutboxRow]) -> bool:
        if not rows:
            return False
        entries, dead = self._entries(rows)
        began = time.monotonic()
        refusals: list[Refusal] = []
        for batch in _batches(entries, self._batch_entries):
            refusals += self._sink.write(batch)
        self.state.last_write_s = time.monotonic() - began
        now_ns = time.time_ns()
        dead += [_letter(r, now_ns) for r in refusals]
        counters = {"entries_sent": len(entries) - len(refusals)}
        if refusals:
            counters["entries_refused"] = len(refusals)
        self._store_thread.submit(self._store.forget, rows, dead, counters).result()
        self.state.sent += len(entries) - len(refusals)
        self.state.refused += len(refusals)
        self.state.last_ok_monotonic = time.monotonic()
        if self.state.trouble:
            self.state.trouble, self.state.trouble_is_ours = "", False
            log.info("database %s: back", self._sink.name)
            self._told("")
        return True

    def _entries(self, rows: Sequence[OutboxRow]) -> tuple[list[Entry], list[DeadLetter]]:
        """The entries of rows; a row whose bytes changed on the disk is kept as a dead letter."""
        entries: list[Entry] = []
        dead = []
        for row in rows:
            try:
                if not row.intact:
                    raise msgspec.DecodeError("checksum differs")
                entries += events.unpack(row.body)
            except msgspec.DecodeError as error:
                self.state.damaged += 1
                detail = f"outbox row {row.id} with {row.entries} entries: {error}"
                dead.append(DeadLetter("outbox", "damaged_row", detail, "", "", "", None, None, row.received_ns, row.body))
        return entries, dead

    def _trouble(self, error: KanhuError, db: sqlite3.Connection | None) -> None:
        if db is not None:
            self._backlog_to = _last_id(db)
        if self.state.trouble != str(error):
            if not self.state.trouble:
                log.warning("database %s: %s; readings wait in the outbox", self._sink.name, error)
                self._told(str(error))
            self.state.trouble = str(error)
        self.state.trouble_is_ours = isinstance(error, Misconfigured)

    def _pause_s(self, error: KanhuError, failures: int) -> float:
        if isinstance(error, Misconfigured):
            return _OPERATOR_S
        if isinstance(error, Unavailable) and error.retry_after_s is not None:
            return min(error.retry_after_s, 600.0)
        longest = min(_RETRY_FIRST_S * 2.0 ** min(failures - 1, 10), _RETRY_MOST_S)
        return longest * self._random.uniform(0.5, 1.0)


def _batches(entries: list[Entry], size: int) -> Iterator[list[Entry]]:
    if len(entries) <= size:
        if entries:
            yield entries
        return
    for at in range(0, len(entries), size):
        yield entries[at : at + size]


def _last_id(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()[0])


def _letter(refusal: Refusal, now_ns: int) -> DeadLetter:
    entry = refusal.entry
    boot, seq = getattr(entry, "boot", None), getattr(entry, "seq", None)
    topic = up(entry.site, entry.device, Up.DATA)
    payload = events.pack([entry])
    return DeadLetter("write", refusal.reason, refusal.detail, topic, entry.site, entry.device, boot, seq, now_ns, payload)
