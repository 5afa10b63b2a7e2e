"""What a wake costs: charge from a table of states, by state and sensor phase, in integers.

Microamperes times milliseconds are nanocoulombs. The times are those the device really spent; the currents are published ones:
the ESP32's start, radio and CPU measured by glenn20 (MicroPython) and from its data sheet, each sensor's from its own.
"""

BOOT_UC = 23_600  # from reset to the application with its file system, 350 ms
# What an ESP32 computes in a wake over drivers and records, while the clock of a simulation stands still. Estimate.
WORK_MS = 300
AWAKE_UA = 40_000  # 160 MHz, radio off
DOZE_UA = 800  # light sleep, RAM kept
CONNECT_UA = 140_000  # until the broker has answered: static address and MQTT, 108.6 mC in 774 ms
ONLINE_UA = 100_000  # then the radio mostly listens (data sheet: 95 to 100 mA)
TLS_UC = 100_000  # a handshake more, estimate
SLEEP_UA = 20  # bare module 10 uA, regulator and tag the rest; a development board has 15,000

# Phases in which a sensor draws what it needs for measuring; in the others its idle current, from power_up to power_down.
_MEASURING = ("start", "measure", "result")


class Account:
    """Charge of one wake.

    parts: state -> nanocoulombs; a sensor's states are `<sensor>.<phase>`.
    """

    def __init__(self):
        self.parts = {}

    def add(self, state: str, ua: int, ms: int) -> None:
        if ua and ms:
            self.parts[state] = self.parts.get(state, 0) + ua * ms

    def boot(self) -> None:
        self.add("boot", BOOT_UC, 1000)
        self.add("work", AWAKE_UA, WORK_MS)

    def radio(self, connect_ms: int, online_ms: int, tls: bool) -> None:
        self.add("radio", CONNECT_UA, connect_ms)
        self.add("radio", ONLINE_UA, online_ms)
        if tls:
            self.add("tls", TLS_UC, 1000)

    def spent(self, sensor, phase: str, ms: int) -> None:
        """For `schedule.collect`."""
        self.add(sensor.name + "." + phase, sensor.MEASURE_UA if phase in _MEASURING else sensor.IDLE_UA, ms)

    def millicoulombs(self) -> int:
        return sum(self.parts.values()) // 1_000_000

    def by_state(self) -> dict:
        """State -> microcoulombs, the phases of a sensor summed."""
        summed = {}
        for state, charge in self.parts.items():
            name = state.split(".")[0]
            summed[name] = summed.get(name, 0) + charge
        return {name: charge // 1000 for name, charge in summed.items()}

    def told(self) -> str:
        """For the log: the sum in mC, and what is above one of it."""
        parts = ["%s %d" % (name, uc // 1000) for name, uc in sorted(self.by_state().items()) if uc >= 1000]
        return "%d mC: %s" % (self.millicoulombs(), ", ".join(parts))


def milliampere_hours(millicoulombs: int) -> float:
    return millicoulombs / 3600
