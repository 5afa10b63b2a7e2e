"""The clock and the memory that outlive deep sleep; the board keeps both."""

import os
import time

import wire

# A file with a length of two bytes in front: it takes as little heap as on the chip.
_memory = open(os.getenv("KANHU_RTC_MEMORY"), "r+b")  # noqa: SIM115  for as long as we live
_length = bytearray(2)


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
        _memory.seek(0)
        if data is None:
            _memory.readinto(_length)
            return _memory.read(_length[0] << 8 | _length[1])
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _length[0], _length[1] = len(data) >> 8, len(data) & 255
        _memory.write(_length)
        _memory.write(data)
        return None
