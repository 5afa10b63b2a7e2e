"""What holds data on a board, as fakes that lose power at any operation: RTC memory and NVS; `flash.py` has the flash.

Runs under MicroPython and CPython.
"""


class PowerCut(Exception):
    """Nothing works any more until the board starts anew. No OSError: no program can catch it and go on."""


class Supply:
    """Counts the operations of everything it feeds, and fails in the middle of one.

    Args:
        cut_at: number of the operation, from 1, that is cut off in the middle; 0: never.
    """

    def __init__(self, cut_at: int = 0) -> None:
        self.cut_at = cut_at
        self.operations = 0
        self.off = False

    def last(self) -> bool:
        """Begin an operation. True: it is the one to be torn; the caller tears it and then calls `cut`."""
        if self.off:
            raise PowerCut
        self.operations += 1
        return self.operations == self.cut_at

    def cut(self) -> None:
        self.off = True
        raise PowerCut

    def check(self) -> None:
        """Something that leaves no trace, like a read."""
        if self.off:
            raise PowerCut


class RtcMemory:
    """`machine.RTC().memory`. A write that is cut off leaves the first half of the new content before the second of the old."""

    def __init__(self, supply=None) -> None:
        self.supply = supply or Supply()
        self.content = b""

    def __call__(self, data=None):
        if data is None:
            self.supply.check()
            return self.content
        if self.supply.last():
            half = len(data) // 2
            self.content = bytes(data[:half]) + self.content[half:]
            self.supply.cut()
        self.content = bytes(data)
        return None


class Nvs:
    """`esp32.NVS`. An entry is old or new, never torn; `commit` writes several one by one: a cut may come between.

    Attributes:
        entries: how many of 32 bytes were written; 126 fill a page, which is erased for the next.
    """

    PAGE = 126

    def __init__(self, supply=None) -> None:
        self.supply = supply or Supply()
        self.stored = {}
        self.entries = 0
        self._waiting = []

    def set_i32(self, key, value):
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError(value)
        self._waiting.append((key, value))

    def set_blob(self, key, value):
        self._waiting.append((key, bytes(value)))

    def get_i32(self, key):
        return self._get(key, int)

    def get_blob(self, key, buffer):
        value = self._get(key, bytes)
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        self._waiting.append((key, None))

    def commit(self):
        waiting, self._waiting = self._waiting, []
        for key, value in waiting:
            if self.supply.last():
                # Half of the cuts find it written.
                if self.supply.operations % 2:
                    self._write(key, value)
                self.supply.cut()
            self._write(key, value)

    def erases(self) -> float:
        """Pages that had to be erased for this."""
        return self.entries / self.PAGE

    def _write(self, key, value) -> None:
        self.stored[key] = value
        # A blob has an entry of its own, its head, and its bytes.
        self.entries += 2 + -(-len(value) // 32) if isinstance(value, bytes) else 1

    def _get(self, key, kind):
        self.supply.check()
        value = self.stored.get(key)
        if not isinstance(value, kind):
            raise OSError(-4354, "ESP_ERR_NVS_NOT_FOUND")
        return value
