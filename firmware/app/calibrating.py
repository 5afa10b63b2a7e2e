"""A guided calibration as a state machine: what the person is to do next, when a reading is steady, what came of it.

    place --tap--> settling --steady--> place (next standard) ... --> accepted | refused
    any --cancel, nobody taps, never steady--> cancelled | refused

It knows no sensor, no tag and no clock: taps, readings and the time are handed in, `say` is the text to show.
"""

from app.calibration import KINDS
from app.calibrations import ACCEPTED, REFUSED

PLACE, SETTLING, CANCELLED = "place", "settling", "cancelled"
STEADY_COUNT = 6  # so many readings in a row have to agree
STEADY_CELSIUS = 0.3
PLACE_MS = 600_000
SETTLE_MS = 300_000


class Session:
    """One calibration of one quantity.

    Args:
        what: a key of KINDS.
        standards: what the probe is put into, in this order.
    Attributes:
        state, say: see above.
        points: [standard, raw, Celsius] so far.
        fit, why: once it is accepted or refused.
    """

    def __init__(self, what: str, standards: list, now_ms: int):
        self.what = what
        self.kind = KINDS[what]
        self.standards = standards
        self.points: list = []
        self.fit = None
        self.why = ""
        self._window: list = []
        self._enter(PLACE, now_ms, "rinse the probe, put it into %s, then tap again" % self._standard())

    @property
    def done(self) -> bool:
        return self.state in (ACCEPTED, REFUSED, CANCELLED)

    def tap(self, now_ms: int) -> None:
        """The person says: done, go on."""
        if self.state == PLACE:
            self._window = []
            self._enter(SETTLING, now_ms, "leave it in %s and wait" % self._standard())

    def cancel(self, why: str) -> None:
        if not self.done:
            self._end(CANCELLED, why)

    def tick(self, now_ms: int) -> None:
        """Time goes by."""
        if self.state == PLACE and now_ms - self._since > PLACE_MS:
            self._end(CANCELLED, "nobody tapped for %d minutes" % (PLACE_MS // 60_000))
        elif self.state == SETTLING and now_ms - self._since > SETTLE_MS:
            self._end(REFUSED, self._restless())

    def reading(self, raw: float | None, celsius: float | None, now_ms: int) -> None:
        """A reading of the sensor, None when it failed; only counts while settling."""
        if self.state != SETTLING:
            return
        if raw is None or celsius is None:
            self._window = []
            self._say("no reading of the %s; look at its cable" % ("probe" if raw is None else "thermometer"))
            return
        self._window = (self._window + [(raw, celsius)])[-STEADY_COUNT:]
        spread, drift = self._spread()
        if len(self._window) < STEADY_COUNT or spread > self.kind.steady or drift > STEADY_CELSIUS:
            self._say("%s at %.1f degrees, not yet steady" % (self._shown(raw), celsius))
            return
        self._steady(now_ms)

    def _steady(self, now_ms: int) -> None:
        raw = sum([pair[0] for pair in self._window]) / STEADY_COUNT
        celsius = sum([pair[1] for pair in self._window]) / STEADY_COUNT
        if self.kind.expected is not None:
            expected, off = self.kind.expected(self.standards[len(self.points)], celsius)
            if abs(raw - expected) > off:
                text = "seen %s, expected about %s: is this %s? Rinse and tap again"
                self._enter(PLACE, now_ms, text % (self._shown(raw), self._shown(expected), self._standard()))
                return
        self.points.append([self.standards[len(self.points)], raw, celsius])
        if len(self.points) < len(self.standards):
            self._enter(PLACE, now_ms, "rinse the probe, put it into %s, then tap again" % self._standard())
            return
        self.fit, why = self.kind.fit(self.points)
        self._end(REFUSED if why else ACCEPTED, why)

    def _end(self, state: str, why: str) -> None:
        self.state, self.why = state, why
        words = {ACCEPTED: "accepted", REFUSED: "refused, the old calibration stays: ", CANCELLED: "cancelled: "}
        self.say = "%s calibration %s%s" % (self.what, words[state], why)

    def _enter(self, state: str, now_ms: int, text: str) -> None:
        self.state = state
        self._since = now_ms
        self._say(text)

    def _say(self, text: str) -> None:
        self.say = "%s %d/%d: %s" % (self.what, len(self.points) + 1, len(self.standards), text)

    def _standard(self) -> str:
        unit = self.kind.standard_unit
        number = "%.*f" % (self.kind.places, self.standards[len(self.points)])
        return "pH " + number if unit == "pH" else number + " " + unit

    def _shown(self, raw: float) -> str:
        return "%.1f %s" % (raw, self.kind.unit) if self.kind.unit != "m" else "%.3f m" % raw

    def _spread(self) -> tuple:
        raws = [pair[0] for pair in self._window]
        temperatures = [pair[1] for pair in self._window]
        return max(raws) - min(raws), max(temperatures) - min(temperatures)

    def _restless(self) -> str:
        if len(self._window) < STEADY_COUNT:
            return "only %d readings in %d minutes" % (len(self._window), SETTLE_MS // 60_000)
        spread, drift = self._spread()
        text = "not steady in %d minutes: the last readings spread by %s and %.1f degrees, expected %s and %.1f"
        return text % (SETTLE_MS // 60_000, self._shown(spread), drift, self._shown(self.kind.steady), STEADY_CELSIUS)
