"""Seals what devices sent as it came: it may hold the number of a card, which must not lie in a file that can be read.

The same bytes give the same seal (AES-SIV), so that a repeat is found without opening anything. What is not sealed, from a file
of an older version, is left as it is.
"""

import hmac
import logging
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from edge_gateway.errors import Misconfigured, Unavailable

log = logging.getLogger(__name__)

_MARK: Final = b"\x00kh1"
_KEY: Final = 64
_LEAST: Final = len(_MARK) + 16


class RawSeal:
    """Seals and opens with one key of 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)
        self._index = hmac.digest(key, b"kanhu erasures", sha256)

    def seal(self, plain: bytes) -> bytes:
        """What may be stored; 20 bytes longer."""
        return _MARK + self._cipher.encrypt(plain or b"\x00", [b"" if plain else b"empty"])

    def index(self, about: str) -> str:
        """A keyed hash by which a name is known again, and which tells nobody the name."""
        return hmac.digest(self._index, about.encode(), sha256).hex()

    def open(self, stored: bytes) -> bytes:
        """What was sealed; as it is when it is not sealed.

        Raises:
            Unavailable: sealed with another key, or damaged.
        """
        if not stored.startswith(_MARK) or len(stored) < _LEAST:
            return stored
        for about, found in ((b"", None), (b"empty", b"")):
            try:
                opened = self._cipher.decrypt(stored[len(_MARK) :], [about])
            except InvalidTag:
                continue
            return opened if found is None else found
        raise Unavailable("a message in the store was sealed with another key; restore secrets/store.key from its backup")


def key_file(store: Path) -> Path:
    """Where the key of this store lies."""
    return store.parent / "secrets" / "store.key"


def load(file: Path, make: bool = False) -> RawSeal:
    """The seal whose key is in this file; `make`: a new one where there is none.

    Raises:
        Misconfigured: others may read it, or it is no key.
        Unavailable: there is none.
    """
    try:
        if make and not file.exists():
            _make(file)
        mode = file.stat().st_mode
        if mode & 0o077:
            raise Misconfigured(f"{file} can be read by others (mode {mode & 0o777:o})", f"chmod 600 {file}")
        key = file.read_bytes()
    except FileNotFoundError as error:
        raise Unavailable(f"there is no {file}; the gateway makes it when it starts") from error
    except OSError as error:
        raise Misconfigured(f"cannot use {file}: {error}", "it has to be a file of mode 0600") from error
    if len(key) != _KEY:
        raise Misconfigured(f"{file} has {len(key)} bytes instead of {_KEY}", "restore it from its backup")
    return RawSeal(key)


def opened(store: Path, stored: bytes) -> bytes:
    """One message of a store, for somebody who reads beside the gateway. Raises as `load` and `RawSeal.open`."""
    return load(key_file(store)).open(stored) if stored.startswith(_MARK) else stored


def _make(file: Path) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_name(f"{file.name}.part{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(os.urandom(_KEY))
        out.flush()
        os.fsync(out.fileno())
    part.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    log.info("made %s: it opens what devices sent and nobody could take in", file)
