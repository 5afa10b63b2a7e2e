"""How far the routine that is read from quarter hours lies from what people wrote down who watched the same home."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from edge_gateway.homes import drift
from edge_gateway.homes.home import Day
from edge_gateway.homes.replay import Replayer
from edge_gateway.homes.routine import DayRoutine, of_days
from edge_gateway.homes.setting import HomeSetting
from operations.homes.prepared import ZONE
from operations.homes.recordings import Recording, Span
from operations.homes.simulate import DAY_NS

_MINUTE_NS: Final = 60 * 1_000_000_000
_NOON_NS: Final = DAY_NS // 2
_SLEEP: Final = ("Sleep", "sleep", "Sleeping")
_LABELS: Final = {
    "breakfast": ("Cook_Breakfast", "breakfast", "Breakfast", "Preparing breakfast"),
    "lunch": ("Cook_Lunch", "Lunch", "Preparing lunch"),
    "dinner": ("Cook_Dinner", "dinner", "Preparing dinner"),
}


@dataclass(frozen=True, slots=True)
class Habit:
    """Of one measure: on how many days both the labels and we knew it, and by how many minutes we were off, as median."""

    home: str
    measure: str
    days: int
    off_min: float


def accuracy(recording: Recording) -> tuple[list[Habit], int]:
    """Each measure that somebody labelled, and how many hints of a changed habit the recording would have given."""
    world = Replayer(HomeSetting("score", "habits"), ZONE)
    hints, known = 0, 0
    for one in recording.seen:
        world.feed(one)
        if len(world.past.days) != known:
            known = len(world.past.days)
            hints += len(drift.hints(world.past, HomeSetting("score", "habits"), ZONE))
    days = {day.date: day for day in world.past.days}
    routines = [(routine, days[routine.date]) for routine in of_days(world.past.days)]
    nights = [span for name in _SLEEP for span in recording.labels.get(name, ())]
    off = {"to_bed": _bed(routines, nights, 0), "up": _bed(routines, nights, 1)}
    for meal, names in _LABELS.items():
        off[meal] = _meal(routines, meal, [span for name in names for span in recording.labels.get(name, ())])
    found = [Habit(recording.name, measure, len(errors), median(errors)) for measure, errors in off.items() if errors]
    return found, hints


def _bed(routines: Sequence[tuple[DayRoutine, Day]], nights: Sequence[Span], end: int) -> list[float]:
    """Minutes between our night and that of the labels: the first and last sleep from six in the evening to noon."""
    errors = []
    for routine, day in routines:
        slept = [span for span in nights if day.from_ns - _NOON_NS // 2 < span[0] and span[1] < day.from_ns + _NOON_NS]
        if not slept or routine.up is None or routine.to_bed is None:
            continue
        truth = max(span[1] for span in slept) if end else min(span[0] for span in slept)
        ours = routine.up if end else routine.to_bed - 1440
        errors.append(abs((truth - day.from_ns) / _MINUTE_NS - ours))
    return errors


def _meal(routines: Sequence[tuple[DayRoutine, Day]], meal: str, labels: Sequence[Span]) -> list[float]:
    errors = []
    for routine, day in routines:
        told = [(start - day.from_ns) / _MINUTE_NS for start, _ in labels if 0 <= start - day.from_ns < DAY_NS]
        ours = getattr(routine, meal)
        if told and ours is not None:
            errors.append(min(abs(minute - ours) for minute in told))
    return errors
