"""Whom the running gateway tells: people of the settings and of the duty list, homes with their contacts, and the hour."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from edge_gateway.alerts import Alert
from edge_gateway.alerts.ladder import SIREN
from edge_gateway.duty.chain import chain, chain_of_test, everybody, is_equipment
from edge_gateway.duty.check import strangers
from edge_gateway.duty.roster import Roster
from edge_gateway.registry import Registry
from edge_gateway.rules import Severity
from edge_gateway.rules.words import local, zone
from edge_gateway.settings import Alerts, Person

_LINES: Final = 5
_MINUTE_NS: Final = 60 * 10**9


class DutyDesk:
    """
    Attributes:
        people: everybody who is written down, of the settings and of the duty list.
    """

    def __init__(self, settings: Alerts, registry: Registry) -> None:
        self.people: Sequence[Person] = settings.people
        self.roster = Roster()
        self._settings = settings
        self._registry = registry
        self._minute = -1
        self._found: dict[tuple[str, tuple[str, ...], Severity, bool], Sequence[Person]] = {}

    def use(self, roster: Roster) -> None:
        """A new duty list."""
        self.roster = roster
        self._minute = -1
        self.people = everybody(self._settings.people, roster)

    def expect(self, registry: Registry) -> None:
        """A changed registry."""
        self._registry = registry
        self._minute = -1

    def alerts(self) -> Alerts:
        """The settings with everybody who can be told, for the sender: the siren too."""
        # Not validated: the siren's word is no person's id, and so nobody can be called it.
        siren = [Person.model_construct(id=SIREN, urls=self._settings.siren)] if self._settings.siren else []
        return self._settings.model_copy(update={"people": [*self.people, *siren]})

    def tell(self, alert: Alert, now_ns: int) -> Sequence[Person]:
        """Whom to tell of this alert now, first to last."""
        if alert.test:
            # The way to those who would be told of an SOS is tried; a daughter is not asked every morning.
            return chain_of_test(self.people, self.roster, self.at(alert.site, "", Severity.URGENT, now_ns))
        # What the staff only has to know is no news for a daughter: a pause may be meant for her.
        place = "" if alert.once else alert.place
        return self.at(alert.site, place, alert.severity, now_ns, is_equipment(alert.rule, alert.severity))

    def at(self, site: str, place: str, severity: Severity, now_ns: int, equipment: bool = False) -> Sequence[Person]:
        """Whom to tell of such an alert at this time; `equipment`: a technician has to mend something."""
        home = self._registry.homes.get((site, place))
        contacts = home.contacts if home is not None else ()
        minute = now_ns // _MINUTE_NS
        if minute != self._minute:  # the list knows no seconds; thousands of alerts ask at once
            self._minute, self._found = minute, {}
        key = site, contacts, severity, equipment
        found = self._found.get(key)
        if found is None:
            at = local(now_ns, self.zone(site))
            found = chain(self.people, self.roster, contacts, site, severity, at, equipment)
            self._found[key] = found
        return found

    def zone(self, site: str) -> tzinfo:
        """The site's, else that of the duty list."""
        return zone(self._registry, site) if site in self._registry.sites else ZoneInfo(self.roster.zone)

    def trouble(self) -> str:
        """What a person has to mend in the list; "" nothing."""
        lines = self.trouble_lines()
        more = f"; and {len(lines) - _LINES} more" if len(lines) > _LINES else ""
        return "; ".join(lines[:_LINES]) + more

    def trouble_lines(self) -> list[str]:
        """Each thing to mend."""
        return strangers(self.people, self.roster, contacts_of(self._registry))


def contacts_of(registry: Registry) -> Mapping[str, Sequence[str]]:
    """Contacts of the homes, by `site/place`."""
    return {f"{site}/{place}": home.contacts for (site, place), home in registry.homes.items()}
