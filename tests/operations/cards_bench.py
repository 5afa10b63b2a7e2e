"""For tests of the desk: a reader without radio, cards that are pulled away, a gateway that remembers what it was told."""

from collections.abc import Callable
from typing import Any

from edge_gateway.errors import Rejected, Unavailable
from firmware.sim.board.nfc.card import Answer, Nibble, is_apdu_card
from firmware.sim.board.nfc.type2 import MifareClassic, Ntag21x
from firmware.sim.board.nfc.type4 import Ntag424
from operations.cards.reader import CardLost, Medium

UID = bytes.fromhex("04a2b3c4d5e680")
MASTER = bytes(range(16))


class Gone(Exception):
    """The card is not in the field any more."""


class Pulled(Ntag424):
    """An NTAG 424 that is pulled away at one of its APDUs.

    pull_at: which one, from 1; 0: never.  after: once it was carried out, before the answer is heard.
    apdus: how many came.
    """

    def __init__(self, uid: bytes = UID, **how: Any) -> None:
        self.apdus = self.pull_at = 0
        self.after = self.gone = False
        super().__init__(uid, url=None, **how)

    def apdu(self, data: bytes) -> bytes:
        self.apdus += 1
        if self.apdus == self.pull_at:
            if self.after:
                super().apdu(data)
            self.gone = True
        if self.gone:
            raise Gone
        return super().apdu(data)

    def command(self, data: bytes) -> Answer:
        try:
            return None if self.gone else super().command(data)
        except Gone:
            return None

    def pull(self, at: int, after: bool) -> None:
        self.apdus, self.pull_at, self.after, self.gone = 0, at, after, False

    def back(self) -> None:
        self.pull(0, False)


SimCard = Ntag424 | Ntag21x | MifareClassic


class HeldCard:
    def __init__(self, sim: SimCard) -> None:
        self._sim = sim
        self.uid = sim.uid
        self.medium = Medium.APDU if is_apdu_card(sim) else Medium.NONE if sim.sak & 0x08 else Medium.TYPE2

    def exchange(self, data: bytes) -> bytes:
        if isinstance(self._sim, Ntag424):
            try:
                return self._sim.apdu(data)
            except Gone:
                raise CardLost("pulled") from None
        answer = self._sim.command(data)
        if answer is None or (isinstance(answer, Nibble) and answer == 0):
            raise CardLost("no answer")
        return bytes([answer]) if isinstance(answer, Nibble) else answer


class Bench:
    """A reader with a card, or none, on it."""

    name = "bench"

    def __init__(self, *cards: SimCard) -> None:
        self.cards = list(cards)

    def find(self) -> HeldCard | None:
        card = self.cards[0] if self.cards else None
        if card is None or getattr(card, "gone", False):
            return None
        card.power(False)
        card.power(True)
        card.activate()
        return HeldCard(card)

    def close(self) -> None:
        """Nothing."""


class Book:
    """The gateway's side as docs/visits.md has it, and everything that it was told.

    away_at: this command is not answered, once.
    """

    def __init__(self, meta: str | None = None) -> None:
        self.meta = meta
        self.cards: dict[str, dict[str, Any]] = {}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.away_at = ""

    def __call__(self, command: str, **arguments: Any) -> Any:
        self.told.append((command, arguments))
        if command == self.away_at:
            self.away_at = ""
            raise Unavailable("no gateway answers")
        act: Callable[..., Any] = getattr(self, "_" + command.partition(".")[2])
        return act(**arguments)

    def of(self, command: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.told if name == command]

    def _check(self, site: str, meta: str) -> Any:
        return {"known": self.meta is not None, "same": self.meta == meta}

    def _find(self, site: str, uid: str) -> Any:
        found = self.cards.get(uid)
        return None if found is None else {name: value for name, value in found.items() if name != "keys"}

    def _enrol(self, uid: str, site: str, key_version: int, keys: Any, meta: str, again: bool, **more: Any) -> Any:
        known = self.cards.get(uid)
        if known is None or known["revoked_ns"] is not None:
            card = {
                "id": f"c-{len(self.cards)}{'x' * bool(known)}",
                "site": site,
                "reason": "",
                "enrolled_ns": 1,
                "revoked_ns": None,
            }
            self.cards[uid] = known = {**card, **{name: more[name] for name in ("kind", "role", "holder")}}
        known["key_version"], known["keys"] = key_version, {key_version: keys}
        self.meta = meta or self.meta
        return {"card": known["id"]}

    def _rekey(self, card: str, key_version: int, keys: Any, by: str, done: bool) -> Any:
        known = self.card(card)
        known["keys"] = {**({} if done else known["keys"]), key_version: keys}
        known["key_version"] = key_version
        return {"card": card}

    def _revoke(self, card: str, by: str, reason: str, since_ns: int | None = None) -> Any:
        self.card(card).update(revoked_ns=since_ns or 7, reason=reason)
        return {"card": card}

    def _audit(self, card: str, counter: int, by: str) -> Any:
        return {"card": card}

    def card(self, name: str) -> dict[str, Any]:
        for known in self.cards.values():
            if known["id"] == name:
                return known
        raise Rejected("unknown_card", name)
