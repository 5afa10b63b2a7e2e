"""Visits derived from slots, taps, outages and what persons said; only what came out otherwise than before is written."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from msgspec.structs import replace

from edge_gateway.errors import Unavailable
from edge_gateway.registry import Registry
from edge_gateway.visits import canteen, claims, codec, corrections, days
from edge_gateway.visits.book import GATEWAY, Book
from edge_gateway.visits.calendar import Calendar
from edge_gateway.visits.judge import Rules
from edge_gateway.visits.look import subject
from edge_gateway.visits.matching import VAGUE_NS
from edge_gateway.visits.records import Correction, JudgedTap, Outage, Reason, Served, Slot, State, Visit

log = logging.getLogger(__name__)

Touched = set[tuple[str, str, str]]  # site, place, local date

READER_MODELS: Final = frozenset({"rider_reader"})
CLAIM: Final = "claim-"  # begins the id of a visit that stands on nothing but somebody's word
_DAY: Final = timedelta(days=1)


class VisitBook:
    """The table of visits; used within a transaction of the book.

    Attributes:
        rules: of judging and matching.
        faults: how often deriving failed by a fault of ours, since the start.
        heard: site and place -> until when every reader there is known to have been there; None: nobody knows.
    """

    def __init__(self, book: Book, calendar: Calendar, rules: Rules, registry: Registry) -> None:
        self._book = book
        self._calendar = calendar
        self.rules = rules
        self.faults = 0
        self._failed: set[tuple[str, str, str]] = set()
        self.heard: Callable[[str, str], int | None] = lambda site, place: None
        self.expect(registry)

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._with_reader = {(d.site, d.place) for d in registry.devices.values() if d.place and is_reader(d.model, d.measures)}

    def derive(self, touched: Iterable[tuple[str, str, str]], now_ns: int, *, fill: bool = False) -> list[Visit]:
        """Derive the visits of these places and dates; those that are new or otherwise than they were.

        Args:
            fill: write also what was expected and did not happen, as the clock does day by day. Without it a tap or a new line
                of the plan says nothing about days on which nobody expected anything yet.
        """
        changed: list[Visit] = []
        for site, place, first, last in _ranges(touched):
            try:
                with self._book.attempt():
                    changed += list(self._derive(site, place, first, last, now_ns, fill))
            except (sqlite3.Error, Unavailable):
                raise
            except Exception as error:
                self._fault(site, place, first, last, error)
        return changed

    def _fault(self, site: str, place: str, first: str, last: str, error: Exception) -> None:
        """A fault of ours at one place must not stop the others: its visits stay as they were, and the chain says so once."""
        self.faults += 1
        key = (site, place, type(error).__name__)
        if key not in self._failed:
            self._failed.add(key)
            log.error("deriving the visits of %s/%s failed", site, place, exc_info=error)
            body = {"why": key[2], "first": first, "last": last}
            self._book.write("failed", subject(site, place), GATEWAY, body)

    def _derive(self, site: str, place: str, first: str, last: str, now_ns: int, fill: bool) -> Iterator[Visit]:
        found = {visit.id: visit for visit in self._fresh(site, place, first, last, now_ns)}
        today = self._calendar.date_of(site, now_ns)
        rows = self._book.db.execute(
            "SELECT id, body FROM visit WHERE site = ? AND place = ? AND date BETWEEN ? AND ?", (site, place, first, last)
        )
        before = {visit_id: codec.unpack_visit(body) for visit_id, body in rows}
        for visit_id in before.keys() - found.keys():
            self._gone(before[visit_id])
            if before[visit_id].state is not State.CANCELLED:
                yield replace(before[visit_id], state=State.CANCELLED, counted=False, reviewing=False)
        for visit_id, visit in found.items():
            awaited = visit.date == today and visit.state is State.PLANNED
            known = fill or awaited or bool(visit.taps) or visit_id in before or visit.by != GATEWAY
            if known and before.get(visit_id) != visit:
                self._save(visit)
                yield visit

    def _fresh(self, site: str, place: str, first: str, last: str, now_ns: int) -> list[Visit]:
        """What the visits of these dates are, by everything known now."""
        wide_first, wide_last = _wider(first, last)
        calendar = self._calendar
        slots = calendar.slots(site, place, wide_first, wide_last)
        begin_ns = calendar.midnight_ns(site, wide_first)
        end_ns = calendar.midnight_ns(site, (date.fromisoformat(wide_last) + _DAY).isoformat())
        taps = self._taps(site, place, begin_ns, end_ns)
        said = self._said(site, place, wide_first, wide_last)
        visits = days.derive(
            site,
            place,
            slots,
            taps,
            self._outages(site, place, begin_ns, end_ns),
            said,
            now_ns,
            self.rules,
            zone=calendar.zone(site),
            has_reader=(site, place) in self._with_reader,
            elsewhere=self._elsewhere(site, place, taps, wide_first, wide_last),
            heard_ns=self.heard(site, place),
        )
        meals = self._meals(site, place, wide_first, wide_last)
        if meals:
            visits = canteen.with_meals(visits, slots, meals, lambda visit: self._spoken(visit, said))
        by_id = {one.tap.id: one for one in taps}
        visits += [claims.looked_at(claim, told, visits, by_id, self.rules) for claim, told in self._claims(said)]
        return [visit for visit in visits if first <= visit.date <= last]

    def _taps(self, site: str, place: str, begin_ns: int, end_ns: int) -> list[JudgedTap]:
        rows = self._book.db.execute(
            "SELECT body FROM tap WHERE site = ? AND place = ? AND time_ns >= ? AND time_ns < ? AND use = 'visit'"
            " ORDER BY time_ns, id",
            (site, place, begin_ns, end_ns),
        )
        return [codec.unpack_judged(body) for (body,) in rows]

    def _outages(self, site: str, place: str, begin_ns: int, end_ns: int) -> list[Outage]:
        rows = self._book.db.execute(
            "SELECT body FROM outage WHERE site = ? AND place = ? AND from_ns < ? AND (to_ns IS NULL OR to_ns > ?)",
            (site, place, end_ns, begin_ns),
        )
        return [codec.unpack_outage(body) for (body,) in rows]

    def _said(self, site: str, place: str, first: str, last: str) -> list[Correction]:
        rows = self._book.db.execute(
            "SELECT body FROM correction WHERE site = ? AND place = ? AND date BETWEEN ? AND ? ORDER BY n",
            (site, place, first, last),
        )
        return [codec.unpack_correction(body) for (body,) in rows]

    def _elsewhere(self, site: str, place: str, taps: Sequence[JudgedTap], first: str, last: str) -> list[Slot]:
        """What the couriers who tapped here were expected to do at other places then."""
        moments: dict[str, list[int]] = {}
        for judged in taps:
            if judged.courier:
                moments.setdefault(judged.courier, []).append(judged.tap.time_ns)
        there = [
            slot
            for courier in sorted(moments)
            for slot in self._calendar.of_courier(site, courier, first, last)
            if slot.plan.place != place
            and any(slot.from_ns - VAGUE_NS <= ns <= slot.to_ns + VAGUE_NS for ns in moments[courier])
        ]
        been: list[tuple[str, str, int]] = []
        for one in sorted({slot.plan.courier for slot in there}):
            been += self._book.db.execute(
                "SELECT courier, place, time_ns FROM tap WHERE courier = ? AND courier <> '' AND date BETWEEN ? AND ?"
                " AND site = ? AND use = 'visit' AND ruling IN ('counted', 'review')",
                (one, first, last, site),
            )
        return days.owed(there, been)

    def elsewhere(self, site: str, courier: str, first: str, last: str, states: Sequence[State]) -> Touched:
        """Where visits of this courier stand in these states: a tap or a plan at another place may make them something else."""
        if not courier:
            return set()
        marks = ", ".join("?" * len(states))
        rows = self._book.db.execute(
            "SELECT place, date FROM visit WHERE courier = ? AND courier <> '' AND date BETWEEN ? AND ? AND site = ?"
            f" AND state IN ({marks})",
            (courier, first, last, site, *(state.value for state in states)),
        )
        return {(site, place, day) for place, day in rows}

    def _meals(self, site: str, place: str, first: str, last: str) -> list[Served]:
        rows = self._book.db.execute(
            "SELECT body FROM served WHERE site = ? AND date BETWEEN ? AND ? AND place = ?", (site, first, last, place)
        )
        return [codec.unpack_served(body) for (body,) in rows]

    def _claims(self, said: Sequence[Correction]) -> list[tuple[Visit, list[Correction]]]:
        """Visits that somebody says are missing, with what was said of each; they count when a person confirms them."""
        first = {one.visit: one for one in reversed(said) if one.visit.startswith(CLAIM)}
        found = []
        for claim in first.values():
            row = self._book.db.execute("SELECT site, place, date FROM correction WHERE n = ?", (claim.n,)).fetchone()
            visit = Visit(
                claim.visit, row[0], row[1], "", str(claim.changes.get("service") or "meal"), row[2], claim.by, State.UNKNOWN,
                reviewing=True, reasons=(Reason.OBJECTION,), received_ns=claim.at_ns, by=claim.by, comment=claim.reason,
            )  # fmt: skip
            told = [one for one in said if one.visit == claim.visit]
            found.append((self._spoken(visit, [one for one in told if one.n != claim.n]), told))
        return found

    def _spoken(self, visit: Visit, said: Sequence[Correction]) -> Visit:
        mine = [one for one in said if one.visit == visit.id]
        return corrections.apply(visit, mine, ()) if mine else visit

    def _save(self, visit: Visit) -> None:
        book = self._book
        n = book.write("visit", subject(visit.site, visit.id), visit.by or GATEWAY, codec.plain(visit))
        begins_ns = visit.opens_ns or visit.start_ns or 0
        book.db.execute(
            "INSERT INTO visit (site, id, place, date, person, service, courier, state, reviewing, counted, begins_ns, first_n,"
            " last_n, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (site, id) DO UPDATE SET"
            " place = excluded.place, date = excluded.date, person = excluded.person, service = excluded.service,"
            " courier = excluded.courier, state = excluded.state, reviewing = excluded.reviewing, counted = excluded.counted,"
            " begins_ns = excluded.begins_ns, last_n = excluded.last_n, body = excluded.body",
            (
                visit.site,
                visit.id,
                visit.place,
                visit.date,
                visit.person,
                visit.service,
                visit.courier,
                visit.state.value,
                visit.reviewing,
                visit.counted,
                begins_ns,
                n,
                n,
                codec.pack(visit),
            ),
        )
        book.db.execute("DELETE FROM visit_tap WHERE site = ? AND visit = ?", (visit.site, visit.id))
        book.db.executemany(
            "INSERT OR IGNORE INTO visit_tap (tap, site, visit) VALUES (?, ?, ?)",
            [(tap, visit.site, visit.id) for tap in visit.taps],
        )

    def _gone(self, visit: Visit) -> None:
        """Nothing says any more that there is one: its tap belongs to another, its line left the plan. The chain keeps it."""
        self._book.write("visit_gone", subject(visit.site, visit.id), GATEWAY, codec.plain(visit))
        self._book.db.execute("DELETE FROM visit WHERE site = ? AND id = ?", (visit.site, visit.id))
        self._book.db.execute("DELETE FROM visit_tap WHERE site = ? AND visit = ?", (visit.site, visit.id))


def is_reader(model: str, measures: Iterable[str]) -> bool:
    """Whether a device of the registry reads cards at a door."""
    return model in READER_MODELS or "tap" in measures


def _wider(first: str, last: str) -> tuple[str, str]:
    """One day more on both sides: what a visit is does not depend on where the range was cut."""
    begin, end = date.fromisoformat(first), date.fromisoformat(last)
    return (max(begin, date.min + _DAY) - _DAY).isoformat(), (min(end, date.max - 2 * _DAY) + _DAY).isoformat()


def _ranges(touched: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Site, place, first and last date: neighbouring dates together."""
    by_place: dict[tuple[str, str], set[str]] = {}
    for site, place, day in touched:
        by_place.setdefault((site, place), set()).add(day)
    for (site, place), found in by_place.items():
        first = last = ""
        for day in sorted(found):
            if last and date.fromisoformat(last) + _DAY == date.fromisoformat(day):
                last = day
                continue
            if last:
                yield site, place, first, last
            first = last = day
        yield site, place, first, last
