"""Hours and dates of a home's own zone, and in which band (day, evening, night) a moment lies. Pure."""

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from edge_gateway.homes.setting import HomeSetting

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# No zone in use is off by less than a quarter of an hour, so local date and hour are the same throughout one.
_QUARTER_NS: Final = 900 * 1_000_000_000


class Band(StrEnum):
    """A part of the day, as a setting divides it."""

    DAY = "day"
    EVENING = "evening"
    NIGHT = "night"


def hour_of(time_ns: int, zone: str) -> int:
    """Local hour, 0 to 23."""
    return _local(time_ns // _QUARTER_NS, zone)[1]


def minute_of(time_ns: int, zone: str) -> int:
    """Minutes since local midnight."""
    return _local(time_ns // _QUARTER_NS, zone)[2] + time_ns % _QUARTER_NS // (60 * 1_000_000_000)


def date_of(time_ns: int, zone: str) -> str:
    """Local date, `2026-11-21`."""
    return _local(time_ns // _QUARTER_NS, zone)[0]


def midnight_of(time_ns: int, zone: str) -> int:
    """When the local day of a moment began."""
    local = (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).astimezone(_zone(zone))
    return int(local.replace(hour=0, minute=0, second=0, fold=0).timestamp()) * 1_000_000_000


def band_of(minute: int, setting: HomeSetting) -> Band:
    """The band of a minute of the day."""
    if setting.day_from <= minute < setting.evening_from:
        return Band.DAY
    return Band.EVENING if setting.evening_from <= minute < setting.night_from else Band.NIGHT


def band_at(time_ns: int, setting: HomeSetting, zone: str) -> Band:
    """The band of a moment."""
    return band_of(minute_of(time_ns, zone), setting)


@lru_cache(maxsize=8192)
def _local(quarter: int, zone: str) -> tuple[str, int, int]:
    local = (_EPOCH + timedelta(seconds=quarter * 900)).astimezone(_zone(zone))
    return local.date().isoformat(), local.hour, local.hour * 60 + local.minute


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    """UTC where the zone is unknown here: a zone file that is missing stops no watching."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return UTC
