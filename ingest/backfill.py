"""`kanhu backfill`: an exported file back into a database, exact: times to the nanosecond, values, flags.

Rows go through a `Sink` like everything else. A row that cannot be stored is refused with its line and reason, written to
`<file>.refused.csv`, and the rest goes on; mend that file and backfill it. What has been stored is kept in `<file>.progress`:
after a stop (database away, power gone) the same command goes on from there. To repeat a whole file is harmless.
"""

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from edge_gateway.sink import Sink
from ingest.cells import guard, written
from ingest.entries import Made, RefusedRow, entries
from ingest.files import File, open_file
from ingest.tables import REFUSAL_COLUMNS

ENTRIES_AT_ONCE: Final = 5000

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Backfilled:
    """Rows of the file: `skipped` were stored by an earlier call, which stopped; the others by this one, or refused."""

    rows: int = 0
    refused: int = 0
    skipped: int = 0
    refused_file: Path | None = None

    @property
    def stored(self) -> int:
        """Rows that this call stored."""
        return self.rows - self.refused - self.skipped


class _State(msgspec.Struct):
    """How far an earlier call came, and with which file: `rows` are stored or refused, and on disk."""

    size: int
    mtime_ns: int
    rows: int = 0
    refused: int = 0
    refused_bytes: int = 0


def backfill(path: Path, sink: Sink, *, progress: Progress = lambda done, total: None) -> Backfilled:
    """Store every row of a file that `kanhu export` wrote, or that has such columns.

    Raises:
        Unavailable: the database went away; call again with the same file, it goes on where it stopped.
        Misconfigured: it cannot be read or is of no table, or as `Sink.write`.
    """
    file = open_file(path)
    try:
        kept = _Kept(path)
        with _Refused(path, file, kept.state.refused_bytes) as refused:
            state = kept.state
            done = Backfilled(state.rows, state.refused, state.rows - state.refused)
            found = entries(file.table, islice(file.rows(), state.rows, None))
            while batch := list(islice(found, ENTRIES_AT_ONCE)):
                bad = _store(batch, sink)
                refused.append(bad)
                done.rows += sum(len(made.rows) + len(made.refused) for made in batch)
                done.refused += len(bad)
                kept.save(done.rows, done.refused, refused.size())
                progress(file.done(), file.size)
    finally:
        file.close()
    kept.forget()
    if done.refused:
        done.refused_file = refused.path
    else:
        refused.path.unlink()
    return done


def _store(batch: list[Made], sink: Sink) -> list[RefusedRow]:
    """What was refused, by us or by the database, in the order of the file."""
    bad = [row for made in batch for row in made.refused]
    owners = {id(made.entry): made for made in batch}
    for refusal in sink.write([made.entry for made in batch if made.entry is not None]):
        bad += [RefusedRow(row, refusal.reason, refusal.detail) for row in owners[id(refusal.entry)].rows]
    return sorted(bad, key=lambda refused: refused.row.line)


class _Kept:
    """`<file>.progress`: how far an earlier call came with this very file, and how far this one is."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".progress")
        now = path.stat()
        self.state = _State(now.st_size, now.st_mtime_ns)
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError):
            return
        if (found.size, found.mtime_ns) == (now.st_size, now.st_mtime_ns):
            self.state = found

    def save(self, rows: int, refused: int, refused_bytes: int) -> None:
        part = self._path.with_name(self._path.name + ".part")
        state = _State(self.state.size, self.state.mtime_ns, rows, refused, refused_bytes)
        with part.open("wb") as file:
            file.write(msgspec.json.encode(state))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


class _Refused:
    """`<file>.refused.csv`: the refused rows as they came, with line, reason and detail; safe to open in a spreadsheet."""

    def __init__(self, path: Path, file: File, known_bytes: int) -> None:
        self.path = path.with_name(path.name + ".refused.csv")
        self._table = file.table
        self._columns = [name for name in file.columns if name not in REFUSAL_COLUMNS]
        self._known_bytes = known_bytes

    def __enter__(self) -> Self:
        # What an earlier call wrote after its last progress comes once more: cut it off.
        self._file = self.path.open("a", encoding="utf-8", errors="surrogateescape", newline="")
        self._file.truncate(self._known_bytes)
        self._csv = csv.writer(self._file, lineterminator="\r\n")
        if not self._known_bytes:
            self._csv.writerow([*self._columns, *REFUSAL_COLUMNS])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def append(self, refused: list[RefusedRow]) -> None:
        """Return when the rows are on disk."""
        for bad in refused:
            cells = [written(bad.row.cells.get(name), self._table.columns[name]) for name in self._columns]
            self._csv.writerow([*cells, bad.row.line, bad.reason, guard(bad.detail)])
        self._file.flush()
        if refused:
            os.fsync(self._file.fileno())

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size
