"""AES-256-CBC with PKCS#7, as the chats seal what they hand in."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def unsealed(key: bytes, iv: bytes, data: bytes, block: int) -> bytes:
    """The text.

    Args:
        block: padded to a multiple of it: 16, with WeCom 32.
    Raises:
        ValueError: it was not sealed with this key.
    """
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(data) + decryptor.finalize()
    size = padded[-1] if padded else 0
    if not 0 < size <= block or len(padded) < size or padded[-size:] != bytes([size]) * size:
        raise ValueError("padding")
    return padded[:-size]


def sealed(key: bytes, iv: bytes, text: bytes, block: int) -> bytes:
    """What `unsealed` opens."""
    size = block - len(text) % block
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    return encryptor.update(text + bytes([size]) * size) + encryptor.finalize()
