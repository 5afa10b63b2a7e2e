"""Which meal went to which visit: meals of the counter and visits of one courier, in the order of their times.

A stop is one courier at one place within some minutes. Every stop gets a meal before any gets a second, so a couple's two meals
under one tap, and a couple's two visits with both meals weighed at once, are no difference and take no meal from others.
"""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edge_gateway.visits.records import DONE, CardRole, Served, Visit

CARRY_S: Final = 4 * 3600
_EARLY_NS: Final = 300 * 10**9  # clocks of two devices; nobody hands over before he was served
_STOP_NS: Final = 600 * 10**9


class Fate(StrEnum):
    """What became of a meal, or of a visit."""

    MATCHED = "matched"
    SHARED = "shared"  # a second meal, or a second visit, of a stop
    CONFIRMED = "confirmed"  # the visit has no tap, and is counted because a person said so; the meal is its evidence
    EXCUSED = "excused"  # a visit without a meal, whose courier was at the counter where the scale gave no weight
    CLAIMED = "claimed"  # a visit that is counted, with neither tap nor meal
    LOST = "lost"  # the other half is missing


@dataclass
class Meals:
    """Meals and visits with their fates, by the meal's tap and the visit's id.

    Attributes:
        meals, unweighed: from the counter, with and without a weight.
        visits: those with a tap, and those that are counted without; an elder's at the counter are in `canteen` instead,
            by the meal's tap.
        dates: visit -> date of its meal, where it is another than its own.
        heard: sites and dates on which a counter was heard.
    """

    meals: list[Served] = field(default_factory=list)
    unweighed: list[Served] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    canteen: dict[str, Visit] = field(default_factory=dict)
    meal_fates: dict[str, Fate] = field(default_factory=dict)
    visit_fates: dict[str, Fate] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    heard: set[tuple[str, str]] = field(default_factory=set)

    def date_of(self, visit: Visit) -> str:
        return self.dates.get(visit.id, visit.date)

    def pair(self, meal: Served, visit: Visit, fate: Fate) -> None:
        self.meal_fates[meal.tap] = fate
        self.visit_fates[visit.id] = fate
        self.dates[visit.id] = meal.date


def match(meals: Iterable[Served], visits: Iterable[Visit], carry_s: int = CARRY_S) -> Meals:
    """Give every meal and every visit its fate.

    Args:
        visits: of service meal, and those whose service nobody knows (""); in any order, as the meals.
        carry_s: longest time from the counter to the door.
    """
    found = Meals()
    for meal in sorted(meals, key=lambda one: (one.time_ns, one.tap)):
        (found.unweighed if meal.mass_g is None else found.meals).append(meal)
        found.heard.add((meal.site, meal.date))
    taken: dict[str, list[Served]] = defaultdict(list)  # by courier
    eaten = {meal.tap for meal in (*found.meals, *found.unweighed) if meal.role is CardRole.ELDER}
    for meal in found.meals:
        if meal.role is CardRole.ELDER:
            found.meal_fates[meal.tap] = Fate.MATCHED
        else:
            taken[meal.holder].append(meal)
    by_courier: dict[str, list[Visit]] = defaultdict(list)
    for visit in sorted(visits, key=lambda one: (_moment(one), one.id)):
        at_counter = next((tap for tap in visit.taps if tap in eaten), None) if eaten else None
        if at_counter is not None:
            found.canteen[at_counter] = visit
        else:
            by_courier[visit.courier].append(visit)
    undone = _undone(by_courier)
    for courier in sorted(taken.keys() | by_courier.keys()):
        _match_courier(found, taken[courier], by_courier[courier], undone, carry_s * 10**9)
    _excuse(found, carry_s * 10**9)
    return found


def is_tapped(visit: Visit) -> bool:
    """It took place, and a card says so."""
    return bool(visit.taps) and visit.state in DONE


def _match_courier(
    found: Meals, meals: list[Served], visits: list[Visit], undone: dict[tuple[str, str], int], carry_ns: int
) -> None:
    tapped: list[Visit] = []
    claimed: list[Visit] = []
    unplanned: list[Visit] = []
    for visit in visits:
        if is_tapped(visit):
            (tapped if visit.service else unplanned).append(visit)
        elif visit.counted and visit.service:
            claimed.append(visit)
    found.visits += tapped + claimed
    firsts, others = _stops(tapped)
    for group, fate in (([first for first, _ in firsts], Fate.MATCHED), (others, Fate.MATCHED), (claimed, Fate.CONFIRMED)):
        pairs, meals = _in_order(meals, group, carry_ns)
        for meal, visit in pairs:
            found.pair(meal, visit, fate)
    meals = _unplanned(found, meals, unplanned, carry_ns)
    meals = _without_a_time(found, meals, claimed)
    for first, stop in firsts:
        _share_visits(found, [first, *stop])
        meals = _share_meals(found, meals, first, undone, carry_ns)
    for meal in meals:
        found.meal_fates[meal.tap] = Fate.LOST
    for visit in tapped:
        found.visit_fates.setdefault(visit.id, Fate.LOST)
    for visit in claimed:
        found.visit_fates.setdefault(visit.id, Fate.CLAIMED)


def _stops(tapped: list[Visit]) -> tuple[list[tuple[Visit, list[Visit]]], list[Visit]]:
    """The first visit of each stop with the others of it; and all those others."""
    firsts: list[tuple[Visit, list[Visit]]] = []
    open_stops: dict[str, tuple[Visit, list[Visit]]] = {}
    others = []
    for visit in tapped:
        stop = open_stops.get(visit.place)
        if stop is not None and _moment(visit) - _moment(stop[0]) <= _STOP_NS:
            stop[1].append(visit)
            others.append(visit)
        else:
            stop = open_stops[visit.place] = (visit, [])
            firsts.append(stop)
    return firsts, others


def _in_order(meals: list[Served], visits: list[Visit], carry_ns: int) -> tuple[list[tuple[Served, Visit]], list[Served]]:
    """Pairs of each visit and the oldest meal that can be its; and the meals left. Both come in the order of time.

    All meals are carried equally long at most, so this order finds as many pairs as there can be.
    """
    waiting, left = deque(meals), []
    pairs = []
    for visit in visits:
        at_ns = _moment(visit)
        while waiting and waiting[0].time_ns + carry_ns < at_ns:
            left.append(waiting.popleft())
        if waiting and waiting[0].time_ns - _EARLY_NS <= at_ns:
            pairs.append((waiting.popleft(), visit))
    return pairs, left + list(waiting)


def _unplanned(found: Meals, meals: list[Served], visits: list[Visit], carry_ns: int) -> list[Served]:
    """A tap that no line of the plan expected says nothing of its service: with a meal on the way it brought that one, without
    it was something else; the meals left."""
    pairs, left = _in_order(meals, visits, carry_ns)
    for meal, visit in pairs:
        found.visits.append(visit)
        found.pair(meal, visit, Fate.MATCHED)
    return left


def _without_a_time(found: Meals, meals: list[Served], claimed: list[Visit]) -> list[Served]:
    """A visit that a person entered without any time had a meal of its date; the meals left."""
    left = deque(meals)
    for visit in claimed:
        meal = next((meal for meal in left if meal.date == visit.date), None) if not _moment(visit) else None
        if meal is not None:
            left.remove(meal)
            found.pair(meal, visit, Fate.CONFIRMED)
    return list(left)


def _share_visits(found: Meals, stop: list[Visit]) -> None:
    """At a stop with a meal no visit lacks one: two people's meals may be weighed together."""
    with_meal = [visit for visit in stop if visit.id in found.visit_fates]
    if len(with_meal) in (0, len(stop)):
        return
    for visit in stop:
        if visit.id not in found.visit_fates:
            found.visit_fates[visit.id] = Fate.SHARED
            found.dates[visit.id] = found.dates[with_meal[0].id]


def _share_meals(
    found: Meals, meals: list[Served], first: Visit, undone: dict[tuple[str, str], int], carry_ns: int
) -> list[Served]:
    """At a stop where another visit of that date has no tap, a second meal was for that one; the meals left."""
    left = []
    at_ns = _moment(first)
    for meal in meals:
        if undone.get((first.place, first.date), 0) and meal.time_ns - _EARLY_NS <= at_ns <= meal.time_ns + carry_ns:
            undone[first.place, first.date] -= 1
            found.meal_fates[meal.tap] = Fate.SHARED
        else:
            left.append(meal)
    return left


def _undone(by_courier: dict[str, list[Visit]]) -> dict[tuple[str, str], int]:
    """(place, date) -> planned visits without a tap that nobody counts."""
    number: dict[tuple[str, str], int] = defaultdict(int)
    for visits in by_courier.values():
        for visit in visits:
            if not visit.taps and visit.slot and not visit.counted and visit.state not in DONE:
                number[visit.place, visit.date] += 1
    return number


def _excuse(found: Meals, carry_ns: int) -> None:
    """A card without a weight explains one visit without a meal: the courier's, or the elder's that a person has confirmed."""
    free: dict[str, deque[Served]] = defaultdict(deque)
    for meal in found.unweighed:
        free[meal.holder].append(meal)
    for visit in found.visits:
        fate = found.visit_fates[visit.id]
        waiting = free[visit.courier] if fate is Fate.LOST else free[visit.person] if fate is Fate.CLAIMED else deque()
        for meal in waiting:
            elder = meal.role is CardRole.ELDER
            if elder == (fate is Fate.CLAIMED) and _explains(meal, visit, carry_ns):
                waiting.remove(meal)
                found.visit_fates[visit.id] = Fate.CONFIRMED if elder else Fate.EXCUSED
                found.meal_fates[meal.tap] = Fate.MATCHED
                found.dates[visit.id] = meal.date
                break


def _explains(meal: Served, visit: Visit, carry_ns: int) -> bool:
    if meal.role is CardRole.ELDER:
        return meal.date == visit.date
    return meal.time_ns - _EARLY_NS <= _moment(visit) <= meal.time_ns + carry_ns


def _moment(visit: Visit) -> int:
    """When it took place; without a tap the end of its window, by which it should have."""
    return visit.start_ns if visit.start_ns is not None else visit.closes_ns
