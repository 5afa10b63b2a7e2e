"""NTAG I2C as a display: NDEF that a phone reads, never half a text."""

from app.sensors.ntag_i2c import NtagI2c, ndef_text
from fakes import I2C


class Chip:
    """User memory from block 1; busy or taken when told so."""

    def __init__(self):
        self.memory = bytearray(64 * 16)
        self.taken = False

    def write(self, data):
        if self.taken:
            raise OSError(19)
        assert len(data) == 17 and 1 <= data[0] <= 0x38
        self.memory[data[0] * 16 : data[0] * 16 + 16] = data[1:]


def shown(chip):
    """The text a phone finds; "" when the tag is empty."""
    data = bytes(chip.memory[16:])
    assert data[0] == 3
    size, at = (data[1], 2) if data[1] < 255 else (data[2] << 8 | data[3], 4)
    record = data[at : at + size]
    assert data[at + size] == 0xFE
    if not size:
        return ""
    payload = record[4:] if record[0] & 0x10 else record[7:]
    assert payload[:3] == b"\x02en"
    return payload[3:].decode()


def written(tag):
    steps = 0
    while tag.go_on():
        steps += 1
    return steps


def test_a_short_and_a_long_text():
    for text in ("ok", "pH 1/3: rinse the probe, put it into pH 7.00, then tap again", "x" * 700):
        chip = Chip()
        tag = NtagI2c(I2C(x55=chip))
        tag.show(text)
        assert written(tag) == 1 + (len(ndef_text(text)) + 15) // 16
        assert shown(chip) == text


def test_no_phone_ever_sees_half_a_text():
    chip = Chip()
    tag = NtagI2c(I2C(x55=chip))
    tag.show("first " * 10)
    written(tag)
    tag.show("second " * 12)
    seen = set()
    while tag.go_on():
        seen.add(shown(chip))
    assert seen == {"", "second " * 12}


def test_a_phone_that_reads_just_now_is_waited_for():
    chip = Chip()
    tag = NtagI2c(I2C(x55=chip))
    tag.show("hello")
    chip.taken = True
    for _ in range(3):
        try:
            tag.go_on()
        except OSError:
            continue
        raise AssertionError
    chip.taken = False
    written(tag)
    assert shown(chip) == "hello"


def test_a_text_too_long_for_the_tag_is_cut():
    assert len(ndef_text("y" * 2000)) < 888
