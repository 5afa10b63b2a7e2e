"""What an app sees of the device: it hands in readings and events, hears of receipts and commands, asks for sleep or reset."""

import asyncio

from app import message
from app.log import log

DATA = 2  # the outbox's lanes
EVENT = 0

# What must not be cut short (an SOS being shown, a pre-warning) delays a wanted reset by at most this.
_LONGEST_BUSY_S = 900


class Device:
    """The context handed to an app. `main` fills in `link`, `supervisor`, `health` and `configuration` before the app is built.

    Args:
        settings: checked (app.settings).
        machine: the module; given in tests.
    """

    def __init__(self, settings: dict, clock, outbox, machine=None) -> None:
        if machine is None:
            import machine
        self.settings = settings
        self.clock = clock
        self.outbox = outbox
        self.log = log
        self.link = self.supervisor = self.health = self.configuration = None
        self.commands = {}  # name -> function(command as a dict)
        self.busy = []  # functions: True while a reset would cut something short
        self.on_reset = []  # functions called with the reason right before a wanted reset
        self._machine = machine
        self._waiting = {}  # seq of an event of this boot -> callback
        self._resetting = False

    @property
    def section(self) -> dict:
        """The app's own settings."""
        return self.settings[self.settings["model"]]

    def reading(self, items, stamp=None) -> int:
        """Put readings of one instant into the outbox; their seq.

        Args:
            items: as `message.body` takes them.
            stamp: of `Clock.stamp`, for what was measured before; None: now.
        """
        return self._put(DATA, items, stamp)

    def event(self, items, stamp=None) -> int:
        """Put one event into the outbox, the first item names it. It is in flash when this returns; its seq."""
        return self._put(EVENT, items, stamp)

    def _put(self, lane: int, items, stamp) -> int:
        seq = self.outbox.put(lane, stamp or self.clock.stamp(), message.body(items))
        if self.link is not None:
            self.link.poke()
        return seq

    def when_receipted(self, seq: int, callback) -> None:
        """Call `callback(rejected)` once the gateway's receipt of this boot's event `seq` is here. Not kept over a reset."""
        self._waiting[seq] = callback

    def receipted(self, freed) -> None:
        """The link: these events, (boot, seq, rejected), are receipted."""
        for boot, seq, rejected in freed:
            callback = self._waiting.pop(seq, None) if boot == self.outbox.boot else None
            if callback is not None:
                callback(rejected)

    def sleep(self, ms: int) -> None:
        """Planned deep sleep: the boot goes on afterwards. Does not return."""
        self.clock.before_sleep(ms)
        self._machine.deepsleep(ms)

    def reset_soon(self, reason: str) -> None:
        """Reset in an orderly way, as soon as nothing in `busy` speaks against it, at the latest after a quarter of an hour."""
        if not self._resetting:
            self._resetting = True
            self.supervisor.once("reset", self._reset_when_idle(reason))

    async def _reset_when_idle(self, reason: str) -> None:
        await asyncio.sleep(2)  # the answer to a command, a receipt of the broker: let them go out
        for _ in range(_LONGEST_BUSY_S):
            if not any(ask() for ask in self.busy):
                break
            await asyncio.sleep(1)
        self.reset(reason)

    def reset(self, reason: str) -> None:
        """Reset now; what waits in memory goes to flash first. Does not return."""
        log("warning", "reset: " + reason)
        for tell in self.on_reset:
            tell(reason)
        self.outbox.flush()
        self._machine.reset()
