"""Commands within an authenticated session of an NTAG 424 DNA: counted, signed, encrypted; and those that make a card ours.

`Channel` wraps one command and opens its answer (EV2 secure messaging, NXP NT4H2421Gx 9.1.8 to 9.1.10); `Tag` runs whole
commands over a function that carries APDUs. An error leaves the session useless: authenticate again.
"""

import hmac
import zlib
from collections.abc import Callable
from enum import Enum
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc import aes
from edge_gateway.nfc.ev2 import DONE, MORE, Session, expect

_MAC_BYTES: Final = 8
_CONTINUE: Final = bytes.fromhex("90AF000000")
# One piece of a file: with padding, header and MAC it still fits the card's frame of 256 bytes.
_PIECE: Final = 128

_GET_VERSION: Final = 0x60
_GET_CARD_UID: Final = 0x51
_GET_KEY_VERSION: Final = 0x64
_CHANGE_KEY: Final = 0xC4
_SET_CONFIGURATION: Final = 0x5C
_GET_FILE_SETTINGS: Final = 0xF5
_CHANGE_FILE_SETTINGS: Final = 0x5F
_READ_DATA: Final = 0xAD
_WRITE_DATA: Final = 0x8D
_GET_FILE_COUNTERS: Final = 0xF6


class CommMode(Enum):
    """How a command and its answer are protected on the way."""

    PLAIN = 0
    MAC = 1
    FULL = 3


def apdu(command: int, data: bytes = b"") -> bytes:
    """A native command in ISO 7816 wrapping.

    Raises:
        ValueError: more data than one APDU holds.
    """
    if len(data) > 255:
        raise ValueError(f"{len(data)} bytes for command {command:02X}; at most 255")
    return bytes((0x90, command, 0, 0)) + (bytes((len(data),)) + data if data else b"") + b"\0"


class Channel:
    """The session's command counter, and what is made with it.

    Attributes:
        counter: commands so far, 16 bits; part of every MAC and of every initialisation vector.
    """

    def __init__(self, session: Session, counter: int = 0) -> None:
        self.session = session
        self.counter = counter

    def wrap(self, command: int, header: bytes = b"", data: bytes = b"", mode: CommMode = CommMode.MAC) -> bytes:
        """The APDU. `header` travels in clear, `data` as the mode has it."""
        if mode is CommMode.FULL and data:
            data = aes.encrypt(self.session.encryption, _filled(data), iv=self._iv("A55A"))
        body = header + data
        if mode is not CommMode.PLAIN:
            body += self._mac(bytes((command,)), body)
        return apdu(command, body)

    def unwrap(self, answer: bytes, mode: CommMode = CommMode.MAC) -> bytes:
        """The data of the answer to what was wrapped last; parts that came with 91AF stand in front of it without their status.

        Raises:
            Rejected: the card's reason; `bad_mac`: not from this card in this session, or changed on the way.
        """
        # The card counts a command of any mode, and its answer is made with the new count.
        self.counter = self.counter + 1 & 0xFFFF
        data = expect(answer, DONE)
        if mode is CommMode.PLAIN:
            return data
        if len(data) < _MAC_BYTES:
            raise Rejected("bad_answer", f"{len(data)} bytes without room for a MAC")
        data, mac = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(b"\0", data)):
            raise Rejected("bad_mac", "the answer is not from this card in this session")
        if mode is not CommMode.FULL or not data:
            return data
        if len(data) % aes.BLOCK:
            raise Rejected("bad_answer", f"{len(data)} encrypted bytes; expected whole blocks")
        return _emptied(aes.decrypt(self.session.encryption, data, iv=self._iv("5AA5")))

    def ended(self, answer: bytes) -> None:
        """For the one command whose answer has no MAC, because its success ends the session.

        Raises:
            Rejected
        """
        expect(answer, DONE)

    def _mac(self, code: bytes, body: bytes) -> bytes:
        counted = code + self.counter.to_bytes(2, "little") + self.session.identifier
        return aes.sent(aes.mac(self.session.mac, counted + body))

    def _iv(self, label: str) -> bytes:
        counted = bytes.fromhex(label) + self.session.identifier + self.counter.to_bytes(2, "little")
        return aes.encrypt_block(self.session.encryption, aes.padded(counted))


class Tag:
    """The commands of an authenticated card.

    Args:
        send: carries one APDU to the card and returns its answer.
    Every method raises Rejected with the card's reason, `bad_mac` or `bad_answer`, and what `send` raises.
    """

    def __init__(self, send: Callable[[bytes], bytes], session: Session) -> None:
        self._send = send
        self.channel = Channel(session)

    def run(self, command: int, header: bytes = b"", data: bytes = b"", mode: CommMode = CommMode.MAC) -> bytes:
        """Any command."""
        return self.channel.unwrap(collected(self._send, self.channel.wrap(command, header, data, mode)), mode)

    def version(self) -> bytes:
        """Hardware, software and production data, 28 or 29 bytes; begins with 04 04 for an NTAG 424 DNA."""
        return self.run(_GET_VERSION)

    def uid(self) -> bytes:
        """The real UID, 7 bytes, also of a card that shows a random one."""
        return self.run(_GET_CARD_UID, mode=CommMode.FULL)

    def key_version(self, key_no: int) -> int:
        """The version byte of a key; 0 as delivered."""
        return self.run(_GET_KEY_VERSION, bytes((key_no,)))[0]

    def read_counter(self, file_no: int) -> int:
        """SDMReadCtr: how often the file was read. The file's settings must allow it to the key in use."""
        return int.from_bytes(self.run(_GET_FILE_COUNTERS, bytes((file_no,)), mode=CommMode.FULL)[:3], "little")

    def change_key(self, key_no: int, new: bytes, version: int, old: bytes) -> None:
        """Put a new key on the card; only in a session of key 0. Changing key 0 itself ends the session.

        Args:
            old: the key that is there now; not looked at for key 0, which is proved by the session.
            version: 0..255.
        """
        body = key_data(self.channel.session.key_no, key_no, new, version, old)
        wrapped = self.channel.wrap(_CHANGE_KEY, bytes((key_no,)), body, CommMode.FULL)
        answer = self._send(wrapped)
        if key_no == self.channel.session.key_no:
            self.channel.ended(answer)
        else:
            self.channel.unwrap(answer, CommMode.FULL)

    def file_settings(self, file_no: int) -> bytes:
        """As they are: type, option, access rights (2), size (3, least byte first), and what SDM adds."""
        return self.run(_GET_FILE_SETTINGS, bytes((file_no,)))

    def change_file_settings(self, file_no: int, settings: bytes) -> None:
        """Args: settings: option, access rights (2), and what SDM adds; offsets of 3 bytes, least byte first."""
        self.run(_CHANGE_FILE_SETTINGS, bytes((file_no,)), settings, CommMode.FULL)

    def set_configuration(self, option: int, data: bytes) -> None:
        """Such as option 00, data 02: a random UID from now on. Some options cannot be taken back."""
        self.run(_SET_CONFIGURATION, bytes((option,)), data, CommMode.FULL)

    def read(self, file_no: int, at: int, length: int, mode: CommMode) -> bytes:
        """A part of a file. Args: mode: as the file's settings have it; a right that is free for all means PLAIN."""
        parts = []
        for start, size in _pieces(at, length):
            parts.append(self.run(_READ_DATA, _span(file_no, start, size), mode=mode))
        return b"".join(parts)

    def write(self, file_no: int, at: int, data: bytes, mode: CommMode) -> None:
        """A part of a file, in pieces; a card taken away in between keeps the pieces that were written."""
        for start, size in _pieces(at, len(data)):
            self.run(_WRITE_DATA, _span(file_no, start, size), data[start - at : start - at + size], mode)


def key_data(session_key_no: int, key_no: int, new: bytes, version: int, old: bytes) -> bytes:
    """What ChangeKey encrypts: for the session's own key new key and version, else the change, version and a check sum.

    Raises:
        ValueError: no key, or no version.
    """
    if len(new) != aes.BLOCK or len(old) != aes.BLOCK or not 0 <= version <= 255:
        raise ValueError(f"keys of {len(new)} and {len(old)} bytes, version {version}; expected 16, 16, 0..255")
    if key_no == session_key_no:
        return new + bytes((version,))
    # NXP's CRC32 is that of IEEE 802.3 without its last inversion, least byte first.
    check = (zlib.crc32(new) ^ 0xFFFFFFFF).to_bytes(4, "little")
    return aes.xor(new, old) + bytes((version,)) + check


def version(send: Callable[[bytes], bytes]) -> bytes:
    """GetVersion before any authentication. Raises: Rejected."""
    return expect(collected(send, apdu(_GET_VERSION)), DONE)


def collected(send: Callable[[bytes], bytes], command: bytes) -> bytes:
    """A whole answer: the parts a card announces with 91AF are fetched and put together; the last status stays."""
    answer, parts = send(command), b""
    while answer[-2:] == MORE.to_bytes(2, "big") and len(parts) < 1024:
        parts += answer[:-2]
        answer = send(_CONTINUE)
    return parts + answer


def _pieces(at: int, length: int) -> list[tuple[int, int]]:
    return [(start, min(_PIECE, at + length - start)) for start in range(at, at + length, _PIECE)]


def _span(file_no: int, at: int, length: int) -> bytes:
    return bytes((file_no,)) + at.to_bytes(3, "little") + length.to_bytes(3, "little")


def _filled(data: bytes) -> bytes:
    """With 80 and zeros to whole blocks; always at least the 80."""
    return aes.padded(data + b"\x80")


def _emptied(data: bytes) -> bytes:
    plain, mark, rest = data.rpartition(b"\x80")
    if not mark or any(rest):
        raise Rejected("bad_answer", "decrypted data without its end mark")
    return plain
