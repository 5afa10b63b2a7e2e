"""A guided calibration of a scale: nothing on it, then a known weight. A state machine, as `calibrating` is for probes.

empty --calm--> load --calm with about that weight--> accepted | refused
any --nobody does it, another command--> cancelled
"""

from app.calibrations import ACCEPTED, REFUSED

EMPTY, LOAD, CANCELLED = "empty", "load", "cancelled"
PERCENT = (80.0, 125.0)
STEP_MS = 120_000
_NEAR_EMPTY = 0.05  # part of the weight


class Session:
    """
    Args:
        grams: of the known weight.
    Attributes:
        state, say: what the person is to do, or what came of it.
        points: [grams, raw grams] so far.
        fit, why: once it is accepted or refused.
    """

    what = "mass"

    def __init__(self, grams: float, now_ms: int) -> None:
        self.grams = grams
        self.points: list = []
        self.fit: list | None = None
        self.why = ""
        self._enter(EMPTY, now_ms, "take everything off the scale")

    @property
    def done(self) -> bool:
        return self.state in (ACCEPTED, REFUSED, CANCELLED)

    def reading(self, raw, steady: bool, now_ms: int) -> None:
        """After each reading of the scale; `raw` in grams before calibration, None when it failed."""
        if self.done:
            return
        if now_ms - self._since > STEP_MS:
            self.cancel("not done within %d minutes: %s" % (STEP_MS // 60_000, self.say))
        elif raw is not None and steady and self.state == EMPTY and abs(raw) < self.grams * _NEAR_EMPTY:
            self.points.append([0, raw])
            self._enter(LOAD, now_ms, "put %.0f g on the scale" % self.grams)
        elif raw is not None and steady and self.state == LOAD and abs(raw - self.points[0][1]) > self.grams / 2:
            self.points.append([self.grams, raw])
            self._judge()

    def cancel(self, why: str) -> None:
        if not self.done:
            self._end(CANCELLED, why)

    def _judge(self) -> None:
        change = self.points[1][1] - self.points[0][1]
        percent = 100 * self.grams / change
        self.fit = [percent]
        low, high = PERCENT
        if change < 0:
            self._end(REFUSED, "the weight counts downwards: swap the cell's wires A+ and A-")
        elif not low <= percent <= high:
            text = "%.1f %% of what the cell's data say, expected %.0f to %.0f: is this %.0f g? Are cell_g and cell_mv_v right?"
            self._end(REFUSED, text % (percent, low, high, self.grams))
        else:
            self._end(ACCEPTED, "")

    def _enter(self, state: str, now_ms: int, text: str) -> None:
        self.state, self._since, self.say = state, now_ms, "mass: " + text

    def _end(self, state: str, why: str) -> None:
        self.state, self.why = state, why
        words = {ACCEPTED: "accepted", REFUSED: "refused, the old calibration stays: ", CANCELLED: "cancelled: "}
        self.say = "mass calibration %s%s" % (words[state], why)
