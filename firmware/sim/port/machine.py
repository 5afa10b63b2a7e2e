"""`machine` of the simulated board: pins, watchdog, resets and sleep; buses and the rest come from the files beside it."""

import wire
from machine_analog import *
from machine_i2c import *
from machine_rtc import *
from machine_spi import *
from machine_timer import *
from machine_uart import *
from umachine import *
from umachine import PinBase

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
PIN_WAKE = EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4


class Pin(PinBase):
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    WAKE_LOW = 4
    WAKE_HIGH = 5
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        self.id = id.id if isinstance(id, Pin) else id
        self._name = "pin %d " % self.id
        self.init(mode, pull, value=value, drive=drive, hold=hold)

    def init(self, mode=-1, pull=-1, *, value=None, drive=0, hold=None):
        if hold is not None:
            wire.call(self._name + "hold %d" % hold)
        if mode != -1 or pull != -1 or value is not None:
            pull = 0 if pull is None else pull
            wire.call(self._name + "init %d %d %d" % (mode, pull, -1 if value is None else bool(value)))

    def value(self, level=None):
        if level is None:
            return wire.level(self.id)
        wire.call(self._name + ("set 1" if level else "set 0"))
        return None

    def __call__(self, level=None):
        return self.value(level)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self.value())

    def irq(self, handler=None, trigger=3, *, wake=None, hard=False):
        name = "p%d" % self.id
        wire.handlers[name] = lambda: handler(self)
        wire.call(self._name + "irq %d" % (trigger if handler else 0))

    def __repr__(self):
        return "Pin(%d)" % self.id


class WDT:
    def __init__(self, id=0, timeout=5000):
        wire.call("wdt %d" % timeout)

    def feed(self):
        wire.tell("feed")


def reset():
    wire.call("reset hard")


def soft_reset():
    wire.call("reset soft")


def deepsleep(time_ms=0):
    wire.call("deepsleep %d" % time_ms)


def lightsleep(time_ms=0):
    wire.call("doze 1")
    wire.sleep(time_ms)
    wire.call("doze 0")


def reset_cause():
    return int(wire.ask("cause").split()[0])


def wake_reason():
    return int(wire.ask("cause").split()[1])


def unique_id():
    return bytes.fromhex(wire.ask("id"))


def freq(hz=None):
    return 160000000


def disable_irq():
    before = wire.masked
    wire.masked = True
    return before


def enable_irq(before=False):
    wire.masked = before
    if not before:
        wire.interrupts()


def time_pulse_us(pin, level, timeout_us=1000000):
    """What the board says of this pin's next pulse: us, -2 without a beginning, -1 without an end."""
    wire.sleep(1)
    return int(wire.call("pulse %d %d %d" % (pin.id, level, timeout_us)))


def bitstream(pin, encoding, timing, data):
    wire.call("light %d %s" % (pin.id, wire.hexed(data)))
