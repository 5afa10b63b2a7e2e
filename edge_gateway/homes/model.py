"""A small model of one home, trained on its own past: how much quiet is surprising, quarter hour by quarter hour.

For each quarter hour of the day it knows how likely life is while somebody is at home and up. A quiet quarter hour in which
life was all but certain weighs much, one of the night next to nothing; the weights of a silence are added up. The limit lies
where, by the quietest stretch of each past day, a false alarm is to be expected once in `RETURN_DAYS` days. A silence may last
until its weight reaches that limit, so the answer is a number of seconds for each time at which a silence may begin. Pure.
"""

from collections.abc import Sequence
from math import log, pi, sqrt
from statistics import fmean, stdev
from typing import Any, Final

from edge_gateway.homes.home import Day
from edge_gateway.homes.routine import QUARTERS, clock, quarters
from edge_gateway.homes.setting import HomeSetting

LEAST_DAYS: Final = 14
RETURN_DAYS: Final = 90.0
FLOOR_S: Final = 4 * 3600.0
_QUARTER_S: Final = 900.0
_MOST: Final = 2 * QUARTERS  # no silence is thought through beyond two days
_EULER: Final = 0.5772156649
_UNSEEN: Final = 0.05  # chance of life where nobody was ever seen
_BELL: Final = (1, 2, 3, 2, 1)  # habits shift by half an hour from day to day


def train(days: Sequence[Day], setting: HomeSetting) -> dict[str, Any]:
    """The model of a home from its complete days, oldest first; empty below `LEAST_DAYS` or when nothing ever stirs.

    Returns:
        days: how many it was trained on.  chance: of life in each quarter hour of the day.  limit: weight a silence may reach.
        longest: the heaviest silence of these days.  reach_s: allowed silence, by the quarter hour in which it begins.
    """
    good = [day for day in days if day.complete and "life" in day.marks]
    if len(good) < LEAST_DAYS:
        return {}
    chance = _chances(good)
    weights = [-log(1.0 - one) for one in chance]
    heaviest = _heaviest(good, weights)
    if sum(weights) < 1.0 or len(heaviest) < LEAST_DAYS:
        return {}
    limit = max(max(heaviest), _once_in(RETURN_DAYS, heaviest))
    return {
        "days": len(good),
        "chance": [round(one, 4) for one in chance],
        "limit": round(limit, 3),
        "longest": round(max(heaviest), 3),
        "reach_s": [max(FLOOR_S, _reach(quarter, weights, limit)) for quarter in range(QUARTERS)],
    }


def limit_s(model: dict[str, Any], minute: float) -> float | None:
    """How long a silence may last that began at this minute of the local day; None: nothing was learned, or it is damaged.

    Between two quarter hours it is what lies between their limits.
    """
    reach = model.get("reach_s")
    if not isinstance(reach, list) or len(reach) != QUARTERS:
        return None
    at = minute / 15.0 % QUARTERS
    first, part = int(at) % QUARTERS, at % 1.0
    return float(reach[first] * (1.0 - part) + reach[(first + 1) % QUARTERS] * part)


def words(model: dict[str, Any]) -> tuple[str, str] | None:
    """What it learned, so that a person can say whether it is true of this home: (zh, en); None: nothing."""
    chance, reach = model.get("chance"), model.get("reach_s")
    if not isinstance(chance, list) or not isinstance(reach, list) or len(chance) != QUARTERS or len(reach) != QUARTERS:
        return None
    busy, calm = _spell(chance, max), _spell(chance, min)
    examples = [(clock(minute), clock(minute + reach[minute // 15] / 60)) for minute in (540, 900, 1380)]
    zh = (
        f"学了 {model['days']} 天。最活跃 {busy[0]}-{busy[1]} (每一刻钟有动静的机会 {busy[2]:.0%}), "
        f"最安静 {calm[0]}-{calm[1]} ({calm[2]:.0%})。"
    )
    en = (
        f"Learned from {model['days']} days. Busiest {busy[0]}-{busy[1]} (life in {busy[2]:.0%} of the quarter hours), "
        f"calmest {calm[0]}-{calm[1]} ({calm[2]:.0%}). "
    )
    zh += "".join(f"{start} 起没有动静, {end} 询问。" for start, end in examples)
    en += " ".join(f"Quiet since {start}: asks at {end}." for start, end in examples)
    return zh, en


def _chances(days: Sequence[Day]) -> list[float]:
    """Chance of life in each quarter hour at home and up, from what was counted there and just before and after."""
    lived, home = [0.0] * QUARTERS, [0.0] * QUARTERS
    for day in days:
        life = quarters(day, "life")
        there = life | ~_unseen(day)
        for quarter in range(QUARTERS):
            lived[quarter] += life >> quarter & 1
            home[quarter] += there >> quarter & 1
    chances = []
    for quarter in range(QUARTERS):
        around = [((quarter + step - 2) % QUARTERS, weight) for step, weight in enumerate(_BELL)]
        seen = sum(lived[other] * weight for other, weight in around)
        of = sum(home[other] * weight for other, weight in around)
        # One day more that nobody saw: nothing is certain, and hours in which nothing was learned never alarm by themselves.
        chances.append((seen + _UNSEEN * sum(_BELL)) / (of + sum(_BELL)))
    return chances


def _heaviest(days: Sequence[Day], weights: Sequence[float]) -> list[float]:
    """For each day the weight of the heaviest silence that ended on it, or is still going on at its end."""
    found: list[float] = []
    weight = 0.0
    before: Day | None = None
    for day in days:
        if before is None or not 22 * 4 <= (day.from_ns - before.from_ns) / 1e9 / _QUARTER_S <= 26 * 4:
            weight = 0.0  # a gap in the past: nobody knows how long it was quiet before
        life, absent = quarters(day, "life"), _unseen(day)
        heaviest = 0.0
        for quarter in range(QUARTERS):
            if life >> quarter & 1:
                weight = 0.0
            elif not absent >> quarter & 1:
                weight += weights[quarter]
                heaviest = max(heaviest, weight)
        found.append(heaviest)
        before = day
    return found


def _unseen(day: Day) -> int:
    """Quarter hours in which quiet says nothing: nobody at home, or somebody in the bed or chair."""
    return quarters(day, "away") | quarters(day, "bed") | quarters(day, "chair")


def _once_in(days: float, maxima: Sequence[float]) -> float:
    """What the maximum of a day exceeds once in so many days, by Gumbel's distribution fitted to its mean and deviation."""
    scale = stdev(maxima) * sqrt(6.0) / pi
    return fmean(maxima) + scale * (-log(-log(1.0 - 1.0 / days)) - _EULER)


def _reach(quarter: int, weights: Sequence[float], limit: float) -> float:
    """Seconds from the beginning of a quarter hour, in which there was life, until the silence after it weighs `limit`."""
    left = limit
    for step in range(1, _MOST + 1):
        weight = weights[(quarter + step) % QUARTERS]
        if weight >= left:
            return (step + left / weight) * _QUARTER_S
        left -= weight
    return _MOST * _QUARTER_S


def _spell(chance: Sequence[float], which: Any) -> tuple[str, str, float]:
    """The two hours in which most, or least, stirs: from, to, mean chance."""
    means = [(fmean(chance[(first + step) % QUARTERS] for step in range(8)), first) for first in range(QUARTERS)]
    mean, first = which(means)
    return clock(first * 15), clock(first * 15 + 120), mean
