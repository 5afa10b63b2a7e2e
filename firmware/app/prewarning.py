"""Before anyone is called: the home asks for some minutes whether all is well, and the elder can say so with the cancel button.

Asked by command `prewarn`. A cancel is an event; no cancel is silence, and the gateway decides what it means.
"""

from app import ticks

_ASK = (400, 200, 400, 200, 400)
_ANSWERED = (80, 80, 80)
_EVERY_MS = 30_000
_LONGEST_S = 3600
_AGAIN_MS = 3000  # presses so soon after one that was told belong to it


class Prewarning:
    """
    Args:
        urgent: saves the event (app.urgent).
        quiet: function: True while the buzzer belongs to something more urgent.
    """

    def __init__(self, device, urgent, buzzer, quiet=lambda: False) -> None:
        self._device = device
        self._urgent = urgent
        self._buzzer = buzzer
        self._quiet = quiet
        self._ends: int | None = None  # ticks at which the question is over
        self._asked = 0  # ticks of the last time it was heard
        self._cancelled: int | None = None  # ticks of the last cancel

    @property
    def running(self) -> bool:
        """The elder is being asked."""
        return self._ends is not None

    def ask(self, command: dict) -> None:
        """Command `prewarn` with `seconds`; one that comes during another goes on from now. 0 seconds end it."""
        seconds = command.get("seconds")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _LONGEST_S:
            raise ValueError("seconds: seen %r, expected a whole number from 0 to %d" % (seconds, _LONGEST_S))
        if seconds == 0:
            self._end()
            return
        now = ticks.now()
        was_running, self._ends = self.running, ticks.after(now, seconds * 1000)
        self._sound(now)
        if not was_running:
            self._device.reading([("prewarning", True)])

    def cancel(self, at: int) -> None:
        """The cancel button is pressed since `at`. Told also when nobody asked: it is a sign of life."""
        self._buzzer.play(_ANSWERED)
        if not ticks.within(self._cancelled, at, _AGAIN_MS):
            self._urgent.put([("cancel", True)], self._device.stamp_at(at))
            self._cancelled = at
        self._end()

    def look(self, now: int) -> None:
        """Once a second while it runs: repeat the question, and end it."""
        if self._ends is None:
            return
        if ticks.since(self._ends, now) >= 0:
            self._end()
        elif ticks.since(self._asked, now) >= _EVERY_MS:
            self._sound(now)

    def _sound(self, now: int) -> None:
        self._asked = now
        if not self._quiet():
            self._buzzer.play(_ASK)

    def _end(self) -> None:
        if self.running:
            self._ends = None
            self._device.reading([("prewarning", False)])
