"""Which messages of a boot were taken: duplicates, conflicts, gaps, and the contiguous number that a receipt may name."""

import struct
from bisect import bisect_right
from enum import Enum
from typing import Final

import msgspec

# Checksums of the last messages, by seq modulo this number, so that a repeat with other content is told from a true repeat.
WINDOW: Final = 64
_SLOT: Final = struct.Struct("<II")
_EMPTY: Final = bytes(_SLOT.size * WINDOW)
# A gap costs two integers. A device that leaves more holes than this is broken or hostile; its message is refused.
MAX_RANGES: Final = 4096
# Ranges closed without being taken, so that one that comes after all is told from a repeat.
MAX_ABSENT: Final = 256


class Verdict(Enum):
    """What a message's identity says."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # same identity, other content
    TOO_MANY_GAPS = "too_many_gaps"


_NEW: Final = Verdict.NEW  # looked up once: Python 3.11 calls a function for each member of an enum


class Boot(msgspec.Struct, array_like=True):
    """The messages of one boot of one device. Stored inside the device's state; fields may only be added at the end.

    Attributes:
        boot: the device's number for this boot.
        upto: every seq <= upto is held here, refused or closed.
        ahead: sorted, disjoint [first, last] ranges above upto + 1 that are held or closed.
        lost: seqs closed because the device declared them lost.
        forgiven: seqs closed because the device no longer holds them and this gateway never saw them.
        recent: (seq, crc32) of the last messages, slot = seq % WINDOW.
        first_ns, last_ns: first and last trusted measurement time, to notice two devices with one name; 0: none yet.
        offset_ns: UTC minus uptime, from a trusted pair; None until there is one.
        absent: [first, last] ranges among those that were closed and never taken, the latest closed last.
        arrival_ns: the smallest (receipt - uptime) seen, the best guess of the offset without a pair.
    """

    boot: int
    upto: int = 0
    ahead: list[list[int]] = []
    lost: int = 0
    forgiven: int = 0
    recent: bytearray = bytearray()
    first_ns: int = 0
    last_ns: int = 0
    offset_ns: int | None = None
    arrival_ns: int | None = None
    absent: list[list[int]] = []

    def take(self, seq: int, crc: int) -> Verdict:
        """Note message `seq` (>= 1) whose payload has this CRC-32. Only NEW changes anything."""
        if seq == self.upto + 1 and not self.ahead:
            self.upto = seq
        elif self.holds(seq):
            if not self._reopen(seq):
                return self._repeat(seq, crc)
        elif not self._close(seq, seq):
            return Verdict.TOO_MANY_GAPS
        recent = self.recent
        if not recent:
            recent = self.recent = bytearray(_EMPTY)
        _SLOT.pack_into(recent, (seq % WINDOW) * 8, seq, crc)
        return _NEW

    def holds(self, seq: int) -> bool:
        """Whether `seq` was taken or closed."""
        if seq <= self.upto:
            return True
        at = bisect_right(self.ahead, [seq, 1 << 63])
        return at > 0 and self.ahead[at - 1][1] >= seq

    def close(self, first: int, last: int) -> int:
        """Close the seqs first..last that were never taken; return how many (0 also when there are too many gaps)."""
        ranges = self.missing(first, last)
        if not ranges or not self._close(first, last):
            return 0
        self.absent = [*self.absent, *map(list, ranges)][-MAX_ABSENT:]
        return sum(b - a + 1 for a, b in ranges)

    def missing(self, first: int, last: int) -> list[tuple[int, int]]:
        """The ranges inside first..last that were neither taken nor closed."""
        found = []
        at = max(first, self.upto + 1)
        for a, b in self.ahead:
            if b < at:
                continue
            if a > last:
                break
            if a > at:
                found.append((at, a - 1))
            at = b + 1
        if at <= last:
            found.append((at, last))
        return found

    def gaps(self) -> list[tuple[int, int]]:
        """The ranges below the highest seq seen that are still missing."""
        return self.missing(1, self.ahead[-1][1]) if self.ahead else []

    def highest(self) -> int:
        """The highest seq taken or closed; 0: none."""
        return self.ahead[-1][1] if self.ahead else self.upto

    def settle(self) -> None:
        """Give up the checksums of a boot that is over; repeats are then only counted, not compared."""
        self.recent = bytearray()

    def _reopen(self, seq: int) -> bool:
        """Whether `seq` was closed and never taken: said to be lost, it came after all."""
        for at, (first, last) in enumerate(self.absent):
            if first <= seq <= last:
                self.absent[at : at + 1] = [[a, b] for a, b in ((first, seq - 1), (seq + 1, last)) if a <= b]
                if self.lost:
                    self.lost -= 1
                elif self.forgiven:
                    self.forgiven -= 1
                return True
        return False

    def _repeat(self, seq: int, crc: int) -> Verdict:
        if self.recent:
            known, known_crc = _SLOT.unpack_from(self.recent, (seq % WINDOW) * 8)
            if known == seq and known_crc != crc:
                return Verdict.CONFLICT
        return Verdict.DUPLICATE

    def _close(self, first: int, last: int) -> bool:
        ranges = self.ahead
        at = bisect_right(ranges, [first, 1 << 63])
        low = at - 1 if at > 0 and ranges[at - 1][1] >= first - 1 else at
        high = low
        while high < len(ranges) and ranges[high][0] <= last + 1:
            first, last = min(first, ranges[high][0]), max(last, ranges[high][1])
            high += 1
        if low == high and len(ranges) >= MAX_RANGES and first > self.upto + 1:
            return False
        ranges[low:high] = [[first, last]]
        if ranges[0][0] <= self.upto + 1:
            self.upto = max(self.upto, ranges.pop(0)[1])
        return True
