"""Sends notices, each channel of each person in a lane of its own, so that one that hangs delays no other.

The only part of the alert path that touches the world. A lane has a few threads; a thread that is stuck keeps its place until
it ends, and when all are stuck the lane answers at once that it is busy, so nothing piles up behind a dead server.
"""

import asyncio
import contextlib
import heapq
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Protocol

from edge_gateway.alerts import Notice
from edge_gateway.notify import NOTIFIERS, compose, notifier_for
from edge_gateway.notify.heartbeat import SCHEME
from edge_gateway.notify.notifier import Notifier, Outcome
from edge_gateway.settings import Alerts

log = logging.getLogger(__name__)

_THREADS: Final = 3  # per channel of a person
HEARTBEAT: Final = "*heartbeat"  # stands where a person's id does; no id is like it
_WAITING: Final = 500  # notices in one lane; the ladder asks again for what is turned away


class Answer(Protocol):
    """Called in the event loop, exactly once for each notice."""

    def __call__(self, notice: Notice, outcome: Outcome) -> None: ...


@dataclass(slots=True)
class _Lane:
    """One channel of one person."""

    waiting: list[tuple[bool, int, Notice]] = field(default_factory=list)  # urgent first, then in order
    threads: int = 0
    stuck: int = 0
    away: bool = False  # the last message failed: logged once when it goes, once when it returns


@dataclass(slots=True)
class Counts:
    """Since the start: `handed == delivered + taken + failed + in_doubt + ` those under way."""

    handed: int = 0
    delivered: int = 0
    taken: int = 0  # the channel has it and will report
    failed: int = 0
    in_doubt: int = 0


class Sender:
    """Hand it notices with `send`; every one comes back through `answer`. All methods belong to the event loop's thread.

    Args:
        alerts: people with their addresses, and the time-out of one message; replace with `use`.
        answer: what became of a notice.
    """

    def __init__(self, alerts: Alerts, answer: Answer, notifiers: tuple[Notifier, ...] = NOTIFIERS) -> None:
        self.counts = Counts()
        self._answer = answer
        self._notifiers = notifiers
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._order = count()
        self._closed = False
        self.use(alerts)

    def use(self, alerts: Alerts) -> None:
        """Changed people or addresses, for notices sent from now on."""
        self._timeout_s = alerts.notify_timeout_s
        self._urls = {(person.id, number): url for person in alerts.people for number, url in enumerate(person.urls)}
        if alerts.heartbeat_url:
            self._urls[HEARTBEAT, 0] = SCHEME + alerts.heartbeat_url
        if self._urls:
            # Now and not with the first SOS: on a busy gateway what a notifier has to load took 2 s.
            threading.Thread(
                target=_look_at, args=(dict(self._urls), self._notifiers), name="notify-addresses", daemon=True
            ).start()

    def send(self, notices: Iterable[Notice]) -> None:
        """Begin to send; returns at once."""
        for notice in notices:
            self.counts.handed += 1
            where = (notice.person, notice.channel)
            lane = self._lanes.setdefault(where, _Lane())
            if len(lane.waiting) >= _WAITING:
                self._finish(lane, notice, Outcome(False, "channel busy: too many messages waiting"))
                continue
            heapq.heappush(lane.waiting, (not notice.urgent, next(self._order), notice))
            self._pump(lane)

    def trouble(self) -> str:
        """Whether no channel of a person took its last message; "" one did, or none was used."""
        people = [where for where in self._lanes if where in self._urls and where[0] != HEARTBEAT]
        lost = people and all(self._lanes[where].away for where in people)
        return "no channel of anybody takes messages" if lost else ""

    async def close(self, wait_s: float = 0.0) -> None:
        """Wait at most `wait_s` for messages under way. What is not answered is sent once more after the next start."""
        deadline = asyncio.get_running_loop().time() + wait_s
        while any(lane.threads > lane.stuck for lane in self._lanes.values()):
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.02)
        self._closed = True

    def _pump(self, lane: _Lane) -> None:
        while lane.waiting and lane.threads < _THREADS:
            _, _, notice = heapq.heappop(lane.waiting)
            self._start(lane, notice)
        if lane.stuck >= _THREADS:
            waiting, lane.waiting = lane.waiting, []
            for _, _, notice in waiting:
                self._finish(lane, notice, Outcome(False, f"channel busy: {lane.stuck} messages hang"))

    def _start(self, lane: _Lane, notice: Notice) -> None:
        url = self._urls.get((notice.person, notice.channel), "")
        notifier = notifier_for(url, self._notifiers)
        if notifier is None:
            self._finish(lane, notice, Outcome(False, "no usable address: see alerts.people in the settings"))
            return
        loop = asyncio.get_running_loop()
        flight = _Flight(notice)

        def work() -> None:
            outcome = _send(notifier, url, notice, self._timeout_s)
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits for the answer
                loop.call_soon_threadsafe(self._landed, lane, flight, outcome)

        try:
            # A daemon: a hanging server must not keep the gateway from stopping.
            threading.Thread(target=work, name=f"notify-{notice.person}-{notice.channel}", daemon=True).start()
        except RuntimeError:
            self._finish(lane, notice, Outcome(False, "the gateway can start no more threads"))
            return
        lane.threads += 1
        flight.timer = loop.call_later(self._timeout_s, self._timed_out, lane, flight)

    def _timed_out(self, lane: _Lane, flight: "_Flight") -> None:
        flight.timed_out = True
        lane.stuck += 1
        self._pump(lane)
        self._finish(lane, flight.notice, Outcome(False, f"no answer within {self._timeout_s:g} s", in_doubt=True))

    def _landed(self, lane: _Lane, flight: "_Flight", outcome: Outcome) -> None:
        lane.threads -= 1
        if flight.timed_out:
            lane.stuck -= 1
            self._pump(lane)
            return
        flight.timer.cancel()
        self._pump(lane)
        self._finish(lane, flight.notice, outcome)

    def _finish(self, lane: _Lane, notice: Notice, outcome: Outcome) -> None:
        if self._closed:
            return
        counts, has_it = self.counts, outcome.delivered or outcome.awaits_report
        counts.delivered += outcome.delivered
        counts.taken += has_it and not outcome.delivered
        counts.in_doubt += outcome.in_doubt and not has_it
        counts.failed += not has_it and not outcome.in_doubt
        if lane.away == has_it:
            lane.away = not has_it
            channel = f"channel {notice.channel + 1} of {notice.person}"
            if lane.away:
                log.warning("%s does not take messages: %s", channel, outcome.reason)
            else:
                log.info("%s takes messages again", channel)
        self._answer(notice, outcome)


@dataclass(slots=True, eq=False)
class _Flight:
    notice: Notice
    timer: asyncio.TimerHandle = field(init=False)
    timed_out: bool = False


def _look_at(urls: Mapping[tuple[str, int], str], notifiers: tuple[Notifier, ...]) -> None:
    """Tell the log which addresses can never work."""
    for (person, number), url in urls.items():
        notifier = notifier_for(url, notifiers)
        problem = "nobody can send to such an address" if notifier is None else notifier.problem(url)
        if problem:
            log.error("channel %d of %s: %s; see alerts.people in the settings", number + 1, person, problem)


def _send(notifier: Notifier, url: str, notice: Notice, timeout_s: float) -> Outcome:
    try:
        return notifier.send(url, compose(notice), timeout_s)
    except BaseException as error:  # also SystemExit: the notice must be answered, and this thread ends here anyway
        # Only the type: the text of a foreign exception may hold the address.
        return Outcome(False, f"{notifier.name} failed: {type(error).__name__}", in_doubt=True)
