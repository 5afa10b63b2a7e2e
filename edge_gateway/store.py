"""The gateway's own SQLite file: device states, alerts, outbox, dead letters and held messages in one transaction.

One connection writes and checkpoints, from one thread (SQLite before 3.51.3 can lose commits otherwise). Others read with
`store_file.read_only`. A commit means "on disk": WAL with synchronous=FULL.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from edge_gateway.errors import Unavailable
from edge_gateway.store_file import connect, damaged, quarantine
from edge_gateway.transaction import Backlog, Commit, DeadLetter, Held, Lane, OutboxRow

MAX_PAYLOAD: Final = 65_536


class StoreFull(Unavailable):
    """The disk or the quota is full; the transaction was rolled back and everything read before is still good."""


class Store:
    """The writing side. Every method is called from one thread."""

    def __init__(self, path: Path, held_limit: int = 100_000, dead_limit: int = 100_000, quota_bytes: int = 4 << 30) -> None:
        self.path = path
        self._held_limit = held_limit
        self._dead_limit = dead_limit
        self._quota_bytes = quota_bytes
        self._uncommitted: dict[str, int] = {}
        self.quarantined: Path | None = None
        self._db = self._open()
        self.backlog = self._count_backlog()
        self.totals: dict[str, int] = dict(self._db.execute("SELECT name, value FROM counter").fetchall())
        self._held = int(self._db.execute("SELECT count(*) FROM held").fetchone()[0])
        self._dead = int(self._db.execute("SELECT count(*) FROM dead_letter").fetchone()[0])

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return connect(self.path)
        except sqlite3.DatabaseError as error:
            if not damaged(error):
                raise Unavailable(f"cannot open {self.path}: {error}") from error
            self.quarantined = quarantine(self.path)
            return connect(self.path)

    def _count_backlog(self) -> Backlog:
        rows, entries, size, oldest = self._db.execute(
            "SELECT count(*), coalesce(sum(entries), 0), coalesce(sum(length(body)), 0), min(received_ns) FROM outbox"
        ).fetchone()
        return Backlog(rows, entries, size, oldest)

    def devices(self) -> Iterator[tuple[str, str, bytes]]:
        """Site, device and packed state of every device whose row is intact; damaged rows are deleted and counted."""
        damaged_rows = []
        for site, device, crc, body in self._db.execute("SELECT site, device, crc, body FROM device").fetchall():
            if zlib.crc32(body) == crc:
                yield site, device, body
            else:
                damaged_rows.append((site, device))
        if damaged_rows:
            commit = Commit(counters={"damaged_device_rows": len(damaged_rows)})
            self._db.executemany("DELETE FROM device WHERE site = ? AND device = ?", damaged_rows)
            self.commit(commit)

    def open_alerts(self) -> list[bytes]:
        """Packed alerts that are not closed, oldest first; damaged rows too: their reader must say so."""
        return [body for (body,) in self._db.execute("SELECT body FROM alert WHERE open = 1 ORDER BY raised_ns").fetchall()]

    def commit(self, work: Commit) -> None:
        """Save everything or nothing; return when it is on disk.

        Raises:
            StoreFull: no room; rolled back.
            Unavailable: another error of the disk; rolled back.
        """
        try:
            self._begin()
            self._write(work)
            self._end()
        except sqlite3.Error as error:
            self._rollback()
            raise _translated(error, self.path) from error
        for lane_row in work.rows:
            self.backlog.rows += 1
            self.backlog.entries += lane_row[1]
            self.backlog.bytes += len(lane_row[3])
            if self.backlog.oldest_ns is None:
                self.backlog.oldest_ns = lane_row[2]
        if self.backlog.bytes > self._quota_bytes:
            self._drop_oldest_data()

    def _write(self, work: Commit) -> None:
        db = self._db
        if work.rows:
            db.executemany(
                "INSERT INTO outbox (lane, entries, received_ns, crc, body) VALUES (?, ?, ?, ?, ?)",
                [(lane, entries, ns, zlib.crc32(body), body) for lane, entries, ns, body in work.rows],
            )
        if work.devices:
            db.executemany(
                "INSERT INTO device (site, device, crc, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET crc = excluded.crc, body = excluded.body",
                [(site, device, zlib.crc32(body), body) for site, device, body in work.devices],
            )
        if work.alerts:
            db.executemany(
                "INSERT INTO alert (id, open, raised_ns, crc, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET open = excluded.open, crc = excluded.crc, body = excluded.body",
                [(id_, open_, ns, zlib.crc32(body), body) for id_, open_, ns, body in work.alerts],
            )
        if work.unheld:
            db.executemany("DELETE FROM held WHERE id = ?", [(i,) for i in work.unheld])
            self._held -= len(work.unheld)
        self._hold(work.held)
        self._bury(work.dead)
        self._count(work.counters)

    def _hold(self, held: Sequence[Held]) -> None:
        for h in held:
            cursor = self._db.execute(
                "INSERT INTO held (received_ns, topic, site, device, crc, payload) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (crc, topic) DO NOTHING",
                (h.received_ns, h.topic, h.site, h.device, zlib.crc32(h.payload), h.payload),
            )
            self._held += max(cursor.rowcount, 0)
        if self._held > self._held_limit:
            excess = self._held - self._held_limit
            self._db.execute("DELETE FROM held WHERE id IN (SELECT id FROM held ORDER BY id LIMIT ?)", (excess,))
            self._held = self._held_limit
            self._count({"held_dropped": excess})

    def _bury(self, dead: Iterable[DeadLetter]) -> None:
        for d in dead:
            payload = d.payload[:MAX_PAYLOAD]
            # The same poison again (retained, or a device that never learns) is counted in its row, not stored again.
            cursor = self._db.execute(
                "UPDATE dead_letter SET times = times + 1, last_ns = ?"
                " WHERE crc = ? AND stage = ? AND reason = ? AND topic = ?",
                (d.received_ns, zlib.crc32(d.payload), d.stage, d.reason, d.topic),
            )
            if cursor.rowcount:
                continue
            self._db.execute(
                "INSERT INTO dead_letter (first_ns, last_ns, times, stage, reason, detail, topic, site, device, boot, seq, crc,"
                " payload) VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    d.received_ns,
                    d.received_ns,
                    d.stage,
                    d.reason,
                    d.detail[:1000],
                    d.topic[:300],
                    d.site,
                    d.device,
                    d.boot,
                    d.seq,
                    zlib.crc32(d.payload),
                    payload,
                ),
            )
            self._dead += 1
        if self._dead > self._dead_limit:
            excess = self._dead - self._dead_limit
            # Telemetry first: a dead event or write-stage letter (it had a receipt) outlives plain garbage.
            self._db.execute(
                "DELETE FROM dead_letter WHERE id IN"
                " (SELECT id FROM dead_letter ORDER BY stage != 'decode', topic LIKE '%/event', id LIMIT ?)",
                (excess,),
            )
            self._dead -= excess
            self._count({"dead_letters_dropped": excess})

    def _count(self, increments: dict[str, int]) -> None:
        for name, n in increments.items():
            self._uncommitted[name] = self._uncommitted.get(name, 0) + n
        if increments:
            self._db.executemany(
                "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
                list(increments.items()),
            )

    def forget(
        self, rows: Sequence[OutboxRow], dead: Sequence[DeadLetter] = (), counters: dict[str, int] | None = None
    ) -> None:
        """Delete outbox rows the database holds now, and bury what it refused, in one transaction. Raises as `commit`."""
        try:
            self._begin()
            self._db.executemany("DELETE FROM outbox WHERE id = ?", [(row.id,) for row in rows])
            self._bury(dead)
            self._count(counters or {})
            self._end()
        except sqlite3.Error as error:
            self._rollback()
            raise _translated(error, self.path) from error
        self._deducted(len(rows), sum(r.entries for r in rows), sum(len(r.body) for r in rows))

    def _deducted(self, rows: int, entries: int, size: int) -> None:
        b = self.backlog
        b.rows, b.entries, b.bytes = b.rows - rows, b.entries - entries, b.bytes - size
        # MIN over the primary key order: rows are appended in time order, so the first row is the oldest.
        first = self._db.execute("SELECT received_ns FROM outbox ORDER BY id LIMIT 1").fetchone() if b.rows else None
        b.oldest_ns = first[0] if first else None

    def _drop_oldest_data(self) -> None:
        """The outbox is over its quota: drop the oldest rows of readings, never events, and count each entry."""
        rows = entries = size = 0
        ids = []
        target = self.backlog.bytes - int(self._quota_bytes * 0.99)
        query = "SELECT id, entries, length(body) FROM outbox WHERE lane = ? ORDER BY id"
        for row_id, row_entries, row_size in self._db.execute(query, (int(Lane.DATA),)):
            if size >= target:
                break
            ids.append((row_id,))
            rows, entries, size = rows + 1, entries + row_entries, size + row_size
        if not ids:
            return
        try:
            self._begin()
            self._db.executemany("DELETE FROM outbox WHERE id = ?", ids)
            self._count({"entries_dropped_quota": entries})
            self._end()
        except sqlite3.Error as error:
            self._rollback()
            raise _translated(error, self.path) from error
        self._deducted(rows, entries, size)

    def checkpoint(self) -> None:
        """Move the WAL into the main file as far as readers allow; called when idle, so that no commit pays for it."""
        try:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            raise _translated(error, self.path) from error

    def wal_bytes(self) -> int:
        """Size of the write-ahead log."""
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except OSError:
            return 0

    def delete_dead(self, ids: Sequence[int]) -> None:
        """Remove dead letters a person retried or threw away."""
        try:
            self._begin()
            done = self._db.executemany("DELETE FROM dead_letter WHERE id = ?", [(i,) for i in ids]).rowcount
            self._end()
        except sqlite3.Error as error:
            self._rollback()
            raise _translated(error, self.path) from error
        self._dead -= done

    def close(self) -> None:
        """Checkpoint and close; a second call does nothing."""
        self._db.close()

    def _begin(self) -> None:
        self._uncommitted.clear()
        self._db.execute("BEGIN IMMEDIATE")

    def _end(self) -> None:
        self._db.execute("COMMIT")
        for name, n in self._uncommitted.items():
            self.totals[name] = self.totals.get(name, 0) + n

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
        self._held = int(self._db.execute("SELECT count(*) FROM held").fetchone()[0])
        self._dead = int(self._db.execute("SELECT count(*) FROM dead_letter").fetchone()[0])


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
