"""`select` whose waiting is virtual: when sockets are quiet the time is jumped over, and interrupts are run."""

import uselect as _u
import wire as _wire
from uselect import *

_HANDSHAKE = 6


class poll:
    def __init__(self):
        self._poll = _u.poll()
        self._poll.register(_wire.bell, _u.POLLIN)
        self._greetings = {}  # id of a TLS stream -> how often it had something to read or write
        self._owners = {}  # id of a stream -> the object it was registered for
        self._flags = {}  # id -> (object, mask); with one of these inside, uselect takes a real ms for each look

    def register(self, thing, mask=5):
        if hasattr(thing, "ioctl"):
            self._flags[id(thing)] = (thing, mask)
            return None
        return self._poll.register(self._stream(thing), mask)

    def modify(self, thing, mask):
        if id(thing) in self._flags:
            self._flags[id(thing)] = (thing, mask)
            return
        self._poll.modify(self._stream(thing), mask)

    def unregister(self, thing):
        if self._flags.pop(id(thing), None):
            return
        stream = self._stream(thing)
        self._owners.pop(id(stream), None)
        if len(self._greetings) > 16:
            self._greetings.clear()
        self._poll.unregister(stream)

    def poll(self, timeout=-1, flags=0):
        return self.ipoll(timeout, flags)

    def ipoll(self, timeout=-1, flags=0):
        """List of (object, events); may be empty before `timeout` ms (not for ever) are over when an interrupt was run."""
        if timeout == 0 and _wire.just_listened():
            return ()
        end = _wire.now() + timeout if timeout > 0 else timeout
        wait = 0
        while True:
            ready = [(thing, mask) for thing, mask in self._flags.values() if thing.ioctl(3, mask)]
            if ready:
                return ready
            ready = self._poll.poll(wait)
            _wire.listened()
            if ready:
                ready = self._sort(ready)
                # asyncio takes it for granted that waiting for ever ends with something to do.
                if ready or timeout >= 0:
                    return ready
                wait = 0
                continue
            if timeout == 0:
                return ready
            left = -1
            if timeout > 0:
                left = end - _wire.now()
                if left <= 0:
                    return ready
            if not _wire.virtual:
                wait = left
                continue
            wait = _wire.unsettled()
            if wait <= 0:
                if _wire.leap(left):
                    return ready
                wait = _wire.jump(left)
            if left > 0:
                wait = min(wait, left)

    def _stream(self, thing):
        if not hasattr(thing, "pty"):
            return thing
        self._owners[id(thing.stream)] = thing  # a UART is polled by what lies beneath
        return thing.stream

    def _heard(self, stream):
        """A socket's answer takes real time; what only Python waits for (a flag) does not."""
        if hasattr(stream, "recv"):
            _wire.heard()
        elif not hasattr(stream, "ioctl"):  # TLS: whose first packets shake hands
            before = self._greetings.get(id(stream), 0)
            self._greetings[id(stream)] = before + 1
            _wire.heard(before < _HANDSHAKE)

    def _sort(self, ready):
        found = []
        for item in ready:
            if item[0] is _wire.bell:
                _wire.ring()
            else:
                thing = self._owners.get(id(item[0]))
                if thing is None:
                    self._heard(item[0])
                    found.append(item)
                    continue
                if thing.pty:
                    _wire.heard()
                found.append((thing, item[1]))
        return found
