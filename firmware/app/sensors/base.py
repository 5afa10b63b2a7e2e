"""What every sensor driver is: phases that say how long to wait, a result whose failed values are None.

    power_up -> warm_up -> wake -> stabilise -> start -> measure -> result (average of N) -> sleep -> power_down

Each phase but `result` returns the milliseconds to wait before the next one; a negative number means "not ready: the same
phase again after so many". No driver sleeps, so that the schedule can overlap sensors and a test runs at once. A driver
overrides only the phases its chip has.
"""

PHASES = ("power_up", "warm_up", "wake", "stabilise", "start", "measure", "result", "sleep", "power_down")


class Failed(Exception):
    """The sensor answered, and the answer is unusable (CRC, status code, frame). The text says what was seen."""


class Rail:
    """A switched supply that several sensors share: on with the first that takes it, off with the last that lets go."""

    def __init__(self, pin, on: int = 1):
        self.pin = pin
        self.level = on
        self.users = 0
        pin.value(1 - on)

    def take(self) -> None:
        self.users += 1
        self.pin.value(self.level)

    def release(self) -> None:
        self.users = max(0, self.users - 1)
        if self.users == 0:
            self.pin.value(1 - self.level)


class Sensor:
    """Base of the drivers.

    NAMES: the quantities of `result`, in its order, each with the unit of the catalogue.
    LIMIT_MS: longest time from power_up to the last result that is not a fault.
    IDLE_UA, MEASURE_UA: supply current in microamperes, powered and while measuring, from the maker's data sheet.
    """

    NAMES: tuple[str, ...] = ()
    WARM_UP_MS = 0
    STABILISE_MS = 0
    MEASURE_MS = 0
    LIMIT_MS = 5000
    IDLE_UA = 0
    MEASURE_UA = 0

    name = "sensor"
    rail: Rail | None = None  # a Rail, or None when the sensor is always powered
    average = 1  # how many measurements make one result
    listening = False  # bytes may come by themselves just now: the chip must not go to light sleep

    def power_up(self) -> int:
        if self.rail is not None:
            self.rail.take()
        return 0

    def warm_up(self) -> int:
        return self.WARM_UP_MS

    def wake(self) -> int:
        return 0

    def stabilise(self) -> int:
        return self.STABILISE_MS

    def start(self) -> int:
        return self.MEASURE_MS

    def measure(self) -> int:
        return 0

    def result(self) -> tuple:
        raise NotImplementedError

    def combine(self, results: list) -> tuple:
        """One result out of `average` of them; the mean, name by name, of the values that are not None."""
        return tuple(mean([values[i] for values in results]) for i in range(len(self.NAMES)))

    def sleep(self) -> int:
        return 0

    def power_down(self) -> int:
        if self.rail is not None:
            self.rail.release()
        return 0


def mean(values: list):
    good = [value for value in values if value is not None]
    return sum(good) / len(good) if good else None


def median(values: list):
    good = sorted([value for value in values if value is not None])
    if not good:
        return None
    middle = len(good) // 2
    return good[middle] if len(good) % 2 else (good[middle - 1] + good[middle]) / 2


def crc8(data: bytes, polynomial: int, initial: int) -> int:
    """CRC-8, most significant bit first, as Sensirion's chips use it (0x31 from 0xFF)."""
    crc = initial
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ polynomial) & 0xFF if crc & 0x80 else crc << 1
    return crc
