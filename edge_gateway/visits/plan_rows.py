"""The fields of one row of a plan, as a spreadsheet, a form or a command writes them."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Final, TypeVar

import msgspec

from edge_gateway.errors import Rejected
from edge_gateway.topics import ID

T = TypeVar("T")

DAY_MIN: Final = 1440
OWN_ID: Final = re.compile(r"[a-z0-9_-]{1,48}")
_LONGEST_REASON: Final = 200
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,5}", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DAYS: Final = re.compile(r"([1-7])(?:-([1-7]))?")


class Cells:
    """The fields of one row, read one by one; what is wrong with them is gathered."""

    def __init__(self, row: Mapping[str, object], record: type[msgspec.Struct]) -> None:
        self.problems: list[str] = []
        known = record.__struct_fields__
        self._row = {key: value.strip() if isinstance(value, str) else value for key, value in row.items()}
        if unknown := sorted(str(key) for key in row if key not in known):
            self.problems.append(f"unknown {', '.join(unknown)}; known are {', '.join(known)}")

    def finish(self, reason: str, name: str) -> None:
        """Raise `Rejected` if anything was wrong."""
        if self.problems:
            raise Rejected(reason, f"{name or 'row'}: " + "; ".join(self.problems))

    def matching(self, key: str, pattern: re.Pattern[str], what: str, default: str | None = None) -> str:
        """A text; default None: it must be there."""
        value = self._row.get(key)
        if value in (None, "") and default is not None:
            return default
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        return self._wrong(key, value, what, default or "")

    def name(self, key: str, default: str | None = None) -> str:
        return self.matching(key, ID, "a-z, 0-9, - and _, at most 48 characters", default)

    def words(self, key: str) -> str:
        """Own words of a person, in one line."""
        value = self._row.get(key)
        if value in (None, ""):
            return ""
        if isinstance(value, str) and len(value) <= _LONGEST_REASON and value.isprintable():
            return value
        return self._wrong(key, value, f"at most {_LONGEST_REASON} characters in one line", "")

    def one_of(self, key: str, words: Sequence[str], default: str) -> str:
        value = self._row.get(key)
        if value in (None, "") and default:
            return default
        return value if isinstance(value, str) and value in words else self._wrong(key, value, ", ".join(words), default)

    def date(self, key: str, default: str | None) -> str:
        value = self._row.get(key)
        if value in (None, "") and default is not None:
            return default
        text = value.isoformat()[:10] if isinstance(value, date) else value
        if isinstance(text, str) and _DATE.fullmatch(text):
            with suppress(ValueError):
                return date.fromisoformat(text).isoformat()
        return self._wrong(key, value, "a date such as 2026-11-21", default or "")

    def minutes(self, key: str, default: int | None, lowest: int, highest: int) -> int:
        value = self._row.get(key)
        if value in (None, "") and default is not None:
            return default
        found = _minutes(value)
        if found is not None and lowest <= found <= highest:
            return found
        return self._wrong(key, value, f"minutes from {lowest} to {highest}, or a time such as 11:00", default or lowest)

    def weekdays(self) -> tuple[int, ...]:
        value = self._row.get("weekdays")
        if value in (None, ""):
            return (1, 2, 3, 4, 5, 6, 7)
        found = _weekdays(value)
        return found or self._wrong("weekdays", value, "numbers 1 (Monday) to 7, such as 1-5 or 1 3 5", (1,))

    def yes(self, key: str) -> bool:
        value = self._row.get(key)
        if value in (None, "", False, 0, "0", "no", "false"):
            return False
        return value in (True, 1, "1", "yes", "true") or self._wrong(key, value, "yes or no", False)

    def window(self, opens_min: int, closes_min: int) -> None:
        """That a window is one, and not longer than a day."""
        if not any(problem.startswith(("opens_min", "closes_min")) for problem in self.problems) and not (
            opens_min < closes_min <= opens_min + DAY_MIN
        ):
            seen = f"opens at {_clock(opens_min)} and closes at {_clock(closes_min)}"
            self.problems.append(f"{seen}; it closes after it opens, within 24 hours (after midnight: 25:30)")

    def _wrong(self, key: str, value: object, right: str, instead: T) -> T:
        self.problems.append(f"{key} is missing; {right}" if value in (None, "") else f"{key} is {_seen(value)}; {right}")
        return instead


def _seen(value: object) -> str:
    """The value as evidence. A name in the wrong column shall not get into logs, so letters outside ASCII are left out."""
    text = repr(value).encode("ascii", "replace").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _minutes(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():  # a number from a spreadsheet
        return int(value)
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        return None
    if (clock := _CLOCK.fullmatch(value)) and int(clock[2]) < 60:
        return int(clock[1]) * 60 + int(clock[2])
    return int(value) if _DIGITS.fullmatch(value) else None


def _weekdays(value: object) -> tuple[int, ...]:
    """ISO weekdays in order; empty: none of that."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(_minutes(value))
    parts = re.split(r"[\s,;]+", value) if isinstance(value, str) else value
    if not isinstance(parts, Sequence | frozenset | set):
        return ()
    found: set[int] = set()
    for part in parts:
        span = _DAYS.fullmatch(str(part))
        if span is None:
            return ()
        first = int(span[1])
        last = int(span[2] or first)
        if last < first:  # `6-2`: guessing would leave out days on which somebody waits for a meal
            return ()
        found.update(range(first, last + 1))
    return tuple(sorted(found))
