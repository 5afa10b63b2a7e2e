"""Night wandering: on the feet for long in the hours in which hardly anybody is up, or gone out then.

On the feet means movements without a long break and nobody in bed or chair. Whose nights are often like this is not told of:
a habit is no news.
"""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from edge_gateway.events import Flag, split_name
from edge_gateway.homes.home import Home, Past, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import night, proof, words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

_BREAK_NS: Final = 20 * night.MINUTE
_OUT_NS: Final = 15 * night.MINUTE
_SINCE: Final = "wandering.since"
_LAST: Final = "wandering.last"
_HABIT_DAYS: Final = 7  # fewer tell nothing
_HABIT: Final = 0.3  # share of nights
_DEEP_HOURS: Final = range(1, 5)


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Follow a run of movements. Those in the bedroom may be somebody who turns over."""
    if seen.flag == Flag.FAIL or not seen.value or "bed" in split_name(seen.name)[1]:
        return
    at_ns, timers = seen.at_ns, home.timers
    last_ns = timers.get(_LAST, 0)
    if at_ns <= last_ns:
        return
    if at_ns - last_ns > _BREAK_NS:
        timers[_SINCE] = at_ns
    timers[_LAST] = at_ns


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """Up for long, and out at night: two causes."""
    if not watched.setting.wander_min:
        return
    zone = words.zone(view.registry, watched.home.site)
    yield from _up(watched, view, zone)
    yield from _gone_out(watched, view, zone)


def _up(watched: Watched, view: View, zone: tzinfo) -> Iterator[Verdict]:
    home, now_ns = watched.home, view.now_ns
    key = f"{RULE.name}/{home.site}/{home.place}"
    last_ns, limit_ns = home.timers.get(_LAST, 0), int(watched.setting.wander_min * night.MINUTE)
    is_long = last_ns - home.timers.get(_SINCE, last_ns) >= limit_ns and now_ns - last_ns <= _BREAK_NS
    if key not in view.open and not is_long:
        return
    resting_ns = _resting_since(home)
    if key in view.open:
        by_day = night.began(watched.setting, home.life_ns, zone) is None
        if resting_ns:
            yield Returned(key, resting_ns, "resting", f"{words.exact(resting_ns, zone)} bed or chair taken")
        elif by_day and night.began(watched.setting, now_ns, zone) is None:
            yield Returned(key, home.life_ns, "morning")
    deep_ns = night.deep_began(watched.setting, now_ns, zone)
    if deep_ns is None or home.away is not None or resting_ns or not is_long or _is_habit(watched.past):
        return
    since_ns = max(home.timers.get(_SINCE, last_ns), deep_ns)
    if last_ns - since_ns < limit_ns:
        return
    limit_s = watched.setting.wander_min * 60
    yield Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.NOTICE,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=since_ns,
        text_zh=f"{home.place}: 夜里一直在走动, 从 {words.zh(since_ns, zone)} 起超过 {words.span_zh(limit_s)}, 平时不这样。"
        "早上请问候一下, 是不是不舒服。",
        text_en=f"{home.place}: up and about at night, since {words.en(since_ns, zone)}, "
        f"for more than {words.span_en(limit_s)}, which is not usual here. Ask in the morning whether something is wrong.",
        evidence=proof.last(home, zone, since_ns + limit_ns, [(since_ns, "on the feet since")]),
        returns=True,
    )


def _gone_out(watched: Watched, view: View, zone: tzinfo) -> Iterator[Verdict]:
    home, away = watched.home, watched.home.away
    key = f"out-at-night/{home.site}/{home.place}"
    if away is None or away.by != "gateway" or away.kind != "out":
        if key in view.open and away is None:
            yield Returned(key, home.life_ns, "home_again")
        return
    since_ns = away.since_ns
    if night.deep_began(watched.setting, since_ns, zone) is None or view.now_ns - since_ns < _OUT_NS:
        return
    yield Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.WARNING,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=since_ns,
        text_zh=f"{home.place}: 半夜出门还没有回来, {words.zh(since_ns, zone)} 出的门。请打电话; 联系不上就去附近找。",
        text_en=f"{home.place}: went out in the middle of the night, at {words.en(since_ns, zone)}, and is not back. "
        "Call; look nearby if nobody answers.",
        evidence=proof.last(home, zone, since_ns, [(since_ns, "went out")]),
        returns=True,
    )


def _resting_since(home: Home) -> int:
    taken = [s.since_ns for name, s in home.states.items() if split_name(name)[0] in ("bed", "chair") and s.value == 1.0]
    return max(taken, default=0)


def _is_habit(past: Past) -> bool:
    """Whether the person is often up at these hours."""
    days = [day for day in past.days if day.complete and len(day.hours) == 24]
    if len(days) < _HABIT_DAYS:
        return False
    up = sum(1 for day in days if sum(1 for hour in _DEEP_HOURS if day.hours[hour] > 1) >= 2)
    return up >= _HABIT * len(days)


RULE: Final = Rule(
    "wandering",
    Severity.WARNING,
    names=frozenset({"motion", "movements", "contact", "presence"}),
    observe=observe,
    look_home=look_home,
)
