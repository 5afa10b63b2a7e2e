"""The clock and the memory that outlive deep sleep; the board keeps both."""

import time

import wire


class RTC:
    def __init__(self, id=0):
        pass

    def datetime(self, parts=None):
        """(year, month, day, weekday, hour, minute, second, microsecond)"""
        if parts is None:
            ms = wire.now() + time._rtc[0]
            year, month, day, hour, minute, second, weekday = time.gmtime(ms // 1000)[:7]
            return year, month, day, weekday, hour, minute, second, ms % 1000 * 1000
        year, month, day, _, hour, minute, second, us = parts
        ms = time.mktime((year, month, day, hour, minute, second, 0, 0)) * 1000 + us // 1000
        time._rtc[0] = ms - wire.now()
        wire.call("rtc set %d" % time._rtc[0])
        return None

    def init(self, parts):
        self.datetime(parts)

    def memory(self, data=None):
        """2048 bytes at most."""
        if data is None:
            return bytes.fromhex(wire.ask("memory"))
        if len(data) > 2048:
            raise ValueError("buffer too long")
        wire.ask("memory " + (bytes(data).hex() or "-"))
        return None
