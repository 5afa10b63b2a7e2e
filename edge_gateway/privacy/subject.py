"""Whose data is meant: a home by its pseudonym, who lives there, and the devices that stand there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

GONE: Final = "(erased)"
_LETTER: Final = "A-Za-z0-9_-"  # of an id: `home-1` does not stand in `home-12`


@dataclass(frozen=True)
class Subject:
    """A home.

    Attributes:
        person: pseudonym of who lives there; "" nobody was named.
        devices: ids of the devices at this place, in its site.
    """

    site: str
    place: str
    person: str = ""
    devices: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What in a text means this home: its place, its person, `site/device`."""
        return tuple(filter(None, (self.place, self.person)))

    @cached_property
    def pattern(self) -> re.Pattern[bytes]:
        """Finds the words as whole ids in any bytes."""
        found = b"|".join(re.escape(word.encode()) for word in self.words)
        letters = _LETTER.encode()
        return re.compile(rb"(?<![" + letters + rb"])(?:" + found + rb")(?![" + letters + rb"])")

    def mentioned_in(self, data: bytes) -> bool:
        """Whether any of the words stands there."""
        return self.pattern.search(data) is not None

    def struck(self, text: str) -> str:
        """The text without the words."""
        return self.pattern.sub(GONE.encode(), text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def owns(self, site: str, place: str, device: str) -> bool:
        """Whether data that say this of themselves are his."""
        return site == self.site and (place == self.place or (not place and device in self.devices))


def of_home(site: str, place: str, person: str, devices: Iterable[str]) -> Subject:
    """A home with the devices that stand there now."""
    return Subject(site, place, person, frozenset(devices))
