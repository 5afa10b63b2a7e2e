"""A door of the home that stands open at night. It ends when the door is closed, never because nobody hears of it any more."""

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final

from edge_gateway.homes.away import is_exit
from edge_gateway.homes.home import Held, Watched
from edge_gateway.rules import night, proof, words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """The door that has been open longest this night."""
    home, setting = watched.home, watched.setting
    key = f"{RULE.name}/{home.site}/{home.place}"
    is_open = key in view.open
    doors = {
        name: state
        for name, state in home.states.items()
        if (is_open or state.value == 1.0) and name.startswith("contact") and is_exit(name, setting)
    }
    if not doors:
        return
    zone = words.zone(view.registry, home.site)
    if is_open and all(state.value == 0.0 for state in doors.values()):
        closed_ns = max(state.since_ns for state in doors.values())
        yield Returned(key, closed_ns, "closed", f"{words.exact(closed_ns, zone)} door closed")
    began_ns = night.began(setting, view.now_ns, zone)
    if not setting.door_min or began_ns is None:
        return
    opened = [(max(state.since_ns, began_ns), name) for name, state in doors.items() if state.value == 1.0]
    if opened and view.now_ns - min(opened)[0] >= setting.door_min * night.MINUTE:
        since_ns, name = min(opened)
        yield _finding(watched, key, name, doors[name], since_ns, zone)


def _finding(watched: Watched, key: str, name: str, door: Held, since_ns: int, zone: tzinfo) -> Finding:
    home, limit_ns = watched.home, int(watched.setting.door_min * night.MINUTE)
    gone_zh, gone_en = ("家里可能没有人, ", " Nobody may be at home.") if home.away is not None else ("", "")
    return Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.WARNING,
        site=home.site,
        device=door.device,
        place=home.place,
        occurred_ns=since_ns,
        text_zh=f"{home.place}: 夜里门开着, {words.zh(door.since_ns, zone)} 打开, 一直没有关。{gone_zh}"
        "请打电话; 没人接就上门看看。",
        text_en=f"{home.place}: the door stands open at night, since {words.en(door.since_ns, zone)}.{gone_en} "
        "Call; go there if nobody answers.",
        evidence=proof.last(home, zone, since_ns + limit_ns, [(door.since_ns, f"{name} open {door.device}".rstrip())]),
        returns=True,
    )


RULE: Final = Rule("door-night", Severity.WARNING, look_home=look_home)
