"""Puts the device together from its settings and runs it; `boot` calls `run`, and whatever comes out of it is a reset."""

import asyncio
import gc

from app import files, release, rtc_memory, safe_mode, settings, slots
from app.clock import Clock
from app.commands import Commands
from app.configuration import Configuration
from app.device import Device
from app.hardware import Hardware
from app.health import Health
from app.log import log
from app.outbox import Outbox
from app.supervisor import Supervisor

SETTINGS = "/settings.json"
_GOOD_AFTER_S = 60
_CALM_AFTER_S = 3600  # so long without giving up, and connected: patience begins anew
_EMPTY_SLEEP_MS = 3_600_000
_LOADING, _RUNNING = 2048, 16384  # bytes
_IDENTIFY = (100, 100) * 50


def run(root: str = "", hw=None) -> None:
    """Everything from the settings to the end of the loop.

    Args:
        root: folder of the flash's file system, "" on a device.
        hw: other modules than the machine's own.
    """
    hw = hw or Hardware()
    try:
        asyncio.run(_live(root, hw))
    except settings.Misconfigured as error:
        # Only a person can mend it: ask for one.
        for problem in error.problems:
            log("error", "settings: " + problem)
        from app import set_up

        set_up.run(root, hw)


async def _live(root: str, hw) -> None:
    # What is loaded stays for ever. What loading leaves behind is taken away often meanwhile, or the heap ends up in pieces of
    # which none is large enough for a message.
    _collect_every(_LOADING)
    runtime = Runtime(root, hw)
    _collect_every(_RUNNING)
    await runtime.supervisor.run()


def _collect_every(count: int) -> None:
    gc.collect()
    if hasattr(gc, "mem_free"):  # with another meaning of the threshold elsewhere
        gc.threshold(count)


def app_of(document):
    """The module of the model that a settings document names.

    Raises:
        Misconfigured: there is none.
    """
    model = document.get("model")
    try:
        found = __import__("app." + str(model), None, None, ("build",))
        if found.build and isinstance(found.DEFAULTS, dict):
            return found
    except (ImportError, AttributeError):
        pass
    raise settings.Misconfigured(["model: seen %r, expected elder_home, rider_reader, meal_counter or river_probe" % model])


class Runtime:
    """Every part of a device, built in the order in which they need each other."""

    def __init__(self, root: str, hw) -> None:
        self._root, self._hw = root, hw
        self.nvs = hw.esp32.NVS("kanhu")
        machine = hw.machine
        woke = machine.reset_cause() == machine.DEEPSLEEP_RESET
        if not woke:
            files.sweep(root or "/")
        app, self.configuration = self._configure(woke)
        self.settings = self.configuration.settings
        self.board = self._board()
        self.battery = self._look_at_battery()
        self.supervisor = Supervisor(self._watchdog(), self._give_up, slots.number(self.nvs, "giveups"))
        self.device = self._make_device(woke)
        self.updater = self._make_updater()
        self.link = self._make_link()
        self._introduce()
        try:
            tasks = app.build(self.device, self.board)
        except settings.Misconfigured as error:
            # Such as a pin that is missing. Settings from afar are undone; the device's own are for a person.
            if self.configuration.on_trial:
                self.configuration.undo("; ".join(error.problems))
                self.device.reset("settings undone")
            raise
        tasks = tasks + [("update", self.updater.run), ("upkeep", self._upkeep)]
        if not getattr(app, "SLEEPS", False):
            tasks += [("link", self.link.run), ("health", self.device.health.run)]
        for task in tasks:
            self.supervisor.add(*task)

    # --- parts ---

    def _configure(self, woke: bool):
        document = settings.read(self._root + SETTINGS)
        app = app_of(document)
        return app, Configuration(self._root + "/settings.sent", document, app, woke)

    def _board(self):
        from app.board import Board

        return Board(self.settings["pins"], self._hw.machine)

    def _look_at_battery(self):
        """Before the radio is on: its start takes half an ampere, and an empty battery would brown out again and again."""
        if not self.board.has("battery"):
            return None
        from app.sensors.battery import Battery

        battery = Battery(self.board.adc("battery"))
        empty_mv = int(self.settings["battery_empty_v"] * 1000)
        if empty_mv and battery.millivolts() < empty_mv:
            log("error", "battery: %d mV, asleep below %d" % (battery.millivolts(), empty_mv))
            self._hw.machine.deepsleep(_EMPTY_SLEEP_MS)
        return battery

    def _watchdog(self):
        seconds = self.settings["watchdog_s"]
        # Fed every five seconds, later while something blocks: a shorter one would bite a healthy device.
        return self._hw.machine.WDT(timeout=max(seconds, 20) * 1000) if seconds else None

    def _make_device(self, woke: bool) -> Device:
        memory = self._hw.machine.RTC().memory
        outbox = Outbox(self._root + "/outbox", rtc_memory.Region(memory, *rtc_memory.STAGE), self.nvs, woke)
        region = rtc_memory.Region(memory, *rtc_memory.CLOCK)
        clock = Clock(region, release.BUILT_S, outbox.continued, self.nvs, self.settings["crystal"])
        device = Device(self.settings, clock, outbox, self.supervisor, self._hw.machine, self._root)
        device.configuration = self.configuration
        device.on_reset.append(lambda reason: slots.note(self.nvs, "reset", reason))
        device.good = self._good
        return device

    def _make_updater(self):
        from app import ota

        partitions = getattr(self._hw.esp32, "Partition", None)
        return ota.Updater(self.settings["model"], self.nvs, self.device.reset_soon, self._tls, self._root, partitions)

    def _make_link(self):
        from app.link import Link
        from app.wifi import Wifi

        device = self.device
        region = rtc_memory.Region(self._hw.machine.RTC().memory, *rtc_memory.WIFI)
        self.wifi = Wifi(self.settings["wifi"], region, self._hw.network)
        commands = Commands(self._root + "/commands", device.commands, device.repeatable)
        link = device.link = Link(
            self.settings,
            self.wifi,
            device.clock,
            device.outbox,
            self._status,
            self.configuration.offered,
            commands.take,
            self._receipted,
            give_up=self._give_up,
            patience=slots.number(self.nvs, "giveups"),
        )
        return link

    def _introduce(self) -> None:
        """Everything that has to know of something that was built after it."""
        device, settings_ = self.device, self.configuration
        settings_.apply = device.reset_soon
        settings_.told = self.link.announce
        self.link.on_online = settings_.connected
        device.commands["reboot"] = lambda command: device.reset_soon("command")
        device.commands["update"] = self.updater.command
        device.commands["identify"] = self._identify
        device.busy.append(lambda: self.updater.busy)
        device.uploaded = self._uploaded
        device.on_trial = lambda: self.updater.on_trial
        self.updater.told = self.link.announce
        self.updater.ready = self.wifi.connected
        device.health = Health(device, self._cause(), self._firmware(), self.battery, self.wifi.rssi, device.outbox.continued)

    # --- what it says of itself ---

    def _firmware(self) -> str:
        return "%s %s %s" % (self.settings["model"], release.VERSION, release.HASH)

    def _cause(self) -> str:
        """Why it started, with what the boot before had to say."""
        machine = self._hw.machine
        words = {
            machine.PWRON_RESET: "power on",
            machine.HARD_RESET: "reset",
            machine.WDT_RESET: "watchdog",
            machine.DEEPSLEEP_RESET: "deep sleep",
            machine.SOFT_RESET: "soft reset",
        }
        told = words.get(machine.reset_cause(), "unknown")
        for key in ("reset", "crash"):
            last_words = slots.noted(self.nvs, key)
            if last_words:
                told += "; " + last_words
                slots.note(self.nvs, key, "")
        return told

    def _status(self) -> dict:
        """Keys of the birth."""
        told = {"firmware": self._firmware(), "cadence": self.settings["cadence_s"]}
        told.update(self.configuration.status())
        if self.updater.outcome:
            told["update"] = self.updater.outcome
        return told

    # --- what happens ---

    def _receipted(self, freed) -> None:
        self.updater.receipted()
        self.device.receipted(freed)

    def _identify(self, command: dict) -> None:
        if self.board.has("led"):
            self.supervisor.once("identify", self._blink(self.board.pin("led", out=True)))

    async def _blink(self, pin) -> None:
        for ms in _IDENTIFY:
            pin.value(1 - pin.value())
            await asyncio.sleep_ms(ms)
        pin.value(0)

    def _give_up(self, why: str) -> None:
        slots.store(self.nvs, "giveups", slots.number(self.nvs, "giveups") + 1)
        self.device.reset("gave up: " + why)

    def _good(self) -> None:
        """This boot is good: it lived for a minute, or it is a sleeper's and did all it had to."""
        safe_mode.good(self._root, self.nvs)

    async def _upkeep(self, beat) -> None:
        """What has to be looked at from time to time: settings on trial, whether this boot is good."""
        began_ms = self.device.clock.uptime_ms()
        good = calm = False
        while True:
            beat()
            lived_s = (self.device.clock.uptime_ms() - began_ms) // 1000
            if self.configuration.on_trial and lived_s > self.settings["config_trial_s"]:
                self.configuration.undo("not connected within %d s" % self.settings["config_trial_s"])
            if not good and lived_s >= _GOOD_AFTER_S:
                good = True
                self._good()
            if not calm and lived_s >= _CALM_AFTER_S and self.link.counters["connects"]:
                calm = True
                slots.store(self.nvs, "giveups", 0)
            await asyncio.sleep(10)

    def _uploaded(self) -> None:
        """A sleeper has tried to reach the gateway; if it did, `on_online` was called."""
        if not self.link.counters["connects"]:
            self.configuration.missed()

    def _tls(self):
        from app import tls

        return tls.of(self.settings["broker"])
