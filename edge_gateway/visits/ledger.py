"""The one writer of the ledger: taps are judged, visits derived, what persons say is written down; each in one transaction.

Lives in one thread. Everything may be repeated: a tap that is there already changes nothing.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from edge_gateway.errors import Unavailable
from edge_gateway.registry import Registry
from edge_gateway.settings import Visits as Settings
from edge_gateway.visits import carried, codec, judge, past, served
from edge_gateway.visits.book import GATEWAY, Book
from edge_gateway.visits.calendar import Calendar
from edge_gateway.visits.card_book import CardBook
from edge_gateway.visits.evidence import evidence
from edge_gateway.visits.meal_book import MealBook
from edge_gateway.visits.people_book import PeopleBook
from edge_gateway.visits.records import (
    PHONE,
    CardRole,
    Evidence,
    Grade,
    JudgedTap,
    Judgement,
    Outage,
    Reason,
    Ruling,
    State,
    Tap,
    Visit,
)
from edge_gateway.visits.visit_book import Touched, VisitBook

log = logging.getLogger(__name__)

R = TypeVar("R")

_ACCEPTED: Final = (Ruling.COUNTED, Ruling.REVIEW)


@dataclass(slots=True)
class Taken:
    """What one batch did. judged: (tap, judgement) of those that are new."""

    judged: list[JudgedTap] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    known: int = 0
    conflicts: int = 0
    faults: int = 0

    def counters(self) -> dict[str, int]:
        """For the gateway's totals."""
        found = {"taps_known": self.known, "taps_conflict": self.conflicts, "taps_fault": self.faults}
        for one in self.judged:
            name = f"taps_{one.judgement.ruling.value}"
            found[name] = found.get(name, 0) + 1
        return {name: n for name, n in found.items() if n}


class Ledger:
    """Everything that is written into visits.db.

    Args:
        desk_readers: `site/device` of readers at which a courier looks himself up; their taps are no visits.

    Raises:
        Unavailable, Misconfigured: the file or its key cannot be used.
    """

    def __init__(
        self,
        path: Path,
        key_file: Path,
        registry: Registry,
        settings: Settings,
        clock_ns: Callable[[], int],
        desk_readers: Iterable[str] = (),
    ) -> None:
        self.book = Book(path, key_file, clock_ns)
        self.rules = rules_of(settings)
        self.calendar = Calendar(self.book, registry)
        self.cards = CardBook(self.book)
        self.people = PeopleBook(self.book)
        self.meals = MealBook(self.book, self.calendar)
        self.visits = VisitBook(self.book, self.calendar, self.rules, registry)
        self.book.forget += [self.calendar.forget, self.cards.forget]
        self._desk_readers = frozenset(desk_readers)
        self.expect(registry)

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._counters = {key for key, device in registry.devices.items() if device.model == served.MODEL}
        self.calendar.expect(registry)
        self.visits.expect(registry)

    def close(self) -> None:
        """Give the file back."""
        self.book.close()

    def take(self, taps: Sequence[Tap]) -> Taken:
        """Judge these taps and derive what they change; when this returns, it is on disk.

        Raises:
            Unavailable: nothing of it is on disk.
        """
        taken, touched = Taken(), set[tuple[str, str, str]]()
        with self.book.transaction():
            for tap in taps:
                try:
                    with self.book.attempt():
                        touched |= self._take(tap, taken)
                except (sqlite3.Error, Unavailable):
                    raise
                except Exception as error:
                    # A fault of ours, or a card's row that cannot be opened, must not stop the taps behind it: a person looks.
                    log.error("judging a tap of %s/%s failed: %s", tap.site, tap.device, type(error).__name__)
                    taken.faults += 1
                    touched |= self._put_aside(tap, error, taken)
            before = self.visits.faults
            taken.visits = self.visits.derive(touched, self.book.clock_ns())
            taken.faults += self.visits.faults - before
        return taken

    def _take(self, tap: Tap, taken: Taken) -> Touched:
        known = self.known(tap)
        if known == "repeated":
            taken.known += 1
            return set()
        if known:
            taken.conflicts += 1
            why = "another tap came under this number"
            self.book.write("failed", tap.id, GATEWAY, {"why": why, "time_ns": tap.time_ns, "shown": self._mark(tap).hex()})
            return set()
        mark = self._mark(tap)
        ring = self.cards.ring(tap.site)
        shown = evidence(tap, ring, former=ring.former)
        at = None
        if tap.device == PHONE and shown.card is not None and shown.card.role is CardRole.PLACE:
            at = self.people.position(shown.card.holder)
        judgement = judge.judge(tap, shown, past.SqlPast(self.book.db, self.cards.chip), self.rules, at)
        touched = self._write(tap, shown, judgement, mark, taken)
        if shown.card is not None and judgement.ruling in _ACCEPTED:
            past.remember(self.book.db, self.cards.chip(shown.card.id), judge.fact(tap, shown, self.rules))
        for suspect in judgement.suspects:
            touched |= self.doubt(suspect, judgement, tap.id)
        return touched

    def known(self, tap: Tap) -> str:
        """`repeated`: this very tap is here; `conflict`: another one under its number; "" neither."""
        row = self.book.db.execute("SELECT mark FROM tap WHERE id = ?", (tap.id,)).fetchone()
        if row is None:
            return ""
        return "repeated" if bytes(row[0]) == self._mark(tap) else "conflict"

    def saved(self, change: Callable[["Ledger"], R]) -> R:
        """Make a change to cards or people in a transaction. Raises what the change raises, and Unavailable."""
        with self.book.transaction():
            return change(self)

    def _put_aside(self, tap: Tap, error: Exception, taken: Taken) -> Touched:
        """The text of an error may hold what a card showed: only its kind is written down."""
        self.book.write("failed", tap.id, GATEWAY, {"why": type(error).__name__, "time_ns": tap.time_ns})
        judgement = Judgement(Ruling.REVIEW, Grade.NONE, (Reason.CARD_UNREADABLE,))
        return self._write(tap, Evidence(Grade.NONE, problem=Reason.CARD_UNREADABLE), judgement, self._mark(tap), taken)

    def _write(self, tap: Tap, shown: Evidence, judgement: Judgement, mark: bytes, taken: Taken) -> Touched:
        seal = self.book.seal
        judged = JudgedTap(*codec.without_number(tap, shown), judgement)
        use, day = self._use(tap), self.calendar.date_of(tap.site, tap.time_ns)
        moves = use == "visit" and carried.is_carried(tap)
        near = past.beside(self.book.db, tap, self.rules.service_s) if moves else []
        judged = msgspec.structs.replace(judged, door=carried.nearest_door(judged, near, self.rules))
        self.book.db.execute(
            "INSERT INTO tap (id, site, place, device, boot, seq, time_ns, date, received_ns, use, chip, counter, courier,"
            " ruling, mark, body, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                tap.id,
                tap.site,
                judged.place,
                tap.device,
                tap.boot,
                tap.seq,
                tap.time_ns,
                day,
                tap.received_ns,
                use,
                self.cards.chip(shown.card.id) if shown.card else "",
                shown.counter,
                judged.courier,
                judgement.ruling.value,
                mark,
                codec.pack(judged),
                seal.seal(codec.pack((tap.text, shown.uid)), f"tap/{tap.id}"),
            ),
        )
        body = {**codec.plain(judged.tap), "card": shown.card.id if shown.card else "", "counter": shown.counter}
        body |= {"live": shown.live, "problem": shown.problem, "shown": mark.hex(), **codec.plain(judgement)}
        body |= {"place": judged.place, "courier": judged.courier}
        for private in ("text", "lat", "lon", "accuracy_m"):
            del body[private]
        self.book.write("tap", tap.id, GATEWAY, body)
        taken.judged.append(judged)
        if use == "counter":
            self.meals.write(judged)  # a meal, not a visit
        touched = self._been(judged)
        if judgement.ruling in _ACCEPTED and carried.is_door(judged):
            for one in near:
                touched |= self._stood(one, tap.id)
        return touched

    def _been(self, judged: JudgedTap) -> Touched:
        """What a tap at its place changes."""
        tap = judged.tap
        near = self.calendar.around(tap.site, judged.place, tap.time_ns)
        # Who has now been at the right door is at no wrong one any more.
        wrong = self.visits.elsewhere(tap.site, judged.courier, min(near), max(near), (State.WRONG_PLACE,))
        return {(tap.site, judged.place, day) for day in near} | wrong

    def _stood(self, old: JudgedTap, because: str) -> Touched:
        """A tag at a door came after a tap that the same carried reader read beside it: that one was there too."""
        door = carried.nearest_door(old, past.beside(self.book.db, old.tap, self.rules.service_s), self.rules)
        new = msgspec.structs.replace(old, door=door)
        touched = self.think_again(new, old, "placed", because)
        if new.place != old.place:
            # What was said of it where it stood before goes with it.
            self.book.db.execute(
                "UPDATE correction SET place = ? WHERE site = ? AND visit = ? AND place = ?",
                (new.place, new.tap.site, new.tap.id, old.place),
            )
            touched |= self._been(new)
        return touched

    def doubt(self, tap_id: str, by: Judgement, because: str) -> Touched:
        """An earlier tap comes under review too; what has to be derived again."""
        row = self.book.db.execute("SELECT body FROM tap WHERE id = ?", (tap_id,)).fetchone()
        if row is None:
            return set()
        old = codec.unpack_judged(row[0])
        return self.think_again(
            msgspec.structs.replace(old, judgement=judge.suspected(old.judgement, by)), old, "doubt", because
        )

    def think_again(self, new: JudgedTap, old: JudgedTap, kind: str, because: str) -> Touched:
        """A tap is judged otherwise than it was; within a transaction. What has to be derived again."""
        if new == old:
            return set()
        row = self.book.db.execute(
            "UPDATE tap SET body = ?, ruling = ?, place = ? WHERE id = ? RETURNING use",
            (codec.pack(new), new.judgement.ruling.value, new.place, new.tap.id),
        ).fetchone()
        body = {**codec.plain(new.judgement), "because": because}
        self.book.write(kind, new.tap.id, GATEWAY, body if new.place == old.place else body | {"place": new.place})
        if row == ("counter",):
            self.meals.write(new)
        tap = new.tap
        places = {old.place, new.place}
        return {(tap.site, place, near) for place in places for near in self.calendar.around(tap.site, place, tap.time_ns)}

    def _use(self, tap: Tap) -> str:
        if (tap.site, tap.device) in self._counters:
            return "counter"
        return "desk" if f"{tap.site}/{tap.device}" in self._desk_readers else "visit"

    def _mark(self, tap: Tap) -> bytes:
        """By what the same tap is known again; keyed, for a card's number could be guessed from a plain hash."""
        what = codec.pack((tap.text, tap.proof, tap.time_ns if tap.device != PHONE else 0))
        return self.book.seal.index(sha256(what).digest())

    def put_outages(self, outages: Iterable[Outage]) -> Touched:
        """Write down when readers could not be heard; within a transaction."""
        touched: Touched = set()
        for outage in outages:
            self.book.db.execute(
                "INSERT INTO outage (site, device, place, from_ns, to_ns, body) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (site, device, from_ns) DO UPDATE SET to_ns = excluded.to_ns, body = excluded.body",
                (outage.site, outage.device, outage.place, outage.from_ns, outage.to_ns, codec.pack(outage)),
            )
            self.book.write("outage", f"{outage.site}/{outage.device}", GATEWAY, codec.plain(outage))
            if outage.place:
                touched |= self._expected_during(outage)
        return touched

    def _expected_during(self, outage: Outage) -> Touched:
        """Dates on which somebody was expected there meanwhile."""
        site, place = outage.site, outage.place
        until_ns = min(outage.to_ns or self.book.clock_ns(), self.book.clock_ns())
        first, last = self.calendar.around(site, place, outage.from_ns), self.calendar.around(site, place, until_ns)
        slots = self.calendar.slots(site, place, min(first), max(last))
        return {(site, place, s.date) for s in slots if s.from_ns <= until_ns and s.due_ns >= outage.from_ns}


def rules_of(settings: Settings) -> judge.Rules:
    """The numbers of judging and matching, with what a person set."""
    names = set(judge.Rules.__dataclass_fields__) & set(Settings.model_fields)
    return judge.Rules(**{name: getattr(settings, name) for name in names})
