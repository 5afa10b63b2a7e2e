"""One simulated ESP32: a MicroPython process, its pins and buses, its flash and memories, its radio and its clock."""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from firmware.sim.board import verbs
from firmware.sim.board.access_point import AccessPoint, Network
from firmware.sim.board.analog import Analog
from firmware.sim.board.buses import I2C, I2CChip, OneWire, OneWireDevice, UartDevice
from firmware.sim.board.flash_image import FlashImage
from firmware.sim.board.interrupts import Interrupts
from firmware.sim.board.life import Life, Reset
from firmware.sim.board.line import Line
from firmware.sim.board.ntp_server import NtpServer
from firmware.sim.board.pins import Pins
from firmware.sim.board.process import FIRMWARE, PORT, Process, find_micropython, heap_with_shims
from firmware.sim.board.soft_ap import SoftAp
from firmware.sim.board.station import Station
from firmware.sim.board.storage import Nvs, Partitions, Rtc, RtcMemory
from firmware.sim.board.uart import Uart
from firmware.sim.board.virtual_time import Event, VirtualTime

Mode = Literal["real", "virtual"]
WEEK_MS: Final = 7 * 86_400_000
_START_S: Final = 10.0
_STAMP: Final = re.compile("\x01([0-9]+)\x02")  # run.py puts it before what is printed


@dataclass(frozen=True)
class Printed:
    """A line the firmware printed, and when (board ms)."""

    at_ms: int
    text: str


class Board:
    """A board that is off until `start()`; a context manager that stops it.

    In mode virtual its time goes like the machine's, except in `run_for`, `run_until` and `wait_for`, in which the firmware's
    waiting is jumped over. All times are ms of the board's clock, 0 when the board was made.

    Args:
        folder: for flash image, NVS and log; what is there already is gone on with.
        app: the device's model, put into the settings as `model`.
        settings: /settings.json of the flash; None: none is written.
        files: more files for the flash, path -> content.
        script: Python file, or source, that runs instead of `app.main.run("/flash")`.
        heap: what the app gets, without what the simulation itself needs.
        source: folder that holds `app/`, as .py or .mpy, which is loaded into the heap; or a file made by `rom.image()`, which
            runs where it lies. To compile all of the sources on the device takes more than a plain ESP32 has.
        start_unix_ms: true time at board ms 0; by default a week ago in mode virtual, now in mode real.
        settle_ms, patience_ms: real time that sockets must be quiet, and an answer is waited for, before time is jumped over.
        lease_ms: how far the firmware may jump without asking, and so how old `now_ms()` may be.
        sleep_drift_ppm: how much the RTC gains in deep sleep.
        boot_ms: from reset to the first line of Python, in mode virtual.
        blocks: size of the flash file system in blocks of 4 KiB.
    Attributes:
        lines: what the firmware printed, the last 50,000 lines. tell: called with each, in a thread of the board's.
    """

    def __init__(
        self,
        folder: Path,
        app: str | None = None,
        settings: Mapping[str, Any] | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
        script: Path | str | None = None,
        source: Path = FIRMWARE,
        mode: Mode = "virtual",
        heap: str = "112wK",
        start_unix_ms: int | None = None,
        settle_ms: int = 6,
        patience_ms: int = 500,
        lease_ms: int = 10_000,
        sleep_drift_ppm: int = 0,
        boot_ms: int = 350,
        blocks: int = 512,
    ) -> None:
        self.folder, self.source, self.heap, self.mode = folder, source, heap, mode
        self.lines: deque[Printed] = deque(maxlen=50_000)
        self.tell: Callable[[Printed], object] = lambda line: None
        self.unique_id = bytes.fromhex("24dcc3a10001")
        self._powers: dict[int, str] = {}
        self._cut_at = 0
        self._radio_on = False
        folder.mkdir(parents=True, exist_ok=True)
        self._log_file = (folder / "log").open("a", buffering=1)
        self._script = script
        if isinstance(script, str):
            self._script = folder / "script.py"
            self._script.write_text(script)
        virtual = mode == "virtual"
        now_ms = time.time_ns() // 1_000_000
        self.start_unix_ms = start_unix_ms if start_unix_ms is not None else now_ms - (WEEK_MS if virtual else 0)

        self.time = VirtualTime(virtual, lease_ms)
        self.interrupts = Interrupts(self.time)
        self.time.unheard = self.interrupts.unheard
        self.pins = Pins(
            lambda pin: self.interrupts.raise_(f"p{pin}"), [self._pin_changed, lambda *_: self.interrupts.raise_("c")]
        )
        self.i2c = I2C(self._powered)
        self.onewire = OneWire(self._powered)
        self.uarts: dict[int, Uart] = {}
        self.analog = Analog()
        self.access_points = [AccessPoint()]
        self.network = Network(self.time)
        self.station = Station(self.time, self.access_points, self._air_changed)
        self.network.air = lambda: (self.station.has_address, self.station.reachable)
        self.soft_ap = SoftAp()
        self.ntp = NtpServer(self.unix_ms)
        self.network.ntp = self.ntp.address
        self.nvs = Nvs(folder / "nvs.json")
        self.rtc = Rtc(self.time, sleep_drift_ppm)
        self.rtc_memory = RtcMemory(folder / "rtc_memory.bin")
        self.partitions = Partitions(folder)
        self.flash = FlashImage(folder / "flash.img")
        self.life = Life(self.time, self._launch, self._forget, self._power_lost, self.rtc.slept, boot_ms if virtual else 0)
        self.time.catch_up = lambda: self.life.process.catch_up() if self.life.process else None
        self._line = Line(self.time, self.life, verbs.of(self, settle_ms, patience_ms), self._opened)

        self.flash.make(blocks)
        content = dict(files or {})
        if settings is not None:
            content["/settings.json"] = json.dumps({**settings, **({"model": app} if app else {})}).encode()
        if content:
            self.flash.write(content)

    # --- its life

    def start(self) -> Self:
        """Switch the power on; returns when the firmware runs."""
        with self.time.lock:
            self.life.power_on()
        ends = time.monotonic() + _START_S
        while self.life.process is None and not self.life.halted:
            if time.monotonic() > ends:
                raise TimeoutError(f"the firmware did not start\n{self.log}")
            time.sleep(0.001)
        return self

    def power_cut(self, off_ms: int = 0) -> None:
        """`kill -9` in the middle of whatever it does; RTC memory and RTC are gone. The power is back after `off_ms`."""
        with self.time.lock:
            self.life.power_cut(off_ms)

    def cut_at_flash_operation(self, number: int) -> None:
        """In the next life the power goes in the middle of flash write or erase `number` (from 1); it is back at once."""
        self._cut_at = number

    def stop(self) -> None:
        """Switch off for good; may be called twice."""
        with self.time.lock:
            self.life.end()
        self._line.close()
        self.network.close()
        self.ntp.close()
        self.time.close()
        self._log_file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Of the MicroPython process; None when asleep, halted or off."""
        process = self.life.process
        return None if process is None else process.pid

    @property
    def asleep(self) -> bool:
        return self.life.asleep

    @property
    def halted(self) -> str | None:
        """Why the program ended without a reset; None while it runs or sleeps."""
        return self.life.halted

    @property
    def resets(self) -> list[Reset]:
        """Every start of the firmware so far."""
        return self.life.resets

    @property
    def energy(self) -> list[tuple[int, str]]:
        """(board ms, state): boot, deepsleep, off, lightsleep, awake, wifi on, wifi off, and `mark_power`'s."""
        return self.life.energy

    @property
    def log(self) -> str:
        """What the firmware printed, all lives together."""
        return "\n".join(line.text for line in list(self.lines))

    # --- its time

    def now_ms(self) -> int:
        """The board's clock; in mode virtual at most `lease_ms` behind the firmware's own."""
        return self.time.now()

    def unix_ms(self) -> int:
        """The true time."""
        return self.start_unix_ms + self.time.now()

    def run_for(self, ms: int, real_s: float = 120) -> None:
        """Let time go on by `ms`, as `run_until`."""
        self.run_until(self.time.now() + ms, real_s)

    def run_until(self, at_ms: int, real_s: float = 120) -> None:
        """Let time go on to `at_ms`. Raises TimeoutError (with the end of the log) when that takes longer than `real_s`."""
        try:
            self.time.run_until(at_ms, real_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log[-3000:]}") from None

    def wait_for(self, goal: Callable[[], object], within_ms: int = 60_000, real_s: float = 60, what: str = "") -> None:
        """Let time go on until `goal()` is true; AssertionError with the end of the log when it is not within `within_ms`."""
        try:
            reached = self.time.wait_for(goal, within_ms, real_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {what or goal}\n{self.log[-3000:]}") from None
        if not reached:
            raise AssertionError(f"not within {within_ms} ms: {what or goal}\n{self.log[-3000:]}")

    def at(self, at_ms: int, action: Callable[[], object]) -> Event:
        """Do something at a time of the board's clock."""
        return self.time.at(at_ms, action)

    def after(self, ms: int, action: Callable[[], object]) -> Event:
        """Do something in `ms` of the board's clock."""
        return self.time.after(ms, action)

    # --- what the world does to it

    def press(self, pin: int, ms: int = 200, at: int | None = None, level: int = 0) -> None:
        """A button: `level` on the pin for `ms`, then the other; at a time of the board's clock or now."""
        start = self.time.now() if at is None else at
        self.set_pin(pin, level, start)
        self.set_pin(pin, 1 - level, start + ms)

    def set_pin(self, pin: int, level: int | None, at: int | None = None) -> None:
        """Drive a pin from the outside, at a time or now; None lets it float."""
        if at is None:
            with self.time.lock:
                self.pins.drive(pin, level)
        else:
            self.time.at(at, lambda: self.pins.drive(pin, level))

    def attach_i2c(self, address: int, chip: I2CChip, bus: int = 0, power: int | None = None) -> None:
        """`power`: the pin that switches its current; without current it does not answer."""
        self.i2c.attach(address, chip, bus, power)
        self._wire_power(chip, power)

    def attach_onewire(self, pin: int, device: OneWireDevice, power: int | None = None) -> None:
        self.onewire.attach(pin, device, power)
        self._wire_power(device, power)

    def attach_uart(self, number: int, device: UartDevice | Path | str, power: int | None = None) -> Uart:
        """A device of this library, or the path of a pty."""
        uart = self.uart(number)
        if isinstance(device, Path | str):
            uart.path = str(device)
            return uart
        uart.device = device
        uart.powered = lambda: power is None or self._powered(power)
        device.connect(uart.send)
        self._wire_power(device, power)
        return uart

    def adc(self, pin: int, volts: Callable[[], float]) -> None:
        """What lies at an analogue pin, in volts."""
        self.analog.volts[pin] = volts

    def mark_power(self, pin: int, name: str) -> None:
        """Show the pin's changes in `energy` as `name on` and `name off`."""
        self._powers[pin] = name

    def away(self, number: int = 0) -> None:
        """The access point is switched off; the station notices after six seconds."""
        with self.time.lock:
            self.access_points[number].here = False
            self.station.look()

    def back(self, number: int = 0) -> None:
        with self.time.lock:
            self.access_points[number].here = True
            self.station.look()

    # --- inside

    def _launch(self, died: Callable[[], None]) -> Process:
        environment = {
            "KANHU_BOARD": self._line.new_life(),
            "KANHU_FLASH": str(self.flash.file),
            "KANHU_RTC_MEMORY": str(self.rtc_memory.file),
            "KANHU_CUT_AT": str(self._cut_at),
            "KANHU_SCRIPT": str(self._script or ""),
            "KANHU_ROM": str(self.source) if self.source.is_file() else "",
            "MICROPYPATH": f"{PORT}:/rom:.frozen" if self.source.is_file() else f"{PORT}:{self.source}:.frozen",
        }
        self._cut_at = 0
        arguments = [find_micropython(), "-X", f"heapsize={heap_with_shims(self.heap)}", str(PORT / "run.py")]
        return Process(arguments, environment, self._heard, died)

    def _heard(self, text: str) -> None:
        at_ms = self.time.now()
        if stamp := _STAMP.search(text):
            at_ms = int(stamp[1]) - self.time.ticks_at_zero
            text = _STAMP.sub("", text)
        self.lines.append(Printed(at_ms, text))
        self.tell(self.lines[-1])
        if not self._log_file.closed:
            self._log_file.write(f"{at_ms / 1000:.3f} {text}\n")

    def _forget(self, asleep: bool) -> None:
        """The end of a life: what the chip keeps in RAM is gone."""
        self._line.end_life()
        self.interrupts.forget()
        self.analog.forget()
        for uart in self.uarts.values():
            uart.close()
        self.station.off()
        self.soft_ap.off()
        self.pins.release(asleep)
        self.nvs.forget_uncommitted()
        if not asleep:
            self.partitions.reset()

    def _power_lost(self, off_ms: int) -> None:
        self.rtc_memory.data = b""
        self.rtc.lost(off_ms)

    def _powered(self, pin: int) -> bool:
        return bool(self.pins.level(pin))

    def _wire_power(self, chip: object, power: int | None) -> None:
        """A chip may have `power(on)` or `power_on()`, which is called when its current is switched, or now if it is not."""
        told = getattr(chip, "power", None)
        begins = getattr(chip, "power_on", None)

        def change(pin: int, level: int) -> None:
            if pin == power and callable(told):
                told(bool(level))
            if pin == power and level and callable(begins):
                begins()

        if power is not None:
            self.pins.heard.append(change)
        elif callable(told):
            told(True)

    def _pin_changed(self, pin: int, level: int) -> None:
        if pin in self._powers:
            self.life.note(f"{self._powers[pin]} {'on' if level else 'off'}")
        self.life.pin_changed(pin, level)

    def _air_changed(self) -> None:
        if self.station.active != self._radio_on:
            self._radio_on = self.station.active
            self.life.note("wifi on" if self._radio_on else "wifi off")
        self.network.look()

    def uart(self, number: int) -> Uart:
        """The serial port of this number."""
        return self.uarts.setdefault(number, Uart(number, self.time, self.interrupts.raise_))

    def _opened(self, kind: str, connection: Any) -> None:
        if kind == "bell":
            self.interrupts.heard_at(connection)
        elif kind.startswith("uart "):
            self.uart(int(kind[5:])).opened(connection)
