"""Declarations of what had to be dropped: empty files whose names say everything.

`<number>-1-<boot>-<seq>-<boot it was lost of>-<first>-<last>-<how many, 0: unknown>`, all in hex. So data becomes its own
declaration by a rename: that needs no space on a full flash, and no power cut finds the one gone and the other missing.
"""

import os

from app import files
from app.log import log

NUMBER, LANE, BOOT, SEQ, LOST_BOOT, FIRST, LAST, HOW_MANY = range(8)
_LOSS = 1
# A declaration needs no time; always the same one makes always the same bytes.
STAMP = (0, 0, "none", -1)
# So many go out before the first of them is receipted. Those behind are not known to anybody and can still grow.
SENT = 32
# Each names a boot of its own, or follows a reset: the gateway itself remembers 64 boots.
MOST = 128


class Losses:
    """Arguments as of `segments.Segments`."""

    def __init__(self, root: str, names) -> None:
        self._root = root
        self.entries = []  # oldest first
        self._growing = None  # the newest, while nobody has seen it
        for fields, size in sorted(names):
            if len(fields) == 8 and fields[LANE] == _LOSS:
                self.entries.append(tuple(fields))
                if size:
                    files.empty(self._path(self.entries[-1]))

    def _path(self, entry) -> str:
        return self._root + "/" + name(entry)

    def add(self, entry, exists: bool) -> None:
        """One more; the file is there already, or is made. Raises OSError when it cannot be."""
        if not exists:
            files.empty(self._path(entry))
        self.entries.append(entry)
        self._growing = entry
        if len(self.entries) > MOST:
            log("error", "forgotten declaration: " + name(self.entries[0]))
            self.remove(self.entries[0])

    def grow(self, boot: int, first: int, last: int, how_many: int, held) -> bool:
        """Let the newest declaration name these too; False when they are not next to what it names, or it is known already.

        Args:
            held: function(boot, first, last) -> the ranges that are still held.
        """
        old = self._growing
        if old is None or old[LOST_BOOT] != boot or old[LAST] >= first or (old[BOOT] == boot and last >= old[SEQ]):
            return False
        if held(boot, old[LAST] + 1, first - 1):
            return False
        both = old[HOW_MANY] + how_many if old[HOW_MANY] and how_many else 0
        new = old[:LAST] + (last, both)
        os.rename(self._path(old), self._path(new))
        self.entries[self.entries.index(old)] = self._growing = new
        return True

    def remove(self, entry) -> None:
        self.entries.remove(entry)
        if entry is self._growing:
            self._growing = None
        files.remove(self._path(entry))

    def sending(self) -> list:
        """Those that may go out now. A caller who shows one says so with `seen`."""
        return self.entries[:SENT]

    def seen(self, entry) -> None:
        """It has been shown, and names what it names for ever."""
        if entry is self._growing:
            self._growing = None

    def own(self, boot: int, first: int, last: int) -> int:
        """How many of these seqs are declarations."""
        return len([1 for entry in self.entries if entry[BOOT] == boot and first <= entry[SEQ] <= last])

    def named(self, boot: int) -> list:
        """The (first, last) of `boot` that are declared."""
        return [(entry[FIRST], entry[LAST]) for entry in self.entries if entry[LOST_BOOT] == boot]


def name(entry) -> str:
    return "-".join(["%x" % field for field in entry])


def between(first: int, last: int, held) -> list:
    """The ranges within first..last that none of the ranges `held` touches."""
    found = []
    for a, b in sorted(held):
        if b < first:
            continue
        if a > last:
            break
        if a > first:
            found.append((first, a - 1))
        first = b + 1
    if first <= last:
        found.append((first, last))
    return found
