"""Keeps the clock right by NTP: before TLS, then every few hours, and seldom where nobody answers."""

import asyncio

from app import ntp
from app.log import log

_TIMEOUT_MS = 2000
_LASTS_MS = 4 * 3600000
_MOST_ERR_MS = 2000  # a sleeper's clock is further out after a minute
_AGAIN_MS = 60000
_AGAIN_MOST_MS = 1800000


class Timekeeper:
    """
    Args:
        hosts: time servers, the preferred one first; [] asks nobody.
        done: function(), called after each round of asking.
    """

    def __init__(self, hosts, clock, done=lambda: None) -> None:
        self._hosts = hosts
        self._clock = clock
        self._done = done
        self._asked_ms = -1  # uptime of the last question
        self._again_ms = _AGAIN_MS
        self._task: asyncio.Task | None = None

    def due(self) -> bool:
        """Whether somebody should be asked now."""
        if not self._hosts:
            return False
        if self._asked_ms >= 0 and self._clock.uptime_ms() - self._asked_ms < self._again_ms:
            return False
        return not (0 <= self._clock.age_ms() < _LASTS_MS and 0 <= self._clock.err_ms() <= _MOST_ERR_MS)

    def doubt(self) -> None:
        """A certificate is said to be not valid: perhaps it is our clock that is wrong."""
        self._asked_ms = -1

    async def ask(self, beat=lambda: None) -> None:
        """Ask one server after the other until one answers; never raises."""
        for host in self._hosts:
            self._asked_ms = self._clock.uptime_ms()
            beat()
            try:
                unix_ms, err_ms = await ntp.query(host, _TIMEOUT_MS)
            except (OSError, ValueError, MemoryError) as error:
                log("info", "time: %s" % error)
                continue
            self._clock.set(unix_ms, "ntp", err_ms)
            self._again_ms = _AGAIN_MS
            return
        self._again_ms = min(2 * self._again_ms, _AGAIN_MOST_MS)

    def tend(self) -> None:
        """Ask beside everything else, when it is due."""
        if self._task is None and self.due():
            self._task = asyncio.create_task(self._ask_aside())

    def stop(self) -> None:
        """The network is gone: nobody will answer."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def _ask_aside(self) -> None:
        await self.ask()
        self._task = None
        self._done()
