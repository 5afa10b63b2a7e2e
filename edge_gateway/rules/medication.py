"""The medication button and the meal button: one press is expected in each of the windows a person wrote down.

A press up to an hour before a window counts for it. Nobody is told of a window in which the home was away, had paused or had
not been heard of since: then nobody knows. A late press ends the alert.
"""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from edge_gateway.events import Flag
from edge_gateway.homes.home import Home, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import night, words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

MEDICATION, MEAL = "medication", "meal"
_EARLY_NS: Final = 60 * night.MINUTE
_TELL_NS: Final = 6 * 60 * night.MINUTE  # older than this it is yesterday's news
_WORDS: Final = {
    MEDICATION: (
        "没有按服药按钮",
        "请打电话问一下药吃了没有; 不要补吃双份。",
        "the medication button was not pressed",
        "Call and ask whether the medicine was taken; never a double dose.",
    ),
    MEAL: (
        "没有按用餐按钮",
        "请打电话问一下吃饭了没有。",
        "the meal button was not pressed",
        "Call and ask whether there was a meal.",
    ),
}


def observe(seen: Seen, setting: HomeSetting, home: Home) -> None:
    """Keep the last press of each button."""
    if seen.flag != Flag.FAIL and seen.value == 1.0:
        timer = _timer(seen.name.partition(".")[0])
        home.timers[timer] = max(home.timers.get(timer, 0), seen.at_ns)


def last_window(watched: Watched, button: str, now_ns: int, zone: tzinfo) -> tuple[int, int] | None:
    """The window (from, to) of a button that ended last; None: it has none."""
    setting = watched.setting
    windows = setting.medication if button == MEDICATION else setting.meals
    spans = [
        (night.at(now_ns, start, zone, days), night.at(now_ns, end, zone, days)) for start, end in windows for days in (-1, 0)
    ]
    return max((span for span in spans if span[1] <= now_ns), key=lambda span: span[1], default=None)


def missed(watched: Watched, button: str, now_ns: int, zone: tzinfo) -> tuple[int, int] | None:
    """The last window if nobody pressed, it ended a while ago at most, and the home was watched all through it."""
    window, home = last_window(watched, button, now_ns, zone), watched.home
    if window is None or now_ns >= window[1] + _TELL_NS or home.since_ns > window[0] or _was_pressed(home, button, window):
        return None
    was_paused = home.pause is not None and home.pause.until_ns > window[0]
    heard = watched.heard_ns >= window[1]
    return window if heard and home.away is None and not was_paused else None


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """Windows that are over without a press; presses that came late."""
    home, setting = watched.home, watched.setting
    zone = words.zone(view.registry, home.site)
    for button, rule in ((MEDICATION, RULE.name), (MEAL, "meal-button")):
        key = f"{rule}/{home.site}/{home.place}"
        if key not in view.open and not (setting.medication if button == MEDICATION else setting.meals):
            continue
        if key in view.open:
            yield from _returned(watched, view, button, key, zone)
        window = missed(watched, button, view.now_ns, zone)
        if window is not None:
            yield _finding(watched, button, key, window, zone)


def _returned(watched: Watched, view: View, button: str, key: str, zone: tzinfo) -> Iterator[Verdict]:
    window = last_window(watched, button, view.now_ns, zone)
    if window is None:
        yield Returned(key, view.now_ns, "not_expected")
    elif _was_pressed(watched.home, button, window):
        pressed_ns = watched.home.timers[_timer(button)]
        yield Returned(key, pressed_ns, "pressed", f"{words.exact(pressed_ns, zone)} {button} pressed")


def _was_pressed(home: Home, button: str, window: tuple[int, int]) -> bool:
    return home.timers.get(_timer(button), 0) >= window[0] - _EARLY_NS


def _finding(watched: Watched, button: str, key: str, window: tuple[int, int], zone: tzinfo) -> Finding:
    home = watched.home
    what_zh, do_zh, what_en, do_en = _WORDS[button]
    from_ns, to_ns = window
    until = f"{words.local(to_ns, zone):%H:%M}"
    last_ns = home.timers.get(_timer(button), 0)
    evidence = [f"{words.exact(last_ns, zone)} {button} pressed last"] if last_ns else []
    evidence += [f"{words.exact(from_ns, zone)} {button} window began", f"{words.exact(to_ns, zone)} {button} window ended"]
    return Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.NOTICE,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=to_ns,
        text_zh=f"{home.place}: {words.zh(from_ns, zone)} 到 {until} {what_zh}。{do_zh}",
        text_en=f"{home.place}: {what_en} between {words.en(from_ns, zone)} and {until}. {do_en}",
        evidence=tuple(evidence),
        returns=True,
    )


def _timer(button: str) -> str:
    return f"medication.{button}"


RULE: Final = Rule("medication", Severity.NOTICE, names=frozenset({MEDICATION, MEAL}), observe=observe, look_home=look_home)
