"""Which homes are catching up: readings of a while ago are coming in, and what is known is the middle of a story. Pure."""

from typing import Final

_SECOND: Final = 1_000_000_000
LATE_NS: Final = 120 * _SECOND  # measured so long before it came: it waited somewhere, and more may follow
_OVER_NS: Final = 30 * _SECOND  # nothing old came for so long
_MOST_NS: Final = 900 * _SECOND  # a device whose clock is slow is late for ever, and its home is watched all the same

Key = tuple[str, str]


class Backlog:
    """By home: since when old readings come in, and when the last one did; wall clock, not saved."""

    def __init__(self) -> None:
        self._late: dict[Key, tuple[int, int]] = {}

    def came(self, key: Key, received_ns: int) -> None:
        """A reading that is older than `LATE_NS`."""
        first_ns, last_ns = self._late.get(key, (received_ns, 0))
        self._late[key] = (first_ns if 0 <= received_ns - last_ns < _MOST_NS else received_ns), received_ns

    def is_coming(self, key: Key, now_ns: int) -> bool:
        """Whether the end of the story is on its way."""
        late = self._late.get(key)
        # What lies ahead was written by another clock: it must not hush a home until that time comes.
        return late is not None and 0 <= now_ns - late[1] < _OVER_NS and now_ns - late[0] < _MOST_NS

    def shift(self, by_ns: int) -> None:
        """The wall clock jumped by so much."""
        self._late = {key: (first + by_ns, last + by_ns) for key, (first, last) in self._late.items()}
