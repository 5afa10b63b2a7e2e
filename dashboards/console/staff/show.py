"""Visits, taps and times in words a tired person reads; pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from dashboards.console.language import WEEKDAYS, say
from edge_gateway.visits import words
from edge_gateway.visits.records import PHONE, Grade, JudgedTap, Reason, State, Visit

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Colour never speaks alone: each state has its own sign as well, and its word beside it.
SIGNS: Final[Mapping[State, str]] = {
    State.PLANNED: "○",
    State.ON_TIME: "✓",
    State.EARLY: "◁",
    State.LATE: "▷",
    State.WRONG_PLACE: "⇄",
    State.UNPLANNED: "+",
    State.MISSED: "✕",
    State.UNKNOWN: "?",
    State.CANCELLED: "–",
}
GRADE_SIGNS: Final[Mapping[Grade, str]] = {Grade.STRONG: "●●●", Grade.MEDIUM: "●●○", Grade.WEAK: "●○○", Grade.NONE: "○○○"}


def local(time_ns: int, zone: tzinfo) -> datetime:
    """Local time, whole seconds."""
    return (_EPOCH + timedelta(seconds=time_ns // 1_000_000_000)).astimezone(zone)


def clock(time_ns: int | None, zone: tzinfo, on_date: str = "") -> str:
    """14:05; with the date when that is not `on_date`; "" for none."""
    if not time_ns:
        return ""
    then = local(time_ns, zone)
    other_day = on_date and then.date().isoformat() != on_date
    return f"{then.month}-{then.day:02} {then:%H:%M}" if other_day else f"{then:%H:%M}"


def moment(time_ns: int, zone: tzinfo, language: str) -> str:
    """2026-11-20 14:05:10, for histories: exact, and the same in both languages."""
    return f"{local(time_ns, zone):%Y-%m-%d %H:%M:%S}"


def day(on_date: str, language: str) -> str:
    """2026年11月21日 星期六, Sat 21.11.2026."""
    found = date.fromisoformat(on_date)
    weekday = WEEKDAYS[found.weekday()][language == "en"]
    return say("day_number", language, year=found.year, month=found.month, day=found.day, weekday=weekday)


def window(visit: Visit, zone: tzinfo) -> str:
    """11:00–12:00; "" for what was not planned."""
    return f"{clock(visit.opens_ns, zone)}–{clock(visit.closes_ns, zone)}" if visit.opens_ns else ""


def started(visit: Visit, zone: tzinfo) -> str:
    """11:20, 11:20–11:40."""
    begin, end = clock(visit.start_ns, zone, visit.date), clock(visit.end_ns, zone, visit.date)
    return f"{begin}–{end}" if end and end != begin else begin


def lateness(visit: Visit, language: str) -> str:
    """晚 12 分钟; "" within the window."""
    minutes = round(abs(visit.late_s) / 60)
    if not minutes or visit.start_ns is None:
        return ""
    return say("late_by" if visit.late_s > 0 else "early_by", language, minutes=minutes)


def state(of: State | str, language: str) -> str:
    """准时."""
    return words.state(State(of), language)


def service(name: str, language: str) -> str:
    """送餐; a site's own word as it is."""
    return words.service(name, language) if name else ""


def grade(of: Grade, language: str) -> str:
    """●●● 强."""
    return f"{GRADE_SIGNS[of]} {words.grade(of, language)}"


def reasons(visit: Visit, language: str) -> list[str]:
    """Each in words."""
    return [words.reason(one, language) for one in visit.reasons]


def why(text: str, language: str) -> str:
    """A reason that a person gave: one of ours in words, or his own words as they are."""
    return words.reason(Reason(text), language) if text in set(Reason) else text


def proof(judged: JudgedTap, language: str) -> str:
    """证据：强, and what speaks against it."""
    told = [words.reason(one, language) for one in judged.judgement.reasons]
    found = grade(judged.judgement.grade, language)
    return f"{say('grade', language)} {found}" + "".join(f" · {one}" for one in told)


def reader(judged: JudgedTap, language: str) -> str:
    """读卡器 door-3, or a phone."""
    if judged.tap.device == PHONE or judged.tap.device.startswith(f"{PHONE}-"):
        return say("phone", language)
    return say("reader", language, device=judged.tap.device)


def arrived(judged: JudgedTap, zone: tzinfo, language: str) -> str:
    """When it came much later than it was made: that the reader was offline."""
    if judged.tap.received_ns - judged.tap.time_ns < 120 * 10**9:
        return ""
    made = local(judged.tap.time_ns, zone).date().isoformat()
    return say("received_later", language, time=clock(judged.tap.received_ns, zone, made))
