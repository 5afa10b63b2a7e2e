"""Arguments of a command, each checked when it is asked for; what is wrong is said, secrets and names are not repeated."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from edge_gateway.errors import Rejected
from edge_gateway.text import escaped
from edge_gateway.topics import ID
from edge_gateway.visits.book import GATEWAY

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_KEY_NAME: Final = re.compile(r"file|app[0-4]")
_KEY_BYTES: Final = 16
_UID_BYTES: Final = (4, 7, 10)


class Arguments:
    """One command's arguments. Every method raises Rejected: `bad_argument`."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def has(self, name: str) -> bool:
        """Whether there is something by this name."""
        return self._given.get(name) is not None

    def text(self, name: str, longest: int, empty: bool = False) -> str:
        """A text without spaces around it."""
        value = self._given.get(name, "" if empty else None)
        if value is None and empty:
            value = ""
        if not isinstance(value, str) or not (value.strip() or empty) or len(value) > longest:
            raise _bad(f"{name} has to be a text of {0 if empty else 1} to {longest} characters")
        # Half a surrogate pair, as a terminal of another encoding sends it, could not be saved.
        return escaped(value.strip(), longest, name)

    def name(self, name: str, empty: bool = False) -> str:
        """An id: a site, a place, a pseudonym."""
        value = self.text(name, 48, empty)
        if not (empty and value == "") and ID.fullmatch(value) is None:
            raise _bad(f"{name} is no id; a-z, 0-9, - and _, at most 48 characters")
        return value

    def person(self) -> str:
        """Who does it."""
        value = self.name("by")
        if value == GATEWAY:
            raise Rejected("no_person", "`by` has to be the id of the one who does it")
        return value

    def one_of(self, name: str, words: Collection[str]) -> str:
        """One of these words."""
        value = self._given.get(name)
        if not isinstance(value, str) or value not in set(words):
            raise _bad(f"{name} is {str(value)[:40]!r}; one of {', '.join(words)}")
        return value

    def yes(self, name: str) -> bool:
        """True or false; false when it is left out."""
        value = self._given.get(name, False)
        if not isinstance(value, bool):
            raise _bad(f"{name} is {str(value)[:40]!r}; true or false")
        return value

    def whole(self, name: str, low: int, high: int, default: int | None) -> int:
        """A whole number."""
        value = self.whole_or_none(name, low, high)
        if value is None:
            if default is None:
                raise _bad(f"{name} is missing; a whole number from {low} to {high}")
            return default
        return value

    def whole_or_none(self, name: str, low: int, high: int) -> int | None:
        """A whole number; None when it is left out."""
        value = self._given.get(name)
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise _bad(f"{name} is {str(value)[:40]!r}; a whole number from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None) -> float:
        """A number."""
        value = self._given.get(name, default)
        if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
            raise _bad(f"{name} has to be a number from {low} to {high}")
        return float(value)

    def table(self, name: str) -> dict[str, Any]:
        """An object of names and values; empty when it is left out."""
        value = self._given.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise _bad(f"{name} has to be an object of names and values")
        return value

    def rows(self, name: str, most: int) -> Sequence[Mapping[str, object]]:
        """A list of objects."""
        value = self._given.get(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise _bad(f"{name} has to be a list of at most {most} objects")
        return value

    def texts(self, name: str, most: int, empty: bool = False) -> list[str]:
        """A list of short texts."""
        value = self._given.get(name, [] if empty else None)
        good = isinstance(value, list) and len(value) <= most and all(isinstance(one, str) and len(one) <= 100 for one in value)
        if not good or not (value or empty):
            raise _bad(f"{name} has to be a list of {0 if empty else 1} to {most} ids")
        return [escaped(one, 100, name) for one in value or []]

    def uid(self) -> bytes:
        """A card's number."""
        value = self._given.get("uid")
        if not isinstance(value, str) or _HEX.fullmatch(value) is None or len(value) // 2 not in _UID_BYTES:
            raise _bad("uid has to be the card's number in hexadecimal: 4, 7 or 10 bytes")
        return bytes.fromhex(value)

    def key(self, name: str) -> bytes | None:
        """A key of 16 bytes; None when it is left out or empty."""
        value = self._given.get(name)
        return None if value in (None, "") else _key(name, value)

    def keys(self) -> dict[str, bytes]:
        """Keys of a card by their names."""
        found = self.table("keys")
        unknown = [name for name in found if _KEY_NAME.fullmatch(name) is None]
        if unknown:
            raise _bad(f"keys are named file, app0 ... app4, not {', '.join(unknown)[:60]}")
        return {name: _key(name, value) for name, value in found.items()}


def _key(name: str, value: object) -> bytes:
    if not isinstance(value, str) or _HEX.fullmatch(value) is None or len(value) != 2 * _KEY_BYTES:
        raise _bad(f"{name} has to be a key of {_KEY_BYTES} bytes in hexadecimal")
    return bytes.fromhex(value)


def _bad(detail: str) -> Rejected:
    return Rejected("bad_argument", detail)
