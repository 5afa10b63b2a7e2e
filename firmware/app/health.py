"""What a device says of itself, as readings: why it started, memory, radio, battery, outbox, restarts, firmware."""

import asyncio
import gc

from app.log import log

_FIRST_MS = 20_000  # by then it is connected, if it can be
_STEP_MS = 15_000


class Health:
    """
    Args:
        device: the Device.
        cause: why it started, in a few words.
        firmware: name, version and hash.
        battery: a driver with `millivolts()` and `curve` (app.sensors.battery), or None.
        rssi_dbm: function -> signal of the access point, or None while there is none.
        told: cause and firmware are known already, as after a planned sleep.
    """

    def __init__(self, device, cause: str, firmware: str, battery=None, rssi_dbm=None, told: bool = False) -> None:
        self._device = device
        self.cause = cause
        self.firmware = firmware
        self._battery = battery
        self._rssi_dbm = rssi_dbm
        self._told = told
        self.more = []  # functions -> items, of what an app or driver counts

    def items(self) -> list:
        """The record of now; the two texts only in the first of a start, for they do not change."""
        device = self._device
        items: list = [] if self._told else [("reset_cause", self.cause), ("firmware", self.firmware)]
        self._told = True
        # What is left after collecting: falls from day to day only if something is never let go.
        gc.collect()
        if hasattr(gc, "mem_free"):
            items.append(("memory_free", gc.mem_free()))
        items.append(("uptime", (device.clock.uptime_ms(), 3)))
        items.append(("outbox_records", sum(device.outbox.depth())))
        items.append(("restarts", device.supervisor.restarts))
        if device.link is not None:
            items.append(("reconnects", device.link.counters.get("connects", 0)))
        for source in [self._radio, self._power] + self.more:
            try:
                items += source()
            except Exception as error:
                log("warning", "health: %s: %s" % (type(error).__name__, error))
        return items

    async def run(self, beat) -> None:
        """The task: one record soon after the start, then one each interval."""
        wait_ms = _FIRST_MS
        while True:
            while wait_ms > 0:
                beat()
                await asyncio.sleep_ms(min(wait_ms, _STEP_MS))
                wait_ms -= _STEP_MS
            self._device.reading(self.items())
            wait_ms = self._device.settings["health_s"] * 1000

    def _radio(self) -> list:
        dbm = None if self._rssi_dbm is None else self._rssi_dbm()
        # The catalogue has dBW, the unit of RFC 8428.
        return [] if dbm is None else [("rssi", dbm - 30)]

    def _power(self) -> list:
        if self._battery is None:
            return []
        from app.sensors.battery import percent

        mv = self._battery.millivolts()
        return [("battery_voltage", (mv, 3)), ("battery_level", percent(mv, self._battery.curve))]
