"""A ledger in a folder, with cards that compute real codes and a clock that tests move."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from edge_gateway import registry
from edge_gateway.settings import Visits
from edge_gateway.visits import look
from edge_gateway.visits.actions import Actions
from edge_gateway.visits.ledger import Ledger, Taken
from edge_gateway.visits.records import Card, CardKind, CardRole, Tap, Visit
from edge_gateway.visits.rounds import Rounds
from tests.couriers.cards import SITE, Chip, Ring

ZONE = ZoneInfo("Asia/Shanghai")
DAY = "2026-11-20"
S = 10**9
KNOWN = registry.parse(
    f"""
[sites.{SITE}]
zone = "Asia/Shanghai"
[sites.other]
[[devices]]
site = "{SITE}"
id = "door-1"
place = "w3-201"
model = "rider_reader"
silence_s = 180
[[devices]]
site = "{SITE}"
id = "door-2"
place = "w3-202"
model = "rider_reader"
silence_s = 180
[[devices]]
site = "{SITE}"
id = "counter-1"
place = "canteen"
model = "meal_counter"
[[devices]]
site = "{SITE}"
id = "desk-1"
place = "office"
model = "rider_reader"
"""
)


def at(clock: str, day: str = DAY) -> int:
    """UTC ns of a local time."""
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).timestamp()) * S


@dataclass
class World:
    """The ledger of one gateway."""

    folder: Path
    now_ns: int = field(default_factory=lambda: at("10:00"))

    def __post_init__(self) -> None:
        self.ring = Ring(Random(7))
        self.seqs: dict[str, int] = {}
        self.chips: dict[str, Chip] = {}
        self.open()

    @property
    def path(self) -> Path:
        return self.folder / "visits.db"

    @property
    def key(self) -> Path:
        return self.folder / "secrets" / "visits.key"

    def open(self) -> None:
        self.ledger = Ledger(self.path, self.key, KNOWN, Visits(), lambda: self.now_ns, [f"{SITE}/desk-1"])
        self.rounds = Rounds(self.ledger, KNOWN, 900.0, 2)
        self.actions = Actions(self.ledger)

    def close(self) -> None:
        self.ledger.close()

    def look(self) -> look.Ledger:
        return look.open_ledger(self.path)

    def card(self, holder: str, role: CardRole = CardRole.COURIER, kind: CardKind = CardKind.NTAG424) -> Card:
        """A card given out at the desk."""
        chip = self.ring.issue(holder, role, kind)
        card = self.enrol(chip)
        self.chips[card.id] = chip
        return card

    def enrol(self, chip: Chip, again: bool = False) -> Card:
        given = {} if chip.card.kind is CardKind.UID else {"file": chip.file, "app3": bytes(16)}
        with self.ledger.book.transaction():
            if given:
                self.ledger.cards.add_meta(SITE, chip.meta, "zhang", False)
            c = chip.card
            return self.ledger.cards.enrol(SITE, chip.uid, c.kind, c.role, c.holder, 1, given, None, "zhang", again)

    def read(self, card: Card) -> str:
        return self.chips[card.id].read()

    def tap(self, text: str, clock: str, device: str = "door-1", **more: Any) -> Tap:
        """A tap at a reader, received five seconds later unless said otherwise."""
        place = {"door-1": "w3-201", "door-2": "w3-202", "counter-1": "canteen", "desk-1": "office"}.get(device, "")
        seq = self.seqs[device] = self.seqs.get(device, 0) + 1
        time_ns = at(clock, more.pop("day", DAY))
        received_ns = more.pop("received_ns", time_ns + 5 * S)
        return Tap(SITE, device, place, 1, seq, time_ns, received_ns, "ntp", 0, 0.5, "sun", text, **more)

    def take(self, *taps: Tap) -> Taken:
        self.now_ns = max([self.now_ns, *(tap.received_ns for tap in taps)])
        return self.ledger.take(taps)

    def plan(self, **fields: Any) -> None:
        """A meal at door-1 from 11:00 to 12:00, unless said otherwise."""
        row = {"id": "meal-1", "place": "w3-201", "person": "e-1", "courier": "k-1", "opens_min": 660, "closes_min": 720}
        self.actions.plan(SITE, "zhang", [row | fields], False)

    def pass_time(self, clock: str, day: str = DAY, heard: bool = True) -> None:
        """The clock goes on; readers are heard all the time, or not at all from now on."""
        ends = at(clock, day)
        while self.now_ns < ends:
            self.now_ns = min(self.now_ns + 60 * S, ends)
            words = [self.word(device) for device in ("door-1", "door-2")] if heard else []
            self.rounds.readers(words, self.now_ns, True)
        for portion in self.rounds.due(self.now_ns):
            self.rounds.derive(portion, self.now_ns)
        self.rounds.passed(self.now_ns)

    def word(self, device: str) -> Any:
        from edge_gateway.visits.rounds import Heard

        return Heard(SITE, device, self.now_ns, 1, 0, True)

    def visits(self, **conditions: Any) -> list[Visit]:
        with self.look() as ledger:
            return ledger.visits(**conditions)

    def visit(self, visit_id: str = f"meal-1/{DAY}") -> Visit:
        with self.look() as ledger:
            found = ledger.visit(visit_id, SITE)
        assert found is not None, [(v.id, v.state) for v in self.visits()]
        return found

    def kinds(self) -> list[str]:
        with self.look() as ledger:
            return [entry.kind for entry in ledger.log()]
