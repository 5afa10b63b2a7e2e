"""The keys of cards, derived from one master that a person holds and the gateway never has.

AES-CMAC diversification in the manner of NXP AN10922: a constant, then what the key is for. The constant and the order of the
fields are our own, so these are not the keys that other AN10922 tools give. One master, different site, card, purpose, number
or version: another key, and none of them tells about the master or about another.
"""

from typing import Final

from edge_gateway.nfc import aes

META: Final = "meta"  # decrypts who a card is: one for a site, because the card is not yet known then
FILE: Final = "file"  # of a card: proves a reading
APP: Final = "app"  # of a card: live authentication, and changing the card

# The card's five keys. 0 changes the card and never leaves the person; the gateway has 2 and 3 of each card and the site's 1,
# so that nobody can rewrite a card with what lies in the gateway. 4 is spare.
MASTER_NO: Final = 0
META_NO: Final = 1
FILE_NO: Final = 2
LIVE_NO: Final = 3

_CONSTANT: Final = b"\x01kanhu"
_PURPOSES: Final = {META: 1, FILE: 2, APP: 3}
_KEY_BYTES: Final = 16


def derive(master: bytes, what: str, uid: bytes, key_no: int = 0, version: int = 1) -> bytes:
    """One key, 16 bytes.

    Args:
        master: 16 bytes.
        what: META, FILE or APP.
        uid: of the card; for META the site's name in ASCII, see `meta_key`.
        key_no: of the card's five, 0..4.  version: 1..255, as the card tells it.
    Raises:
        ValueError: an argument that would give a key nobody can derive again.
    """
    if len(master) != _KEY_BYTES:
        raise ValueError(f"master of {len(master)} bytes; expected {_KEY_BYTES}")
    if what not in _PURPOSES or not 0 <= key_no <= 4 or not 1 <= version <= 255 or not 1 <= len(uid) <= 48:
        raise ValueError(f"key {what!r} number {key_no} version {version} for {len(uid)} bytes")
    # All fields before the last have a fixed length: no two sets of arguments give one text.
    return aes.mac(master, _CONSTANT + bytes((_PURPOSES[what], key_no, version)) + uid)


def card_key(master: bytes, uid: bytes, number: int, version: int) -> bytes:
    """The key that stands at this number on a card: 0, 2, 3 or 4; for 1 see `meta_key`.

    Raises:
        ValueError: as `derive`.
    """
    if number == META_NO:
        raise ValueError("key 1 is the same for all cards of a site; see meta_key")
    return derive(master, FILE if number == FILE_NO else APP, uid, number, version)


def meta_key(master: bytes, site: str, version: int = 1) -> bytes:
    """The key under which all cards of a site encrypt their number."""
    return derive(master, META, site.encode("ascii"), 0, version)
