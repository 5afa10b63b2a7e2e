"""A device without hardware: the real `Device`, beside an outbox, a clock and a machine of a few lines."""

import json
import time

from app import ticks
from app.device import Device
from fakes import Pin
from scaffold import folder


class Wrapping:
    """Stands for `time` in `app.ticks`: the ticks of an ESP32, which wrap at 2**30 ms."""

    ticks_ms = staticmethod(time.ticks_ms)

    @staticmethod
    def ticks_diff(moment, then):
        return (moment - then + (1 << 29)) % (1 << 30) - (1 << 29)

    @staticmethod
    def ticks_add(then, ms):
        return (then + ms) % (1 << 30)


class Moved:
    """All modules that ask `app.ticks` get this time, moved by hand."""

    def __init__(self, *modules):
        self.at = 100_000
        self._modules = modules

    def __enter__(self):
        ticks.time = Wrapping
        for module in self._modules:
            module.ticks = self
        return self

    def __exit__(self, *_):
        ticks.time = time
        for module in self._modules:
            module.ticks = ticks

    def now(self):
        return self.at

    since = staticmethod(ticks.since)
    within = staticmethod(ticks.within)
    after = staticmethod(ticks.after)


class Clock:
    def __init__(self, unix_ms=0):
        self.unix_ms = unix_ms
        self.slept = []

    def uptime_ms(self):
        return time.ticks_ms()

    def stamp(self):
        return 500_000, self.unix_ms, "ntp" if self.unix_ms else "none", 50

    def before_sleep(self, ms):
        self.slept.append(ms)


class Outbox:
    """Keeps (lane, seq, stamp, records); `broken` makes `put` raise, and `on_flash` is whether the flash takes anything."""

    boot = 7

    def __init__(self):
        self.records = []
        self.broken = None
        self.on_flash = True
        self.flushed = 0

    def put(self, lane, stamp, body):
        if self.broken:
            raise self.broken
        self.records.append((lane, len(self.records) + 1, stamp, json.loads(b"[{" + body)))
        return len(self.records)

    def depth(self):
        return 1, 0, len(self.records)

    def flush(self):
        self.flushed += 1
        return self.on_flash

    def sent(self, lane):
        """What was put into a lane: [{name: value}, ...]."""
        return [{r["n"]: value(r) for r in records} for where, _, _, records in self.records if where == lane]


class Machine:
    def __init__(self):
        self.done = []

    def reset(self):
        self.done.append("reset")

    def deepsleep(self, ms):
        self.done.append(ms)


class Supervisor:
    restarts = 3

    def __init__(self):
        self.jobs = []

    def once(self, name, coroutine):
        self.jobs.append(coroutine)


class Board:
    """Pins by name; `level` is what each reads at the start."""

    def __init__(self, i2c=None, uart=None, **levels):
        self.pins = {wire: Pin(level) for wire, level in levels.items()}
        self.buses = {name: bus for name, bus in (("i2c", i2c), ("radar", uart)) if bus is not None}

    def has(self, wire):
        return wire in self.pins or wire in self.buses

    def pin(self, wire, out=False, pull=0, value=0):
        if out:
            self.pins[wire].level = value
        return self.pins[wire]

    def i2c(self, name="i2c"):
        return self.buses[name]

    def uart(self, name, baud=9600, **more):
        return self.buses[name]


def device(model, section, **settings):
    """A Device of this model with these settings."""
    settings.update({"model": model, model: section})
    return Device(settings, Clock(1_780_000_000_000), Outbox(), Supervisor(), Machine(), folder())


def value(record):
    for key in ("v", "vb", "vs"):
        if key in record:
            return record[key]
    raise AssertionError("no value in %s" % record)
