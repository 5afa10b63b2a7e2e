"""Empties the outbox into the database, in a thread of its own: events first, fresh readings next, the backlog beside them.

What the gateway says of how things are now goes before all of it, from memory (`tell`): it is worth nothing later, so it is not
kept, and no full disk and no damaged outbox holds it up.

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
from edge_gateway.sink import Refusal, Sink, Teller
from edge_gateway.store import Store
from edge_gateway.store_file import damaged, read_only
from edge_gateway.topics import Up, up
from edge_gateway.transaction import DeadLetter, Lane, OutboxRow

log = logging.getLogger(__name__)

_LINGER_S: Final = 0.1  # so that single messages travel together
_RETRY_FIRST_S: Final = 1.0
# A fresh record has to pass 10 s after a fault ends; one request in so many seconds from one client hammers nobody.
_RETRY_MOST_S: Final = 8.0
_OPERATOR_S: Final = 8.0
_ASKED_MOST_S: Final = 600.0  # longer than this we do not wait, whatever the database asks for
_SUSPECTS: Final = 3  # so many single entries the sink falls over, and none it takes: the fault is not in the entries

Write = Callable[[Sequence[Entry]], list[Refusal]]


class OutboxTrouble(Exception):
    """Our own file cannot be read or written now; the database has nothing to do with it."""


@dataclass(slots=True)
class UplinkState:
    """What a screen shows of the way to the database; written by the uplink's thread only."""

    sent: int = 0
    told: int = 0  # beside the outbox
    refused: int = 0
    damaged: int = 0
    trouble: str = ""  # why nothing goes out at the moment; "" when it does
    trouble_is_ours: bool = False  # a person must act
    last_write_s: float = 0.0
    last_ok_monotonic: float = 0.0


class Uplink:
    """The thread and its state; `turn` is one round of it, and never waits but for the database.

    Args:
        store_thread: the one thread in which `store` is used.
        batch_entries: handed to the sink at a time.
        batches: read, and forgotten, at a time.
        told: called (in the uplink's thread) once when the database goes away, again when only a person can mend it, and once,
            with "", when it is back.
    """

    def __init__(
        self,
        path: Path,
        store: Store,
        store_thread: Executor,
        sink: Sink,
        batch_entries: int = 5000,
        batches: int = 1,
        told: Callable[[str], None] = lambda trouble: None,
        seed: int | None = None,
    ) -> None:
        # While the disk is full and the database is on it: readings would take the room that is kept for events.
        self.events_only = False
        self.state = UplinkState()
        self._path = path
        self._store = store
        self._store_thread = store_thread
        self._sink = sink
        self._batch_entries = batch_entries
        self._read_entries = batches * batch_entries
        self._told = told
        self._random = Random(seed)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._db: sqlite3.Connection | None = None
        self._opened = 0  # which of the store's files `_db` reads
        # Rows up to this id are backlog: they go oldest first, but behind what came later.
        self._backlog_to = 0
        self._failures = 0
        self._outbox_trouble = ""
        self._telling = threading.Lock()
        self._round: list[Entry] = []  # of `tell`
        self._round_after = 0.0  # monotonic s: not tried again before
        self.between = threading.Lock()  # held during a turn: who has it knows that nothing is on its way

    def start(self) -> None:
        """Begin; a backlog of an earlier run is behind live readings from the first moment."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the outbox; any thread may call."""
        self._wake.set()

    def tell(self, entries: Sequence[Entry]) -> None:
        """Write these beside the outbox, from memory; any thread may call. What was told before and did not go out is dropped:
        the newer says how things are now."""
        with self._telling:
            self._round = list(entries)
            self._round_after = 0.0
        self.wake()

    def untell(self, owns: Callable[[str, str, str], bool]) -> None:
        """Take what is of (site, place, device) that `owns` out of what is to be told."""
        with self._telling:
            self._round = [entry for entry in self._round if not owns(entry.site, entry.place, entry.device)]

    def stop(self, wait_s: float = 5.0) -> None:
        """End after the write that is under way; what is not confirmed stays in the outbox."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self.between:
                pause_s = self.turn()
            if pause_s is None:
                self._wake.wait(1.0)
                self._wake.clear()
                self._stop.wait(_LINGER_S)
            elif pause_s:
                self._stop.wait(pause_s)
        self.close()

    def turn(self) -> float | None:
        """Send what should go next; never raises.

        Returns:
            seconds to wait before the next turn: 0.0, there may be more; None, there was nothing, wait for `wake`.
        """
        try:
            untold = self._tell()
            db = self._reader()
            try:
                busy = self._step(db)
                if untold is not None and not busy:
                    raise untold
            except KanhuError as error:
                self._backlog_to = _last_id(db)
                self._database_failed(error)
                return self._pause_s(error)
            self._failures = 0
            self._outbox_trouble = ""
            return 0.0 if busy else None
        except (OutboxTrouble, sqlite3.Error, OSError, KanhuError) as error:
            if self._outbox_trouble != str(error):
                self._outbox_trouble = str(error)
                log.error("the outbox: %s", error)
            self._mend(error)
        except Exception:
            # A fault of our own must not end the only way to the database; say it and go on.
            if not self._stop.is_set():
                log.exception("uplink: unexpected")
            self.close()
        return self._pause_s(Unavailable(""))

    def close(self) -> None:
        """Give up the connection to the outbox; the next turn opens another."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _reader(self) -> sqlite3.Connection:
        if self._db is None or self._opened != self._store.opened:
            self.close()
            self._opened = self._store.opened
            self._db = read_only(self._path)
            self._backlog_to = _last_id(self._db)
        return self._db

    def _mend(self, error: Exception) -> None:
        """Read anew; and when a page is damaged, let the store look at its file, or that row would stop all behind it."""
        self.close()
        if isinstance(error, sqlite3.Error) and damaged(error) and self._opened == self._store.opened:
            try:
                self._store_thread.submit(self._store.repair).result()
            except Exception:
                log.exception("repairing the outbox")

    def _tell(self) -> KanhuError | None:
        """Write the round that waits; why it could not be, which must never stop what is in the outbox."""
        with self._telling:
            entries = self._round if time.monotonic() >= self._round_after else []
        write = self._sink.tell if isinstance(self._sink, Teller) else self._sink.write
        refused, began = 0, time.monotonic()
        for start in range(0, len(entries), self._batch_entries):
            try:
                refusals = self._write(entries[start : start + self._batch_entries], write)
            except KanhuError as error:
                self._round_after = time.monotonic() + _RETRY_MOST_S
                return error
            for refusal in refusals[:1]:
                log.error("of the gateway's own series refused: %s %s", refusal.reason, refusal.detail)
            refused += len(refusals)
        if entries:
            with self._telling:
                if self._round is entries:
                    self._round = []
            self.state.told += len(entries) - refused
            self.state.refused += refused
            self._database_answered(time.monotonic() - began)
        return None

    def _step(self, db: sqlite3.Connection) -> bool:
        """Send one batch of each kind, events before all; whether there was anything."""
        if self.events_only:
            return self._send(self._rows(db, Lane.EVENT, 0))
        sent = self._send(self._rows(db, Lane.EVENT, 0)) or self._send(self._rows(db, Lane.DATA, self._backlog_to))
        if self._backlog_to:
            old = self._send(self._rows(db, Lane.DATA, 0, self._backlog_to))
            if not old:
                self._backlog_to = 0
            sent = sent or old
        return sent

    def _rows(self, db: sqlite3.Connection, lane: Lane, above: int, upto: int | None = None) -> list[OutboxRow]:
        """Rows of one lane in order, together about as many entries as are read at a time."""
        # CAST: a changed byte may have made it a text that is no UTF-8, over which the whole query would fail.
        query = (
            "SELECT id, lane, entries, received_ns, crc, CAST(body AS BLOB) FROM outbox"
            " WHERE lane = ? AND id > ? AND id <= ? ORDER BY id"
        )
        rows: list[OutboxRow] = []
        entries = 0
        for found in db.execute(query, (int(lane), above, upto if upto is not None else 1 << 62)):
            row = OutboxRow(*found)
            if rows and entries + row.entries > self._read_entries:
                break
            rows.append(row)
            entries += row.entries
        return rows

    def _send(self, rows: list[OutboxRow]) -> bool:
        if not rows:
            return False
        refusals: list[Refusal] = []
        damaged: list[tuple[OutboxRow, str]] = []
        sent, took_s = 0, 0.0
        for entries in self._batches(rows, damaged):
            began = time.monotonic()
            refusals += self._write(entries)
            took_s += time.monotonic() - began
            sent += len(entries)
        now_ns = time.time_ns()
        counters = {
            "entries_sent": sent - len(refusals),
            "entries_refused": len(refusals),
            "entries_damaged": sum(row.entries for row, _ in damaged),
        }
        dead = [_damaged_letter(row, detail) for row, detail in damaged]
        dead += [_letter(r, Lane(rows[0].lane), now_ns) for r in refusals]
        try:
            self._store_thread.submit(self._store.forget, rows, dead, counters).result()
        except Unavailable as error:
            raise OutboxTrouble(f"cannot forget what the database holds: {error}") from error
        self.state.sent += sent - len(refusals)
        self.state.refused += len(refusals)
        if sent:
            self._database_answered(took_s)
        return True

    def _write(self, entries: Sequence[Entry], write: Write | None = None) -> list[Refusal]:
        """As the sink's `write`, which may also fall over an entry nobody thought of: then that entry is refused.

        Raises:
            Unavailable: also when it falls over every entry, so that the fault is not in them.
        """
        write = write or self._sink.write
        refusals: list[Refusal] = []
        bad: list[Refusal] = []
        taken = 0
        parts = [entries]
        while parts:
            part = parts.pop()
            try:
                refusals += write(part)
                taken += len(part)
            except KanhuError:
                raise
            except OSError as error:
                raise Unavailable(f"{self._sink.name}: {error}") from error
            except Exception as error:
                if not self.state.trouble and part is entries:
                    log.exception("database %s: failed on %d entries, now on fewer", self._sink.name, len(part))
                if len(part) > 1:
                    parts += [part[len(part) // 2 :], part[: len(part) // 2]]
                else:
                    bad.append(Refusal(part[0], "database_failed", repr(error)))
                if self._stop.is_set() or (not taken and (len(bad) > _SUSPECTS or not parts)):
                    raise Unavailable(f"{self._sink.name} failed: {error!r}") from error
        return refusals + bad

    def _batches(self, rows: Sequence[OutboxRow], damaged: list[tuple[OutboxRow, str]]) -> Iterator[list[Entry]]:
        """The entries of rows, made one batch at a time: two do not fit into the processor's cache.

        Args:
            damaged: gets the rows whose bytes changed on the disk, and what is wrong with them.
        """
        most, waiting = self._batch_entries, []
        for row in rows:
            try:
                if not row.intact:
                    raise msgspec.DecodeError("checksum differs")
                waiting += events.unpack(row.body)
            except msgspec.DecodeError as error:
                self.state.damaged += 1
                damaged.append((row, f"outbox row {row.id} with {row.entries} entries: {error}"))
                log.error("%s; kept as a dead letter", damaged[-1][1])
            while len(waiting) >= most:
                yield waiting[:most]
                del waiting[:most]
        if waiting:
            yield waiting

    def _database_failed(self, error: KanhuError) -> None:
        state, ours = self.state, isinstance(error, Misconfigured)
        if not state.trouble or ours != state.trouble_is_ours:
            log.warning("database %s: %s; readings wait in the outbox", self._sink.name, error)
            self._told(str(error))
        state.trouble, state.trouble_is_ours = str(error) or repr(error), ours

    def _database_answered(self, took_s: float) -> None:
        state = self.state
        state.last_write_s, state.last_ok_monotonic = took_s, time.monotonic()
        if state.trouble:
            state.trouble, state.trouble_is_ours = "", False
            log.info("database %s: back", self._sink.name)
            self._told("")

    def _pause_s(self, error: KanhuError) -> float:
        self._failures += 1
        if isinstance(error, Misconfigured):
            return _OPERATOR_S
        if isinstance(error, Unavailable) and error.retry_after_s is not None:
            return min(max(error.retry_after_s, 0.0), _ASKED_MOST_S)
        longest = min(_RETRY_FIRST_S * 2.0 ** min(self._failures - 1, 10), _RETRY_MOST_S)
        return longest * self._random.uniform(0.5, 1.0)


def _last_id(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(id), 0) FROM outbox").fetchone()[0])


def _damaged_letter(row: OutboxRow, detail: str) -> DeadLetter:
    about = "outbox", "damaged_row", detail, "", "", ""
    return DeadLetter(*about, None, None, row.received_ns, row.body, Lane(row.lane))


def _letter(refusal: Refusal, lane: Lane, now_ns: int) -> DeadLetter:
    entry = refusal.entry
    boot, seq = getattr(entry, "boot", None), getattr(entry, "seq", None)
    topic = up(entry.site, entry.device, Up.EVENT if lane is Lane.EVENT else Up.DATA)
    payload = events.pack([entry])
    return DeadLetter(
        "write", refusal.reason, refusal.detail, topic, entry.site, entry.device, boot, seq, now_ns, payload, lane
    )
