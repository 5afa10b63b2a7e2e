"""A missed meal together with silence is urgent: either alone may mean nothing.

A meal is missed when nobody brought it (the open alert of the visit), when it was brought and the door was not opened after
that, or when the button that says it was eaten was not pressed. The person must have been quiet since well before, for half of
what is usual there at least. It is the home's one alert of inactivity, made urgent.
"""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from edge_gateway.homes import evidence
from edge_gateway.homes.away import is_exit
from edge_gateway.homes.evidence import Quiet
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import inactivity, medication, night, proof, words
from edge_gateway.rules.asking import asked
from edge_gateway.rules.rule import Finding, Prewarn, Rule, Severity, Verdict, View

_QUIET_S: Final = 2 * 3600.0  # the least silence that means anything
_BEFORE_NS: Final = 60 * night.MINUTE  # quiet already so long before the visit was due
_FETCHED_NS: Final = 45 * night.MINUTE  # a meal that was brought is taken in within so long
_RECENT_NS: Final = 12 * 60 * night.MINUTE
_TAP: Final = "meal-missed.tap"


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """When somebody tapped at this door last."""
    home.timers[_TAP] = max(home.timers.get(_TAP, 0), seen.at_ns)


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """A meal that was missed in a home in which it is quiet."""
    home, now_ns = watched.home, view.now_ns
    may_be = _TAP in home.timers or watched.setting.meals or home.key in view.homes.missed
    if home.away is not None or not may_be:
        return
    zone = words.zone(view.registry, home.site)
    meal = _missed(watched, view, zone)
    if meal is None:
        return
    quiet = evidence.quiet(watched, now_ns)
    missed_ns, quiet_before_ns, why_zh, why_en = meal
    if quiet.deaf or quiet.start_ns > quiet_before_ns or quiet.seconds < _limit_s(watched, quiet):
        return
    key = f"{inactivity.RULE.name}/{home.site}/{home.place}"
    may = asked(watched, view, key, quiet.start_ns)
    if isinstance(may, Prewarn):
        yield may
    if may is True:
        yield _finding(home, key, quiet, missed_ns, why_zh, why_en, zone)


def _missed(watched: Watched, view: View, zone: tzinfo) -> tuple[int, int, str, str] | None:
    """When a meal was missed, since when it has to have been quiet, and why, in both languages; None: none was."""
    home, now_ns = watched.home, view.now_ns
    due_ns = view.homes.missed.get(home.key, 0)
    if 0 <= now_ns - due_ns < _RECENT_NS:
        why_zh = f"{words.zh(due_ns, zone)} 该送的餐没有送到"
        return due_ns, due_ns - _BEFORE_NS, why_zh, f"the meal due at {words.en(due_ns, zone)} did not come"
    tap_ns = home.timers.get(_TAP, 0)
    has_door = any(is_exit(name, watched.setting) for name in home.states)
    if has_door and _FETCHED_NS <= now_ns - tap_ns < _RECENT_NS:
        at_zh, at_en = words.zh(tap_ns, zone), words.en(tap_ns, zone)
        return tap_ns, tap_ns, f"{at_zh} 送到的餐没有人开门取", f"nobody opened the door for the meal brought at {at_en}"
    window = medication.missed(watched, medication.MEAL, now_ns, zone)
    if window is not None:
        until_zh, until_en = words.zh(window[1], zone), words.en(window[1], zone)
        return window[1], window[0], f"到 {until_zh} 没有按用餐按钮", f"the meal button was not pressed by {until_en}"
    return None


def _limit_s(watched: Watched, quiet: Quiet) -> float:
    return max(_QUIET_S, inactivity.allowed_s(watched, quiet) / 2)


def _finding(home: Home, key: str, quiet: Quiet, missed_ns: int, why_zh: str, why_en: str, zone: tzinfo) -> Finding:
    since_zh, since_en = words.zh(quiet.start_ns, zone), words.en(quiet.start_ns, zone)
    return Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.URGENT,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=quiet.start_ns,
        text_zh=f"{home.place}: {why_zh}, 而且 {since_zh} 以后没有动静。请马上打电话; 没有人接就上门, 带上钥匙。",
        text_en=f"{home.place}: {why_en}, and no sign of life since {since_en}. "
        "Call now; if nobody answers go there, with the key.",
        evidence=proof.last(home, zone, quiet.start_ns, [(missed_ns, "meal missed")]),
    )


RULE: Final = Rule("meal-missed", Severity.URGENT, names=frozenset({"tap"}), observe=observe, look_home=look_home)
