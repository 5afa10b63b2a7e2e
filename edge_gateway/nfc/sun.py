"""Verifying what an NTAG 424 DNA wrote for one reading (Secure Unique NFC); two steps, for the file key depends on the card.

`identify` decrypts who it says it is, with the meta keys of a site; `check` then proves it with that card's own key. AES mode
after NXP AN12196, LRP mode after AN12304. Whether the reading is new is not asked here.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc import aes, lrp, tag_text
from edge_gateway.nfc.tag_text import Mode, Sun

# The tag byte of PICC data: UID and counter are there, and the UID has 7 bytes. Nothing else names a card and a reading.
_UID_AND_COUNTER: Final = 0xC7
_COUNTER_BYTES: Final = 3


@dataclass(frozen=True, slots=True)
class Identified:
    """Who a reading says it is; proved only by `check`.

    Attributes:
        mode: None for a plain mirror: the card's record says it.
        uid: 7 bytes.  counter: SDMReadCtr, 0..16,777,215.
        encrypted: it came encrypted under a meta key of ours; a plain mirror can be written by anybody.
    """

    sun: Sun
    mode: Mode | None
    uid: bytes
    counter: int
    encrypted: bool


def read(text: str) -> Sun:
    """The code in a tap's text.

    Raises:
        Rejected: there is none, with a reason of `tag_text.parse`.
    """
    found = tag_text.parse(text)
    if not isinstance(found, Sun):
        raise Rejected("no_code", "a number without a code")
    return found


def identify(sun: Sun | str, metas: Iterable[bytes], known: Callable[[bytes], bool] = lambda uid: True) -> Identified | None:
    """Who it says it is; None if no meta key makes sense of it.

    Args:
        metas: meta keys that may have been used, the likeliest first.
        known: whether a UID is that of an enrolled card. One wrong key in 256 makes sense by chance, and must not hide the
            right one: a card that is known goes before one that is not.
    Raises:
        Rejected: from a text that holds no code.
    """
    if isinstance(sun, str):
        sun = read(sun)
    if sun.counter is not None:
        return Identified(sun, sun.mode, sun.uid, sun.counter, encrypted=False)
    stranger = None
    for meta in metas:
        plain = _picc(sun, meta)
        if plain[0] != _UID_AND_COUNTER:
            continue
        found = Identified(sun, sun.mode, plain[1:8], int.from_bytes(plain[8:11], "little"), encrypted=True)
        if known(found.uid):
            return found
        stranger = stranger or found
    return stranger


def check(found: Identified, file_key: bytes, mode: Mode | None = None) -> bool:
    """Whether the card that holds this key wrote it. Takes the same time either way.

    Args:
        mode: of the card, where the text does not show it; AES unless said.
    """
    mode = found.mode or mode or Mode.AES
    if mode is Mode.AES:
        full = aes.mac(mac_key(file_key, found.uid, found.counter), found.sun.covered)
    else:
        full = lrp.mac(lrp.tables(lrp_key(file_key, found.uid, found.counter)), found.sun.covered)
    return hmac.compare_digest(aes.sent(full), found.sun.mac)


def check_nobody(sun: Sun) -> None:
    """The work of `check` for a text that names no card of ours: how long it takes must not tell which cards exist."""
    check(Identified(sun, sun.mode, bytes(7), 0, encrypted=False), aes.ZERO)


def file_data(found: Identified, file_key: bytes, mode: Mode | None = None) -> bytes:
    """The file's encrypted part in clear; call it after `check`. b"" where there is none."""
    enc = found.sun.enc
    counter = found.counter.to_bytes(_COUNTER_BYTES, "little")
    if (found.mode or mode or Mode.AES) is Mode.AES:
        key = enc_key(file_key, found.uid, found.counter)
        return aes.decrypt(key, enc, iv=aes.encrypt_block(key, counter + bytes(13))) if enc else b""
    spread = lrp.tables(lrp_key(file_key, found.uid, found.counter))
    return lrp.decrypt(spread, lrp.ENCRYPTION, counter + bytes(3), enc)


def verify(
    text: str, metas: Iterable[bytes], file_key: Callable[[bytes], bytes | None], mode: Mode | None = None
) -> Identified:
    """Both steps at once, for who has all keys at hand.

    Args:
        file_key: UID -> key of that card, or None if there is no such card.
    Raises:
        Rejected: a reason of `tag_text.parse`, `not_ours`, `unknown_card`, or `bad_code`.
    """
    sun = read(text)
    found = identify(sun, metas, lambda uid: file_key(uid) is not None)
    if found is None:
        check_nobody(sun)
        raise Rejected("not_ours", "it decrypts to nothing under the keys given")
    key = file_key(found.uid)
    if key is None:
        check_nobody(sun)
        raise Rejected("unknown_card", "no key for the card that it names")
    found = replace(found, mode=found.mode or mode)
    if not check(found, key):
        raise Rejected("bad_code", "the code is not that of the card that it names")
    return found


def mac_key(file_key: bytes, uid: bytes, counter: int) -> bytes:
    """AES mode: the key of this reading's MAC."""
    vector = bytes.fromhex("3CC300010080") + uid + counter.to_bytes(_COUNTER_BYTES, "little")
    return aes.mac(file_key, aes.padded(vector))


def enc_key(file_key: bytes, uid: bytes, counter: int) -> bytes:
    """AES mode: the key of this reading's file data."""
    vector = bytes.fromhex("C33C00010080") + uid + counter.to_bytes(_COUNTER_BYTES, "little")
    return aes.mac(file_key, aes.padded(vector))


def lrp_key(file_key: bytes, uid: bytes, counter: int) -> bytes:
    """LRP mode: the one key of this reading; its updated keys are those of MAC and file data."""
    vector = bytes.fromhex("00010080") + uid + counter.to_bytes(_COUNTER_BYTES, "little")
    vector += bytes(-(len(vector) + 2) % aes.BLOCK) + b"\x1e\xe1"
    return lrp.mac(lrp.kept(file_key), vector)


def _picc(sun: Sun, meta: bytes) -> bytes:
    if sun.mode is Mode.AES:
        return aes.decrypt(meta, sun.picc)
    return lrp.decrypt(lrp.kept(meta), lrp.AUTHENTICATION, sun.picc[:8], sun.picc[8:])
