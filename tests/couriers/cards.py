"""Cards that compute real codes, the keys a gateway has of them, and what attackers make of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from ecdsa import SECP128r1, SigningKey
from ecdsa.util import sigencode_string

from edge_gateway.nfc import keys
from edge_gateway.visits.records import Card, CardKind, CardRole
from firmware.sim.board.nfc import sun

SITE = "futian"
_MODES = {CardKind.NTAG424: sun.Mode.AES, CardKind.NTAG424_LRP: sun.Mode.LRP}


@dataclass
class Chip:
    """One card in somebody's pocket or at a door; each reading counts."""

    card: Card
    uid: bytes
    meta: bytes
    file: bytes
    chance: Random
    signature: bytes = b""
    counter: int = 0

    def read(self) -> str:
        """What one reading shows."""
        self.counter += 1
        return self.shows(self.counter)

    def shows(self, counter: int) -> str:
        """The text of the reading with this counter; an emulator of an NTAG21x can show any."""
        if self.card.kind is CardKind.NTAG21X:
            return f"uid={self.uid.hex()}&ctr={counter:06x}&sig={self.signature.hex()}"
        return code(_MODES[self.card.kind], self.uid, self.meta, self.file, counter, self.chance)


def code(mode: sun.Mode, uid: bytes, meta: bytes, file: bytes, counter: int, chance: Random) -> str:
    """The text of a reading of a card with these keys, by the simulated card's own arithmetic and not the gateway's."""
    reading = sun.Reading(uid, counter, chance.randbytes(13))
    return f"picc_data={sun.picc_data(mode, meta, reading).hex()}&cmac={sun.mac(mode, file, reading, b'').hex()}"


@dataclass
class Ring:
    """`evidence.KeyRing` of all cards of the site, and the maker of the NTAG21x among them."""

    chance: Random
    chips: dict[bytes, Chip] = field(default_factory=dict)
    by_id: dict[str, Chip] = field(default_factory=dict)
    cards: dict[str, Card] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.master = self.chance.randbytes(16)
        self.meta = keys.meta_key(self.master, SITE)
        self.maker = SigningKey.from_secret_exponent(self.chance.getrandbits(120) + 1, SECP128r1)
        self.makers = (self.maker.verifying_key.to_string("uncompressed"),)

    def issue(self, holder: str, role: CardRole, kind: CardKind = CardKind.NTAG424) -> Chip:
        """Personalise and enrol a new card."""
        uid = b"\x04" + self.chance.randbytes(6)
        card = Card(f"c-{len(self.cards) + 1:04}", SITE, kind, role, holder)
        signature = b""
        if kind is CardKind.NTAG21X:
            signature = self.maker.sign_digest_deterministic(uid, sigencode=sigencode_string, hashfunc=sha256)
        chip = Chip(card, uid, self.meta, keys.card_key(self.master, uid, keys.FILE_NO, 1), self.chance, signature)
        self.chips[uid] = chip
        self.by_id[card.id], self.cards[card.id] = chip, card
        return chip

    def metas(self) -> Sequence[bytes]:
        return [self.meta]

    def card_by_uid(self, uid: bytes) -> Card | None:
        chip = self.chips.get(uid)
        return None if chip is None else self.cards[chip.card.id]

    def file_keys(self, card: Card) -> Sequence[bytes]:
        return [] if card.kind in (CardKind.NTAG21X, CardKind.UID) else [self.by_id[card.id].file]
