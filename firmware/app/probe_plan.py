"""When a probe wakes and when it may use its radio: pure decisions, and the few numbers they need, kept in RTC memory."""

import struct

_STATE = "<9IiBB5H"
_UPTIMES = ("slept_s", "due_s", "tried_s", "gnss_s", "turbidity_s", "celsius_s", "health_s")
_MOST_MISSES = 3  # the radio rests for eight times the usual interval at most
_EARLY = 4  # a wake is early when less than this part of the interval is left

CAUSES = ("power on", "reset", "watchdog", "deep sleep", "soft reset")  # machine.reset_cause() 1..5


class State:
    """What a probe remembers over deep sleep and resets; after a power cut all is 0.

    Uptimes in seconds, 0 never: slept_s when it went to sleep, due_s of the next reading, tried_s of the last radio window;
    gnss_s, turbidity_s, celsius_s, health_s of the last position, turbidity, water temperature, health record.
    wakes: counted. charge_mc: of the wake before, without the sleep that followed. celsius_milli: that temperature.
    misses: radio windows in a row that did not empty the outbox. died: of these, how often the device came back by a reset.
    causes: how often it started by each of CAUSES since it had power.
    """

    def __init__(self, region, continued: bool):
        """continued: the boot, and with it the uptime, went on over a planned sleep."""
        self._region = region
        kept = region.load()
        if kept is None or len(kept) != struct.calcsize(_STATE):
            kept = bytes(struct.calcsize(_STATE))
        fields = struct.unpack(_STATE, kept)
        self.slept_s, self.due_s, self.tried_s, self.gnss_s, self.turbidity_s, self.celsius_s, self.health_s = fields[:7]
        self.wakes, self.charge_mc, self.celsius_milli, self.misses, self.died = fields[7:12]
        self.causes = list(fields[12:])
        if not continued:
            for name in _UPTIMES:
                setattr(self, name, 0)

    def count(self, cause: int) -> None:
        """cause: of `machine.reset_cause()`."""
        self.wakes += 1
        if 1 <= cause <= len(CAUSES):
            self.causes[cause - 1] = min(self.causes[cause - 1] + 1, 0xFFFF)

    def told(self) -> str:
        """The causes in words, those that happened."""
        return ", ".join(["%s %d" % (name, n) for name, n in zip(CAUSES, self.causes) if n])

    def save(self) -> None:
        uptimes = [getattr(self, name) for name in _UPTIMES]
        rest = (self.wakes & 0xFFFFFFFF, self.charge_mc, self.celsius_milli, min(self.misses, 255), min(self.died, 255))
        self._region.store(struct.pack(_STATE, *uptimes, *rest, *self.causes))


def next_wake_ms(unix_ms: int, cadence_s: int) -> int:
    """Milliseconds from now to the next reading: at a full cadence of the wall clock, or one cadence from now without a clock.

    A clock that ran fast over the sleep wakes us before the full cadence: the reading just made was that one's, the next is not
    due in a minute.
    """
    cadence_ms = cadence_s * 1000
    if not unix_ms:
        return cadence_ms
    left = cadence_ms - unix_ms % cadence_ms
    return left + cadence_ms if left < cadence_ms // _EARLY else left


def radio_wanted(state: State, up_s: int, depth: tuple, battery_mv: int | None, section: dict, cadence_s: int) -> str:
    """Why the radio is to be used now, "" when not.

    Args:
        depth: (events, losses, data) of the outbox.
        battery_mv: measured just now, radio off; None: no battery is wired.
    """
    if battery_mv is not None and battery_mv < section["no_radio_v"] * 1000:
        return ""  # the start of the radio would end in a brown-out, and that in a loop
    rest = up_s - state.tried_s
    misses = min(state.misses, _MOST_MISSES)
    if state.tried_s and misses and rest < section["upload_s"] << (misses - 1):
        return ""
    if not state.tried_s:
        return "start"
    if depth[0]:
        return "event"
    if depth[2] >= section["upload_records"]:
        return "records"
    # Half a cadence early is in time, or drift would make every second hour of it.
    return "hour" if rest >= section["upload_s"] - cadence_s // 2 else ""
