"""Frames of the PN532 are found in whatever the line brings; the driver gets over what is lost, bent or slow."""

import time

from app.sensors.pn532 import PN532, CardError, Silent, Target
from app.sensors.pn532_frame import ACK, WAKE, Frames, frame
from scaffold import run

VERSION_ANSWER = bytes.fromhex("0000ff06fad50332010607e800")
EMPTY_LIST = frame(b"\xd5\x4b\x00")


def taken(data, step=1000):
    frames = Frames()
    found = []
    for at in range(0, len(data), step):
        frames.feed(data[at : at + step])
        item = frames.next()
        while item is not None:
            found.append(bytes(item))
            item = frames.next()
    return found, frames.bad


def test_a_command_is_framed_as_the_manual_shows_it():
    assert frame(b"\xd4\x02") == bytes.fromhex("0000ff02fed4022a00")
    assert frame(b"\xd4\x14\x01\x00\x00") == bytes.fromhex("0000ff05fbd4140100001700")


def test_a_long_command_has_the_extended_head():
    long = frame(b"\xd4\x00" + bytes(262))
    assert long[:8] == bytes.fromhex("0000ffffff0108f7")
    assert taken(long) == ([b"\xd4\x00" + bytes(262)], 0)


def test_ack_and_answer_are_found_whatever_the_pieces():
    for step in (1, 2, 3, 7, 100):
        assert taken(ACK + VERSION_ANSWER, step) == ([ACK, b"\xd5\x03\x32\x01\x06\x07"], 0)


def test_rubbish_before_a_frame_is_passed_over():
    for rubbish in (
        b"\x55\x55",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff",
        b"\x00\xff\x05",
        b"\x00\xff\x00\x00",
        b"\x00\xff\xff\xff\x00\x00\x01",
    ):
        found, _ = taken(rubbish + VERSION_ANSWER)
        assert found[-1:] == [b"\xd5\x03\x32\x01\x06\x07"], rubbish


def test_a_bent_checksum_is_no_frame_and_is_counted():
    bent = bytearray(VERSION_ANSWER)
    bent[-2] ^= 1
    assert taken(bytes(bent) + VERSION_ANSWER) == ([b"\xd5\x03\x32\x01\x06\x07"], 1)
    bent = bytearray(VERSION_ANSWER)
    bent[4] ^= 1
    assert taken(bytes(bent) + VERSION_ANSWER)[0][-1] == b"\xd5\x03\x32\x01\x06\x07"


def test_a_line_that_only_brings_noise_takes_no_memory():
    frames = Frames()
    for i in range(200):
        frames.feed(bytes((i * 7 + k * 13) & 0xFF for k in range(64)))
        while frames.next() is not None:
            pass
    assert len(frames._buffer) <= 600


class Chip:
    """A UART whose answers are scripted: for each command that is written one list of chunks."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.written = []
        self.waiting = []

    def write(self, data):
        if data == WAKE + ACK:
            self.waiting = []
            return
        self.written.append(bytes(data))
        if self.answers:
            self.waiting += self.answers.pop(0)

    def read(self, size):
        return self.waiting.pop(0)[:size] if self.waiting else None

    def commands(self):
        return [data[len(WAKE) + 6] for data in self.written]


class Line:
    def __init__(self):
        self.levels = []

    def value(self, level):
        self.levels.append(level)


def driver(*answers):
    chip = Chip(*answers)
    return PN532(chip, Line()), chip


def good(code, data=b""):
    return [ACK, frame(bytes((0xD5, code + 1)) + data)]


START = (good(0x02, b"\x32\x01\x06\x07"), good(0x14), good(0x32))


def test_a_command_that_is_answered_is_sent_once():
    reader, chip = driver(good(0x02, b"\x32\x01\x06\x07"))
    assert run(reader.command(0x02)) == b"\x32\x01\x06\x07"
    assert (len(chip.written), reader.resent) == (1, 0)


def test_a_lost_command_a_bent_answer_and_a_foreign_answer_are_each_asked_for_again():
    bent = [ACK, VERSION_ANSWER[:-2] + b"\x00\x00"]
    for first in ([], [ACK], bent, good(0x4A, b"\x00"), [ACK[:3]]):
        reader, chip = driver(first, good(0x02, b"\x32\x01\x06\x07"))
        assert run(reader.command(0x02)) == b"\x32\x01\x06\x07", first
        assert (len(chip.written), reader.resent) == (2, 1)


def test_an_answer_whose_ack_was_lost_is_taken():
    reader, chip = driver(good(0x02, b"\x32\x01\x06\x07")[1:])
    assert run(reader.command(0x02)) == b"\x32\x01\x06\x07"
    assert len(chip.written) == 1


def test_silence_ends_in_a_bounded_time():
    reader, chip = driver()
    began = time.ticks_ms()
    try:
        run(reader.command(0x02))
        raise AssertionError("no Silent")
    except Silent as error:
        assert "no ACK" in str(error)
    assert len(chip.written) == 2
    assert time.ticks_diff(time.ticks_ms(), began) < 500


def test_what_a_card_would_notice_is_not_sent_twice():
    reader, chip = driver([], good(0x40, b"\x00\x91\x00"))
    try:
        run(reader.exchange(Target(1, 0x20, b"\x04" * 7), b"\x90\xaf", again=False))
        raise AssertionError("no Silent")
    except Silent:
        assert len(chip.written) == 1


def test_the_chip_is_reset_and_set_up_before_the_first_poll():
    reader, chip = driver(*START, good(0x4A, b"\x00"))
    assert run(reader.poll()) == []
    assert chip.commands() == [0x02, 0x14, 0x32, 0x4A]
    assert reader._reset.levels == [0, 1]
    assert reader.resets == 0


def test_a_silent_chip_is_reset_by_its_line_at_the_next_poll_and_counted():
    reader, _chip = driver(*START, good(0x4A, b"\x00"), [], [], *START, good(0x4A, b"\x00"))
    run(reader.poll())
    try:
        run(reader.poll())
        raise AssertionError("no Silent")
    except Silent:
        pass
    assert run(reader.poll()) == []
    assert reader._reset.levels == [0, 1, 0, 1]
    assert reader.resets == 1


def test_a_chip_that_says_no_card_for_ever_is_asked_for_its_version_now_and_then():
    reader, chip = driver(*START)
    chip.answers += [good(0x4A, b"\x00")] * 39
    chip.answers += [good(0x02, b"\x32"), good(0x32), good(0x4A, b"\x00")]
    for _ in range(39):
        run(reader.poll())
    run(reader.poll())
    assert chip.commands()[-3:] == [0x02, 0x32, 0x4A]


def test_two_cards_are_two_targets_whatever_their_kind():
    answer = bytes.fromhex("02" + "01034420" + "0704010203040506" + "067777710280" + "02004400" + "0704a2b3c4d5e680")
    reader, _ = driver(*START, good(0x4A, answer))
    found = run(reader.poll())
    assert [(t.number, t.sak, t.uid.hex(), t.speaks_apdu) for t in found] == [
        (1, 0x20, "04010203040506", True),
        (2, 0x00, "04a2b3c4d5e680", False),
    ]


def test_a_list_that_is_cut_gives_only_whole_cards():
    whole = bytes.fromhex("0201004400" + "0704a2b3c4d5e680" + "02004400" + "0704a2b3")
    for answer, count in ((whole, 1), (whole[:8], 0), (b"", 0), (b"\x01", 0), (bytes.fromhex("010100440005a2b3c4d5e6"), 0)):
        reader, _ = driver(*START, good(0x4A, answer))
        assert len(run(reader.poll())) == count, answer


def test_a_card_that_does_not_answer_is_the_cards_fault_not_the_readers():
    reader, _ = driver(good(0x40, b"\x01"))
    try:
        run(reader.exchange(Target(1, 0, b"\x04" * 7), b"\x30\x00"))
        raise AssertionError("no CardError")
    except CardError as error:
        assert "01" in str(error)
