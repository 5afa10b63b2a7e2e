"""One day of meals at one site, read from the ledger: what was served, handed over and claimed, and what does not fit."""

from datetime import date, timedelta, tzinfo
from typing import TYPE_CHECKING

import msgspec

from edge_gateway.visits.served import DayTotal, Difference, join

if TYPE_CHECKING:
    from edge_gateway.visits.look import Ledger


class MealDay(msgspec.Struct, frozen=True):
    """What is known now; a record that comes late changes it.

    Attributes:
        totals: of each courier and elder, by holder.
        differences: in the order of holder and time.
    """

    site: str
    date: str
    totals: list[DayTotal]
    differences: list[Difference]

    def sum(self, name: str) -> int:
        """Over all: `served`, `handed_over`, `claimed` or another number of `DayTotal`; grams are rounded."""
        numbers: list[float] = [getattr(total, name) for total in self.totals]
        return round(sum(numbers))


def meal_day(ledger: "Ledger", site: str, on: str, zone: tzinfo) -> MealDay:
    """The day, with its neighbours for what is carried over midnight.

    Args:
        on: local date.
    Raises:
        ValueError: `on` is no date.
    """
    day = date.fromisoformat(on)
    first, last = ((day + timedelta(n)).isoformat() for n in (-1, 1))
    visits = ledger.each_visit(site=site, date_from=first, date_to=last)
    served = ledger.each_served(site=site, date_from=first, date_to=last)
    totals, differences = join(served, visits, zone)
    mine = [one for one in differences if one.date == on]
    return MealDay(site, on, [total for total in totals if total.date == on], mine)
