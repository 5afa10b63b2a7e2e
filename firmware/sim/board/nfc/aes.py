"""AES-128 in the few forms the NTAG 424 DNA uses, over the `cryptography` package."""

from cryptography.hazmat.primitives import cmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 16
ZERO = bytes(BLOCK)


def block(key: bytes, data: bytes) -> bytes:
    """Encrypt one block of 16 bytes."""
    return _ecb(key).encryptor().update(data)


def block_back(key: bytes, data: bytes) -> bytes:
    """Decrypt one block of 16 bytes."""
    return _ecb(key).decryptor().update(data)


def cbc(key: bytes, data: bytes, iv: bytes = ZERO) -> bytes:
    """Encrypt whole blocks."""
    return Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(data)


def cbc_back(key: bytes, data: bytes, iv: bytes = ZERO) -> bytes:
    """Decrypt whole blocks."""
    return Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor().update(data)


def mac(key: bytes, data: bytes) -> bytes:
    """AES-CMAC (RFC 4493), 16 bytes."""
    context = cmac.CMAC(algorithms.AES(key))
    context.update(data)
    return context.finalize()


def odd_bytes(full: bytes) -> bytes:
    """The 8 bytes of a CMAC that NXP's cards send: those at indexes 1, 3 ... 15."""
    return full[1::2]


def _ecb(key: bytes) -> Cipher[modes.ECB]:
    # One block at a time is what the card's own protocols are built from; no data is hidden by ECB here.
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305
