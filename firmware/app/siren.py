"""The buzzer as a siren: when the gateway reaches nobody, somebody who is near can hear that help is needed."""

from app import ticks

_SOUND = (700, 300, 700, 300, 700, 300, 700, 300, 700)
_EVERY_MS = 5000  # begun anew so often: a beep in between does not end it
_LONGEST_S = 3600


class Siren:
    """Sounds for the time it was asked to; not kept over a reset, for the gateway asks again."""

    def __init__(self, buzzer) -> None:
        self._buzzer = buzzer
        self._ends: int | None = None  # ticks
        self._sounded = 0

    @property
    def running(self) -> bool:
        """It sounds."""
        return self._ends is not None

    def ask(self, command: dict) -> None:
        """Command `siren` with `seconds`, counted from now; 0 ends it."""
        seconds = command.get("seconds")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _LONGEST_S:
            raise ValueError("seconds: seen %r, expected a whole number from 0 to %d" % (seconds, _LONGEST_S))
        if seconds == 0:
            self._end()
            return
        now = ticks.now()
        self._ends = ticks.after(now, seconds * 1000)
        self._sound(now)

    def look(self, now: int) -> None:
        """Once a second while it runs."""
        if self._ends is None:
            return
        if ticks.since(self._ends, now) >= 0:
            self._end()
        elif ticks.since(self._sounded, now) >= _EVERY_MS:
            self._sound(now)

    def _sound(self, now: int) -> None:
        self._sounded = now
        self._buzzer.play(_SOUND)

    def _end(self) -> None:
        if self.running:
            self._ends = None
            self._buzzer.hold(0)
