"""How often somebody may ask: a bucket of tokens for each key, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic


class Limit:
    """`burst` at once, then `per_minute`. Used from several threads.

    Only the `keys` asked for last are remembered: who makes up keys pushes out old ones and not memory.
    """

    def __init__(self, burst: int, per_minute: float, clock: Callable[[], float] = monotonic, keys: int = 10_000) -> None:
        self._burst = float(burst)
        self._per_s = per_minute / 60
        self._clock = clock
        self._keys = keys
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def take(self, key: str, cost: float = 1.0) -> bool:
        """Whether this may be done now; if so it is counted."""
        with self._lock:
            now = self._clock()
            left = self._refilled(key, now)
            allowed = left >= cost
            self._left[key] = (left - cost if allowed else left, now)
            self._left.move_to_end(key)
            if len(self._left) > self._keys:
                self._left.popitem(last=False)
            return allowed

    def spent(self, key: str) -> bool:
        """Whether nothing is left for this key; counts nothing."""
        with self._lock:
            return self._refilled(key, self._clock()) < 1.0

    def _refilled(self, key: str, now: float) -> float:
        left, since = self._left.get(key, (self._burst, now))
        return min(self._burst, left + (now - since) * self._per_s)
