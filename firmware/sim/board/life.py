"""The lives of the firmware: started, killed, asleep, woken, bitten by the watchdog, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware.sim.board.process import Process
from firmware.sim.board.virtual_time import Event, VirtualTime

_CAUSES: Final = {"PWRON": 1, "HARD": 2, "WDT": 3, "DEEPSLEEP": 4, "SOFT": 5}
_TIMER_WAKE: Final = 4
_EXT0_WAKE: Final = 2
_EXT1_WAKE: Final = 3

Launch = Callable[[Callable[[], None]], Process]


@dataclass(frozen=True)
class Reset:
    """A start of the firmware: when (board ms) and why (PWRON, HARD, WDT, DEEPSLEEP, SOFT)."""

    at_ms: int
    cause: str


class Life:
    """What goes on between the resets. Everything is called with the clock's lock.

    Args:
        launch: starts a process and tells when it ends by itself.
        forget: called with `asleep` at the end of a life: what the chip forgets then.
        power_lost: what it forgets only without power; called with the ms without it.
        boot_ms: from reset to the first line of Python.
    Attributes:
        resets: every start so far.
        energy: (board ms, state): boot, deepsleep, off, lightsleep, awake, `wifi on`, `wifi off`, marked pins.
        halted: why the program ended without a reset; None while it runs or sleeps.
    """

    def __init__(
        self,
        time: VirtualTime,
        launch: Launch,
        forget: Callable[[bool], None],
        power_lost: Callable[[int], None],
        slept: Callable[[int], None],
        boot_ms: int,
    ) -> None:
        self.resets: list[Reset] = []
        self.energy: list[tuple[int, str]] = []
        self.halted: str | None = None
        self.process: Process | None = None
        self._time = time
        self._launch = launch
        self._forget = forget
        self._lose = power_lost
        self._slept = slept
        self._boot_ms = boot_ms
        self._cause, self._wake_reason = "PWRON", 0
        self._asleep_since: int | None = None
        self._wake_pins: dict[int, tuple[int, int]] = {}  # pin -> level, wake reason
        self._next: Event | None = None
        self._watchdog: Event | None = None
        self._watchdog_ms = 0

    @property
    def asleep(self) -> bool:
        return self._asleep_since is not None

    def note(self, state: str) -> None:
        """One more line for the energy account."""
        self.energy.append((self._time.now(), state))

    def power_on(self) -> None:
        self._time.idle = False
        self._next = self._time.at(self._time.now(), lambda: self._boot("PWRON"))

    def end(self, asleep: bool = False) -> None:
        """The process is killed; what the chip forgets is forgotten."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
        self._time.cancel(self._watchdog)
        self._time.cancel(self._next)
        self._watchdog, self._watchdog_ms = None, 0
        self._asleep_since = None
        self._forget(asleep)
        self._time.idle = True

    def restart(self, cause: str) -> None:
        self.end()
        self._next = self._time.after(self._boot_ms, lambda: self._boot(cause))

    def power_cut(self, off_ms: int) -> None:
        self.end()
        self._lose(off_ms)
        self.note("off")
        self._next = self._time.after(off_ms + self._boot_ms, lambda: self._boot("PWRON"))

    def pin_changed(self, pin: int, level: int) -> None:
        """Perhaps it wakes."""
        wanted = self._wake_pins.get(pin)
        if self.asleep and wanted is not None and wanted[0] == level:
            self._wake_up(wanted[1])

    def sleep(self, ms: int, level: Callable[[int], int]) -> None:
        """Deep sleep; 0 ms: until a pin wakes it. A pin that has its waking level already wakes it at once."""
        self.end(asleep=True)
        self.note("deepsleep")
        self._asleep_since = self._time.now()
        if ms > 0:
            self._next = self._time.after(ms, lambda: self._wake_up(_TIMER_WAKE))
        for pin in list(self._wake_pins):
            self.pin_changed(pin, level(pin))

    def wake_on(self, words: list[str]) -> str:
        """`ext0|ext1 LEVEL PIN...`"""
        kind, level, *pins = words
        reason = _EXT0_WAKE if kind == "ext0" else _EXT1_WAKE
        self._wake_pins = {pin: it for pin, it in self._wake_pins.items() if it[1] != reason}
        self._wake_pins |= {int(pin): (int(level), reason) for pin in pins if pin != "-1"}
        return ""

    def cause(self, _: list[str]) -> str:
        return f"{_CAUSES[self._cause]} {self._wake_reason}"

    def watch(self, words: list[str]) -> str:
        """A watchdog of so many ms, which nothing stops but a reset."""
        self._watchdog_ms = int(words[0])
        return self.feed([])

    def feed(self, _: list[str]) -> str:
        if self._watchdog_ms:
            self._time.cancel(self._watchdog)
            self._watchdog = self._time.after(self._watchdog_ms, lambda: self.restart("WDT"))
        return ""

    def halt(self, why: str) -> None:
        """The program is over, which on the chip means: it stands there. Only a watchdog helps."""
        bites_at = self._watchdog.at_ms if self._watchdog is not None else None
        self.end()
        self.halted = why
        if bites_at is not None:
            self._next = self._time.at(bites_at, lambda: self.restart("WDT"))

    def _wake_up(self, reason: int) -> None:
        assert self._asleep_since is not None
        self._slept(self._time.now() - self._asleep_since)
        self._asleep_since = None
        self._time.cancel(self._next)
        self._next = self._time.after(self._boot_ms, lambda: self._boot("DEEPSLEEP", reason))

    def _boot(self, cause: str, wake_reason: int = 0) -> None:
        """Start a life. Called in the clock's own thread, which lives as long as the process may."""
        self.resets.append(Reset(self._time.now(), cause))
        self.note("boot")
        self._cause, self._wake_reason = cause, wake_reason
        self._wake_pins.clear()
        self.halted = None
        self._time.idle = False
        number = len(self.resets)
        self.process = self._launch(lambda: self._died(number))

    def _died(self, number: int) -> None:
        """The process of this life ended by itself."""
        with self._time.lock:
            if self.process is not None and number == len(self.resets):
                self.halt(f"died with status {self.process.wait()}")
