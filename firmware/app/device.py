"""What an app sees of the device: it hands in readings and events, hears of receipts and commands, asks for sleep or reset."""

import asyncio

from app import message, ticks
from app.log import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from app.configuration import Configuration
    from app.health import Health
    from app.link import Link

DATA = 2  # the outbox's lanes
EVENT = 0

# What must not be cut short (an SOS being shown, a pre-warning) delays a wanted reset by at most this.
_LONGEST_BUSY_S = 900


class Device:
    """The context handed to an app. `main` fills in `link`, `health` and `configuration` before the app is built.

    Args:
        settings: checked (app.settings).
        root: folder of the flash's file system, "" on a device.
        machine: the module; given in tests.
    """

    def __init__(self, settings: dict, clock, outbox, supervisor, machine=None, root: str = "") -> None:
        if machine is None:
            import machine
        self.settings = settings
        self.clock = clock
        self.outbox = outbox
        self.root = root
        self.log = log
        self.supervisor = supervisor
        self.link: Link = None  # type: ignore[assignment]
        self.health: Health = None  # type: ignore[assignment]
        self.configuration: Configuration = None  # type: ignore[assignment]
        self.commands = {}  # name -> function(command as a dict)
        self.repeatable = set()  # names of commands that may be done twice: no flash is worn for their ids
        self.busy = []  # functions: True while a reset would cut something short
        self.good = lambda: None  # this boot has proved itself; filled in by `main`
        self.uploaded = lambda: None  # a sleeper calls it after each try to upload; filled in by `main`
        self.on_trial = lambda: False  # the firmware waits for its first receipt: no sleep before; filled in by `main`
        self.on_reset = []  # functions called with the reason right before a wanted reset
        self._machine = machine
        self._waiting = {}  # (boot, seq) of an event -> callback
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

    def stamp_at(self, at: int) -> tuple:
        """The stamp of a moment not long ago, by its `ticks.now()`."""
        up_ms, unix_ms, clk, err_ms = self.clock.stamp()
        ago_ms = max(0, ticks.since(at, ticks.now()))
        return max(0, up_ms - ago_ms), unix_ms - ago_ms if unix_ms else 0, clk, err_ms

    def when_receipted(self, boot: int, seq: int, callback) -> None:
        """Call `callback(rejected)` once the gateway's receipt of this event is here. Not kept over a reset."""
        self._waiting[boot, seq] = callback

    def receipted(self, freed) -> None:
        """The link: these events, (boot, seq, rejected), are receipted."""
        for boot, seq, rejected in freed:
            callback = self._waiting.pop((boot, seq), None)
            if callback is not None:
                callback(rejected)

    def sleep(self, ms: int) -> None:
        """Planned deep sleep at the end of a sleeper's cycle: the boot goes on afterwards. Does not return."""
        self.good()
        self.clock.before_sleep(ms)
        self._machine.deepsleep(ms)

    @property
    def resetting(self) -> bool:
        """A reset is wanted and comes once nothing is busy: too late to go to sleep."""
        return self._resetting

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
        """Reset now; what waits in memory goes to flash first, if it can. Does not return."""
        try:
            log("warning", "reset: " + reason)
            for act in self.on_reset + [lambda reason: self.outbox.flush()]:
                try:
                    act(reason)
                except Exception as error:  # no memory, no room: often just what the reset is for
                    log("error", "reset: %s: %s" % (type(error).__name__, error))
        finally:
            self._machine.reset()
