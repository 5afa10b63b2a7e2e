"""Meals served at the counter, joined with visits: what was served, what was handed over, what is claimed, where they differ.

A counter is a reader with a scale (registry model `meal_counter`). Its taps are no visits: a courier who taps there takes a
meal along. An elder who taps there has eaten: that is served and handed over at once (`canteen_visit`).

A difference is a question, never a verdict: it names what is known, and nothing is deducted for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Final

import msgspec

from edge_gateway.visits.meals import CARRY_S, Fate, Meals, is_tapped, match
from edge_gateway.visits.records import CardRole, Grade, JudgedTap, Reason, Ruling, Served, State, Visit

MODEL: Final = "meal_counter"
MEAL: Final = "meal"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOLDERS: Final = frozenset({CardRole.COURIER, CardRole.STAFF, CardRole.ELDER})


class Mismatch(StrEnum):
    """What does not fit."""

    NOT_HANDED_OVER = "not_handed_over"  # served, and no visit is recorded for it
    NEVER_SERVED = "never_served"  # handed over, and no meal was weighed for it
    NOT_WEIGHED = "not_weighed"  # the same, but the card was at the counter and the scale gave no weight
    CLAIMED_WITHOUT_EITHER = "claimed_without_either"  # counted, neither weighed nor tapped
    COUNTER_SILENT = "counter_silent"  # nobody was at a counter that day: there is nothing to compare


class Difference(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that does not fit.

    Attributes:
        holder, role: whose card; "" with COUNTER_SILENT.
        date: of the meal, else of the visit.  place: of the counter for a meal, else of the visit.
        tap: of the counter, "" where there is none.  visit: "" where there is none.
        time_ns, clock: when it was served, else handed over; None and "" where nobody knows.
        claimed: the visit is counted.
        count: COUNTER_SILENT: visits of that day; else 1.
    """

    kind: Mismatch
    site: str
    holder: str
    role: CardRole
    date: str
    place: str
    tap: str = ""
    visit: str = ""
    time_ns: int | None = None
    clock: str = ""
    mass_g: float | None = None
    reviewing: bool = False
    claimed: bool = False
    count: int = 1


class DayTotal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One holder's day at one site. A visit counts on the day of its meal, also after midnight.

    served = handed_over + confirmed + shared_meals - shared_visits - uncompared
             + not_handed_over - never_served - not_weighed

    Attributes:
        served, grams: meals that were weighed.  unweighed: the card was at the counter, the scale gave no weight.
        handed_over: visits with a tap.  claimed: visits that are counted.
        confirmed: meals whose visit has no tap, and is counted because a person said so.
        shared_meals: a second meal left at one stop under one tap.  shared_visits: a second visit of one stop, its meal
            weighed together with the first.
        uncompared: visits of a day on which no counter was heard.
    """

    site: str
    holder: str
    role: CardRole
    date: str
    served: int = 0
    unweighed: int = 0
    grams: float = 0.0
    handed_over: int = 0
    claimed: int = 0
    confirmed: int = 0
    shared_meals: int = 0
    shared_visits: int = 0
    uncompared: int = 0
    not_handed_over: int = 0
    never_served: int = 0
    not_weighed: int = 0
    claimed_without_either: int = 0


def served(judged: JudgedTap, zone: tzinfo) -> Served | None:
    """What a tap at a counter is; None: refused, repeated, or a card that takes no meals.

    Args:
        judged: a tap of a device whose registry model is `MODEL`.
        zone: of the site.
    """
    tap, card = judged.tap, judged.evidence.card
    if card is None or card.role not in _HOLDERS or judged.judgement.ruling in (Ruling.REFUSED, Ruling.REPEATED):
        return None
    return Served(
        tap.id,
        tap.site,
        tap.place,
        card.holder,
        card.role,
        _local(tap.time_ns, zone).strftime("%Y-%m-%d"),
        tap.time_ns,
        tap.mass_g,
        tap.calibration or "",
        judged.judgement.grade,
        judged.judgement.ruling is Ruling.REVIEW,
    )


def may_be_meal(visit: Visit) -> bool:
    """Whether it is compared with meals: one of another service is not."""
    return visit.service in (MEAL, "")


def subject(meal: Served) -> str:
    """What the chain calls a meal: its date stands there, so that a sheet can tell which meals it has to show."""
    return f"{meal.site}|{meal.date}/{meal.tap}"


def canteen_visit(meal: Served) -> Visit | None:
    """The visit that an elder's meal at the counter is; None: a courier's, or nothing was weighed, so a person has to say."""
    if meal.role is not CardRole.ELDER or meal.mass_g is None:
        return None
    weak = meal.grade is Grade.WEAK
    return Visit(
        id=meal.tap,
        site=meal.site,
        place=meal.place,
        person=meal.holder,
        service=MEAL,
        date=meal.date,
        courier="",
        state=State.ON_TIME,
        start_ns=meal.time_ns,
        grade=meal.grade,
        reviewing=meal.reviewing or weak,
        counted=True,
        reasons=(Reason.WEAKER_PROOF,) if weak else (),
        taps=(meal.tap,),
    )


def compare(
    meals: Iterable[Served], visits: Iterable[Visit], date: str, zone: tzinfo, carry_s: int = CARRY_S
) -> list[Difference]:
    """What does not fit on this date.

    Args:
        meals, visits: of one site, of the date and the days before and after it: a meal may be carried over midnight.
        carry_s: longest time from the counter to the door.
    """
    return [found for found in differences(meals, visits, zone, carry_s) if found.date == date]


def differences(meals: Iterable[Served], visits: Iterable[Visit], zone: tzinfo, carry_s: int = CARRY_S) -> list[Difference]:
    """The same for all dates at once, as for a month; what is at the edges lacks its neighbours."""
    return _differences(_matched(meals, visits, carry_s), zone)


def _differences(found: Meals, zone: tzinfo) -> list[Difference]:
    made = [_of_meal(meal, Mismatch.NOT_HANDED_OVER, zone) for meal in found.meals if found.meal_fates[meal.tap] is Fate.LOST]
    eaten = [meal for meal in found.unweighed if meal.role is CardRole.ELDER and meal.tap not in found.meal_fates]
    made += [_of_meal(meal, Mismatch.NOT_WEIGHED, zone) for meal in eaten]
    silent: Counter[tuple[str, str]] = Counter()
    for visit in found.visits:
        kind = _MISMATCHES.get(found.visit_fates[visit.id])
        if kind is not None and (visit.site, found.date_of(visit)) in found.heard:
            made.append(_of_visit(visit, kind, found.date_of(visit), zone))
        elif kind is not None:
            silent[visit.site, visit.date] += 1
    made += [
        Difference(Mismatch.COUNTER_SILENT, site, "", CardRole.COURIER, date, "", count=count)
        for (site, date), count in silent.items()
    ]
    return sorted(made, key=lambda one: (one.date, one.holder, one.time_ns or 0, one.kind, one.tap, one.visit))


def totals(meals: Iterable[Served], visits: Iterable[Visit], date: str, carry_s: int = CARRY_S) -> list[DayTotal]:
    """Every holder's sums of this date; arguments as of `compare`."""
    return [total for total in all_totals(meals, visits, carry_s) if total.date == date]


def all_totals(meals: Iterable[Served], visits: Iterable[Visit], carry_s: int = CARRY_S) -> list[DayTotal]:
    """The same for all dates at once, sorted by date and holder."""
    return _totals(_matched(meals, visits, carry_s))


def join(
    meals: Iterable[Served], visits: Iterable[Visit], zone: tzinfo, carry_s: int = CARRY_S
) -> tuple[list[DayTotal], list[Difference]]:
    """`all_totals` and `differences` of one matching, for half the time."""
    found = _matched(meals, visits, carry_s)
    return _totals(found), _differences(found, zone)


def _totals(found: Meals) -> list[DayTotal]:
    days: dict[tuple[str, str, CardRole, str], Counter[str]] = defaultdict(Counter)
    grams: dict[tuple[str, str, CardRole, str], float] = defaultdict(float)
    for meal in (*found.meals, *found.unweighed):
        key = (meal.date, meal.holder, _side(meal.role), meal.site)
        _count_meal(days[key], meal, found)
        grams[key] += meal.mass_g or 0.0
    for visit in found.visits:
        _count_visit(days[found.date_of(visit), visit.courier, CardRole.COURIER, visit.site], visit, found)
    return [
        DayTotal(site, holder, role, date, grams=round(grams[date, holder, role, site], 1), **day)
        for (date, holder, role, site), day in sorted(days.items())
    ]


def _matched(meals: Iterable[Served], visits: Iterable[Visit], carry_s: int) -> Meals:
    return match(meals, (visit for visit in visits if may_be_meal(visit)), carry_s)


def _side(role: CardRole) -> CardRole:
    """A member of staff who brings a meal is a courier that day; a visit does not tell which."""
    return role if role is CardRole.ELDER else CardRole.COURIER


def _count_meal(day: Counter[str], meal: Served, found: Meals) -> None:
    if meal.mass_g is None:
        day["unweighed"] += 1
        return
    day["served"] += 1
    fate = found.meal_fates[meal.tap]
    if meal.role is CardRole.ELDER:
        day["handed_over"] += 1
        canteen = found.canteen.get(meal.tap)
        day["claimed"] += canteen is not None and canteen.counted
    elif fate in _MEAL_SUMS:
        day[_MEAL_SUMS[fate]] += 1


def _count_visit(day: Counter[str], visit: Visit, found: Meals) -> None:
    fate = found.visit_fates[visit.id]
    tapped, kind = is_tapped(visit), _MISMATCHES.get(fate)
    day["claimed"] += visit.counted
    day["handed_over"] += tapped
    day["shared_visits"] += fate is Fate.SHARED
    if kind is not None and (visit.site, found.date_of(visit)) in found.heard:
        day[kind.value] += 1
    elif kind is not None:
        day["uncompared"] += tapped


_MISMATCHES: Final[Mapping[Fate, Mismatch]] = {
    Fate.LOST: Mismatch.NEVER_SERVED,
    Fate.EXCUSED: Mismatch.NOT_WEIGHED,
    Fate.CLAIMED: Mismatch.CLAIMED_WITHOUT_EITHER,
}
_MEAL_SUMS: Final[Mapping[Fate, str]] = {
    Fate.LOST: "not_handed_over",
    Fate.SHARED: "shared_meals",
    Fate.CONFIRMED: "confirmed",
}


def difference_words(found: Difference, language: str) -> str:
    """One sentence; pseudonyms as they are. `language`: `zh-CN` or `en`."""
    zh = language.startswith("zh")
    text = (_ZH if zh else _EN)[found.kind]
    grams = "" if found.mass_g is None else f"{found.mass_g:.0f} {'克' if zh else 'g'}"
    clock = found.clock or ("时间不明" if zh else "at a time nobody knows")
    return text.format(holder=found.holder, place=found.place, clock=clock, grams=grams, count=found.count, date=found.date)


_EN: Final[Mapping[Mismatch, str]] = {
    Mismatch.NOT_HANDED_OVER: "{holder} took a meal ({grams}) at {place}, {clock}; no visit is recorded for it.",
    Mismatch.NEVER_SERVED: "{holder} handed over a meal at {place}, {clock}; no meal was weighed for it.",
    Mismatch.NOT_WEIGHED: "{holder} was at the counter for the meal at {place}, {clock}; the scale gave no weight.",
    Mismatch.CLAIMED_WITHOUT_EITHER: "A meal at {place} is claimed ({clock}); it was neither weighed nor tapped.",
    Mismatch.COUNTER_SILENT: "Nothing was heard of a counter on {date}; {count} visits cannot be compared.",
}
_ZH: Final[Mapping[Mismatch, str]] = {
    Mismatch.NOT_HANDED_OVER: "{holder} {clock} 在 {place} 取餐 {grams}, 还没有对应的送达记录。",
    Mismatch.NEVER_SERVED: "{holder} {clock} 在 {place} 送达一餐, 没有对应的称重记录。",
    Mismatch.NOT_WEIGHED: "{holder} 为 {place} {clock} 的一餐在取餐台打过卡, 秤没有给出重量。",
    Mismatch.CLAIMED_WITHOUT_EITHER: "{place} 的一餐已计入申领 ({clock}), 没有称重记录, 也没有打卡记录。",
    Mismatch.COUNTER_SILENT: "{date} 没有收到取餐台的记录, {count} 次送达无法核对。",
}


def _of_meal(meal: Served, kind: Mismatch, zone: tzinfo) -> Difference:
    clock = _clock(meal.time_ns, zone)
    where = (meal.site, meal.holder, meal.role, meal.date, meal.place)
    return Difference(kind, *where, meal.tap, "", meal.time_ns, clock, meal.mass_g, meal.reviewing)


def _of_visit(visit: Visit, kind: Mismatch, date: str, zone: tzinfo) -> Difference:
    clock = "" if visit.start_ns is None else _clock(visit.start_ns, zone)
    where = (visit.site, visit.courier, CardRole.COURIER, date, visit.place)
    return Difference(kind, *where, "", visit.id, visit.start_ns, clock, None, visit.reviewing, visit.counted)


def _clock(time_ns: int, zone: tzinfo) -> str:
    return _local(time_ns, zone).strftime("%H:%M")


def _local(time_ns: int, zone: tzinfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=time_ns // 1000)).astimezone(zone)
