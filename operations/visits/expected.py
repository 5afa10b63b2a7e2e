"""What a month sheet has to say, made again from the entries of its chain file alone."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from edge_gateway.visits.records import Reason, Visit
from operations.visits import chain_file
from operations.visits.chain_file import Head, Line
from operations.visits.columns import Row, Rows
from operations.visits.corrections import Step, said
from operations.visits.totals import Totals

_GATHER: Final = 20_000
# A visit as it stands in the chain: an object by field names, where the record itself is a row without names. Same attributes.
_SHAPE: Final = msgspec.defstruct(
    "VisitInChain",
    [
        (f.name, f.type)
        if f.default is msgspec.NODEFAULT and f.default_factory is msgspec.NODEFAULT
        else (f.name, f.type, f.default)
        for f in msgspec.structs.fields(Visit)
    ],
)
_decode: Final = msgspec.json.Decoder(_SHAPE)


class Expected:
    """Takes the entries one by one; then knows every row, the totals and the exceptions. Use as a context.

    A million visits are kept in a file of its own that goes away, not in memory.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self.rows = Rows(ZoneInfo(head.zone), head.language)
        self.totals = Totals()
        self._mine = f"{head.site}|"
        self._histories: dict[str, list[Step]] = {}
        self._pending: dict[str, bytes | None] = {}
        self._refused: dict[str, Row] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="kanhu-verify-")
        self._db = sqlite3.connect(Path(self._folder.name) / "expected.db", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"
            "CREATE TABLE visit (id TEXT PRIMARY KEY, body BLOB NOT NULL, seen INTEGER NOT NULL DEFAULT 0); BEGIN;"
        )

    def __enter__(self) -> "Expected":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()
        self._folder.cleanup()

    def add(self, line: Line) -> str:
        """One entry, in order; what is wrong with it, or ""."""
        if line.kind not in ("visit", "visit_gone", "correction") or not line.subject.startswith(self._mine):
            return self._tap(line) if line.kind == "tap" and not line.sealed else ""
        visit = line.subject[len(self._mine) :]
        if line.kind == "visit_gone":
            self._pending[visit] = None
        elif line.sealed:
            return self._hidden(line, visit)
        elif line.kind == "visit":
            return self._visit(line, visit)
        else:
            self._step(line, visit, self._history(visit))
        return ""

    def _hidden(self, line: Line, visit: str) -> str:
        """A whole month's sheet has every visit of its site open; in a part of it others are sealed."""
        if self.head.places or self.head.couriers:
            return ""
        inside = (chain_file.date_of(line.subject) or self.head.month).startswith(self.head.month)
        return f"the visit {visit} is sealed" if inside and line.kind == "visit" else ""

    def _visit(self, line: Line, visit: str) -> str:
        try:
            found: Any = _decode.decode(line.body)
        except msgspec.MsgspecError as error:
            return f"it is no visit: {error}"
        if found.id != visit or found.site != self.head.site:
            return f"it is about {line.subject} and holds the visit {found.site}|{found.id}"
        self._pending[visit] = bytes(line.body) if found.date.startswith(self.head.month) else None
        if visit in self._histories:
            self._step(line, visit, self._histories[visit])
        if len(self._pending) >= _GATHER:
            self._flush()
        return ""

    def _step(self, line: Line, visit: str, history: list[Step]) -> None:
        history.append(Step(line.kind, line.at_ns, line.by, json.loads(bytes(line.body))))

    def _history(self, visit: str) -> list[Step]:
        """The steps kept of a visit, from the last state before its first correction on."""
        found = self._histories.get(visit)
        if found is None:
            body = self._body(visit)
            found = self._histories[visit] = [Step("visit", 0, "", json.loads(body))] if body else []
        return found

    def _body(self, visit: str) -> bytes | None:
        if visit in self._pending:
            return self._pending[visit]
        found = self._db.execute("SELECT body FROM visit WHERE id = ?", (visit,)).fetchone()
        return bytes(found[0]) if found else None

    def _tap(self, line: Line) -> str:
        """A refused tap."""
        body: Mapping[str, Any] = json.loads(bytes(line.body))
        if body.get("ruling") != "refused":
            return ""
        try:
            reasons = tuple(Reason(reason) for reason in body["reasons"])
            self._refused[line.subject] = self.rows.refused(
                line.subject, int(body["time_ns"]), str(body["place"]), str(body["courier"]), reasons
            )
        except (KeyError, ValueError, TypeError) as error:
            return f"it is no tap: {error!r}"
        return ""

    def _flush(self) -> None:
        kept = [(visit, body) for visit, body in self._pending.items() if body is not None]
        self._db.executemany("INSERT OR REPLACE INTO visit (id, body) VALUES (?, ?)", kept)
        gone = [(visit,) for visit, body in self._pending.items() if body is None]
        self._db.executemany("DELETE FROM visit WHERE id = ?", gone)
        self._pending.clear()

    def end(self) -> None:
        """All entries are in: count. What belongs to another place or courier in the end is left out."""
        self._flush()
        others = []
        for id, body in self._db.execute("SELECT id, body FROM visit"):
            visit: Any = _decode.decode(body)
            places, couriers = self.head.places, self.head.couriers
            if (places and visit.place not in places) or (couriers and visit.courier not in couriers):
                others.append((id,))
            else:
                self.totals.add(visit)
        self._db.executemany("DELETE FROM visit WHERE id = ?", others)

    def row(self, visit: str) -> Row | None:
        """The row that a visit has to have; None: there is no such visit."""
        body = self._body(visit)
        if body is None:
            return None
        told = said(self._histories.get(visit, ()), self.head.language, self.rows.local)
        found: Any = _decode.decode(body)
        return self.rows.visit(found, told)

    def exceptions(self) -> Iterator[tuple[str, Row]]:
        """Id and row of every exception."""
        for (body,) in self._db.execute("SELECT body FROM visit"):
            visit: Any = _decode.decode(body)
            row = self.rows.exception(visit)
            if row is not None:
                yield visit.id, row
        yield from self._refused.items()

    def unseen(self) -> "Unseen":
        """Ticks off visits; all are unticked at its beginning."""
        self._db.execute("UPDATE visit SET seen = 0 WHERE seen = 1")
        return Unseen(self._db)


class Unseen:
    """Which visits have been met in a table."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, visit: str) -> bool:
        """Tick one; False: it was already."""
        return self._db.execute("UPDATE visit SET seen = 1 WHERE id = ? AND seen = 0", (visit,)).rowcount == 1

    def rest(self) -> Iterator[tuple[str, str, str]]:
        """(id, date, place) of those not met."""
        for (body,) in self._db.execute("SELECT body FROM visit WHERE seen = 0 ORDER BY id"):
            visit: Any = _decode.decode(body)
            yield visit.id, visit.date, visit.place
