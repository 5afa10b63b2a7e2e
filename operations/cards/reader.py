"""The reader on the desk: one card at a time. `open_reader` knows the drivers below; the rest only sees `Card`."""

import time
from collections.abc import Callable
from enum import Enum
from typing import Final, Protocol

from edge_gateway.errors import Misconfigured, Rejected, Unavailable

_LOOK_EVERY_S: Final = 0.2
_SETTLED_LOOKS: Final = 2  # a card at the edge of the field comes and goes; it is away when it is away twice


class CardLost(Unavailable):
    """The card went away, or does not answer: hold it again."""


class Medium(Enum):
    """How one speaks to a card."""

    APDU = "apdu"  # ISO 14443-4: whole APDUs
    TYPE2 = "type2"  # frames of a Type 2 tag, as NTAG21x
    NONE = "none"  # its number is all that it gives, as MIFARE Classic


class Card(Protocol):
    """The card on the reader.

    Attributes:
        uid: as it was found: 4 bytes that begin with 08 are random, and new each time.
    """

    @property
    def uid(self) -> bytes: ...

    @property
    def medium(self) -> Medium: ...

    def exchange(self, data: bytes) -> bytes:
        """One command, one answer. A Type 2 tag that refused has to be found again.

        Raises:
            CardLost: no answer, or the card refused by silence.
        """


class Reader(Protocol):
    """A desk reader."""

    name: str

    def find(self) -> Card | None:
        """The card in the field, freshly selected: what was before, such as a session, is over. None: there is none.

        Raises:
            Unavailable: the reader itself does not answer.
        """

    def close(self) -> None: ...


def open_reader(name: str) -> Reader:
    """
    Args:
        name: `usb`, `usb:072f:2200`, `tty:/dev/ttyUSB0:pn532`, `pcsc`, or `pcsc:` and a part of the reader's name.
    Raises:
        Misconfigured: no such kind, or its library is missing.
        Unavailable: there is no such reader, or it does not answer.
    """
    kind = name.partition(":")[0]
    if kind in ("usb", "tty"):
        from operations.cards.nfcpy_reader import NfcpyReader

        return NfcpyReader(name)
    if kind == "pcsc":
        from operations.cards.pcsc_reader import PcscReader

        return PcscReader(name.partition(":")[2])
    raise Misconfigured(f"there is no reader {name!r}", "usb, tty:/dev/ttyUSB0:pn532, or pcsc")


def wait_for_card(
    reader: Reader,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Card:
    """The next card that is held to the reader.

    Raises:
        Unavailable: none came in time.
    """
    ends = clock() + timeout_s
    while True:
        try:
            card = reader.find()
        except CardLost:
            card = None  # it was taken away while it was being selected
        if card is not None:
            return card
        if clock() >= ends:
            raise Unavailable(f"no card within {timeout_s:g} s on {reader.name}; hold one to the middle of the reader")
        sleep(_LOOK_EVERY_S)


def wait_for_removal(reader: Reader, timeout_s: float, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether the reader is free again."""
    away, ends = 0, time.monotonic() + timeout_s
    while True:
        try:
            away = 0 if reader.find() is not None else away + 1
        except CardLost:
            away += 1
        if away >= _SETTLED_LOOKS:
            return True
        if time.monotonic() >= ends:
            return False
        sleep(_LOOK_EVERY_S)


def find_again(reader: Reader, uid: bytes) -> Card:
    """The same card, freshly selected.

    Raises:
        CardLost: it is gone.
        Rejected: another lies there.
    """
    card = reader.find()
    if card is None:
        raise CardLost("the card was taken away; hold it again until it is done")
    if card.uid != uid and not (is_random(uid) and is_random(card.uid)):
        raise Rejected("another_card", "another card lies on the reader now; one card at a time")
    return card


def is_random(uid: bytes) -> bool:
    """Whether it is no number of a card but a new one at each contact (ISO 14443-3)."""
    return len(uid) == 4 and uid[0] == 0x08


def shown(uid: bytes) -> str:
    """What may be seen of a card's number: its end."""
    return f"..{uid[-2:].hex()}"
