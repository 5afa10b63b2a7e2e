"""Runs a guided calibration on a device: readings and taps go into the session, what it says goes to tag and console."""

import asyncio
import json

from app.calibrating import CANCELLED, SETTLING, Session
from app.log import log
from app.sensors.ntag_i2c import NtagI2c  # noqa: F401  (who runs a guide shows it on a tag)

READ_EVERY_MS = 5000
_TURN_MS = 100
_AGAIN_MS = 20
_LAST_WRITES = 500
_LONGEST_REPORT = 1000  # a text of the contract has at most 1,024 characters


class Guide:
    """
    Args:
        session: `calibrating.Session`.
        read: coroutine function -> (raw, Celsius), either None when it failed.
        pin: field detection of the tag, low while a phone is near; None without a tag.
        tag: `sensors.ntag_i2c.NtagI2c`, or None.
        say: function of a text for the console.
    """

    def __init__(self, session: Session, read, now_ms, pin=None, tag=None, say=lambda words: None):
        self.session = session
        self._read = read
        self._now_ms = now_ms
        self._pin = pin
        self._tag = tag
        self._say = say
        self._said = ""
        self._stated: tuple | None = None
        self._read_ms: int | None = None
        # The phone that woke us is still there: only the next one is a tap.
        self._near = True

    async def run(self, beat, steps) -> None:
        """To the end of the session.

        Args:
            steps: list to which commands from the console are added: {"step": "next"} or {"step": "cancel"}.
        """
        while not self.session.done:
            beat()
            while steps:
                self._step(steps.pop(0))
            self._look_for_tap()
            self.session.tick(self._now_ms())
            self._show()
            if self.session.state == SETTLING and self._is_time_to_read():
                raw, celsius = await self._read()
                self.session.reading(raw, celsius, self._now_ms())
            self._show()
            await asyncio.sleep_ms(self._write())
        # The verdict has to be on the tag before we sleep, also while a phone is held to it.
        for _ in range(_LAST_WRITES):
            wait_ms = self._write()
            if wait_ms == _TURN_MS:
                break
            beat()
            await asyncio.sleep_ms(wait_ms)

    def _step(self, command: dict) -> None:
        if command.get("step") == "next":
            self.session.tap(self._now_ms())
        else:
            self.session.cancel("from the console")

    def _look_for_tap(self) -> None:
        if self._pin is None:
            return
        near = self._pin.value() == 0
        if near and not self._near:
            self.session.tap(self._now_ms())
        self._near = near

    def _is_time_to_read(self) -> bool:
        now_ms = self._now_ms()
        if self._read_ms is not None and now_ms - self._read_ms < READ_EVERY_MS:
            return False
        self._read_ms = now_ms
        return True

    def _show(self) -> None:
        session = self.session
        if session.say == self._said:
            return
        self._said = session.say
        if self._tag is not None:
            self._tag.show(session.say)
        # Not every reading is told to the console: only what a person has to do, and the first reading of each standard.
        stated = (session.state, len(session.points))
        if stated != self._stated and not session.done:
            self._stated = stated
            self._say(session.say)

    def _write(self) -> int:
        """Milliseconds to the next turn."""
        if self._tag is None:
            return _TURN_MS
        try:
            return self._tag.go_on() or _TURN_MS
        except OSError:
            return _AGAIN_MS  # the tag belongs to the phone that reads it


def standards(section: dict, what: str, asked) -> list:
    """What to put the probe into: what was asked for, if that makes sense, else what the settings say."""
    if isinstance(asked, list) and 0 < len(asked) <= 3 and all(isinstance(x, (int, float)) for x in asked):
        return asked
    return {
        "ph": section["buffers"],
        "dissolved_oxygen": [100],
        "conductivity": [section["ec_standard_us"]],
        "turbidity": [section["turbidity_standard_ntu"]],
        "water_level": [0],
    }[what]


def report(session, name: str, stamp: tuple, probe: str, request: dict) -> dict:
    """The record of a session (of a probe or a scale) that was not cancelled. `name`: its id."""
    up_ms, unix_ms, clk, _ = stamp
    return {
        "id": name,
        "what": session.what,
        "probe": probe,
        "who": str(request.get("who", "console"))[:40],
        "lot": str(request.get("lot", ""))[:40],
        "points": [[round(number, 4) for number in point] for point in session.points],
        "fit": [round(number, 3) for number in session.fit] if session.fit else None,
        "verdict": session.state,
        "why": session.why,
        "up": up_ms // 1000,
        "time": unix_ms // 1000,
        "clk": clk,
    }


def text(made: dict) -> str:
    """A report as the value of a reading."""
    return json.dumps(made)[:_LONGEST_REPORT]


def finish(session, calibrations, device, probe: str, request: dict) -> None:
    """Keep what came of a session, and tell it."""
    log("info", session.say)
    if session.state == CANCELLED:
        device.reading([("calibration", session.say)])
        return
    name = "%s-%d-%d" % (session.what, device.outbox.boot, device.clock.uptime_ms() // 1000)
    made = report(session, name, device.clock.stamp(), probe, request)
    try:
        calibrations.add(made)
    except OSError as error:
        log("error", "calibration %s is not kept: %s" % (name, error))
    device.reading([("calibration", text(made))])
