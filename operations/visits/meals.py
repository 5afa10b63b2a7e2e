"""The page of meals: what each courier and elder was served, handed over and is claimed on each day, and where these differ.

Meals and visits are joined day by day as they come, so a month takes the memory of a day or two. Made and verified alike.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Final

from edge_gateway.visits.meals import CARRY_S
from edge_gateway.visits.records import CardRole, Served, Visit
from edge_gateway.visits.served import DayTotal, Difference, difference_words, join, may_be_meal
from edge_gateway.visits.words import role
from operations.visits.columns import Column, Row, clean

COLUMNS: Final = (
    Column("date", "日期", 11),
    Column("holder", "谁", 12),
    Column("role", "身份", 9),
    Column("served", "取餐", 7, number=True),
    Column("grams", "克", 8, number=True),
    Column("handed_over", "送达", 7, number=True),
    Column("claimed", "计入", 7, number=True),
    Column("differences", "不符项数", 9, number=True),
    Column("unweighed", "没有重量", 9, number=True),
    Column("confirmed", "人工确认", 9, number=True),
    Column("shared_meals", "同点另一餐", 10, number=True),
    Column("shared_visits", "同点另一次", 10, number=True),
    Column("uncompared", "无法核对", 9, number=True),
    Column("words", "不符说明", 60),
)
KEY: Final = 3  # columns by which a row is found again
_MOST_JOINED: Final = 7  # days; a counter that is never quiet is cut there
_APART_NS: Final = 600 * 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def neighbours(month: str) -> tuple[str, str]:
    """The dates before and after a month: a meal may be carried over midnight."""
    first = date.fromisoformat(f"{month}-01")
    return (first - timedelta(1)).isoformat(), (first + timedelta(32)).replace(day=1).isoformat()


class Joiner:
    """Takes the visits of a site in the order of their dates, and gives rows as soon as nothing can change them any more.

    Args:
        meals: of the same dates, in their order.
        month: of the rows that are wanted; what comes of other dates is there to be compared with.
        write: is given each row.
    Attributes:
        differences: how many were found in the month.
    """

    def __init__(self, meals: Iterable[Served], zone: tzinfo, language: str, month: str, write: Callable[[Row], None]) -> None:
        self._meals = groupby(meals, key=lambda meal: meal.date)
        self._zone, self._language = zone, language
        self._month, self._write = month, write
        self._next = self._pull()
        self._date = ""
        self._visits: list[Visit] = []
        self._open: tuple[list[Served], list[Visit]] = ([], [])
        self._joined = 0
        self.differences = 0

    def add(self, visit: Visit) -> None:
        """One visit, of any service."""
        if visit.date != self._date:
            self._over()
            self._date = visit.date
        if may_be_meal(visit):
            self._visits.append(visit)

    def end(self) -> None:
        """There are no more visits."""
        self._over()
        while self._next is not None:
            self._day(self._next[0], self._take(), [])
        self._give()

    def _pull(self) -> tuple[str, list[Served]] | None:
        found = next(self._meals, None)
        return None if found is None else (found[0], list(found[1]))

    def _take(self) -> list[Served]:
        assert self._next is not None
        meals = self._next[1]
        self._next = self._pull()
        return meals

    def _over(self) -> None:
        """All visits of a date are here."""
        if not self._date:
            return
        while self._next is not None and self._next[0] < self._date:
            self._day(self._next[0], self._take(), [])
        meals = self._take() if self._next is not None and self._next[0] == self._date else []
        visits, self._visits = self._visits, []
        self._day(self._date, meals, visits)

    def _day(self, on: str, meals: list[Served], visits: list[Visit]) -> None:
        self._open[0].extend(meals)
        self._open[1].extend(visits)
        self._joined += 1
        if self._joined >= _MOST_JOINED or self._quiet(on, meals, visits):
            self._give()

    def _quiet(self, on: str, meals: list[Served], visits: list[Visit]) -> bool:
        """Whether nothing of this date can belong to anything of the next."""
        midnight = datetime.combine(date.fromisoformat(on) + timedelta(1), time(), self._zone)
        ends_ns = (midnight - _EPOCH) // timedelta(microseconds=1) * 1000 - _APART_NS
        carried = all(meal.time_ns + CARRY_S * 10**9 < ends_ns for meal in meals)
        return carried and all((visit.start_ns or visit.closes_ns) + _APART_NS < ends_ns for visit in visits)

    def _give(self) -> None:
        totals, differences = join(*self._open, self._zone)
        self._open, self._joined = ([], []), 0
        for row in rows(totals, differences, self._language):
            if str(row[0]).startswith(self._month):
                self.differences += int(row[_DIFFERENCES])
                self._write(row)


_DIFFERENCES: Final = [column.key for column in COLUMNS].index("differences")


def rows(totals: Iterable[DayTotal], differences: Iterable[Difference], language: str) -> Iterator[Row]:
    """Rows of `COLUMNS` by date and holder; a day without a counter has a row of its own."""
    told: dict[tuple[str, str, str], list[Difference]] = defaultdict(list)
    for one in differences:
        told[one.date, one.holder, _side(one)].append(one)
    known = {(total.date, total.holder, total.role.value): total for total in totals}
    for key in sorted(known.keys() | told.keys()):
        on, holder, side = key
        of = known.get(key) or DayTotal("", holder, CardRole(side), on)
        sums = (of.served, round(of.grams), of.handed_over, of.claimed, len(told[key]))
        more = (of.unweighed, of.confirmed, of.shared_meals, of.shared_visits, of.uncompared)
        words = " ".join(difference_words(one, language) for one in told[key])
        yield (on, clean(holder), role(CardRole(side), language) if holder else "", *sums, *more, clean(words))


def _side(one: Difference) -> str:
    """As the totals have it: a member of staff who brings a meal is a courier that day."""
    return (one.role if one.role is CardRole.ELDER else CardRole.COURIER).value
