"""Records on flash: immutable files of one boot and one lane, whose names say what they hold.

`<number>-<lane>-<boot>-<first seq>-<last seq>-<count>`, all in hex; numbers rise with age. A file is never changed: a wider one
is written beside it, and what lies within the wider is then removed, at once or, after a power cut, at the next start.
"""

import os

from app import files

# As tuples, to be small in memory: of 256 KiB full of readings there are 64.
NUMBER, LANE, BOOT, FIRST, LAST, COUNT, SIZE = range(7)

BLOCK = 4096
_INLINE = 128  # littlefs keeps smaller files within the folder, as MicroPython mounts it
_INLINE_COST = 256


def cost(size: int) -> int:
    """Bytes of flash that a file of `size` bytes takes."""
    return _INLINE_COST if size <= _INLINE else -(-size // BLOCK) * BLOCK


class Segments:
    """
    Args:
        root: the folder.
        names: (name split at "-", as numbers; size) of the files in it.
        lanes: those of which the names are.
    """

    def __init__(self, root: str, names, lanes) -> None:
        self._root = root
        self.entries = []  # oldest first
        self.used = 0
        for fields, size in sorted(names):
            if len(fields) == 6 and fields[LANE] in lanes:
                self._add(tuple(fields) + (size,))

    def _add(self, entry) -> None:
        self.entries.append(entry)
        self.used += cost(entry[SIZE])
        for other in [e for e in self.entries if e is not entry and _within(e, entry)]:
            self.remove(other)

    def path(self, entry) -> str:
        return self._root + "/" + "-".join(["%x" % field for field in entry[:SIZE]])

    def write(self, number: int, lane: int, boot: int, first: int, last: int, count: int, *parts) -> None:
        """Write a new file. It is there, whole, when this returns; those within it are gone. Raises OSError."""
        size = 4 + sum([len(part) for part in parts])
        entry = (number, lane, boot, first, last, count, size)
        files.write(self.path(entry), *parts)
        self._add(entry)

    def read(self, entry) -> bytes | None:
        """The packed records; None when the file is damaged."""
        path = self.path(entry)
        # A second time before it is given up for lost.
        return files.read(path) or files.read(path)

    def remove(self, entry) -> None:
        """The file goes, or has gone."""
        self.forget(entry)
        files.remove(self.path(entry))

    def forget(self, entry) -> None:
        """The file has gone."""
        self.entries.remove(entry)
        self.used -= cost(entry[SIZE])

    def become(self, entry, name: str) -> None:
        """The file goes on as one with another name and without content. Raises OSError; then it is as it was."""
        os.rename(self.path(entry), self._root + "/" + name)
        self.forget(entry)
        try:
            files.empty(self._root + "/" + name)
        except OSError:
            pass  # its content is of no account, and goes at the next start

    def of(self, lane: int) -> list:
        return [entry for entry in self.entries if entry[LANE] == lane]

    def newest(self, lane: int, boot: int):
        """The newest file of a boot, or None."""
        found = [entry for entry in self.entries if entry[LANE] == lane and entry[BOOT] == boot]
        return found[-1] if found else None


def _within(small, wide) -> bool:
    same = small[LANE] == wide[LANE] and small[BOOT] == wide[BOOT]
    return same and wide[FIRST] <= small[FIRST] and small[LAST] <= wide[LAST]
