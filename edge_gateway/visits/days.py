"""The visits of one place, derived from plan, taps, outages and corrections; the same whatever came in which order.

Nothing is remembered between two calls: a late tap, a correction or the passing of time all just derive again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import msgspec

from edge_gateway.visits import corrections as said
from edge_gateway.visits.judge import Rules
from edge_gateway.visits.matching import VAGUE_NS, Match
from edge_gateway.visits.records import (
    DONE,
    CardRole,
    Correction,
    Grade,
    JudgedTap,
    Outage,
    Reason,
    Ruling,
    Slot,
    State,
    Visit,
)
from edge_gateway.visits.stops import Stop, stops

_S: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BEST_FIRST: Final = tuple(Grade)
_LOOKED_AT: Final = frozenset({Reason.WRONG_PLACE, Reason.UNPLANNED, Reason.CLOCK_UNSYNCED, Reason.WEAKER_PROOF})


def derive(
    site: str,
    place: str,
    slots: Sequence[Slot],
    taps: Sequence[JudgedTap],
    outages: Sequence[Outage],
    corrections: Sequence[Correction],
    now_ns: int,
    rules: Rules,
    *,
    zone: tzinfo,
    has_reader: bool,
    elsewhere: Sequence[Slot] = (),
    heard_ns: int | None = None,
) -> list[Visit]:
    """Every slot as one visit, and one for each stop that nothing expected.

    Args:
        slots: of this place. With those and the taps of one day more on both sides than is asked for, a visit is the same
            as with all of them.
        taps: of this place, in any order.
        outages: of the place's readers; those of other places are passed over.
        corrections: those about other visits are passed over. One that names a tap is about the visit which that tap is in.
        zone: of the site, for the date of what was not planned.
        has_reader: whether the place has a reader; without one nobody can have missed a visit.
        elsewhere: slots of other places of the site, to tell a wrong door from an unplanned visit: those that are still `owed`.
        heard_ns: until when every reader of the place is known to have been there. A visit that became due after it is still
            `planned`: it is missed once the readers are heard again, or unknown once they are away. None: is not asked.
    """
    mine = [slot for slot in slots if (slot.plan.site, slot.plan.place) == (site, place)]
    match = Match(sorted(mine, key=lambda slot: (slot.opens_ns, slot.id)), stops(taps, rules))
    away = [one for one in outages if (one.site, one.place) == (site, place)]
    found: list[tuple[Visit, list[JudgedTap]]] = []
    for slot in mine:
        served = match.by_slot.get(slot.id)
        if served:
            found.append(_served(slot, served, match, rules))
        else:
            found.append((_waiting(slot, away, now_ns, has_reader, heard_ns), []))
    found += [_unplanned(site, place, group, elsewhere, zone, rules) for group in _groups(match.spare, rules)]
    visits = [_corrected(visit, own, corrections) for visit, own in found]
    return sorted(visits, key=lambda visit: (visit.opens_ns or visit.start_ns or 0, not visit.slot, visit.id))


def owed(slots: Iterable[Slot], been: Iterable[tuple[str, str, int]]) -> list[Slot]:
    """The slots at whose place their own courier has not tapped in their time.

    Who was at every door that expected him, and taps at one more, is at no wrong door there. By taps and not by visits: so it
    is the same whichever place is derived first.

    Args:
        been: courier, place and time of taps that are counted or under review.
    """
    moments: dict[tuple[str, str], list[int]] = defaultdict(list)
    for courier, place, time_ns in been:
        moments[courier, place].append(time_ns)
    return [
        slot
        for slot in slots
        if not any(slot.from_ns <= at <= slot.to_ns for at in moments.get((slot.plan.courier, slot.plan.place), ()))
    ]


def _served(slot: Slot, served: Sequence[Stop], match: Match, rules: Rules) -> tuple[Visit, list[JudgedTap]]:
    first, plan = served[0], slot.plan
    state, late_s = _punctual(first, slot)
    own = _taps(served, plan.service)
    reasons = _reasons(own)
    if slot.id in match.guessed:
        reasons.append(Reason.CLOCK_UNSYNCED)
    if state in (State.EARLY, State.LATE):
        reasons.append(Reason(state.value))
    if plan.courier and first.courier not in (plan.courier, ""):
        reasons.append(Reason.SUBSTITUTE)
    visit = Visit(
        id=slot.id,
        site=plan.site,
        place=plan.place,
        person=plan.person,
        service=plan.service,
        date=slot.date,
        courier=first.courier,
        state=state,
        slot=slot.id,
        opens_ns=slot.opens_ns,
        closes_ns=slot.closes_ns,
        end_ns=served[1].time_ns if plan.ends and len(served) > 1 else None,
        late_s=late_s,
    )
    visit = _proved(visit, first, own, reasons, rules)
    # Staff tap for other reasons too: that one was there is no meal yet.
    unsure = slot.id in match.shared or (_is_staff(first) and plan.courier != first.courier)
    return (msgspec.structs.replace(visit, reviewing=True) if unsure else visit), own


def _is_staff(stop: Stop) -> bool:
    return any(one.evidence.card is not None and one.evidence.card.role is CardRole.STAFF for one in stop.taps)


def _punctual(stop: Stop, slot: Slot) -> tuple[State, int]:
    """Early or late only if the clock cannot be the reason; seconds outside the window."""
    if stop.latest_ns >= slot.opens_ns and stop.earliest_ns <= slot.closes_ns:
        return State.ON_TIME, 0
    if stop.time_ns > slot.closes_ns:
        return State.LATE, (stop.time_ns - slot.closes_ns) // _S
    return State.EARLY, -((slot.opens_ns - stop.time_ns) // _S)


def _waiting(slot: Slot, outages: Sequence[Outage], now_ns: int, has_reader: bool, heard_ns: int | None) -> Visit:
    """A slot without a tap. It is missed only if a tap would have been here by now."""
    plan = slot.plan
    reasons: list[Reason] = []
    if slot.cancelled:
        state = State.CANCELLED
    elif now_ns < slot.due_ns:
        state = State.PLANNED
    elif not has_reader:
        state, reasons = State.UNKNOWN, [Reason.NO_READER]
    else:
        in_order = sorted(outages, key=lambda one: (one.from_ns, one.device, one.cause))
        reasons = [Reason(one.cause) for one in in_order if _hides(one, slot)]
        silent = heard_ns is not None and heard_ns < slot.due_ns
        state = State.UNKNOWN if reasons else State.PLANNED if silent else State.MISSED
    return Visit(
        id=slot.id,
        site=plan.site,
        place=plan.place,
        person=plan.person,
        service=plan.service,
        date=slot.date,
        courier=plan.courier,
        state=state,
        slot=slot.id,
        opens_ns=slot.opens_ns,
        closes_ns=slot.closes_ns,
        reasons=tuple(dict.fromkeys(reasons)),
        comment=slot.cancelled,
    )


def _hides(outage: Outage, slot: Slot) -> bool:
    """Whether a tap of this slot may have been lost, or may still wait, because of an outage."""
    overlaps = outage.from_ns <= slot.due_ns and (outage.to_ns is None or outage.to_ns >= slot.from_ns)
    return overlaps and not (outage.synced and outage.cause != Reason.READER_DEAD)


def _groups(spare: Iterable[tuple[Stop, str]], rules: Rules) -> list[list[tuple[Stop, str]]]:
    """Stops nothing expected: those of one person for one service within `stay_s` are one visit."""
    found: list[list[tuple[Stop, str]]] = []
    last: dict[tuple[str, str], list[tuple[Stop, str]]] = {}
    for stop, service in spare:
        group = last.get((stop.who, service))
        exact = stop.uncertainty_ns < VAGUE_NS
        if group and exact and stop.time_ns - group[0][0].time_ns <= rules.stay_s * _S:
            group.append((stop, service))
            continue
        last[stop.who, service] = group = [(stop, service)]
        found.append(group)
    return found


def _unplanned(
    site: str, place: str, group: Sequence[tuple[Stop, str]], elsewhere: Sequence[Slot], zone: tzinfo, rules: Rules
) -> tuple[Visit, list[JudgedTap]]:
    first, service = group[0]
    meant = _meant(first, place, elsewhere)
    state = State.UNPLANNED if meant is None else State.WRONG_PLACE
    own = _taps([stop for stop, _ in group], service or None)
    # Two services named beside one tap are two visits; each has the name of its own tag's tap.
    tags = first.services.get(service, [])
    visit = Visit(
        id=tags[0].tap.id if tags else first.first.tap.id,
        site=site,
        place=place,
        person="",
        service=service or (meant.plan.service if meant is not None else ""),
        date=_local_date(first.time_ns, zone),
        courier=first.courier,
        state=state,
        end_ns=group[-1][0].time_ns if len(group) > 1 else None,
    )
    return _proved(visit, first, own, [*_reasons(own), Reason(state.value)], rules), own


def _meant(stop: Stop, place: str, elsewhere: Sequence[Slot]) -> Slot | None:
    """The slot this courier was to serve at another place at that time."""
    if not (place and stop.courier) or stop.uncertainty_ns >= VAGUE_NS:
        return None
    fitting = [
        slot
        for slot in elsewhere
        if slot.plan.courier == stop.courier
        and slot.plan.place != place
        and not slot.cancelled
        and stop.earliest_ns <= slot.to_ns
        and stop.latest_ns >= slot.from_ns
    ]
    return min(fitting, key=lambda slot: (abs(slot.opens_ns - stop.time_ns), slot.id), default=None)


def _taps(served: Iterable[Stop], service: str | None) -> list[JudgedTap]:
    """The taps of a visit by time: those of the person, and the tags of its service (None: of all)."""
    found = {one.tap.id: one for stop in served for one in stop.taps}
    for stop in served:
        for name, tags in stop.services.items():
            if service in (None, name):
                found.update((tag.tap.id, tag) for tag in tags)
    return sorted(found.values(), key=lambda one: (one.tap.time_ns, one.tap.id))


def _reasons(taps: Sequence[JudgedTap]) -> list[Reason]:
    return [reason for one in taps for reason in one.judgement.reasons]


def _proved(visit: Visit, first: Stop, taps: Sequence[JudgedTap], reasons: list[Reason], rules: Rules) -> Visit:
    """With what its taps say. It is counted; a person may decline it."""
    start = first.first.tap
    if not first.courier and first.first.evidence.card is not None:
        reasons.append(Reason.CARD_FORGOTTEN)  # a tag at the door or of a service, and nobody's card beside it
    if start.received_ns - start.time_ns > rules.synced_late_s * _S:
        reasons.append(Reason.SYNCED_LATE)
    grade = min((one.judgement.grade for one in first.taps), key=_BEST_FIRST.index)
    doubtful = any(one.judgement.ruling is Ruling.REVIEW for one in taps)
    if grade is Grade.WEAK and not doubtful:  # a card that was enrolled for no more than its number: a copy shows the same
        reasons.append(Reason.WEAKER_PROOF)
    return msgspec.structs.replace(
        visit,
        start_ns=start.time_ns,
        grade=grade,
        reviewing=doubtful or not first.courier or not _LOOKED_AT.isdisjoint(reasons),
        counted=visit.state in DONE,
        reasons=tuple(dict.fromkeys(reasons)),
        taps=tuple(one.tap.id for one in taps),
        received_ns=start.received_ns,
    )


def _corrected(visit: Visit, taps: Sequence[JudgedTap], corrections: Sequence[Correction]) -> Visit:
    names = {visit.id, *visit.taps}
    about = [one for one in corrections if one.visit in names]
    return said.apply(visit, about, taps) if about else visit


def _local_date(time_ns: int, zone: tzinfo) -> str:
    return (_EPOCH + timedelta(seconds=time_ns // _S)).astimezone(zone).date().isoformat()
