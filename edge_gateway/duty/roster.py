"""Who is on duty when. Pure: asked with a local time, answers with ids of people in the order of the file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from edge_gateway.rules import Severity
from edge_gateway.settings import Person

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKDAY, RESTDAY, HOLIDAY, EVERY = "workday", "restday", "holiday", "every"
DAY_MIN: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Shift:
    """People from one time of day to another.

    Attributes:
        days: any of `WEEKDAYS`, `workday`, `restday`, `holiday`, `every`: of the day on which the shift begins.
        from_min, to_min: minutes since local midnight; not after each other: it ends the next day.
        sites: only there; empty: everywhere.
        severities: only of these alerts.
        care, equipment: of people, of devices that only a technician can mend; at least one.
    """

    people: tuple[str, ...]
    days: frozenset[str] = frozenset({EVERY})
    from_min: int = 0
    to_min: int = 0
    sites: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset(Severity)
    care: bool = True
    equipment: bool = True


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody is not there, both days included; `instead` takes every place of theirs, "" nobody."""

    person: str
    first: date
    last: date
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Roster:
    """The whole list; an empty one means that everybody is told, in order, at every hour.

    Attributes:
        people: who is only written here, or written here anew; those of the settings come before.
        leads: told of urgent alerts after those on duty.
        tests: who is told of tests of the alarm's way; empty: the first who would be told of an alert.
        holidays: days off whatever weekday.  workdays: days of work although a weekend.
        zone: IANA name; for what concerns no site.
    """

    people: tuple[Person, ...] = ()
    shifts: tuple[Shift, ...] = ()
    leave: tuple[Leave, ...] = ()
    leads: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()
    zone: str = "Asia/Shanghai"

    def words(self, day: date) -> frozenset[str]:
        """What a day is called. A holiday has no weekday: who works from Monday to Friday is at home."""
        if day in self.holidays:
            return frozenset({HOLIDAY, RESTDAY, EVERY})
        works = day.weekday() < 5 or day in self.workdays
        return frozenset({WEEKDAYS[day.weekday()], WORKDAY if works else RESTDAY, EVERY})

    def on_duty(self, site: str, severity: Severity, at: datetime, equipment: bool = False) -> list[str]:
        """Ids of those on duty for such an alert at this local time, first to last; who is on leave is replaced."""
        found: list[str] = []
        for shift in self.shifts:
            about = shift.equipment if equipment else shift.care
            if about and severity in shift.severities and (not shift.sites or site in shift.sites):
                day = self._begun(shift, at)
                if day is not None:
                    found += self.present(shift.people, day)
        return list(dict.fromkeys(found))

    def present(self, people: Iterable[str], day: date) -> list[str]:
        """The same people, without those on leave that day, or with who stands in for them."""
        found: list[str] = []
        for person in people:
            leave = self.away(person, day)
            stand_in = person if leave is None else leave.instead
            if stand_in and (stand_in == person or self.away(stand_in, day) is None):
                found.append(stand_in)
        return list(dict.fromkeys(found))

    def away(self, person: str, day: date) -> Leave | None:
        """Their leave on this day."""
        return next((leave for leave in self.leave if leave.person == person and leave.first <= day <= leave.last), None)

    def _begun(self, shift: Shift, at: datetime) -> date | None:
        """The day on which the shift that runs at this time began; None: it does not run."""
        minute, today = at.hour * 60 + at.minute, at.date()
        yesterday = today - timedelta(days=1)
        if shift.from_min < shift.to_min:
            runs = shift.from_min <= minute < shift.to_min
            return today if runs and shift.days & self.words(today) else None
        if minute >= shift.from_min and shift.days & self.words(today):
            return today
        if minute < shift.to_min and shift.days & self.words(yesterday):
            return yesterday
        return None
