"""What a card in the field proves, as two texts: what identifies it, and the grade of that proof. Nothing is decided here.

sun                picc_data=..&cmac=..        computed by the card for this one reading; checked at the gateway
counter_signature  uid=..&ctr=..&sig=..        maker's signature over the UID, and how often the tag was read
uid                04a2b3c4d5e680              anybody can copy this
"""

from app.sensors import ndef, ntag21x, ntag424
from app.sensors.pn532 import CardError

SUN, COUNTER_SIGNATURE, UID = "sun", "counter_signature", "uid"
_LONGEST = 1000  # characters; the contract takes 1,024


async def read(reader, target, settle: bool = False) -> tuple:
    """`(text, grade)` of this card.

    Args:
        settle: take the UID where the better proof could not be read; for the last of several tries.
    Raises:
        CardError: hold it again.
        Silent: the reader does not answer.
    """
    if target.speaks_apdu:
        return await _apdu_card(reader, target)
    if target.sak & 0x08:
        return _plain(target)  # MIFARE Classic: its own cipher is broken, so the UID is all it is asked for
    found = await ntag21x.uid(reader, target)
    try:
        counter, signature = await ntag21x.counter_and_signature(reader, target)
    except CardError:
        if settle:
            return _plain(target)
        raise
    return "uid=%s&ctr=%06x&sig=%s" % (found.hex(), counter, signature.hex()), COUNTER_SIGNATURE


async def _apdu_card(reader, target) -> tuple:
    async def exchange(apdu):
        return await reader.exchange(target, apdu)

    message = await ntag424.message(exchange)
    address = ndef.uri(message) if message else None
    if address:
        query = ndef.query(address)
        if len(query) <= _LONGEST and ndef.has_sun(query):
            return query, SUN
    return _plain(target)


def _plain(target) -> tuple:
    if target.is_random:
        raise CardError("a random UID, and no proof")
    return target.uid.hex(), UID
