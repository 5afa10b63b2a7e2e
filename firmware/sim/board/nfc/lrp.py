"""LRP, the leakage-resilient mode of the NTAG 424 DNA (AN12304), built from AES-128 of one block."""

from dataclasses import dataclass

from firmware.sim.board.nfc import aes

_FIVE = bytes([0x55]) * aes.BLOCK
_TEN = bytes([0xAA]) * aes.BLOCK
_POLYNOMIAL = 0x87


@dataclass(frozen=True)
class Tables:
    """What a key is spread into: 16 plaintexts, and updated keys (0: authentication, 1: encryption)."""

    plaintexts: tuple[bytes, ...]
    keys: tuple[bytes, bytes]


def tables(key: bytes) -> Tables:
    h = aes.block(key, _FIVE)
    plaintexts = []
    for _ in range(16):
        plaintexts.append(aes.block(h, _TEN))
        h = aes.block(h, _FIVE)
    h = aes.block(key, _TEN)
    first = aes.block(h, _TEN)
    h = aes.block(h, _FIVE)
    return Tables(tuple(plaintexts), (first, aes.block(h, _TEN)))


def evaluate(plaintexts: tuple[bytes, ...], key: bytes, data: bytes) -> bytes:
    """Eval: one AES for each half byte of `data`, most significant first."""
    y = key
    for digit in data.hex():
        y = aes.block(y, plaintexts[int(digit, 16)])
    return aes.block(y, aes.ZERO)


def mac(key: bytes, data: bytes) -> bytes:
    """CMAC-LRP with the key's tables, 16 bytes."""
    spread = tables(key)

    def one(block: bytes) -> bytes:
        return evaluate(spread.plaintexts, spread.keys[0], block)

    k1 = _double(one(aes.ZERO))
    whole = (len(data) - 1) // aes.BLOCK * aes.BLOCK if data else 0
    last = data[whole:]
    padded = last if len(last) == aes.BLOCK else last + b"\x80" + bytes(aes.BLOCK - 1 - len(last))
    last = _xor(padded, k1 if padded == last else _double(k1))
    y = aes.ZERO
    for at in range(0, whole, aes.BLOCK):
        y = one(_xor(y, data[at : at + aes.BLOCK]))
    return one(_xor(y, last))


def encrypt(spread: Tables, which: int, counter: bytes, data: bytes) -> bytes:
    """LRICB over whole blocks; `counter` is big-endian and counts up in its own length."""
    return b"".join(aes.block(k, part) for k, part in _stream(spread, which, counter, data))


def decrypt(spread: Tables, which: int, counter: bytes, data: bytes) -> bytes:
    return b"".join(aes.block_back(k, part) for k, part in _stream(spread, which, counter, data))


def _stream(spread: Tables, which: int, counter: bytes, data: bytes) -> list[tuple[bytes, bytes]]:
    size = len(counter)
    start = int.from_bytes(counter, "big")
    pairs = []
    for number, at in enumerate(range(0, len(data), aes.BLOCK)):
        now = ((start + number) % (1 << 8 * size)).to_bytes(size, "big")
        pairs.append((evaluate(spread.plaintexts, spread.keys[which], now), data[at : at + aes.BLOCK]))
    return pairs


def _double(value: bytes) -> bytes:
    number = int.from_bytes(value, "big") << 1
    if number >> 128:
        number = number & ((1 << 128) - 1) ^ _POLYNOMIAL
    return number.to_bytes(aes.BLOCK, "big")


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
