"""Habits that have changed over weeks, as a hint for whoever visits next. Never a diagnosis, never an alert. Pure.

The last week is held against the four weeks before it, one measure of the routine at a time. A hint needs three things: the
change is large enough to matter to a person, it lies outside what this person's days usually do, and so many days changed that
chance alone would do it less than about once in some hundred weeks (rank sum, z of 3).
"""

from collections.abc import Sequence
from math import sqrt
from statistics import median
from typing import Final, NamedTuple

from edge_gateway.homes.home import Past
from edge_gateway.homes.routine import DayRoutine, clock, of_days, values
from edge_gateway.homes.setting import HomeSetting

RECENT: Final = 7
BEFORE: Final = 28
_LEAST_RECENT: Final = 5
_LEAST_BEFORE: Final = 14
_Z: Final = 3.0


class _Kind(NamedTuple):
    """How one measure is told; `least`: the smallest change that matters, in its unit; `moment`: it is a time of day."""

    measure: str
    least: float
    moment: bool
    zh: str
    en: str


_KINDS: Final = (
    _Kind("to_bed", 60, True, "睡下的时间", "going to bed"),
    _Kind("up", 60, True, "起床的时间", "getting up"),
    _Kind("breakfast", 60, True, "早饭的时间", "breakfast"),
    _Kind("lunch", 60, True, "午饭的时间", "lunch"),
    _Kind("dinner", 60, True, "晚饭的时间", "dinner"),
    _Kind("night_bath", 1.5, False, "每夜去卫生间的次数", "visits to the bathroom a night"),
    _Kind("day_bath", 4, False, "白天去卫生间的次数", "visits to the bathroom by day"),
    _Kind("outings", 1, False, "每天外出的次数", "times out a day"),
    _Kind("active", 12, False, "每天有动静的刻钟数", "quarter hours with life a day"),
)
_MEALS: Final = {"breakfast": ("早饭", "breakfast"), "lunch": ("午饭", "lunch"), "dinner": ("晚饭", "dinner")}


def hints(past: Past, setting: HomeSetting, zone: str) -> list[tuple[str, str]]:
    """What changed, as sentences (zh, en) for staff; none while too little is known.

    `setting` and `zone` say nothing here yet: the days are already local ones.
    """
    routines = of_days(past.days)
    recent, before = routines[-RECENT:], routines[-RECENT - BEFORE : -RECENT]
    if len(recent) < _LEAST_RECENT or len(before) < _LEAST_BEFORE:
        return []
    found = [hint for kind in _KINDS if (hint := _changed(kind, recent, before)) is not None]
    found += [hint for meal in _MEALS if (hint := _skipped(meal, recent, before)) is not None]
    return found


def _changed(kind: _Kind, recent: Sequence[DayRoutine], before: Sequence[DayRoutine]) -> tuple[str, str] | None:
    now, then = values(recent, kind.measure), values(before, kind.measure)
    if len(now) < _LEAST_RECENT or len(then) < _LEAST_BEFORE:
        return None
    new, old = median(now), median(then)
    ordered = sorted(then)
    tenth = len(ordered) // 10
    usual = ordered[tenth] <= new <= ordered[-1 - tenth]
    if abs(new - old) < kind.least or usual or abs(rank_sum(now, then)) < _Z:
        return None
    told_new, told_old = (clock(value) if kind.moment else f"{value:.0f}" for value in (new, old))
    return (
        f"{kind.zh}变了: 最近一周 {told_new} 左右, 之前通常 {told_old}。看望时可以问一问。",
        f"{kind.en} changed: about {told_new} in the last week, usually {told_old} before. Worth asking at the next visit.",
    )


def _skipped(meal: str, recent: Sequence[DayRoutine], before: Sequence[DayRoutine]) -> tuple[str, str] | None:
    """A meal that used to be made and no longer is; a time cannot tell that."""
    now, then = ([float(getattr(day, meal) is not None) for day in days] for days in (recent, before))
    often, rare = sum(then) / len(then), sum(now) / len(now)
    if often < 0.75 or rare > 0.35 or abs(rank_sum(now, then)) < _Z:
        return None
    zh, en = _MEALS[meal]
    return (
        f"{zh}时间厨房里少有动静: 最近一周 {sum(now):.0f} 天有, 之前 {often:.0%} 的日子有。看望时可以问一问。",
        f"little stirs in the kitchen at {en}: on {sum(now):.0f} days of the last week, on {often:.0%} of the days before. "
        "Worth asking at the next visit.",
    )


def rank_sum(now: Sequence[float], then: Sequence[float]) -> float:
    """z of Mann and Whitney with ties; above 0: `now` is larger. 0 when all values are the same."""
    together = sorted((*now, *then))
    ranks, ties, at = {}, 0.0, 0
    while at < len(together):
        count = together.count(together[at])
        ranks[together[at]] = at + (count + 1) / 2
        ties += count**3 - count
        at += count
    first, second, total = len(now), len(then), len(together)
    u = sum(ranks[value] for value in now) - first * (first + 1) / 2
    variance = first * second / 12 * (total + 1 - ties / (total * (total - 1)))
    return 0.0 if variance <= 0 else (u - first * second / 2) / sqrt(variance)
