"""The zero of a scale, kept over power cuts: its code, and the name of the tare it comes from."""

import json

from app import files
from app.log import log

_KEEP_MS = 3_600_000  # what it moved by itself is written at most so often: flash wears


class Zero:
    """
    Args:
        path: on flash.
    Attributes:
        code: None: never set.  name: id of the last tare, "" before the first.
    """

    def __init__(self, device, path: str) -> None:
        self._device = device
        self._path = path
        self.name, self.code = "", None
        self._kept_ms = 0
        try:
            self.name, self.code = json.loads(files.read(path) or b'["",null]')
        except (ValueError, TypeError):
            log("error", "the scale's zero is damaged; the first calm reading is taken for it")

    def set(self, code: float, who: str) -> None:
        """A tare: told, and kept if the flash takes it."""
        device = self._device
        up_ms, unix_ms, clk, _ = device.clock.stamp()
        name = "t%d-%d" % (device.outbox.boot, up_ms // 1000)
        made = {"id": name, "what": "tare", "who": who, "zero": round(code), "was": self.code, "clk": clk}
        made.update({"up": up_ms // 1000, "time": unix_ms // 1000})
        self.name = name
        self.keep(code)
        device.reading([("calibration", json.dumps(made))])

    def follow(self, code: float, enough: float) -> None:
        """It moved by itself to this; written once it is `enough`, and not often."""
        moved = self.code is not None and abs(code - self.code) >= enough
        if moved and self._device.clock.uptime_ms() - self._kept_ms >= _KEEP_MS:
            self.keep(code)

    def keep(self, code) -> None:
        """Write it, if it differs."""
        if code is None or round(code) == self.code:
            return
        self.code = round(code)
        self._kept_ms = self._device.clock.uptime_ms()
        try:
            files.write(self._path, json.dumps([self.name, self.code]).encode())
        except OSError as error:
            log("error", "the scale's zero is not kept: %s" % error)
