"""Who is told of an alert, first to last, at an hour.

A home's own contacts, then who is on duty, then for an urgent alert the leads and everybody else: somebody is better than
nobody.
Who is told of certain homes only (a daughter, a neighbour) is never told of another's.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from edge_gateway.duty.roster import Roster
from edge_gateway.homes.said import EQUIPMENT
from edge_gateway.rules import Severity
from edge_gateway.settings import Person

# A detector whose message cannot be read may have found smoke: somebody has to call there.
_EQUIPMENT: Final = EQUIPMENT - {"detector"}


def everybody(settings: Sequence[Person], roster: Roster) -> list[Person]:
    """Everybody who is written down; the duty list's word of a person replaces that of the settings."""
    return list({person.id: person for person in (*settings, *roster.people)}.values())


def chain(
    people: Sequence[Person],
    roster: Roster,
    contacts: Sequence[str],
    site: str,
    severity: Severity,
    at: datetime,
    equipment: bool = False,
) -> list[Person]:
    """The people with an address who are told, first to last.

    Args:
        people: of `everybody`.
        contacts: of the home, told before the others, but not of equipment.
        at: local time of the site.
        equipment: a technician has to mend something.
    """
    known = {person.id: person for person in people if person.urls}
    staff = [person.id for person in known.values() if not person.homes_only]
    contacts = () if equipment else contacts
    first = roster.present([person for person in contacts if person in known], at.date())
    duty = roster.on_duty(site, severity, at, equipment) if roster.shifts else roster.present(staff, at.date())
    if not _known(duty, known):
        duty = roster.on_duty(site, severity, at, not equipment)  # somebody is there, though for other things
    leads = roster.present(roster.leads, at.date())
    ids = [*first, *duty]
    if severity is Severity.URGENT:
        ids += [*leads, *roster.present(staff, at.date())]
    found = _known(ids, known)
    if not found or (severity is not Severity.URGENT and not _known(duty, known)):
        # A gap in the list: nobody on duty has an address.
        found = _known([*ids, *leads], known) or _known(roster.present(staff, at.date()), known)
    return found or _known([*contacts, *staff], known)  # everybody is on leave


def is_equipment(rule: str, severity: Severity) -> bool:
    """Whether a technician is who can help. Whatever is urgent is about a person, or may be."""
    return rule in _EQUIPMENT and severity is not Severity.URGENT


def chain_of_test(people: Sequence[Person], roster: Roster, usual: Sequence[Person]) -> list[Person]:
    """Who is told of a test: those the list names for it, else whoever would be told of an alert."""
    return _known(roster.tests, {person.id: person for person in people if person.urls}) or list(usual)


def _known(ids: Iterable[str], known: dict[str, Person]) -> list[Person]:
    return [known[person] for person in dict.fromkeys(ids) if person in known]
