"""How much a chat robot may say in a minute: the last of it is kept for what is urgent."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final

_WINDOW_S: Final = 60.0
_KEPT: Final = 0.5  # of a minute's messages are for urgent ones alone


class Quota:
    """Counts by robot; several people of one group share its robot. Used from several threads.

    Args:
        per_minute: what the channel takes.
    """

    def __init__(self, per_minute: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock_s = clock_s
        self._sent: dict[str, deque[float]] = {}
        self._lock = Lock()

    def take(self, robot: str, urgent: bool) -> bool:
        """Whether this message may go; it is counted. An urgent one always may: the channel itself decides."""
        with self._lock:
            sent = self._recent(robot)
            if not urgent and len(sent) >= self._per_minute * (1 - _KEPT):
                return False
            sent.append(self._clock_s())
            return True

    def spent(self, robot: str) -> None:
        """The channel says that it was too much: for a minute nothing but what is urgent goes to it."""
        with self._lock:
            sent, now = self._recent(robot), self._clock_s()
            sent.extend([now] * (self._per_minute - len(sent)))

    def _recent(self, robot: str) -> deque[float]:
        sent = self._sent.setdefault(robot, deque())
        while sent and sent[0] <= self._clock_s() - _WINDOW_S:
            sent.popleft()
        return sent
