"""The space above the antenna: which cards lie there, and whether they have power."""

from firmware.sim.board.nfc.card import Card


class Field:
    """
    clash: two cards disturb each other so much that neither can be found.
    """

    def __init__(self) -> None:
        self.cards: list[Card] = []
        self.clash = False
        self._on = False

    @property
    def on(self) -> bool:
        return self._on

    def switch(self, on: bool) -> None:
        """The antenna."""
        if on != self._on:
            self._on = on
            for card in self.cards:
                card.power(on)

    def put(self, card: Card) -> None:
        if card not in self.cards:
            self.cards.append(card)
            if self._on:
                card.power(True)

    def remove(self, card: Card) -> None:
        if card in self.cards:
            self.cards.remove(card)
            card.power(False)

    def clear(self) -> None:
        for card in list(self.cards):
            self.remove(card)

    def found(self, most: int) -> list[Card]:
        """Those that anticollision finds."""
        if not self._on or (self.clash and len(self.cards) > 1):
            return []
        return self.cards[:most]
