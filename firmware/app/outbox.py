"""What the device has to tell and the gateway has not yet receipted: nothing leaves it in silence.

A reading waits in RTC memory (`stage`) until the gateway's receipt frees it or the stage is full; then the stage becomes a file
on flash (`shelf`). An event is on flash before `put` returns. What is lost all the same (the stage at a power cut, the oldest
readings of a full flash) is declared, exactly, with the help of NVS (`book`). docs/firmware/storage.md has the whole.
"""

from app import losses, message, record
from app.book import Book
from app.log import log
from app.losses import between
from app.receipts import Receipts
from app.segments import BOOT, COUNT, FIRST, LANE, LAST, NUMBER
from app.shelf import DATA, EVENT, LOSS, Shelf
from app.stage import Stage

# A message may have 64 KiB; the heap of a device says less.
LONGEST = 16384
_BOOTS = 256  # in a birth
_COUNTERS = ("generated", "receipted", "rejected", "dropped", "lost", "declared", "carried")


class Outbox:
    """
    Args:
        root: folder on flash, of the outbox alone.
        rtc: `rtc_memory.Region` of about 1.8 KB.
        nvs: `esp32.NVS` or the like.
        continued: the device woke from a deep sleep that it had planned.
        capacity: bytes of flash it may fill.

    Attributes:
        boot: the boot it is in.
        continued: it really is the boot of before the sleep; False also when the RTC memory did not survive.
        on_flash: what was put last is on flash; an event that is not waits in RTC memory, where a power cut takes it.
        counters: records since the start. `dropped`: had no room. `lost`: were in RTC memory alone when the power went.
            `declared`: of both, as far as their number is known. `carried`: of the boot before, out of RTC memory.
    """

    def __init__(self, root: str, rtc, nvs, continued: bool, capacity: int = 262144) -> None:
        self.counters = dict.fromkeys(_COUNTERS, 0)
        self._receipts = Receipts()
        self._book = Book(nvs)
        past = Stage(rtc)
        self.continued = continued and past.valid and self._book.boot in (None, past.boot)
        self._stage = past if self.continued else Stage(rtc)
        self._shelf = Shelf(root, capacity, self.counters, self._receipts, self._stage)
        self.boot = past.boot
        self.on_flash = False
        if not self.continued:
            self.boot = self._book.start(self._boots() + [past.boot])
            self._stage.begin(self.boot)
            self._declare_lost(past)
            self._carry(past)
            self._book.open(self.boot)
        self._stage.save()

    def put(self, lane: int, stamp: tuple, body: bytes) -> int:
        """Take one record; its seq. An EVENT is on flash when this returns, DATA in RTC memory.

        A full or broken flash raises nothing: an event then waits in RTC memory too (`on_flash`), what has no room is declared.

        Args:
            stamp: of `Clock.stamp`.
            body: of `message.body`. Raises ValueError when it is longer than LONGEST.
        """
        if len(body) > LONGEST:
            raise ValueError("a record of %d bytes; at most %d" % (len(body), LONGEST))
        self.counters["generated"] += 1
        self.on_flash = lane == EVENT and self._shelf.put(EVENT, stamp, body)
        if not self.on_flash:
            self._put_in_stage(lane, stamp, body)
        seq = self._stage.next - 1
        self._stage.save()
        if lane == EVENT:
            self._shelf.gather()
        return seq

    def batch(self, limit: int, skip) -> list:
        """Up to `limit` of `(lane, boot, seq, message)` in the order in which they go out.

        Args:
            skip: set or dict of the (boot, seq) that are on their way.
        """
        found = []
        for lane in (EVENT, LOSS, DATA):
            if len(found) >= limit:
                break
            for boot, seq, stamp, body in self._waiting_losses() if lane == LOSS else self._waiting(lane, skip):
                if (boot, seq) not in skip and not self._receipts.has(boot, seq):
                    found.append((lane, boot, seq, message.head(boot, seq, stamp) + body))
                    if len(found) >= limit:
                        break
        self._stage.save()
        return found

    def receipt(self, boot: int, upto: int, events, rejected) -> list:
        """Free what the gateway has; the EVENT records among them as `(boot, seq, rejected)`."""
        rejected = set(rejected)
        named = set(events) | rejected
        if boot == self.boot:
            # A number that is not used yet cannot be on anybody's disk.
            upto = min(upto, self._stage.next - 1)
            named = {seq for seq in named if seq < self._stage.next}
            # Before anything is let go, or a power cut in between would declare it lost.
            self._book.settled(upto)
            self._book.receipted([seq for seq in named if seq > upto])
        freed = self._free_on_flash(boot, upto, named, rejected)
        if boot == self.boot:
            freed += self._free_staged(upto, named, rejected)
        self._receipts.note(boot, upto, named)
        if boot != self.boot and boot not in self._boots():
            self._receipts.forget(boot)
        self._stage.save()
        return [(boot, seq, seq in rejected) for seq in freed]

    def oldest(self) -> list:
        """For the birth: (boot, lowest seq held) of each boot of which anything is held, oldest first, the present one last."""
        shelf = self._shelf
        held = [(entry[NUMBER], entry[BOOT], shelf.left(entry)[1]) for entry in shelf.segments.entries]
        held += [(entry[losses.NUMBER], entry[losses.BOOT], entry[losses.SEQ]) for entry in shelf.losses.entries]
        lowest = {}
        boots = []
        for _, boot, seq in sorted(held) + [(0, self.boot, staged[1]) for staged in self._stage.records()]:
            if boot not in lowest and boot != self.boot:
                boots.append(boot)
            lowest[boot] = min(seq, lowest.get(boot, seq))
        return [(boot, lowest[boot]) for boot in boots[1 - _BOOTS :]] + [(self.boot, lowest.get(self.boot, self._stage.next))]

    def flush(self) -> bool:
        """What is staged goes to flash: before an orderly reset, or when the battery runs low. False: some of it did not."""
        self._flush()
        self._stage.save()
        return not self._stage.count

    def depth(self) -> tuple:
        """How many (events, declarations, readings) are held."""
        held = [0, len(self._shelf.losses.entries), 0]
        for entry in self._shelf.segments.entries:
            held[entry[LANE]] += self._shelf.left(entry)[0]
        for staged in self._stage.records():
            held[staged[0]] += 1
        return tuple(held)

    def _boots(self) -> list:
        """Those of which flash holds something."""
        shelf = self._shelf
        return [entry[BOOT] for entry in shelf.segments.entries] + [entry[losses.BOOT] for entry in shelf.losses.entries]

    # The start

    def _declare_lost(self, past) -> None:
        """What the boot before had in RTC memory alone, and is not there any more."""
        boot, first, last = self._book.uncertain()
        newest = self._shelf.segments.newest(DATA, boot)
        if newest is not None:
            first = max(first, newest[LAST] + 1)
        if first > last:
            return
        known = self._shelf.held(boot, first, last) + self._shelf.losses.named(boot) + [(seq, seq) for seq in self._book.named]
        known += [(entry[losses.SEQ], entry[losses.SEQ]) for entry in self._shelf.losses.entries if entry[losses.BOOT] == boot]
        if past.boot == boot:
            known += [(staged[1], staged[1]) for staged in past.records()]
        for a, b in between(first, last, known):
            self.counters["lost"] += b - a + 1
            self._shelf.declare(boot, a, b)

    def _carry(self, past) -> None:
        """What an earlier boot left in RTC memory, to flash under its own number."""
        boot = past.boot
        newest = self._shelf.segments.newest(DATA, boot)
        safe = max(newest[LAST] if newest else 0, self._book.safe if self._book.whose == boot else 0)
        known = self._shelf.held(boot, safe + 1, past.next)
        waiting = [r for r in past.records() if r[1] > safe and not any(a <= r[1] <= b for a, b in known)]
        for lane, left in [(EVENT, [r]) for r in waiting if r[0] == EVENT] + [(DATA, [r for r in waiting if r[0] == DATA])]:
            if self._shelf.store(lane, boot, left):
                self.counters["carried"] += len(left)
                continue
            self.counters["lost"] += len(left)
            for staged in left:
                self._shelf.declare(boot, staged[1], staged[1])

    # Taking in

    def _put_in_stage(self, lane: int, stamp: tuple, body: bytes) -> None:
        stage = self._stage
        while not stage.append((lane, stage.next, stamp, body)):
            if self._flush():
                continue
            if not stage.count:
                self._put_large(lane, stamp, body)
                return
            self._shed()
        stage.next += 1
        # First the RTC memory, then NVS: what is cut off in between was never promised.
        stage.save()
        self._book.staged(stage.next - 1, self._receipts.upto(self.boot))

    def _put_large(self, lane: int, stamp: tuple, body: bytes) -> None:
        """A record for which the stage is too small: a file of its own, or it is lost."""
        if self._shelf.put(lane, stamp, body):
            return
        seq = self._stage.next
        self._stage.next += 1
        self._book.staged(seq, self._receipts.upto(self.boot))
        self.counters["dropped"] += 1
        self._shelf.declare(self.boot, seq, seq)

    def _flush(self) -> bool:
        """The stage to flash; False when it was empty or did not go."""
        stage = self._stage
        if not stage.count or not self._shelf.declare_the_rest():
            return False
        # One after the other: unpacked all at once they would take ten times the room of the stage.
        for seq in [staged[1] for staged in stage.records() if staged[0] == EVENT]:
            if not self._shelf.store(EVENT, self.boot, (staged for staged in stage.records() if staged[1] == seq)):
                return False
            stage.replace(staged for staged in stage.records() if staged[1] != seq)
        if not self._shelf.store(DATA, self.boot, (staged for staged in stage.records() if staged[0] == DATA)):
            return False
        stage.replace(())
        self._book.settled(stage.next - 1)
        return True

    def _shed(self) -> None:
        """Flash takes nothing: half of what is staged goes, the oldest readings first."""
        kept = list(self._stage.records())
        readings = [staged for staged in kept if staged[0] == DATA] or kept
        for staged in readings[: len(readings) // 2 + 1]:
            self.counters["dropped"] += 1
            self._shelf.declare(self.boot, staged[1], staged[1])
            kept.remove(staged)
        if not self._stage.replace(kept):
            log("error", "the stage did not shrink")
            for staged in kept:
                self.counters["dropped"] += 1
                self._shelf.declare(self.boot, staged[1], staged[1])
            self._stage.replace(())

    # Giving out

    def _waiting(self, lane: int, skip):
        """(boot, seq, stamp, body) of a lane, in order; one file is in memory at a time."""
        shelf = self._shelf
        for entry in shelf.segments.of(lane):
            if self._on_its_way(entry, skip):
                continue
            for _, seq, stamp, body in record.unpack(shelf.read(entry) or b""):
                yield entry[BOOT], seq, stamp, body
        for staged in self._stage.records():
            if staged[0] == lane:
                yield self.boot, staged[1], staged[2], staged[3]

    def _on_its_way(self, entry, skip) -> bool:
        """Whether a file need not be read, since all that is left of it is in `skip`; False when only reading it would tell."""
        boot = entry[BOOT]
        left, lowest = self._shelf.left(entry)
        mine = {seq for of, seq in skip if of == boot and lowest <= seq <= entry[LAST]}
        if len(mine) < left:
            return False
        if entry[LANE] == DATA:
            # Numbers are counted over all lanes, so some of these are not in this file.
            mine -= {loss[losses.SEQ] for loss in self._shelf.losses.entries if loss[losses.BOOT] == boot}
            for event in self._shelf.segments.of(EVENT):
                if event[BOOT] == boot and event[COUNT] == 1:
                    mine.discard(event[FIRST])
                elif event[BOOT] == boot and event[FIRST] <= entry[LAST] and lowest <= event[LAST]:
                    return False
        return len(mine) >= left

    def _waiting_losses(self):
        for entry in self._shelf.losses.sending():
            self._shelf.losses.seen(entry)
            _, _, boot, seq, lost_boot, first, last, how_many = entry
            yield boot, seq, losses.STAMP, message.loss_body(lost_boot, first, last, how_many)

    # Letting go

    def _free_on_flash(self, boot: int, upto: int, named, rejected) -> list:
        """Remove what is receipted; the seqs of the events among it."""
        shelf = self._shelf
        freed = []
        for entry in [entry for entry in shelf.segments.entries if entry[BOOT] == boot]:
            if entry[LANE] == DATA and entry[LAST] <= upto:
                left, lowest = shelf.left(entry)
                self._count(left, len([seq for seq in rejected if lowest <= seq <= entry[LAST]]))
                shelf.remove(entry)
            elif entry[FIRST] <= upto or any(entry[FIRST] <= seq <= entry[LAST] for seq in named):
                seqs = shelf.seqs(entry)
                if not seqs:
                    continue  # damaged, and given up
                held = [seq for seq in seqs if not self._receipts.has(boot, seq)]
                gone = [seq for seq in held if seq <= upto or seq in named]
                self._count(len(gone), len([seq for seq in gone if seq in rejected]))
                if entry[LANE] == EVENT:
                    freed += gone
                if len(gone) == len(held):
                    shelf.remove(entry)
                elif gone:
                    shelf.some_left(entry, [seq for seq in held if seq not in gone])
        for entry in [entry for entry in shelf.losses.entries if entry[losses.BOOT] == boot]:
            seq = entry[losses.SEQ]
            if seq <= upto or seq in named:
                shelf.losses.remove(entry)
        return freed

    def _free_staged(self, upto: int, named, rejected) -> list:
        gone = {staged[1]: staged[0] for staged in self._stage.records() if staged[1] <= upto or staged[1] in named}
        if not gone:
            return []
        if self._stage.replace(staged for staged in self._stage.records() if staged[1] not in gone):
            self._count(len(gone), len([seq for seq in gone if seq in rejected]))
        return [seq for seq in sorted(gone) if gone[seq] == EVENT]

    def _count(self, gone: int, rejected: int) -> None:
        self.counters["rejected"] += rejected
        self.counters["receipted"] += gone - rejected
