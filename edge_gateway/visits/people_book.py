"""Who is behind a pseudonym, sealed; and who looked, in the chain. Personal links of couriers."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge_gateway.errors import Rejected
from edge_gateway.visits.book import Book
from edge_gateway.visits.look import link_hash

_DAY_NS: Final = 86_400 * 10**9
_SHORTEST: Final = {"name": 2, "phone": 7, "address": 4}  # characters; shorter ones stand in many a text
PLACE: Final = "place"  # role of a row that tells where a place is


class PeopleBook:
    """Changes are made within a transaction of the book; no name is in the chain or in a log."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def set(self, person: str, role: str, site: str, details: Mapping[str, Any], by: str) -> None:
        """Write down who `person` is; what was there is replaced.

        Raises:
            Rejected: another site has a person of this id: one of the two would get the other's name and address.
        """
        known = self._book.db.execute("SELECT site FROM person WHERE id = ? AND site <> ?", (person, site)).fetchone()
        if known is not None:
            raise Rejected(
                "other_site",
                f"{person} is a person or place of {known[0]}; take another id (or `kanhu people forget {person}`)",
            )
        sealed = self._book.seal.seal(json.dumps(dict(details), ensure_ascii=False).encode(), f"person/{person}")
        self._book.db.execute(
            "INSERT INTO person (id, site, role, sealed) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " site = excluded.site, role = excluded.role, sealed = excluded.sealed",
            (person, site, role, sealed),
        )
        self._book.write("person", person, by, {"role": role, "site": site})

    def forget(self, person: str, by: str, site: str = "") -> bool:
        """Take a person out of the map; the ledger keeps the pseudonym. Whether there was one.

        Args:
            site: only one of this site; "" of any.
        """
        gone = self._book.db.execute("DELETE FROM person WHERE id = ? AND ? IN (site, '')", (person, site)).rowcount > 0
        if gone:
            self._book.write("person_forgotten", person, by, {})
        return gone

    def reveal(self, ids: Sequence[str], by: str, why: str, site: str = "") -> dict[str, dict[str, Any]]:
        """Names of those who are known; that somebody looked is written down with it, also for those who are not.

        Args:
            site: only those of this site; "" of any. Homes of two sites may have one number.
        """
        found = {}
        for person in dict.fromkeys(ids):
            details = self._details(person, site)
            self._book.write("revealed", person, by, {"why": why, "known": details is not None})
            if details is not None:
                found[person] = details
        return found

    def position(self, place: str) -> tuple[float, float] | None:
        """Latitude and longitude of a place, where somebody wrote them down."""
        details = self._details(place) or {}
        lat, lon = details.get("lat"), details.get("lon")
        return (lat, lon) if isinstance(lat, float) and isinstance(lon, float) else None

    def struck(self, text: str) -> str:
        """The text with pseudonyms where it had a name, a telephone or an address of the map."""
        known: list[tuple[str, str]] = []
        for person, sealed in self._book.db.execute("SELECT id, sealed FROM person"):
            details = json.loads(self._book.seal.open(sealed, f"person/{person}"))
            for what, shortest in _SHORTEST.items():
                value = str(details.get(what) or "").strip()
                if len(value) >= shortest and value in text:
                    known.append((value, person))
        for value, person in sorted(known, key=lambda pair: -len(pair[0])):  # an address may hold a name
            text = text.replace(value, person)
        return text

    def _details(self, person: str, site: str = "") -> dict[str, Any] | None:
        row = self._book.db.execute("SELECT sealed FROM person WHERE id = ? AND ? IN (site, '')", (person, site)).fetchone()
        if row is None:
            return None
        found: dict[str, Any] = json.loads(self._book.seal.open(row[0], f"person/{person}"))
        return found

    def link(self, courier: str, site: str, days: float, by: str) -> tuple[str, int]:
        """A new personal link and until when it is good; the ones before stay good until they end or are taken back."""
        token = secrets.token_urlsafe(24)
        until_ns = self._book.clock_ns() + round(days * _DAY_NS)
        self._book.db.execute(
            "INSERT INTO personal_link (hash, courier, site, until_ns) VALUES (?, ?, ?, ?)",
            (link_hash(token), courier, site, until_ns),
        )
        self._book.write("link", courier, by, {"site": site, "until_ns": until_ns})
        return token, until_ns

    def unlink(self, courier: str, by: str) -> int:
        """Take all links of a courier back; how many there were."""
        gone = self._book.db.execute("DELETE FROM personal_link WHERE courier = ?", (courier,)).rowcount
        if not gone:
            raise Rejected("no_link", f"{courier[:60]} has no personal link")
        self._book.write("unlinked", courier, by, {"links": gone})
        return gone

    def courier_of(self, token: str, site: str) -> str:
        """Whose link it is, at this site and now; "" nobody's."""
        row = self._book.db.execute(
            "SELECT courier FROM personal_link WHERE hash = ? AND site = ? AND until_ns > ?",
            (link_hash(token), site, self._book.clock_ns()),
        ).fetchone()
        return str(row[0]) if row else ""
