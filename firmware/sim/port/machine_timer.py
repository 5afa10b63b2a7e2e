"""Timers; the board counts, the callback runs between two waits as a soft interrupt."""

import wire


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id=0, **how):
        self._id = id
        if how:
            self.init(**how)

    def init(self, *, mode=1, freq=-1, period=-1, callback=None):
        ms = int(1000 / freq) if freq > 0 else period
        wire.handlers["t%d" % self._id] = lambda: callback(self)
        wire.call("timer %d %d %d" % (self._id, ms, mode))

    def deinit(self):
        wire.call("timer %d 0 0" % self._id)
