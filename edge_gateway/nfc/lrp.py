"""LRP, the mode of the NTAG 424 DNA that tells little to who measures its current (NXP AN12304), built from single AES blocks.

A key is spread into tables once; they are kept for the keys used last, because spreading costs 35 AES blocks.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from edge_gateway.nfc.aes import BLOCK, ZERO, decrypt_block, encrypt_block, xor

AUTHENTICATION: Final = 0  # which updated key: for MACs, session keys and PICC data ...
ENCRYPTION: Final = 1  # ... and for file data

_FIVE: Final = b"\x55" * BLOCK
_TEN: Final = b"\xaa" * BLOCK
_POLYNOMIAL: Final = 0x87
_TOP: Final = 1 << 128


@dataclass(frozen=True, slots=True)
class Tables:
    """A key as LRP uses it: 16 plaintexts, two updated keys, and the two subkeys of its CMAC."""

    plaintexts: tuple[bytes, ...]
    keys: tuple[bytes, bytes]
    subkeys: tuple[bytes, bytes]


@lru_cache(maxsize=1024)
def kept(key: bytes) -> Tables:
    """The tables of a key that comes again, a meta or file key."""
    return tables(key)


def tables(key: bytes) -> Tables:
    """The tables of a key that is used once."""
    plaintexts = []
    h = encrypt_block(key, _FIVE)
    for _ in range(16):
        both = encrypt_block(h, _TEN + _FIVE)
        plaintexts.append(both[:BLOCK])
        h = both[BLOCK:]
    both = encrypt_block(encrypt_block(key, _TEN), _TEN + _FIVE)
    keys = both[:BLOCK], encrypt_block(both[BLOCK:], _TEN)
    k1 = _doubled(_evaluate(plaintexts, keys[AUTHENTICATION], ZERO))
    return Tables(tuple(plaintexts), keys, (k1, _doubled(k1)))


def evaluate(spread: Tables, which: int, data: bytes) -> bytes:
    """Eval: one AES for each half byte of `data`, the most significant first, and one more."""
    return _evaluate(spread.plaintexts, spread.keys[which], data)


def mac(spread: Tables, data: bytes) -> bytes:
    """CMAC-LRP, 16 bytes: AES-CMAC with Eval in the place of the block cipher."""
    whole = (len(data) - 1) // BLOCK * BLOCK if data else 0
    last = data[whole:]
    if len(last) == BLOCK:
        last = xor(last, spread.subkeys[0])
    else:
        last = xor(last + b"\x80" + bytes(BLOCK - 1 - len(last)), spread.subkeys[1])
    y = ZERO
    for at in range(0, whole, BLOCK):
        y = evaluate(spread, AUTHENTICATION, xor(y, data[at : at + BLOCK]))
    return evaluate(spread, AUTHENTICATION, xor(y, last))


def encrypt(spread: Tables, which: int, counter: bytes, data: bytes) -> bytes:
    """LRICB over whole blocks; `counter` is big-endian and counts on in its own length."""
    keys = _stream(spread, which, counter, len(data) // BLOCK)
    return b"".join(encrypt_block(key, data[at : at + BLOCK]) for key, at in keys)


def decrypt(spread: Tables, which: int, counter: bytes, data: bytes) -> bytes:
    """The way back."""
    keys = _stream(spread, which, counter, len(data) // BLOCK)
    return b"".join(decrypt_block(key, data[at : at + BLOCK]) for key, at in keys)


def _stream(spread: Tables, which: int, counter: bytes, blocks: int) -> list[tuple[bytes, int]]:
    """The key of each block, and where the block begins."""
    first, size = int.from_bytes(counter, "big"), len(counter)
    numbers = ((first + n) % (1 << 8 * size) for n in range(blocks))
    return [(evaluate(spread, which, number.to_bytes(size, "big")), n * BLOCK) for n, number in enumerate(numbers)]


def _evaluate(plaintexts: tuple[bytes, ...] | list[bytes], key: bytes, data: bytes) -> bytes:
    y = key
    for digit in data.hex():
        y = encrypt_block(y, plaintexts[int(digit, 16)])
    return encrypt_block(y, ZERO)


def _doubled(value: bytes) -> bytes:
    number = int.from_bytes(value, "big") << 1
    if number >= _TOP:
        number = number - _TOP ^ _POLYNOMIAL
    return number.to_bytes(BLOCK, "big")
