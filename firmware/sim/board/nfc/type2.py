"""NTAG213 and NTAG215 at command level: pages, password, read counter, signature. MIFARE Classic: a UID and nothing else.

Model: READ, FAST_READ, WRITE, GET_VERSION, PWD_AUTH, READ_CNT, READ_SIG as in NXP's data sheet (NTAG213/215/216). After a
refusal the tag is mute until it is selected again. Lock bits and the ASCII mirror are left out.
"""

from dataclasses import dataclass
from enum import Enum

from firmware.sim.board.nfc.card import ACK, NAK, Answer, Nibble

_PAGE = 4
_COUNTER_MOST = 0xFFFFFF


@dataclass(frozen=True)
class _Layout:
    pages: int
    config: int  # page of CFG0; then CFG1, PWD, PACK
    size_code: int  # in the capability container
    version: bytes


class Kind(Enum):
    NTAG213 = _Layout(45, 0x29, 0x12, bytes.fromhex("0004040201000f03"))
    NTAG215 = _Layout(135, 0x83, 0x3E, bytes.fromhex("0004040201001103"))


class Ntag21x:
    """One tag.

    Args:
        uid: 7 bytes.  message: NDEF, fewer than 255 bytes.
        counter: how often it has been read; counts only if `counts`.
        protected_from: the first page that needs the password, 0xFF none; for reading too if `hides`.
    """

    atqa = b"\x00\x44"
    sak = 0x00

    def __init__(
        self,
        uid: bytes,
        kind: Kind = Kind.NTAG213,
        message: bytes = b"",
        password: bytes = b"\xff\xff\xff\xff",
        pack: bytes = b"\x00\x00",
        signature: bytes = bytes(32),
        counter: int = 0,
        counts: bool = True,
        protected_from: int = 0xFF,
        hides: bool = False,
    ) -> None:
        self.uid = uid
        self.counter = counter
        self._layout = kind.value
        self._signature = signature
        self._memory = bytearray(self._layout.pages * _PAGE)
        self._powered = self._mute = self._authenticated = self._counted = False
        check = 0x88 ^ uid[0] ^ uid[1] ^ uid[2]
        second = uid[3] ^ uid[4] ^ uid[5] ^ uid[6]
        head = uid[:3] + bytes([check]) + uid[3:] + bytes([second, 0x48, 0, 0])
        self._memory[0:16] = head + bytes([0xE1, 0x10, self._layout.size_code, 0x00])
        data = bytes([0x03, len(message)]) + message + b"\xfe"
        self._memory[16 : 16 + len(data)] = data
        access = (0x80 if hides else 0) | (0x10 if counts else 0)
        config = bytes([0x04, 0, 0, protected_from, access, 0x05, 0, 0]) + password + pack + b"\x00\x00"
        self._memory[self._layout.config * _PAGE :] = config
        self._take_configuration()

    def power(self, on: bool) -> None:
        if not on:
            self._authenticated = self._counted = self._mute = False
        self._powered = on

    def activate(self) -> None:
        self._mute = self._authenticated = False
        self._take_configuration()

    def _take_configuration(self) -> None:
        """What was written to the configuration pages works from the next activation on: its writer is not locked out."""
        config = self._layout.config * _PAGE
        self._protected_from, self._access = self._memory[config + 3], self._memory[config + 4]

    def command(self, data: bytes) -> Answer:
        if self._mute or not data:
            return None
        answer = self._answer(data[0], data[1:])
        self._mute = isinstance(answer, Nibble) and answer != ACK
        return answer

    def _answer(self, code: int, data: bytes) -> Answer:
        if code == 0x60:
            return self._layout.version
        if code == 0x30 and len(data) == 1:
            return self._read(data[0], 4, wraps=True)
        if code == 0x3A and len(data) == 2 and data[0] <= data[1]:
            return self._read(data[0], data[1] - data[0] + 1, wraps=False)
        if code == 0xA2 and len(data) == 5:
            return self._write(data[0], data[1:])
        if code == 0x1B and len(data) == 4:
            return self._authenticate(data)
        if code == 0x39 and data == b"\x02" and self._access & 0x10:
            return self.counter.to_bytes(3, "little")
        if code == 0x3C and data == b"\x00":
            return self._signature
        return Nibble(NAK)

    def _needs_password(self, page: int) -> bool:
        return page >= self._protected_from and not self._authenticated

    def _read(self, first: int, count: int, wraps: bool) -> Answer:
        pages = [(first + i) % self._layout.pages if wraps else first + i for i in range(count)]
        if first >= self._layout.pages or max(pages) >= self._layout.pages:
            return Nibble(NAK)
        if self._access & 0x80 and any(self._needs_password(page) for page in pages):
            return Nibble(NAK)
        if not self._counted and self._access & 0x10:
            # The counter rises with the first READ or FAST_READ after the field came.
            self._counted = True
            self.counter = min(self.counter + 1, _COUNTER_MOST)
        secret = range(self._layout.config + 2, self._layout.config + 4)
        return b"".join(bytes(_PAGE) if page in secret else self._page(page) for page in pages)

    def _page(self, page: int) -> bytes:
        return bytes(self._memory[page * _PAGE : page * _PAGE + _PAGE])

    def _write(self, page: int, data: bytes) -> Answer:
        if not 2 <= page < self._layout.pages or self._needs_password(page):
            return Nibble(NAK)
        if page in (2, 3):
            data = bytes(a | b for a, b in zip(self._page(page), data, strict=True))
        self._memory[page * _PAGE : page * _PAGE + _PAGE] = data
        return Nibble(ACK)

    def _authenticate(self, password: bytes) -> Answer:
        config = self._layout.config
        if password != self._page(config + 2):
            return Nibble(NAK)
        self._authenticated = True
        return self._page(config + 3)[:2]


class MifareClassic:
    """MIFARE Classic 1K, as far as a reader without its keys sees it."""

    atqa = b"\x00\x04"
    sak = 0x08

    def __init__(self, uid: bytes) -> None:
        self.uid = uid

    def power(self, on: bool) -> None:
        """It remembers nothing."""

    def activate(self) -> None:
        """It remembers nothing."""

    def command(self, data: bytes) -> Answer:
        return None
