"""How the days of a person go: quarter hours with life in them, and sleep, meals, going out and bathroom read from these.

A day keeps 96 bits for each thing, never more: enough to see a habit change, too coarse to follow a person. All minutes are of
the local day; those of an evening that runs into the next day go on counting, so that 00:30 is 1470. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from statistics import median
from typing import Final

from edge_gateway.homes.home import Day

QUARTER_NS: Final = 900 * 1_000_000_000
QUARTERS: Final = 96
_HALF: Final = 48
_ROOMS: Final = (
    ("kitchen", ("kitchen", "fridge", "freezer", "microwave", "cooktop", "stove", "oven", "cup", "plate", "pan", "toaster")),
    ("bath", ("bath", "toilet", "shower", "basin", "wc")),
    ("bed", ("bed",)),
)
# Where a meal is looked for: minutes from, to.
_MEALS: Final = {"breakfast": (300, 630), "lunch": (630, 900), "dinner": (960, 1290)}
_MEALS_ZH: Final = {"breakfast": "早饭", "lunch": "午饭", "dinner": "晚饭"}
_BATH: Final = -2
_UP: Final = -6
LEAST_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class DayRoutine:
    """One day, as far as its quarter hours tell; None: nothing of that kind was seen.

    Attributes:
        to_bed, up: the night that ended on this day; minutes, `to_bed` of the evening before (22:00 is 1320, 00:30 is 1470).
        night_bath, day_bath: visits to the bathroom, in that night and by day.
        breakfast, lunch, dinner: when the longest stay in the kitchen in those hours began, minutes.
        outings, out_min: how often and how long nobody was at home.
        active: quarter hours with life.
    """

    date: str
    to_bed: float | None = None
    up: float | None = None
    night_bath: float | None = None
    day_bath: float | None = None
    breakfast: float | None = None
    lunch: float | None = None
    dinner: float | None = None
    outings: float | None = None
    out_min: float | None = None
    active: float | None = None


MEASURES: Final = tuple(field.name for field in fields(DayRoutine) if field.name != "date")


def life(day: Day, name: str, time_ns: int) -> None:
    """A sign of life by the sensor `name`; one that is not of this day changes nothing."""
    quarter = (time_ns - day.from_ns) // QUARTER_NS
    if not 0 <= quarter < QUARTERS:
        return
    _mark(day, "life", quarter)
    room = _room(name)
    if room != "bed":
        _mark(day, "up", quarter)
        if room:
            _mark(day, room, quarter)


def held(day: Day, what: str, from_ns: int, to_ns: int) -> None:
    """`what` ("away", "bed", "chair") lasted from then to then; the part that lies within this day is kept."""
    first = max(0, (from_ns - day.from_ns) // QUARTER_NS)
    last = min(QUARTERS - 1, (to_ns - 1 - day.from_ns) // QUARTER_NS)
    for quarter in range(first, last + 1):
        _mark(day, what, quarter)


def quarters(day: Day, what: str) -> int:
    """All 96 quarter hours of the day as bits; bit 0 is 00:00 to 00:15."""
    low, high = day.marks.get(what, (0, 0))
    return low | high << _HALF


def of_days(days: Sequence[Day]) -> list[DayRoutine]:
    """The routine of each day that is complete and has marks."""
    found = []
    before: Day | None = None
    for day in days:
        if day.complete and "life" in day.marks:
            # A night is only known when the evening before it is.
            evening = before if before is not None and before.complete and _follows(before, day) else None
            found.append(_of_day(evening, day))
        before = day
    return found


def values(routines: Sequence[DayRoutine], measure: str) -> list[float]:
    """What is known of one measure."""
    return [value for routine in routines if (value := getattr(routine, measure)) is not None]


def words(days: Sequence[Day]) -> list[tuple[str, str]]:
    """How a usual day goes, as sentences (zh, en); none until there are `LEAST_DAYS` days."""
    routines = of_days(days[-28:])
    if len(routines) < LEAST_DAYS:
        return []
    usual = {name: median(known) for name in MEASURES if len(known := values(routines, name)) * 2 >= len(routines)}
    said = []
    if "to_bed" in usual:
        asleep, up = clock(usual["to_bed"]), clock(usual["up"])
        said.append((f"通常 {asleep} 左右睡下, {up} 左右起床", f"usually in bed by about {asleep} and up at about {up}"))
    if meals := {name: clock(usual[name]) for name in _MEALS if name in usual}:
        zh = ", ".join(f"{_MEALS_ZH[name]} {at}" for name, at in meals.items())
        en = ", ".join(f"{name} {at}" for name, at in meals.items())
        said.append((f"在厨房的时间: {zh} 左右", f"in the kitchen at about: {en}"))
    if usual.get("outings"):
        count, minutes = usual["outings"], usual["out_min"]
        said.append(
            (
                f"每天外出约 {count:.0f} 次, 共 {minutes:.0f} 分钟",
                f"out {count:.0f} times a day, {minutes:.0f} min in all",
            )
        )
    if "night_bath" in usual and any(values(routines, "day_bath")):
        count = usual["night_bath"]
        said.append((f"夜里去卫生间约 {count:.0f} 次", f"in the bathroom about {count:.0f} times a night"))
    return said


def clock(minute: float) -> str:
    """07:35; minutes beyond midnight begin anew."""
    whole = round(minute) % 1440
    return f"{whole // 60:02d}:{whole % 60:02d}"


def _mark(day: Day, what: str, quarter: int) -> None:
    marks = day.marks.get(what)
    if marks is None:
        marks = day.marks[what] = [0, 0]
    marks[quarter >= _HALF] |= 1 << quarter % _HALF


@lru_cache(maxsize=4096)
def _room(name: str) -> str:
    return next((room for room, parts in _ROOMS if any(part in name for part in parts)), "")


def _follows(before: Day, day: Day) -> bool:
    return 22 * 4 <= (day.from_ns - before.from_ns) // QUARTER_NS <= 26 * 4


def _of_day(evening: Day | None, day: Day) -> DayRoutine:
    away, kitchen, bath = (quarters(day, what) for what in ("away", "kitchen", "bath"))
    night = _night(evening, day) if evening is not None else None
    asleep = night_bath = None
    up_quarter = 0
    if night is not None and evening is not None:
        # On the axis of the night 0 is noon of the day before.
        asleep, up_quarter = 720 + night[0] * 15.0, max(0, night[1] - _HALF)
        both = quarters(evening, "bath") >> _HALF | bath << _HALF
        night_bath = float(_stretches(both >> night[0] & (1 << night[1] - night[0]) - 1))
    meals = {name: _longest(kitchen, *span) for name, span in _MEALS.items()}
    return DayRoutine(
        date=day.date,
        to_bed=asleep,
        up=None if night is None else (night[1] - _HALF) * 15.0,
        night_bath=night_bath,
        day_bath=float(_stretches(bath >> up_quarter)),
        breakfast=meals["breakfast"],
        lunch=meals["lunch"],
        dinner=meals["dinner"],
        outings=float(_stretches(away)),
        out_min=away.bit_count() * 15.0,
        active=float(quarters(day, "life").bit_count()),
    )


def _night(evening: Day, day: Day) -> tuple[int, int] | None:
    """The rest from noon to noon, as (first, end) quarters of that axis; None: shorter than two hours.

    It is the stretch with most quiet, where a visit to the bathroom costs half an hour of it, and being up elsewhere an hour
    and a half: whoever watches television hardly moves, but does not sleep.
    """
    rest = [*_rest(evening)[_HALF:], *_rest(day)[:_HALF]]
    best, best_span, total, first = 0, (0, 0), 0, 0
    for quarter, gain in enumerate(rest):
        total += gain
        if total <= 0:
            total, first = 0, quarter + 1
        elif total > best:
            best, best_span = total, (first, quarter + 1)
    return best_span if best >= 8 else None


def _rest(day: Day) -> list[int]:
    """How much each quarter hour speaks for sleep in the own bed."""
    bed, chair, away, up, bath, kitchen = (quarters(day, what) for what in ("bed", "chair", "away", "up", "bath", "kitchen"))
    elsewhere = (up & ~bath | kitchen | away) & ~bed
    # Where a pad tells who is in bed, quiet alone says little.
    quiet = 0 if "bed" in day.marks else 1
    found = []
    for quarter in range(QUARTERS):
        bit = 1 << quarter
        if bed & bit:
            found.append(1)
        elif elsewhere & bit:
            found.append(_UP)
        else:
            found.append(_BATH if (bath | chair) & bit else quiet)
    return found


def _stretches(bits: int) -> int:
    """How many runs of ones."""
    return (bits & ~(bits << 1)).bit_count()


def _longest(bits: int, from_minute: int, to_minute: int) -> float | None:
    """Minute at which the longest run within those minutes begins."""
    best, best_at, run = 0, None, 0
    for quarter in range(from_minute // 15, to_minute // 15):
        run = run + 1 if bits >> quarter & 1 else 0
        if run > best:
            best, best_at = run, quarter - run + 1
    return None if best_at is None else best_at * 15.0
