"""Cards that are reported lost, so that the reader can say so. It refuses nobody: their taps are recorded as all others.

The gateway sends them by the command `revoked`, as the first 8 bytes of HMAC-SHA256(salt, UID): who takes the reader away finds
no list of card numbers in it. A card that shows a random UID is not recognised here, only at the gateway.
"""

import binascii
import hashlib

from app import files

_SALT, _DIGEST, _BLOCK = 16, 8, 64
_MOST = 256  # cards


class Reported:
    """
    Args:
        path: file that holds them: salt and digests.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        kept = files.read(path) or b""
        self._kept = kept if len(kept) >= _SALT and (len(kept) - _SALT) % _DIGEST == 0 else b""

    def __len__(self) -> int:
        return max(0, len(self._kept) - _SALT) // _DIGEST

    def has(self, uid: bytes) -> bool:
        """Whether this card is among them."""
        if len(self._kept) <= _SALT:
            return False
        wanted = digest(self._kept[:_SALT], uid)
        return any(self._kept[at : at + _DIGEST] == wanted for at in range(_SALT, len(self._kept), _DIGEST))

    def command(self, command: dict) -> None:
        """Command `revoked`: this list in the place of the one before.

        Raises:
            ValueError: it makes no sense; the one before stays.
            OSError: it could not be written; it is known until the next start.
        """
        kept = binascii.unhexlify(command["salt"]) + binascii.unhexlify(command["cards"])
        count = len(kept) - _SALT
        if len(command["salt"]) != 2 * _SALT or count % _DIGEST or count > _MOST * _DIGEST:
            raise ValueError("salt of %d digits, cards of %d" % (len(command["salt"]), len(command["cards"])))
        if kept != self._kept:
            self._kept = kept
            files.write(self._path, kept)


def digest(salt: bytes, uid: bytes) -> bytes:
    """HMAC-SHA256, its first 8 bytes."""
    key = salt + bytes(_BLOCK - len(salt))
    inner = hashlib.sha256(bytes([byte ^ 0x36 for byte in key]) + uid).digest()
    return hashlib.sha256(bytes([byte ^ 0x5C for byte in key]) + inner).digest()[:_DIGEST]
