"""A pause of the elder: nobody's alarm while it runs, and a reminder when it ends by itself. Nobody forgets that he is watched.

`rules.look_home` asks `runs` before it asks the other rules.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.homes.home import Home, Watched
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View

MAINTENANCE: Final = "maintenance"  # the reason of a pause in which devices are taken away and put back
# So long the reminder stands even if somebody moves at home: that somebody moves does not mean that he knows.
_STANDS_NS: Final = 10 * 60 * 10**9


def runs(home: Home, now_ns: int) -> bool:
    """Whether the elder does not want to be watched now."""
    return home.pause is not None and now_ns < home.pause.until_ns


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """The end of a pause that nobody ended; over with the next sign of life, a new pause, or a person who says so."""
    home, now_ns = watched.home, view.now_ns
    key = f"{RULE.name}/{home.site}/{home.place}"
    pause = home.pause
    if pause is None or now_ns < pause.until_ns:
        if key in view.open:
            yield Returned(key, now_ns, "resumed" if pause is None else "paused_again")
        return
    told_enough = now_ns >= pause.until_ns + _STANDS_NS and home.life_ns > pause.until_ns
    if told_enough:
        if key in view.open:
            yield Returned(key, home.life_ns, "seen_again")
        return
    zone = words.zone(view.registry, home.site)
    since_zh, since_en = words.zh(pause.since_ns, zone), words.en(pause.since_ns, zone)
    until_zh, until_en = words.zh(pause.until_ns, zone), words.en(pause.until_ns, zone)
    yield Finding(
        key=key,
        rule=RULE.name,
        severity=Severity.NOTICE,
        site=home.site,
        device="",
        place=home.place,
        occurred_ns=pause.until_ns,
        text_zh=f"{home.place}: 暂停已到期 ({since_zh} 到 {until_zh}), 现在又开始守护。请告诉老人; 还要暂停就重新设定。",
        text_en=f"{home.place}: the pause from {since_en} to {until_en} is over, the home is watched again. "
        "Tell the person; set a new pause if one is wanted.",
        evidence=(
            f"{words.exact(pause.since_ns, zone)} paused by {pause.by}",
            f"{words.exact(pause.until_ns, zone)} pause ended",
        ),
        returns=True,
    )


RULE: Final = Rule("paused", Severity.NOTICE, look_home=look_home, through_pause=True)
