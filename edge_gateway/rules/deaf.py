"""A deaf home: its device is heard, but no sensor that could see the person can be believed. Then nobody watches over it.

The rule of sensors tells the technician; this one tells staff, because no other rule will speak for this home.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.homes import signs
from edge_gateway.homes.home import Watched
from edge_gateway.rules import night, words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

_AFTER_NS: Final = 60 * night.MINUTE
_SHOWN: Final = 3


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """Every sensor of presence says that it cannot be believed."""
    home = watched.home
    key = f"{RULE.name}/{home.site}/{home.place}"
    if key not in view.open and all(state.value is not None for state in home.states.values()):
        return
    sensors = {name: state for name, state in home.states.items() if signs.kind_of(name) in signs.SENSORS}
    believed = [state.told_ns for state in sensors.values() if state.value is not None]
    if believed:
        if key in view.open:
            yield Returned(key, max(believed), "well_again")
        return
    since_ns = max((state.since_ns for state in sensors.values()), default=view.now_ns)
    if view.now_ns - since_ns < _AFTER_NS:
        return
    zone = words.zone(view.registry, home.site)
    broken = sorted((state.since_ns, name, state.device) for name, state in sensors.items())[-_SHOWN:]
    yield Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.WARNING,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=since_ns,
        text_zh=f"{home.place}: {words.zh(since_ns, zone)} 起所有的动静传感器都不可信, 现在看不到老人有没有动静。"
        "请每天打电话问候, 并让技术人员去修。",
        text_en=f"{home.place}: since {words.en(since_ns, zone)} no sensor can tell whether the person moves. "
        "Call every day, and send a technician.",
        evidence=tuple(
            f"{words.exact(at_ns, zone)} {name} cannot be believed {device}".rstrip() for at_ns, name, device in broken
        ),
        returns=True,
    )


RULE: Final = Rule("deaf", Severity.WARNING, look_home=look_home)
