"""The message of a self-test: a device has answered, and now a person's channel is to confirm. It says that it is a test.

It takes the way of every alert (book, disk, ladder, letter, channel); `test` makes the ladder tell one person, once, quietly.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.homes.home import Watched
from edge_gateway.homes.selftest import ask_for_press
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Rule, Severity, View


def look_home(watched: Watched, view: View) -> Iterator[Finding]:
    """One finding from the moment on when people are told, until somebody says how it ended."""
    home, test = watched.home, watched.home.test
    if not test.asked_ns or not test.heard_ns or view.now_ns < test.due_ns:
        return
    zone = words.zone(view.registry, home.site)
    ask_zh, ask_en = ask_for_press(home, watched.setting, view.now_ns)
    devices = ", ".join(test.devices)
    yield Finding(
        key=f"{RULE.name}/{home.site}/{home.place}",
        rule=RULE.name,
        severity=Severity.NOTICE,
        site=home.site,
        device=test.devices[0] if len(test.devices) == 1 else "",
        place=home.place,
        occurred_ns=test.asked_ns,
        text_zh=f"【测试】{home.place}: 自检, {words.zh(test.heard_ns, zone)} 收到。没有人求助, 不用处理。{ask_zh}",
        text_en=f"[TEST] {home.place}: self-test, heard {words.en(test.heard_ns, zone)}. Nobody called, nothing to do.{ask_en}",
        evidence=(f"{words.exact(test.heard_ns, zone)} selftest {devices} {test.id} ({test.heard_s:.1f} s)",),
        returns=True,
        test=True,
    )


# Also while the elder has paused: the button works then, and so must its way.
RULE: Final = Rule("selftest", Severity.NOTICE, look_home=look_home, through_pause=True)
