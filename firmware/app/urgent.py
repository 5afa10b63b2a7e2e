"""Events that must reach the flash: what it refuses is tried again every second, in order."""

from app.log import Trouble

_MOST = 32


class Urgent:
    """What is written at once where it can be.

    An event that the flash refuses waits in RTC memory, from where it is sent as well; but a power cut takes it.
    """

    def __init__(self, device) -> None:
        self._device = device
        self._waiting = []  # (items, stamp, taken, saved)
        self._staged = []  # `saved` of those in RTC memory
        self._trouble = Trouble("event not saved")
        self.dropped = 0

    def put(self, items, stamp: tuple, taken=lambda seq: None, saved=lambda: None) -> None:
        """Save an event now.

        Args:
            taken: function(seq), called when the outbox has it.
            saved: function(), called when it is in flash. Both mostly before this returns.
        """
        if len(self._waiting) >= _MOST:
            del self._waiting[0]
            self.dropped += 1
        self._waiting.append((items, stamp, taken, saved))
        self.look()

    def look(self) -> None:
        """One more try."""
        while self._waiting:
            items, stamp, taken, saved = self._waiting[0]
            try:
                seq = self._device.event(items, stamp)
            except Exception as error:  # full, worn or broken: whatever it is, only trying again helps
                self._trouble.set("%s: %s" % (type(error).__name__, error))
                return
            del self._waiting[0]
            if self._device.outbox.on_flash:
                saved()
            else:
                self._staged = self._staged[1 - _MOST :] + [saved]
            taken(seq)
        if self._staged and not self._flushed():
            return
        self._trouble.set()
        staged, self._staged = self._staged, []
        for saved in staged:
            saved()

    def _flushed(self) -> bool:
        try:
            flushed = self._device.outbox.flush()
            self._trouble.set("" if flushed else "the flash refuses it")
        except Exception as error:
            self._trouble.set("%s: %s" % (type(error).__name__, error))
            return False
        return flushed

    @property
    def waiting(self) -> bool:
        """Something is not in flash yet."""
        return bool(self._waiting or self._staged)
