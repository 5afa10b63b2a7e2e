"""What nobody may read who has the ledger's file alone: numbers and keys of cards, names. AES-256-GCM with a key beside it.

Who finds a card by its number asks for `index`: a keyed hash, for a plain one of seven bytes can be guessed.
"""

import hmac
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from edge_gateway.errors import Misconfigured

_NONCE: Final = 12
_KEY: Final = 32


class Seal:
    """Seals and opens with one key.

    Args:
        key: 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != _KEY:
            raise Misconfigured(f"the key of the ledger has {len(key)} bytes instead of {_KEY}", "restore it from the backup")
        self._cipher = AESGCM(hmac.digest(key, b"kanhu visits seal", sha256))
        self._index = hmac.digest(key, b"kanhu visits index", sha256)

    def seal(self, plain: bytes, about: str) -> bytes:
        """Nonce and ciphertext; only `open` with the same `about` reads it, so that no row can be put in another's place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """What was sealed.

        Raises:
            Misconfigured: another key, another row, or damaged.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise Misconfigured(f"what is sealed as {about} cannot be opened", "restore visits.key from its backup") from error

    def index(self, what: bytes) -> bytes:
        """A keyed hash by which it can be found again."""
        return hmac.digest(self._index, what, sha256)


def load(path: Path, make: bool) -> Seal:
    """The seal whose key is in this file.

    Args:
        make: there is nothing sealed yet: make a key where there is none.

    Raises:
        Misconfigured: it is missing, others may read it, or it is no key.
    """
    try:
        if make and not path.exists():
            _make(path)
        mode = path.stat().st_mode
        if mode & 0o077:
            raise Misconfigured(f"{path} can be read by others (mode {mode & 0o777:o})", f"chmod 600 {path}")
        return Seal(path.read_bytes())
    except FileNotFoundError as error:
        hint = "restore it from its backup: names, cards and their keys cannot be read without it"
        raise Misconfigured(f"the key of the ledger, {path}, is missing", hint) from error
    except OSError as error:
        raise Misconfigured(f"cannot use the key of the ledger, {path}: {error}", "it has to be a file of mode 0600") from error


def _make(path: Path) -> None:
    """Whole or not at all: half a key after a power cut would be taken for one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.urandom(_KEY))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
