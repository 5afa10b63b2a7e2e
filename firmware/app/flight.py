"""What is on its way to the gateway and not yet receipted: how much may be, and when it is sent again.

PUBACK only says that the broker has a message. The gateway's receipt ends its flight, or the time after which it is sent again.
"""

EVENT, LOSS, DATA = 0, 1, 2

FIRST_WAIT_MS = 30000
LONGEST_WAIT_MS = 600000
# A full window of readings must not stop events, nor the declarations without which no receipt may pass a hole.
ROOM = {EVENT: 32, LOSS: 64, DATA: 64}
_REMEMBERED = 128

_DUE, _WAIT, _LANE, _ACKED = range(4)


class Flight:
    """
    Args:
        rand: function() -> 0..1.
    Attributes:
        entries: (boot, seq) -> its flight; for `Outbox.batch` those to skip.
        resent: messages that were sent again.
    """

    def __init__(self, rand) -> None:
        self._rand = rand
        self.entries: dict = {}
        self._again = {}  # (boot, seq) -> how long was waited for its receipt before
        self._count = [0, 0, 0]
        self.resent = 0

    def room(self, lane: int) -> bool:
        """Whether one more of this lane may leave."""
        return self._count[lane] < ROOM[lane]

    def add(self, key: tuple, lane: int, now_ms: int) -> None:
        """(boot, seq) leaves at this uptime."""
        before_ms = self._again.pop(key, 0)
        self.resent += 1 if before_ms else 0
        wait_ms = min(2 * before_ms, LONGEST_WAIT_MS) if before_ms else FIRST_WAIT_MS
        self.entries[key] = [now_ms + int(wait_ms * (1 + self._rand() / 5)), wait_ms, lane, False]
        self._count[lane] += 1

    def acknowledged(self, key: tuple) -> None:
        """The broker has it: a lost connection is no longer a reason to send it again."""
        if key in self.entries:
            self.entries[key][_ACKED] = True

    def receipted(self, boot: int, upto: int, named) -> int:
        """The gateway has these; how many were on their way."""
        landed = [key for key in self.entries if key[0] == boot and (key[1] <= upto or key[1] in named)]
        for key in landed:
            self._remove(key)
        for key in [key for key in self._again if key[0] == boot and (key[1] <= upto or key[1] in named)]:
            del self._again[key]
        return len(landed)

    def expire(self, now_ms: int) -> None:
        """Let those be sent again whose time is over."""
        for key in [key for key in self.entries if self.entries[key][_DUE] <= now_ms]:
            self._remember(key, self._remove(key)[_WAIT])

    def disconnected(self, forgotten: bool = False) -> None:
        """Let those be sent again which the broker has not acknowledged, without waiting longer for it.

        Args:
            forgotten: the broker has lost its memory of us, so those as well that it had acknowledged.
        """
        for key in [key for key in self.entries if forgotten or not self.entries[key][_ACKED]]:
            self._remember(key, self._remove(key)[_WAIT] // 2)

    def forgotten(self, boot: int) -> None:
        """The gateway has lost its memory: let all of this boot be sent again, as if for the first time."""
        for key in [key for key in self.entries if key[0] == boot]:
            self._remember(key, self._remove(key)[_WAIT] and FIRST_WAIT_MS // 2)

    def next_ms(self, now_ms: int, at_most_ms: int) -> int:
        """How long until the first is due."""
        for entry in self.entries.values():
            at_most_ms = min(at_most_ms, entry[_DUE] - now_ms)
        return max(0, at_most_ms)

    def _remove(self, key: tuple) -> list:
        entry = self.entries.pop(key)
        self._count[entry[_LANE]] -= 1
        return entry

    def _remember(self, key: tuple, wait_ms: int) -> None:
        if len(self._again) >= _REMEMBERED:
            del self._again[min(self._again)]
        self._again[key] = wait_ms
