"""Whose an answer is: by the number or user id it came from, as it stands in people's addresses. Pure."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from edge_gateway.settings import Person

_NUMBER: Final = re.compile(r"(\+|00)?[0-9][0-9 ()-]{3,20}[0-9]")
# Options of addresses that name a person.
_OPTIONS: Final = ("mobile", "user", "at")
_CALLS: Final = ("sms", "voice")


def normal(sender: str) -> str:
    """A number without spaces and China's 86, however a provider writes it; anything else as it is."""
    sender = sender.strip()
    if _NUMBER.fullmatch(sender) is None:
        return sender
    digits = re.sub(r"[^0-9]", "", sender)
    digits = digits.removeprefix("00") if not sender.startswith("+") else digits
    return digits[2:] if len(digits) == 13 and digits.startswith("861") else digits


def contacts_of(person: Person) -> frozenset[str]:
    """Every number and user id of a person."""
    found: set[str] = set()
    for url in person.urls:
        try:
            parts = urlsplit(url)
            options = parse_qs(parts.query)
        except ValueError:
            continue
        if parts.scheme in _CALLS:
            found.add(unquote(parts.netloc))
        found |= {part for name in _OPTIONS for value in options.get(name, []) for part in value.split(",")}
    return frozenset(normal(one) for one in found if one.strip())


def people_at(people: Iterable[Person], sender: str) -> list[str]:
    """Ids of all whose number or user id this is; a telephone may be that of two, and then nobody knows who answered."""
    wanted = normal(sender)
    return [person.id for person in people if wanted and wanted in contacts_of(person)]
