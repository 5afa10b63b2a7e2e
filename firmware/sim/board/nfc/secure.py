"""The card's end of an authenticated session of the NTAG 424 DNA: command counter, MAC, encryption of what is said in it.

Source: NXP NT4H2421Gx 9.1.2 to 9.1.10; the check values of AN12196 are in tests/firmware/test_ntag424_commands.py.
"""

from enum import Enum

from firmware.sim.board.nfc import aes
from firmware.sim.board.nfc.ev2 import Session

MAC_LENGTH = 8
_COUNTER_MOST = 0xFFFF


class Comm(Enum):
    """How a command and its answer are protected."""

    PLAIN = 0
    MAC = 1
    FULL = 3


class Tampered(Exception):
    """A MAC, a padding or a length that an honest other side does not send."""


class SecureSession:
    """
    key_number: who is authenticated.
    counter: CmdCtr, commands so far.
    """

    def __init__(self, session: Session, key_number: int, counter: int = 0) -> None:
        self.session, self.key_number, self.counter = session, key_number, counter

    def take(self, code: int, header: int, comm: Comm, body: bytes) -> bytes:
        """The command's header and data in plain; counts the command.

        Args:
            code: of the command.
            header: so many first bytes are never encrypted.
        Raises:
            Tampered: it is not what the holder of the session said now.
        """
        if self.counter >= _COUNTER_MOST:
            raise Tampered
        if comm is not Comm.PLAIN:
            body, sent = body[:-MAC_LENGTH], body[-MAC_LENGTH:]
            if self._mac(bytes([code]), body) != sent:
                raise Tampered
        if comm is Comm.FULL and len(body) > header:
            if (len(body) - header) % aes.BLOCK:
                raise Tampered
            body = body[:header] + _unpadded(aes.cbc_back(self.session.encryption, body[header:], self._iv(b"\xa5\x5a")))
        self.counter += 1
        return body

    def give(self, comm: Comm, data: bytes) -> bytes:
        """The answer's data as it goes into the air; the status 91 00 follows it."""
        if comm is Comm.FULL and data:
            padded = data + b"\x80" + bytes(-(len(data) + 1) % aes.BLOCK)
            data = aes.cbc(self.session.encryption, padded, self._iv(b"\x5a\xa5"))
        return data if comm is Comm.PLAIN else data + self._mac(b"\x00", data)

    def _iv(self, label: bytes) -> bytes:
        return aes.block(self.session.encryption, label + self.session.identifier + self._counter_bytes() + bytes(8))

    def _mac(self, code: bytes, data: bytes) -> bytes:
        return aes.odd_bytes(aes.mac(self.session.mac, code + self._counter_bytes() + self.session.identifier + data))

    def _counter_bytes(self) -> bytes:
        return self.counter.to_bytes(2, "little")


def _unpadded(data: bytes) -> bytes:
    plain = data.rstrip(b"\0")
    if plain[-1:] != b"\x80" or len(data) - len(plain) >= aes.BLOCK:
        raise Tampered
    return plain[:-1]


def crc32(key: bytes) -> bytes:
    """CRC-32 without the last inversion, low byte first: what ChangeKey carries of the new key."""
    value = 0xFFFFFFFF
    for byte in key:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
    return value.to_bytes(4, "little")
