"""What MicroPython's `time` and `asyncio` have and CPython's have not, so that the firmware's pure parts run under both."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Any, Final

_HALF: Final = 1 << 29  # ticks wrap at 2**30, as on a device


class ThreadSafeFlag:
    """asyncio.ThreadSafeFlag: set from an interrupt, waited for by one task, cleared by the waking."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()


def lend() -> None:
    """Add them to the modules themselves; what is there already stays."""
    for name, value in _TIME.items():
        if not hasattr(time, name):
            setattr(time, name, value)
    for name, thing in {"sleep_ms": _sleep_ms, "wait_for_ms": _wait_for_ms, "ThreadSafeFlag": ThreadSafeFlag}.items():
        if not hasattr(asyncio, name):
            setattr(asyncio, name, thing)


def _ticks_diff(end: int, start: int) -> int:
    return ((end - start + _HALF) & (2 * _HALF - 1)) - _HALF


async def _sleep_ms(ms: int) -> None:
    await asyncio.sleep(ms / 1000)


async def _wait_for_ms(what: Awaitable[Any], ms: int) -> Any:
    return await asyncio.wait_for(what, ms / 1000)


_TIME: Final = {
    "ticks_ms": lambda: time.monotonic_ns() // 1_000_000 & (2 * _HALF - 1),
    "ticks_us": lambda: time.monotonic_ns() // 1000 & (2 * _HALF - 1),
    "ticks_add": lambda ticks, delta: (ticks + delta) & (2 * _HALF - 1),
    "ticks_diff": _ticks_diff,
    "sleep_ms": lambda ms: time.sleep(ms / 1000),
    "sleep_us": lambda us: time.sleep(us / 1_000_000),
}
