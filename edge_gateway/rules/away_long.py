"""Out for longer than this person ever is, and nobody said where to: one question to one contact, no visit.

Only of an absence that was seen at the door or pressed; one that a person announced has an end of its own.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.homes import away, learn
from edge_gateway.homes.home import Watched
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """One home."""
    home = watched.home
    key = f"{RULE.name}/{home.site}/{home.place}"
    if home.away is None:
        if key in view.open and home.life_ns:
            yield Returned(key, home.life_ns, "back")
        return
    if home.away.kind not in (away.OUT, away.PRESSED):
        if key in view.open:
            yield Returned(key, home.away.since_ns, f"away_{home.away.kind}")
        return
    if key in view.open or (view.now_ns - home.away.since_ns) / 1e9 < learn.out_s(watched.past):
        return
    zone = words.zone(view.registry, home.site)
    since_zh, since_en = words.zh(home.away.since_ns, zone), words.en(home.away.since_ns, zone)
    pressed = home.away.kind == away.PRESSED
    yield Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.NOTICE,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=home.away.since_ns,
        text_zh=f"{home.place}: {since_zh} 外出后还没有回来, 比平时久。请给家人打电话问一下; 在女儿家或住院就记下到哪天。",
        text_en=f"{home.place}: out since {since_en} and not back, longer than usual. Ask the family by telephone; "
        "if at the daughter's or in hospital, note until when.",
        evidence=(f"{words.exact(home.away.since_ns, zone)} {'away pressed' if pressed else 'left by the door'}",),
        returns=True,
    )


RULE: Final = Rule("away-long", Severity.NOTICE, look_home=look_home)
