"""The plan: which visits are expected when. Rows are checked with all their problems at once; slots are its lines on dates."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

import msgspec

from edge_gateway.visits.plan_rows import DAY_MIN, OWN_ID, Cells
from edge_gateway.visits.records import Plan, PlanException, Slot

HOLIDAYS: Final = ("as_usual", "none", "only")
KINDS: Final = ("cancelled", "moved")
_MINUTE_NS: Final = 60_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGE_MIN: Final = 120  # more than any zone moves its clocks


def check(row: Mapping[str, object]) -> Plan:
    """A line of the plan from a row of a table or a command.

    Times of day are minutes or `11:00` (after midnight `25:30`), weekdays numbers or a text such as `1-5` or `1 3 5`.
    An empty or missing field takes its default.

    Raises:
        Rejected: `bad_plan`, with every problem of the row.
    """
    cells = Cells(row, Plan)
    plan = Plan(
        id=cells.matching("id", OWN_ID, "a-z, 0-9, - and _, at most 48 characters"),
        site=cells.name("site"),
        place=cells.name("place"),
        person=cells.name("person", ""),
        service=cells.name("service", "meal"),
        weekdays=cells.weekdays(),
        opens_min=cells.minutes("opens_min", 660, 0, DAY_MIN - 1),
        closes_min=cells.minutes("closes_min", 720, 1, 2 * DAY_MIN),
        grace_min=cells.minutes("grace_min", 30, 0, DAY_MIN),
        early_min=cells.minutes("early_min", 60, 0, DAY_MIN),
        late_min=cells.minutes("late_min", 180, 0, DAY_MIN),
        courier=cells.name("courier", ""),
        first=cells.date("first", "2000-01-01"),
        last=cells.date("last", ""),
        holidays=cells.one_of("holidays", HOLIDAYS, "as_usual"),
        ends=cells.yes("ends"),
    )
    cells.window(plan.opens_min, plan.closes_min)
    if plan.last and plan.last < plan.first:
        cells.problems.append(f"last {plan.last} is before first {plan.first}")
    cells.finish("bad_plan", plan.id)
    return plan


def check_exception(row: Mapping[str, object]) -> PlanException:
    """One different day from a row; forms as in `check`.

    Raises:
        Rejected: `bad_exception`, with every problem of the row.
    """
    cells = Cells(row, PlanException)
    kind = cells.one_of("kind", KINDS, "")
    moved = kind == "moved"
    found = PlanException(
        id=cells.matching("id", OWN_ID, "a-z, 0-9, - and _, at most 48 characters"),
        site=cells.name("site"),
        date=cells.date("date", None),
        kind=kind,
        plan=cells.matching("plan", OWN_ID, "the id of a line of the plan", ""),
        place=cells.name("place", ""),
        person=cells.name("person", ""),
        opens_min=cells.minutes("opens_min", None if moved else 0, 0, DAY_MIN - 1),
        closes_min=cells.minutes("closes_min", None if moved else 0, 0, 2 * DAY_MIN),
        reason=cells.words("reason"),
    )
    if moved:
        cells.window(found.opens_min, found.closes_min)
    if not (found.plan or found.place or found.person):
        cells.problems.append("says neither plan nor place nor person; name at least one")
    cells.finish("bad_exception", found.id)
    return found


def slots(
    plans: Iterable[Plan],
    exceptions: Iterable[PlanException],
    holidays: Collection[str],
    zone: tzinfo,
    first_date: str,
    last_date: str,
) -> list[Slot]:
    """The visits expected on the local dates first..last of one site, by time.

    A slot is the same whatever range is asked for: its neighbours beyond the edges are looked at as well.

    Args:
        holidays: local dates, `2026-10-01`.
        zone: of the site.

    Raises:
        ValueError: a date is none.
    """
    first, last = date.fromisoformat(first_date), date.fromisoformat(last_date)
    lines, special = list(plans), list(exceptions)
    different: dict[str, list[PlanException]] = defaultdict(list)
    for exception in special:
        different[exception.date].append(exception)
    reach = _reach_days(lines, special)
    found: list[Slot] = []
    for number in range(-reach, (last - first).days + 1 + reach):
        day = first + timedelta(number)
        text = day.isoformat()
        found += [_slot(plan, day, zone, different[text]) for plan in lines if _expected(plan, day, text in holidays)]
    kept = [slot for slot in _apart(found) if first_date <= slot.date <= last_date]
    return sorted(kept, key=lambda slot: (slot.opens_ns, slot.id))


def _reach_days(plans: Sequence[Plan], exceptions: Sequence[PlanException]) -> int:
    """How many days away a slot may be that cuts another one short."""
    latest_min = max([one.closes_min for one in plans] + [one.closes_min for one in exceptions], default=0)
    stretch_min = max((max(plan.early_min, plan.late_min) for plan in plans), default=0)
    return (latest_min + stretch_min + _CHANGE_MIN) // DAY_MIN


def _expected(plan: Plan, day: date, holiday: bool) -> bool:
    text = day.isoformat()
    if text < plan.first or (plan.last and text > plan.last):
        return False
    if plan.holidays == "only":
        return holiday
    return day.isoweekday() in plan.weekdays and not (holiday and plan.holidays == "none")


def _slot(plan: Plan, day: date, zone: tzinfo, exceptions: Sequence[PlanException]) -> Slot:
    mine = sorted((one for one in exceptions if concerns(one, plan)), key=lambda one: one.id)
    cancelled = [one.reason or "cancelled" for one in mine if one.kind == "cancelled"]
    opens_min, closes_min = plan.opens_min, plan.closes_min
    for one in mine:
        if one.kind == "moved":
            opens_min, closes_min = one.opens_min, one.closes_min
    # In the hour that comes twice a window opens at its first and closes at its second passing.
    opens_ns, closes_ns = _at(day, opens_min, zone, 0), _at(day, closes_min, zone, 1)
    if closes_ns <= opens_ns:  # inside the hour that is left out
        closes_ns = opens_ns + (closes_min - opens_min) * _MINUTE_NS
    return Slot(
        id=f"{plan.id}/{day.isoformat()}",
        plan=plan,
        date=day.isoformat(),
        opens_ns=opens_ns,
        closes_ns=closes_ns,
        from_ns=opens_ns - plan.early_min * _MINUTE_NS,
        to_ns=closes_ns + plan.late_min * _MINUTE_NS,
        due_ns=closes_ns + plan.grace_min * _MINUTE_NS,
        cancelled=cancelled[0] if cancelled else "",
    )


def concerns(exception: PlanException, plan: Plan) -> bool:
    """Whether it is about this line of the plan."""
    return (
        exception.site == plan.site
        and exception.plan in ("", plan.id)
        and exception.place in ("", plan.place)
        and exception.person in ("", plan.person)
        and bool(exception.plan or exception.place or exception.person)
    )


def _at(day: date, minutes: int, zone: tzinfo, fold: int) -> int:
    """UTC ns of a wall-clock time of a local day."""
    wall = datetime(day.year, day.month, day.day, tzinfo=zone) + timedelta(minutes=minutes)
    since = wall.replace(fold=fold).astimezone(UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000


def _apart(found: Iterable[Slot]) -> list[Slot]:
    """No slot takes taps beyond the opening of the next, or before the closing of the one before, of its place and service."""
    alike: dict[tuple[str, str, str], list[Slot]] = defaultdict(list)
    kept: list[Slot] = []
    for slot in found:
        plan = slot.plan
        (kept if slot.cancelled else alike[plan.site, plan.place, plan.service]).append(slot)
    for group in alike.values():
        opens, closes = sorted(slot.opens_ns for slot in group), sorted(slot.closes_ns for slot in group)
        kept += [_between(slot, opens, closes) for slot in group]
    return kept


def _between(slot: Slot, opens: Sequence[int], closes: Sequence[int]) -> Slot:
    after, before = bisect_left(opens, slot.closes_ns), bisect_right(closes, slot.opens_ns)
    to_ns = min(slot.to_ns, opens[after]) if after < len(opens) else slot.to_ns
    from_ns = max(slot.from_ns, closes[before - 1]) if before else slot.from_ns
    if (from_ns, to_ns) == (slot.from_ns, slot.to_ns):
        return slot
    return msgspec.structs.replace(slot, from_ns=from_ns, to_ns=to_ns)
