"""NTAG213, 215, 216: the UID as the memory has it, the read counter and the maker's signature."""

from app.sensors.pn532 import CardError

_READ_FIRST_PAGES = b"\x30\x00"
_GET_VERSION = b"\x60"
_READ_COUNTER = b"\x39\x02"
_READ_SIGNATURE = b"\x3c\x00"
_MAKER_NTAG = b"\x00\x04\x04"


async def uid(reader, target) -> bytes:
    """The UID out of pages 0 and 1, whose check bytes are right.

    Raises:
        CardError: it is not the one the card was found by; a misread card is nobody's card.
    """
    pages = await reader.exchange(target, _READ_FIRST_PAGES)
    if len(pages) != 16:
        raise CardError("READ gave %d bytes" % len(pages))
    first = 0x88 ^ pages[0] ^ pages[1] ^ pages[2] ^ pages[3]
    second = pages[4] ^ pages[5] ^ pages[6] ^ pages[7] ^ pages[8]
    found = pages[0:3] + pages[4:8]
    if first or second or found != target.uid:
        raise CardError("UID %s, found as %s" % (found.hex(), target.uid.hex()))
    return found


async def counter_and_signature(reader, target) -> tuple:
    """`(counter, signature)`: how often the tag has been read, and 32 bytes of ECC signature over its UID.

    Read `uid` first: the counter rises with the first READ. A tag of another kind refuses and is mute afterwards.

    Raises:
        CardError: refused (another kind of tag, counter switched off), or the card left.
    """
    await reader.select(target)
    version = await reader.through(_GET_VERSION)
    if len(version) != 8 or version[:3] != _MAKER_NTAG:
        raise CardError("GET_VERSION gave %s" % version.hex())
    counter = await reader.through(_READ_COUNTER)
    signature = await reader.through(_READ_SIGNATURE)
    if len(counter) != 3 or len(signature) != 32:
        raise CardError("counter of %d, signature of %d bytes" % (len(counter), len(signature)))
    return int.from_bytes(counter, "little"), signature
