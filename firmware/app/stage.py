"""The newest records, gathered in RTC memory until they fill a piece of flash."""

import struct

from app import record

_HEAD = "<II"  # boot, next seq
_HEAD_SIZE = 8
# Readings that differ little take 10 bytes each, but 200 once they are unpacked: 180 of them were more than a device's heap.
MOST = 96


class Stage:
    """
    Args:
        region: `rtc_memory.Region`. What it holds is read once; nothing is written before `save`.

    Attributes:
        valid: the region held a stage that was whole.
        boot: whose records these are.
        next: the seq that boot uses next, so that it can go on after a planned deep sleep.
        count: how many records.
    """

    def __init__(self, region) -> None:
        self._region = region
        kept = region.load()
        self.valid = kept is not None and len(kept) >= _HEAD_SIZE
        self.boot, self.next = struct.unpack_from(_HEAD, kept) if self.valid else (0, 1)
        self._data = bytearray(kept[_HEAD_SIZE:] if self.valid else b"")
        self._last = None
        self._saved_next = self.next  # None: the records are others than in the region
        self.count = 0
        for staged in self.records():
            self._last = staged
            self.count += 1

    def begin(self, boot: int) -> None:
        """Empty, for the records of `boot`."""
        self.boot = boot
        self.next = 1
        self.replace(())

    def append(self, new) -> bool:
        """Take one more record; False when it has no room."""
        if self.count >= MOST:
            return False
        packed = record.pack(new, self._last)
        if _HEAD_SIZE + len(self._data) + len(packed) > self._region.room:
            return False
        self._data.extend(packed)
        self._last = new
        self._saved_next = None
        self.count += 1
        return True

    def replace(self, records) -> bool:
        """Hold these instead: some of those that were held, in the same order. False: as before, for they have no room.

        That can happen only to a full stage that loses one from its middle, from which the next differed less.
        """
        packed = bytearray()
        last = None
        count = 0
        for staged in records:
            packed.extend(record.pack(staged, last))
            last = staged
            count += 1
        if _HEAD_SIZE + len(packed) > self._region.room:
            return False
        self._data = packed
        self._last = last
        self._saved_next = None
        self.count = count
        return True

    def save(self) -> None:
        """Write it to the region, if anything is different there."""
        if self._saved_next != self.next:
            self._region.store(struct.pack(_HEAD, self.boot, self.next) + self._data)
            self._saved_next = self.next

    def records(self):
        return record.unpack(self._data)
