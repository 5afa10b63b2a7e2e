"""What lies on a scale: from the codes of its converter to grams, to "a load is there, and nobody has taken it yet".

It knows no chip and no clock. `raw` is grams as the cell's data sheet has them, so that the calibration, a percentage, is the
only difference to the grams that are told.
"""

from app.sensors.base import median

_FULL_CODE = 8388608
_GAIN = 128
_GONE = 2  # readings in a row without a load
_BROKEN = 3  # readings in a row that failed
_PULL = 8  # part of a deviation by which the zero follows it, in each reading


class Window:
    """The last readings: their median, and whether they agree."""

    def __init__(self, size: int = 5) -> None:
        self._size = size
        self._codes = []

    def add(self, code: int) -> None:
        self._codes = self._codes[1 - self._size :] + [code]

    def clear(self) -> None:
        self._codes = []

    def median(self):
        """None: nothing was read yet."""
        return median(self._codes)

    def steady(self, most: float) -> bool:
        """It is full, and all but one reading differ by at most so much from the median; that one is not the newest."""
        if len(self._codes) < self._size:
            return False
        middle = self.median()
        away = [abs(code - middle) for code in self._codes]
        return away[-1] <= most and sorted(away)[-2] <= most


class Scale:
    """
    Args:
        section: cell_g, cell_mv_v (what the cell gives at its rated load, mV for each volt of supply), least_g, most_g,
            steady_g, track_g.
        zero: code of the empty scale; None: the first steady reading is taken for it.
        percent: of the calibration.
    Attributes:
        zero: follows slow changes while the scale is empty.
        per_g: counts for a gram, by the cell's data sheet.
        broken: there are no readings, so there is nothing to wait for.
        taken: the load that is there belongs to a tap already.
    """

    def __init__(self, section: dict, zero, percent: float = 100.0) -> None:
        self._section = section
        # The converter's full range is half the supply divided by the gain: the supply itself cancels out.
        self.per_g = section["cell_mv_v"] / 1000 * 2 * _GAIN * _FULL_CODE / section["cell_g"]
        self.percent = percent
        self.zero = zero
        self.taken = False
        self._window = Window()
        self._failures = 0
        self._gone = 0

    def sample(self, code) -> None:
        """One reading; None: there was none."""
        if code is None:
            self._failures += 1
            self._window.clear()
            return
        self._failures = 0
        self._window.add(code)
        if self.zero is None:
            if self.steady:
                self.zero = self._window.median()
            return
        self._gone = self._gone + 1 if self._grams(code) < self._section["least_g"] / 2 else 0
        if self._gone >= _GONE:
            self.taken = False
        self._track()

    @property
    def broken(self) -> bool:
        return self._failures >= _BROKEN

    @property
    def steady(self) -> bool:
        """The last readings agree."""
        return self._window.steady(self._section["steady_g"] * self.per_g * self.percent / 100)

    @property
    def raw(self):
        """Grams before calibration, by the median of the last readings; None: not known."""
        middle = self._window.median()
        return None if middle is None or self.zero is None else (middle - self.zero) / self.per_g

    @property
    def grams(self):
        """None: not known."""
        raw = self.raw
        return None if raw is None else raw * self.percent / 100

    @property
    def fresh(self) -> bool:
        """A load that is steady, within the range, and nobody's yet."""
        grams = self.grams
        if self.taken or grams is None or not self.steady:
            return False
        return self._section["least_g"] <= grams <= self._section["most_g"]

    def take(self) -> None:
        """The load that is there belongs to a tap from now on, until it is taken off."""
        self.taken = True
        self._gone = 0

    def tare(self) -> bool:
        """What lies on it now is zero from now on; False: it is not calm."""
        if not self.steady:
            return False
        self.zero = self._window.median()
        self.taken = False
        return True

    def _grams(self, code: int) -> float:
        return (code - self.zero) / self.per_g * self.percent / 100

    def _track(self) -> None:
        """Follow what changes slowly while it is empty: warmth, crumbs."""
        middle = self._window.median()
        if self.steady and abs(self._grams(middle)) <= self._section["track_g"]:
            self.zero += (middle - self.zero) / _PULL
