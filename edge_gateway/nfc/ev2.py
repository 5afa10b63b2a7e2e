"""AuthenticateEV2First as the side that holds the key: which command goes to the card next, and what its answers prove.

It moves no bytes: whoever carries APDUs to the card (a desk reader, a reader in a home, through the broker) asks `command`, and
hands the answer to `take`. AES only: a card switched to LRP refuses with `lrp_mode`. NXP NT4H2421Gx 9.1, AN12196 chapter 5.6.
"""

import hmac
from dataclasses import dataclass
from enum import Enum
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc import aes

SELECT_APPLICATION: Final = bytes.fromhex("00A4040C07D276000085010100")
MORE: Final = 0x91AF  # the card waits for the next part
DONE: Final = 0x9100
SELECTED: Final = 0x9000

# What a card's status words mean here; words for counters and logs.
_MEANINGS: Final = {
    0x6A82: "no_application",
    0x9140: "no_such_key",
    0x919D: "denied",
    0x91AD: "delayed",  # too many failed attempts: it wants to be asked again and again
    0x91AE: "wrong_key",
    0x917E: "bad_length",
    0x911E: "bad_mac",
    0x919E: "bad_parameter",
    0x91CA: "interrupted",
    0x91EE: "card_memory",
    0x911C: "unknown_command",
}


@dataclass(frozen=True, slots=True)
class Session:
    """What both sides hold after a successful authentication.

    Attributes:
        key_no: authenticated with.
        identifier: of the transaction (TI), 4 bytes, chosen by the card.
        encryption, mac: session keys.
    """

    key_no: int
    identifier: bytes
    encryption: bytes
    mac: bytes


class Step(Enum):
    """What the card is asked next."""

    SELECT = "select"
    CHALLENGE = "challenge"
    RESPONSE = "response"
    OVER = "over"


class Authentication:
    """One authentication of one card; it ends with `session`, or with Rejected from `take`.

    Args:
        key: 16 bytes, of the card's key `key_no`, 0..4.
        rnd_a: 16 fresh random bytes.
        select: begin with selecting the application; False if that was done.
    """

    def __init__(self, key_no: int, key: bytes, rnd_a: bytes, select: bool = True) -> None:
        if len(key) != aes.BLOCK or len(rnd_a) != aes.BLOCK or not 0 <= key_no <= 4:
            raise ValueError(f"key number {key_no}, key of {len(key)}, random of {len(rnd_a)} bytes; expected 0..4, 16, 16")
        self._key_no, self._key, self._rnd_a, self._rnd_b = key_no, key, rnd_a, b""
        self.step = Step.SELECT if select else Step.CHALLENGE
        self.session: Session | None = None

    def command(self) -> bytes | None:
        """The APDU to carry to the card; None: it is over."""
        if self.step is Step.SELECT:
            return SELECT_APPLICATION
        if self.step is Step.CHALLENGE:
            # Key number, and no capabilities of ours to tell.
            return bytes((0x90, 0x71, 0, 0, 2, self._key_no, 0, 0))
        if self.step is Step.RESPONSE:
            response = aes.encrypt(self._key, self._rnd_a + _rotated(self._rnd_b))
            return bytes((0x90, 0xAF, 0, 0, len(response))) + response + b"\0"
        return None

    def take(self, answer: bytes) -> None:
        """The card's answer to `command`, status word and all.

        Raises:
            Rejected: it is over without a session. `no_application`, `no_such_key`, `wrong_key` (the card says so),
                `not_this_card` (the card does not hold the key), `lrp_mode`, `bad_answer`, or a word of the card's status.
        """
        asked, self.step = self.step, Step.OVER
        if asked is Step.SELECT:
            expect(answer, SELECTED)
            self.step = Step.CHALLENGE
        elif asked is Step.CHALLENGE:
            data = expect(answer, MORE)
            if len(data) == aes.BLOCK + 1:
                raise Rejected(
                    "lrp_mode", "the card is switched to LRP, in which we do not authenticate; its one-time codes are read"
                )
            if len(data) != aes.BLOCK:
                raise Rejected("bad_answer", f"challenge of {len(data)} bytes; expected {aes.BLOCK}")
            self._rnd_b = aes.decrypt(self._key, data)
            self.step = Step.RESPONSE
        elif asked is Step.RESPONSE:
            self._finish(expect(answer, DONE))
        else:
            raise Rejected("bad_answer", "an answer after the end")

    def _finish(self, data: bytes) -> None:
        if len(data) != 2 * aes.BLOCK:
            raise Rejected("bad_answer", f"response of {len(data)} bytes; expected {2 * aes.BLOCK}")
        plain = aes.decrypt(self._key, data)
        if not hmac.compare_digest(plain[4:20], _rotated(self._rnd_a)):
            raise Rejected("not_this_card", "the card does not hold the key: a copy, or another card")
        self.session = Session(self._key_no, plain[:4], *session_keys(self._key, self._rnd_a, self._rnd_b))


def session_keys(key: bytes, rnd_a: bytes, rnd_b: bytes) -> tuple[bytes, bytes]:
    """The session's keys for encryption and for MACs."""
    tail = rnd_a[:2] + aes.xor(rnd_a[2:8], rnd_b[:6]) + rnd_b[6:] + rnd_a[8:]
    return aes.mac(key, bytes.fromhex("A55A00010080") + tail), aes.mac(key, bytes.fromhex("5AA500010080") + tail)


def expect(answer: bytes, *statuses: int) -> bytes:
    """The data of an answer that ends in one of these status words.

    Raises:
        Rejected: the card's own reason, or `bad_answer` for a status we do not know.
    """
    if len(answer) < 2:
        raise Rejected("bad_answer", f"{len(answer)} bytes; a card's answer has at least 2")
    status = int.from_bytes(answer[-2:], "big")
    if status not in statuses:
        raise Rejected(_MEANINGS.get(status, "bad_answer"), f"the card answered {status:04X}; expected {statuses[0]:04X}")
    return answer[:-2]


def _rotated(data: bytes) -> bytes:
    """One byte to the left."""
    return data[1:] + data[:1]
