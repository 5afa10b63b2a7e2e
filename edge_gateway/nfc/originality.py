"""The maker's signature that an NTAG21x carries over its number (READ_SIG, NXP AN11350): the number was made by NXP.

Not that this chip is NXP's: signature and number can be copied together. Curve secp128r1, the UID itself in the hash's place.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from ecdsa import SECP128r1, VerifyingKey
from ecdsa.errors import MalformedPointError
from ecdsa.keys import BadSignatureError
from ecdsa.util import MalformedSignature, sigdecode_string

NTAG21X: Final = bytes.fromhex("04494E1A386D3D3CFE3DC10E5DE68A499B1C202DB5B132393E89ED19FE5BE8BC61")


def is_genuine(uid: bytes, signature: bytes, keys: Iterable[bytes] = (NTAG21X,)) -> bool:
    """Whether one of these public keys (33 bytes, uncompressed point) signed this UID.

    Raises:
        ValueError: a public key that is none.
    """
    return any(_signed(uid, signature, key) for key in keys)


# A signature never changes: a card that comes every day costs the curve's arithmetic once.
@lru_cache(maxsize=1024)
def _signed(uid: bytes, signature: bytes, key: bytes) -> bool:
    try:
        public = _public(key)
        return bool(public.verify_digest(signature, uid, sigdecode=sigdecode_string))
    except (BadSignatureError, MalformedSignature, AssertionError):
        return False


@lru_cache(maxsize=16)
def _public(key: bytes) -> VerifyingKey:
    try:
        return VerifyingKey.from_string(key, curve=SECP128r1)
    except MalformedPointError as error:
        raise ValueError(f"no point of secp128r1: {len(key)} bytes") from error
