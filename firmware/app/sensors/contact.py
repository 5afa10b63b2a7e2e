"""Contacts and buttons: an interrupt notes the edge, a task debounces it, and a slow re-read finds what an interrupt missed.

A press may begin and end while the loop is busy (a TLS handshake). The interrupt therefore keeps a pulse that lasted at least
the debounce time. With `eager` a single edge is enough: for an SOS button with an RC filter at the pin, where a missed press is
worse than a false one, which the elder can cancel.
"""

import asyncio
from time import ticks_diff, ticks_ms

RE_READ_MS = 5000
_BOTH_EDGES = 3  # Pin.IRQ_RISING | Pin.IRQ_FALLING on the ESP32


class Contact:
    """One input.

    state: True while active (pressed, open ...), None before the first look.
    changed_ticks: `ticks_ms` of the first edge of the last change.
    edges: how many interrupts came; a rising number without changes is a bad cable.
    wake: function that makes the task look at once.
    """

    def __init__(self, name: str, pin, active: int = 0, debounce_ms: int = 30, eager: bool = False):
        self.name = name
        self.pin = pin
        self.active = active
        self.debounce_ms = debounce_ms
        self.eager = eager
        self.state: bool | None = None
        self.changed_ticks = 0
        self.edges = 0
        self.wake = lambda: None
        self._edge_ticks: int | None = None
        self._opposite = False  # the interrupt has seen the pin at the level that is not `state`
        self._pulse = False  # and that lasted for the debounce time, though it is over now

    def read(self) -> bool:
        return self.pin.value() == self.active

    def attach(self, wake, now=ticks_ms) -> None:
        self.wake = wake

        def edge(_pin):
            self.edge(now())
            wake()

        self.pin.irq(handler=edge, trigger=_BOTH_EDGES)

    def edge(self, now: int) -> None:
        self.edges += 1
        level = self.read()
        if self._edge_ticks is None:
            self._edge_ticks = now
        elif self._opposite and level == self.state and ticks_diff(now, self._edge_ticks) >= self.debounce_ms:
            self._pulse = True
        self._opposite = self._opposite or level != self.state

    def look(self, now: int) -> bool:
        """True when `state` has changed."""
        level = self.read()
        if self.state is None:
            self._edge_ticks = now
            return self._change(level)
        if level == self.state:
            if self._edge_ticks is not None and (self._pulse or (self.eager and not level)):
                return self._change(not level)
            self._forget()
            return False
        if self._edge_ticks is None:
            self._edge_ticks = now
        if self.eager or ticks_diff(now, self._edge_ticks) >= self.debounce_ms:
            return self._change(level)
        return False

    def wait_ms(self, now: int, longest: int) -> int:
        """How long until the next look is worth while."""
        if self.read() == self.state:
            return longest
        if self._edge_ticks is None:
            return self.debounce_ms
        return max(1, self.debounce_ms - ticks_diff(now, self._edge_ticks))

    def _change(self, state: bool) -> bool:
        self.state = state
        self.changed_ticks = self._edge_ticks or 0
        self._forget()
        return True

    def _forget(self) -> None:
        self._edge_ticks = None
        self._opposite = self._pulse = False


async def watch(contacts: list, on_change, beat=None, re_read_ms: int = RE_READ_MS, now=ticks_ms) -> None:
    """Watch all `contacts` for ever in one task.

    Args:
        on_change: function of the contact whose `state` has changed; also told the first state of each.
        beat: heartbeat for the supervisor, at least every `re_read_ms`.
    """
    flag = asyncio.ThreadSafeFlag()
    for contact in contacts:
        contact.attach(flag.set, now)
    while True:
        ticks = now()
        wait_ms = re_read_ms
        for contact in contacts:
            if contact.look(ticks):
                on_change(contact)
            wait_ms = min(wait_ms, contact.wait_ms(ticks, re_read_ms))
        if beat is not None:
            beat()
        try:
            await asyncio.wait_for_ms(flag.wait(), wait_ms)
        except asyncio.TimeoutError:
            pass
