"""Unprotected: nothing proves that an SOS of this home would reach a person. Its self-test failed, or none passed for 25 h.

Whoever was told of the cause is not told again: while its device or its site is silent, or its site's channels fail, that alert
speaks for the home.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.homes import selftest
from edge_gateway.homes.home import Watched
from edge_gateway.homes.selftest import UNPROTECTED, site_key
from edge_gateway.rules import paused, words
from edge_gateway.rules.rule import Finding, Returned, Rule, Severity, Verdict, View


def look_home(watched: Watched, view: View) -> Iterator[Verdict]:
    """A finding as long as the way is not proven; the end of the alert when it is."""
    home, test = watched.home, watched.home.test
    key = f"{UNPROTECTED}/{home.site}/{home.place}"
    since_ns = selftest.unprotected_ns(home, view.now_ns)
    if not since_ns:
        if key in view.open:
            yield Returned(key, test.passed_ns or view.now_ns, "passed" if test.devices else "not_expected")
        return
    if key not in view.open and (paused.runs(home, view.now_ns) or _is_told(watched, view)):
        return
    zone = words.zone(view.registry, home.site)
    why_zh, why_en = selftest.why(test)
    passed_zh = f"上次通过: {words.zh(test.passed_ns, zone)}" if test.passed_ns else "从未通过"
    passed_en = f"last passed {words.en(test.passed_ns, zone)}" if test.passed_ns else "it has never passed"
    yield Finding(
        key=key,
        rule=UNPROTECTED,
        severity=Severity.WARNING,
        site=home.site,
        device=test.devices[0] if len(test.devices) == 1 else "",
        place=home.place,
        occurred_ns=since_ns,
        text_zh=f"{home.place}: 未受保护, 自 {words.zh(since_ns, zone)} 起, {why_zh} ({passed_zh})。"
        "按钮可能叫不到人: 请检查设备的电源和网络, 修好前请多联系老人。",
        text_en=f"{home.place}: unprotected since {words.en(since_ns, zone)}: {why_en} ({passed_en}). "
        "The button may reach nobody: check power and network of the device; until then keep in touch.",
        evidence=(f"{words.exact(since_ns, zone)} selftest {test.failed or 'none passed'}",),
        returns=True,
    )


def _is_told(watched: Watched, view: View) -> bool:
    """Another open alert speaks for this home."""
    home, test = watched.home, watched.home.test
    if test.failed == selftest.NOT_TOLD or selftest.is_sos_open(home.key, view.open):
        return True
    speaking = {site_key(home.site), f"silence/{home.site}", *(f"silence/{home.site}/{device}" for device in test.devices)}
    return not speaking.isdisjoint(view.open)


# Where nobody agreed to be watched the button is there all the same. A pause it respects by itself.
RULE: Final = Rule(UNPROTECTED, Severity.WARNING, look_home=look_home, through_pause=True)
