"""The reader's app over a scripted chip: what becomes an event, what is shown, and when."""

from app import rider_reader
from app.sensors.pn532 import CardError, Silent, Target
from app.settings import problems, table
from fakes import Pin
from scaffold import run

A, B = bytes.fromhex("5a1b2c3d"), bytes.fromhex("04a2b3c4d5e680")
SUN = "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"


class Chip:
    """Cards by UID; a UID of 4 bytes is a MIFARE Classic, one of 7 an APDU card with the message `url`."""

    def __init__(self):
        self.cards = []
        self.url = "tap.example/t?" + SUN
        self.fails = 0
        self.silent = 0
        self.resets = 0
        self.rests = []
        self.apdus = []

    async def poll(self):
        if self.silent:
            self.silent -= 1
            raise Silent("no ACK")
        return [Target(i + 1, 0x08 if len(uid) == 4 else 0x20, uid) for i, uid in enumerate(self.cards)]

    async def exchange(self, target, apdu, again=True):
        if self.fails:
            self.fails -= 1
            raise CardError("status 01")
        self.apdus.append(apdu)
        message = b"\xd1\x01" + bytes((len(self.url) + 1,)) + b"U\x04" + self.url.encode()
        if apdu[:2] == b"\x00\xb0":
            return (message if apdu[3] else len(message).to_bytes(2, "big")) + b"\x90\x00"
        return b"\x90\x00"

    async def rest(self, deep=False):
        self.rests.append(deep)


class Device:
    """A clock moved by hand, an outbox that is a list."""

    def __init__(self, section):
        self.section = section
        self.now = 1000
        self.events = []
        self.on_flash = True
        self.more = []
        self.busy = []
        self.clock = self.health = self.outbox = self

    def uptime_ms(self):
        return self.now

    def stamp(self):
        return (self.now, 0, "none", -1)

    def event(self, items, stamp):
        self.events.append((items[0][1], items[1][1], stamp[0]))
        return len(self.events)


class Board:
    def __init__(self):
        self.pins = {}

    def has(self, name):
        return True

    def pin(self, name, out=False, pull=0, value=0):
        return self.pins.setdefault(name, Pin(value))

    def uart(self, name, baud=9600, **more):
        return None


class Bench:
    def __init__(self, **section):
        merged = dict(rider_reader.DEFAULTS)
        merged.update(section)
        self.device = Device(merged)
        self.board = Board()
        self.reader = rider_reader.Reader(self.device, self.board)
        self.chip = self.reader._chip = Chip()

    def polls(self, count=1, *cards):
        """So many rounds with these cards on the reader; the wait the last one asked for."""
        self.chip.cards = list(cards)
        for _ in range(count):
            wait_ms = run(self.reader.round())
            self.device.now += wait_ms
        return wait_ms

    @property
    def shown(self):
        return self.reader.indicator.shown

    def level(self, name):
        return self.board.pins[name].level


def test_a_card_with_sun_is_one_event_and_a_green_light():
    bench = Bench()
    bench.polls(1, B)
    assert bench.device.events == [(SUN, "sun", 1000)]
    assert (bench.level("green"), bench.level("red"), bench.level("buzzer")) == (1, 0, 1)
    bench.polls(5, B)
    assert len(bench.device.events) == 1


def test_the_time_is_that_of_the_first_sighting_however_often_it_is_tried():
    bench = Bench()
    bench.chip.fails = 2
    bench.polls(3, B)
    assert bench.device.events == [(SUN, "sun", 1000)]
    assert bench.device.now > 1000
    assert bench.shown == {"recorded": 1}


def test_a_bare_uid_counts_when_it_was_seen_twice():
    bench = Bench()
    assert bench.polls(1, A) < 50
    assert bench.device.events == []
    bench.polls(1, A)
    assert bench.device.events == [(A.hex(), "uid", 1000)]


def test_a_phantom_is_neither_event_nor_light():
    bench = Bench()
    bench.polls(1, A)
    bench.polls(3)
    assert bench.device.events == []
    assert bench.shown == {}


def test_a_double_tap_is_shown_as_recorded_already():
    bench = Bench()
    bench.polls(1, B)
    bench.polls(3)
    bench.polls(3, B)
    assert len(bench.device.events) == 1
    assert bench.shown == {"recorded": 1, "already": 1}
    bench.polls(130)
    bench.polls(1, B)
    assert len(bench.device.events) == 2


def test_another_card_within_the_folding_time_is_an_event():
    bench = Bench()
    bench.polls(1, B)
    bench.polls(2, A)
    assert [event[1] for event in bench.device.events] == ["sun", "uid"]


def test_a_card_that_cannot_be_read_is_red_and_two_beeps_once():
    bench = Bench()
    bench.chip.fails = 3
    bench.polls(3, B)
    assert bench.shown == {"unreadable": 1}
    assert (bench.level("green"), bench.level("red")) == (0, 1)
    bench.polls(1, B)  # held on, it is read after all
    assert bench.shown == {"unreadable": 1, "recorded": 1}


def test_a_card_that_is_snatched_away_too_early_is_red():
    bench = Bench()
    bench.chip.fails = 1
    bench.polls(1, B)
    bench.polls(2)
    assert bench.shown == {"unreadable": 1}
    assert bench.device.events == []


def test_of_two_cards_the_one_that_needs_attention_has_the_light():
    bench = Bench(tries=1)
    bench.polls(1, A)
    bench.chip.fails = 1
    bench.polls(1, B, A)  # in this round one fails and the other is recorded
    assert bench.device.events == [(A.hex(), "uid", 1000)]
    assert bench.level("red") == 1 and bench.level("green") == 0


def test_what_flash_did_not_take_is_never_green():
    bench = Bench()
    bench.device.on_flash = False
    bench.polls(1, B)
    assert bench.shown == {"fault": 1}
    assert bench.level("green") == 0


def test_a_random_uid_without_proof_is_asked_to_be_held_again():
    bench = Bench()
    bench.chip.url = "tap.example/"
    uid = bytes.fromhex("08123456")
    bench.chip.cards = [uid]

    async def one():
        return [Target(1, 0x20, uid)]

    bench.chip.poll = one
    for _ in range(3):
        run(bench.reader.round())
    assert bench.shown == {"unreadable": 1}
    assert bench.device.events == []


def test_a_dead_chip_is_asked_less_and_less_and_shown_by_the_red_light():
    bench = Bench()
    bench.chip.silent = 9
    waits = [run(bench.reader.round()) for _ in range(9)]
    assert waits == [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]
    assert bench.level("red") == 1
    bench.polls(1, B)
    assert bench.device.events[0][0] == SUN
    assert bench.level("red") == 0 and bench.level("green") == 1


def test_one_silent_poll_shows_nothing():
    bench = Bench()
    bench.chip.silent = 1
    bench.polls(2)
    assert bench.board.pins["red"].history.count(1) == 0


def test_carried_the_whole_chip_sleeps_at_home_only_its_antenna():
    for mode, deep in (("home", False), ("carried", True)):
        bench = Bench(mode=mode)
        bench.polls(2)
        assert bench.chip.rests == [deep, deep]


def test_an_authentication_stops_the_polling_and_ends_by_itself():
    bench = Bench()
    bench.polls(1, B)
    assert run(bench.reader.exchange(b"\x90\x71")) == b"\x90\x00"
    rests = len(bench.chip.rests)
    bench.polls(2, B)
    assert len(bench.chip.rests) == rests
    bench.device.now += 3000
    bench.polls(1, B)
    assert len(bench.chip.rests) == rests + 1


def test_an_apdu_without_a_card_for_it_is_a_card_error():
    bench = Bench()
    bench.chip.cards = [A]
    try:
        run(bench.reader.exchange(b"\x90\x71"))
        raise AssertionError("no CardError")
    except CardError:
        pass


def test_resets_of_the_chip_are_told_with_the_devices_health():
    bench = Bench()
    bench.chip.resets = 3
    assert bench.device.more[0]() == [("reader_resets", 3)]


def test_a_wanted_reset_waits_for_a_card_that_is_being_read():
    bench = Bench()
    assert not bench.device.busy[0]()
    bench.polls(1, A)
    assert bench.device.busy[0]()
    bench.polls(1, A)
    assert not bench.device.busy[0]()


def test_defaults_pass_the_checks_and_nonsense_does_not():
    check = table(rider_reader.CHECKS)
    assert problems(check, rider_reader.DEFAULTS, "rider_reader") == []
    nonsense = {"mode": "bag", "poll_ms": 10, "fold_s": -1, "tries": 0, "x": 1}
    assert len(problems(check, nonsense, "rider_reader")) == 5
