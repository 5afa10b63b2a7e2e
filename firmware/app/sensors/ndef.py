"""NDEF, as much of it as a reader needs: the first URI of a message."""

_SHORTENED = (
    "",
    "http://www.",
    "https://www.",
    "http://",
    "https://",
)
_SHORT, _WITH_ID = 0x10, 0x08


def uri(message: bytes) -> str | None:
    """The first URI record's text, None when there is none or the message is cut.

    Only the four web prefixes are spelled out; of any other code the text comes without its prefix.
    """
    at = 0
    while at + 3 <= len(message):
        flags, type_size = message[at], message[at + 1]
        at += 2
        if flags & _SHORT:
            size = message[at]
            at += 1
        else:
            size = int.from_bytes(message[at : at + 4], "big")
            at += 4
        id_size = 0
        if flags & _WITH_ID:
            id_size = message[at] if at < len(message) else 0
            at += 1
        kind = message[at : at + type_size]
        at += type_size + id_size
        payload = message[at : at + size]
        if len(payload) != size:
            return None
        if flags & 7 == 1 and kind == b"U" and size:
            code = payload[0]
            prefix = _SHORTENED[code] if code < len(_SHORTENED) else ""
            try:
                return prefix + payload[1:].decode()
            except ValueError:  # UnicodeError
                return None
        at += size
    return None


def query(address: str) -> str:
    """What follows the question mark of a URL, "" if there is none."""
    start = address.find("?")
    if start < 0:
        return ""
    end = address.find("#", start)
    return address[start + 1 :] if end < 0 else address[start + 1 : end]


def has_sun(text: str) -> bool:
    """Whether a query carries what a card computed for this one reading: a MAC, and UID and counter encrypted or plain.

    The names are free, the lengths tell: MAC 16 hex digits; encrypted 32 (AES) or 48 (LRP); plain UID 14 and counter 6, or
    all three as one value with `x` between.
    """
    sizes = []
    for part in text.split("&"):
        value = part[part.find("=") + 1 :]
        for piece in value.split("x"):
            sizes.append(len(piece) if _is_hex(piece) else 0)
    return 16 in sizes and (32 in sizes or 48 in sizes or (14 in sizes and 6 in sizes))


def _is_hex(text: str) -> bool:
    return bool(text) and all(c in "0123456789abcdefABCDEF" for c in text)
