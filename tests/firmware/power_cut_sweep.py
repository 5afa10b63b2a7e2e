"""Run in MicroPython: a device lives through a long day on a flash that loses power at one operation after the other.

    micropython power_cut_sweep.py FIRST STEP KEEP SPACE

cuts at operation FIRST, FIRST + STEP, ... of the whole day, one day for each. STEP 0: FIRST days with a cut every now and then.
KEEP `kept`: the RTC memory survives, as in a watchdog reset; `lost`: it does not. SPACE `small`: the outbox may take little;
`none`: the flash itself has no space. Prints what it saw as JSON, or the first cut after which something was wrong.
"""

import gc
import hashlib
import json
import random
import sys

from app.outbox import DATA, EVENT, Outbox
from app.rtc_memory import Region
from gateway_ledger import Ledger
from sim import flash
from sim.power import Nvs, PowerCut, RtcMemory, Supply

AT = "/flash"
STAGE = (64, 1000)


class Board:
    """What survives a power cut, and the outbox on it."""

    def __init__(self, blocks, capacity):
        self.content = bytearray(blocks * flash.BLOCK)
        self.capacity = capacity
        self.nvs = {"boot": 16}  # not random, so that each day has the same operations
        self.rtc = b""
        self.outbox = None
        self.on_its_way = set()
        self.promised = []  # (lane, boot, seq, body) that `put` returned for
        self.counters = {}
        self.starts = 0

    def start(self, supply, continued=False):
        rtc, nvs = RtcMemory(supply), Nvs(supply)
        rtc.content, nvs.stored = self.rtc, self.nvs
        self.memory = rtc
        self.on_its_way = set()
        self.starts += 1
        flash.attach(flash.RamFlash(self.content, supply), AT)
        region = Region(rtc, *STAGE)
        whole = rtc.content and Region(lambda: rtc.content, *STAGE).load() is not None
        self.outbox = Outbox(AT + "/outbox", region, nvs, continued, self.capacity)
        if whole:
            assert self.outbox.counters["lost"] == 0, "lost what the RTC memory held"
        assert self.outbox.continued == bool(continued and whole)

    def stop(self, keep_rtc):
        if self.outbox is not None:
            for name, value in self.outbox.counters.items():
                self.counters[name] = self.counters.get(name, 0) + value
        self.outbox = None
        self.rtc = self.memory.content if keep_rtc else b""
        try:  # noqa: SIM105 - MicroPython has no contextlib
            flash.unmount(AT)
        except OSError:
            pass  # it was not mounted yet

    def put(self, lane, number):
        stamp = (1000 * number, 1780000000000 + 1000 * number, "ntp", number)
        noise = hashlib.sha256(b"%d" % number).digest()
        size = 8 + noise[0] % 24 if lane == EVENT else 1200 if number % 61 == 60 else 60 + noise[0] % 60
        body = b'"n":"text","vs":"%d %s"}]' % (number, (noise * (size // 32 + 1))[:size].hex().encode())
        seq = self.outbox.put(lane, stamp, body)
        self.promised.append((lane, self.outbox.boot, seq, body))

    def exchange(self, ledger, limit, receipts):
        """Send some; what the gateway answers arrives if `receipts` (1), in part (2), or not at all (0)."""
        sent = self.outbox.batch(limit, self.on_its_way)
        for lane, boot, seq, message in sent:
            ledger.take(lane, boot, seq, message)
            self.on_its_way.add((boot, seq))
        for number in {boot for _, boot, _, _ in sent} if receipts else ():
            mine = [(lane, seq) for lane, boot, seq, _ in sent if boot == number]
            answer = ledger.receipt(number, [s for lane, s in mine if lane == EVENT], [s for _, s in mine])
            if receipts == 2:
                answer = (number, max(0, answer[1] - 3), answer[2][:1], answer[3])
            self.outbox.receipt(*answer)
        if receipts:
            self.on_its_way = set()
        return len(sent)


def day():
    """What happens, step by step: (name, arguments)."""
    steps = [("begin",)]
    number = 0

    def put(count, event_every=9):
        nonlocal number
        for _ in range(count):
            number += 1
            steps.append(("put", EVENT if number % event_every == 0 else DATA, number))

    put(6)
    steps.append(("exchange", 8, 1))
    put(14)
    steps.append(("sleep",))
    put(5)
    steps.append(("exchange", 8, 2))
    steps.append(("exchange", 4, 0))
    steps.append(("watchdog",))
    put(12, 3)
    steps.append(("power",))
    put(4)
    steps.append(("exchange", 20, 2))
    put(20, 1)  # events are gathered into one file
    steps.append(("exchange", 6, 1))
    steps.append(("watchdog",))
    put(44)  # more than there is room for
    steps.append(("exchange", 8, 0))
    put(16)
    steps.append(("flush",))
    steps.append(("power",))
    put(3)
    steps.append(("exchange", 30, 1))
    steps.append(("sleep",))
    steps.append(("exchange", 30, 2))
    put(5)
    return steps


def step(board, ledger, supply, what):
    name = what[0]
    if name == "put":
        board.put(what[1], what[2])
    elif name == "exchange":
        board.exchange(ledger, what[1], what[2])
    elif name == "flush":
        board.outbox.flush()
    else:
        board.stop(name != "power")
        board.start(supply, name == "sleep")


def live(cuts, keep_rtc, blocks, capacity):
    """A day with cuts, each so many operations after the one before; the board, when everything has been sent and judged."""
    board = Board(blocks, capacity)
    ledger = Ledger(lambda lane, seq: lane == DATA and seq % 7 == 0)
    cuts = list(cuts)
    board.cuts = 0
    supply = Supply(cuts.pop(0) if cuts else 0)
    for what in STEPS:
        try:
            if board.outbox is None:
                board.memory = RtcMemory()
                board.memory.content = board.rtc
                board.start(supply)
            if what[0] != "begin":
                step(board, ledger, supply, what)
        except PowerCut:
            board.stop(keep_rtc)
            supply = Supply(cuts.pop(0) if cuts else 0)
            board.cuts += 1
    board.operations = supply.operations
    supply.cut_at = 0
    if board.outbox is None:
        board.start(supply)
    for _ in range(400):
        if not board.exchange(ledger, 16, 1):
            break
    judge(board, ledger)
    return board


def judge(board, ledger):
    outbox = board.outbox
    assert outbox.depth() == (0, 0, 0), ("not empty", outbox.depth(), outbox.oldest())
    used = {}
    declared = 0
    for lane, boot, seq, body in board.promised:
        known = ledger.boot(boot)
        assert (boot, seq) not in used, ("seq used twice", boot, seq)
        used[boot, seq] = True
        if seq in known.held:
            assert known.held[seq].endswith(body), ("other content", boot, seq)
        else:
            assert seq in known.declared, ("lost and not declared", boot, seq)
            assert lane != EVENT, ("an event lost", boot, seq)
            declared += 1
    board.declared = declared
    board.too_many = board.late = 0
    for number, known in ledger.boots.items():
        top = max(list(known.held) + list(known.declared))
        assert known.upto == top, ("a hole for ever", number, known.upto, top)
        board.late += len([seq for seq in known.declared if seq in known.held])
        board.too_many += len([seq for seq in known.declared if seq not in known.held and (number, seq) not in used])
    # What the cut interrupted may be declared though nobody was promised it.
    assert board.too_many <= board.cuts, ("declared without need", board.too_many)
    seq = outbox.put(EVENT, (1, 0, "none", -1), b'"n":"sos","vb":true}]')
    assert [m[2] for m in outbox.batch(4, ())] == [seq], "not writable afterwards"
    assert outbox.receipt(outbox.boot, seq, [seq], []) == [(outbox.boot, seq, False)]
    board.stop(False)


STEPS = day()


def main(first, every, keep_rtc, space):
    blocks, capacity = (24, 3 * flash.BLOCK) if space == "small" else (12, 1 << 20)
    board = live((), keep_rtc, blocks, capacity)
    assert board.counters["dropped"] > 10, "the flash was never full"
    days = [[at] for at in range(first, board.operations + 1, every)] if every else [_random(seed) for seed in range(first)]
    seen = {"operations": board.operations, "days": 0, "cuts": 0, "promised": 0, "declared": 0, "late": 0, "too_many": 0}
    for cuts in days:
        try:
            board = live(cuts, keep_rtc, blocks, capacity)
        except Exception as error:
            print("with cuts at", cuts)
            raise error
        seen["days"] += 1
        seen["cuts"] += board.cuts
        seen["promised"] += len(board.promised)
        for name in ("declared", "late", "too_many"):
            seen[name] += getattr(board, name)
        gc.collect()
    print(json.dumps(seen))


def _random(seed):
    random.seed(seed)
    return [random.randint(1, 250) for _ in range(20)]


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "kept", sys.argv[4])
