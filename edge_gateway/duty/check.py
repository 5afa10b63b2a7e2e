"""What is wrong with a duty list that can be read: names of nobody, people without an address, hours without anybody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from edge_gateway.duty.roster import Roster
from edge_gateway.rules import Severity
from edge_gateway.settings import Person

STEP: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody with an address is on duty for urgent alerts of a site, local times."""

    site: str
    start: datetime
    end: datetime


def strangers(people: Sequence[Person], roster: Roster, contacts: Mapping[str, Sequence[str]]) -> list[str]:
    """Lines about ids that are nobody's, and about people without an address.

    Args:
        contacts: of homes, by their name.
    """
    known = {person.id: person for person in people}
    lines: list[str] = []
    for where, ids in _named(roster, contacts):
        for person in dict.fromkeys(ids):
            if person not in known:
                lines.append(f"{where}: {person} is nobody in [[people]] or [[alerts.people]]")
            elif not known[person].urls:
                lines.append(f"{where}: {person} has no urls and cannot be told")
    return lines


def gaps(people: Sequence[Person], roster: Roster, site: str, start: datetime, days: int) -> list[Gap]:
    """Hours without anybody, from `start` (local time of the site) on; none where there are no shifts."""
    if not roster.shifts:
        return []
    reachable = {person.id for person in people if person.urls}
    found: list[Gap] = []
    at = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    end = at + timedelta(days=days)
    while at < end:
        if reachable.isdisjoint(roster.on_duty(site, Severity.URGENT, at)):
            if found and found[-1].end == at:
                found[-1] = Gap(site, found[-1].start, at + STEP)
            else:
                found.append(Gap(site, at, at + STEP))
        at += STEP
    return found


def _named(roster: Roster, contacts: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, Sequence[str]]]:
    for number, shift in enumerate(roster.shifts):
        yield f"shifts[{number}]", shift.people
    for leave in roster.leave:
        yield "leave", [person for person in (leave.person, leave.instead) if person]
    yield "leads", roster.leads
    yield "tests", roster.tests
    for home, ids in contacts.items():
        yield f"contacts of {home}", ids
