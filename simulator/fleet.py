"""Many simulated devices over a real broker: one loop in one thread owns devices, connections and plan.

Other threads look at `summary` and ask for something with `call`; nothing else is theirs.
"""

import queue
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from random import Random
from typing import Final

from edge_gateway import topics
from edge_gateway.topics import Down, Up
from simulator.device import Outgoing, SimulatedDevice
from simulator.link import Access, Link, Will
from simulator.outbox import Ledger
from simulator.plan import Key, Planned

TICK_S: Final = 0.02
RECONNECT_S: Final = (0.5, 15.0)  # first and longest pause
# A turn of the loop takes and sends at most this much before it reads again.
_A_TURN: Final = 500

Mangle = Callable[[list[Outgoing]], list[Outgoing]]


@dataclass(frozen=True, slots=True)
class Pace:
    """The simulated world's time: from `start_s` (UTC seconds), `speed` times as fast as ours; None: as fast as receipts."""

    start_s: float
    speed: float | None = 1.0


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device on a screen."""

    site: str
    device: str
    online: bool
    ledger: Ledger
    resent: int
    reboots: int


@dataclass(frozen=True, slots=True)
class Summary:
    """How the fleet stands; strangers and twins that faults brought in are not in it.

    Attributes:
        published: messages given to the broker, repeats included.
        plan_done: everything planned was written; false when time ran out first.
        problem: why a connection is down; "" when none is.
        true_s: the simulated world's time.
    """

    devices: tuple[DeviceLine, ...] = ()
    total: Ledger = field(default_factory=Ledger)
    links: int = 0
    links_up: int = 0
    published: int = 0
    elapsed_s: float = 0.0
    true_s: float = 0.0
    plan_done: bool = False
    problem: str = ""


class Fleet:
    """Runs devices along a plan.

    Args:
        pace: of the world's time.
        connections: how many the devices share when one user speaks for all.
        backlog: with it the plan waits while so many messages are pending, so that nothing overflows (replay); None: the
            world does not wait, and an outbox that is full drops and declares.
        seed: of back-off jitter.
        on_progress: called on the fleet's thread about every `progress_s`.
    """

    def __init__(
        self,
        access: Access,
        devices: Iterable[SimulatedDevice],
        plan: Iterator[Planned],
        pace: Pace,
        *,
        connections: int = 4,
        backlog: int | None = None,
        seed: int = 0,
        on_progress: Callable[[Summary], None] | None = None,
        progress_s: float = 0.5,
    ) -> None:
        self.devices: dict[Key, SimulatedDevice] = {device.key: device for device in devices}
        self.summary = Summary()
        self.mangle: Mangle | None = None
        self._guests: dict[Key, list[SimulatedDevice]] = {}
        self._plan, self._next, self._plan_done = plan, next(plan, None), False
        self._pace, self._backlog = pace, backlog
        self._on_progress, self._progress_s = on_progress, progress_s
        self._random = Random(seed)
        self._selector = selectors.DefaultSelector()
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._ready: dict[int, SimulatedDevice] = {}
        self._pending = 0
        self._published = 0
        self._retained: set[str] = set()
        self._last_true_s = pace.start_s
        self._origin = time.monotonic()
        self.closed = False  # nothing is sent any more
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        own = access.device_passwords is not None
        keys = list(self.devices)
        shares = [[key] for key in keys] if own else [keys[n::connections] for n in range(min(connections, len(keys)))]
        self._own_links = own
        self._links = [Link(access, share, self._selector, self._up, self._down, self._heard) for share in shares]
        self._link_of = {key: link for link in self._links for key in link.keys}

    # What other threads may use.

    def start(self, duration_s: float | None = None, drain_s: float = 0.0) -> None:
        """As `run`, in a thread of its own."""
        self._thread = threading.Thread(target=self.run, args=(duration_s, drain_s), name="fleet", daemon=True)
        self._thread.start()

    def stop(self) -> Summary:
        """End the plan and the thread, without draining."""
        self._stopping.set()
        return self.wait()

    def wait(self, timeout_s: float | None = None) -> Summary:
        """Until a started fleet has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self.summary

    def call(self, action: Callable[[], object]) -> None:
        """Have `action` run on the fleet's thread within a tick: `fleet.call(lambda: fleet.reboot(key))`."""
        self._calls.put(action)

    def run(self, duration_s: float | None = None, drain_s: float = 0.0) -> Summary:
        """Follow the plan for `duration_s` (None: to its end), then wait at most `drain_s` until every outbox is empty.

        What the plan holds for the time before `pace.start_s` is written at once: the devices arrive with a backlog.
        """
        ends = time.monotonic() + (inf if duration_s is None else duration_s)
        return self._run(ends, lambda: time.monotonic() + drain_s)

    def run_to_the_end(self, deadline_s: float) -> Summary:
        """Until the plan is through and every outbox empty, or so many seconds have passed."""
        ends = time.monotonic() + deadline_s
        return self._run(ends, lambda: ends)

    # What may only be used on the fleet's thread, by `call` or by a fault.

    @property
    def true_s(self) -> float:
        """The world's time now, UTC seconds."""
        if self._pace.speed is None:
            return self._last_true_s
        return self._pace.start_s + (time.monotonic() - self._origin) * self._pace.speed

    def measure(self, planned: Planned) -> None:
        """Have a device write a message now, outside the plan: an SOS press, a tap."""
        self._write(self.devices[planned.key], planned)

    def reboot(self, key: Key) -> None:
        """A device starts anew: a new boot id, the same flash."""
        device, link = self.devices[key], self._link_of[key]
        device.reboot(self.true_s)
        if self._own_links:
            link.cut()
        elif link.up:
            self._born(device, link)

    def welcome(self, guest: SimulatedDevice) -> None:
        """Let a device in that nobody planned: a stranger, or a second one with a name that is taken. It is in no summary."""
        self._guests.setdefault(guest.key, []).append(guest)
        link = self._link_of.get(guest.key, self._links[0])
        link.subscribe([topics.down(*guest.key, Down.RECEIPT)])
        if link.up:
            self._born(guest, link)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Any bytes on any topic. Retained ones are taken back at the end."""
        if retain:
            self._retained.add(topic)
        key = tuple(topic.split("/")[2:4])
        self._link_of.get((key[0], key[1]) if len(key) == 2 else ("", ""), self._links[0]).publish(
            topic, payload, retain=retain
        )

    # The loop.

    def _run(self, ends: float, drain_ends: Callable[[], float]) -> Summary:
        self._origin = time.monotonic()
        try:
            self._until(lambda: self._next is None or time.monotonic() >= ends)
            self._plan_done, self._next = self._next is None, None
            drained_by = drain_ends()
            self._until(lambda: time.monotonic() >= drained_by or not any(d.ledger.open for d in self.devices.values()))
        finally:
            for topic in self._retained:
                self._links[0].publish(topic, b"", retain=True)
            for link in self._links:
                link.close()
            self.closed = True
            self._report()
            self._selector.close()
        return self.summary

    def _until(self, done: Callable[[], bool]) -> None:
        look_at = report_at = 0.0
        while not self._stopping.is_set() and not done():
            now = time.monotonic()
            while not self._calls.empty():
                self._calls.get()()
            self._follow_plan()
            self._send(now)
            if now >= look_at:
                look_at = now + 1.0
                self._look_after(now)
            if now >= report_at:
                report_at = now + self._progress_s
                self._report()
            busy = any(device.wants_to_send for device in self._ready.values())
            for selected, events in self._selector.select(0 if busy else self._pause()):
                link: Link = selected.data
                link.serve(events)

    def _pause(self) -> float:
        if self._next is None or self._pace.speed is None:
            return TICK_S
        return min(max((self._next.at_s - self.true_s) / self._pace.speed, 0.001), TICK_S)

    def _follow_plan(self) -> None:
        for _ in range(_A_TURN):
            planned = self._next
            if planned is None or (self._pace.speed is not None and planned.at_s > self.true_s):
                return
            device = self.devices[planned.key]
            if self._backlog is not None and (self._pending >= self._backlog or device.outbox.full):
                return
            self._last_true_s = max(self._last_true_s, planned.at_s)
            self._write(device, planned)
            self._next = next(self._plan, None)

    def _write(self, device: SimulatedDevice, planned: Planned) -> None:
        before = device.pending
        device.measure(planned.instants, planned.at_s, event=planned.event, err_s=planned.err_s)
        self._pending += device.pending - before
        self._ready[id(device)] = device

    def _send(self, now: float) -> None:
        budget = _A_TURN
        for device in list(islice(self._ready.values(), _A_TURN)):
            outgoing = device.due(now, self.true_s)
            if self.mangle is not None:
                outgoing = self.mangle(outgoing)
            link = self._link_of.get(device.key, self._links[0])
            for message in outgoing:
                link.publish(message.topic, message.payload)
            self._published += len(outgoing)
            self._ready.pop(id(device), None)
            budget -= len(outgoing)
            if budget <= 0:
                return

    def _look_after(self, now: float) -> None:
        for link in self._links:
            link.look_after()
            if not link.open and now >= link.retry_at:
                link.connect(self._will(link))
                if not link.open:
                    # One dead broker, many devices: the others need not each wait for their own time-out.
                    break
        for device in self._everybody():
            self._ready[id(device)] = device  # re-sends and declarations fall due without anything happening
        self._pending = sum(device.pending for device in self.devices.values())

    def _everybody(self) -> Iterator[SimulatedDevice]:
        yield from self.devices.values()
        for guests in self._guests.values():
            yield from guests

    def _will(self, link: Link) -> Will | None:
        if not self._own_links:
            return None  # one connection has one will: shared ones cannot speak for a device
        device = self.devices[link.keys[0]]
        return Will(topics.up(*device.key, Up.STATUS), device.will())

    def _up(self, link: Link) -> None:
        guests = [g for key, gs in self._guests.items() for g in gs if self._link_of.get(key, self._links[0]) is link]
        everybody = [*(self.devices[key] for key in link.keys), *guests]
        link.subscribe([topics.down(*d.key, channel) for d in everybody for channel in Down])
        for device in everybody:
            self._born(device, link)

    def _born(self, device: SimulatedDevice, link: Link) -> None:
        link.publish(topics.up(*device.key, Up.STATUS), device.birth(self.true_s), retain=True)
        device.connected()
        self._ready[id(device)] = device

    def _down(self, link: Link) -> None:
        pause = min(RECONNECT_S[0] * 2.0 ** min(link.failures - 1, 10), RECONNECT_S[1])
        link.retry_at = time.monotonic() + pause * self._random.uniform(0.5, 1.0)
        for key in link.keys:
            for device in (self.devices[key], *self._guests.get(key, [])):
                device.disconnected()

    def _heard(self, topic: str, payload: bytes) -> None:
        _, _, site, name, _, channel = topic.split("/")
        own = self.devices.get((site, name))
        for device in (*((own,) if own else ()), *self._guests.get((site, name), ())):
            if channel == Down.RECEIPT:
                freed = device.receive_receipt(payload)
                self._pending -= freed if device is own else 0
                self._ready[id(device)] = device
                if device.forgotten:
                    self._born(device, self._link_of.get(device.key, self._links[0]))
            elif channel == Down.CONFIG:
                device.receive_config(payload)
                self._born(device, self._link_of.get(device.key, self._links[0]))
            elif b'"reboot"' in payload and device.key in self.devices:
                self.reboot(device.key)
            elif device.receive_command(payload, self.true_s):
                self._pending += device is own
                self._ready[id(device)] = device

    def _report(self) -> None:
        lines = tuple(DeviceLine(d.site, d.device, d.online, d.ledger, d.resent, d.reboots) for d in self.devices.values())
        self.summary = Summary(
            devices=lines,
            total=total(lines),
            links=len(self._links),
            links_up=sum(link.up for link in self._links),
            published=self._published,
            elapsed_s=time.monotonic() - self._origin,
            true_s=self.true_s,
            plan_done=self._plan_done,
            problem=next((link.problem for link in self._links if link.problem and not link.up), ""),
        )
        if self._on_progress is not None:
            self._on_progress(self.summary)


def total(lines: Sequence[DeviceLine]) -> Ledger:
    """The ledgers of these devices as one."""
    return sum((line.ledger for line in lines), Ledger())
