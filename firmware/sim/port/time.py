"""`time` of an ESP32 on the simulated board's clock: whole seconds since 2000, ticks that may be jumped over."""

import utime as _u
import wire as _wire
from utime import *

_TO_2000 = 946684800
_rtc = [0]  # RTC ms since 2000 = virtual ms + this


def ticks_ms():
    return _u.ticks_ms() + _wire.off


def ticks_us():
    return _u.ticks_us() + _wire.off * 1000


def ticks_cpu():
    return ticks_us()


def time():
    return (_wire.now() + _rtc[0]) // 1000


def time_ns():
    return (_wire.now() + _rtc[0]) * 1000000


def sleep_ms(ms):
    if ms > 0:
        _wire.sleep(ms)


def sleep(seconds):
    sleep_ms(int(seconds * 1000))


def sleep_us(us):
    if us >= 10000:
        _wire.sleep(us // 1000)
    elif us > 0:
        _u.sleep_us(us)


def gmtime(seconds=None):
    return _u.gmtime((time() if seconds is None else seconds) + _TO_2000)[:8]


localtime = gmtime


def mktime(parts):
    return _u.mktime(tuple(parts)[:8]) - _TO_2000  # the board starts us with TZ=UTC


_rtc[0] = int(_wire.call("rtc get"))
