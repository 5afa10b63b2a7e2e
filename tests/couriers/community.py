"""A community of couriers, homes and readers, their honest days, and the taps of others; all from one seed."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from heapq import heapify, heappop, heappush
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from edge_gateway.visits import plan
from edge_gateway.visits.records import CardKind, CardRole, Plan, Slot, Tap
from firmware.sim.board.nfc import sun
from tests.couriers.cards import SITE, Chip, Ring, code
from tests.couriers.readers import HOUR_S, Phone, Reader, S, Trouble

ZONE = ZoneInfo("Asia/Shanghai")
FIRST = date(2025, 11, 17)
ZERO_NS = 1_763_308_800 * S  # its midnight in Shanghai
DAY_S = 24 * HOUR_S
READERS, TAGS = 12, 4
_WALK_S = 240.0  # from door to door
_HOURS = (8.0, 10.0, 11.5, 14.0, 17.0)


@dataclass(frozen=True)
class Act:
    """Something a person does with a card or a copy of one. Text None: the card computes it then, in the order of time.

    place: of the reader; a phone's tag hangs there.  phone: index of the phone instead of a reader.
    slot: the visit that the courier means.  attack: its kind; "" an honest tap.
    """

    at_s: float
    place: str
    chip: Chip | None = None
    text: str | None = None
    skip: int = 0  # readings by phones in between
    phone: int = -1
    slot: str = ""
    attack: str = ""


@dataclass
class Arrival:
    """A tap as the gateway gets it."""

    tap: Tap
    act: Act
    at: tuple[float, float] | None = None


@dataclass
class Community:
    """Forty couriers, twelve readers, four tags on walls."""

    seed: int
    days: int
    couriers: int = 40
    arrivals: list[Arrival] = field(default_factory=list)
    forgotten: set[str] = field(default_factory=set)  # slots for which nobody tapped
    unread: set[str] = field(default_factory=set)  # slots for which somebody came to a reader that was off

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.ring = Ring(Random(self.seed + 1))
        gateway = [
            Trouble(at * DAY_S + 9 * HOUR_S, at * DAY_S + self.chance.uniform(10, 15) * HOUR_S, "gateway")
            for at in range(3, self.days, 17)
        ]
        self.readers = {f"home-{n}": Reader(f"rr-{n}", f"home-{n}", Random(self.seed + 100 + n)) for n in range(READERS)}
        for reader in self.readers.values():
            reader.fail(self.days, gateway)
        self.tags = {f"wall-{n}": self.ring.issue(f"wall-{n}", CardRole.PLACE) for n in range(TAGS)}
        self.where = {place: (22.54 + n * 0.01, 114.05) for n, place in enumerate(self.tags)}
        kinds = {0: CardKind.NTAG424_LRP, 1: CardKind.NTAG21X, 2: CardKind.NTAG21X}
        self.chips = [self.ring.issue(f"k-{n}", CardRole.COURIER, kinds.get(n, CardKind.NTAG424)) for n in range(self.couriers)]
        self.phones = [Phone(n + 1, f"k-{n}", Random(self.seed + 500 + n)) for n in range(self.couriers)]
        self.plans = [self._line(n, k) for n in range(self.couriers) for k in range(len(_HOURS))]
        last = (FIRST + timedelta(self.days - 1)).isoformat()
        self.slots = plan.slots(self.plans, (), (), ZONE, FIRST.isoformat(), last)
        self.acts = self._honest()
        self.acts += self._attacks()
        self._happen()

    def _line(self, courier: int, k: int) -> Plan:
        opens = round(_HOURS[k] * 60) + (courier * 7) % 50
        place = f"wall-{courier % TAGS}" if k == 4 and courier % 10 == 3 else f"home-{(courier * 5 + k * 7) % READERS}"
        service = ("call", "bath", "meal", "meal", "meal")[k]
        return Plan(
            f"l{courier}-{k}",
            SITE,
            place,
            f"p{courier}-{k}",
            service,
            opens_min=opens,
            closes_min=opens + 60,
            late_min=90,
            courier=f"k-{courier}",
            ends=service == "bath",
        )

    # ---- honest days ---------------------------------------------------------------------------------------------------------

    def _honest(self) -> list[Act]:
        rounds: dict[tuple[int, str], list[tuple[float, Slot]]] = defaultdict(list)
        for slot in self.slots:
            if self.chance.random() < 0.01:
                self.forgotten.add(slot.id)
                continue
            courier = int(slot.plan.courier[2:])
            if self.chance.random() < 0.02 and slot.plan.place in self.readers:
                courier = self._substitute(slot)
            opens_s = (slot.opens_ns - ZERO_NS) / S
            rounds[courier, slot.date].append((opens_s + min(max(self.chance.gauss(1500, 900), -1800), 7000), slot))
        acts: list[Act] = []
        for (courier, _), stops in sorted(rounds.items()):
            acts += self._round(courier, sorted(stops, key=lambda stop: (stop[0], stop[1].id)))
        return acts

    def _substitute(self, slot: Slot) -> int:
        """Somebody with nothing of his own to do at that door; who has, taps once for his own, and the office says the rest."""
        busy = {line.courier for line in self.plans if line.place == slot.plan.place}
        return self.chance.choice([n for n in range(self.couriers) if f"k-{n}" not in busy])

    def _round(self, courier: int, stops: list[tuple[float, Slot]]) -> list[Act]:
        """A courier's day from door to door; nobody is at two doors at once."""
        free_s, acts = 0.0, list[Act]()
        for wanted_s, slot in stops:
            at_s = max(wanted_s, free_s)
            times = [at_s]
            if self.chance.random() < 0.05:
                times.append(at_s + self.chance.uniform(4, 40))  # did it take it?
            if slot.plan.ends:
                times.append(at_s + self.chance.uniform(900, 2400))
            free_s = times[-1] + _WALK_S
            for time_s in times:
                acts.append(self._touch(courier, time_s, slot))
        return acts

    def _touch(self, courier: int, at_s: float, slot: Slot) -> Act:
        place = slot.plan.place
        dice = self.chance.random()
        skip = self.chance.randint(1, 6) if dice < 0.05 else self.chance.randint(52, 90) if dice < 0.0505 else 0
        if place in self.tags:
            return Act(at_s, place, self.tags[place], skip=skip % 7, phone=courier, slot=slot.id)
        return Act(at_s, place, self.chips[courier], skip=skip, slot=slot.id)

    # ---- attacks -------------------------------------------------------------------------------------------------------------

    def _attacks(self) -> list[Act]:
        """Two a day, of every kind. Those with copies of codes are made when the codes are there, in `_happen`."""
        plain = ("forged", "garbage", "other master", "number only")
        copies = (
            "replay here",
            "replay elsewhere",
            "replay by phone",
            "harvest",
            "harvest backwards",
            "stale clone",
        )
        acts: list[Act] = []
        for day in sorted([*range(1, self.days - 3)] * 2):
            kind = self.chance.choice(plain + copies + ("revoked",))
            at_s = day * DAY_S + self.chance.uniform(7, 20) * HOUR_S
            place = self.chance.choice(sorted(self.readers))
            acts.append(Act(at_s, place, self.chips[self.chance.randrange(3, self.couriers)], attack=kind))
        return acts

    def _copies(self, act: Act) -> list[Act]:
        """The taps of one attack, from what its victim's card showed before."""
        at_s, kind = act.at_s, act.attack
        assert act.chip is not None
        chip = self._now(act.chip)
        other = self.chance.choice([place for place in sorted(self.readers) if place != act.place])

        def make(text: str, later_s: float = 0.0, place: str = act.place, phone: int = -1) -> Act:
            return Act(at_s + later_s, place, None, text, phone=phone, attack=kind)

        if kind == "forged":
            text = chip.shows(chip.counter + 1)
            return [make(text[:-1] + ("0" if text[-1] != "0" else "1"))]
        if kind == "garbage":
            return [make(f"picc_data={self.chance.randbytes(16).hex()}&cmac={self.chance.randbytes(8).hex()}")]
        if kind == "other master":
            file = self.chance.randbytes(16)
            return [make(code(sun.Mode.AES, chip.uid, chip.meta, file, chip.counter + 9, self.chance))]
        if kind == "number only":
            return [make(chip.uid.hex())]
        if kind == "revoked":
            return self._stolen(act, chip)
        if kind == "stale clone":
            return self._stale(act)
        if kind.startswith("harvest"):
            texts = [chip.read() for _ in range(3)]
            if kind.endswith("backwards"):
                texts.reverse()
            # A day later the card itself has been at doors in between.
            return [make(text, 26 * HOUR_S + 900 * n, other) for n, text in enumerate(texts)]
        if chip.card.id not in self._last:
            return []
        used, text = self._last[chip.card.id]
        if kind == "replay here":
            return [make(text, 0.0, used.place)]
        if kind == "replay by phone":
            return [make(text, 0.0, used.place, phone=0)]
        return [make(text, 0.0, next(place for place in (other, act.place) if place != used.place))]

    def _now(self, chip: Chip) -> Chip:
        """The card its holder has by now."""
        while chip.card.id in self._replaced:
            chip = self._replaced[chip.card.id]
        return chip

    def _stolen(self, act: Act, chip: Chip) -> list[Act]:
        """A card is lost and reported; the finder tries it the hours after. Its courier gets a new one."""
        holder = chip.card.holder
        revoked_ns = ZERO_NS + round(act.at_s * S)
        self.ring.cards[chip.card.id] = msgspec.structs.replace(chip.card, revoked_ns=revoked_ns, reason="lost")
        number = int(holder[2:])
        self.chips[number] = self.ring.issue(holder, CardRole.COURIER)
        self._replaced[chip.card.id] = self.chips[number]
        return [Act(act.at_s + 600 + n * 5 * HOUR_S, act.place, chip, "read", attack=act.attack) for n in range(3)]

    def _stale(self, act: Act) -> list[Act]:
        """An emulator shows an NTAG21x with the counter it had when it was copied."""
        chip = self.chips[1]
        copied = max(chip.counter - self.chance.randint(0, 5), 1)
        return [Act(act.at_s, act.place, None, chip.shows(copied), attack=act.attack)]

    def _ahead(self, act: Act, text: str) -> list[Act]:
        """A reader's tap is overheard while it waits there, and its copy shown to another reader that is online."""
        online = [place for place, reader in sorted(self.readers.items()) if reader.trouble(act.at_s + 300) is None]
        if not online or self.chance.random() > 0.02:
            return []
        return [Act(act.at_s + 300, self.chance.choice(online), None, text, attack="copied ahead")]

    # ---- what happens --------------------------------------------------------------------------------------------------------

    def _happen(self) -> None:
        """All acts in the order of true time, each as the tap that arrives."""
        self._replaced: dict[str, Chip] = {}
        self._last: dict[str, tuple[Act, str]] = {}
        queue = [(act.at_s, number, act) for number, act in enumerate(self.acts)]
        heapify(queue)
        while queue:
            act = heappop(queue)[2]
            more = self._copies(act) if act.attack and act.text is None else self._one(act)
            for one in more:
                self.acts.append(one)
                heappush(queue, (one.at_s, len(self.acts), one))
        self.arrivals.sort(key=lambda one: (one.tap.received_ns, self.chance.random()))

    def _one(self, act: Act) -> list[Act]:
        """One card at one reader or phone; what attackers do at once with what it showed."""
        chip, more = act.chip, list[Act]()
        if chip is not None and not act.attack:
            chip = self._now(chip)
        if chip is None:
            text = act.text or ""
        else:
            reader = self.readers.get(act.place)
            wrong = reader.trouble(act.at_s) if reader is not None else None
            if wrong is not None and wrong.kind == "dead":
                self.unread.add(act.slot)
                return []
            chip.counter += act.skip
            text = chip.read()
            if not act.attack:
                self._last[chip.card.id] = act, text
                more = self._ahead(act, text) if wrong is not None and wrong.kind == "offline" else []
        self._arrive(act, text)
        return more

    def _arrive(self, act: Act, text: str) -> None:
        if act.phone >= 0:
            where = self.where.get(act.place)
            shown = where if not act.attack and self.chance.random() > 0.05 else None
            self.arrivals.append(Arrival(self.phones[act.phone].tap(act.at_s, text, ZERO_NS, shown), act, where))
            return
        proof = "sun" if "picc_data" in text else "counter_signature" if "sig" in text else "uid"
        tap = self.readers[act.place].tap(act.at_s, text, proof, ZERO_NS)
        if tap is not None:
            self.arrivals.append(Arrival(tap, act))
