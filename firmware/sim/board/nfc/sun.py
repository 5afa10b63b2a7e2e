"""What an NTAG 424 DNA writes into its URL at each reading (Secure Unique NFC, SDM): encrypted UID and counter, file data, MAC.

The card's side only, in AES and LRP mode; who verifies does the same backwards.
"""

from dataclasses import dataclass
from enum import Enum

from firmware.sim.board.nfc import aes, lrp

_UID_7, _COUNTER = 0x87, 0x40  # in the tag byte: a UID of 7 bytes is there; the counter is there


class Mode(Enum):
    AES = "AES"
    LRP = "LRP"


@dataclass(frozen=True)
class Reading:
    """One reading of one card.

    counter: SDMReadCtr, 24 bits.
    padding: the random bytes; AES mode 5 (the tail of the PICC data; 12 without UID), LRP mode 8 (PICCRand) and then those.
    """

    uid: bytes
    counter: int
    padding: bytes

    @property
    def counter_bytes(self) -> bytes:
        return self.counter.to_bytes(3, "little")


def picc_data(mode: Mode, meta_key: bytes, reading: Reading) -> bytes:
    """16 bytes in AES mode, 24 in LRP mode. A reading without UID is of a card that does not mirror it."""
    plain = bytes([(_UID_7 if reading.uid else 0) | _COUNTER]) + reading.uid + reading.counter_bytes
    plain += reading.padding[-(aes.BLOCK - len(plain)) :]
    if mode is Mode.AES:
        return aes.cbc(meta_key, plain)
    rand = reading.padding[:8]
    return rand + lrp.encrypt(lrp.tables(meta_key), 0, rand, plain)


def session_vector_mac(uid: bytes, counter: bytes) -> bytes:
    """SV2, AES mode."""
    return _padded(bytes.fromhex("3CC300010080") + uid + counter)


def session_key_mac(file_key: bytes, reading: Reading) -> bytes:
    return aes.mac(file_key, session_vector_mac(reading.uid, reading.counter_bytes))


def session_key_enc(file_key: bytes, reading: Reading) -> bytes:
    return aes.mac(file_key, _padded(bytes.fromhex("C33C00010080") + reading.uid + reading.counter_bytes))


def session_key_lrp(file_key: bytes, reading: Reading) -> bytes:
    start = bytes.fromhex("00010080") + reading.uid + reading.counter_bytes
    return lrp.mac(file_key, start + bytes(-(len(start) + 2) % aes.BLOCK) + b"\x1e\xe1")


def file_data(mode: Mode, file_key: bytes, reading: Reading, plain: bytes) -> bytes:
    """The encrypted part of the file; `plain` is whole blocks of 16 bytes."""
    if mode is Mode.AES:
        key = session_key_enc(file_key, reading)
        return aes.cbc(key, plain, iv=aes.block(key, reading.counter_bytes + bytes(13)))
    tables = lrp.tables(session_key_lrp(file_key, reading))
    return lrp.encrypt(tables, 1, reading.counter_bytes + bytes(3), plain)


def mac(mode: Mode, file_key: bytes, reading: Reading, covered: bytes) -> bytes:
    """The 8 bytes that are sent. `covered`: the text between SDMMACInputOffset and the MAC, as it stands in the file."""
    if mode is Mode.AES:
        return aes.odd_bytes(aes.mac(session_key_mac(file_key, reading), covered))
    return aes.odd_bytes(lrp.mac(session_key_lrp(file_key, reading), covered))


def _padded(vector: bytes) -> bytes:
    return vector + bytes(-len(vector) % aes.BLOCK)
