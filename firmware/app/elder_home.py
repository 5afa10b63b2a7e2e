"""The home of an elder: movement, door, bed, climate, a button that calls for help, a detector's contact, the pre-warning.

Which sensors there are is what the settings' `pins` name. What a person did (SOS, cancel, smoke, gas, leak) is in flash before
anything else happens; states are told when they change and again at the cadence.
"""

import asyncio

from app import feedback, pausing, presence, prewarning, selftest, settings, signals, siren, ticks
from app.log import Trouble, log
from app.sensors.contact import Contact, watch
from app.sensors.schedule import collect
from app.urgent import Urgent

# wire -> (quantity, level at which it is active, debounce ms). All inputs have the pull-up on, so a wire that came off reads
# high: the PIR sees someone for ever and is reported as broken, the door is open. A detector's contact is best normally closed.
INPUTS = {
    "sos": ("sos", 0, 60),
    "cancel": ("cancel", 0, 60),
    "smoke": ("smoke", 0, 100),
    "gas": ("gas", 0, 100),
    "leak": ("leak", 0, 100),
    "away": ("away", 0, 100),
    "pir": ("motion", 1, 20),
    "pir2": ("motion", 1, 20),
    "door": ("contact", 1, 50),
    "door2": ("contact", 1, 50),
    "bed": ("bed", 0, 500),
    "chair": ("chair", 0, 500),
    "pause": ("pause", 0, 60),
    "medication": ("medication", 0, 60),
    "meal": ("meal", 0, 60),
}
_DONE = ("medication", "meal")  # buttons that say: I have
_BUTTONS = ("sos", "cancel", "pause") + _DONE
_DETECTORS = ("smoke", "gas", "leak")
_CALM_MS = 5000
_HELD_MS = 200  # while a button is held that may become a pause
_IDLE_MS = 10_000  # looks at inputs that no interrupt told of
_BOUNCE_MS = 100  # a press so soon after a release is none
_PRESSED_TOO_LONG_MS = 60_000
_AGAIN_MS = 3000  # presses so soon after one that was told belong to it
_HEARD = (80,)

PINS = dict.fromkeys(INPUTS, "pin")
PINS.update({"lamp": "pin", "buzzer": "pin", "i2c": "i2c", "radar": "uart"})

DEFAULTS = {
    "press_ms": 60,
    "sos_eager": True,
    "motion_every_s": 30,
    "motion_stuck_s": 1800,
    "held_stuck_s": 86_400,
    "radar_gates": 0,
    "radar_hold_s": 30,
    "warn_s": 30,
    "pause_hold_s": 5,
    "channels": {},
    "active": {},
}
CHECKS = {
    "press_ms": settings.whole(20, 2000),  # a shorter touch of a button without a filter is none
    # Any edge is a press, for the filter at the pin lets nothing shorter through: while the chip is busy (a TLS handshake, an
    # erase) the interrupt comes late and finds the button released. Without the filter: false, and such a press is lost.
    "sos_eager": settings.flag(),
    "motion_every_s": settings.whole(1, 3600),
    "motion_stuck_s": settings.whole(60, 86_400),
    "held_stuck_s": settings.whole(3600, 604_800),
    "radar_gates": settings.whole(0, 8),  # how far it sees, 0.75 m each; 0: as it is
    "radar_hold_s": settings.whole(1, 600),
    "warn_s": settings.whole(10, 600),  # a press without receipt is warned about so often
    "pause_hold_s": settings.choice(0, 3, 4, 5, 6, 8, 10),  # shorter may be an accident; 0: no button pauses
    # wire -> channel: {"pir": "kitchen"} makes `motion.kitchen`
    "channels": settings.table({wire: settings.text(24) for wire in list(INPUTS) + ["radar"] if wire not in _BUTTONS}),
    # wire -> level at which it is active: {"smoke": 1} for a normally closed contact
    "active": settings.table({wire: settings.choice(0, 1) for wire in INPUTS}),
}


def build(device, board) -> list:
    """The tasks of this device."""
    return Home(device, board).tasks()


class Home:
    """Everything in one place: wires to sensors, sensors to readings and events."""

    def __init__(self, device, board) -> None:
        section = self._section = device.section
        self._device = device
        self._woken = asyncio.ThreadSafeFlag()
        self.lamp = self._signal(board, "lamp")
        self.buzzer = self._signal(board, "buzzer")
        self.urgent = Urgent(device)
        path = device.root + "/call"
        self.call = feedback.Call(device, self.urgent, self.lamp, self.buzzer, path, section["warn_s"] * 1000)
        self.prewarning = prewarning.Prewarning(device, self.urgent, self.buzzer, lambda: self.call.fresh)
        self._stirred = asyncio.ThreadSafeFlag()
        self.pausing = self._pausing() if section["pause_hold_s"] else None
        self._contacts = [self._contact(board, wire) for wire in INPUTS if board.has(wire)]
        self._sensors = {c.name: self._sensor(c.name) for c in self._contacts if c.name not in _BUTTONS + _DETECTORS}
        self._detectors = {}  # wire -> what was last told
        self._done = {}  # wire -> ticks of the last press that was told
        self._released: int | None = None  # ticks at which the SOS button was let go
        self._long = Trouble("sos button")
        self.radar = self._radar(board) if board.has("radar") else None
        self._climate = self._sht31(board) if board.has("i2c") else None
        self._climate_trouble = Trouble("sht31")
        self.siren = siren.Siren(self.buzzer)
        device.commands["prewarn"] = self.prewarning.ask
        device.commands["siren"] = self.siren.ask
        device.commands["answered"] = self.call.answered
        device.repeatable.add("answered")
        if self.pausing is not None:
            device.commands["paused"] = self.pausing.told
            device.repeatable.add("paused")
        button = next((c for c in self._contacts if c.name == "sos"), None)
        self.self_test = selftest.SelfTest(device, self.urgent, button, self.call) if button is not None else None
        if self.self_test is not None:
            device.commands["selftest"] = self.self_test.ask
        device.busy.append(lambda: self.call.fresh or self.prewarning.running or self.siren.running)

    def tasks(self) -> list:
        """(name, coroutine function) for the supervisor. The buttons come first."""
        tasks = [("inputs", self._inputs), ("signals", self._signals), ("people", self._watch_people)]
        return tasks + [("sensors", self._watch_sensors), ("cadence", self._at_cadence)]

    # --- inputs ---

    async def _inputs(self, beat) -> None:
        def looked() -> None:
            beat()
            if self.self_test is not None:
                self.self_test.look()

        await watch(self._contacts, self._changed, looked, _IDLE_MS)

    def _changed(self, contact) -> None:
        wire, active, at = contact.name, contact.state, contact.changed_ticks
        if wire == "sos":
            self._sos(active, at)
        elif wire == "cancel":
            if active:
                self.prewarning.cancel(at)
            self._hold(contact, active, at)
        elif wire == "pause":
            self._hold(contact, active, at)
        elif wire in _DONE:
            if active:
                self._say_done(wire, at)
        elif wire in _DETECTORS:
            self._detector(wire, active, at)
        else:
            self._sensors[wire].change(active, at)
            self._report(ticks.now())

    def _sos(self, active: bool, at: int) -> None:
        if not active:
            self._released = at
            self._long.set()
        elif not ticks.within(self._released, at, _BOUNCE_MS):
            self.call.press(at)

    def _hold(self, contact, active: bool, at: int) -> None:
        if self.pausing is not None:
            self.pausing.change(contact, active, at)

    def _say_done(self, wire: str, at: int) -> None:
        if not (self.call.fresh or self.prewarning.running or self.siren.running):
            self.buzzer.play(_HEARD)
        if not ticks.within(self._done.get(wire), at, _AGAIN_MS):
            self._done[wire] = at
            self.urgent.put([(wire, True)], self._device.stamp_at(at))

    def _detector(self, wire: str, active: bool, at: int) -> None:
        # At the start a contact at rest is told as well: an alarm that ended while we were off has to end at the gateway too.
        self._detectors[wire] = active
        self.urgent.put([(self._name(wire), active)], self._device.stamp_at(at))

    async def _watch_people(self, beat) -> None:
        """What has to follow a press: into flash if it is not there yet, the warnings, the end of a question."""
        while True:
            beat()
            now = ticks.now()
            self.urgent.look()
            self.call.look(now)
            self.prewarning.look(now)
            self.siren.look(now)
            busy = self.urgent.waiting or self.call.open or self.prewarning.running or self.siren.running
            wait_ms = 1000 if busy else _CALM_MS
            if self.pausing is not None:
                self.pausing.look(now)
                wait_ms = _HELD_MS if self.pausing.held else 1000 if self.pausing.lit else wait_ms
            try:
                await asyncio.wait_for_ms(self._stirred.wait(), wait_ms)
            except asyncio.TimeoutError:
                pass

    # --- sensors ---

    async def _watch_sensors(self, beat) -> None:
        if self.radar is not None and self._section["radar_gates"]:
            await self._set_up(self.radar)
        while True:
            beat()
            self._report(ticks.now())
            # The serial port's buffer holds two seconds of the radar.
            await asyncio.sleep_ms(1000 if self.radar is not None else _CALM_MS)

    def _report(self, now: int) -> None:
        for sensor in self._all_sensors():
            items = sensor.due(now)
            if items:
                self._device.reading(items)

    def _all_sensors(self) -> list:
        return list(self._sensors.values()) + ([self.radar] if self.radar is not None else [])

    async def _set_up(self, radar) -> None:
        from app.sensors import ld2410

        for frame in ld2410.settings(self._section["radar_gates"], self._section["radar_hold_s"]):
            radar.send(frame)
            await asyncio.sleep_ms(50)

    async def _at_cadence(self, beat) -> None:
        await asyncio.sleep(2)  # the first look at every input is over
        while True:
            began = ticks.now()
            self._device.reading(await self._record())
            while ticks.since(began, ticks.now()) < self._device.settings["cadence_s"] * 1000:
                beat()
                left_ms = self._device.settings["cadence_s"] * 1000 - ticks.since(began, ticks.now())
                await asyncio.sleep_ms(max(1, min(left_ms, 15_000)))

    async def _record(self) -> list:
        """Everything as it is now."""
        items = await self._measure_climate() if self._climate is not None else []
        items += [(sensor.name, sensor.value()) for sensor in self._sensors.values()]
        if self.radar is not None:
            items += self.radar.regular()
        return items + self._pressed_too_long()

    async def _measure_climate(self) -> list:
        [run] = (await collect([self._climate], self._device.clock.uptime_ms, asyncio.sleep_ms)).values()
        self._climate_trouble.set(run.error)
        return [(name, value if value is None else round(value, 2)) for name, value in zip(run.sensor.NAMES, run.values)]

    def _pressed_too_long(self) -> list:
        """A button nobody lets go is no button any more: `sos` without a value says so, again at each cadence."""
        button = next((c for c in self._contacts if c.name == "sos"), None)
        # Once stuck it is so until it is let go: after six days the ticks would say that it was pressed just now.
        stuck = (
            button is not None
            and button.state
            and (self._long.now or self._ago_ms(button.changed_ticks) > _PRESSED_TOO_LONG_MS)
        )
        self._long.set("pressed for more than a minute; stuck, or its cable has a short circuit" if stuck else "")
        return [("sos", None)] if stuck else []

    # --- lamp and buzzer ---

    async def _signals(self, beat) -> None:
        await signals.play([self.lamp, self.buzzer], self._woken, beat)

    # --- building ---

    def _signal(self, board, wire: str):
        if not board.has(wire):
            log("warning", "no %s: pins.%s is not set" % (wire, wire))
        return signals.Signal(board.pin(wire, out=True) if board.has(wire) else None, self._woken.set)

    def _pausing(self):
        hold_ms = self._section["pause_hold_s"] * 1000
        path = self._device.root + "/pause"
        return pausing.Pausing(self._device, self.urgent, self.call, self.lamp, self.buzzer, path, hold_ms, self._stirred.set)

    def _contact(self, board, wire: str) -> Contact:
        active = self._section["active"].get(wire, INPUTS[wire][1])
        is_sos = wire == "sos"
        debounce_ms = self._section["press_ms"] if wire in _BUTTONS else INPUTS[wire][2]
        return Contact(wire, board.pin(wire, pull=1), active, debounce_ms, eager=is_sos and self._section["sos_eager"])

    def _sensor(self, wire: str):
        name = self._name(wire)
        if INPUTS[wire][0] == "motion":
            return presence.Motion(name, self._section["motion_every_s"] * 1000, self._section["motion_stuck_s"] * 1000)
        held = wire in ("bed", "chair")
        return presence.Held(name, self._section["held_stuck_s"] * 1000 if held else 0)

    def _radar(self, board):
        from app.sensors import ld2410

        uart = board.uart("radar", ld2410.BAUD, rxbuf=512)
        return presence.Radar(ld2410.Ld2410(uart), self._name("radar", "presence"))

    def _sht31(self, board):
        from app.sensors.sht31 import Sht31

        return Sht31(board.i2c())

    def _name(self, wire: str, quantity: str = "") -> str:
        channel = self._section["channels"].get(wire, "")
        return (quantity or INPUTS[wire][0]) + ("." + channel if channel else "")

    def _ago_ms(self, at: int) -> int:
        return ticks.since(at, ticks.now())
