"""Elders who eat at the counter: their meals are visits, and where one was planned, they are that one."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from edge_gateway.visits.records import Reason, Served, Slot, State, Visit
from edge_gateway.visits.served import MEAL, canteen_visit

_S = 10**9
_NEXT_NS = 7_200 * _S  # sooner than this after his last meal nobody eats the next one


def with_meals(
    visits: Sequence[Visit],
    slots: Iterable[Slot],
    meals: Iterable[Served],
    corrected: Callable[[Visit], Visit] = lambda visit: visit,
) -> list[Visit]:
    """The visits of one place with its elders' meals.

    A meal within the time of a slot (service meal, this place, this person) whose visit has no tap is that visit, also when a
    person has confirmed it before the meal was known here. One more soon after another, which no slot expects, is counted and
    looked at: it may be for somebody else, and his card may be in other hands.

    Args:
        visits: as `days.derive` gave them.  slots: of the same place and days.
        corrected: the visit with what people have said about it; called for each visit that is made here.
    """
    found = {visit.id: visit for visit in visits}
    planned = [slot for slot in slots if slot.plan.service == MEAL and slot.plan.person and not slot.cancelled]
    planned.sort(key=lambda slot: (slot.opens_ns, slot.id))
    last: dict[str, int] = {}
    for meal in sorted(meals, key=lambda one: (one.time_ns, one.tap)):
        eaten = canteen_visit(meal)
        if eaten is None:
            continue
        again = meal.holder in last and meal.time_ns - last[meal.holder] < _NEXT_NS
        last[meal.holder] = meal.time_ns
        slot = next((slot for slot in planned if _awaits(slot, meal, found)), None)
        if slot is None:
            found[eaten.id] = corrected(_one_more(eaten) if again else eaten)
        else:
            found[slot.id] = corrected(_as_planned(eaten, slot))
    return sorted(found.values(), key=lambda visit: (visit.opens_ns or visit.start_ns or 0, not visit.slot, visit.id))


def _awaits(slot: Slot, meal: Served, found: dict[str, Visit]) -> bool:
    visit = found.get(slot.id)
    return (
        (slot.plan.site, slot.plan.place, slot.plan.person) == (meal.site, meal.place, meal.holder)
        and slot.from_ns <= meal.time_ns <= slot.to_ns
        and (visit is None or not visit.taps)
    )


def _one_more(eaten: Visit) -> Visit:
    return msgspec.structs.replace(eaten, state=State.UNPLANNED, reviewing=True, reasons=(*eaten.reasons, Reason.UNPLANNED))


def _as_planned(eaten: Visit, slot: Slot) -> Visit:
    late_ns = max(0, eaten.start_ns - slot.closes_ns) or min(0, eaten.start_ns - slot.opens_ns)  # type: ignore[operator]
    state = State.LATE if late_ns > 0 else State.EARLY if late_ns < 0 else State.ON_TIME
    return msgspec.structs.replace(
        eaten,
        id=slot.id,
        slot=slot.id,
        date=slot.date,
        state=state,
        opens_ns=slot.opens_ns,
        closes_ns=slot.closes_ns,
        late_s=late_ns // _S if late_ns > 0 else -(-late_ns // _S),
        reasons=(*eaten.reasons, Reason(state.value)) if late_ns else eaten.reasons,
    )
