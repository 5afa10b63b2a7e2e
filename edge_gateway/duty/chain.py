"""Who is told of an alert, first to last, at an hour.

A home's own contacts, then who is on duty, then for an urgent alert the leads and everybody else: somebody is better than
nobody.
Who is told of certain homes only (a daughter, a neighbour) is never told of another's.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from edge_gateway.duty.roster import Roster
from edge_gateway.rules import Severity
from edge_gateway.settings import Person


def everybody(settings: Sequence[Person], roster: Roster) -> list[Person]:
    """Everybody who is written down; the duty list's word of a person replaces that of the settings."""
    return list({person.id: person for person in (*settings, *roster.people)}.values())


def chain(
    people: Sequence[Person], roster: Roster, contacts: Sequence[str], site: str, severity: Severity, at: datetime
) -> list[Person]:
    """The people with an address who are told, first to last.

    Args:
        people: of `everybody`.
        contacts: of the home, told before the others unless it is only a notice, which is for the technician.
        at: local time of the site.
    """
    known = {person.id: person for person in people if person.urls}
    staff = [person.id for person in known.values() if not person.homes_only]
    contacts = [] if severity is Severity.NOTICE and roster.shifts else contacts
    first = roster.present([person for person in contacts if person in known], at.date())
    duty = roster.on_duty(site, severity, at) if roster.shifts else roster.present(staff, at.date())
    leads = roster.present(roster.leads, at.date())
    ids = [*first, *duty]
    if severity is Severity.URGENT:
        ids += [*leads, *roster.present(staff, at.date())]
    found = _known(ids, known)
    if not found or (severity is not Severity.URGENT and not _known(duty, known)):
        # A gap in the list: nobody on duty has an address.
        found = _known([*ids, *leads], known) or _known(roster.present(staff, at.date()), known)
    return found or _known([*contacts, *staff], known)  # everybody is on leave


def chain_of_test(people: Sequence[Person], roster: Roster, usual: Sequence[Person]) -> list[Person]:
    """Who is told of a test: those the list names for it, else whoever would be told of an alert."""
    return _known(roster.tests, {person.id: person for person in people if person.urls}) or list(usual)


def _known(ids: Iterable[str], known: dict[str, Person]) -> list[Person]:
    return [known[person] for person in dict.fromkeys(ids) if person in known]
