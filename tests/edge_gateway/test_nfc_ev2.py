"""Live authentication and secure messaging, byte for byte as NXP's application note AN12196 (revision 2.0) prints them."""

from collections.abc import Callable

import pytest

from edge_gateway.errors import Rejected
from edge_gateway.nfc import secured
from edge_gateway.nfc.ev2 import Authentication, Session, Step
from edge_gateway.nfc.secured import Channel, CommMode, Tag
from firmware.sim.board.nfc.ev2 import CardSide

ZERO = bytes(16)
RND_A = bytes.fromhex("13C5DB8A5930439FC3DEF9A4C675360F")
OK, MORE = b"\x91\x00", b"\x91\xaf"


def session(identifier: str, encryption: str, mac: str, key_no: int = 0) -> Session:
    return Session(key_no, *(bytes.fromhex(text) for text in (identifier, encryption, mac)))


FIRST = session("9D00C4DF", "1309C877509E5A215007FF0ED19CA564", "4C6626F5E72EA694202139295C7A7FC7")
THIRD = session("7614281A", "7A93D6571E4B180FCA6AC90C9A7488D4", "FC4AF159B62E549B5812394CAB1918CC", 3)
AGAIN = session("7614281A", "4CF3CB41A22583A61E89B158D252FC53", "5529860B2FC5FB6154B7F28361D30BF9")


class Recorded:
    """A card that answers what was recorded, and keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.asked: list[str] = []

    def __call__(self, apdu: bytes) -> bytes:
        self.asked.append(apdu.hex().upper())
        return self.answers.pop(0)


def asked(authentication: Authentication) -> str:
    command = authentication.command()
    assert command is not None
    return command.hex().upper()


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Rejected) as error:
        act()
    return error.value.reason


def test_the_authentication_of_table_14() -> None:
    side = Authentication(0, ZERO, RND_A)
    assert asked(side) == "00A4040C07D276000085010100"
    side.take(b"\x90\x00")
    assert asked(side) == "9071000002000000"
    side.take(bytes.fromhex("A04C124213C186F22399D33AC2A3021591AF"))
    assert asked(side) == "90AF00002035C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D00"
    side.take(bytes.fromhex("3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F081206639100"))
    assert side.session == FIRST
    assert side.command() is None


def test_the_authentication_of_table_19() -> None:
    side = Authentication(3, ZERO, bytes.fromhex("B98F4C50CF1C2E084FD150E33992B048"), select=False)
    assert asked(side) == "9071000002030000"
    side.take(bytes.fromhex("B875CEB0E66A6C5CD00898DC371F92D191AF"))
    assert asked(side) == "90AF000020FF0306E47DFBC50087C4D8A78E88E62DE1E8BE457AA477C707E2F0874916A8B100"
    side.take(bytes.fromhex("0CC9A8094A8EEA683ECAAC5C7BF20584206D0608D477110FC6B3D5D3F65C3A6A9100"))
    assert side.session == THIRD


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        (["6A82"], "no_application"),
        (["9000", "9140"], "no_such_key"),
        (["9000", "91AD"], "delayed"),
        (["9000", "A04C124213C186F22399D33AC2A3021591AF", "91AE"], "wrong_key"),
        (["9000", "A04C124213C186F22399D33AC2A3021591AF", "00" * 32 + "9100"], "not_this_card"),
        (["9000", "A04C124213C186F22399D33AC2A3021591AF", "00" * 31 + "9100"], "bad_answer"),
        (["9000", "01" + "00" * 16 + "91AF"], "lrp_mode"),
        (["9000", "00" * 15 + "91AF"], "bad_answer"),
        (["9000", "91FF"], "bad_answer"),
        ([""], "bad_answer"),
        (["90"], "bad_answer"),
    ],
)
def test_an_authentication_that_fails_says_why_and_is_over(answers: list[str], word: str) -> None:
    side = Authentication(0, ZERO, RND_A)
    for answer in answers[:-1]:
        side.take(bytes.fromhex(answer))
    assert refused(lambda: side.take(bytes.fromhex(answers[-1]))) == word
    assert side.step is Step.OVER and side.session is None and side.command() is None


def test_a_card_with_another_key_is_not_this_card_and_refuses_ours() -> None:
    side, card = Authentication(0, ZERO, RND_A, select=False), CardSide(bytes([1]) * 16, bytes(16), b"abcd")
    side.take(card.challenge() + MORE)
    command = side.command()
    assert command is not None
    assert card.answer(command[5:37]) is None
    assert refused(lambda: side.take(bytes(32) + OK)) == "not_this_card"


def test_what_an_authentication_is_given_must_be_whole() -> None:
    for key_no, key, rnd in ((5, ZERO, ZERO), (0, ZERO[1:], ZERO), (0, ZERO, b"")):
        with pytest.raises(ValueError, match="expected"):
            Authentication(key_no, key, rnd)


def test_a_signed_command_of_table_7() -> None:
    channel = Channel(session("7A21085E", "00" * 16, "8248134A386E86EB7FAF54A52E536CB6"))
    assert channel.wrap(0xF5, b"\x02").hex().upper() == "90F5000009026597A457C8CD442C00"
    answer = bytes.fromhex("0040EEEE000100D1FE001F00004400004400002000006A00002A474282E7A479869100")
    assert channel.unwrap(answer).hex().upper() == "0040EEEE000100D1FE001F00004400004400002000006A0000"
    assert channel.counter == 1
    # The same answer once more is one of an earlier command.
    assert refused(lambda: channel.unwrap(answer)) == "bad_mac"


def test_an_answer_changed_on_the_way_is_refused() -> None:
    answer = bytes.fromhex("0040EEEE000100D1FE001F00004400004400002000006A00002A474282E7A479869100")
    for at in range(len(answer) - 2):
        channel = Channel(session("7A21085E", "00" * 16, "8248134A386E86EB7FAF54A52E536CB6"))
        bent = answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1 :]
        assert refused(lambda channel=channel, bent=bent: channel.unwrap(bent)) == "bad_mac"  # type: ignore[misc]


def test_writing_a_file_of_table_17() -> None:
    text = (
        b"\x00\x51\xd1\x01\x4dU\x04choose.url.com/ntag424?e=" + b"0" * 32 + b"&c=" + b"0" * 16
    )  # as NXP has it, filled up with zeros
    card = Recorded("FC222E5F7A5424529100")
    tag = Tag(card, FIRST)
    tag.write(2, 0, text + bytes(128 - len(text)), CommMode.FULL)
    assert card.asked == [
        "908D00009F02000000800000421C73A27D827658AF481FDFF20A5025B559D0E3AA21E58D347F343CFFC768BFE596C706BC00F2176781D4B0242642A0"
        "FF5A42C461AAF894D9A1284B8C76BCFA658ACD40555D362E08DB15CF421B51283F9064BCBE20E96CAE545B407C9D651A3315B27373772E5DA2367D20"
        "64AE054AF996C6F1F669170FA88CE8C4E3A4A7BBBEF0FD971FF532C3A802AF745660F2B4D1D9A8499661EBF300"
    ]
    card.answers.append(bytes.fromhex("57BFF87B1241E93D9100"))
    # The second command of the same session, table 18.
    tag.change_file_settings(2, bytes.fromhex("4000E0C1F121200000430000430000"))
    assert card.asked[1] == "905F0000190261B6D97903566E84C3AE5274467E89EAD799B7C1A0EF7A0400"


def test_writing_the_proprietary_file_of_table_21() -> None:
    card = Recorded("C26D236E4A7C046D9100")
    Tag(card, THIRD).write(3, 0, bytes.fromhex("0102030405060708090A"), CommMode.FULL)
    assert card.asked == ["908D00001F030000000A00006B5E6804909962FC4E3FF5522CF0F8436C0C53315B9C73AA00"]


def test_a_plain_write_of_table_24_counts_all_the_same() -> None:
    card = Recorded("9100")
    tag = Tag(card, AGAIN)
    tag.write(1, 0x0E, bytes.fromhex("FF0506E10500808283000000000000000000"), CommMode.PLAIN)
    assert card.asked == ["908D000019010E0000120000FF0506E1050080828300000000000000000000"]
    assert tag.channel.counter == 1


def test_changing_another_key_of_table_25_and_the_own_one_of_table_26() -> None:
    new = bytes.fromhex("F3847D627727ED3BC9C4CC050489B966")
    assert secured.key_data(0, 2, new, 1, ZERO).hex().upper() == "F3847D627727ED3BC9C4CC050489B96601789DFADC"
    card = Recorded("203BB55D1089D5879100", "9100")
    tag = Tag(card, AGAIN)
    tag.channel.counter = 2
    tag.change_key(2, new, 1, ZERO)
    tag.change_key(0, bytes.fromhex("5004BF991F408672B1EF00F08F9E8647"), 1, ZERO)
    assert card.asked == [
        "90C4000029022CF362B7BF4311FF3BE1DAA295E8C68DE09050560D19B9E16C2393AE9CD1FAC75D0CE20BCD1D06E600",
        "90C400002900C0EB4DEEFEDDF0B513A03A95A75491818580503190D4D05053FF75668A01D6FDA6610234BDED643200",
    ]


def test_the_change_of_a_key_hides_the_old_one() -> None:
    old, new = bytes(range(16)), bytes(range(100, 116))
    data = secured.key_data(0, 4, new, 7, old)
    assert bytes(a ^ b for a, b in zip(data[:16], old, strict=True)) == new
    assert data[16] == 7


@pytest.mark.parametrize(("new", "version", "old"), [(ZERO[1:], 1, ZERO), (ZERO, 256, ZERO), (ZERO, 1, b"")])
def test_what_is_no_key_is_not_put_on_a_card(new: bytes, version: int, old: bytes) -> None:
    with pytest.raises(ValueError, match="expected 16, 16"):
        secured.key_data(0, 1, new, version, old)


def test_a_refusal_of_the_card_keeps_its_reason() -> None:
    for status, word in (("911E", "bad_mac"), ("919D", "denied"), ("917E", "bad_length"), ("919E", "bad_parameter")):
        assert refused(Tag(Recorded(status), AGAIN).uid) == word
    assert refused(Tag(Recorded("9100"), AGAIN).uid) == "bad_answer"


def test_an_answer_in_parts_is_put_together() -> None:
    card = Recorded("0404083000110591AF", "0404020101110591AF", "04518DFAA961800000000000000000009100")
    assert secured.version(card).hex() == "04040830001105" + "04040201011105" + "04518dfaa96180" + "00" * 9
    assert card.asked == ["9060000000", "90AF000000", "90AF000000"]


def test_a_card_that_never_ends_its_answer_is_given_up() -> None:
    asked = []

    def send(apdu: bytes) -> bytes:
        asked.append(apdu)
        return bytes(50) + MORE

    assert refused(lambda: secured.version(send)) == "bad_answer"
    assert len(asked) < 30


def test_a_command_that_fits_no_apdu_is_told() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        secured.apdu(0x8D, bytes(256))
