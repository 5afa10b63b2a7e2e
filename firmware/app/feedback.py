"""A call for help as the elder sees and hears it: pressed, in flash, received by the gateway, a person has answered, over.

    pressed    lamp on, one beep, before anything else is done
    saved      second beep: it is in flash and will be sent, whatever happens; the lamp blinks fast
    received   two beeps: the gateway has it on its disk; the lamp blinks slowly
    accepted   one long beep: a named person comes or calls; the lamp stays on
    closed     the lamp goes out

Nothing here waits for a network. While the gateway has not answered, the buzzer says so every half minute.
"""

import json

from app import files, ticks
from app.log import log

STATES = ("pressed", "received", "notified", "accepted", "closed")

_BEEP = (150,)
_SAVED = (150, 100, 150)  # goes on from the first beep
_RECEIVED = (120, 120, 120)
_ACCEPTED = (1500,)
_NO_ANSWER = (60, 60, 60, 60, 60)
_FAST = (200, 200)
_SLOW = (1000, 1000)

_AGAIN_MS = 3000  # presses so soon after one that is saved belong to it
_MOST_EVENTS = 8
# A lamp that waits for a gateway which will never say "closed" goes out after a day.
_LONGEST_MS = 86_400_000


class Call:
    """From the first press until a person has closed it. Survives a reset: the lamp goes on where it was.

    Args:
        urgent: saves the event (app.urgent).
        path: file that holds the call.
        warn_ms: how long after a press without receipt, and how often, the buzzer warns.
    """

    def __init__(self, device, urgent, lamp, buzzer, path: str, warn_ms: int) -> None:
        self._device = device
        self._urgent = urgent
        self._lamp = lamp
        self._buzzer = buzzer
        self._path = path
        self._warn_ms = warn_ms
        self._events = []  # [boot, seq] of its presses
        self._promised = True  # the last of them is in flash
        self._pressed: int | None = None  # ticks of the last press that was told
        self._warned = self._began = ticks.now()
        self.state = "closed"
        self._load()

    @property
    def open(self) -> bool:
        """Somebody waits for an answer."""
        return self.state != "closed"

    @property
    def fresh(self) -> bool:
        """The gateway does not know of it yet: the buzzer is ours."""
        return self.state == "pressed"

    def press(self, at: int) -> None:
        """The button is pressed since `at`; called from the task that watches the contacts."""
        self._lamp.hold(1)
        self._buzzer.play(_BEEP)
        if ticks.within(self._pressed, at, _AGAIN_MS):
            self._show()
            return
        self._pressed = at
        self._tell(self._device.stamp_at(at))

    def answered(self, command: dict) -> None:
        """Command `answered`: what became of the alert behind an event."""
        state, event = command.get("state"), command.get("event")
        if state not in STATES or event not in self._events:
            return
        # Words may come doubled and late; only a new press goes back.
        if STATES.index(state) > STATES.index(self.state):
            self._enter(state)

    def look(self, now: int) -> None:
        """Once a second while it is open: warn when the gateway does not answer."""
        if self.state == "pressed" and ticks.since(self._warned, now) >= self._warn_ms:
            self._warned = now
            self._buzzer.play(_NO_ANSWER)
        if self.open and ticks.since(self._began, now) > _LONGEST_MS:
            self._enter("closed")

    def _tell(self, stamp: tuple) -> None:
        if not self.open:
            self._events = []
        self.state = "pressed"
        self._promised = False
        self._warned = self._began = ticks.now()
        # From here on nothing may come between the press and the flash.
        self._urgent.put([("sos", True)], stamp, self._taken, self._saved)

    def _saved(self) -> None:
        self._promised = True
        if self.state == "pressed":  # else the gateway was quicker
            self._buzzer.play(_SAVED)
            self._show()

    def _taken(self, seq: int) -> None:
        boot = self._device.outbox.boot
        self._await(boot, seq)
        self._events = (self._events + [[boot, seq]])[-_MOST_EVENTS:]
        self._keep()

    def _await(self, boot: int, seq: int) -> None:
        self._device.when_receipted(boot, seq, lambda rejected: self._receipted(boot, seq, rejected))

    def _receipted(self, boot: int, seq: int, rejected: bool) -> None:
        if rejected:
            # It can never be accepted as it was; a new one, with a number of its own, can.
            log("error", "SOS %d was refused by the gateway; sent anew" % seq)
            self._tell(self._device.clock.stamp())
        elif self.state == "pressed" and [[boot, seq]] == self._events[-1:]:
            self._enter("received")

    def _enter(self, state: str) -> None:
        self.state = state
        self._show()
        if state == "received":
            self._buzzer.play(_RECEIVED)
        elif state == "accepted":
            self._buzzer.play(_ACCEPTED)
        self._keep()

    def _show(self) -> None:
        if self.state == "closed":
            self._lamp.hold(0)
        elif self.state == "accepted" or (self.state == "pressed" and not self._promised):
            self._lamp.hold(1)
        else:
            self._lamp.play(_FAST if self.state == "pressed" else _SLOW, repeat=True)

    def _keep(self) -> None:
        try:
            files.write(self._path, json.dumps([self.state, self._events]).encode())
        except OSError as error:  # the event itself is safe; only the lamp would forget
            log("warning", "%s: %s" % (self._path, error))

    def _load(self) -> None:
        try:
            state, events = json.loads(files.read(self._path) or b'["closed",[]]')
        except (ValueError, TypeError):
            return
        if (
            state in STATES
            and isinstance(events, list)
            and all(isinstance(event, list) and len(event) == 2 for event in events)
        ):
            self.state, self._events = state, events
            if state == "pressed":
                for boot, seq in events:
                    self._await(boot, seq)
            self._show()
