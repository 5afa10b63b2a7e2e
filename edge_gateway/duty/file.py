"""The file `duty.toml`: read, checked, and taken up again when it was changed while the gateway runs."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from edge_gateway.duty.roster import EVERY, HOLIDAY, RESTDAY, WEEKDAYS, WORKDAY, Leave, Roster, Shift
from edge_gateway.errors import Misconfigured
from edge_gateway.rules import Severity
from edge_gateway.settings import Person
from edge_gateway.topics import ID

_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)|(24:00)")
_KEYS: Final = ("people", "shifts", "leave", "leads", "tests", "holidays", "workdays", "zone")
_SHIFT: Final = ("people", "days", "from", "to", "sites", "severities", "about")
_ABOUT: Final = ("care", "equipment")
_LEAVE: Final = ("person", "from", "to", "instead")
_USUAL: Final = {"mon-fri": WORKDAY, "sat-sun": RESTDAY}
_LONGEST: Final = 400  # days of one holiday or leave
_Seen = tuple[int, int, int]  # time of change, size, inode


def load(path: Path) -> Roster:
    """The list; an empty one when there is no file.

    Raises:
        Misconfigured: everything that is wrong with it at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Roster()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read {path}: {error}", "it should be a text in UTF-8") from error
    try:
        return parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}", "mend the line it names") from error
    except Misconfigured as error:
        raise Misconfigured(f"{path}: {error.detail}", "see docs/alerts.md; `kanhu duty check` looks at it") from error


def parse(table: Mapping[str, Any]) -> Roster:
    """The list of a TOML document. Raises Misconfigured, without saying of which file."""
    problems: list[str] = []
    _unknown(table, _KEYS, "the file", problems)
    roster = Roster(
        people=_people(table, problems),
        shifts=tuple(_shift(row, f"shifts[{n}]", problems) for n, row in enumerate(_tables(table, "shifts", problems))),
        leave=tuple(_leave(row, f"leave[{n}]", problems) for n, row in enumerate(_tables(table, "leave", problems))),
        leads=_ids(table, "leads", "the file", problems),
        tests=_ids(table, "tests", "the file", problems),
        holidays=_days(table, "holidays", problems),
        workdays=_days(table, "workdays", problems),
        zone=_zone(table, problems),
    )
    if problems:
        raise Misconfigured("; ".join(problems[:20]))
    return roster


class DutyWatch:
    """Looks at the file while the gateway runs; the last good list stays in use whatever is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: _Seen = (0, 0, 0)
        self._loaded: _Seen = (0, 0, 0)
        self._any = False
        self._looked = False

    def changed(self) -> Roster | None:
        """The list of a file that is new since the last look but one, at the first look at once; None: nothing new.

        Raises:
            Misconfigured: what is wrong with it; told once for each change of the file.
        """
        try:
            file = self._path.stat()
            seen = (file.st_mtime_ns, file.st_size, file.st_ino)
        except OSError:
            seen = (0, 0, 0)
        before, self._seen = self._seen, seen
        first, self._looked = not self._looked, True
        if seen == self._loaded or (seen != before and not first):
            return None
        self._loaded = seen
        if seen == (0, 0, 0) and self._any:
            raise Misconfigured(f"{self._path} is gone", "the last good duty list stays in use until the next start")
        roster = load(self._path)
        self._any = True
        return roster


def _people(table: Mapping[str, Any], problems: list[str]) -> tuple[Person, ...]:
    found: dict[str, Person] = {}
    for n, row in enumerate(_tables(table, "people", problems)):
        try:
            person = Person.model_validate(row)
        except ValidationError as error:
            # Never the input: an address holds a secret.
            problems.append(f"people[{n}]: " + ", ".join(f"{'.'.join(map(str, e['loc']))} {e['msg']}" for e in error.errors()))
            continue
        if person.id in found:
            problems.append(f"people[{n}]: {person.id} is there twice")
        found[person.id] = person
    return tuple(found.values())


def _shift(row: Mapping[str, Any], where: str, problems: list[str]) -> Shift:
    _unknown(row, _SHIFT, where, problems)
    people = _ids(row, "people", where, problems)
    if not people:
        problems.append(f"{where}: people is empty; name at least one")
    severities = row.get("severities", [s.value for s in Severity])
    if not isinstance(severities, list) or not severities or any(s not in [v.value for v in Severity] for s in severities):
        problems.append(f"{where}: severities is {severities!r}; a list of {', '.join(Severity)}")
        severities = []
    about = row.get("about", list(_ABOUT))
    if not isinstance(about, list) or not about or any(word not in _ABOUT for word in about):
        problems.append(f"{where}: about is {about!r}; a list of {', '.join(_ABOUT)}")
        about = []
    sites = _ids(row, "sites", where, problems)
    days = _day_words(row.get("days", EVERY), where, problems)
    start, end = _minute(row, "from", where, problems), _minute(row, "to", where, problems)
    only = frozenset(Severity(s) for s in severities)
    return Shift(people, days, start, end, frozenset(sites), only, "care" in about, "equipment" in about)


def _leave(row: Mapping[str, Any], where: str, problems: list[str]) -> Leave:
    _unknown(row, _LEAVE, where, problems)
    person, instead = row.get("person", ""), row.get("instead", "")
    for name, value, needed in (("person", person, True), ("instead", instead, False)):
        if not isinstance(value, str) or ((needed or value) and ID.fullmatch(value) is None):
            problems.append(f"{where}: {name} is {value!r}; the id of a person")
    first, last = _day(row.get("from"), f"{where}: from", problems), _day(row.get("to"), f"{where}: to", problems)
    if not timedelta() <= last - first <= timedelta(days=_LONGEST):
        problems.append(f"{where}: to {last} should be 0 to {_LONGEST} days after from {first}")
    return Leave(str(person), first, last, str(instead))


def _day_words(value: Any, where: str, problems: list[str]) -> frozenset[str]:
    """`mon-fri`, `sat`, `workday`, or a list of such.

    Monday to Friday are the days of work, Saturday to Sunday those of rest, wherever the calendar puts them: who works from
    Monday to Friday works on a Saturday that makes up for a holiday.
    """
    words: list[str] = []
    for text in value if isinstance(value, list) else [value]:
        text = _USUAL.get(text, text) if isinstance(text, str) else text
        first, dash, last = str(text).partition("-")
        if text in (WORKDAY, RESTDAY, HOLIDAY, EVERY, *WEEKDAYS):
            words.append(str(text))
        elif dash and first in WEEKDAYS and last in WEEKDAYS:
            start = WEEKDAYS.index(first)
            words += [WEEKDAYS[(start + n) % 7] for n in range((WEEKDAYS.index(last) - start) % 7 + 1)]
        else:
            problems.append(f"{where}: days {text!r}; mon to sun, mon-fri, workday, restday, holiday or every")
    return frozenset(words)


def _minute(row: Mapping[str, Any], key: str, where: str, problems: list[str]) -> int:
    value = row.get(key, "00:00")
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        problems.append(f'{where}: {key} is {value!r}; a time of day such as "18:00"')
        return 0
    return 0 if match[3] else int(match[1]) * 60 + int(match[2])


def _days(table: Mapping[str, Any], key: str, problems: list[str]) -> frozenset[date]:
    """Days, or `2026-10-01..2026-10-07`."""
    value = table.get(key, [])
    if not isinstance(value, list):
        problems.append(f'{key} is {value!r}; a list such as ["2026-10-01..2026-10-07", "2027-01-01"]')
        return frozenset()
    found: set[date] = set()
    for text in value:
        start, _, end = str(text).partition("..")
        first = _day(start, key, problems)
        last = _day(end, key, problems) if end else first
        if not 0 <= (last - first).days <= _LONGEST:
            problems.append(f"{key}: {text!r} should be 0 to {_LONGEST} days long")
            continue
        found |= {first + timedelta(days=n) for n in range((last - first).days + 1)}
    return frozenset(found)


def _day(value: Any, where: str, problems: list[str]) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        problems.append(f"{where} is {value!r}; a day such as 2026-10-01")
        return date(2000, 1, 1)


def _ids(row: Mapping[str, Any], key: str, where: str, problems: list[str]) -> tuple[str, ...]:
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, str) and ID.fullmatch(v) for v in value):
        problems.append(f"{where}: {key} is {value!r}; a list of ids (a-z, 0-9, - and _)")
        return ()
    return tuple(dict.fromkeys(value))


def _tables(table: Mapping[str, Any], key: str, problems: list[str]) -> list[Mapping[str, Any]]:
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append(f"{key} should be tables [[{key}]]")
        return []
    return rows


def _zone(table: Mapping[str, Any], problems: list[str]) -> str:
    name = table.get("zone", Roster().zone)
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError, TypeError):
        problems.append(f"zone is {name!r}; a name such as Asia/Shanghai")
        return "UTC"
    return str(name)


def _unknown(row: Mapping[str, Any], known: tuple[str, ...], where: str, problems: list[str]) -> None:
    if unknown := row.keys() - set(known):
        problems.append(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(known)}")
