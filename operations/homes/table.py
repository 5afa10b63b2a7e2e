"""The score as tables: what stands in the documentation, in English and Chinese, and what a terminal shows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp
from statistics import median
from typing import Final

from operations.homes.habits import Habit
from operations.homes.prepared import WAYS
from operations.homes.score import Fall, Run, Scenario

MONTH_DAYS: Final = 30.0
_LANGUAGES: Final = ("en", "zh")
_SCENARIOS: Final = {
    Scenario.RECORDED: ("as recorded; falls", "如记录; 跌倒"),
    Scenario.BLIPS: ("falls, with lone blips of a sensor after them", "跌倒后传感器偶有单次误触"),
    Scenario.BED: ("does not get up: the bed stays held", "起不了床: 床垫一直有人"),
    Scenario.ABSENT: ("one more absence of 1 to 24 h a day", "每天再外出一次, 1 至 24 小时"),
    Scenario.STUCK: ("one sensor stuck; falls", "一个传感器卡住; 跌倒"),
    Scenario.DEAD: ("one sensor dead; falls", "一个传感器失灵; 跌倒"),
}
_WAYS: Final = {
    "fixed 12 h": "固定 12 小时",
    "fixed 8 h": "固定 8 小时",
    "fixed 6 h": "固定 6 小时",
    "fixed 4 h": "固定 4 小时",
    "personal": "个人时限",
    "model": "模型",
}
_MEASURES: Final = {
    "to_bed": ("to bed", "睡下"),
    "up": ("up", "起床"),
    "breakfast": ("breakfast", "早饭"),
    "lunch": ("lunch", "午饭"),
    "dinner": ("dinner", "晚饭"),
}
_HEADS: Final = {
    "en": (
        "what was done to the days",
        "rule",
        "home-days",
        "false alarms",
        "a home-month (95 %)",
        "questions a home-month",
        "absences asked after a home-month",
        "falls by day: median, 90 %, missed (asked after)",
        "evening and night: median, 90 %, missed (asked after)",
    ),
    "zh": (
        "情形",
        "规则",
        "户天",
        "误报",
        "每户每月误报 (95%)",
        "每户每月询问",
        "每户每月问外出",
        "白天跌倒: 中位, 90%, 漏报 (有人问过)",
        "傍晚和夜里: 中位, 90%, 漏报 (有人问过)",
    ),
}


@dataclass(frozen=True, slots=True)
class Delays:
    """Of a number of falls, hours; those missed count as longer than any other. `median_h`, `late_h` None: there was none.

    `asked`: of those missed, after how many one contact was asked, because the person was thought to be out for long.
    """

    count: int
    missed: int
    asked: int
    median_h: float | None
    late_h: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """What a way did in a scenario, all homes together.

    Attributes:
        rate, low, high: false alarms a home-month, and between what it lies with 95 %; asked: questions at home, and
            notices: absences after which one contact was asked, both a home-month.
    """

    scenario: Scenario
    way: str
    days: float
    false: int
    rate: float
    low: float
    high: float
    asked: float
    notices: float
    absences: int
    day: Delays
    night: Delays


def lines(runs: Iterable[Run]) -> list[Line]:
    """One line for each scenario and way, in the order in which they first occur."""
    groups: dict[tuple[Scenario, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.scenario, run.way), []).append(run)
    order = list(_SCENARIOS)
    found = [_line(scenario, way, group) for (scenario, way), group in groups.items()]
    return sorted(found, key=lambda line: order.index(line.scenario))


def by_home(runs: Sequence[Run]) -> list[tuple[str, Line]]:
    """The recorded days, home by home, without the shorter fixed limits."""
    names = {way.name for way in WAYS}
    homes = list(dict.fromkeys(run.home for run in runs))
    return [
        (home, line)
        for home in homes
        for line in lines(run for run in runs if run.home == home and run.scenario is Scenario.RECORDED and run.way in names)
    ]


def markdown(found: Sequence[Line], language: str) -> str:
    """The table of all scenarios."""
    zh = language == "zh"
    rows = [_cells(line, _SCENARIOS[line.scenario][zh], zh) for line in found]
    return _table(_HEADS[language], rows)


def markdown_homes(found: Sequence[tuple[str, Line]], language: str) -> str:
    """The table of the recorded days, home by home."""
    zh = language == "zh"
    head = ("住家" if zh else "home", *_HEADS[language][1:])
    return _table(head, [_cells(line, f"`{home}`", zh) for home, line in found])


def markdown_habits(found: Sequence[Habit], language: str) -> str:
    """How far the routine was off, a row for each measure and a column for each home; a home nobody labelled has no column."""
    homes = list(dict.fromkeys(habit.home for habit in found))
    head = ("习惯" if language == "zh" else "habit", *(f"`{home}`" for home in homes))
    rows = []
    for measure, names in _MEASURES.items():
        off = {habit.home: f"{habit.off_min:.0f} min ({habit.days})" for habit in found if habit.measure == measure}
        rows.append((names[language == "zh"], *(off.get(home, "-") for home in homes)))
    return _table(head, rows)


def delays(falls: Sequence[Fall]) -> Delays:
    """Median and ninth tenth of the delays, hours."""
    known = sorted(fall.delay_s / 3600 if fall.delay_s is not None else float("inf") for fall in falls)
    missed = known.count(float("inf"))
    if not known:
        return Delays(0, 0, 0, None, None)
    late = known[min(len(known) - 1, int(0.9 * len(known)))]
    asked = sum(1 for fall in falls if fall.delay_s is None and fall.asked_s is not None)
    return Delays(len(known), missed, asked, median(known), late)


def between(count: int, days: float) -> tuple[float, float]:
    """Events a month that would give such a count in so many days with 95 %: exact, of Poisson."""
    months = days / MONTH_DAYS
    high = _solve(lambda mean: _poisson(count, mean) - 0.025, count + 20.0 + 4 * count)
    low = 0.0 if count == 0 else _solve(lambda mean: _poisson(count - 1, mean) - 0.975, float(count))
    return low / months, high / months


def _poisson(upto: int, mean: float) -> float:
    """Chance of at most so many."""
    term = total = exp(-mean)
    for number in range(1, upto + 1):
        term *= mean / number
        total += term
    return total


def _solve(falling: Callable[[float], float], high: float) -> float:
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high


def _line(scenario: Scenario, way: str, runs: Sequence[Run]) -> Line:
    days, false = sum(run.days for run in runs), sum(len(run.false) for run in runs)
    months = days / MONTH_DAYS
    falls = [fall for run in runs for fall in run.falls]
    return Line(
        scenario,
        way,
        days,
        false,
        false / months,
        *between(false, days),
        sum(run.asked for run in runs) / months,
        sum(run.notices for run in runs) / months,
        sum(run.absences for run in runs),
        delays([fall for fall in falls if fall.by_day]),
        delays([fall for fall in falls if not fall.by_day]),
    )


def _cells(line: Line, first: str, zh: bool) -> tuple[str, ...]:
    return (
        first,
        _WAYS.get(line.way, line.way) if zh else line.way,
        f"{line.days:.0f}",
        str(line.false),
        f"{line.rate:.2f} ({line.low:.2f} - {line.high:.2f})",
        f"{line.asked:.1f}",
        f"{line.notices:.1f}",
        _delay(line.day),
        _delay(line.night),
    )


def _delay(told: Delays) -> str:
    if not told.count:
        return "-"
    asked = f" ({told.asked})" if told.missed else ""
    return f"{hours(told.median_h)}, {hours(told.late_h)}, {told.missed}{asked} / {told.count}"


def hours(value: float | None) -> str:
    """4.2 h; `> 48 h` when it was missed, `-` when there was none."""
    if value is None:
        return "-"
    return "> 48 h" if value == float("inf") else f"{value:.1f} h"


def scenario(which: Scenario, language: str) -> str:
    """What was done to the days, in words."""
    return _SCENARIOS[which][language == "zh"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))
