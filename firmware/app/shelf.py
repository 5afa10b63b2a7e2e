"""The flash side of the outbox, a bounded shelf of files: what has no room is dropped, oldest readings first, and declared."""

from app import files, losses, record
from app.log import Trouble, log
from app.losses import Losses, between
from app.segments import BLOCK, BOOT, COUNT, FIRST, LANE, LAST, NUMBER, SIZE, Segments, cost

EVENT, LOSS, DATA = 0, 1, 2

_NO_SPACE = 28
# So many single events are gathered into one file: a folder of hundreds would be slow.
_LOOSE = 16
_LOOSE_BLOCKS = 4


class Shelf:
    """
    Args:
        root: folder of the outbox alone.
        capacity: bytes of flash it may fill.
        counters: dict; counts `dropped` and `declared`.
        receipts: `Receipts`.
        stage: the Stage of the present boot, whose next seq a declaration takes.
    """

    def __init__(self, root: str, capacity: int, counters: dict, receipts, stage) -> None:
        self._flash = Trouble("flash")
        listing = []
        try:
            files.makedirs(root)
            files.sweep(root)
            listing = files.listing(root)
        except OSError as error:
            # A start that fails helps nobody: without flash an SOS still goes by RTC memory and the network.
            self._flash.set(str(error))
        names = [(fields, size) for fields, size in [(_fields(name), size) for name, size in listing] if fields]
        self.segments = Segments(root, names, (EVENT, DATA))
        self.losses = Losses(root, names)
        self.stage = stage
        self._number = max([fields[NUMBER] for fields, _ in names] + [0])
        self._capacity = capacity
        self._counters = counters
        self._receipts = receipts
        self._partly = {}  # number of a file of which some is receipted -> (how many are left, lowest of them)
        self._undeclared = []  # (boot, first, last) while the flash cannot be written
        self._full = Trouble("outbox")

    def left(self, entry) -> tuple:
        """(how many, lowest seq) of a file's records that are not receipted."""
        return self._partly.get(entry[NUMBER], (entry[COUNT], entry[FIRST]))

    def read(self, entry) -> bytes | None:
        """The packed records of a file. A damaged one is given up and declared: None."""
        data = self.segments.read(entry)
        if data is None:
            log("error", "damaged: " + self.segments.path(entry))
            self._drop(entry)
        return data

    def seqs(self, entry) -> list:
        """Those of a file's records; [] when it is damaged."""
        if entry[COUNT] == 1:
            return [entry[FIRST]]
        return [found[1] for found in record.unpack(self.read(entry) or b"")]

    def remove(self, entry) -> None:
        """A file of which nothing is left to send."""
        self._partly.pop(entry[NUMBER], None)
        self.segments.remove(entry)
        self._full.set()

    def some_left(self, entry, seqs) -> None:
        """Of this file only these are left."""
        self._partly[entry[NUMBER]] = (len(seqs), seqs[0])

    # Writing

    def put(self, lane: int, stamp: tuple, body: bytes) -> bool:
        """One new record as a file of its own, under the stage's next seq; False when there is no room or the flash fails."""
        while True:
            # Made anew each time: making room takes seqs for declarations, and none may be skipped.
            seq = self.stage.next
            packed = record.pack((lane, seq, stamp, body))
            if self._fits(cost(len(packed) + 4)):
                if self._write(lane, self.stage.boot, seq, seq, 1, packed):
                    self.stage.next = seq + 1
                    return True
                if self._flash.now:
                    return False
            if not self._drop_oldest(lane):
                return False

    def store(self, lane: int, boot: int, records) -> bool:
        """Readings that have their seqs, in one file with the newest of that boot if both fit one block; False as above.

        An event comes alone and stays alone: later ones may be on flash, and a file that spans them would be taken for theirs.
        """
        packed, first, last, count = record.pack_all(records)
        while count:
            before = self.segments.newest(lane, boot) if lane == DATA else None
            if before is not None and before[SIZE] + len(packed) > BLOCK:
                before = None
            data = self.read(before) if before else b""
            if data is None:
                continue
            more = cost(len(data) + len(packed) + 4) - (cost(before[SIZE]) if before else 0)
            if self._fits(more):
                both = (before[FIRST], last, before[COUNT] + count) if before else (first, last, count)
                if self._write(lane, boot, both[0], both[1], both[2], data, packed):
                    if before:
                        self._recount([before])
                    return True
                if self._flash.now:
                    return False
            if not self._drop_oldest(lane):
                return False
        return True

    def gather(self) -> None:
        """Single events into one file, when they are many or take many blocks."""
        # By their seqs: one that the flash refused at first has a younger file than those after it.
        events = sorted([entry for entry in self.segments.of(EVENT) if entry[BOOT] == self.stage.boot], key=_first)
        loose = [entry for entry in events if entry[COUNT] == 1]
        if len(loose) < _LOOSE and sum([cost(entry[SIZE]) for entry in loose]) < _LOOSE_BLOCKS * BLOCK:
            return
        entries = []
        parts = []
        size = 4
        # The newest, without a gap: what lies within a wider file is taken for part of it.
        for entry in reversed(events):
            data = self.read(entry) if size + entry[SIZE] <= BLOCK else None
            if data is None:
                break
            size += len(data)
            entries.insert(0, entry)
            parts.insert(0, data)
        if len(entries) >= _LOOSE_BLOCKS:
            count = sum([entry[COUNT] for entry in entries])
            if self._write(EVENT, self.stage.boot, entries[0][FIRST], entries[-1][LAST], count, *parts):
                self._recount(entries)

    def _fits(self, more: int) -> bool:
        return self.segments.used + more <= self._capacity

    def _write(self, lane: int, boot: int, first: int, last: int, count: int, *parts) -> bool:
        """False when there is no space, and when the flash fails: then `_flash` says so."""
        try:
            self.segments.write(self._number + 1, lane, boot, first, last, count, *parts)
        except OSError as error:
            self._flash.set("" if error.args[0] == _NO_SPACE else str(error))
            return False
        self._flash.set()
        self._number += 1
        return True

    def _recount(self, replaced) -> None:
        """What was receipted of some files is so in the wider one that took their place, the newest."""
        if [old for old in replaced if self._partly.pop(old[NUMBER], None)]:
            entry = self.segments.entries[-1]
            self.some_left(entry, [seq for seq in self.seqs(entry) if not self._receipts.has(entry[BOOT], seq)])

    # Dropping and declaring

    def declare(self, boot: int, first: int, last: int) -> None:
        """Each of first..last is gone."""
        before = self._undeclared[-1] if self._undeclared else (0, 0, 0)
        if before[0] == boot and before[2] + 1 == first:
            self._undeclared[-1] = (boot, before[1], last)
        else:
            self._undeclared.append((boot, first, last))
        self.declare_the_rest()

    def declare_the_rest(self) -> bool:
        """Write down what could not be so far; False when that still fails."""
        while self._undeclared:
            boot, first, last = self._undeclared[0]
            try:
                self._declare(boot, first, last, last - first + 1, None)
            except OSError as error:
                if error.args[0] == _NO_SPACE and self._drop_oldest(DATA):
                    continue
                self._flash.set(str(error))
                return False
            del self._undeclared[0]
        return True

    def held(self, boot: int, first: int, last: int, but=None) -> list:
        """Ranges of the records that are held of first..last of a boot; `but`: an entry that does not count.

        Declarations are not among them, and a new one may name an older one, which goes out first and is there by then.
        Else each would cut a range in two, and they would double whenever the readings around them are dropped.
        """
        found = []
        for entry in list(self.segments.entries):
            if entry[BOOT] == boot and entry is not but and entry[FIRST] <= last and first <= entry[LAST]:
                if entry[LANE] == EVENT:
                    found += [(seq, seq) for seq in self.seqs(entry)]
                else:
                    found.append((entry[FIRST], entry[LAST]))
        if self.stage.boot == boot:
            found += [(staged[1], staged[1]) for staged in self.stage.records()]
        return [(a, b) for a, b in found if a <= last and first <= b]

    def _drop_oldest(self, lane: int) -> bool:
        """Make room for `lane`: readings go first, events only for events."""
        for victims in (DATA, EVENT)[: 2 if lane == EVENT else 1]:
            for entry in self.segments.of(victims):
                self._full.set("full, the oldest goes")
                self._counters["dropped"] += self.left(entry)[0]
                return self._drop(entry)
        return False

    def _drop(self, entry) -> bool:
        """Declare what is left of a file and let it go; False when the flash fails, and it stays."""
        boot = entry[BOOT]
        left, lowest = self.left(entry)
        if entry[LANE] == DATA:
            ranges = between(lowest, entry[LAST], self.held(boot, lowest, entry[LAST], entry))
        else:
            data = self.segments.read(entry) if entry[COUNT] > 1 else None
            found = [r[1] for r in record.unpack(data or b"") if not self._receipts.has(boot, r[1])]
            ranges = _runs(found) if found else [(lowest, entry[LAST])]
        # On a flash too full for one more empty file one declaration names it all: what is held yet and comes is taken.
        whole = [(ranges[0][0], ranges[-1][1])]
        if not self._declare_ranges(entry, ranges, left) and not self._declare_ranges(entry, whole, 0):
            return False
        if entry in self.segments.entries:
            self.segments.remove(entry)
        self._partly.pop(entry[NUMBER], None)
        return True

    def _declare_ranges(self, entry, ranges, left: int) -> bool:
        sizes = [last - first + 1 - self.losses.own(entry[BOOT], first, last) for first, last in ranges]
        try:
            for number, (first, last) in enumerate(ranges):
                how_many = sizes[number] if sum(sizes) == left else left if len(ranges) == 1 else 0
                self._declare(entry[BOOT], first, last, how_many, entry if number == len(ranges) - 1 else None)
        except OSError as error:
            self._flash.set(str(error))
            return False
        return True

    def _declare(self, boot: int, first: int, last: int, how_many: int, entry) -> None:
        """One declaration; `entry`: a file that may become it. Raises OSError."""
        if not self.losses.grow(boot, first, last, how_many, self.held):
            stage = self.stage
            loss = (self._number + 1, LOSS, stage.boot, stage.next, boot, first, last, how_many)
            if entry is not None:
                self.segments.become(entry, losses.name(loss))
            self.losses.add(loss, entry is not None)
            self._number += 1
            stage.next += 1
        self._counters["declared"] += how_many


def _first(entry) -> int:
    return entry[FIRST]


def _fields(name: str):
    """The numbers in the name of a file; None when it is not one of ours."""
    try:
        return [int(part, 16) for part in name.split("-")]
    except ValueError:
        return None


def _runs(seqs) -> list:
    """(first, last) of neighbours."""
    found = []
    for seq in seqs:
        if found and found[-1][1] + 1 == seq:
            found[-1] = (found[-1][0], seq)
        else:
            found.append((seq, seq))
    return found
