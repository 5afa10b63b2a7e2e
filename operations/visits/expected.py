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

from edge_gateway.visits import codec
from edge_gateway.visits.records import Reason, Served, Visit
from operations.visits import chain_file, meals
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
        self._zone = ZoneInfo(head.zone)
        self.rows = Rows(self._zone, head.language)
        self.totals = Totals()
        self._mine = f"{head.site}|"
        self._histories: dict[str, list[Step]] = {}
        self._pending: dict[str, bytes | None] = {}
        self._refused: dict[str, Row] = {}
        self._unsaid: list[tuple[int, str]] = []  # sealed corrections: number, visit
        # Dates beside the month, whose visits and meals the page of meals needs.
        self._near = meals.neighbours(head.month) if head.meals else ("", "")
        self._beside: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="kanhu-verify-")
        self._db = sqlite3.connect(Path(self._folder.name) / "expected.db", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"
            "CREATE TABLE visit (id TEXT PRIMARY KEY, body BLOB NOT NULL, seen INTEGER NOT NULL DEFAULT 0);"
            "CREATE TABLE near (id TEXT PRIMARY KEY, body BLOB NOT NULL);"
            "CREATE TABLE served (tap TEXT PRIMARY KEY, date TEXT NOT NULL, body BLOB NOT NULL); BEGIN;"
        )

    def __enter__(self) -> "Expected":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.close()
        self._folder.cleanup()

    def add(self, line: Line) -> str:
        """One entry, in order; what is wrong with it, or ""."""
        if line.kind in ("served", "served_gone") and line.subject.startswith(self._mine):
            return self._meal(line)
        if line.kind not in ("visit", "visit_gone", "correction") or not line.subject.startswith(self._mine):
            return self._tap(line) if line.kind == "tap" and not line.sealed else ""
        visit = line.subject[len(self._mine) :]
        if line.kind == "visit_gone":
            self._pending[visit] = None
            self._move_away(visit)
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
        if line.kind == "correction":
            self._unsaid.append((line.n, visit))
            return ""
        inside = self._wanted(chain_file.date_of(line.subject) or self.head.month)
        return f"the visit {visit} is sealed" if inside else ""

    def _wanted(self, on: str) -> bool:
        return on.startswith(self.head.month) or on in self._near

    def _visit(self, line: Line, visit: str) -> str:
        try:
            found: Any = _decode.decode(line.body)
        except msgspec.MsgspecError as error:
            return f"it is no visit: {error}"
        if found.id != visit or found.site != self.head.site:
            return f"it is about {line.subject} and holds the visit {found.site}|{found.id}"
        self._pending[visit] = bytes(line.body) if found.date.startswith(self.head.month) else None
        self._move_away(visit)
        if found.date in self._near:
            self._beside.add(visit)
            self._db.execute("INSERT INTO near (id, body) VALUES (?, ?)", (visit, bytes(line.body)))
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

    def _move_away(self, visit: str) -> None:
        """It is no longer a visit of the days beside the month."""
        if visit in self._beside:
            self._beside.discard(visit)
            self._db.execute("DELETE FROM near WHERE id = ?", (visit,))

    def _meal(self, line: Line) -> str:
        """A meal of the counter; a part of a month has none."""
        on = chain_file.date_of_meal(line.subject)
        if self.head.places or self.head.couriers or not self._wanted(on):
            return ""
        tap = line.subject[len(self._mine) + len(on) + 1 :]
        if line.kind == "served_gone":
            self._db.execute("DELETE FROM served WHERE tap = ?", (tap,))
            return ""
        if line.sealed:
            return f"the meal {tap} is sealed"
        if not self.head.meals:
            return "the first line says that there are no meals"
        try:
            meal = codec.record_of(Served, json.loads(bytes(line.body)))
        except msgspec.ValidationError as error:
            return f"it is no meal: {error}"
        if (meal.site, meal.date, meal.tap) != (self.head.site, on, tap):
            return f"it is about {line.subject} and holds the meal {meal.site}|{meal.date}/{meal.tap}"
        self._db.execute("INSERT OR REPLACE INTO served (tap, date, body) VALUES (?, ?, ?)", (tap, on, codec.pack(meal)))
        return ""

    def meals(self) -> Iterator[Row]:
        """Rows of the page of meals."""
        found: list[Row] = []
        served = self._db.execute("SELECT body FROM served ORDER BY date, tap")
        joiner = meals.Joiner(
            (codec.unpack_served(body) for (body,) in served), self._zone, self.head.language, self.head.month, found.append
        )
        # The index for the order is made here: who has no meals needs none.
        self._db.execute("CREATE INDEX IF NOT EXISTS visit_date ON visit (json_extract(body, '$.date'))")
        before = "SELECT body FROM near WHERE json_extract(body, '$.date') = ?"
        month = "SELECT body FROM visit ORDER BY json_extract(body, '$.date')"
        for query, values in ((before, self._near[:1]), (month, ()), (before, self._near[1:])):
            for (body,) in self._db.execute(query, values):
                visit: Any = _decode.decode(body)
                joiner.add(visit)
        joiner.end()
        yield from found

    def unsaid(self) -> Iterator[tuple[int, str]]:
        """What persons said of a row is open in the file; numbers of the entries where it is not, and their visits."""
        return ((n, visit) for n, visit in self._unsaid if self._body(visit) is not None)

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
