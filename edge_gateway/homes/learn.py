"""What is normal in one home, learned from its own days and nothing else. Pure; times are wall clock, ns, durations seconds.

A day keeps the longest silence that began in each of its hours while the person was at home. The limit of an hour is the
longest of the hours around it over the days that are known, with a margin that shrinks as more days are known; one day that was
unlike all others is left out once there are enough. Until there are `DAYS` days, the fixed limit holds.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

from edge_gateway.homes import model, routine
from edge_gateway.homes.bands import Band, band_of, date_of, hour_of, midnight_of
from edge_gateway.homes.home import Day, Home, Past
from edge_gateway.homes.setting import HomeSetting

DAYS: Final = 14  # complete days before a home's own limits hold
KEPT: Final = 60
_HOUR: Final = 3600.0
_DAY_NS: Final = 86_400 * 10**9
LEAST_S: Final = 4 * _HOUR
# People sleep: that needs no learning. Whoever is quiet from the night on is not asked before that long has passed, or before
# so long after the day's begin, whichever is earlier.
SLEEP_S: Final = 8 * _HOUR
_LIE_IN_S: Final = 3 * _HOUR
_MOST: Final = 1.5  # times the fixed limit: nobody's habits are longer than this
_MARGIN: Final = 0.25  # at 14 days; what is known of more days is known better, as errors shrink with the root of their number
_SPARE_S: Final = 30 * 60.0
_EARLIER, _LATER = 1, 1  # hours before and after that teach an hour as well
_LATER_AT_NIGHT: Final = 2  # one may go to bed so much earlier than ever before
_ODD_DAYS: Final = 28  # from so many days on the longest of all is left out
_GROWTH: Final = 1.25  # times the limit: no more is learned of a silence that nobody has explained
_WHOLE_NS: Final = 23 * 3600 * 10**9  # the shortest day of a year
_DEAF_S: Final = 2 * _HOUR  # a day of which less was not told is complete
_AWAY_S: Final = 16 * _HOUR
LONG_OUT_S: Final = 24 * _HOUR
_LEAST_OUT_S: Final = 12 * _HOUR


class Bands(NamedTuple):
    """The longest silence that is normal when it begins in a band, seconds, for people to read."""

    day_s: float
    evening_s: float
    night_s: float


def limits(days: Sequence[Day], setting: HomeSetting) -> list[float]:
    """The limit of each of the 24 hours, seconds; empty below `DAYS` complete days."""
    known = [day for day in days if day.complete and len(day.longest_s) == 24]
    if len(known) < DAYS:
        return []
    most_s = _MOST * setting.limit_h * _HOUR
    found = []
    for hour in range(24):
        later = _LATER if band_of(hour * 60, setting) is Band.DAY else _LATER_AT_NIGHT
        around = [(hour + by) % 24 for by in range(-_EARLIER, later + 1)]
        usual_s = _beyond([max(day.longest_s[at] for at in around) for day in known])
        least_s = least(hour, setting)
        found.append(min(max(least_s, usual_s), max(most_s, least_s)))
    return found


def least(hour: int, setting: HomeSetting) -> float:
    """No limit is lower than this for a silence that begins in this hour, seconds."""
    if band_of(hour * 60, setting) is not Band.NIGHT:
        return LEAST_S
    lie_in_s = (setting.day_from - hour * 60) % 1440 * 60.0 + _LIE_IN_S
    return max(LEAST_S, min(SLEEP_S, lie_in_s))


def limit_s(past: Past, setting: HomeSetting, start_ns: int, zone: str) -> float:
    """The longest silence that is normal in this home when it begins at `start_ns`; seconds."""
    if len(past.limits_s) != 24:
        return setting.limit_h * _HOUR
    return past.limits_s[hour_of(start_ns, zone)]


def held_s(past: Past, setting: HomeSetting, name: str) -> float:
    """The longest stay in a bed or chair that is still rest in this home, seconds."""
    if len(past.held_limits_s) == 2:
        return past.held_limits_s[0 if name.startswith("bed") else 1]
    return setting.bed_h * _HOUR


def out_s(past: Past) -> float:
    """After so many seconds an absence that nobody announced is worth a question."""
    return past.out_limit_s or LONG_OUT_S


def bands(past: Past, setting: HomeSetting) -> Bands:
    """The limits as people read them: the least of each band."""
    if len(past.limits_s) != 24:
        return Bands(*[setting.limit_h * _HOUR] * 3)
    found = {band: [past.limits_s[h] for h in range(24) if band_of(h * 60, setting) is band] for band in Band}
    fixed_s = setting.limit_h * _HOUR  # a band of less than an hour has no hour of its own
    return Bands(*[min(found[band], default=fixed_s) for band in (Band.DAY, Band.EVENING, Band.NIGHT)])


def begin_day(home: Home, now_ns: int, zone: str) -> None:
    """A new day, from now."""
    home.today = Day(date_of(now_ns, zone), [0.0] * 24, [0] * 24, from_ns=midnight_of(now_ns, zone))


def close_day(home: Home, past: Past, setting: HomeSetting, now_ns: int, zone: str) -> Past | None:
    """What is known when a new day begins; None: it is still the same one. The home begins its new day.

    A day that jumped (the clock was set) closes as well; one that began late or was mostly away or deaf is kept but teaches no
    limit.
    """
    today = home.today
    if today is not None and today.date == date_of(now_ns, zone):
        return None
    begin_day(home, now_ns, zone)
    if today is None:
        return None
    _finish(today, home, now_ns)
    _doubt(today, past, setting)
    days = [*past.days, today][-KEPT:]
    held = [_held(days, 0, setting), _held(days, 1, setting)]
    known = [day for day in days if day.complete]
    taught = len(known) >= DAYS
    return Past(
        days=days,
        limits_s=limits(days, setting),
        learned_ns=now_ns if taught else 0,
        model=model.train(days, setting),
        held_limits_s=held if taught else [],
        out_limit_s=_out(known) if taught else 0.0,
    )


def _finish(day: Day, home: Home, now_ns: int) -> None:
    """What still goes on as the day ends belongs to it as far as it reaches."""
    end_ns = min(now_ns, day.from_ns + _DAY_NS)
    if home.away is not None:
        day.away_s += max(0.0, (end_ns - max(home.away.since_ns, day.from_ns)) / 1e9)
        routine.held(day, "away", home.away.since_ns, end_ns)
    for name, state in home.states.items():
        what = name.partition(".")[0]
        if state.value == 1.0 and what in ("bed", "chair"):
            routine.held(day, what, state.since_ns, end_ns)
    began_late = home.since_ns > day.from_ns + int(_DEAF_S * 1e9)
    lived = sum(day.hours) > 0
    whole = _WHOLE_NS <= now_ns - day.from_ns <= 2 * _DAY_NS
    day.complete = whole and lived and not began_late and day.deaf_s <= _DEAF_S and day.away_s <= _AWAY_S


def _doubt(day: Day, past: Past, setting: HomeSetting) -> None:
    """A silence far beyond the limit may have been trouble, and trouble is no habit: it teaches a little, unless whoever looked
    said that all was well."""
    for hour, longest_s in enumerate(day.longest_s):
        limit_s = past.limits_s[hour] if len(past.limits_s) == 24 else setting.limit_h * _HOUR
        day.longest_s[hour] = min(longest_s, max(limit_s * _GROWTH, day.notes.get(f"fine.{hour}", 0.0)))


def _held(days: Sequence[Day], at: int, setting: HomeSetting) -> float:
    """Never below what was written down: whoever fell lies in no bed and sits in no chair, so a lower limit finds few."""
    stays = [day.held_s[at] for day in days if day.complete]
    usual_s = _beyond(stays) if len(stays) >= DAYS else 0.0
    return min(max(setting.bed_h * _HOUR, usual_s), setting.bed_h * _HOUR * _MOST)


def _out(days: Sequence[Day]) -> float:
    return min(max(_LEAST_OUT_S, _beyond([day.out_s for day in days])), 2 * LONG_OUT_S)


def _beyond(longest: Sequence[float]) -> float:
    """What is longer than any day is likely to bring; with many days the one odd day among them is left out."""
    ordered = sorted(longest)
    usual_s = ordered[-2] if len(ordered) >= _ODD_DAYS else ordered[-1]
    return usual_s * (1.0 + _MARGIN * sqrt(DAYS / max(DAYS, len(ordered)))) + _SPARE_S
