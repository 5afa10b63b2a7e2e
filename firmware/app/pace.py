"""When to try the network again: soon at first, ever more seldom, never more than twelve times a minute, never all at once."""

SHORTEST_MS = 5000
LONGEST_MS = 300000


class Pace:
    """
    Args:
        rand: function() -> 0..1.
    """

    def __init__(self, rand) -> None:
        self._rand = rand
        self._wait_ms = SHORTEST_MS
        self._begun_ms = self._due_ms = 0
        self._ever = False

    def begin(self, now_ms: int) -> None:
        """An attempt begins at this uptime."""
        self._ever = True
        self._begun_ms = now_ms
        # Hundreds of devices lose their broker at the same moment: they must not come back at the same moment.
        self._due_ms = now_ms + int(self._wait_ms * (1 + self._rand() / 2))
        self._wait_ms = min(2 * self._wait_ms, LONGEST_MS)

    def well(self) -> None:
        """The attempt was worth it: the next failure is again the first."""
        self._wait_ms = SHORTEST_MS

    def hurry(self) -> None:
        """Something urgent: the next attempt as soon as the limit of twelve a minute allows, and the waits begin anew."""
        self._wait_ms = SHORTEST_MS
        self._due_ms = min(self._due_ms, self._begun_ms + SHORTEST_MS)

    def left_ms(self, now_ms: int) -> int:
        """How long to wait before the next attempt."""
        return max(0, self._due_ms - now_ms) if self._ever else 0
