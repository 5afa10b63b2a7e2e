"""The elder's own pause: a button that is held for some seconds and let go asks the gateway not to watch; once more ends it.

    held      one beep and the lamp after `hold_ms`: it may be let go now
    asked     two long beeps: asked for and in flash; the lamp flashes twice every 3 s until the gateway has answered
    paused    one long, two short beeps: the gateway does not watch; the lamp flashes once every 5 s
    watched   two short, one long beep: it watches again, or never stopped; the lamp is out

The gateway decides, and tells it with command `paused`; a pause that a person begins or ends elsewhere is shown, without a
sound. A button that nobody lets go asks for nothing, nor one that was down at the start. While a call for help is open no pause
can be asked for, and the lamp belongs to the call.
"""

import json

from app import files, ticks
from app.log import Trouble, log

NAME = "pause"
STATES = ("watched", "asked", "paused", "ending")  # asked, ending: the gateway has not answered yet
_WAITING = ("asked", "ending")

_LET_GO = (400,)
_ASKED = (400, 200, 400)
_PAUSED = (600, 150, 120, 150, 120)
_WATCHED = (120, 150, 120, 150, 600)
_LAMP = {"asked": (100, 200, 100, 2600), "ending": (100, 200, 100, 2600), "paused": (100, 4900)}
_STUCK_MS = 30_000  # held for longer: something lies on it, or its cable has a short circuit
_LONGEST_S = 31 * 86_400
_NO_ANSWER_MS = 86_400_000  # a lamp that waits for a gateway which never answers goes out


class Pausing:
    """
    Args:
        urgent: saves the event (app.urgent).
        call: the call for help (app.feedback).
        path: file that holds how it stands; survives a reset.
        hold_ms: how long the button is held.
        wake: called when `look` has to come soon.
    """

    def __init__(self, device, urgent, call, lamp, buzzer, path: str, hold_ms: int, wake=lambda: None) -> None:
        self._device = device
        self._urgent = urgent
        self._call = call
        self._lamp = lamp
        self._buzzer = buzzer
        self._path = path
        self._hold_ms = hold_ms
        self._wake = wake
        self._free = set()  # buttons that were seen to be up
        self._down = None  # the contact that is held
        self._since = 0  # ticks at which that began
        self._reached = False  # it was held for long enough, and the beep was given
        self._trouble = Trouble("pause button")
        self.state = "watched"
        self._event: list | None = None  # [boot, seq] of the last press
        self._left_ms = 0  # until the lamp goes out by itself, added up, for it may be longer than ticks can tell
        self._looked = ticks.now()
        self._shown = ""
        self._load()

    @property
    def held(self) -> bool:
        """The button is down, and nobody knows yet what it will be."""
        return self._down is not None

    @property
    def lit(self) -> bool:
        """There is something to show, or to wait for."""
        return self.held or self.state != "watched"

    def change(self, contact, active: bool, at: int) -> None:
        """A button went down or up at `at`."""
        if not active:
            self._free.add(contact.name)
            self._trouble.set()
            if self._down is contact:
                self._let_go(at)
        elif contact.name in self._free and self._down is None:
            self._down, self._since, self._reached = contact, at, False
            self._wake()

    def told(self, command: dict) -> None:
        """Command `paused`: `seconds` left, 0 it is watched; `until` in UTC seconds; `event` the press it knows of last."""
        seconds, until = command.get("seconds", -1), command.get("until", 0)
        for name, value, most in (("seconds", seconds, _LONGEST_S), ("until", until, 1 << 40)):
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
                raise ValueError("%s: seen %r, expected a whole number from 0 to %d" % (name, value, most))
        waits = self.state in _WAITING
        if waits and (self._event is None or command.get("event") != self._event):
            return  # said before it knew of the press
        left_s = self._left_s(seconds, until)
        self._enter("paused" if left_s else "watched", left_s)
        if waits and not self._call.open:
            self._buzzer.play(_PAUSED if left_s else _WATCHED)
        self._keep(until)

    def look(self, now: int) -> None:
        """Often while a button is held, else now and then: the beep of a long press, the end of what the lamp shows."""
        if self._down is not None:
            self._look_at_button(self._down, now)
        if self.state != "watched":
            self._left_ms -= ticks.since(self._looked, now)
            self._looked = now
            if self._left_ms <= 0:
                self._enter("watched", 0)
                self._keep()
        self._show()

    def _look_at_button(self, contact, now: int) -> None:
        held_ms = ticks.since(self._since, now)
        if held_ms > _STUCK_MS:
            self._trouble.set("held for more than half a minute; stuck, or its cable has a short circuit")
            self._down, self._reached, self._shown = None, False, ""
        # Read now: a short press while the chip was blocked may be told late, and its end later still.
        elif not self._reached and held_ms >= self._hold_ms and contact.read() and not self._call.open:
            self._reached = True
            self._buzzer.play(_LET_GO)
            self._lamp.hold(1)

    def _let_go(self, at: int) -> None:
        meant = self._reached and ticks.since(self._since, at) <= _STUCK_MS and not self._call.open
        self._down, self._reached, self._shown = None, False, ""
        if meant:
            self._ask(self.state in ("watched", "ending"), self._device.stamp_at(at))

    def _ask(self, begin: bool, stamp: tuple) -> None:
        self._event = None
        self._enter("asked" if begin else "ending", _NO_ANSWER_MS // 1000)
        self._urgent.put([(NAME, begin)], stamp, self._taken, self._saved)

    def _saved(self) -> None:
        if self.state in _WAITING and not self._call.open:
            self._buzzer.play(_ASKED)

    def _taken(self, seq: int) -> None:
        self._event = [self._device.outbox.boot, seq]
        self._await(self._event)
        self._keep()

    def _await(self, event: list) -> None:
        self._device.when_receipted(event[0], event[1], lambda rejected: self._receipted(event, rejected))

    def _receipted(self, event: list, rejected: bool) -> None:
        if rejected and event == self._event and self.state in _WAITING:
            log("warning", "the gateway knows no pause; it watches")
            self._enter("watched", 0)
            self._buzzer.play(_WATCHED)
            self._keep()

    def _enter(self, state: str, left_s: int) -> None:
        self.state, self._left_ms, self._looked = state, left_s * 1000, ticks.now()
        self._show()

    def _show(self) -> None:
        if self._call.open:
            self._shown = ""  # it showed something else since
        elif not self._reached and self._shown != self.state:
            self._shown = self.state
            if self.state in _LAMP:
                self._lamp.play(_LAMP[self.state], repeat=True)
            else:
                self._lamp.hold(0)

    def _left_s(self, seconds: int, until: int) -> int:
        """Less than was said where the command was long on its way, or the device off; as far as the clock knows."""
        unix_s = self._device.clock.stamp()[1] // 1000
        return max(0, min(seconds, until - unix_s)) if unix_s and until else seconds

    def _keep(self, until: int = 0) -> None:
        try:
            kept = [self.state, max(0, self._left_ms // 1000), until, self._event]
            files.write(self._path, json.dumps(kept).encode())
        except OSError as error:  # only the lamp would forget
            log("warning", "%s: %s" % (self._path, error))

    def _load(self) -> None:
        try:
            state, seconds, until, event = json.loads(files.read(self._path) or b'["watched",0,0,null]')
            if state not in STATES or not isinstance(event, (list, type(None))):
                return
            self._enter(state, min(_LONGEST_S, self._left_s(int(seconds), int(until))))
            self._event = event
            if event is not None and len(event) == 2 and state in _WAITING:
                self._await(event)
        except (ValueError, TypeError):
            return
