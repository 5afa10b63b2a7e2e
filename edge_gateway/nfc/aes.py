"""AES-128 in the few forms that cards of the NTAG 424 DNA family use; CMAC of RFC 4493 and the half of it that they send."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK: Final = 16
ZERO: Final = bytes(BLOCK)

# ECB of single blocks is what the cards' own protocols are built from; no text is hidden by it here.
_ECB: Final = modes.ECB()  # noqa: S305


def encrypt_block(key: bytes, data: bytes) -> bytes:
    """One block, or several each by itself."""
    return Cipher(algorithms.AES(key), _ECB).encryptor().update(data)


def decrypt_block(key: bytes, data: bytes) -> bytes:
    """One block, or several each by itself."""
    return Cipher(algorithms.AES(key), _ECB).decryptor().update(data)


def encryptor(key: bytes) -> Callable[[bytes], bytes]:
    """For many blocks under one key, each by itself."""
    return Cipher(algorithms.AES(key), _ECB).encryptor().update


def encrypt(key: bytes, data: bytes, iv: bytes = ZERO) -> bytes:
    """CBC over whole blocks."""
    return Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(data)


def decrypt(key: bytes, data: bytes, iv: bytes = ZERO) -> bytes:
    """CBC over whole blocks."""
    return Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor().update(data)


def mac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC, all 16 bytes."""
    context = cmac.CMAC(algorithms.AES(key))
    context.update(data)
    return context.finalize()


def sent(full: bytes) -> bytes:
    """The 8 bytes of a MAC that travel: those at indexes 1, 3 ... 15. A known sample takes the even ones, which is wrong."""
    return full[1::2]


def padded(data: bytes) -> bytes:
    """With zeros to whole blocks."""
    return data + bytes(-len(data) % BLOCK)


def xor(a: bytes, b: bytes) -> bytes:
    """Two of one length, bit by bit."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(len(a), "big")
