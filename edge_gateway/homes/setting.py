"""What a person wrote down about a home: whom to tell, when its night is, what is normal there. Pseudonyms only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from edge_gateway.topics import ID

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_CONTACT: Final = re.compile(r"contact(\.[a-z0-9_]{1,24})?")
_SPAN: Final = re.compile(r"(\S+?)-(\S+)")


@dataclass(frozen=True, slots=True)
class HomeSetting:
    """One home that is watched over. Times of day are minutes since local midnight.

    Attributes:
        site, place: as devices name them.
        person: pseudonym of who lives there; "" nobody was named.
        contacts: ids of those who are told of this home before the duty list, in order.
        day_from, evening_from, night_from: when its three bands begin.
        limit_h: longest silence before somebody is asked, until the home's own habits are learned; hours.
        bed_h: longest stay in bed, or in the chair, that is still rest, hours; learning only makes it longer.
        bed_exit_min: so long out of bed at night without coming back is a worry, minutes; 0: not watched.
        door_min: the door may stand open so long at night, minutes; 0: not watched.
        wander_min: so long on the feet at night is a worry, minutes; 0: not watched.
        prewarn_s: how long the home asks before people are called, seconds; 0: it does not ask.
        cold, heat: limits of notice, warning, urgent, Celsius.  warm_bed: bedroom at night, warning above.
        medication: times of day between which the medication button is expected, (from, to) each.
        model: the learned model decides beside the fixed rules.
        press_days: a real press of the button is asked for after so many days; 0: never.
        meals: as `medication`, of the button that says that a meal was eaten.
        exits: names of the contacts at doors that lead outside; empty: `contact`, and those whose channel begins with front,
            main, entr, exit, out or door.
        pause_h: how long a pause lasts that the elder begins by a button, hours; 0: nobody can pause by a button.
    """

    site: str
    place: str
    person: str = ""
    contacts: tuple[str, ...] = ()
    day_from: int = 6 * 60
    evening_from: int = 18 * 60
    night_from: int = 22 * 60
    limit_h: float = 12.0
    bed_h: float = 12.0
    bed_exit_min: float = 45.0
    door_min: float = 15.0
    wander_min: float = 90.0
    prewarn_s: int = 600
    cold: tuple[float, float, float] = (18.0, 16.0, 12.0)
    heat: tuple[float, float, float] = (26.0, 30.0, 32.0)
    warm_bed: float = 28.0
    medication: tuple[tuple[int, int], ...] = ()
    model: bool = False
    press_days: int = 31
    meals: tuple[tuple[int, int], ...] = ()
    exits: tuple[str, ...] = ()
    pause_h: float = 12.0

    @property
    def key(self) -> tuple[str, str]:
        """(site, place): how a home is found everywhere."""
        return self.site, self.place


_NUMBERS: Final = {
    "limit_h": (0.5, 72.0),
    "bed_h": (4.0, 48.0),
    "bed_exit_min": (0.0, 600.0),
    "door_min": (0.0, 600.0),
    "wander_min": (0.0, 600.0),
    "warm_bed": (15.0, 45.0),
    "pause_h": (0.0, 24.0),
}
_WHOLE: Final = {"prewarn_s": (0, 3600), "press_days": (0, 366)}
_CLOCKS: Final = ("day_from", "evening_from", "night_from")
KEYS: Final = tuple(field.name for field in fields(HomeSetting))


def parse(row: Any, where: str, sites: Mapping[str, object], problems: list[str]) -> HomeSetting | None:
    """A home from a table `[[homes]]`; None after a line in `problems` for each thing that is wrong."""
    if not isinstance(row, dict):
        problems.append(f"{where}: must be a table")
        return None
    before = len(problems)
    if unknown := row.keys() - set(KEYS):
        problems.append(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(KEYS))}")
    site, place, person = row.get("site"), row.get("place"), row.get("person", "")
    for key, value, needed in (("site", site, True), ("place", place, True), ("person", person, False)):
        if not isinstance(value, str) or ((needed or value) and ID.fullmatch(value) is None):
            problems.append(f"{where}: {key} is {value!r}; a-z, 0-9, - and _, at most 48 characters")
    if isinstance(site, str) and site not in sites:
        problems.append(f"{where}: site {site!r} has no [sites.{site}]")
    given: dict[str, Any] = {"contacts": _ids(row, where, problems)}
    for key, (least, most) in (_NUMBERS | _WHOLE).items():
        if key in row:
            given[key] = _number(row[key], f"{where}: {key}", least, most, key in _WHOLE, problems)
    for key in _CLOCKS:
        if key in row:
            given[key] = _minutes(row[key], f"{where}: {key}", problems)
    for key in ("cold", "heat"):
        if key in row:
            given[key] = _ladder(row[key], f"{where}: {key}", key == "heat", problems)
    for key in ("medication", "meals"):
        if key in row:
            given[key] = _spans(row[key], f"{where}: {key}", problems)
    if "exits" in row:
        given["exits"] = _contacts(row["exits"], f"{where}: exits", problems)
    if not isinstance(row.get("model", False), bool):
        problems.append(f"{where}: model is {row['model']!r}; true or false")
    if len(problems) > before:
        return None
    found = HomeSetting(site=str(site), place=str(place), person=person, model=bool(row.get("model", False)), **given)
    if not found.day_from < found.evening_from < found.night_from:
        problems.append(f"{where}: day_from, evening_from and night_from must follow each other within one day")
        return None
    return found


def _ids(row: Mapping[str, Any], where: str, problems: list[str]) -> tuple[str, ...]:
    contacts = row.get("contacts", [])
    if not isinstance(contacts, list) or not all(isinstance(c, str) and ID.fullmatch(c) for c in contacts):
        problems.append(f"{where}: contacts is {contacts!r}; a list of ids of alerts.people")
        return ()
    return tuple(dict.fromkeys(contacts))


def _contacts(value: Any, where: str, problems: list[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and _CONTACT.fullmatch(name) for name in value):
        problems.append(f'{where} is {value!r}; a list of contacts such as ["contact.front"]')
        return ()
    return tuple(dict.fromkeys(value))


def _number(value: Any, where: str, least: float, most: float, whole: bool, problems: list[str]) -> float:
    right = type(value) is int or (type(value) is float and not whole)
    if not right or not least <= value <= most:
        problems.append(f"{where} is {value!r}; a {'whole ' if whole else ''}number from {least:g} to {most:g}")
        return least
    return value if whole else float(value)


def _minutes(value: Any, where: str, problems: list[str]) -> int:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        problems.append(f'{where} is {value!r}; a time of day such as "22:00"')
        return 0
    return int(match[1]) * 60 + int(match[2])


def _spans(value: Any, where: str, problems: list[str]) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list):
        problems.append(f'{where} is {value!r}; a list such as ["07:30-09:00", "19:00-20:30"]')
        return ()
    spans = []
    for text in value:
        match = _SPAN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            problems.append(f'{where}: {text!r}; from and to such as "07:30-09:00"')
            continue
        start, end = _minutes(match[1], where, problems), _minutes(match[2], where, problems)
        if start >= end:
            problems.append(f"{where}: {text!r} ends before it begins")
        spans.append((start, end))
    return tuple(spans)


def _ladder(value: Any, where: str, rising: bool, problems: list[str]) -> tuple[float, float, float]:
    good = isinstance(value, list) and len(value) == 3 and all(type(v) in (int, float) and -10 <= v <= 50 for v in value)
    if not good or sorted(value, reverse=not rising) != value or len(set(value)) != 3:
        order = "rising" if rising else "falling"
        problems.append(f"{where} is {value!r}; three {order} temperatures, Celsius: notice, warning, urgent")
        return (0.0, 0.0, 0.0)
    return float(value[0]), float(value[1]), float(value[2])
