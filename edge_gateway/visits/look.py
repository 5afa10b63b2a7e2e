"""The ledger of visits for screens, sheets and people: read-only, one consistent look, also while the gateway is down.

A `Ledger` sees the moment in which it was opened. What a card showed, numbers, keys and names are sealed, in no answer.
Everything that is changed goes through `commands.call`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, timedelta, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.store_file import read_only, version_of
from edge_gateway.visits import codec, plan
from edge_gateway.visits.chain import GENESIS, LogEntry
from edge_gateway.visits.ledger_file import SCHEMA_VERSION
from edge_gateway.visits.look_rows import CourierLink, Filter, PersonRow, Totals, link_hash, of_visits, subject
from edge_gateway.visits.records import (
    Card,
    Correction,
    JudgedTap,
    Outage,
    Plan,
    PlanException,
    Served,
    Slot,
    Visit,
)

__all__ = ["CourierLink", "Ledger", "PersonRow", "Totals", "link_hash", "open_ledger", "subject"]

_LOG: Final = "SELECT n, at_ns, kind, subject, by, body, hash FROM log"
# Beyond any window of a plan: a slot of one date is the same however long the range that is asked for.
_ALL: Final = 1 << 62


def open_ledger(path: Path) -> "Ledger":
    """Look at a gateway's ledger; to be closed.

    Raises:
        Unavailable: there is none yet, or it cannot be read now.
        Misconfigured: it is of another version.
    """
    db = read_only(path)
    try:
        db.execute("BEGIN")
        version = version_of(db, path)
        if version != SCHEMA_VERSION:
            raise Misconfigured(f"{path} has schema {version}, this program knows {SCHEMA_VERSION}", "use what wrote it")
    except sqlite3.Error as error:
        db.close()
        raise Unavailable(f"cannot read {path}: {error}") from error
    except BaseException:
        db.close()
        raise
    return Ledger(db)


class Ledger(AbstractContextManager["Ledger"]):
    """One look; used by one thread at a time. A disk that fails raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def close(self) -> None:
        """Give the file back; a second call does nothing."""
        self._db.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # --- visits

    def visits(self, *, limit: int = 200, offset: int = 0, newest_first: bool = False, **conditions: Any) -> list[Visit]:
        """Visits by date, site, place and time.

        Args:
            conditions: site, place, courier, person, service, state, reviewing, counted, date_from, date_to (inclusive).
        """
        asked = of_visits(**conditions)
        way = " DESC" if newest_first else ""
        # In review are few: they are found first and sorted then, not looked for in the order of all visits.
        first = "+date" if conditions.get("reviewing") else "date"
        order = ", ".join(column + way for column in (first, "site", "place", "begins_ns", "id"))
        query = f"SELECT body FROM visit{asked.where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [codec.unpack_visit(body) for (body,) in self._db.execute(query, (*asked.values, limit, offset))]

    def each_visit(self, **conditions: Any) -> Iterator[Visit]:
        """As `visits`, all of them, one by one in little memory."""
        asked = of_visits(**conditions)
        for (body,) in self._db.execute(
            f"SELECT body FROM visit{asked.where} ORDER BY date, site, place, begins_ns, id", asked.values
        ):
            yield codec.unpack_visit(body)

    def count(self, **conditions: Any) -> int:
        """How many visits fit."""
        asked = of_visits(**conditions)
        return int(self._db.execute(f"SELECT count(*) FROM visit{asked.where}", asked.values).fetchone()[0])

    def has_visits(self, site: str) -> bool:
        """Whether there is any; at once, however many there are."""
        return self._db.execute("SELECT 1 FROM visit WHERE site = ? LIMIT 1", (site,)).fetchone() is not None

    def visit(self, visit_id: str, site: str) -> Visit | None:
        """The visit as it stands; None: there is none, or no longer (then `history` still tells)."""
        found = self._db.execute("SELECT body FROM visit WHERE site = ? AND id = ?", (site, visit_id)).fetchone()
        return codec.unpack_visit(found[0]) if found else None

    def visit_of_tap(self, tap_id: str) -> Visit | None:
        """The visit that a tap is part of."""
        query = "SELECT v.body FROM visit_tap t JOIN visit v ON v.site = t.site AND v.id = t.visit WHERE t.tap = ?"
        found = self._db.execute(query, (tap_id,)).fetchone()
        return codec.unpack_visit(found[0]) if found else None

    def history(self, visit_id: str, site: str) -> list[LogEntry]:
        """Everything that was written about a visit, oldest first: kinds visit, visit_gone, correction."""
        return list(_entries(self._db.execute(f"{_LOG} WHERE subject = ? ORDER BY n", (subject(site, visit_id),))))

    def review_queue(self, site: str | None = None, *, limit: int = 200, offset: int = 0) -> list[Visit]:
        """Visits that wait for a person, oldest first."""
        return self.visits(site=site, reviewing=True, limit=limit, offset=offset)

    def corrections(self, site: str, date_from: str | None = None, date_to: str | None = None) -> list[Correction]:
        """What persons said of visits of these dates, in the order in which it was said."""
        asked = Filter(site=site).add("date >= ?", date_from).add("date <= ?", date_to)
        rows = self._db.execute(f"SELECT body FROM correction{asked.where} ORDER BY n", asked.values)
        return [codec.unpack_correction(body) for (body,) in rows]

    def totals(
        self,
        *,
        site: str | None = None,
        place: str | None = None,
        date_from: str | None = None,
        date_to: str | None = None,
    ) -> Totals:
        """Visits and taps of these dates."""
        asked = of_visits(site=site, place=place, date_from=date_from, date_to=date_to)
        by_state: dict[str, int] = {}
        counted = reviewing = 0
        query = f"SELECT state, count(*), sum(counted), sum(reviewing) FROM visit{asked.where} GROUP BY state"
        for state, n, n_counted, n_reviewing in self._db.execute(query, asked.values):
            by_state[state] = n
            counted, reviewing = counted + n_counted, reviewing + n_reviewing
        there = Filter(site=site, place=place).add("date >= ?", date_from).add("date <= ?", date_to)
        taps = self._db.execute(f"SELECT count(*), sum(ruling = 'refused') FROM tap{there.where}", there.values).fetchone()
        return Totals(by_state, counted, reviewing, taps[0], taps[1] or 0)

    # --- taps

    def taps(self, visit: Visit) -> list[JudgedTap]:
        """The taps behind a visit, by time."""
        query = "SELECT body FROM tap WHERE id = ?"
        found = [row for tap in visit.taps for row in self._db.execute(query, (tap,))]
        return sorted((codec.unpack_judged(body) for (body,) in found), key=lambda judged: judged.tap.time_ns)

    def tap(self, tap_id: str) -> JudgedTap | None:
        """One tap."""
        return next(iter(self._taps(Filter(id=tap_id), "", 1)), None)

    def courier_taps(
        self, courier: str, date_from: str | None = None, date_to: str | None = None, *, limit: int = 200, offset: int = 0
    ) -> list[JudgedTap]:
        """A courier's taps, the newest first."""
        asked = Filter(courier=courier).literally("courier <> ''").add("date >= ?", date_from).add("date <= ?", date_to)
        return self._taps(asked, "date DESC, time_ns DESC", limit, offset)

    def recent_taps(self, site: str, device: str, since_received_ns: int, limit: int = 200) -> list[JudgedTap]:
        """What came from one reader lately, in order of arrival; cheap enough for once a second."""
        asked = Filter(site=site, device=device).add("received_ns >= ?", since_received_ns)
        return self._taps(asked, "received_ns", limit)

    def refused(
        self,
        site: str | None = None,
        *,
        courier: str | None = None,
        date_from: str | None = None,
        date_to: str | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[JudgedTap]:
        """Refused taps, the newest first."""
        asked = Filter(site=site, courier=courier).literally("ruling = 'refused'")
        asked.add("date >= ?", date_from).add("date <= ?", date_to)
        return self._taps(asked, "date DESC, time_ns DESC", limit, offset)

    def _taps(self, asked: Filter, order: str, limit: int, offset: int = 0) -> list[JudgedTap]:
        ordered = f" ORDER BY {order}" if order else ""
        rows = self._db.execute(f"SELECT body FROM tap{asked.where}{ordered} LIMIT ? OFFSET ?", (*asked.values, limit, offset))
        return [codec.unpack_judged(body) for (body,) in rows]

    def served(self, *, limit: int = 1000, offset: int = 0, **conditions: Any) -> list[Served]:
        """Meals weighed at counters. conditions: site, place, holder, date_from, date_to."""
        return list(self._served(f" LIMIT {int(limit)} OFFSET {int(offset)}", **conditions))

    def each_served(self, **conditions: Any) -> Iterator[Served]:
        """As `served`, all of them one by one."""
        return self._served("", **conditions)

    def _served(
        self,
        limit: str,
        *,
        site: str | None = None,
        place: str | None = None,
        holder: str | None = None,
        date_from: str | None = None,
        date_to: str | None = None,
    ) -> Iterator[Served]:
        asked = Filter(site=site, place=place, holder=holder).add("date >= ?", date_from).add("date <= ?", date_to)
        for (body,) in self._db.execute(f"SELECT body FROM served{asked.where} ORDER BY date, time_ns{limit}", asked.values):
            yield codec.unpack_served(body)

    def outages(self, site: str | None = None, *, from_ns: int = 0, to_ns: int = _ALL) -> list[Outage]:
        """Times in which readers could not be heard, as far as they touch from..to."""
        asked = Filter(site=site).add("(to_ns IS NULL OR to_ns > ?)", from_ns).add("from_ns < ?", to_ns)
        rows = self._db.execute(f"SELECT body FROM outage{asked.where} ORDER BY from_ns", asked.values)
        return [codec.unpack_outage(body) for (body,) in rows]

    # --- the plan

    def plans(self, site: str | None = None, *, on_date: str = "") -> list[Plan]:
        """Lines of the plan: as they are now, or as they were in force on a date."""
        asked = Filter(site=site)
        if on_date:
            asked.add("from_date <= ?", on_date).add("(until_date = '' OR until_date >= ?)", on_date)
        else:
            asked.add("until_date = ?", "")
        rows = self._db.execute(f"SELECT body FROM plan{asked.where} ORDER BY site, id", asked.values)
        return [codec.unpack_plan(body) for (body,) in rows]

    def exceptions(
        self, site: str | None = None, date_from: str | None = None, date_to: str | None = None
    ) -> list[PlanException]:
        """Days that are different, by date."""
        asked = Filter(site=site).add("date >= ?", date_from).add("date <= ?", date_to)
        rows = self._db.execute(f"SELECT body FROM exception{asked.where} ORDER BY date, id", asked.values)
        return [codec.unpack_exception(body) for (body,) in rows]

    def holidays(self, site: str) -> dict[str, str]:
        """Local date -> name."""
        return dict(self._db.execute("SELECT date, name FROM holiday WHERE site = ? ORDER BY date", (site,)).fetchall())

    def slots(self, site: str, on_date: str, zone: tzinfo) -> list[Slot]:
        """What is expected on one local date.

        Raises:
            ValueError: it is no date.
        """
        day = date.fromisoformat(on_date)
        near = [(day + timedelta(days)).isoformat() for days in (-5, 5)]
        return plan.slots(
            self.plans(site, on_date=on_date), self.exceptions(site, *near), self.holidays(site), zone, on_date, on_date
        )

    # --- cards, people, links

    def cards(self, site: str | None = None) -> list[Card]:
        """All cards, revoked ones too."""
        asked = Filter(site=site)
        rows = self._db.execute(f"SELECT body FROM card{asked.where} ORDER BY site, id", asked.values)
        return [codec.unpack_card(body) for (body,) in rows]

    def card(self, card_id: str) -> Card | None:
        """One card."""
        found = self._db.execute("SELECT body FROM card WHERE id = ?", (card_id,)).fetchone()
        return codec.unpack_card(found[0]) if found else None

    def people(self, site: str | None = None) -> list[PersonRow]:
        """Who is in the sealed map."""
        asked = Filter(site=site)
        rows = self._db.execute(f"SELECT id, role, site FROM person{asked.where} ORDER BY site, id", asked.values)
        return [PersonRow(*row) for row in rows]

    def find_courier_by_token(self, token: str, now_ns: int) -> CourierLink | None:
        """Whose personal link this is; None: unknown, expired or taken back alike."""
        query = "SELECT courier, site, until_ns FROM personal_link WHERE hash = ? AND until_ns > ?"
        found = self._db.execute(query, (link_hash(token), now_ns)).fetchone()
        return CourierLink(*found) if found else None

    def links(self, site: str | None = None) -> list[CourierLink]:
        """Personal links, expired ones too."""
        asked = Filter(site=site)
        query = f"SELECT courier, site, until_ns FROM personal_link{asked.where} ORDER BY courier, until_ns"
        return [CourierLink(*row) for row in self._db.execute(query, asked.values)]

    # --- the chain

    def log(self, from_n: int = 1, to_n: int | None = None) -> Iterator[LogEntry]:
        """The chain from one entry on, in little memory."""
        return _entries(self._db.execute(f"{_LOG} WHERE n >= ? AND n <= ? ORDER BY n", (from_n, to_n or _ALL)))

    def anchor(self) -> tuple[int, bytes]:
        """Number and hash of the link before the first that is whole: of the last one that was cut off, else of none."""
        found = self._db.execute("SELECT n, hash FROM log ORDER BY n LIMIT 1").fetchone()
        return (found[0], bytes(found[1])) if found and found[0] > 1 else (0, GENESIS)

    def head(self) -> tuple[int, str]:
        """Number and hash of the last entry."""
        found = self._db.execute("SELECT n, hash FROM log ORDER BY n DESC LIMIT 1").fetchone()
        return (found[0], bytes(found[1]).hex()) if found else (0, GENESIS.hex())

    def log_range(self, **conditions: Any) -> tuple[int, int]:
        """First and last entry about the visits that fit; (0, 0) when there is none."""
        asked = of_visits(**conditions)
        found = self._db.execute(f"SELECT min(first_n), max(last_n) FROM visit{asked.where}", asked.values).fetchone()
        return (found[0] or 0, found[1] or 0)

    def first_of_meals(self, site: str, date_from: str, date_to: str) -> int:
        """The first entry about visits and meals of these dates; 0 when there is none."""
        query = "SELECT min(n) FROM log WHERE subject >= ? AND subject < ?"  # a meal's subject begins with its date
        names = (subject(site, date_from), subject(site, date_to) + "0")  # "0" comes after "/"
        found = self._db.execute(query, names).fetchone()[0]
        visits = self.log_range(site=site, date_from=date_from, date_to=date_to)[0]
        return min((n for n in (found, visits) if n), default=0)


def _entries(rows: "sqlite3.Cursor | Sequence[Any]") -> Iterator[LogEntry]:
    for n, at_ns, kind, about, by, body, digest in rows:
        yield LogEntry(n, at_ns, kind, about, by, body, bytes(digest).hex())
