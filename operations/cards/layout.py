"""What is written into an NTAG 424 DNA: the link with its placeholders, and the settings that fill them at each reading.

Key numbers: 0 changes the card and is known to nobody but the master's holder; 1 encrypts who it is, for a whole site; 2 proves
a reading; 3 answers the gateway's live question, and opens nothing; 4 is kept closed.
"""

import re
from dataclasses import dataclass
from typing import Final

from edge_gateway.errors import Misconfigured

CARD, META, FILE, LIVE, SPARE = range(5)
NDEF_FILE, PRIVATE_FILE = 2, 3
NDEF_SIZE: Final = 256
DEFAULT_LINK: Final = "https://tap.invalid/t"  # .invalid: leads nowhere, for ever
_LONGEST: Final = 120  # characters of the link; with its fields the message stays a short record of the 256 bytes
_LINK: Final = re.compile(r"https://[a-z0-9.-]+(:\d{1,5})?(/[a-zA-Z0-9._~/-]*)?")
_BEFORE: Final = 7  # length of the message 2, head of the record 4, the prefix https:// 1
_PICC, _MAC = 32, 16  # hexadecimal digits

_SDM: Final = 0x40
_OPTIONS: Final = 0xC1  # UID, counter, as ASCII
_RIGHTS: Final = bytes((CARD << 4 | CARD, 0xE << 4 | CARD))  # all may read; key 0 writes and changes
_SDM_RIGHTS: Final = bytes((0xFF, META << 4 | FILE))  # the counter cannot be asked for by itself
# The third file is not used: nobody but key 0 may read or write it, else key 3 would open something.
PRIVATE_SETTINGS: Final = bytes((0x03, 0x00, 0x00))


@dataclass(frozen=True, slots=True)
class Layout:
    """
    content: of the NDEF file, all its bytes.
    settings: as ChangeFileSettings takes them.
    """

    content: bytes
    settings: bytes

    @property
    def message(self) -> bytes:
        """The NDEF message without its length."""
        return self.content[2 : 2 + int.from_bytes(self.content[:2], "big")]


def layout(link: str) -> Layout:
    """
    Args:
        link: `https://host/path`; where a phone goes that reads the card. It must not say whose card it is.
    Raises:
        Misconfigured: it is no such link.
    """
    if len(link) > _LONGEST or _LINK.fullmatch(link) is None:
        hint = f"https://tap.example/t: lower-case host, path, no question mark, at most {_LONGEST} characters"
        raise Misconfigured(f"{link[:60]!r} cannot stand on a card", hint)
    text = f"{link.removeprefix('https://')}?picc_data=".encode()
    picc_at = _BEFORE + len(text)
    text += b"0" * _PICC + b"&cmac="
    mac_at = _BEFORE + len(text)
    text += b"0" * _MAC
    message = bytes((0xD1, 0x01, len(text) + 1, 0x55, 0x04)) + text
    content = (len(message).to_bytes(2, "big") + message).ljust(NDEF_SIZE, b"\0")
    # PICC data; where the MAC's input begins, at the MAC itself: it covers nothing but UID and counter; the MAC.
    offsets = b"".join(at.to_bytes(3, "little") for at in (picc_at, mac_at, mac_at))
    return Layout(content, bytes((_SDM,)) + _RIGHTS + bytes((_OPTIONS,)) + _SDM_RIGHTS + offsets)


def settings_of(told: bytes) -> bytes:
    """What GetFileSettings tells, in the form that ChangeFileSettings takes: without type and size."""
    return told[1:4] + told[7:]


def link_of(content: bytes) -> str:
    """The URL in an NDEF file; "" if there is none."""
    length = int.from_bytes(content[:2], "big")
    record = content[2 : 2 + length]
    if len(record) < 5 or len(record) != length or record[0] & 0x17 != 0x11 or record[3:5] != b"\x55\x04":
        return ""
    return "https://" + record[5 : 4 + record[2]].decode("ascii", "replace")
