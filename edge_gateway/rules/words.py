"""Times and durations in the words of `rules`: absolute, because a message is read an hour or a day later."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from edge_gateway.registry import Registry

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone(registry: Registry, site: str) -> tzinfo:
    """The site's time zone; of what is of no site, as the gateway itself, the one that all sites have.

    UTC when they have several, or none is known here: words never stop an alert.
    """
    known = registry.sites.get(site)
    zones = {known.zone} if known else {one.zone for one in registry.sites.values()}
    try:
        return ZoneInfo(zones.pop()) if len(zones) == 1 else UTC
    except (OSError, ValueError, LookupError):
        return UTC


def local(time_ns: int, where: tzinfo) -> datetime:
    """Local time, whole seconds; a time no calendar has becomes its nearest end."""
    try:
        return (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).astimezone(where)
    except (OverflowError, ValueError):
        return datetime.max.replace(tzinfo=where) if time_ns > 0 else _EPOCH


def zh(time_ns: int, where: tzinfo, seconds: bool = False) -> str:
    """11月20日 14:05"""
    moment = local(time_ns, where)
    return f"{moment.month}月{moment.day}日 {moment:%H:%M}{f':{moment:%S}' if seconds else ''}{_label(moment)}"


def en(time_ns: int, where: tzinfo, seconds: bool = False) -> str:
    """20 Nov 14:05"""
    moment = local(time_ns, where)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment:%H:%M}{f':{moment:%S}' if seconds else ''}{_label(moment)}"


def exact(time_ns: int, where: tzinfo) -> str:
    """2026-11-20 14:05:10+0800, for evidence."""
    return f"{local(time_ns, where):%Y-%m-%d %H:%M:%S%z}"


def span_zh(seconds: float) -> str:
    """45 秒, 5 分钟, 2 小时, 3 天"""
    number, unit = _span(seconds)
    return f"{number} {('秒', '分钟', '小时', '天')[unit]}"


def span_en(seconds: float) -> str:
    """45 s, 5 min, 2 h, 3 d"""
    number, unit = _span(seconds)
    return f"{number} {('s', 'min', 'h', 'd')[unit]}"


# Not %b: it follows the machine's locale.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _label(moment: datetime) -> str:
    return " UTC" if moment.tzinfo is UTC else ""


def _span(seconds: float) -> tuple[int, int]:
    for unit, (size, upto) in enumerate(((1, 120), (60, 7200), (3600, 172_800))):
        if seconds < upto:
            return round(seconds / size), unit
    return round(seconds / 86_400), 3
