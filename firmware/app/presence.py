"""Motion, held states and the radar: little traffic, no movement lost from the count, and a dead sensor shows."""

from app import ticks


class Motion:
    """A PIR detector: its first movement is told at once, those within the next `every_ms` together, with their number.

    A detector that has been active for `stuck_ms` is broken or unplugged: its value is None until it lets go.
    """

    def __init__(self, name: str, every_ms: int, stuck_ms: int) -> None:
        self.name = name
        self._count_name = "movements" + name[name.find(".") :] if "." in name else "movements"
        self._every_ms = every_ms
        self._stuck_ms = stuck_ms
        self._count = 0  # since the last report
        self._told: int | None = None  # ticks of the last report, None when that is `every_ms` ago
        self._began = self._ended = 0  # ticks of the last movement
        self._state: bool | None = None
        self._told_state: bool | None = None
        self._stuck = False

    def change(self, active: bool, at: int) -> None:
        """The detector went on or off at `at`."""
        if active:
            self._count += 1
            self._began = at
        else:
            self._ended = at
            self._stuck = False
        self._state = active

    def value(self):
        """True, False, or None while it is not to be believed."""
        return None if self._stuck else self._state

    def due(self, now: int) -> list:
        """Items to report now, at moments relative to `now`; mostly none."""
        if self._state and not self._stuck and ticks.since(self._began, now) > self._stuck_ms:
            self._stuck = True
            return self._report(now, [(self.name, None)])
        if not ticks.within(self._told, now, self._every_ms):
            self._told = None
        if self._stuck or not (self._count or self._state != self._told_state):
            return []
        if self._told is not None:
            return []
        items = []
        if self._count:
            items.append(_at(self.name, True, self._began, now))
        if not self._state:
            items.append(_at(self.name, False, self._ended, now))
        if self._count:
            items.append((self._count_name, self._count))
        return self._report(now, items)

    def _report(self, now: int, items: list) -> list:
        self._told, self._told_state, self._count = now, self._state, 0
        return items


class Held:
    """A door, bed, chair or switch: told at each change; None after `stuck_ms` in the active state, if that cannot be true."""

    def __init__(self, name: str, stuck_ms: int = 0) -> None:
        self.name = name
        self._stuck_ms = stuck_ms
        self._state: bool | None = None
        self._looked = 0  # ticks of the last look, or of the change after it
        self._held_ms = 0  # added up, for it may be longer than ticks can tell
        self._waiting = []  # (state, ticks)
        self._stuck = False

    def change(self, active: bool, at: int) -> None:
        """It changed at `at`."""
        self._state, self._looked, self._held_ms, self._stuck = active, at, 0, False
        self._waiting = self._waiting[-7:] + [(active, at)]

    def value(self):
        """True, False, or None while it is not to be believed or never looked at."""
        return None if self._stuck else self._state

    def due(self, now: int) -> list:
        """Items to report now."""
        waiting, self._waiting = self._waiting, []
        items = [_at(self.name, state, at, now) for state, at in waiting]
        if self._state and self._stuck_ms and not self._stuck:
            self._held_ms += ticks.since(self._looked, now)
            self._looked = now
            if self._held_ms > self._stuck_ms:
                self._stuck = True
                items.append((self.name, None))
        return items


class Radar:
    """An LD2410: presence at each change, distance at the cadence. A radar that says nothing for `silent_ms` is None."""

    def __init__(self, driver, name: str = "presence", silent_ms: int = 5000) -> None:
        self.name = name
        self._driver = driver
        self._silent_ms = silent_ms
        self._heard = ticks.now()
        self._state: bool | None = None
        self._told = False  # nothing is told before the first word, or the first silence
        self._distance_cm: int | None = None
        self._distance_name = "distance" + name[name.find(".") :] if "." in name else "distance"

    def value(self):
        """Somebody is there: True, False, or None when the radar is silent."""
        return self._state

    def due(self, now: int) -> list:
        """Read what has come; items to report now."""
        report = self._driver.poll()
        if report is not None:
            self._heard = now
            self._distance_cm = report.distance_cm if report.present else None
            state = report.present
        elif ticks.since(self._heard, now) > self._silent_ms:
            state = self._distance_cm = None
        else:
            return []
        if self._told and state == self._state:
            return []
        self._told, self._state = True, state
        return [(self.name, state)]

    def send(self, frame: bytes) -> None:
        """A command to the radar; its answer is passed over."""
        self._driver.uart.write(frame)

    def regular(self) -> list:
        """Items for the record at the cadence."""
        items: list = [(self.name, self._state)]
        if self._distance_cm is not None:
            items.append((self._distance_name, (self._distance_cm, 2)))
        return items


def _at(name: str, value, at: int, now: int):
    ago_ms = ticks.since(at, now)
    return (name, value, {"t_ms": -ago_ms}) if ago_ms > 0 else (name, value)
