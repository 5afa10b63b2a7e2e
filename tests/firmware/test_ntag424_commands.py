"""The simulated NTAG 424 DNA is set up as the data sheet and the application note AN12196 say, and refuses what they refuse."""

from collections.abc import Callable

import pytest

from firmware.sim.board.nfc import aes, sun
from firmware.sim.board.nfc.chip424 import NDEF
from firmware.sim.board.nfc.ev2 import KeyHolder, Session
from firmware.sim.board.nfc.secure import Comm, SecureSession, Tampered, crc32
from firmware.sim.board.nfc.sun import Mode, Reading
from firmware.sim.board.nfc.type4 import Ntag424
from firmware.sim.board.nfc.url424 import written

UID = bytes.fromhex("04DE5F1EACC040")
ZERO = bytes(16)
KEY = bytes.fromhex("f3847d627727ed3bc9c4cc050489b966")
SETTINGS = "4000E0C1F121200000430000430000"  # of the application note
SELECT = bytes.fromhex("00a4040c07d276000085010100")


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


# --- the application note's own bytes ---


def test_change_file_settings_of_the_application_note_is_understood() -> None:
    note = Session(unhex("9D00C4DF"), unhex("1309C877509E5A215007FF0ED19CA564"), unhex("4C6626F5E72EA694202139295C7A7FC7"))
    secure = SecureSession(note, 0, counter=1)
    sent = unhex("0261B6D97903566E84C3AE5274467E89EAD799B7C1A0EF7A04")
    assert secure.take(0x5F, 1, Comm.FULL, sent) == unhex("02" + SETTINGS)
    assert secure.give(Comm.FULL, b"") == unhex("57BFF87B1241E93D")
    with pytest.raises(Tampered):
        secure.take(0x5F, 1, Comm.FULL, sent)  # the same bytes are no command a second time


def test_both_change_keys_of_the_application_note_are_understood() -> None:
    note = Session(unhex("7614281A"), unhex("4CF3CB41A22583A61E89B158D252FC53"), unhex("5529860B2FC5FB6154B7F28361D30BF9"))
    secure = SecureSession(note, 0, counter=2)
    other = unhex("022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E6")
    assert secure.take(0xC4, 1, Comm.FULL, other) == b"\x02" + KEY + unhex("01789DFADC")
    assert secure.give(Comm.FULL, b"") == unhex("203BB55D1089D587")
    same = unhex("00C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED6432")
    assert secure.take(0xC4, 1, Comm.FULL, same) == unhex("005004BF991F408672B1EF00F08F9E864701")
    assert crc32(KEY) == unhex("789DFADC")


# --- a card and somebody who talks to it ---


class Desk:
    """The other end, written for these tests only."""

    def __init__(self, card: Ntag424) -> None:
        self.card = card
        card.power(True)
        card.activate()
        assert card.apdu(SELECT) == b"\x90\x00"

    def enter(self, number: int, key: bytes) -> bool:
        holder = KeyHolder(key, bytes(range(16)))
        challenge = self.card.apdu(unhex(f"9071000002{number:02x}0000"))
        answer = self.card.apdu(b"\x90\xaf\x00\x00\x20" + holder.respond(challenge[:-2]) + b"\x00")
        found = holder.accept(answer[:-2]) if answer[-2:] == b"\x91\x00" else None
        self.session, self.counter = found, 0
        return found is not None

    def plain(self, code: int, body: bytes = b"") -> bytes:
        return self.card.apdu(bytes([0x90, code, 0, 0]) + (bytes([len(body)]) + body if body else b"") + b"\x00")

    def full(self, code: int, header: bytes, data: bytes = b"", bend: Callable[[bytes], bytes] = bytes) -> bytes:
        assert self.session is not None
        ti, count = self.session.identifier, self.counter.to_bytes(2, "little")
        body = header
        if data:
            padded = data + b"\x80" + bytes(-(len(data) + 1) % 16)
            body += aes.cbc(
                self.session.encryption,
                padded,
                aes.block(self.session.encryption, b"\xa5\x5a" + ti + count + bytes(8)),
            )
        body += aes.odd_bytes(aes.mac(self.session.mac, bytes([code]) + count + ti + body))
        self.counter += 1
        return self.plain(code, bend(body))

    def change_key(self, number: int, new: bytes, old: bytes = ZERO) -> bytes:
        mixed = bytes(a ^ b for a, b in zip(new, old, strict=True)) if number else new
        return self.full(0xC4, bytes([number]), mixed + b"\x01" + (crc32(new) if number else b""))

    def read(self) -> bytes:
        assert self.card.apdu(unhex("00a4000c02e104")) == b"\x90\x00"
        return self.card.apdu(unhex("00b0000000"))[:-2]


@pytest.fixture
def desk() -> Desk:
    return Desk(Ntag424(UID, url=None))


def template(desk: Desk) -> bytes:
    content, settings = written("https://tap.example/t?picc_data={picc}&cmac={cmac}", b"", Mode.AES, 256)
    assert desk.card.apdu(unhex("00a4000c02e104")) == b"\x90\x00"
    assert desk.card.apdu(b"\x00\xd6\x00\x00" + bytes([len(content)]) + content) == b"\x90\x00"
    return settings.told()


def test_a_card_from_the_factory_tells_what_it_is_and_has_an_empty_file(desk: Desk) -> None:
    assert desk.plain(0x60) == unhex("04040230001105 91af")
    assert desk.plain(0xAF) == unhex("04040201021105 91af")
    assert desk.plain(0xAF)[:7] == UID
    assert desk.plain(0xAF) == unhex("911c")
    assert desk.plain(0xF5, b"\x02") == unhex("00 00 e0ee 000100 9100")
    assert desk.read() == bytes(256) and desk.card.counter == 0


def test_the_code_follows_the_settings_that_were_written(desk: Desk) -> None:
    told = template(desk)
    assert desk.enter(0, ZERO)
    assert desk.full(0x5F, b"\x02", told[1:4] + told[7:])[-2:] == b"\x91\x00"
    desk = Desk(desk.card)
    assert desk.plain(0xF5, b"\x02")[:-2] == told
    for count in (1, 2):
        text = desk.read()
        picc = unhex(text[text.index(b"picc_data=") + 10 :][:32].decode())
        assert aes.cbc_back(ZERO, picc)[:11] == b"\xc7" + UID + count.to_bytes(3, "little")
        assert (
            text[text.index(b"cmac=") + 5 :][:16].decode()
            == sun.mac(Mode.AES, ZERO, Reading(UID, count, b""), b"").hex().upper()
        )


def test_reading_in_pieces_counts_once_and_any_other_command_in_between_counts_again() -> None:
    desk = Desk(Ntag424(UID))
    assert desk.card.apdu(unhex("00a4000c02e104")) == b"\x90\x00"
    pieces = [desk.card.apdu(bytes([0, 0xB0, 0, at, 50]))[:-2] for at in (0, 50, 100)]
    assert desk.card.counter == 1
    assert desk.read()[:50] != pieces[0] and desk.card.counter == 2
    desk.plain(0xAD, unhex("02000000000000"))
    assert desk.card.counter == 3


def test_nothing_is_mirrored_or_counted_while_somebody_is_authenticated() -> None:
    desk = Desk(Ntag424(UID))
    assert desk.enter(0, ZERO)
    assert b"cmac=0000000000000000" in desk.read()
    assert desk.card.counter == 0


def test_enabling_the_codes_resets_their_counter(desk: Desk) -> None:
    told = template(desk)
    desk.card.counter = 77
    assert desk.enter(0, ZERO)
    assert desk.full(0x5F, b"\x02", told[1:4] + told[7:])[-2:] == b"\x91\x00"
    assert desk.card.counter == 0


def test_keys_are_changed_and_only_the_holder_of_the_old_one_can(desk: Desk) -> None:
    assert desk.enter(0, ZERO)
    assert desk.change_key(2, KEY)[-2:] == b"\x91\x00"
    assert desk.change_key(2, ZERO, old=ZERO) == unhex("911e")  # the old key is another by now
    assert desk.card.keys[2] == KEY and desk.card.session is None
    assert desk.enter(0, ZERO)
    assert desk.change_key(0, KEY) == unhex("9100")
    assert not desk.enter(0, ZERO) and desk.card.failed == 1
    assert desk.enter(0, KEY)
    assert desk.plain(0x64, b"\x02")[-2:] == unhex("911e")  # within a session it needs its MAC


def test_a_bent_command_changes_nothing_and_ends_the_session(desk: Desk) -> None:
    assert desk.enter(0, ZERO)
    assert desk.full(0xC4, b"\x00", KEY + b"\x01", lambda body: body[:5] + bytes([body[5] ^ 1]) + body[6:]) == unhex("911e")
    assert desk.card.keys[0] == ZERO and desk.card.session is None
    assert desk.plain(0xC4, bytes(41)) == unhex("91ae")


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        pytest.param("4000E0C1F121200000430000", "917e", id="an offset is missing"),
        pytest.param("4000E0C1F121200000440000430000", "919e", id="the MAC ends before it begins"),
        pytest.param("4000E0C1F121200000300000300000", "919e", id="MAC within the encrypted data"),
        pytest.param("4000E0C1F121200000F80000F80000", "919e", id="beyond the file"),
        pytest.param("4050E0C1F121200000430000430000", "919e", id="no such key"),
        pytest.param("4000E0D10121", "917e", id="encrypted file data without its place"),
    ],
)
def test_settings_that_cannot_be_are_refused(desk: Desk, settings: str, status: str) -> None:
    assert desk.enter(0, ZERO)
    before = desk.card.settings[NDEF]
    assert desk.full(0x5F, b"\x02", unhex(settings)) == unhex(status)
    assert desk.card.settings[NDEF] == before


def test_a_file_that_only_a_key_may_write_is_not_written_without_it() -> None:
    desk = Desk(Ntag424(UID))
    assert desk.card.apdu(unhex("00a4000c02e104")) == b"\x90\x00"
    assert desk.card.apdu(unhex("00d600000141")) == unhex("6982")
    assert desk.plain(0x8D, unhex("0200000001000041")) == unhex("91ae")
    assert desk.enter(1, ZERO)
    assert desk.plain(0x8D, unhex("0200000001000041")) == unhex("91ae")
    assert desk.enter(0, ZERO)
    assert desk.plain(0x8D, unhex("0200000001000041")) == unhex("9100")
    assert desk.card.files[NDEF][0] == 0x41


def test_the_third_file_is_read_and_written_encrypted(desk: Desk) -> None:
    assert desk.enter(3, ZERO)
    assert desk.full(0x8D, unhex("03000000050000"), b"hello")[-2:] == b"\x91\x00"
    assert bytes(desk.card.files[3][:5]) == b"hello"
    assert desk.enter(2, ZERO)
    answer = desk.full(0xAD, unhex("03000000050000"))
    assert len(answer) == 16 + 8 + 2 and b"hello" not in answer


def test_a_card_in_lrp_mode_does_not_speak_ev2() -> None:
    assert Desk(Ntag424(UID, mode=Mode.LRP)).plain(0x71, b"\x00\x00") == unhex("919d")
