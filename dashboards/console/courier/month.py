"""A courier's month as his page shows it: his visits, his taps that are in none of them, objections and answers. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from edge_gateway.visits.records import JudgedTap, Ruling, State, Visit

OBJECT: Final = "object"
_ANSWERS: Final = frozenset({"approve", "decline", "confirm", "change"})


@dataclass(frozen=True)
class Word:
    """What a person said about a visit: an objection, or a correction by the staff.

    Attributes:
        by: id of the person, or the courier himself.
    """

    at_ns: int
    action: str
    by: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One visit with what was said about it, oldest first."""

    visit: Visit
    words: tuple[Word, ...] = ()

    @property
    def waits(self) -> bool:
        """Whether an objection has no answer yet."""
        actions = [word.action for word in self.words]
        last = max((n for n, action in enumerate(actions) if action == OBJECT), default=-1)
        return last >= 0 and not _ANSWERS.intersection(actions[last + 1 :])


@dataclass(frozen=True)
class Totals:
    """Numbers at the top of the page."""

    counted: int
    reviewing: int
    not_counted: int
    refused: int


@dataclass(frozen=True)
class Month:
    """One courier's month; newest first.

    Attributes:
        strays: his taps that are in none of these visits.  cut: the month has more visits than are here.
    """

    first: date
    visits: Sequence[Visit]
    strays: Sequence[JudgedTap]
    totals: Totals
    cut: bool = False


def first_of_month(on: date, back: int = 0) -> date:
    """The first day of the month of `on`, or of the month before (`back` 1)."""
    first = on.replace(day=1)
    return first if back == 0 else (first - timedelta(days=1)).replace(day=1)


def last_of_month(first: date) -> date:
    """The last day of the month that begins on `first`."""
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def shown(visits: Iterable[Visit]) -> list[Visit]:
    """Visits that concern a courier by now: not those still to come, nor cancelled ones; newest first."""
    past = (visit for visit in visits if visit.state not in (State.PLANNED, State.CANCELLED))
    return sorted(past, key=lambda visit: (visit.date, visit.start_ns or visit.opens_ns, visit.id), reverse=True)


def stray(taps: Iterable[JudgedTap], visits: Iterable[Visit]) -> list[JudgedTap]:
    """His taps that are in no visit of his; a repeated one says nothing new. Newest first."""
    known = {tap for visit in visits for tap in visit.taps}
    found = (tap for tap in taps if tap.tap.id not in known and tap.judgement.ruling is not Ruling.REPEATED)
    return sorted(found, key=lambda tap: tap.tap.time_ns, reverse=True)


def totals(visits: Sequence[Visit], strays: Sequence[JudgedTap]) -> Totals:
    """Counted ones include those in review."""
    return Totals(
        counted=sum(visit.counted for visit in visits),
        reviewing=sum(visit.counted and visit.reviewing for visit in visits),
        not_counted=sum(not visit.counted for visit in visits),
        refused=sum(tap.judgement.ruling is Ruling.REFUSED for tap in strays),
    )
