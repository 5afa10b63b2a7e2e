"""The days of a home as bands of quarter hours, and what is usual there, in words."""

from datetime import datetime, tzinfo
from typing import Final

from dashboards.console.homes.frame import Visit
from dashboards.console.homes.words import day as day_words
from dashboards.console.homes.words import pick, span
from dashboards.console.html import Html, tag
from edge_gateway.homes import drift, learn, model, routine
from edge_gateway.homes.home import Day, Home, Past
from edge_gateway.homes.round import Facts
from edge_gateway.homes.setting import HomeSetting

_SHOWN: Final = 7
_QUARTERS: Final = 96
_HEIGHT: Final = 20


def bands(of: Visit, home: Home, past: Past, facts: Facts, setting: HomeSetting) -> Html:
    """Today first, then the days before: life, bed, away."""
    now = datetime.fromtimestamp(facts.now_ns / 1e9, facts.zone)
    today = now.date().isoformat()
    known = [day for day in past.days if day.date != today][-_SHOWN:]
    shown = [*([home.today] if home.today is not None else []), *reversed(known)]
    if not shown:
        return tag("section", tag("h2", of.say("the_day")), tag("p", of.say("no_days"), class_="facts"), class_="card")
    now_quarter = (now.hour * 60 + now.minute) // 15
    rows = [_row(of, day, today, now_quarter if day.date == today else None, setting) for day in shown]
    legend = [tag("span", tag("i", class_=kind), of.say(f"legend_{kind}"), class_="key") for kind in ("life", "bed", "away")]
    hours = tag("div", tag("span", ""), tag("div", *(tag("span", str(hour)) for hour in (0, 6, 12, 18, 24))), class_="hours")
    return tag("section", tag("h2", of.say("the_day")), hours, *rows, tag("p", *legend, class_="legend"), class_="card")


def _row(of: Visit, day: Day, today: str, now: int | None, setting: HomeSetting) -> Html:
    """One day: what held lies under what happened."""
    begins = (setting.day_from, setting.evening_from, setting.night_from)
    parts = [
        tag("rect", x=0, y=0, width=_QUARTERS, height=_HEIGHT, class_="ground"),
        *(tag("rect", x=minute // 15, y=0, width="0.3", height=_HEIGHT, class_="tick") for minute in begins),
    ]
    for what in ("away", "bed", "chair"):
        height = _HEIGHT if what == "away" else _HEIGHT // 3
        parts += [
            tag("rect", x=first, y=_HEIGHT - height, width=length, height=height, class_="away" if what == "away" else "bed")
            for first, length in runs(routine.quarters(day, what))
        ]
    parts += [
        tag("rect", x=first, y=2, width=length, height=_HEIGHT - 4, class_="life")
        for first, length in runs(routine.quarters(day, "life"))
    ]
    if now is not None:
        parts.append(tag("rect", x=now, y=0, width="0.6", height=_HEIGHT, class_="now"))
    spoken = f"{day_words(day.date, today, of.lang)}: {_spoken(of, day)}"
    drawn = tag("svg", *parts, viewBox=f"0 0 {_QUARTERS} {_HEIGHT}", preserveAspectRatio="none", role="img", aria_label=spoken)
    return tag("div", tag("span", day_words(day.date, today, of.lang)), drawn, class_="day")


def _spoken(of: Visit, day: Day) -> str:
    """For who cannot see the band: when life was first and last seen."""
    bits = routine.quarters(day, "life")
    if not bits:
        return of.say("no_days")
    first, last = (bits & -bits).bit_length() - 1, bits.bit_length() - 1
    return f"{of.say('legend_life')} {first // 4:02}:{first % 4 * 15:02} - {last // 4:02}:{last % 4 * 15:02}"


def runs(bits: int) -> list[tuple[int, int]]:
    """(first, length) of each stretch of set bits."""
    found: list[tuple[int, int]] = []
    at = 0
    while bits:
        gap = (bits & -bits).bit_length() - 1
        bits >>= gap
        at += gap
        length = (~bits & (bits + 1)).bit_length() - 1
        found.append((at, length))
        bits >>= length
        at += length
    return found


def usual(of: Visit, past: Past, setting: HomeSetting, now_ns: int, zone: tzinfo) -> Html:
    """Limits and habits as sentences; then what changed, as a hint."""
    told = [tag("p", _limits(of, past, setting))]
    told += [tag("p", pick(words, of.lang)) for words in routine.words(past.days)]
    explained = model.words(past.model) if past.model else None
    if explained is not None:
        told.append(tag("p", pick(explained, of.lang), class_="facts"))
    hints = [tag("li", pick(words, of.lang)) for words in drift.hints(past, setting, str(zone))]
    changed = [tag("h2", of.say("hints")), tag("ul", *hints, class_="plain")] if hints else []
    return tag("section", tag("h2", of.say("usual")), *told, *changed, class_="card")


def _limits(of: Visit, past: Past, setting: HomeSetting) -> str:
    if not past.limits_s:
        return of.say("not_learned", limit=span(setting.limit_h * 3600, of.lang))
    found = learn.bands(past, setting)
    day, evening, night = (span(seconds, of.lang) for seconds in (found.day_s, found.evening_s, found.night_s))
    return of.say("limits", day=day, evening=evening, night=night)
