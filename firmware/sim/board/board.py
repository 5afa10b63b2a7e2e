"""One simulated ESP32: a MicroPython process, its pins and buses, its flash and memories, its radio and its clock."""

import json
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import create_server, socket
from typing import Any, Final, Literal, Self

from firmware.sim.board.access_point import AccessPoint, Network
from firmware.sim.board.buses import I2C, I2CChip, OneWire, OneWireDevice, UartDevice
from firmware.sim.board.ntp_server import NtpServer
from firmware.sim.board.pins import Pins
from firmware.sim.board.process import FIRMWARE, PORT, Process, find_micropython, flash_tool
from firmware.sim.board.server import Server
from firmware.sim.board.soft_ap import SoftAp
from firmware.sim.board.station import Station
from firmware.sim.board.storage import Nvs, Partitions, RtcMemory
from firmware.sim.board.uart import Uart
from firmware.sim.board.virtual_time import Event, VirtualTime, machine_ms

Mode = Literal["real", "virtual"]
TO_2000_MS: Final = 946_684_800_000
WEEK_MS: Final = 7 * 86_400_000
_CAUSES: Final = {"PWRON": 1, "HARD": 2, "WDT": 3, "DEEPSLEEP": 4, "SOFT": 5}


@dataclass(frozen=True)
class Reset:
    """A start of the firmware: when (board ms) and why (PWRON, HARD, WDT, DEEPSLEEP, SOFT)."""

    at_ms: int
    cause: str


@dataclass(frozen=True)
class Line:
    """A line the firmware printed."""

    at_ms: int
    text: str


class Board:
    """A board that is off until `start()`.

    In mode virtual its time goes like the machine's, except in `run_for`, `run_until` and `wait_for`, in which the
    firmware's waiting is jumped over. All times are ms of the board's clock, 0 when the board was made.

    Args:
        folder: for flash image, NVS and log; what is there already is gone on with.
        app: the device's model, put into the settings as `model`; settings: /settings.json. Without settings none is written.
        files: more files for the flash, path -> content.
        script: Python file or source that runs instead of `app.main.run("/flash")`.
        source: folder that holds `app/`, as .py or .mpy.
        start_unix_ms: true time at board ms 0; by default a week ago in mode virtual, now in mode real.
        settle_ms, patience_ms: real time that sockets must be quiet, and an answer is waited for, before time is jumped over.
        sleep_drift_ppm: how much the RTC gains in deep sleep. boot_ms: from reset to the first line of Python, in mode virtual.
        blocks: size of the flash file system in blocks of 4 KiB.
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
        patience_ms: int = 150,
        lease_ms: int = 10_000,
        sleep_drift_ppm: int = 0,
        boot_ms: int = 350,
        blocks: int = 512,
    ) -> None:
        self.folder = folder
        self.mode: Mode = mode
        self.heap = heap
        self.source = source
        self.lines: deque[Line] = deque(maxlen=50_000)
        self.resets: list[Reset] = []
        self.energy: list[tuple[int, str]] = []
        self.sleep_drift_ppm = sleep_drift_ppm
        self.halted: str | None = None
        self.unique_id = bytes.fromhex("24dcc3a10001")
        self.flash_erases = self.flash_writes = 0
        self.lights: dict[int, bytes] = {}
        self.sounds: dict[int, tuple[int, int]] = {}
        self._boot_ms = boot_ms if mode == "virtual" else 0
        self._waits = (settle_ms, patience_ms)
        self._script = script
        self._script_file: Path | None = None
        self._analog: dict[int, Callable[[], float]] = {}
        self._pulses: dict[int, Callable[[], int]] = {}
        self._powers: dict[int, str] = {}
        self._cut_at = 0
        folder.mkdir(parents=True, exist_ok=True)

        self.time = VirtualTime(mode == "virtual", lease_ms)
        now_ms = time.time_ns() // 1_000_000
        self.start_unix_ms = start_unix_ms if start_unix_ms is not None else now_ms - (WEEK_MS if mode == "virtual" else 0)
        self.pins = Pins(lambda pin: self._interrupt(f"p{pin}"), [self._pin_changed])
        powered = lambda pin: bool(self.pins.level(pin))  # noqa: E731
        self.i2c = I2C(powered)
        self.onewire = OneWire(powered)
        self.uarts: dict[int, Uart] = {}
        self.access_points = [AccessPoint()]
        self.network = Network(self.time, free_port=_free_port)
        self.station = Station(self.time, self.access_points, self._air_changed)
        self.soft_ap = SoftAp()
        self.network.air = lambda: (self.station.has_address, self.station.reachable)
        self.ntp = NtpServer(self.unix_ms)
        self.network.ntp = self.ntp.address
        self.nvs = Nvs(folder / "nvs.json")
        self.rtc_memory = RtcMemory()
        self.partitions = Partitions(folder)
        self._rtc_ms = 0  # RTC ms since 2000 = board ms + this
        self._cause = "PWRON"
        self._wake_reason = 0
        self._wake_pins: dict[int, tuple[int, int]] = {}  # pin -> level, wake reason
        self._wake: Event | None = None
        self._asleep_since: int | None = None
        self._watchdog: Event | None = None
        self._watchdog_ms = 0
        self._timers: dict[int, Event] = {}
        self._pending: deque[str] = deque(maxlen=64)
        self._bell: socket | None = None
        self._radio_on = False
        self._process: Process | None = None
        self._server = Server(self._ask, self._opened)
        self._verbs: dict[str, Callable[[list[str]], str]] = {
            "pin": self.pins.verb, "i2c": self.i2c.verb, "ow": self.onewire.verb, "nvs": self.nvs.verb,
            "memory": self.rtc_memory.verb, "partition": self.partitions.verb, "uart": self._verb_uart, "wlan": self._verb_wlan,
        }  # fmt: skip
        self._make_flash(blocks, app, settings, files or {})

    # --- life

    def start(self) -> Self:
        """Switch the power on."""
        with self.time.lock:
            self.time.idle = False
            self.time.at(self.time.now(), lambda: self._boot("PWRON"))
        ends = time.monotonic() + 10
        while not self.resets or self._process is None:
            if time.monotonic() > ends:
                raise TimeoutError(f"the firmware did not start\n{self.log}")
            time.sleep(0.001)
        return self

    def power_cut(self, off_ms: int = 0) -> None:
        """`kill -9` in the middle of whatever it does; RTC memory and RTC are gone. The power is back after `off_ms`."""
        with self.time.lock:
            self._end_life(asleep=False)
            self._power_lost(off_ms)

    def stop(self) -> None:
        """Switch off for good; may be called twice."""
        with self.time.lock:
            self._end_life(asleep=False)
            self.time.cancel(self._wake)
        self._server.close()
        self.network.close()
        self.ntp.close()
        self.time.close()
        if self._script_file is not None:
            self._script_file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int | None:
        """Of the MicroPython process; None when asleep or off."""
        process = self._process
        return None if process is None else process.pid

    @property
    def asleep(self) -> bool:
        return self._asleep_since is not None

    # --- time

    def now_ms(self) -> int:
        """The board's clock; in mode virtual at most `lease_ms` behind the firmware's own."""
        return self.time.now()

    def unix_ms(self) -> int:
        """The true time."""
        return self.start_unix_ms + self.time.now()

    def run_for(self, ms: int, real_s: float = 120) -> None:
        self.run_until(self.time.now() + ms, real_s)

    def run_until(self, at_ms: int, real_s: float = 120) -> None:
        """Let time go on to `at_ms`. Raises TimeoutError (with the end of the log) when that takes longer than `real_s`."""
        try:
            self.time.run_until(at_ms, real_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log[-3000:]}") from None

    def wait_for(self, goal: Callable[[], object], within_ms: int = 60_000, real_s: float = 60, what: str = "") -> None:
        """Let time go on until `goal()` is true; AssertionError with the end of the log when it is not within `within_ms`."""
        if not self.time.wait_for(goal, within_ms, real_s):
            raise AssertionError(f"not within {within_ms} ms: {what or goal}\n{self.log[-3000:]}")

    def at(self, at_ms: int, action: Callable[[], object]) -> Event:
        """Do something at a time of the board's clock."""
        return self.time.at(at_ms, action)

    # --- what the test does to it

    def press(self, pin: int, ms: int = 200, at: int | None = None, level: int = 0) -> None:
        """A button: `level` on the pin for `ms`, then the other; at a time of the board's clock or now."""
        start = self.time.now() if at is None else at
        self.time.at(start, lambda: self.pins.drive(pin, level))
        self.time.at(start + ms, lambda: self.pins.drive(pin, 1 - level))

    def set_pin(self, pin: int, level: int | None, at: int | None = None) -> None:
        """Drive a pin from the outside; None lets it float."""
        self.time.at(self.time.now() if at is None else at, lambda: self.pins.drive(pin, level))

    def attach_i2c(self, address: int, chip: I2CChip, bus: int = 0, power: int | None = None) -> None:
        """`power`: the pin that switches its current; without it the chip does not answer."""
        self.i2c.attach(address, chip, bus, power)

    def attach_onewire(self, pin: int, device: OneWireDevice, power: int | None = None) -> None:
        self.onewire.attach(pin, device, power)

    def attach_uart(self, number: int, device: UartDevice | Path | str) -> Uart:
        """A device of this library, or the path of a pty."""
        uart = self._uart(number)
        if isinstance(device, Path | str):
            uart.path = str(device)
        else:
            uart.device = device
            device.connect(uart.send)
        return uart

    def adc(self, pin: int, volts: Callable[[], float]) -> None:
        """What lies at an analogue pin, in volts."""
        self._analog[pin] = volts

    def pulse(self, pin: int, us: Callable[[], int]) -> None:
        """What `time_pulse_us` finds on a pin: us, or -2 (none began), -1 (it did not end)."""
        self._pulses[pin] = us

    def mark_power(self, pin: int, name: str) -> None:
        """Show the pin's changes in `energy` as `name on` and `name off`."""
        self._powers[pin] = name

    def cut_at_flash_operation(self, number: int) -> None:
        """In the next life the power goes in the middle of write or erase `number` (from 1); the power is back at once."""
        self._cut_at = number

    # --- what the test sees

    @property
    def log(self) -> str:
        """What the firmware printed, all lives together."""
        return "\n".join(line.text for line in list(self.lines))

    def flash_files(self, path: str = "/") -> dict[str, int]:
        """Path -> size of every file; only while no firmware runs."""
        found = [line.rsplit(" ", 1) for line in self._flash("list", path.rstrip("/")).splitlines()]
        return {name.replace("//", "/"): int(size) for name, size in found}

    def read_flash(self, path: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            self._flash("get", path, f"{folder}/it")
            return (Path(folder) / "it").read_bytes()

    def write_flash(self, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for path, content in files.items():
                file = Path(folder) / path.lstrip("/")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self._flash("put", folder)

    # --- inside

    def _flash(self, *arguments: str) -> str:
        assert self._process is None, "the firmware has its flash mounted: stop it first"
        return flash_tool(self.folder / "flash.img", *arguments)

    def _make_flash(self, blocks: int, app: str | None, settings: Mapping[str, Any] | None, files: Mapping[str, bytes]) -> None:
        image = self.folder / "flash.img"
        if not image.exists():
            new = self.folder / "flash.new"
            new.write_bytes(b"\xff" * 4096 * blocks)
            flash_tool(new, "format")
            new.replace(image)
        content = dict(files)
        if settings is not None:
            content["/settings.json"] = json.dumps({**settings, **({"model": app} if app else {})}).encode()
        if content:
            self.write_flash(content)

    def _boot(self, cause: str, wake_reason: int = 0) -> None:
        """Start a life. Called in the board's own thread, which lives as long as the process may."""
        now = self.time.now()
        self.resets.append(Reset(now, cause))
        self._note("boot")
        self._cause, self._wake_reason = cause, wake_reason
        self._asleep_since = None
        self.halted = None
        self._wake_pins.clear()
        environment = {
            "KANHU_BOARD": self._server.new_life(),
            "KANHU_FLASH": str(self.folder / "flash.img"),
            "KANHU_CUT_AT": str(self._cut_at),
            "MICROPYPATH": f"{PORT}:{self.source}:.frozen",
            **self._script_environment(),
        }
        self._cut_at = 0
        arguments = [find_micropython(), "-X", f"heapsize={self.heap}", str(PORT / "run.py")]
        self.time.idle = False
        self._process = Process(arguments, environment, self._heard)

    def _script_environment(self) -> dict[str, str]:
        if self._script is None:
            return {}
        if isinstance(self._script, str) and self._script_file is None:
            self._script_file = self.folder / "script.py"
            self._script_file.write_text(self._script)
        return {"KANHU_SCRIPT": str(self._script_file or self._script)}

    def _end_life(self, asleep: bool) -> None:
        """The process is killed; what the chip forgets is forgotten."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
        self._server.new_life() if process is not None else None
        for event in (self._watchdog, self._wake, *self._timers.values()):
            self.time.cancel(event)
        self._watchdog = None
        self._timers.clear()
        self._pending.clear()
        self._bell = None
        for uart in self.uarts.values():
            uart.close()
        self.station.off()
        self.soft_ap.off()
        self.pins.release(asleep)
        self.nvs.forget_uncommitted()
        self.time.idle = True

    def _restart(self, cause: str, after_ms: int = 0) -> None:
        self._end_life(asleep=False)
        self.partitions.reset()
        self._wake = self.time.after(after_ms + self._boot_ms, lambda: self._boot(cause))

    def _power_lost(self, off_ms: int) -> None:
        self.rtc_memory.data = b""
        self._rtc_ms = -(self.time.now() + off_ms)
        self.partitions.reset()
        self._note("off")
        self._wake = self.time.after(off_ms + self._boot_ms, lambda: self._boot("PWRON"))

    def _sleep(self, ms: int) -> None:
        wakers = dict(self._wake_pins)
        self._end_life(asleep=True)
        self._wake_pins = wakers
        self._note("deepsleep")
        self._asleep_since = self.time.now()
        self._wake = self.time.after(ms, lambda: self._wake_up(4)) if ms > 0 else None
        for pin in wakers:
            self._pin_changed(pin, self.pins.level(pin))

    def _wake_up(self, reason: int) -> None:
        assert self._asleep_since is not None
        slept = self.time.now() - self._asleep_since
        self._rtc_ms += slept * self.sleep_drift_ppm // 1_000_000
        self.time.cancel(self._wake)
        self._asleep_since = None
        self._wake = self.time.after(self._boot_ms, lambda: self._boot("DEEPSLEEP", reason))

    def _heard(self, text: str) -> None:
        self.lines.append(Line(self.time.now(), text))
        with (self.folder / "log").open("a") as file:
            file.write(f"{self.time.now() / 1000:.3f} {text}\n")

    def _note(self, state: str) -> None:
        self.energy.append((self.time.now(), state))

    def _pin_changed(self, pin: int, level: int) -> None:
        if pin in self._powers:
            self._note(f"{self._powers[pin]} {'on' if level else 'off'}")
        wanted = self._wake_pins.get(pin)
        if self._asleep_since is not None and wanted is not None and wanted[0] == level:
            self._wake_up(wanted[1])

    def _air_changed(self) -> None:
        if self.station.active != self._radio_on:
            self._radio_on = self.station.active
            self._note("wifi on" if self._radio_on else "wifi off")
        self.network.look()

    def away(self, number: int = 0) -> None:
        """The access point is switched off."""
        with self.time.lock:
            self.access_points[number].here = False
            self.station.look()

    def back(self, number: int = 0) -> None:
        with self.time.lock:
            self.access_points[number].here = True
            self.station.look()

    def _interrupt(self, name: str) -> None:
        self._pending.append(name)
        if self._bell is not None:
            try:
                self._bell.send(b"!")
            except OSError:
                self._bell = None

    def _uart(self, number: int) -> Uart:
        return self.uarts.setdefault(number, Uart(number, self.time, self._interrupt))

    # --- the line

    def _opened(self, kind: str, connection: socket) -> None:
        with self.time.lock:
            if kind == "bell":
                self._bell = connection
            elif kind.startswith("uart "):
                self._uart(int(kind[5:])).opened(connection)

    def _ask(self, offset: int, words: list[str]) -> str | None:
        with self.time.lock:
            process = self._process
            if process is None:
                return None
            self.time.heard(offset)
            if process is not self._process:
                return None  # its watchdog bit, or the power went
            verb, *rest = words
            handler = self._verbs.get(verb) or getattr(self, "_verb_" + verb)
            answer: str | None = handler(rest)
            return answer if process is self._process else None

    def _verb_hello(self, _: list[str]) -> str:
        return f"{self.time.offset} {int(self.time.virtual)} {self._waits[0]} {self._waits[1]}"

    def _verb_advance(self, words: list[str]) -> str:
        offset, horizon, hold = self.time.advance(int(words[0]))
        return f"{offset} {horizon} {hold}"

    def _verb_pending(self, _: list[str]) -> str:
        names = " ".join(self._pending)
        self._pending.clear()
        return names

    def _verb_rtc(self, words: list[str]) -> str:
        # On the line RTC time is told against machine ms + offset.
        zero = machine_ms() + self.time.offset - self.time.now()
        if words[0] == "set":
            self._rtc_ms = int(words[1]) + zero
        return str(self._rtc_ms - zero)

    def _verb_id(self, _: list[str]) -> str:
        return self.unique_id.hex()

    def _verb_cause(self, _: list[str]) -> str:
        return f"{_CAUSES[self._cause]} {self._wake_reason}"

    def _verb_reset(self, words: list[str]) -> str:
        self._restart("SOFT" if words[0] == "soft" else "HARD")
        return ""

    def _verb_cut(self, _: list[str]) -> str:
        self.power_cut()
        return ""

    def _verb_deepsleep(self, words: list[str]) -> str:
        self._sleep(int(words[0]))
        return ""

    def _verb_doze(self, words: list[str]) -> str:
        self._note("lightsleep" if words[0] == "1" else "awake")
        return ""

    def _verb_ended(self, words: list[str]) -> str | None:
        """The program is over, which on the chip means: it stands there. Only a watchdog helps."""
        self.halted = " ".join(words)
        watchdog, self._watchdog = self._watchdog, None
        self._end_life(asleep=False)
        self._watchdog = watchdog
        if watchdog is not None:
            watchdog.cancelled = False
            self._watchdog = self.time.at(watchdog.at_ms, lambda: self._restart("WDT"))
        return None

    def _verb_wake(self, words: list[str]) -> str:
        kind, level, *pins = words
        reason = 2 if kind == "ext0" else 3
        self._wake_pins = {pin: it for pin, it in self._wake_pins.items() if it[1] != reason}
        self._wake_pins |= {int(pin): (int(level), reason) for pin in pins if pin != "-1"}
        return ""

    def _verb_hold(self, words: list[str]) -> str:
        self.pins.hold_asleep = words[0] == "1"
        return ""

    def _verb_wdt(self, words: list[str]) -> str:
        self._watchdog_ms = int(words[0])
        return self._verb_feed([])

    def _verb_feed(self, _: list[str]) -> str:
        if self._watchdog_ms:
            self.time.cancel(self._watchdog)
            self._watchdog = self.time.after(self._watchdog_ms, lambda: self._restart("WDT"))
        return ""

    def _verb_timer(self, words: list[str]) -> str:
        number, ms, periodic = (int(word) for word in words)
        self.time.cancel(self._timers.pop(number, None))

        def fire() -> None:
            self._interrupt(f"t{number}")
            if periodic:
                self._timers[number] = self.time.after(ms, fire)

        if ms > 0:
            self._timers[number] = self.time.after(ms, fire)
        return ""

    def _verb_flash(self, words: list[str]) -> str:
        self.flash_erases += int(words[0])
        self.flash_writes += int(words[1])
        return ""

    def _verb_adc(self, words: list[str]) -> str:
        volts = self._analog.get(int(words[0]))
        return str(0 if volts is None else int(volts() * 1_000_000))

    def _verb_pulse(self, words: list[str]) -> str:
        us = self._pulses.get(int(words[0]))
        return str(-2 if us is None else us())

    def _verb_pwm(self, words: list[str]) -> str:
        pin, freq, duty = (int(word) for word in words)
        self.sounds[pin] = (freq, duty)
        return ""

    def _verb_light(self, words: list[str]) -> str:
        self.lights[int(words[0])] = bytes.fromhex(words[1])
        return ""

    def _verb_uart(self, words: list[str]) -> str:
        return self._uart(int(words[0])).verb(words[1:])

    def _verb_wlan(self, words: list[str]) -> str:
        return (self.soft_ap if words[0] == "1" else self.station).verb(words[1:])

    def _verb_dns(self, words: list[str]) -> str:
        host, port = self.network.lookup(words[0], int(words[1]), int(words[2]))
        return f"{host} {port}"


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
