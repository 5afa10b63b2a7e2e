"""Events that must reach the flash: what it refuses is tried again every second, in order."""

from app.log import Trouble

_MOST = 32


class Urgent:
    """What is written at once where it can be."""

    def __init__(self, device) -> None:
        self._device = device
        self._waiting = []  # (items, stamp, saved)
        self._trouble = Trouble("event not saved")
        self.dropped = 0

    def put(self, items, stamp: tuple, saved=None) -> None:
        """Save an event now; `saved(seq)` is called when it is in flash, mostly before this returns."""
        if len(self._waiting) >= _MOST:
            del self._waiting[0]
            self.dropped += 1
        self._waiting.append((items, stamp, saved))
        self.look()

    def look(self) -> None:
        """One more try."""
        while self._waiting:
            items, stamp, saved = self._waiting[0]
            try:
                seq = self._device.event(items, stamp)
            except Exception as error:  # full, worn or broken: whatever it is, only trying again helps
                self._trouble.set("%s: %s" % (type(error).__name__, error))
                return
            del self._waiting[0]
            self._trouble.set()
            if saved is not None:
                saved(seq)

    @property
    def waiting(self) -> bool:
        """Something is not in flash yet."""
        return bool(self._waiting)
