"""What calibrations there are: a history in flash that is only added to, and the fit that counts.

A calibration is a dict, also the text of its report:
    {"id", "what", "probe", "who", "lot", "points": [[standard, raw, Celsius], ...], "fit": [...], "verdict": "accepted" or
     "refused", "why", "up", "time", "clk"}
`raw` is what the sensor gave, so every fit can be calculated again. Before the first one the fit is ideal and its id `factory`.
"""

import json

from app import files
from app.log import log

KEPT = 8  # of one quantity, in flash; the gateway has them all
FACTORY = "factory"
ACCEPTED, REFUSED = "accepted", "refused"
# What can be calibrated -> the fit of an ideal probe.
IDEAL = {
    "ph": [0.0, 100.0, 100.0],  # mV at pH 7, slope below and above in percent of Nernst
    "dissolved_oxygen": [100.0],  # percent
    "conductivity": [100.0],
    "turbidity": [100.0],
    "water_level": [0.0],  # height of the transducer above the gauge's zero, m; 0: not known
}


class Calibrations:
    """All calibrations of a device.

    Args:
        folder: on flash.
        ideal: what can be calibrated -> the fit before the first calibration.
    """

    def __init__(self, folder: str, ideal: dict = IDEAL):
        self._folder = folder
        self._ideal = ideal
        self._current: dict = {}
        files.makedirs(folder)
        files.sweep(folder)

    def current(self, what: str) -> tuple:
        """(id, fit) of the newest accepted one."""
        if what not in self._current:
            good = [made for made in self.history(what) if made["verdict"] == ACCEPTED]
            self._current[what] = (good[-1]["id"], good[-1]["fit"]) if good else (FACTORY, self._ideal[what])
        return self._current[what]

    def history(self, what: str) -> list:
        """Oldest first."""
        kept = files.read(self._folder + "/" + what)
        try:
            return json.loads(kept) if kept else []
        except ValueError:
            log("error", "calibrations of %s are damaged; the factory's are used" % what)
            return []

    def add(self, made: dict) -> None:
        """Keep it; if it was accepted it counts from now on. Raises OSError when the flash does not take it."""
        kept = self.history(made["what"]) + [made]
        # A refused one may go, the one in use may not.
        while len(kept) > KEPT:
            kept.remove(next((old for old in kept[:-1] if old["verdict"] == REFUSED), kept[0]))
        files.write(self._folder + "/" + made["what"], json.dumps(kept).encode())
        self._current.pop(made["what"], None)
