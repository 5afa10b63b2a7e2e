"""Which visits are expected where and when, out of the ledger's plan; slots are computed once a week and site, and kept."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from edge_gateway.registry import Registry
from edge_gateway.rules import words
from edge_gateway.visits import codec, plan
from edge_gateway.visits.book import Book
from edge_gateway.visits.look import subject
from edge_gateway.visits.records import Plan, PlanException, Slot

_SLOTS: Final = 60_000  # kept, some 20 MB: this week and the ones beside it at 1,000 homes
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST: Final = timedelta(days=3)  # a window begins in its day, lasts at most one and may be stretched by one


@dataclass(slots=True)
class Week:
    """The slots of one site and week: by place, date; by date, place; by courier who is to come, date."""

    by_place: dict[str, dict[str, list[Slot]]] = field(default_factory=dict)
    by_date: dict[str, dict[str, list[Slot]]] = field(default_factory=dict)
    by_courier: dict[str, dict[str, list[Slot]]] = field(default_factory=dict)
    slots: int = 0

    def add(self, slot: Slot) -> None:
        """One more; first those of a date that are earlier."""
        self.slots += 1
        self.by_place.setdefault(slot.plan.place, {}).setdefault(slot.date, []).append(slot)
        self.by_date.setdefault(slot.date, {}).setdefault(slot.plan.place, []).append(slot)
        if slot.plan.courier:
            self.by_courier.setdefault(slot.plan.courier, {}).setdefault(slot.date, []).append(slot)


class Calendar:
    """The plan of all sites.

    Args:
        registry: for the time zones; replace with `expect`.
    """

    def __init__(self, book: Book, registry: Registry) -> None:
        self._book = book
        self._registry = registry
        self._weeks: dict[tuple[str, str], Week] = {}
        self._lines: dict[str, list[tuple[str, str, Plan]]] = {}

    def forget(self) -> None:
        """Read it from the ledger again."""
        self._weeks.clear()
        self._lines.clear()

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._registry = registry
        self.forget()

    def zone(self, site: str) -> tzinfo:
        """Of a site; UTC when nobody knows the site."""
        return words.zone(self._registry, site)

    def date_of(self, site: str, time_ns: int) -> str:
        """The local date of a moment; the first or last of all when no calendar has it."""
        return words.local(time_ns, self.zone(site)).date().isoformat()

    def midnight_ns(self, site: str, day: str) -> int:
        """When a local date begins."""
        since = datetime.combine(date.fromisoformat(day), datetime.min.time(), self.zone(site)).astimezone(UTC) - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000_000

    def sites(self) -> list[str]:
        """Sites that have a plan, or had one."""
        return [site for (site,) in self._book.db.execute("SELECT DISTINCT site FROM plan ORDER BY site")]

    def slots(self, site: str, place: str, first: str, last: str) -> list[Slot]:
        """Of one place, on the local dates first..last."""
        found: list[Slot] = []
        for day in days(first, last):
            found += self._week(site, day).by_place.get(place, {}).get(day, ())
        return found

    def of_courier(self, site: str, courier: str, first: str, last: str) -> list[Slot]:
        """Those that a courier is to make, at all places."""
        found: list[Slot] = []
        for day in days(first, last):
            found += self._week(site, day).by_courier.get(courier, {}).get(day, ())
        return found

    def places(self, site: str, day: str) -> Mapping[str, list[Slot]]:
        """Every place that expects somebody on a local date, with its slots."""
        return self._week(site, day).by_date.get(day, {})

    def around(self, site: str, place: str, time_ns: int) -> set[str]:
        """Local dates whose visits a tap at this time and place may change."""
        day = date.fromisoformat(self.date_of(site, time_ns))
        if not date.min + 5 * _DAY < day < date.max - 5 * _DAY:
            return {day.isoformat()}
        found = {(day + n * _DAY).isoformat() for n in (-1, 0, 1)}
        near = self.slots(site, place, (day - _WIDEST).isoformat(), (day + _DAY).isoformat())
        return found | {slot.date for slot in near if slot.from_ns <= time_ns <= slot.to_ns}

    def _week(self, site: str, day: str) -> Week:
        there = date.fromisoformat(day)
        monday = there - timedelta(days=there.weekday()) if there > date.min + 7 * _DAY else date.min
        key = site, monday.isoformat()
        week = self._weeks.get(key)
        if week is None:
            week = self._compute(site, monday)
            while self._weeks and week.slots + sum(one.slots for one in self._weeks.values()) > _SLOTS:
                del self._weeks[next(iter(self._weeks))]
            self._weeks[key] = week
        return week

    def _compute(self, site: str, monday: date) -> Week:
        """By the lines in force on each date: a line that was changed today leaves yesterday's visits as they were."""
        week = Week()
        if not self._of(site):
            return week
        first, last = monday, min(monday + 6 * _DAY, date.max - _DAY)
        exceptions, holidays = self._different(site, first, last)
        spans = self._spans(site, first, last)
        for begin, end in spans:
            lines = [line for since, until, line in self._of(site) if since <= begin and (not until or until >= end)]
            for slot in plan.slots(lines, exceptions, holidays, self.zone(site), begin, end):
                week.add(slot)
        return week

    def _spans(self, site: str, first: date, last: date) -> list[tuple[str, str]]:
        """The range, cut wherever a line of the plan changed."""
        cuts = {first.isoformat()}
        for since, until, _ in self._of(site):
            if first.isoformat() < since <= last.isoformat():
                cuts.add(since)
            if until and first.isoformat() <= until < last.isoformat():
                cuts.add((date.fromisoformat(until) + _DAY).isoformat())
        begins = sorted(cuts)
        ends = [(date.fromisoformat(begin) - _DAY).isoformat() for begin in begins[1:]] + [last.isoformat()]
        return list(zip(begins, ends, strict=True))

    def _of(self, site: str) -> list[tuple[str, str, Plan]]:
        lines = self._lines.get(site)
        if lines is None:
            rows = self._book.db.execute("SELECT from_date, until_date, body FROM plan WHERE site = ? ORDER BY id", (site,))
            lines = self._lines[site] = [(since, until, codec.unpack_plan(body)) for since, until, body in rows]
        return lines

    def _different(self, site: str, first: date, last: date) -> tuple[list[PlanException], Collection[str]]:
        margin = 6 * _DAY
        near = (first - min(margin, first - date.min)).isoformat(), (last + min(margin, date.max - last)).isoformat()
        db = self._book.db
        rows = db.execute("SELECT body FROM exception WHERE site = ? AND date BETWEEN ? AND ?", (site, *near))
        exceptions = [codec.unpack_exception(body) for (body,) in rows]
        holidays = db.execute("SELECT date FROM holiday WHERE site = ? AND date BETWEEN ? AND ?", (site, *near))
        return exceptions, {day for (day,) in holidays}

    # --- changes; within a transaction. Each answers (place, first date, last date) of what has to be derived again.

    def put(self, new: Plan, by: str, today: str) -> bool:
        """A line, new or changed. A changed one is in force from today; what was before stays as it was. Whether it changed."""
        db = self._book.db
        row = db.execute(
            "SELECT rowid, from_date, body FROM plan WHERE site = ? AND id = ? AND until_date = ''", (new.site, new.id)
        ).fetchone()
        since = "0001-01-01"
        if row is not None:
            if codec.unpack_plan(row[2]) == new:
                return False
            since = today
            self._end(row[0], row[1], today)
        elif db.execute("SELECT 1 FROM plan WHERE site = ? AND id = ?", (new.site, new.id)).fetchone():
            since = today  # it was removed once
        db.execute(
            "INSERT OR REPLACE INTO plan (site, id, from_date, until_date, body) VALUES (?, ?, ?, '', ?)",
            (new.site, new.id, since, codec.pack(new)),
        )
        self._book.write("plan", subject(new.site, new.id), by, {**codec.plain(new), "from": since})
        self.forget()
        return True

    def remove(self, site: str, plan_id: str, by: str, today: str) -> Plan | None:
        """Take a line out from today on; None: there is none."""
        row = self._book.db.execute(
            "SELECT rowid, from_date, body FROM plan WHERE site = ? AND id = ? AND until_date = ''", (site, plan_id)
        ).fetchone()
        if row is None:
            return None
        self._end(row[0], row[1], today)
        self._book.write("plan_removed", subject(site, plan_id), by, {"from": today})
        self.forget()
        return codec.unpack_plan(row[2])

    def _end(self, rowid: int, since: str, today: str) -> None:
        yesterday = (date.fromisoformat(today) - _DAY).isoformat()
        if since > yesterday:  # it was made today
            self._book.db.execute("DELETE FROM plan WHERE rowid = ?", (rowid,))
        else:
            self._book.db.execute("UPDATE plan SET until_date = ? WHERE rowid = ?", (yesterday, rowid))


def days(first: str, last: str) -> Iterable[str]:
    """The dates first..last."""
    begin = date.fromisoformat(first)
    return ((begin + n * _DAY).isoformat() for n in range((date.fromisoformat(last) - begin).days + 1))
