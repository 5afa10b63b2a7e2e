"""Times of day at a home, for rules that know day and night. Local time, minutes since midnight; moments in wall clock ns."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import words

MINUTE: Final = 60 * 10**9
_DAY_MIN: Final = 24 * 60
# At the edges of a night people who go to bed late or rise early are up, and nothing is wrong.
_STILL_UP_MIN: Final = 120
_UP_EARLY_MIN: Final = 60


def minute(time_ns: int, where: tzinfo) -> int:
    """Minutes since local midnight."""
    moment = words.local(time_ns, where)
    return moment.hour * 60 + moment.minute


def at(time_ns: int, minutes: int, where: tzinfo, days: int = 0) -> int:
    """The moment of that time of day, on the local date of `time_ns` plus `days`."""
    day = words.local(time_ns, where).date() + timedelta(days)
    moment = datetime(day.year, day.month, day.day, minutes // 60 % 24, minutes % 60, tzinfo=where)
    return int(moment.astimezone(UTC).timestamp()) * 10**9


def began(setting: HomeSetting, time_ns: int, where: tzinfo) -> int | None:
    """When the night began in which `time_ns` lies; None: it is no night."""
    return _span_began(time_ns, setting.night_from, setting.day_from, where)


def deep_began(setting: HomeSetting, time_ns: int, where: tzinfo) -> int | None:
    """As `began`, of the hours in which hardly anybody is up."""
    start = (setting.night_from + _STILL_UP_MIN) % _DAY_MIN
    end = (setting.day_from - _UP_EARLY_MIN) % _DAY_MIN
    return _span_began(time_ns, start, end, where)


def _span_began(time_ns: int, start: int, end: int, where: tzinfo) -> int | None:
    now = minute(time_ns, where)
    into = (now - start) % _DAY_MIN
    if into >= (end - start) % _DAY_MIN:
        return None
    return at(time_ns, start, where, 0 if now >= start else -1)
