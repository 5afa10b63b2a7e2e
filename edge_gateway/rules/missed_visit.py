"""A visit that nobody made: its window and grace are over, the reader was there all the time, and nobody tapped.

Also one at which only a card tapped that nobody knows: it is counted until a person has looked, but says nothing of a meal.
A visit of which nobody can say (the reader was away) raises nothing. Nobody is told twice of one visit.
"""

from collections.abc import Iterator
from typing import Final

from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding, Missed, Returned, Rule, Severity, Verdict, View
from edge_gateway.visits.words import service


def look(view: View) -> Iterator[Verdict]:
    """Visits that are missed and not told, and open alerts whose visit was made after all."""
    if view.visits is None:
        return
    for (site, visit), (at_ns, reason) in view.visits.settled.items():
        if key_of(site, visit) in view.open:
            when = words.exact(at_ns, words.zone(view.registry, site))
            yield Returned(key_of(site, visit), at_ns, reason, f"{when} {reason} {visit}")
    for missed in view.visits.missed:
        if key_of(missed.site, missed.visit) not in view.open and (missed.site, missed.visit) not in view.visits.settled:
            yield _finding(view, missed)


def _finding(view: View, missed: Missed) -> Finding:
    zone = words.zone(view.registry, missed.site)
    closes, due = f"{words.local(missed.closes_ns, zone):%H:%M}", f"{words.local(missed.due_ns, zone):%H:%M}"
    service_zh, service_en = service(missed.service, "zh-CN"), service(missed.service, "en")
    window_zh = f"应在 {words.zh(missed.opens_ns, zone)} 到 {closes} 之间"
    window_en = f"Expected {words.en(missed.opens_ns, zone)} to {closes}"
    if missed.courier:
        window_zh, window_en = f"{window_zh}, 应由 {missed.courier} 上门", f"{window_en}, {missed.courier} was to come"
    if missed.stranger_ns is None:
        text_zh = f"{missed.place}: {service_zh}未送达。{window_zh}; 到 {due} 没有打卡, 读卡器一直正常。"
        text_en = f"{missed.place}: {service_en} not delivered. {window_en}; no tap by {due}, and the reader was working. "
    else:
        tapped = f"{words.local(missed.stranger_ns, zone):%H:%M}"
        text_zh = f"{missed.place}: {service_zh}是否送达, 没有人知道。{window_zh}; {tapped} 有人用一张没有登记的卡打卡。"
        text_en = (
            f"{missed.place}: nobody knows whether the {service_en} came. {window_en}; "
            f"at {tapped} somebody tapped with a card nobody knows. "
        )
    text_zh += "请先联系配送员, 再给住家打电话或上门看望。"
    text_en += "Ask the courier, then call the home or go there."
    return Finding(
        key=key_of(missed.site, missed.visit),
        rule=RULE.name,
        severity=Severity.WARNING,
        site=missed.site,
        device="",
        place=missed.place,
        occurred_ns=missed.due_ns,
        text_zh=text_zh,
        text_en=text_en,
        evidence=missed.evidence,
        returns=True,
    )


def key_of(site: str, visit: str) -> str:
    """The alert's key."""
    return f"{RULE.name}/{site}/{visit}"


def visit_of(key: str) -> tuple[str, str] | None:
    """Site and visit of an alert's key; None: it is of another rule."""
    rule, _, rest = key.partition("/")
    site, _, visit = rest.partition("/")
    return (site, visit) if rule == RULE.name and visit else None


RULE: Final = Rule("missed-visit", Severity.WARNING, look=look)
