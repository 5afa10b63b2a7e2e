"""The chip's own clock: it survives resets and deep sleep, loses the time with the power, and dates certificates."""

import time

# Seconds from 1970 to the year in which time.time() is 0: 1970 on the unix port, 2000 on an ESP32.
_EPOCH_S = 946684800 if time.gmtime(0)[0] == 2000 else 0


def now_ms() -> int:
    """Unix milliseconds by the chip's clock, right or wrong."""
    try:
        return time.time_ns() // 1000000 + _EPOCH_S * 1000
    except AttributeError:
        return (int(time.time()) + _EPOCH_S) * 1000


def set_ms(unix_ms: int) -> None:
    """Set the chip's clock; where there is none to set (a host), nothing happens."""
    try:
        from machine import RTC
    except ImportError:
        return
    seconds, ms = divmod(unix_ms, 1000)
    year, month, day, hour, minute, second, weekday = time.gmtime(seconds - _EPOCH_S)[:7]
    RTC().datetime((year, month, day, weekday, hour, minute, second, ms * 1000))
