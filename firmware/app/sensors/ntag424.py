"""NTAG 424 DNA: read its NDEF file, and carry APDUs for who holds the keys. No key is ever here.

The card writes its encrypted UID, counter and MAC into the file while it is read, so one command reads everything mirrored.
"""

from app.sensors.pn532 import CardError

_SELECT_APPLICATION = b"\x00\xa4\x04\x0c\x07\xd2\x76\x00\x00\x85\x01\x01\x00"
_SELECT_FILE = b"\x00\xa4\x00\x0c\x02\xe1\x04"
_LONGEST = 254  # bytes of the file behind its length


async def message(exchange) -> bytes | None:
    """The NDEF message, None for a card that has no such file.

    Args:
        exchange: coroutine function APDU -> answer.
    Raises:
        CardError: the card left, or answered nonsense: try again.
    """
    for apdu in (_SELECT_APPLICATION, _SELECT_FILE):
        if _ok(await exchange(apdu)) is None:
            return None
    head = _ok(await exchange(b"\x00\xb0\x00\x00\x02"))
    if head is None:
        return None
    size = int.from_bytes(head, "big")
    if len(head) != 2 or size > _LONGEST:
        raise CardError("NDEF length %s" % head.hex())
    if not size:
        return None
    body = _ok(await exchange(b"\x00\xb0\x00\x02" + bytes((size,))))
    if body is None or len(body) != size:
        raise CardError("NDEF file cut")
    return body


def _ok(answer: bytes) -> bytes | None:
    """The data of an answer that ends in 90 00, None for a refusal."""
    if len(answer) < 2:
        raise CardError("answer of %d bytes" % len(answer))
    return answer[:-2] if answer[-2:] == b"\x90\x00" else None
