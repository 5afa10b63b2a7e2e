"""What the ledger does by the clock: slots become due, readers fall silent, rules and database are to be told."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from edge_gateway.events import VisitChange
from edge_gateway.registry import Registry
from edge_gateway.rules import words
from edge_gateway.rules.rule import Missed, VisitsSeen
from edge_gateway.visits import codec
from edge_gateway.visits.book import GATEWAY
from edge_gateway.visits.calendar import days
from edge_gateway.visits.ledger import Ledger
from edge_gateway.visits.outages import ReaderHealth
from edge_gateway.visits.records import DONE, Outage, Reason, State, Visit
from edge_gateway.visits.visit_book import Touched, is_reader

_DAY_NS: Final = 86_400 * 10**9
_AT_ONCE: Final = 25  # places derived in one transaction: a tap that comes meanwhile waits no longer
_LONGEST_NS: Final = 400 * _DAY_NS  # a gateway that was away for longer begins anew
_BACK_DAYS: Final = 3  # a window ends, and is due, at most so long after its date
_EVIDENCE: Final = 3
_SET_BACK_NS: Final = 60 * 10**9  # a clock that is corrected by less says nothing
_unpack_health: Final = msgspec.msgpack.Decoder(ReaderHealth).decode


@dataclass(frozen=True, slots=True)
class Heard:
    """How the gateway last heard one reader; wall clock. boot None: it did not say. waiting: records in its outbox, if it has
    just said so. gapless: everything of this boot is here."""

    site: str
    device: str
    heard_ns: int
    boot: int | None
    waiting: int | None
    gapless: bool


class Rounds:
    """Lives in the ledger's thread.

    Args:
        silence_s: for a reader of which the registry expects no sign of life.
        alert_days: a missed visit older than so many days is not told any more.
    """

    def __init__(self, ledger: Ledger, registry: Registry, silence_s: float, alert_days: int) -> None:
        self._ledger = ledger
        self._silence_s = silence_s
        self._alert_days = alert_days
        self._saved_ns = 0
        # What was heard before this start is in the saved state, or was not heard by it.
        self._began_ns = ledger.book.clock_ns()
        self._last: dict[tuple[str, str], int] = {}
        rows = ledger.book.db.execute("SELECT site, device, body FROM reader").fetchall()
        self._health = {(site, device): _unpack_health(body) for site, device, body in rows}
        self._now_ns = max((health.listened_ns for health in self._health.values()), default=0)
        self.expect(registry)
        ledger.visits.heard = self.heard

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._registry = registry
        self._readers = {
            key: device for key, device in registry.devices.items() if device.place and is_reader(device.model, device.measures)
        }

    # --- readers

    def readers(self, heard: Iterable[Heard], now_ns: int, listening: bool) -> list[Visit]:
        """Once a second: who was heard, who was not; visits that are otherwise by that."""
        changed: list[Outage] = self._set_back(now_ns) if now_ns < self._now_ns - _SET_BACK_NS else []
        self._now_ns = now_ns
        known = {(one.site, one.device): one for one in heard}
        for key, device in self._readers.items():
            health = self._health.get(key)
            if health is None or health.place != device.place:
                health = self._health[key] = ReaderHealth.new(device.site, device.id, device.place, now_ns)
            one = known.get(key)
            if one is not None and one.heard_ns > self._last.get(key, self._began_ns):
                self._last[key] = one.heard_ns
                changed += health.heard(one.heard_ns, one.boot, one.waiting, one.gapless)
            changed += health.tick(now_ns, device.silence_s or self._silence_s, listening)
        if not changed and now_ns - self._saved_ns < 60 * 10**9:
            return []
        with self._ledger.book.transaction():
            touched = self._ledger.put_outages(changed)
            self._ledger.book.db.executemany(
                "INSERT INTO reader (site, device, body) VALUES (?, ?, ?)"
                " ON CONFLICT (site, device) DO UPDATE SET body = excluded.body",
                [(*key, codec.pack(health)) for key, health in self._health.items() if key in self._readers],
            )
            visits = self._ledger.visits.derive(touched, now_ns)
        self._saved_ns = now_ns
        return visits

    def _set_back(self, now_ns: int) -> list[Outage]:
        """The clock had run ahead: what is in the future was now, or nobody could miss a visit until then."""
        self._last.clear()
        self._began_ns = self._saved_ns = now_ns
        changed = []
        for health in self._health.values():
            changed += health.set_back(now_ns)
        return changed

    def heard(self, site: str, place: str) -> int | None:
        """When the reader of a place that was heard the longest ago was heard; None: there is none."""
        there = [key for key, device in self._readers.items() if (device.site, device.place) == (site, place)]
        return min((self._health[key].heard_ns for key in there if key in self._health), default=None)

    # --- the clock

    def due(self, now_ns: int) -> list[Touched]:
        """Places and dates whose visits change by the passing of time since `passed`, in portions for `derive`."""
        ledger = self._ledger
        since_ns = max(ledger.book.meta("slots_upto_ns") or now_ns, now_ns - _LONGEST_NS)
        if since_ns > now_ns:  # the clock had run ahead, and so had all that was due
            since_ns = now_ns - _DAY_NS
        found: list[tuple[str, str, str]] = []
        calendar = ledger.calendar
        for site in calendar.sites():
            first = date.fromisoformat(calendar.date_of(site, since_ns)) - timedelta(days=_BACK_DAYS)
            for day in days(first.isoformat(), calendar.date_of(site, now_ns)):
                begins = since_ns < calendar.midnight_ns(site, day) <= now_ns
                found += [
                    (site, place, day)
                    for place, slots in calendar.places(site, day).items()
                    if begins or any(since_ns < slot.due_ns <= now_ns for slot in slots)
                ]
        found += self._undecided(now_ns)
        return [set(found[at : at + _AT_ONCE]) for at in range(0, len(found), _AT_ONCE)]

    def _undecided(self, now_ns: int) -> list[tuple[str, str, str]]:
        """Visits that were due and wait for the reader's next word."""
        rows = self._ledger.book.db.execute("SELECT site, place, date, id FROM visit WHERE state = 'planned'").fetchall()
        slots = self._ledger.calendar.slots
        return [
            (site, place, day)
            for site, place, day, visit in rows
            if any(slot.id == visit and slot.due_ns <= now_ns for slot in slots(site, place, day, day))
        ]

    def derive(self, touched: Touched, now_ns: int) -> list[Visit]:
        """One portion."""
        with self._ledger.book.transaction():
            return self._ledger.visits.derive(touched, now_ns, fill=True)

    def passed(self, now_ns: int) -> None:
        """Everything that was due until then is derived."""
        with self._ledger.book.transaction():
            self._ledger.book.set_meta("slots_upto_ns", now_ns)

    # --- what others are told

    def untold(self, limit: int) -> tuple[int, list[VisitChange]]:
        """Changes the outbox has not got yet, oldest first, and up to which entry of the chain they go.

        The database knows a visit by its place, service, line of the plan and time. One of which any of them became another
        (the second door was the right one, a line was moved, a person said when it really was) is told as gone first where it
        was before, or it would be counted there too. So there may be more changes than `limit`, of as many entries.
        """
        book = self._ledger.book
        upto = int(book.meta("told_upto") or 0)
        rows = book.db.execute(
            "SELECT n, kind, subject, body FROM log WHERE n > ? AND kind IN ('visit', 'visit_gone') ORDER BY n LIMIT ?",
            (upto, limit),
        ).fetchall()
        found = []
        for n, kind, subject, body in rows:
            change = _change(kind, msgspec.json.decode(body))
            before = self._before(subject, n)
            if before is not None and _where(before) != _where(change):
                found.append(before)
            found.append(change)
        return (rows[-1][0] if rows else max(upto, book.n)), found

    def _before(self, subject: str, n: int) -> VisitChange | None:
        """What was told of this visit last, as gone; None: nothing, or that it was gone."""
        row = self._ledger.book.db.execute(
            "SELECT kind, body FROM log WHERE subject = ? AND n < ? AND kind IN ('visit', 'visit_gone')"
            " ORDER BY n DESC LIMIT 1",
            (subject, n),
        ).fetchone()
        return _change("visit_gone", msgspec.json.decode(row[1])) if row is not None and row[0] == "visit" else None

    def told(self, upto: int) -> None:
        """The outbox holds them."""
        with self._ledger.book.transaction():
            self._ledger.book.set_meta("told_upto", upto)

    def seen(self, now_ns: int, raised: Collection[tuple[str, str]]) -> VisitsSeen:
        """What the rules have to know.

        Args:
            raised: (site, visit) of alerts that are open, or were raised a moment ago.
        """
        book = self._ledger.book
        before = {(site, visit) for site, visit in book.db.execute("SELECT site, visit FROM alerted")}
        if new := set(raised) - before:
            with book.transaction():
                book.db.executemany("INSERT OR IGNORE INTO alerted (site, visit) VALUES (?, ?)", sorted(new))
        since = (date.fromisoformat(self._ledger.calendar.date_of("", now_ns)) - timedelta(self._alert_days)).isoformat()
        told = before | new
        open_ = [visit for visit in self._made_by_nobody(since) if (visit.site, visit.id) not in told and not _spoken(visit)]
        settled = {key: end for key in raised if (end := self._end(*key, now_ns)) is not None}
        missed = [self._missed(visit) for visit in open_]
        return VisitsSeen(tuple(one for one in missed if one.due_ns <= now_ns), settled)

    def _made_by_nobody(self, since: str) -> Iterator[Visit]:
        """Visits from a date on that are missed, and those that only a card made that nobody knows."""
        query = "SELECT body FROM visit WHERE date >= ? AND {} ORDER BY date"
        for condition in ("state = 'missed'", "reviewing = 1 AND courier = ''"):
            for (body,) in self._ledger.book.db.execute(query.format(condition), (since,)):
                visit = codec.unpack_visit(body)
                if visit.state is State.MISSED or _by_a_stranger(visit):
                    yield visit

    def _end(self, site: str, visit_id: str, now_ns: int) -> tuple[int, str] | None:
        """When and why a visit that was missed is so no longer; None: it still is."""
        row = self._ledger.book.db.execute("SELECT body FROM visit WHERE site = ? AND id = ?", (site, visit_id)).fetchone()
        if row is None:
            return now_ns, "not_expected"
        visit = codec.unpack_visit(row[0])
        if _spoken(visit):
            said = self._ledger.book.db.execute(
                "SELECT max(at_ns) FROM log WHERE subject = ? AND kind = 'correction'", (f"{site}|{visit_id}",)
            ).fetchone()[0]
            return said or now_ns, f"said_by {visit.by}"
        if _by_a_stranger(visit):
            return None
        if visit.state in DONE:
            return visit.start_ns or now_ns, "tapped"
        if visit.state is State.UNKNOWN:
            return now_ns, "reader_was_away"
        return None if visit.state is State.MISSED else (now_ns, "not_expected")

    def _missed(self, visit: Visit) -> Missed:
        slots = self._ledger.calendar.slots(visit.site, visit.place, visit.date, visit.date)
        slot = next((slot for slot in slots if slot.id == visit.id), None)
        due_ns = slot.due_ns if slot is not None else visit.closes_ns
        return Missed(
            visit.site,
            visit.place,
            visit.id,
            visit.service,
            visit.courier or (slot.plan.courier if slot is not None else ""),
            visit.opens_ns,
            visit.closes_ns,
            due_ns,
            tuple(self._evidence(visit, due_ns)),
            visit.start_ns if _by_a_stranger(visit) else None,
        )

    def _evidence(self, visit: Visit, due_ns: int) -> list[str]:
        """The last things known of that place, each with its time, oldest first."""
        zone = words.zone(self._registry, visit.site)
        rows = self._ledger.book.db.execute(
            "SELECT time_ns, device, courier FROM tap WHERE site = ? AND place = ? ORDER BY time_ns DESC LIMIT 1",
            (visit.site, visit.place),
        )
        found = [(ns, f"last tap {device} {courier}".rstrip()) for ns, device, courier in rows]
        for (site, device), health in self._health.items():
            if (site, health.place) == (visit.site, visit.place):
                found.append((health.heard_ns, f"reader heard {device}"))
        found.append((due_ns, f"due {visit.id}"))
        return [f"{words.exact(ns, zone)} {what}" for ns, what in sorted(found)[-_EVIDENCE:]]


def _spoken(visit: Visit) -> bool:
    """Whether a person decided about it."""
    return visit.by != GATEWAY and not visit.reviewing


def _by_a_stranger(visit: Visit) -> bool:
    """Whether somebody was expected, and all that came is a card that nobody knows: a tag of ours says more than that."""
    unknown = visit.slot != "" and visit.courier == "" and visit.state in DONE and bool(visit.taps)
    return unknown and Reason.CARD_FORGOTTEN not in visit.reasons


def _where(change: VisitChange) -> tuple[str, str, str, int]:
    """What tells a visit from others in the database."""
    return change.place, change.service, change.plan, change.time_ns


def _change(kind: str, body: dict[str, Any]) -> VisitChange:
    visit = codec.visit_of(body)
    gone = kind == "visit_gone"
    plan = visit.slot.rpartition("/")[0]
    return VisitChange(
        visit.site,
        GATEWAY,
        visit.place,
        visit.opens_ns or visit.start_ns or visit.received_ns,
        visit.id,
        visit.service,
        plan,
        visit.person,
        visit.courier,
        "gone" if gone else visit.state.value,
        visit.grade.value,
        visit.counted and not gone,
        visit.reviewing and not gone,
        visit.late_s,
        " ".join(visit.reasons),
    )
