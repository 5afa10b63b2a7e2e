"""An NTAG21x at the desk: is it the maker's, and does it count its readings."""

from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.nfc import originality
from operations.cards.reader import CardLost, Reader, find_again

_CONFIGURATION: Final = {0x0F: 0x29, 0x11: 0x83, 0x13: 0xE3}  # page of CFG0 by the version's size byte; CFG1 follows
_COUNTS: Final = 0x10  # NFC_CNT_EN in the first byte of CFG1
_CONFIGURATION_LOCKED: Final = 0x40
_NOT_NXP: Final = "the maker's signature does not belong to its number: no NTAG of NXP, or a copy"


def enable(reader: Reader, uid: bytes, product: int) -> bool:
    """Check the signature and switch the counter on; whether it had to be switched on. To repeat it is harmless.

    Raises:
        Rejected: `not_genuine`; `locked`: somebody has closed its settings, or they need a password.
        CardLost
    """
    if not genuine(reader, uid):
        raise Rejected("not_genuine", _NOT_NXP)
    page = _CONFIGURATION[product] + 1
    card = find_again(reader, uid)
    before = card.exchange(bytes((0x30, page)))[:4]
    if len(before) != 4:
        raise CardLost("the tag answered half a page; hold it again")
    if before[0] & _COUNTS:
        return False
    if before[0] & _CONFIGURATION_LOCKED:
        raise Rejected("locked", "its counter is off, and its settings are closed for ever; take another tag")
    try:
        card.exchange(bytes((0xA2, page, before[0] | _COUNTS)) + before[1:])
    except CardLost:
        find_again(reader, uid)
        if not _page(reader, uid, page)[0] & _COUNTS:
            raise Rejected("locked", "its settings need a password that somebody has set; take another tag") from None
    if not _page(reader, uid, page)[0] & _COUNTS:
        raise CardLost("the counter was not switched on; hold the tag again")
    return True


def counter(reader: Reader, uid: bytes) -> int:
    """How often it has been read; this reading counts too.

    Raises:
        CardLost: taken away, or it does not count.
    """
    card = find_again(reader, uid)
    card.exchange(b"\x30\x00")  # the counter rises with the first READ
    answer = card.exchange(b"\x39\x02")
    if len(answer) != 3:
        raise CardLost("the tag does not tell its counter; hold it again")
    return int.from_bytes(answer, "little")


def genuine(reader: Reader, uid: bytes) -> bool:
    """Whether the maker signed this number."""
    try:
        signature = find_again(reader, uid).exchange(b"\x3c\x00")
    except CardLost:
        find_again(reader, uid)
        return False  # it refused
    return originality.is_genuine(uid, signature)


def _page(reader: Reader, uid: bytes, page: int) -> bytes:
    return find_again(reader, uid).exchange(bytes((0x30, page)))[:4]
