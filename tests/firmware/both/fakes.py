"""Buses and pins of ten lines for the drivers' tests under both interpreters."""


class I2C:
    """A bus with chips at addresses; a chip has write(data) and read(count), as the simulated board's have."""

    def __init__(self, **chips):
        self.chips = {int(key[1:], 16): chip for key, chip in chips.items()}

    def writeto(self, address, data):
        self._chip(address).write(bytes(data))
        return len(data)

    def readfrom(self, address, count):
        return self._chip(address).read(count)

    def readfrom_mem(self, address, register, count):
        self.writeto(address, bytes((register,)))
        return self.readfrom(address, count)

    def writeto_mem(self, address, register, data):
        self.writeto(address, bytes((register,)) + bytes(data))

    def _chip(self, address):
        if address not in self.chips:
            raise OSError(19)  # ENODEV, what the ESP32 says when nobody answers
        return self.chips[address]


class Script:
    """A chip that answers what the data sheet's example answers.

    replies: command -> bytes to read after it, or a list of them, used up one by one but for the last.
    """

    def __init__(self, replies):
        self.replies = replies
        self.written = []

    def write(self, data):
        self.written.append(data)

    def read(self, count):
        reply = self.replies.get(self.written[-1], b"\xff")
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        return (reply + bytes(count))[:count]


class Registers:
    """A chip with a register pointer that moves on by itself."""

    def __init__(self, registers):
        self.registers = dict(registers)
        self.pointer = 0

    def write(self, data):
        self.pointer = data[0]
        for index, byte in enumerate(data[1:]):
            self.registers[self.pointer + index] = byte

    def read(self, count):
        return bytes([self.registers.get(self.pointer + index, 0) for index in range(count)])


class Uart:
    """Both ends: `answer(data)` gives what the device says to what is written; `arrives(data)` puts bytes to be read."""

    def __init__(self, answer=None):
        self.answer = answer
        self.written = []
        self.waiting = b""

    def arrives(self, data):
        self.waiting += data

    def write(self, data):
        self.written.append(bytes(data))
        if self.answer is not None:
            self.waiting += self.answer(bytes(data))
        return len(data)

    def any(self):
        return len(self.waiting)

    def read(self, count=None):
        count = len(self.waiting) if count is None else count
        data, self.waiting = self.waiting[:count], self.waiting[count:]
        return data or None


class Pin:
    def __init__(self, level=1):
        self.level = level
        self.handler = None
        self.history = []

    def value(self, level=None):
        if level is None:
            return self.level
        self.history.append(level)
        self.level = level
        return None

    def irq(self, handler=None, trigger=3):
        self.handler = handler

    def goes(self, level):
        """From outside, with an interrupt."""
        self.level = level
        if self.handler:
            self.handler(self)


class Time:
    """Moved by hand, or by whoever waits."""

    def __init__(self, ms=0):
        self.ms = ms

    def now(self):
        return self.ms

    async def wait(self, ms):
        self.ms += ms


def measure(sensor, time=None):
    """One run of one sensor through all phases, at once; its Run."""
    from app.sensors.schedule import collect
    from scaffold import run

    time = time or Time()
    return run(collect([sensor], time.now, time.wait))[sensor.name]


def near(value, wanted, tolerance):
    """Close enough; floats of the device have 32 bits."""
    return value is not None and abs(value - wanted) <= tolerance
