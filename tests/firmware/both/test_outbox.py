"""Nothing leaves the outbox in silence: it is receipted, or declared lost. Power cuts: tests/firmware/test_power_cuts.py."""

from app import files
from app.outbox import DATA, EVENT, LOSS, Outbox
from app.rtc_memory import Region
from scaffold import folder, raises
from sim.power import Nvs, RtcMemory

STAMP = (60500, 1780000000250, "ntp", 50)
SOS = b'"n":"sos","vb":true}]'


class Board:
    """What survives a restart, and the outbox on it; `stage` bytes of RTC memory."""

    def __init__(self, capacity=262144, stage=600, boot=17):
        self.root = folder() + "/outbox"
        self.rtc = RtcMemory()
        self.nvs = Nvs()
        self.nvs.stored = {"boot": boot - 1}
        self.capacity = capacity
        self.stage = stage
        self.start()

    def start(self, continued=False):
        self.box = Outbox(self.root, Region(self.rtc, 0, self.stage), self.nvs, continued, self.capacity)
        return self.box

    def reset(self):
        """Watchdog or crash: RTC memory is kept."""
        return self.start()

    def wake(self):
        """From a planned deep sleep."""
        return self.start(True)

    def power_cut(self):
        self.rtc.content = b""
        return self.start()

    def files(self):
        return sorted(name for name, _ in files.listing(self.root))

    def read(self, count, size=10):
        """Put readings of about `size` bytes that do not resemble each other; their seqs."""
        return [self.box.put(DATA, STAMP, body(n, size)) for n in range(count)]

    def sos(self):
        return self.box.put(EVENT, STAMP, SOS)

    def waiting(self, limit=1000):
        """(lane, boot, seq) of all that would be sent."""
        return [m[:3] for m in self.box.batch(limit, ())]

    def declared(self):
        """The (boot, first, last, how many) of all declarations."""
        found = []
        for lane, _, _, sent in self.box.batch(1000, ()):
            if lane == LOSS:
                text = sent.decode()
                how_many = int(text.split('"v":')[1].split(",")[0]) if '"v":' in text else 0
                found.append(tuple([int(n) for n in text[text.rfind("[") + 1 : -3].split(",")] + [how_many]))
        return found


def body(number, size):
    noise = "".join("%02x" % ((number * 97 + n * n * 31 + n * number * 7) & 255) for n in range(size // 2))
    return ('"n":"activity","vs":"%s"}]' % noise).encode()


def seqs(waiting, lane):
    return [seq for kind, _, seq in waiting if kind == lane]


# What goes in comes out


def test_a_message_is_head_and_body():
    board = Board()
    board.box.put(DATA, STAMP, b'"n":"temperature","v":21.5}]')
    head = b'[{"boot":17,"seq":1,"clk":"ntp","err":0.050,"up":60.500,"bt":1780000000.250,'
    assert board.box.batch(8, ()) == [(DATA, 17, 1, head + b'"n":"temperature","v":21.5}]')]


def test_a_message_is_the_same_bytes_for_ever():
    board = Board()
    board.read(3)
    board.sos()
    first = board.box.batch(9, ())
    board.box.flush()
    assert board.box.batch(9, ()) == first
    board.reset()
    assert board.box.batch(9, ()) == first
    board.power_cut()
    assert board.box.batch(9, ()) == first


def test_events_go_first_then_declarations_then_readings_the_oldest_before_the_newest():
    board = Board()
    board.read(3)
    board.sos()
    board.box.flush()
    board.read(2)
    board.power_cut()
    board.read(2)
    board.sos()
    assert board.waiting() == [(0, 17, 4), (0, 18, 4), (1, 18, 1), (2, 17, 1), (2, 17, 2), (2, 17, 3), (2, 18, 2), (2, 18, 3)]


def test_a_batch_has_what_is_not_on_its_way_up_to_its_limit():
    board = Board()
    board.read(40)
    board.sos()
    on_its_way = set()
    got = []
    while True:
        batch = board.box.batch(7, on_its_way)
        assert len(batch) <= 7
        if not batch:
            break
        got += [m[2] for m in batch]
        on_its_way |= {(boot, seq) for _, boot, seq, _ in batch}
    assert got == [41] + list(range(1, 41))
    on_its_way.remove((17, 5))
    assert [m[2] for m in board.box.batch(7, on_its_way)] == [5]


def test_a_file_all_of_which_is_on_its_way_is_not_read():
    board = Board()
    board.read(30, 30)
    board.box.flush()
    name = board.files()[0]
    with open(board.root + "/" + name, "r+b") as file:
        file.write(b"damaged")
    assert board.box.batch(8, {(17, seq) for seq in range(1, 31)}) == []
    assert name in board.files()


def test_what_is_longer_than_a_message_may_be_is_refused():
    board = Board()
    raises(ValueError, board.box.put, DATA, STAMP, bytes(16385))
    assert board.box.depth() == (0, 0, 0)
    assert board.sos() == 1


def test_a_reading_for_which_the_stage_is_too_small_gets_a_file_of_its_own():
    board = Board()
    board.read(2)
    board.box.put(DATA, STAMP, body(3, 2000))
    board.read(1)
    assert seqs(board.waiting(), DATA) == [1, 2, 3, 4]
    board.power_cut()
    assert seqs(board.waiting(), DATA) == [1, 2, 3]
    assert board.declared() == [(17, 4, 4, 1)]


# Receipts


def test_online_a_reading_never_touches_the_flash():
    board = Board()
    for _ in range(100):
        seq = board.read(1)[0]
        board.box.receipt(17, seq, [], [])
        assert board.files() == []
    assert board.box.counters["receipted"] == 100
    assert board.power_cut().batch(8, ()) == []


def test_a_receipt_frees_everything_up_to_its_number():
    board = Board(stage=300)
    board.read(30, 40)
    assert board.files(), "some is on flash"
    for upto in (1, 7, 15, 29):
        board.box.receipt(17, upto, [], [])
        assert seqs(board.waiting(), DATA) == list(range(upto + 1, 31))
        assert board.box.depth() == (0, 0, 30 - upto)
        assert board.box.oldest() == [(17, upto + 1)]
    board.box.receipt(17, 30, [], [])
    assert board.files() == []
    assert board.box.depth() == (0, 0, 0)
    assert board.box.counters["receipted"] == 30


def test_events_are_freed_by_name_and_told_once():
    board = Board()
    board.read(2)
    a, b = board.sos(), board.sos()
    assert board.box.receipt(17, 0, [b], []) == [(17, b, False)]
    assert seqs(board.waiting(), EVENT) == [a]
    assert board.box.receipt(17, 0, [b], []) == []
    assert board.box.receipt(17, b, [], []) == [(17, a, False)]
    assert board.box.depth() == (0, 0, 0)


def test_what_is_rejected_is_freed_and_counted():
    board = Board(stage=300)
    board.read(20, 40)
    sos = board.sos()
    board.read(2)
    assert board.box.receipt(17, 1, [], [sos, 5, 22]) == [(17, sos, True)]
    assert seqs(board.waiting(), DATA) == [n for n in range(2, 24) if n not in (5, 21, 22)]
    board.box.receipt(17, 23, [], [])
    assert board.box.depth() == (0, 0, 0)
    assert board.box.counters["rejected"] == 3
    assert board.box.counters["receipted"] == 20


def test_receipts_for_an_earlier_boot_count_and_for_an_unknown_one_do_no_harm():
    board = Board()
    board.read(3)
    board.reset()
    board.read(2)
    assert board.box.receipt(5, 100, [1], [2]) == []
    board.box.receipt(17, 2, [], [])
    assert board.waiting() == [(2, 17, 3), (2, 18, 1), (2, 18, 2)]
    board.box.receipt(17, 3, [], [])
    assert board.waiting() == [(2, 18, 1), (2, 18, 2)]


def test_a_receipt_beyond_what_was_sent_frees_nothing_that_is_still_to_come():
    board = Board()
    board.read(2)
    board.box.receipt(17, 1000, [7], [8])
    assert board.read(9) == list(range(3, 12))
    assert seqs(board.waiting(), DATA) == list(range(3, 12))


def test_an_upto_that_falls_brings_nothing_back():
    board = Board()
    board.read(5)
    board.box.receipt(17, 3, [], [])
    board.box.receipt(17, 0, [], [])
    assert seqs(board.waiting(), DATA) == [4, 5]


# Restarts


def test_a_planned_sleep_continues_the_boot():
    board = Board()
    board.read(3)
    board.sos()
    box = board.wake()
    assert (box.boot, box.continued) == (17, True)
    assert board.read(1) == [5]
    assert seqs(board.waiting(), DATA) == [1, 2, 3, 5]
    board.box.receipt(17, 5, [4], [])
    assert board.wake().oldest() == [(17, 6)]


def test_a_sleep_from_which_the_rtc_memory_comes_back_torn_is_a_new_boot():
    board = Board()
    board.read(3)
    board.rtc.content = board.rtc.content[:20] + bytes(len(board.rtc.content) - 20)
    box = board.wake()
    assert (box.boot, box.continued) == (18, False)
    assert board.declared() == [(17, 1, 3, 3)]


def test_a_reset_is_a_new_boot_and_carries_what_was_staged():
    board = Board()
    board.read(3)
    box = board.reset()
    assert (box.boot, box.continued) == (18, False)
    assert box.counters["carried"] == 3
    assert board.read(1) == [1]
    assert board.waiting() == [(2, 17, 1), (2, 17, 2), (2, 17, 3), (2, 18, 1)]
    board.power_cut()
    assert board.declared() == [(18, 1, 1, 1)]


def test_what_is_on_flash_already_is_not_carried_there_again():
    board = Board()
    board.read(3)
    before = board.rtc.content
    board.box.flush()
    board.rtc.content = before  # a reset between the file and the clearing of the stage
    assert board.reset().depth() == (0, 0, 3)
    assert seqs(board.waiting(), DATA) == [1, 2, 3]


def test_a_power_cut_declares_exactly_what_was_staged():
    board = Board()
    board.read(4)  # 1-4
    board.box.receipt(17, 2, [], [])
    sos = board.sos()  # 5
    board.read(2)  # 6, 7
    other = board.sos()  # 8
    board.read(1)  # 9
    board.box.receipt(17, 2, [other], [])
    box = board.power_cut()
    assert seqs(board.waiting(), EVENT) == [sos]
    assert board.declared() == [(17, 3, 4, 2), (17, 6, 9, 3)], "8 is receipted"
    assert box.counters["lost"] == 5
    assert box.oldest() == [(17, 5), (18, 1)]
    box.receipt(18, 3, [], [])
    assert board.power_cut().batch(8, ()) == box.batch(8, ())


def test_a_power_cut_after_everything_was_receipted_declares_nothing():
    board = Board()
    for _ in range(3):
        board.read(2)
        sos = board.sos()
        board.box.receipt(17, sos, [sos], [])
    assert board.power_cut().batch(8, ()) == []
    assert board.power_cut().batch(8, ()) == []


def test_without_nvs_the_boot_is_random_and_none_that_is_held():
    board = Board()
    board.sos()
    boots = set()
    for _ in range(5):
        board.nvs = Nvs()
        boots.add(board.power_cut().boot)
    assert len(boots) == 5
    assert 17 not in boots
    assert all(1 <= boot < 1 << 30 for boot in boots)


def test_a_boot_that_cannot_be_counted_up_is_random():
    board = Board()

    def broken():
        raise OSError(5)

    board.nvs.commit = broken
    a, b = board.power_cut().boot, board.power_cut().boot
    assert len({a, b, 17, 18}) == 4
    board.read(2)
    assert board.sos() == 3
    assert seqs(board.waiting(), DATA) == [1, 2]


def test_what_a_power_cut_left_beside_its_successor_is_removed():
    board = Board()
    board.read(3)
    board.box.flush()
    name = board.files()[0]
    with open(board.root + "/" + name, "rb") as file:
        old = file.read()
    board.read(2)
    board.box.flush()
    assert len(board.files()) == 1
    with open(board.root + "/" + name, "wb") as file:
        file.write(old)
    board.reset()
    assert len(board.files()) == 1
    assert seqs(board.waiting(), DATA) == [1, 2, 3, 4, 5]


def test_files_of_others_are_left_alone():
    board = Board()
    files.write(board.root + "/readme", b"hello")
    files.write(board.root + "/1-2", b"hello")
    board.reset()
    assert board.files() == ["1-2", "readme"]


# Full, damaged, broken


def test_when_it_is_full_the_oldest_readings_go_and_are_declared():
    board = Board(capacity=3 * 4096)
    board.read(200, 100)
    sos = board.sos()
    waiting = board.waiting()
    kept = seqs(waiting, DATA)
    assert board.box.counters["dropped"] > 50
    lost = []
    for boot, first, last, how_many in board.declared():
        assert boot == 17
        mine = [seq for seq in range(first, last + 1) if seq not in seqs(waiting, LOSS)]
        assert how_many == len(mine)
        lost += mine
    assert not set(lost) & set(kept)
    numbers = lost + seqs(waiting, LOSS) + kept + [sos]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))
    assert board.box.counters["declared"] == board.box.counters["dropped"] == len(lost)


def test_events_are_dropped_last():
    board = Board(capacity=3 * 4096)
    board.read(30, 100)
    taken = [board.sos() for _ in range(10)]
    board.read(200, 100)
    assert seqs(board.waiting(), EVENT) == taken
    many = [board.sos() for _ in range(300)]
    events = seqs(board.waiting(), EVENT)
    assert events == many[-len(events) :] or events == (taken + many)[-len(events) :]
    assert len(events) > 50


def test_a_declaration_grows_until_somebody_has_seen_it():
    board = Board(capacity=3 * 4096)
    while len(board.declared()) == 0:
        board.read(10, 100)
    shown = board.declared()
    board.read(50, 100)
    assert board.box.depth()[1] == 2, "one that was shown, one that grew"
    assert board.declared()[0] == shown[0]
    assert board.declared()[1][1] == shown[0][2] + 1
    grown = board.box.batch(2, ())
    board.power_cut()
    assert board.box.batch(2, ()) == grown


def test_declarations_stay_few_however_long_the_flash_is_full():
    board = Board(capacity=3 * 4096)
    for _ in range(20):
        board.read(100, 100)
        board.waiting()
    assert board.box.counters["dropped"] > 1500
    # Each batch shows one, which then names what it names; but they do not multiply.
    assert board.box.depth()[1] <= 60, board.box.depth()


def test_a_damaged_file_is_declared():
    board = Board()
    board.read(3)
    sos = board.sos()
    board.read(2)
    board.box.flush()
    with open(board.root + "/" + next(name for name in board.files() if name.split("-")[1] == "2"), "r+b") as file:
        file.write(b"XXXX")
    assert seqs(board.waiting(), EVENT) == [sos]
    assert seqs(board.waiting(), DATA) == []
    assert board.declared() == [(17, 1, 3, 3), (17, 5, 6, 2)]
    assert board.read(1) == [9]


def test_a_flash_that_fails_stops_nothing_and_what_is_lost_is_declared_when_it_is_well():
    board = Board(stage=400)
    board.read(1)
    write, empty = files.write, files.empty

    def broken(*_):
        raise OSError(5)

    files.write = files.empty = broken
    try:
        sos = board.sos()
        assert not board.box.on_flash
        board.read(40)
        assert sos in seqs(board.waiting(), EVENT)
    finally:
        files.write, files.empty = write, empty
    board.read(20)
    other = board.sos()
    assert board.box.on_flash
    waiting = board.waiting()
    assert seqs(waiting, EVENT) == [sos, other]
    lost = [seq for boot, first, last, _ in board.declared() for seq in range(first, last + 1)]
    assert lost
    assert sorted(lost + [seq for _, _, seq in waiting]) == list(range(1, other + 1))


def test_a_flash_that_fails_at_the_start_leaves_an_outbox_in_rtc_memory():
    def broken(*_):
        raise OSError(5)

    makedirs, files.makedirs = files.makedirs, broken
    try:
        board = Board(stage=400)
    finally:
        files.makedirs = makedirs
    sos = board.sos()
    assert not board.box.on_flash
    assert seqs(board.waiting(), EVENT) == [sos]
    files.makedirs(board.root)  # the flash is well again
    later = board.sos()
    assert board.box.on_flash
    assert sorted(seqs(board.waiting(), EVENT)) == [sos, later]


def test_a_stage_that_cannot_shrink_is_declared_whole_and_its_numbers_are_not_used_again():
    board = Board(stage=400)
    board.read(3)
    write, stage = files.write, board.box._stage
    replace = stage.replace
    refusals = [1]

    def broken(*_):
        raise OSError(5)

    def full(records):
        if refusals:
            refusals.pop()
            return False
        return replace(records)

    files.write, stage.replace = broken, full
    try:
        numbers = board.read(20)
    finally:
        files.write = write
    assert not refusals
    board.box.flush()
    lost = [seq for boot, first, last, _ in board.declared() for seq in range(first, last + 1)]
    held = [seq for _, _, seq in board.waiting()]
    assert len(set(numbers)) == 20 and min(numbers) > 3
    assert sorted(lost + held) == list(range(1, max(held) + 1))


def test_an_event_the_flash_refused_and_later_ones_it_took_are_held_once_each():
    board = Board()
    write = files.write

    def broken(*_):
        raise OSError(5)

    files.write = broken
    try:
        refused = board.sos()
        assert not board.box.flush()
    finally:
        files.write = write
    taken = [board.sos() for _ in range(3)]
    assert board.box.flush()
    assert sorted(seqs(board.waiting(), EVENT)) == [refused] + taken
    assert board.box.depth() == (4, 0, 0)
    taken += [board.sos() for _ in range(20)]  # enough to be gathered
    assert sorted(seqs(board.waiting(), EVENT)) == [refused] + taken
    assert board.box.receipt(17, 0, [refused, taken[2]], []) == [(17, refused, False), (17, taken[2], False)]
    board.power_cut()
    left = [seq for seq in taken if seq != taken[2]]
    held = [seq for _, boot, seq in board.waiting() if boot == 17]
    assert [seq for seq in left if seq not in held] == [] and len(held) == len(set(held))


def test_many_events_are_gathered_into_few_files_and_still_freed_one_by_one():
    board = Board()
    taken = [board.sos() for _ in range(60)]
    assert len(board.files()) < 20
    assert seqs(board.waiting(), EVENT) == taken
    assert board.box.receipt(17, 0, [3, 4, 30], [31]) == [(17, 3, False), (17, 4, False), (17, 30, False), (17, 31, True)]
    left = [seq for seq in taken if seq not in (3, 4, 30, 31)]
    assert seqs(board.waiting(), EVENT) == left
    assert board.box.depth() == (56, 0, 0)
    taken += [board.sos() for _ in range(20)]
    assert seqs(board.waiting(), EVENT) == left + taken[60:]
    assert board.box.depth() == (76, 0, 0)
    assert [seq for _, seq, _ in board.box.receipt(17, 80, [], [])] == left + taken[60:]
    assert board.files() == []


# The birth


def test_the_birth_names_the_next_seq_of_a_boot_of_which_nothing_is_held():
    board = Board()
    assert board.box.oldest() == [(17, 1)]
    board.read(2)
    assert board.box.oldest() == [(17, 1)]
    board.box.receipt(17, 2, [], [])
    assert board.box.oldest() == [(17, 3)]


def test_the_birth_names_what_is_held_not_what_an_event_has_overtaken():
    board = Board()
    board.read(2)
    sos = board.sos()
    board.read(2)
    board.box.flush()
    board.box.receipt(17, 2, [sos], [])
    assert board.box.oldest() == [(17, 4)], "3 is receipted: a gateway without memory would wait for it for ever"


def test_the_birth_names_each_boot_the_oldest_first():
    board = Board()
    for _ in range(3):
        board.read(2)
        board.reset()
    assert board.box.oldest() == [(17, 1), (18, 1), (19, 1), (20, 1)]
    board.box.receipt(18, 2, [], [])
    assert board.box.oldest() == [(17, 1), (19, 1), (20, 1)]
