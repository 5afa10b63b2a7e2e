"""A probe in a river: wakes, measures, perhaps sends what has gathered, sleeps; a guided calibration when its tag is tapped.

What it has to remember over a sleep is in RTC memory (probe_plan.State) and in the outbox. The sensors are measured with
overlapping waits, in light sleep where no bytes are awaited.
"""

import asyncio

from app import energy, probe_sensors, probe_values, rtc_memory, slots, ticks
from app.calibrations import IDEAL, Calibrations
from app.log import Trouble, log
from app.probe_plan import State, next_wake_ms, radio_wanted
from app.probe_settings import CHECKS, DEFAULTS, PINS  # noqa: F401  (main looks for them here)
from app.sensors.schedule import collect

SLEEPS = True  # the link does not run beside this app, it is used in windows

_DOZE_MS = 30  # shorter waits are not worth a light sleep
_LONGEST_DOZE_MS = 5000
_TEMPERATURE_KEPT_S = 3600
_PROVE_TIMES, _PROVE_EVERY_S = 15, 60
_LOW_BATTERY_TIMES = 4  # so much rarer are readings while there is too little for the radio


def build(device, board) -> list:
    """The tasks of this device."""
    return [("probe", Probe(device, board).run)]


class Hardware:
    """What sleeps and wakes; given in tests."""

    def __init__(self):
        import esp32
        import machine

        self.machine, self.esp32 = machine, esp32


class Probe:
    def __init__(self, device, board, hw=None):
        self._hw = hw or Hardware()
        self._device = device
        self._board = board
        self._section = section = device.section
        probe_sensors.check(section)
        machine = self._hw.machine
        self._suite = probe_sensors.Suite(board, section, self._time_known, machine)
        self._battery = self._make_battery()
        self._tag = board.pin("tag", pull=1) if board.has("tag") else None
        self._nvs = self._hw.esp32.NVS("probe")
        self.calibrations = Calibrations(device.root + "/calibration")
        self.state = State(rtc_memory.Region(machine.RTC().memory, *rtc_memory.APP), device.outbox.continued)
        self.account = energy.Account()
        self._requests: list = []  # calibrate commands
        self._dozed_ms = self._radio_ms = 0
        self._online = False  # while the radio is on the chip must not go to light sleep
        self._troubles = {role: Trouble(role) for role in self._suite.roles}
        self._began_ms = device.clock.uptime_ms()
        device.commands["calibrate"] = self._requests.append

    async def run(self, beat) -> None:
        """The task: one wake, then sleep, which does not return."""
        while True:
            await self._wake(beat)

    async def _wake(self, beat) -> None:
        self.account.boot()
        self._look_back()
        tapped = self._why() == "tag"
        if tapped:
            await self._calibrate({"what": self._section["tap_calibrates"], "who": "tag"}, beat)
        if not tapped or self._up_s() >= self.state.due_s:
            await self._measure(beat)
            # Rounded up: a reading belongs to the quarter that has begun.
            self.state.due_s = (self._device.clock.uptime_ms() + self._next_ms() + 999) // 1000
        await self._send(beat)
        await self._prove(beat)
        while self._requests:
            await self._calibrate(self._requests.pop(0), beat)
            await self._send(beat)
        await self._idle(beat)
        self._sleep()

    # --- what happened before

    def _look_back(self) -> None:
        machine, state = self._hw.machine, self.state
        state.count(machine.reset_cause())
        began = slots.number(self._nvs, "radio")
        if began and machine.reset_cause() != machine.DEEPSLEEP_RESET:
            # The last life ended while its radio was starting: a weak battery, most likely. Rest before the next try.
            state.died = state.misses = began
            state.tried_s = max(1, self._up_s())
            log("error", "reset %d times in a row while the radio was on; it rests" % began)
        if not self._device.outbox.continued:
            self._device.reading([("reset_cause.since_power_on", state.told())])
        state.save()

    def _why(self) -> str:
        machine = self._hw.machine
        woke = machine.reset_cause() == machine.DEEPSLEEP_RESET
        return "tag" if woke and machine.wake_reason() == machine.EXT0_WAKE else "timer"

    # --- measuring

    async def _measure(self, beat) -> None:
        began, due = ticks.now(), self._due()
        seen = await self._seen([role for role in due if role != "gnss"], beat)
        made = probe_values.items(seen, self._celsius(), self.calibrations, self._section)
        if self._battery is not None:
            volts, percent = self._battery.result()
            made += [("battery_voltage", round(volts, 3)), ("battery_level", percent)]
        if self.state.slept_s:
            made.append(("wake_charge", (self._last_charge_mc(), 3)))
        if made:
            self._device.reading(made, self._device.stamp_at(began))
        if "gnss" in due:
            # Alone, for it may take a minute, in which the reading is already safe.
            place = (await self._seen(["gnss"], beat))["gnss"]
            if place[0] is not None:
                self._device.reading(list(zip(("lat", "lon", "satellites"), place)))

    async def _seen(self, roles: list, beat) -> dict:
        """Role -> values of its sensor; None for what failed."""
        runs = await self._collected([self._suite.sensor(role) for role in roles], beat)
        self._suite.forget()
        for role, run in runs.items():
            self._troubles[role].set(run.error)
        seen = {role: run.values for role, run in runs.items()}
        self._remember(seen)
        return seen

    def _due(self) -> list:
        """The roles whose turn it is."""
        seldom = {
            "gnss": (self.state.gnss_s, self._section["gnss_s"]),
            "turbidity": (self.state.turbidity_s, max(1, self._section["turbidity_s"])),  # 0: each time
        }
        return [role for role in self._suite.roles if role not in seldom or self._is_due(*seldom[role])]

    def _is_due(self, last_s: int, every_s: int) -> bool:
        # Half a cadence early is in time.
        return not last_s or (every_s > 0 and self._up_s() - last_s >= every_s - self._cadence_s() // 2)

    def _remember(self, seen: dict) -> None:
        up_s, state = max(1, self._up_s()), self.state
        if "gnss" in seen:
            state.gnss_s = up_s  # also without a fix: a probe under a bridge must not try each time
        if "turbidity" in seen:
            state.turbidity_s = up_s
        celsius = seen.get("thermometer", (None,))[0]
        if celsius is not None:
            state.celsius_milli, state.celsius_s = round(celsius * 1000), up_s

    def _celsius(self):
        state = self.state
        known = state.celsius_s and self._up_s() - state.celsius_s <= _TEMPERATURE_KEPT_S
        return state.celsius_milli / 1000 if known else None

    async def _collected(self, sensors: list, beat) -> dict:
        async def wait(ms):
            beat()
            await self._rest(ms, self._online or any(sensor.listening for sensor in sensors))

        return await collect(sensors, self._device.clock.uptime_ms, wait, self.account.spent)

    async def _rest(self, ms: int, awake: bool) -> None:
        """Wait at most `ms`, asleep where nothing would be missed."""
        if awake or ms < _DOZE_MS:
            await asyncio.sleep_ms(ms)
            return
        ms = min(ms, _LONGEST_DOZE_MS)  # the supervisor and its watchdog want their turn
        before = self._device.clock.uptime_ms()
        self._hw.machine.lightsleep(ms)
        self._dozed_ms += self._device.clock.uptime_ms() - before
        await asyncio.sleep_ms(0)

    def _time_known(self, unix_ms: int, err_ms: int) -> None:
        self._device.clock.set(unix_ms, "gnss", err_ms)

    # --- the radio

    async def _send(self, beat) -> None:
        device, state = self._device, self.state
        mv = None if self._battery is None else self._battery.millivolts()
        why = radio_wanted(state, max(1, self._up_s()), device.outbox.depth(), mv, self._section, self._cadence_s())
        if not why:
            return
        if self._is_due(state.health_s, device.settings["health_s"]):
            state.health_s = max(1, self._up_s())
            device.reading(device.health.items())
        slots.store(self._nvs, "radio", state.died + 1)  # in NVS: a brown-out may take the RTC memory
        try:
            emptied = await self._window()
        finally:
            slots.store(self._nvs, "radio", 0)
        beat()
        state.tried_s = max(1, self._up_s())
        state.died = 0
        state.misses = 0 if emptied else state.misses + 1
        state.save()
        device.uploaded()

    async def _window(self) -> bool:
        """Use the radio once, for the account too; True when the outbox is empty."""
        device, began_ms = self._device, self._device.clock.uptime_ms()
        link, online, others = device.link, [], device.link.on_online

        def connected():
            online.append(device.clock.uptime_ms())
            others()

        link.on_online = connected
        try:
            return await link.upload(self._section["window_s"] * 1000)
        finally:
            link.on_online = others
            ended_ms = device.clock.uptime_ms()
            connected_ms = online[0] if online else ended_ms
            self.account.radio(connected_ms - began_ms, ended_ms - connected_ms, device.settings["broker"]["tls"])
            self._radio_ms += ended_ms - began_ms

    async def _prove(self, beat) -> None:
        """After an update: try again for its first receipt before we sleep; to the boot loader a waking is a failed start."""
        if self._device.outbox.continued or self.state.died:
            return
        for _ in range(_PROVE_TIMES):
            if not self._device.on_trial() or self._device.resetting or not self.state.tried_s:  # 0: too little for the radio
                return
            for _ in range(_PROVE_EVERY_S):
                beat()
                await asyncio.sleep(1)
            self.state.tried_s = 0
            await self._send(beat)

    async def _idle(self, beat) -> None:
        """What must not be cut short (an update, a wanted reset) has its time before we sleep."""
        for _ in range(900):
            if not (self._device.resetting or any(ask() for ask in self._device.busy)):
                return
            beat()
            await asyncio.sleep(1)

    # --- sleep

    def _next_ms(self) -> int:
        cadence_s = self._cadence_s()
        if self._battery is not None and self._battery.millivolts() < self._section["no_radio_v"] * 1000:
            cadence_s *= _LOW_BATTERY_TIMES
        return next_wake_ms(self._device.clock.unix_ms(), cadence_s)

    def _sleep(self) -> None:
        device, state = self._device, self.state
        awake_ms = device.clock.uptime_ms() - self._began_ms - self._dozed_ms - self._radio_ms
        self.account.add("awake", energy.AWAKE_UA, max(0, awake_ms))
        self.account.add("doze", energy.DOZE_UA, self._dozed_ms)
        log("info", self.account.told())
        state.charge_mc = self.account.millicoulombs()
        state.slept_s = max(1, self._up_s())
        state.save()
        # A phone that was forgotten on the tag, or a line with a short circuit, would wake us again and again.
        if self._tag is not None and self._tag.value() == 1:
            self._hw.esp32.wake_on_ext0(self._tag, 0)
        device.sleep(max(1000, state.due_s * 1000 - device.clock.uptime_ms()))

    def _last_charge_mc(self) -> int:
        """Of the wake before and the sleep that followed."""
        slept_s = max(0, self._began_ms // 1000 - self.state.slept_s)
        return self.state.charge_mc + self._section["sleep_ua"] * slept_s // 1000

    # --- calibration

    async def _calibrate(self, request: dict, beat) -> None:
        """One guided session; its report is a record, whatever came of it."""
        what = request.get("what", self._section["tap_calibrates"])
        if what not in IDEAL or what not in self._suite.roles:
            there = [role for role in self._suite.roles if role in IDEAL]
            log("error", "calibrate: no %r here, there is %s" % (what, ", ".join(there)))
            return
        from app import guide  # the heap has no room for what is seldom needed

        device = self._device
        by_tag = request.get("who") == "tag"
        made = guide.Guide(
            guide.Session(what, guide.standards(self._section, what, request.get("standards")), device.clock.uptime_ms()),
            lambda: self._probe_and_thermometer(what, beat),
            device.clock.uptime_ms,
            self._tag,
            guide.NtagI2c(self._board.i2c()) if self._tag is not None else None,
            lambda words: device.reading([("calibration", words)]),
        )
        if not by_tag:
            made.session.tap(device.clock.uptime_ms())  # who sent the command has put the probe in place
        # The console follows live; at the river nobody waits for a radio.
        link = None if by_tag else asyncio.create_task(device.link.run(beat))
        self._online = not by_tag
        try:
            await made.run(beat, self._requests)
        finally:
            self._online = False
            if link is not None:
                link.cancel()
        self._suite.forget()
        guide.finish(made.session, self.calibrations, device, self._section["probe"], request)
        self.state.tried_s = 0  # the report is worth a radio window of its own

    async def _probe_and_thermometer(self, what: str, beat) -> tuple:
        besides = ("thermometer", "air") if what == "water_level" else ("thermometer",)
        roles = [what] + [role for role in besides if role in self._suite.roles]
        runs = await self._collected([self._suite.sensor(role) for role in roles], beat)
        celsius = runs["thermometer"].values[0] if "thermometer" in runs else 25.0
        raw = runs[what].values[-1]
        if raw is not None and "air" in runs:
            raw = probe_values.distance(raw, runs["air"].values[0])  # as in every reading
        return raw, celsius

    # --- little things

    def _make_battery(self):
        if not self._board.has("battery"):
            return None
        from app.sensors.battery import Battery

        return Battery(self._board.adc("battery"))

    def _cadence_s(self) -> int:
        return self._device.settings["cadence_s"]

    def _up_s(self) -> int:
        return self._device.clock.uptime_ms() // 1000
