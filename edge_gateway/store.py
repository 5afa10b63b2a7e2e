"""The gateway's own SQLite file: device states, alerts, outbox, dead letters, held messages and taps in one transaction.

One connection writes and checkpoints, from one thread (SQLite before 3.51.3 can lose commits otherwise). Others read with
`store_file.read_only`. A commit means "on disk": WAL with synchronous=FULL.
"""

import itertools
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from isal.isal_zlib import crc32

from edge_gateway.errors import Unavailable
from edge_gateway.privacy.raw import RawSeal
from edge_gateway.rescue import rescue
from edge_gateway.store_file import Damaged, connect, damaged, lock, renew, settle, unread_commits
from edge_gateway.text import masked
from edge_gateway.transaction import Backlog, Commit, DeadLetter, Held, Lane, OutboxRow, TapRow

log = logging.getLogger(__name__)

T = TypeVar("T")
MAX_PAYLOAD: Final = 65_536
_LANES: Final = ("event", "data")  # by Lane
_SIZES: Final = (*_LANES, "held", "dead", "tap")
# Held messages and dead letters, each: so much of the disk anybody who can reach the broker may fill.
_SIDE_BYTES: Final = 100 << 20
_COMPACT_BYTES: Final = 64 << 20  # a second or two


class StoreFull(Unavailable):
    """The disk or the quota is full; the transaction was rolled back and everything read before is still good."""


@dataclass(slots=True)
class Size:
    """Rows, entries in them, and bytes of their payload."""

    rows: int = 0
    entries: int = 0
    bytes: int = 0

    def add(self, rows: int, entries: int, size: int) -> None:
        """Add, or with negative numbers take away."""
        self.rows += rows
        self.entries += entries
        self.bytes += size


@dataclass(slots=True)
class Change:
    """What one transaction adds to the counters and sizes; counts only when it is on disk."""

    counters: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=lambda: {what: Size() for what in _SIZES})

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter."""
        if n:
            self.counters[name] = self.counters.get(name, 0) + n


class Store:
    """The writing side. Every method is called from one thread.

    Attributes:
        backlog: the outbox in numbers; any thread may read it.
        totals: the counters; any thread may read it.
        quarantined: where the last damaged file was put; None: there was none since the start.
        opened: grows when a damaged file was replaced, so that readers know that they read the old one.
    """

    def __init__(
        self,
        path: Path,
        held_limit: int = 100_000,
        dead_limit: int = 100_000,
        quota_bytes: int = 4 << 30,
        side_bytes: int = _SIDE_BYTES,
        raw: RawSeal | None = None,
    ) -> None:
        self.path = path
        self._held_limit = held_limit
        self._dead_limit = dead_limit
        self._quota_bytes = quota_bytes
        self._side_bytes = side_bytes
        self._raw = raw
        self.quarantined: Path | None = None
        self.opened = 0
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = lock(self.path)
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> None:
        try:
            self.quarantined = settle(self.path) or self.quarantined
            try:
                self._db = connect(self.path)
            except Damaged as fault:
                self._renew(fault)
            self._read()
            self._look_at_log()
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error

    def _look_at_log(self) -> None:
        unread = unread_commits(self.path, self._db)
        if not unread:
            return
        copy = next(
            f for n in itertools.count(1) if not (f := self.path.with_name(f"{self.path.name}.damaged-log-{n}")).exists()
        )
        shutil.copy(self.path.with_name(self.path.name + "-wal"), copy)
        log.error("%s: %d commits behind a damaged place of the log are lost; a copy of it is %s", self.path, unread, copy)
        with self._transaction() as change:
            change.count("commits_lost_damage", unread)

    def _renew(self, fault: Damaged) -> None:
        log.error("%s is damaged: %s; copying what can be read into a new file", self.path, fault)
        try:
            self.quarantined = renew(self.path, fault, rescue)
            self._db = connect(self.path)
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error
        except OSError as error:
            raise Unavailable(f"{self.path} is damaged and cannot be replaced: {error}") from error
        self.opened += 1
        log.error("%s is new; the damaged file is %s", self.path, self.quarantined)

    def _read(self) -> None:
        self.totals: dict[str, int] = dict(self._db.execute("SELECT name, value FROM counter").fetchall())
        self._sizes = {what: Size(*size) for what, *size in self._db.execute("SELECT what, rows, entries, bytes FROM size")}
        self.backlog = self._backlog(Change())

    def repair(self) -> None:
        """Somebody met a damaged page: look at the whole file, and replace it if that is so."""
        try:
            if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("the check of the whole file failed")
        except sqlite3.DatabaseError as error:
            self._begin_anew(error)

    def _begin_anew(self, error: sqlite3.Error) -> None:
        self._renew(Damaged(error, self._db))
        self._read()

    def devices(self) -> list[tuple[str, str, bytes]]:
        """Site, device and packed state of every device whose row is intact; damaged rows are deleted and counted."""
        good, bad = [], []
        try:
            rows = self._db.execute("SELECT site, device, crc, body FROM device").fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        for site, device, crc, body in rows:
            if crc32(body) == crc:
                good.append((site, device, body))
            else:
                bad.append((site, device))
        if bad:
            log.error("%d device rows are damaged, %s the first: their sequence numbers begin anew", len(bad), "/".join(bad[0]))
            with self._transaction() as change:
                self._db.executemany("DELETE FROM device WHERE site = ? AND device = ?", bad)
                change.count("damaged_device_rows", len(bad))
        return good

    def homes(self) -> list[tuple[str, str, str, bytes]]:
        """Site, place, part and packed memory of every home whose row is intact; damaged rows are deleted and counted."""
        try:
            rows = self._db.execute("SELECT site, place, part, crc, body FROM home").fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        bad = [key for *key, crc, body in rows if crc32(body) != crc]
        if bad:
            log.error("%d rows of homes are damaged, %s the first: they are watched as new", len(bad), "/".join(bad[0]))
            with self._transaction() as change:
                self._db.executemany("DELETE FROM home WHERE site = ? AND place = ? AND part = ?", bad)
                change.count("damaged_home_rows", len(bad))
        return [(site, place, part, body) for site, place, part, crc, body in rows if crc32(body) == crc]

    def closed_alerts(self, since_ns: int) -> list[bytes]:
        """Packed alerts raised since then that are closed, oldest first, at most 1,000."""
        sql = "SELECT body FROM alert WHERE open = 0 AND raised_ns > ? ORDER BY raised_ns DESC LIMIT 1000"
        try:
            rows = self._db.execute(sql, (since_ns,)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return [body for (body,) in reversed(rows)]

    def open_alerts(self) -> list[bytes]:
        """Packed alerts that are not closed, oldest first; damaged rows too: their reader must say so."""
        try:
            rows = self._db.execute("SELECT body FROM alert WHERE open = 1 ORDER BY raised_ns").fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return [body for (body,) in rows]

    def keep(self, rows: Sequence[tuple[str, str, str, bytes]]) -> None:
        """Save (site, place, part, body) in a transaction of its own. Raises as `commit`."""
        with self._transaction():
            self._remember(rows)

    def commit(self, work: Commit) -> None:
        """Save everything or nothing; return when it is on disk.

        Raises:
            StoreFull: no room; rolled back.
            Unavailable: another error of the disk; rolled back. If the file is damaged, it has been replaced by now.
        """
        with self._transaction() as change:
            self._write(work, change)

    def _write(self, work: Commit, change: Change) -> None:
        db = self._db
        if work.rows:
            db.executemany(
                "INSERT INTO outbox (lane, entries, received_ns, crc, body) VALUES (?, ?, ?, ?, ?)",
                [(lane, entries, ns, crc32(body), body) for lane, entries, ns, body in work.rows],
            )
            for lane, entries, _, body in work.rows:
                change.sizes[_LANES[lane]].add(1, entries, len(body))
            self._keep_quota(change)
        if work.devices:
            db.executemany(
                "INSERT INTO device (site, device, crc, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET crc = excluded.crc, body = excluded.body",
                [(site, device, crc32(body), body) for site, device, body in work.devices],
            )
        if work.alerts:
            db.executemany(
                "INSERT INTO alert (id, open, raised_ns, crc, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET open = excluded.open, crc = excluded.crc, body = excluded.body",
                [(id_, open_, ns, crc32(body), body) for id_, open_, ns, body in work.alerts],
            )
        self._remember(work.homes)
        if work.notes:
            db.executemany("INSERT INTO home_log (site, place, at_ns, who, what, detail) VALUES (?, ?, ?, ?, ?, ?)", work.notes)
        if work.taps:
            taps = [(late, self._seal(body)) for late, body in work.taps]
            db.executemany("INSERT INTO tap (late, crc, body) VALUES (?, ?, ?)", [(late, crc32(b), b) for late, b in taps])
            for _, body in taps:
                change.sizes["tap"].add(1, 1, len(body))
        if work.unheld:
            for row_id in work.unheld:
                self._delete("held", "payload", row_id, "held", change)
        for row_id in work.undead:  # before `dead`: what is still bad of a retried message is a letter again
            self._delete("dead_letter", "payload", row_id, "dead", change)
        self._hold(work.held, change)
        self._bury(work.dead, change)
        for name, n in work.counters.items():
            change.count(name, n)

    def _remember(self, rows: Sequence[tuple[str, str, str, bytes]]) -> None:
        if rows:
            self._db.executemany(
                "INSERT INTO home (site, place, part, crc, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET crc = excluded.crc, body = excluded.body",
                [(*key, crc32(body), body) for *key, body in rows],
            )

    def _hold(self, held: Sequence[Held], change: Change) -> None:
        for h in held:
            payload = self._seal(h.payload)
            crc, topic = crc32(payload), _text(h.topic)
            cursor = self._db.execute(
                "INSERT INTO held (received_ns, topic, site, device, crc, payload) SELECT ?, ?, ?, ?, ?, ?"
                " WHERE NOT EXISTS (SELECT 1 FROM held WHERE crc = ? AND topic = ? AND payload = ?)",
                (h.received_ns, topic, h.site, h.device, crc, payload, crc, topic, payload),
            )
            if cursor.rowcount:
                change.sizes["held"].add(1, 1, len(payload))
        if held:
            dropped = self._shrink("held", "held", "id", self._held_limit, change)
            change.count("held_dropped", dropped)

    def _bury(self, dead: Sequence[DeadLetter], change: Change) -> None:
        for d in dead:
            # What had been taken is kept whole; of what never could be, enough to see what it is.
            payload = self._seal(d.payload[:MAX_PAYLOAD] if d.stage == "decode" else d.payload)
            crc, topic = crc32(d.payload), _text(d.topic)[:300]
            # The same poison again (retained, or a device that never learns) is counted in its row, not stored again.
            cursor = self._db.execute(
                "UPDATE dead_letter SET times = times + 1, last_ns = ?"
                " WHERE crc = ? AND stage = ? AND reason = ? AND topic = ? AND payload = ?",
                (d.received_ns, crc, d.stage, d.reason, topic, payload),
            )
            if cursor.rowcount:
                continue
            self._db.execute(
                "INSERT INTO dead_letter (first_ns, last_ns, times, stage, reason, detail, topic, site, device, boot, seq, crc,"
                " rank, payload) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    d.received_ns,
                    d.received_ns,
                    d.stage,
                    d.reason,
                    _text(masked(d.detail))[:1000],
                    topic,
                    d.site,
                    d.device,
                    d.boot,
                    d.seq,
                    crc,
                    d.rank,
                    payload,
                ),
            )
            change.sizes["dead"].add(1, 1, len(payload))
        if dead:
            dropped = self._shrink("dead_letter", "dead", "rank, id", self._dead_limit, change)
            change.count("dead_letters_dropped", dropped)

    def _shrink(self, table: str, what: str, order: str, most_rows: int, change: Change) -> int:
        """Delete the first rows in this order until the table is within its bounds; how many."""
        now, added = self._sizes[what], change.sizes[what]
        rows, size = now.rows + added.rows - most_rows, now.bytes + added.bytes - self._side_bytes
        ids = []
        if rows > 0 or size > 0:
            for row_id, row_size in self._db.execute(f"SELECT id, length(payload) FROM {table} ORDER BY {order}"):
                if rows <= 0 and size <= 0:
                    break
                ids.append((row_id,))
                rows, size = rows - 1, size - row_size
                added.add(-1, -1, -row_size)
            self._db.executemany(f"DELETE FROM {table} WHERE id = ?", ids)
        return len(ids)

    def _keep_quota(self, change: Change) -> None:
        """Drop the oldest rows of readings, never events, when the outbox is over its quota; count each entry."""
        size = sum(self._sizes[lane].bytes + change.sizes[lane].bytes for lane in _LANES)
        if size <= self._quota_bytes:
            return
        # A little more than needed, or every commit from now on would do this.
        size -= int(self._quota_bytes * 0.99)
        ids = []
        query = "SELECT id, entries, length(body) FROM outbox WHERE lane = ? ORDER BY id"
        for row_id, entries, row_size in self._db.execute(query, (int(Lane.DATA),)):
            if size <= 0:
                break
            ids.append((row_id,))
            size -= row_size
            change.sizes["data"].add(-1, -entries, -row_size)
            change.count("entries_dropped_quota", entries)
        self._db.executemany("DELETE FROM outbox WHERE id = ?", ids)

    def forget(
        self, rows: Sequence[OutboxRow], dead: Sequence[DeadLetter] = (), counters: dict[str, int] | None = None
    ) -> None:
        """Delete outbox rows the database holds now, and bury what it refused, in one transaction. Raises as `commit`."""
        with self._transaction() as change:
            for row in rows:
                if self._db.execute("DELETE FROM outbox WHERE id = ?", (row.id,)).rowcount:
                    change.sizes[_LANES[row.lane]].add(-1, -row.entries, -len(row.body))
                else:
                    # The quota took it while it was on its way: it is counted as dropped, and came through all the same.
                    change.count("entries_sent_though_dropped", row.entries)
            self._bury(dead, change)
            for name, n in (counters or {}).items():
                change.count(name, n)

    def taps(self, limit: int) -> list[TapRow]:
        """Taps that wait for the ledger: those that came when they were made first, then what readers had kept; oldest first.

        Raises:
            Unavailable: the file cannot be read now.
        """
        try:
            rows = self._db.execute("SELECT id, crc, body FROM tap ORDER BY late, id LIMIT ?", (limit,)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return [self._opened(TapRow(*row)) for row in rows]

    def _seal(self, plain: bytes) -> bytes:
        return plain if self._raw is None else self._raw.seal(plain)

    def _opened(self, row: TapRow) -> TapRow:
        """As it was queued; what cannot be opened stays as it is, which nobody can read and its reader counts."""
        if self._raw is None or not row.intact:
            return row
        try:
            body = self._raw.open(row.body)
        except Unavailable as error:
            log.error("tap %d of the queue: %s", row.id, error)
            return row
        return TapRow(row.id, crc32(body), body)

    def forget_taps(self, ids: Sequence[int], counters: dict[str, int] | None = None) -> None:
        """Delete taps the ledger holds now; one that is gone is passed over. Raises as `commit`."""
        with self._transaction() as change:
            for row_id in ids:
                self._delete("tap", "body", row_id, "tap", change)
            for name, n in (counters or {}).items():
                change.count(name, n)

    @property
    def taps_queued(self) -> int:
        """How many taps wait for the ledger; any thread may ask."""
        return self._sizes["tap"].rows

    def delete_dead(self, ids: Sequence[int]) -> int:
        """Remove dead letters a person retried or threw away; how many there were. Raises as `commit`."""
        with self._transaction() as change:
            return sum(self._delete("dead_letter", "payload", row_id, "dead", change) for row_id in ids)

    def _delete(self, table: str, column: str, row_id: int, what: str, change: Change) -> bool:
        gone = self._db.execute(f"DELETE FROM {table} WHERE id = ? RETURNING length({column})", (row_id,)).fetchone()
        if gone is not None:
            change.sizes[what].add(-1, -1, -gone[0])
        return gone is not None

    def checkpoint(self) -> None:
        """Move the WAL into the main file as far as readers allow; called when idle, so that no commit pays for it."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def change(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Do something in one transaction, and count the tables anew after it. Raises as `commit`, and what the job raises."""
        with self._transaction():
            found = job(self._db)
        self._read()
        return found

    def compact(self) -> bool:
        """Write the file anew, so that nothing that was deleted is left in it; whether that was possible now. Blocks.

        A big one (an outbox that could not be sent) is left alone: an SOS would wait for it.
        """
        if self.path.stat().st_size + self.wal_bytes() > _COMPACT_BYTES:
            return False
        try:
            self._db.execute("VACUUM")
            return bool(self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def wal_bytes(self) -> int:
        """Size of the write-ahead log."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0

    def close(self) -> None:
        """Checkpoint and close; a second call does nothing."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def _transaction(self) -> Iterator[Change]:
        """Everything inside is on disk at its end, with the counters and sizes it changed; or nothing of it."""
        change = Change()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield change
            self._save(change)
            backlog = self._backlog(change)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._rollback()
            raise self._failed(error) from error
        except BaseException:
            self._rollback()
            raise
        for what, added in change.sizes.items():
            self._sizes[what].add(added.rows, added.entries, added.bytes)
        for name, n in change.counters.items():
            self.totals[name] = self.totals.get(name, 0) + n
        self.backlog = backlog

    def _save(self, change: Change) -> None:
        sizes = [(s.rows, s.entries, s.bytes, what) for what, s in change.sizes.items() if s.rows or s.entries or s.bytes]
        if sizes:
            self._db.executemany(
                "UPDATE size SET rows = rows + ?, entries = entries + ?, bytes = bytes + ? WHERE what = ?", sizes
            )
        if change.counters:
            self._db.executemany(
                "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                list(change.counters.items()),
            )

    def _backlog(self, change: Change) -> Backlog:
        lanes = [size for lane in _LANES for size in (self._sizes[lane], change.sizes[lane])]
        rows = sum(s.rows for s in lanes)
        # Rows are appended in time order, so the first is the oldest.
        first = self._db.execute("SELECT received_ns FROM outbox ORDER BY id LIMIT 1").fetchone() if rows else None
        return Backlog(rows, sum(s.entries for s in lanes), sum(s.bytes for s in lanes), first[0] if first else None)

    def _rollback(self) -> None:
        if self._db.in_transaction:
            try:
                self._db.execute("ROLLBACK")
            except sqlite3.Error as error:
                log.error("%s: cannot roll back: %s", self.path, error)

    def _failed(self, error: sqlite3.Error) -> Unavailable:
        """What to raise; a damaged file is replaced first, so that the next try meets one that works."""
        if damaged(error):
            self._begin_anew(error)
        return _translated(error, self.path)


def _text(text: str) -> str:
    """What SQLite can keep: half a surrogate pair would end the transaction of all its neighbours."""
    return text.encode("utf-8", "backslashreplace").decode()


def _translated(error: sqlite3.Error, path: Path) -> Unavailable:
    name = getattr(error, "sqlite_errorname", "")
    # A full disk shows as SQLITE_FULL, and as an I/O error when the WAL index or a sync cannot grow.
    if name == "SQLITE_FULL" or (name.startswith("SQLITE_IOERR") and _no_room(path)):
        return StoreFull(f"{path}: {error}")
    return Unavailable(f"{path}: {name} {error}")


def _no_room(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < 1 << 20
    except OSError:
        return True
