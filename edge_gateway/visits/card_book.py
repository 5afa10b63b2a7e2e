"""The cards of the ledger and their keys: `evidence.KeyRing` for each site, and what the desk does with cards."""

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from edge_gateway.errors import Misconfigured, Rejected
from edge_gateway.visits import codec, past
from edge_gateway.visits.book import Book
from edge_gateway.visits.evidence import Former
from edge_gateway.visits.records import Card, CardKind, CardRole, TapFact

log = logging.getLogger(__name__)

# Read aloud over a telephone: no 0/o, 1/l/i, u/v.
_LETTERS: Final = "23456789abcdefghjkmnpqrstwxyz"
_OLD_KEYS: Final = 8
DESK: Final = "desk"  # `TapFact.device` of a reading that burned the counters below it


class CardBook:
    """All cards; changes are made within a transaction of the book."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._chips: dict[str, str] = {}
        self._metas: dict[str, list[bytes]] = {}

    def forget(self) -> None:
        """Read them from the ledger again."""
        self._chips.clear()
        self._metas.clear()

    def ring(self, site: str) -> "Ring":
        """The cards and keys of one site."""
        return Ring(self, site)

    def chip(self, card_id: str) -> str:
        """What stands for the chip of a card: the id under which it was enrolled first."""
        chip = self._chips.get(card_id)
        if chip is None:
            row = self._book.db.execute("SELECT chip FROM card WHERE id = ?", (card_id,)).fetchone()
            chip = self._chips[card_id] = row[0] if row else card_id
        return chip

    def find(self, site: str, uid: bytes) -> Card | None:
        """The newest card of this number."""
        row = self._book.db.execute(
            "SELECT body FROM card WHERE site = ? AND number = ? ORDER BY rowid DESC LIMIT 1",
            (site, self._book.seal.index(uid)),
        ).fetchone()
        return codec.unpack_card(row[0]) if row else None

    def get(self, card_id: str) -> Card:
        """A card by its id.

        Raises:
            Rejected: `unknown_card`.
        """
        row = self._book.db.execute("SELECT body FROM card WHERE id = ?", (card_id,)).fetchone()
        if row is None:
            raise Rejected("unknown_card", f"there is no card {card_id[:60]!r}; `kanhu cards list` shows them")
        return codec.unpack_card(row[0])

    def metas(self, site: str) -> list[bytes]:
        """Keys under which the cards of a site encrypt their number, the newest first."""
        found = self._metas.get(site)
        if found is None:
            row = self._book.db.execute("SELECT sealed FROM site_key WHERE site = ?", (site,)).fetchone()
            about = f"site/{site}"
            found = [bytes.fromhex(key) for key in json.loads(self._book.seal.open(row[0], about))] if row else []
            self._metas[site] = found
        return found

    def file_keys(self, card: Card) -> list[bytes]:
        """Keys that prove a reading, the newest first."""
        return [keys["file"] for keys in self.keys(card.id).values() if "file" in keys]

    def former(self, site: str, uid: bytes) -> list[Former]:
        """What this number stood for before: keys that were changed, cards that were given to somebody else since."""
        rows = self._book.db.execute(
            "SELECT body FROM card WHERE site = ? AND number = ? ORDER BY rowid DESC", (site, self._book.seal.index(uid))
        ).fetchall()
        found: list[Former] = []
        since_ns: int | None = None
        for (body,) in rows:
            card = codec.unpack_card(body)
            old = [(bytes.fromhex(one["file"]), int(one["until_ns"])) for one in self._secrets(card.id).get("old", ())]
            if since_ns is not None:
                found.append(Former(card, [*self.file_keys(card), *(key for key, _ in old)], since_ns))
            else:
                found += [Former(card, [key], until_ns) for key, until_ns in reversed(old)]
            since_ns = card.enrolled_ns
        return found

    def keys(self, card_id: str) -> dict[int, dict[str, bytes]]:
        """Key version, the newest first -> name of the key (`file`, `app3`) -> key."""
        found = self._secrets(card_id)["keys"]
        return {
            int(version): {name: bytes.fromhex(key) for name, key in found[version].items()}
            for version in sorted(found, key=int, reverse=True)
        }

    def number(self, card_id: str) -> bytes:
        """The UID, for who talks with the card."""
        return bytes.fromhex(self._secrets(card_id)["uid"])

    def sites(self) -> list[str]:
        """Sites that have cards."""
        return [site for (site,) in self._book.db.execute("SELECT DISTINCT site FROM card ORDER BY site")]

    def revoked(self, site: str) -> list[bytes]:
        """Numbers of revoked cards that nobody has in use again, the ones revoked last in front."""
        rows = self._book.db.execute("SELECT body, number FROM card WHERE site = ? ORDER BY rowid", (site,)).fetchall()
        newest = {bytes(number): codec.unpack_card(body) for body, number in rows}
        lost = [card for card in newest.values() if card.revoked_ns is not None]
        found = []
        for card in sorted(lost, key=lambda card: -(card.revoked_ns or 0)):
            try:
                found.append(self.number(card.id))
            except Misconfigured as error:  # one damaged row must not keep readers from hearing of the others
                log.error("revoked card %s: %s", card.id, error)
        return found

    def add_meta(self, site: str, meta: bytes, by: str, anew: bool) -> None:
        """The key of a site; another one only when it is said to be new.

        Raises:
            Rejected: `other_meta`, it would not fit the cards that are out there.
        """
        known = self.metas(site)
        if meta in known[:1]:
            return
        if known and not anew:
            raise Rejected("other_meta", f"{site} has another key: this master is not the one its cards were made with")
        self._seal_metas(site, [meta, *(key for key in known if key != meta)])
        self._book.write("site_key", site, by, {"keys": len(self.metas(site))})

    def _seal_metas(self, site: str, keys: list[bytes]) -> None:
        sealed = self._book.seal.seal(json.dumps([key.hex() for key in keys]).encode(), f"site/{site}")
        self._book.db.execute(
            "INSERT INTO site_key (site, sealed) VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET sealed = excluded.sealed",
            (site, sealed),
        )
        self._metas.pop(site, None)

    def enrol(
        self, site: str, uid: bytes, kind: CardKind, role: CardRole, holder: str, version: int, keys: Mapping[str, bytes],
        counter: int | None, by: str, again: bool,
    ) -> Card:  # fmt: skip
        """A new card; the same one again when it is known with the same holder and role.

        Raises:
            Rejected: `card_in_use`, `card_revoked`.
        """
        known = self.find(site, uid)
        if known is not None and known.revoked_ns is None:
            if (known.holder, known.role) != (holder, role):
                said = f"it is enrolled as {known.id} of {known.role} {known.holder}; revoke it first"
                raise Rejected("card_in_use", said)
            if keys and version not in self.keys(known.id):
                self.rekey(known, version, keys, by, done=False)
            return known
        if known is not None and not again:
            raise Rejected(
                "card_revoked", f"it was revoked as {known.id}: {known.reason}; say `again` to give it out once more"
            )
        card = Card(self._new_id(), site, kind, role, holder, version, self._book.clock_ns())
        secret = {"uid": uid.hex(), "keys": {str(version): {name: key.hex() for name, key in keys.items()}} if keys else {}}
        self._book.db.execute(
            "INSERT INTO card (id, chip, site, holder, number, sealed, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                card.id,
                self.chip(known.id) if known else card.id,
                site,
                holder,
                self._book.seal.index(uid),
                self._sealed(card.id, secret),
                codec.pack(card),
            ),
        )
        self._book.write("card", card.id, by, codec.plain(card))
        if counter is not None:
            self.burn(card, counter)
        return card

    def revoke(self, card: Card, since_ns: int, reason: str, by: str) -> Card:
        """It is lost; a second revocation can only say that it was lost earlier."""
        if card.revoked_ns is not None and card.revoked_ns <= since_ns:
            return card
        changed = msgspec.structs.replace(card, revoked_ns=since_ns, reason=reason)
        self._save(changed, "revoked", by)
        return changed

    def rekey(self, card: Card, version: int, keys: Mapping[str, bytes], by: str, done: bool) -> Card:
        """New keys: told before the card is changed (old ones are read too), and again, `done`, when it is."""
        secret = self._secrets(card.id)
        kept = dict(secret["keys"])
        if done:
            # A reader may still have taps that were made with them.
            now_ns = self._book.clock_ns()
            gone = [own["file"] for other, own in kept.items() if other != str(version) and "file" in own]
            secret["old"] = [*secret.get("old", ()), *({"file": key, "until_ns": now_ns} for key in gone)][-_OLD_KEYS:]
            kept = {}
        kept[str(version)] = {name: key.hex() for name, key in keys.items()} or secret["keys"].get(str(version), {})
        secret["keys"] = kept
        self._book.db.execute("UPDATE card SET sealed = ? WHERE id = ?", (self._sealed(card.id, secret), card.id))
        changed = msgspec.structs.replace(card, key_version=version)
        self._save(changed, "rekeyed", by, done=done)
        return changed

    def audit(self, card: Card, counter: int, by: str) -> None:
        """A member of staff read it at the desk: counters below, not used by now, are burned."""
        self.burn(card, counter)
        self._book.write("audited", card.id, by, {"card": card.id, "counter": counter})

    def burn(self, card: Card, counter: int) -> None:
        """Whoever shows a lower counter from now on has kept it, or copied it."""
        now_ns = self._book.clock_ns()
        fact = TapFact("", card.site, DESK, "", 0, self._book.n, counter, now_ns, 0)
        past.remember(self._book.db, self.chip(card.id), fact)

    def _save(self, card: Card, kind: str, by: str, **more: Any) -> None:
        self._book.db.execute("UPDATE card SET body = ? WHERE id = ?", (codec.pack(card), card.id))
        self._book.write(kind, card.id, by, {**codec.plain(card), **more})

    def _secrets(self, card_id: str) -> dict[str, Any]:
        row = self._book.db.execute("SELECT sealed FROM card WHERE id = ?", (card_id,)).fetchone()
        if row is None:
            return {"uid": "", "keys": {}}
        found: dict[str, Any] = json.loads(self._book.seal.open(row[0], f"card/{card_id}"))
        return found

    def _sealed(self, card_id: str, secret: Mapping[str, Any]) -> bytes:
        return self._book.seal.seal(json.dumps(secret).encode(), f"card/{card_id}")

    def _new_id(self) -> str:
        while True:
            new = "c-" + "".join(secrets.choice(_LETTERS) for _ in range(6))
            if self._book.db.execute("SELECT 1 FROM card WHERE id = ?", (new,)).fetchone() is None:
                return new


class Ring:
    """`evidence.KeyRing` of one site."""

    def __init__(self, cards: CardBook, site: str) -> None:
        self._cards = cards
        self._site = site

    def metas(self) -> Sequence[bytes]:
        """Keys under which cards of this site encrypt their number, the newest first."""
        return self._cards.metas(self._site)

    def card_by_uid(self, uid: bytes) -> Card | None:
        """The enrolled card, revoked or not."""
        return self._cards.find(self._site, uid)

    def file_keys(self, card: Card) -> Sequence[bytes]:
        """Keys that prove a reading of this card, the newest first."""
        return self._cards.file_keys(card)

    def former(self, uid: bytes) -> Sequence[Former]:
        """What a number stood for before."""
        return self._cards.former(self._site, uid)
