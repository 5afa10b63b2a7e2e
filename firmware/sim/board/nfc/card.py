"""What every simulated card has in common: how it is found, what it loses with its power, how it refuses."""

from typing import Protocol

ACK = 0xA
NAK = 0x0


class Nibble(int):
    """An answer of 4 bits without CRC: ACK or NAK of a Type 2 tag."""


Answer = bytes | Nibble | None  # None: the card is mute


class Card(Protocol):
    """A card of ISO 14443-3 type A."""

    atqa: bytes
    sak: int

    @property
    def uid(self) -> bytes: ...

    def power(self, on: bool) -> None:
        """The reader's field comes or goes; without it a card forgets who was authenticated."""

    def activate(self) -> None:
        """Anticollision has chosen this card."""

    def command(self, data: bytes) -> Answer:
        """One frame in the air, without CRC."""


class ApduCard(Card, Protocol):
    """A card of ISO 14443-4: the reader chip may do the blocks itself."""

    ats: bytes

    def apdu(self, data: bytes) -> bytes: ...


def is_apdu_card(card: Card) -> bool:
    return bool(card.sak & 0x20)
