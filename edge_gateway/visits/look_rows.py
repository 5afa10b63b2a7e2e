"""What the reading side of the ledger asks with and answers with: conditions, and rows of its own."""

from hashlib import sha256
from typing import Any

import msgspec


class PersonRow(msgspec.Struct, frozen=True):
    """Somebody in the sealed map, without what is sealed. role: elder, courier, staff ..."""

    id: str
    role: str
    site: str


class CourierLink(msgspec.Struct, frozen=True):
    """A courier's personal link, until when it is good (wall clock)."""

    courier: str
    site: str
    until_ns: int

    @property
    def expires_ns(self) -> int:
        """The same as `until_ns`."""
        return self.until_ns


class Totals(msgspec.Struct, frozen=True):
    """Visits and taps in numbers. by_state: `State` -> visits; counted, reviewing: visits; refused: taps."""

    by_state: dict[str, int]
    counted: int
    reviewing: int
    taps: int
    refused: int


class Filter:
    """Conditions of a query: what is None is not asked."""

    def __init__(self, **equal: object) -> None:
        self._parts: list[str] = []
        self.values: list[Any] = []
        for column, value in equal.items():
            if value is not None:
                self.add(f"{column} = ?", value)

    def literally(self, condition: str) -> "Filter":
        """One more condition, written so that a partial index is used."""
        self._parts.append(condition)
        return self

    def add(self, condition: str, value: object) -> "Filter":
        """One more condition with one `?`; none when the value is None."""
        if value is not None:
            self._parts.append(condition)
            self.values.append(value if not isinstance(value, bool) else int(value))
        return self

    @property
    def where(self) -> str:
        """` WHERE ...`, or nothing."""
        return f" WHERE {' AND '.join(self._parts)}" if self._parts else ""


def subject(site: str, what: str) -> str:
    """What the log calls a visit or a line of the plan, whose ids are unique in a site only."""
    return f"{site}|{what}"


def link_hash(token: str) -> bytes:
    """By what a personal link is found; the token itself is kept nowhere. It is random and long, so a plain hash is enough."""
    return sha256(token.encode("utf-8", "replace")).digest()


def of_visits(
    *,
    site: str | None = None,
    place: str | None = None,
    courier: str | None = None,
    person: str | None = None,
    service: str | None = None,
    state: str | None = None,
    reviewing: bool | None = None,
    counted: bool | None = None,
    date_from: str | None = None,
    date_to: str | None = None,
) -> Filter:
    asked = Filter(place=place, person=person, service=service, state=state)
    # A plus keeps SQLite from going through everything of a site for a few dates, or for the few in review.
    narrow = place is None and (reviewing is not None or date_from is not None)
    asked.add("+site = ?" if narrow else "site = ?", site)
    if courier is not None:
        asked.add("courier = ?", courier)
        if courier:
            asked.literally("courier <> ''")
    if reviewing is not None:
        asked.literally(f"reviewing = {int(reviewing)}")
    return asked.add("counted = ?", counted).add("date >= ?", date_from).add("date <= ?", date_to)
