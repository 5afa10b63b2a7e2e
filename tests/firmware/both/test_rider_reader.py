"""The reader's app over a scripted chip: what becomes an event, what is shown, and when."""

import json

from app import rider_reader
from app.reported import digest
from app.sensors.pn532 import CardError, Silent, Target
from app.settings import problems, table
from fakes import Pin
from scaffold import folder, run

A, B = bytes.fromhex("5a1b2c3d"), bytes.fromhex("04a2b3c4d5e680")
SUN = "picc_data=EF963FF7828658A599F3041510671E88&cmac=94EED9EE65337086"


class Chip:
    """Cards by UID; a UID of 4 bytes is a MIFARE Classic, one of 7 an APDU card with the message `url`."""

    def __init__(self):
        self.cards = []
        self.url = "tap.example/t?" + SUN
        self.fails = 0
        self.silent = 0
        self.comes_up = False
        self.down = False
        self.failed_starts = self.resets = 0
        self.rests = []
        self.apdus = []

    async def poll(self):
        if self.silent:
            self.silent -= 1
            # The first time it was up; then it is reset, which helps or does not.
            self.failed_starts += self.down and not self.comes_up
            self.down = True
            raise Silent("no ACK")
        self.failed_starts, self.down = 0, False
        return [Target(i + 1, 0x08 if len(uid) == 4 else 0x20, uid) for i, uid in enumerate(self.cards)]

    async def exchange(self, target, apdu, again=True, wait_ms=400):
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

    def __init__(self, section, root=""):
        self.section = section
        self.now = 1000
        self.events = []
        self.on_flash = True
        self.more = []
        self.busy = []
        self.root = root or folder()
        self.boot = 17
        self.commands, self.repeatable = {}, set()
        self.jobs = []  # coroutines that a command began
        self.said = []
        self.clock = self.health = self.outbox = self.supervisor = self.link = self

    def uptime_ms(self):
        return self.now

    def stamp(self):
        return (self.now, 0, "none", -1)

    def once(self, name, coroutine):
        self.jobs.append(coroutine)

    async def say(self, channel, payload):
        self.said.append((channel, json.loads(payload)))
        return True

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
    def __init__(self, root="", **section):
        merged = dict(rider_reader.DEFAULTS)
        merged.update(section)
        self.device = Device(merged, root)
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


def test_a_chip_that_comes_up_and_hangs_again_is_asked_again_soon_for_somebody_holds_a_card_to_it():
    bench = Bench()
    bench.chip.silent, bench.chip.comes_up = 9, True
    assert [run(bench.reader.round()) for _ in range(9)] == [200] * 7 + [400] * 2
    assert bench.level("red") == 1


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
    assert run(bench.reader.exchange(b"\x90\x71", B.hex())) == (b"\x90\x00", 0)
    rests = len(bench.chip.rests)
    bench.polls(2, B)
    assert len(bench.chip.rests) == rests
    bench.device.now += 600
    bench.polls(1, B)
    assert len(bench.chip.rests) == rests + 1


def test_an_apdu_goes_to_the_card_that_was_meant_and_to_no_other():
    bench = Bench()
    for there in ([A], [], [bytes(7)]):
        bench.chip.cards = there
        try:
            run(bench.reader.exchange(b"\x90\x71", B.hex()))
            raise AssertionError("no CardError")
        except CardError:
            pass


def asked(bench, **more):
    """What the gateway hears of a command `card` for the last tap."""
    command = {"id": "s1/0", "name": "card", "session": "s1", "step": 0, "apdu": "90710000", "event": [17, 1]}
    command.update(more)
    bench.device.commands["card"](command)
    run(bench.device.jobs.pop())
    return bench.device.said[-1:]


def test_the_gateways_question_goes_to_the_card_of_the_tap_and_its_answer_back():
    bench = Bench()
    bench.polls(1, B)
    before = len(bench.chip.apdus)
    assert asked(bench) == [("reply", {"session": "s1", "step": 0, "ms": 0, "answer": "9000"})]
    assert bench.chip.apdus[before:] == [b"\x90\x71\x00\x00"]
    rests = len(bench.chip.rests)
    assert asked(bench, step=1, last=True)[0][1]["answer"] == "9000"
    bench.polls(1, B)  # the polling goes on at once
    assert len(bench.chip.rests) == rests + 1
    assert len(bench.device.events) == 1


def test_a_question_that_comes_twice_is_asked_once():
    bench = Bench()
    bench.polls(1, B)
    asked(bench)
    before = len(bench.chip.apdus)
    asked(bench)
    assert len(bench.chip.apdus) == before and len(bench.device.said) == 1


def test_a_question_that_cannot_be_carried_is_answered_with_a_word():
    bench = Bench()
    bench.polls(1, B)
    bench.polls(2)
    assert asked(bench) == [("reply", {"session": "s1", "step": 0, "error": "the card is not there"})]
    for number, more in enumerate(
        ({"apdu": "9"}, {"apdu": "90"}, {"apdu": "zz"}, {"apdu": 5}, {"event": [17, 2]}, {"event": [16, 1]}, {"event": 1})
    ):
        [(_, told)] = asked(bench, session="t%d" % number, **more)
        assert told["error"] and told["session"] == "t%d" % number
    bench.device.now += 10000
    [(_, told)] = asked(bench, session="s3")
    assert told["error"] == "no such tap any longer"


def test_a_question_that_goes_on_is_never_carried_to_a_card_that_lost_its_power():
    bench = Bench()
    bench.polls(1, B)
    asked(bench)
    bench.device.now += 600
    bench.polls(1, B)
    before = len(bench.chip.apdus)
    [(_, told)] = asked(bench, step=1)
    assert told["error"] == "the card was let go" and len(bench.chip.apdus) == before


def test_a_question_about_a_card_with_a_random_number_never_goes_to_the_next_one():
    bench = Bench()
    there = [bytes.fromhex("08123456")]

    async def poll():
        return [Target(i + 1, 0x20, uid) for i, uid in enumerate(there)]

    bench.chip.poll = poll
    run(bench.reader.round())
    assert len(bench.device.events) == 1
    assert "answer" in asked(bench, last=True)[0][1]
    there.clear()
    for _ in range(2):
        run(bench.reader.round())
    there.append(bytes.fromhex("08654321"))  # another courier's: it cannot prove the key of the one before
    run(bench.reader.round())
    assert len(bench.device.events) == 2
    before = len(bench.chip.apdus)
    [(_, told)] = asked(bench, session="s2")
    assert told["error"] == "the card is not there" and len(bench.chip.apdus) == before
    assert "answer" in asked(bench, session="s3", event=[17, 2])[0][1]


def test_a_question_during_another_is_told_that_the_reader_is_busy():
    bench = Bench()
    bench.polls(1, B)
    bench.reader.carry._busy = True
    [(_, told)] = asked(bench)
    assert told["error"] == "busy"


def revoke(bench, *uids):
    salt = bytes(range(16))
    cards = b"".join([digest(salt, uid) for uid in uids])
    bench.device.commands["revoked"]({"id": "r", "name": "revoked", "salt": salt.hex(), "cards": cards.hex()})


def test_a_card_reported_lost_is_recorded_and_has_a_light_of_its_own():
    bench = Bench()
    revoke(bench, bytes(7), B)
    assert len(bench.reader.reported) == 2
    bench.polls(1, B)
    assert bench.device.events == [(SUN, "sun", 1000)]
    assert bench.shown == {"reported": 1}
    assert (bench.level("green"), bench.level("red"), bench.level("buzzer")) == (1, 1, 1)
    bench.polls(2)
    bench.polls(1, B)  # a double of it: nothing is added, and it is reported still
    assert bench.shown == {"reported": 2} and len(bench.device.events) == 1
    bench.polls(2, A)
    assert bench.shown == {"reported": 2, "recorded": 1}


def test_cards_reported_lost_are_known_after_a_reset_until_another_list_comes():
    before = Bench()
    revoke(before, B)
    assert Bench(before.device.root).reader.reported.has(B)
    revoke(before)
    assert not Bench(before.device.root).reader.reported.has(B)


def test_a_list_that_makes_no_sense_leaves_the_one_before():
    bench = Bench()
    revoke(bench, B)
    for salt, found in (("00", ""), ("00" * 16, "00"), ("00" * 16, "zz"), ("00" * 16, "00" * 8 * 257)):
        try:
            bench.device.commands["revoked"]({"id": "r", "name": "revoked", "salt": salt, "cards": found})
            raise AssertionError("no ValueError")
        except ValueError:
            pass
    assert bench.reader.reported.has(B)


def test_the_digest_of_a_card_is_hmac_sha256():
    # RFC 4231, test case 2, has a key of another length; this is Python's hmac.
    assert digest(bytes(range(16)), B).hex() == "e240edc0e52492e1"


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
