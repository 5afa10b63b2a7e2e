"""The heartbeat to a service outside that tells somebody when it stays away: only the whole chain can produce one.

    broker     a message of our own goes to the broker and comes back as those of devices do
    disk       what follows from it is saved, as an event is
    rules      a call for help from one of the homes, each in its turn, is judged as a real one and raised nowhere
    people     somebody would be told; channels take messages, self-tests reach people, no urgent alert waits unheard
    service    asked through the sender, as a message to a person

Where the chain is broken nothing is sent, and the trouble `heartbeat` says where. The service has to be set to tell a person
after twice `alerts.heartbeat_s`, by a way of its own.
"""

import asyncio
import logging
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge_gateway import topics
from edge_gateway.alerts import Notice
from edge_gateway.decoders.senml import decode
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.events import Event, Reading, TimeQuality
from edge_gateway.homes import selftest
from edge_gateway.homes.home import Home
from edge_gateway.notify.notifier import Outcome
from edge_gateway.notify.sender import HEARTBEAT
from edge_gateway.rules.rule import Finding, Severity
from edge_gateway.validate import validate

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

log = logging.getLogger(__name__)

# No device can have this site: ids begin with a letter or a digit. Only the gateway's own user may write there.
TOPIC: Final = topics.up("_gateway", "pulse", topics.Up.EVENT)
_ADDRESS: Final = topics.Address("_gateway", "pulse", topics.Up.EVENT)
_LIMIT_S: Final = 60.0  # for all steps together, or one beat, but never less than
_LEAST_S: Final = 5.0
_AGAIN_S: Final = 30.0  # after one that failed: a restart or a short outage costs no whole beat
_HINTS: Final = {"broker": f" (do its access rules let the gateway write {TOPIC}?)"}
_UNHEARD_NS: Final = 300 * 10**9  # so long after it was raised an urgent alert has to have reached somebody


class Heartbeat:
    """Belongs to one gateway; lives in its event loop."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._step = ""  # where the beat is that is on its way; "" none
        self._pulse = ""
        self._began = 0.0  # monotonic, s
        self._due = 0.0
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    def tick(self) -> None:
        """Once a second: begin when it is time, give up what got stuck."""
        settings, now = self._gateway.settings.alerts, time.monotonic()
        if not settings.heartbeat_url:
            return
        limit_s = max(_LEAST_S, min(_LIMIT_S, settings.heartbeat_s))
        if self._step and now - self._began > limit_s:
            self._stopped(f"no answer within {limit_s:g} s at the step: {self._step}{_HINTS.get(self._step, '')}")
        elif not self._step and now >= self._due:
            self._due = now + settings.heartbeat_s
            if self._gateway.connected():
                self._begin(now)
            else:
                self._stopped("the broker is out of reach")

    def received(self, payload: bytes) -> None:
        """The broker brought a message on `TOPIC`."""
        if self._step != "broker":
            return
        try:
            message = validate(decode(payload), _ADDRESS)
            (said,) = [reading.value for instant in message.instants for reading in instant.readings]
        except (Rejected, ValueError) as error:
            log.error("a message on %s that is not ours: %s", TOPIC, error)
            return
        if said == self._pulse:
            self._step = "disk"
            self._task = asyncio.get_running_loop().create_task(self._go_on())

    def answered(self, outcome: Outcome) -> None:
        """The service has answered, or not."""
        if self._step != "service":
            return
        if outcome.delivered:
            self._step = ""
            self.sent += 1
            self._gateway.troubles.set("heartbeat", "")
        else:
            self._stopped(f"the service outside does not take it: {outcome.reason}")

    def _begin(self, now: float) -> None:
        self._step, self._began, self._pulse = "broker", now, secrets.token_hex(8)
        seq, seconds = int(now) & 0xFFFFFFFF, self._gateway.clock_ns() // 10**9
        payload = f'[{{"boot":1,"seq":{seq or 1},"clk":"ntp","bt":{seconds},"n":"{selftest.COMMAND}","vs":"{self._pulse}"}}]'
        self._gateway.events.publish(TOPIC, payload.encode())

    async def _go_on(self) -> None:
        g, pulse = self._gateway, self._pulse
        try:
            g.pipeline.work.count("heartbeats")
            await g.committer.settle()
            problem, notice = self._rehearse()
        except Unavailable as error:
            problem, notice = f"cannot save: {error}", None
        except Exception as error:
            log.exception("rehearsing a call for help")
            problem, notice = f"a call for help cannot be judged: {type(error).__name__}", None
        if pulse != self._pulse or self._step != "disk":
            return  # it took too long, and was given up
        if notice is None:
            self._stopped(problem)
        else:
            self._step = "service"
            g.desk.sender.send([replace(notice, person=HEARTBEAT, channel=0)])

    def _rehearse(self) -> tuple[str, Notice | None]:
        """What is wrong on the way to people, or the message that would go out."""
        desk, now_ns = self._gateway.desk, self._gateway.clock_ns()
        homes = [home for home in desk.homes.homes.values() if home.test.devices]
        event = _call(homes[self._turn % len(homes)] if homes else None, now_ns)
        self._turn += 1
        found, notices = desk.rehearse(event)
        said = [(finding.rule, finding.severity) for finding in found if isinstance(finding, Finding)]
        if said != [("sos", Severity.URGENT)]:
            return f"a call for help would not be raised: {', '.join(rule for rule, _ in said) or 'no rule speaks'}", None
        if not notices:
            return f"a call for help from {event.site}/{event.place or '-'} would be told to nobody", None
        problem = self._unheard(now_ns) or _untested(homes, now_ns) or desk.sender.trouble()
        return (problem, None) if problem else ("", notices[0])

    def _unheard(self, now_ns: int) -> str:
        for alert in self._gateway.desk.book.open_alerts():
            if alert.urgent and alert.unanswered and not alert.told and now_ns - alert.raised_ns > _UNHEARD_NS:
                return f"nobody could be told of {alert.id}"
        return ""

    def _stopped(self, problem: str) -> None:
        self._step, self._pulse = "", ""
        self._due = min(self._due, time.monotonic() + _AGAIN_S)
        self._gateway.troubles.set("heartbeat", f"withheld: {problem}")


def _call(home: Home | None, now_ns: int) -> Event:
    site, place = home.key if home is not None else ("_gateway", "")
    device = home.test.devices[0] if home is not None else "pulse"
    quality = int(TimeQuality.DEVICE)
    return Event(site, device, place, 1, 0, now_ns, now_ns, "ntp", quality, None, "sos", [Reading("sos", 1.0)])


def _untested(homes: list[Home], now_ns: int) -> str:
    """One home's device may be off; if no home has a passed test, what is broken is ours."""
    if homes and all(selftest.unprotected_ns(home, now_ns) for home in homes):
        return "no self-test of any home has reached a person"
    return ""
