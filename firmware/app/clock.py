"""What time it is, who says so, and by how much it may be wrong.

The uptime is the backbone: it counts the milliseconds of a boot by the CPU's ticks, goes on over a planned deep sleep, and no
setting of a clock ever moves it. The time of day is a pair of (uptime, unix time) from the last sync. A clock that nobody has
set since power-on is `none`, whatever it shows: the chip begins in the year 2000, and no stamp ever says so.
"""

import struct
import time

from app import system_clock

NTP, GNSS, RTC, NONE = "ntp", "gnss", "rtc", "none"
NEVER = -1

_SNAPSHOT = "<QQQqIIB"  # up, chip's clock, unix time (0 unknown), uptime of the last sync, error, planned sleep, source
_SIZE = struct.calcsize(_SNAPSHOT)
_SOURCES = (NONE, NTP, GNSS, RTC)
_UNKNOWN_ERROR = 0xFFFFFFFF
_FLOOR_KEY = "floor_h"  # hours since 1970: seconds leave the 31 bits of NVS in 2038
_HOUR_MS = 3600000
_DAY_H = 24
_AWAKE_PPM = 50  # the crystal of a module, over its temperatures
_ASLEEP_PPM = 50000  # 150 kHz RC oscillator: 1 min an hour and worse were seen
_RESET_ERROR_MS = 1000
_SLACK_MS = 60000


class Clock:
    """
    Args:
        region: `rtc_memory.Region` of 64 bytes or more; what it holds survives sleep and resets, not a power cut.
        floor_unix_s: it cannot be earlier than this (the build's date), seconds since 1970; an earlier time is not believed.
        continued: the device woke from a deep sleep that it had planned; boot and uptime go on.
        nvs: an `esp32.NVS`; keeps the last known time for the next cold boot, written at most once a day. May be None.
        crystal: a 32 kHz crystal drives the sleep clock.
        system: `app.system_clock` or a fake with `now_ms()` and `set_ms()`.
    """

    def __init__(self, region, floor_unix_s: int, continued: bool, nvs=None, crystal: bool = False, system=system_clock):
        self._region = region
        self._nvs = nvs
        self._asleep_ppm = _AWAKE_PPM if crystal else _ASLEEP_PPM
        self._system = system
        self._ticks = time.ticks_ms()
        self._up_ms = 0
        # At the uptime `_at_ms` it was `_unix_ms` (0: unknown), within `_err_ms` (NEVER: nobody knows).
        self._at_ms = 0
        self._unix_ms = 0
        self._err_ms = NEVER
        self._source = NONE
        self._synced_ms = NEVER
        self._floor_ms = floor_unix_s * 1000
        self._stored_h = self._stored_floor()
        self.steps = 0
        self._wake(continued)
        if self._source == NONE and system.now_ms() < max(self._floor_ms, self._stored_h * _HOUR_MS):
            # Near enough for a certificate to be valid.
            system.set_ms(max(self._floor_ms, self._stored_h * _HOUR_MS))

    def uptime_ms(self) -> int:
        """Milliseconds of this boot. Ask at least once in six days: the ticks wrap, this never does."""
        ticks = time.ticks_ms()
        self._up_ms += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._up_ms

    def unix_ms(self) -> int:
        """Unix time, 0 when it is unknown."""
        return self._unix_ms + self.uptime_ms() - self._at_ms if self._unix_ms else 0

    def err_ms(self) -> int:
        """How wrong `unix_ms` may be by now, NEVER (-1) when nobody knows."""
        if not self._unix_ms or self._err_ms < 0:
            return NEVER
        return self._err_ms + _drift(self.uptime_ms() - self._at_ms, _AWAKE_PPM)

    def stamp(self) -> tuple:
        """`(up_ms, unix_ms, clk, err_ms)` of this moment; unix_ms is 0 when clk is `none`, err_ms -1 when unknown."""
        return self.uptime_ms(), self.unix_ms(), self._source, self.err_ms()

    @property
    def source(self) -> str:
        return self._source

    def age_ms(self) -> int:
        """Milliseconds since somebody last told the time, NEVER (-1) if nobody did."""
        return NEVER if self._synced_ms == NEVER else self.uptime_ms() - self._synced_ms

    def set(self, unix_ms: int, source: str, err_ms: int) -> bool:
        """Take the time from `ntp` or `gnss`; False when it is not believed.

        A time before the build is a source that does not know it (GNSS without a fix, a server just started). Of two that
        agree the better one stays, so that a slow NTP answer does not spoil GNSS; where they disagree the newer one counts.
        """
        if unix_ms < self._floor_ms:
            return False
        up_ms = self.uptime_ms()
        known, mine = self.unix_ms(), self.err_ms()
        if known and 0 <= mine < err_ms and abs(known - unix_ms) <= mine + err_ms:
            return False
        if known and abs(known - unix_ms) > 1000:
            self.steps += 1
        self._at_ms = self._synced_ms = up_ms
        self._unix_ms, self._err_ms, self._source = unix_ms, err_ms, source
        self._system.set_ms(unix_ms)
        self._keep(0)
        self._store_floor(unix_ms)
        return True

    def before_sleep(self, ms: int) -> None:
        """The last act before a planned deep sleep of `ms`."""
        self._keep(ms)

    def _keep(self, sleep_ms: int) -> None:
        err_ms = self.err_ms()
        self._region.store(
            struct.pack(
                _SNAPSHOT,
                self.uptime_ms(),
                self._system.now_ms(),
                self.unix_ms(),
                self._synced_ms,
                _UNKNOWN_ERROR if err_ms < 0 else min(err_ms, _UNKNOWN_ERROR - 1),
                min(sleep_ms, 0xFFFFFFFF),
                _SOURCES.index(self._source),
            )
        )

    def _wake(self, continued: bool) -> None:
        """Go on from the snapshot, if there is one that makes sense."""
        kept = self._region.load()
        if kept is None or len(kept) < _SIZE:
            return
        up_ms, chip_ms, unix_ms, synced_ms, err_ms, sleep_ms, source = struct.unpack(_SNAPSHOT, kept[:_SIZE])
        elapsed_ms = self._system.now_ms() - chip_ms
        if continued:
            # A pin may have woken us early, so the chip's clock is asked; unless it has lost its time on the way.
            trusted = 0 <= elapsed_ms <= sleep_ms + sleep_ms // 5 + _SLACK_MS
            if not trusted:
                elapsed_ms = sleep_ms
            drift_ms = _drift(elapsed_ms, self._asleep_ppm)
            self._up_ms = up_ms + elapsed_ms
            self._synced_ms = synced_ms
        else:
            # A reset that kept the power (watchdog, crash): a new boot, but the chip's clock was set by us and went on.
            trusted = elapsed_ms >= 0
            drift_ms = _drift(elapsed_ms, _AWAKE_PPM) + _RESET_ERROR_MS
        if not unix_ms or not trusted or unix_ms + elapsed_ms < self._floor_ms or not 0 < source < len(_SOURCES):
            return
        self._at_ms = self._up_ms
        self._unix_ms = unix_ms + elapsed_ms
        self._err_ms = NEVER if err_ms == _UNKNOWN_ERROR else err_ms + drift_ms
        self._source = RTC

    def _stored_floor(self) -> int:
        try:
            return self._nvs.get_i32(_FLOOR_KEY) if self._nvs is not None else 0
        except OSError:
            return 0

    def _store_floor(self, unix_ms: int) -> None:
        hours = unix_ms // _HOUR_MS
        # Down as well as up: the floor begins a clock, it refuses no time. Else one lie of an unauthenticated NTP server
        # (the year 2100) would shut out the right time for ever.
        if self._nvs is None or abs(hours - self._stored_h) < _DAY_H:
            return
        self._stored_h = hours
        try:
            self._nvs.set_i32(_FLOOR_KEY, hours)
            self._nvs.commit()
        except OSError:
            pass  # an older floor is a floor as well


def _drift(ms: int, ppm: int) -> int:
    return ms * ppm // 1000000
