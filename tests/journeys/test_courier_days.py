"""Months of couriers' days, with readers that lose network, power and time, and with people who copy, forge and harvest codes.

`KANHU_COURIER_DAYS=10000` runs 250 days of forty couriers; usually 25 of them.
"""

import os
from collections import Counter, defaultdict
from datetime import timedelta
from time import process_time

import pytest

from edge_gateway.visits.days import derive
from edge_gateway.visits.evidence import evidence
from edge_gateway.visits.judge import Rules
from edge_gateway.visits.records import DONE, JudgedTap, Outage, Reason, Ruling, Slot, State, Visit
from tests.couriers.community import FIRST, ZERO_NS, ZONE, Arrival, Community
from tests.couriers.memory import MemoryDesk
from tests.couriers.readers import S

COURIERS = 40
DAYS = max(int(os.environ.get("KANHU_COURIER_DAYS", "1000")) // COURIERS, 5)
SEED = int(os.environ.get("KANHU_SEED", "20251117"))
RULES = Rules()


class Months:
    """Everything that happened, what became of each tap, and the visits."""

    def __init__(self) -> None:
        self.community = Community(SEED, DAYS, COURIERS)
        self.desk = MemoryDesk(RULES)
        self.acts: dict[str, Arrival] = {}
        began = process_time()
        for arrival in self.community.arrivals:
            tap = arrival.tap
            self.acts[tap.id] = arrival
            self.desk.take(tap, evidence(tap, self.community.ring, self.community.ring.makers), arrival.at)
        self.judging_ms = (process_time() - began) / len(self.community.arrivals) * 1e3
        # The same months without any attacker: who is looked at then is looked at for nothing.
        alone = MemoryDesk(RULES)
        for arrival in self.community.arrivals:
            if not arrival.act.attack:
                alone.take(arrival.tap, self.desk.judged[arrival.tap.id].evidence, arrival.at)
        self.for_nothing = [one for one in alone.judged.values() if one.judgement.ruling is not Ruling.COUNTED]
        self.honest = {name: self.desk.judged[name] for name, one in self.acts.items() if not one.act.attack}
        self.attacks = {name: self.desk.judged[name] for name, one in self.acts.items() if one.act.attack}
        began = process_time()
        self.visits = self._derive()
        self.deriving_ms = (process_time() - began) / max(len(self.visits), 1) * 1e3

    def _derive(self) -> list[Visit]:
        """Day by day and place by place, as the desk does."""
        slots: dict[tuple[str, str], list[Slot]] = defaultdict(list)
        taps: dict[tuple[str, str], list[JudgedTap]] = defaultdict(list)
        away: dict[str, list[Outage]] = {}
        for slot in self.community.slots:
            slots[slot.plan.place, slot.date].append(slot)
        for one in self.desk.judged.values():
            day = FIRST + timedelta((one.tap.time_ns - ZERO_NS) // (86_400 * S))
            taps[one.place, day.isoformat()].append(one)
        for place, reader in self.community.readers.items():
            away[place] = reader.outages(ZERO_NS)
        found: list[Visit] = []
        for place in sorted({plan.place for plan in self.community.plans}):
            for number in range(-1, DAYS + 3):
                dates = [(FIRST + timedelta(number + n)).isoformat() for n in (-1, 0, 1)]
                near = [slot for day in dates for slot in slots[place, day]]
                its = [one for day in dates for one in taps[place, day]]
                now_ns = ZERO_NS + (DAYS + 5) * 86_400 * S
                has_reader = place in self.community.readers
                visits = derive(
                    "futian", place, near, its, away.get(place, []), [], now_ns, RULES, zone=ZONE, has_reader=has_reader
                )
                found += [visit for visit in visits if visit.date == dates[1]]
        return found


@pytest.fixture(scope="module")
def months() -> Months:
    return Months()


def test_no_genuine_tap_is_refused(months: Months) -> None:
    refused = [one for one in months.honest.values() if one.judgement.ruling not in (Ruling.COUNTED, Ruling.REVIEW)]
    assert not refused, refused[:3]


def test_every_genuine_tap_is_in_a_visit_that_is_counted(months: Months) -> None:
    held = Counter(name for visit in months.visits if visit.counted for name in visit.taps)
    lost = [name for name in months.honest if name not in held]
    assert not lost, (len(lost), [months.acts[name] for name in lost[:3]])


def test_every_attack_is_refused_or_before_a_person(months: Months) -> None:
    passed = [name for name, one in months.attacks.items() if one.judgement.ruling is Ruling.COUNTED]
    assert not passed, [(months.acts[name].act.attack, months.desk.judged[name].judgement) for name in passed[:5]]
    kinds = {months.acts[name].act.attack for name in months.attacks}
    assert len(kinds) >= (8 if DAYS < 100 else 11), kinds


def test_nobody_who_tapped_is_said_to_have_missed_a_visit(months: Months) -> None:
    meant = {months.acts[name].act.slot for name in months.honest}
    blamed = [visit for visit in months.visits if visit.state is State.MISSED and visit.slot in meant]
    assert not blamed, blamed[:3]
    off = [visit for visit in months.visits if visit.state is State.MISSED and visit.slot in months.community.unread]
    assert not off, off[:3]


def test_every_slot_is_one_visit_and_most_forgotten_ones_are_missed(months: Months) -> None:
    found = Counter(visit.slot for visit in months.visits if visit.slot)
    assert set(found) == {slot.id for slot in months.community.slots}
    assert set(found.values()) == {1}
    forgotten = [visit for visit in months.visits if visit.slot in months.community.forgotten and visit.state not in DONE]
    missed = sum(visit.state is State.MISSED for visit in forgotten)
    assert missed > 0.7 * len(forgotten)
    assert all(visit.state in (State.MISSED, State.UNKNOWN) for visit in forgotten)


def test_few_genuine_taps_wait_for_a_person(months: Months) -> None:
    reviewed = [one for one in months.honest.values() if one.judgement.ruling is Ruling.REVIEW]
    share = len(reviewed) / len(months.honest)
    reasons = Counter(reason for one in reviewed for reason in one.judgement.reasons)
    stops = [visit for visit in months.visits if visit.state in DONE and set(visit.taps) & set(months.honest)]
    waiting = sum(visit.reviewing for visit in stops)
    rulings = Counter((months.acts[name].act.attack, one.judgement.ruling.value) for name, one in months.attacks.items())
    alone = len(months.for_nothing) / len(months.honest)
    why = Counter(reason.value for one in months.for_nothing for reason in one.judgement.reasons)
    print(
        f"\n{COURIERS * DAYS} courier-days: {len(months.honest)} genuine taps, {len(months.attacks)} of attackers; "
        f"{len(reviewed)} genuine ({share:.2%}) in review: { {str(k): n for k, n in reasons.most_common()} }; "
        f"without attackers {len(months.for_nothing)} ({alone:.2%}): {dict(why)}; "
        f"visits {len(months.visits)}, waiting for a person {waiting} ({waiting / len(stops):.2%})\n"
        f"states { {str(k): n for k, n in Counter(visit.state for visit in months.visits).most_common()} }\n"
        f"attacks {dict(sorted(rulings.items()))}\n"
        f"CPU: {months.judging_ms:.3f} ms a tap with its code, {months.deriving_ms:.3f} ms a visit derived"
    )
    assert share < 0.02
    assert alone < 0.01
    assert Reason.TWO_PLACES not in reasons or reasons[Reason.TWO_PLACES] < 0.001 * len(months.honest)
