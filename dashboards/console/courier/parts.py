"""Pieces of HTML that both a courier's own page and the desk's screen show: numbers, one visit."""

from dashboards.console.courier.month import Row, Totals
from dashboards.console.courier.ports import Local
from dashboards.console.courier.words import clock, text
from dashboards.console.html import Html, join, tag
from edge_gateway.visits import words as spoken
from edge_gateway.visits.records import Reason, Visit


def numbers(totals: Totals, language: str) -> Html:
    """The month in four numbers."""
    pairs = (
        ("counted_n", totals.counted, "good"),
        ("in_review_n", totals.reviewing, "wait"),
        ("not_counted_n", totals.not_counted, "plain"),
        ("refused_n", totals.refused, "plain"),
    )
    return tag(
        "dl",
        *(tag("div", tag("dd", str(value)), tag("dt", text(key, language)), class_=kind) for key, value, kind in pairs),
        class_="numbers",
    )


def standing(visit: Visit, language: str) -> Html:
    """Counted; counted and in review; not counted yet; not counted."""
    if visit.counted and visit.reviewing:
        return tag("span", text("counted_in_review", language), class_="badge wait")
    if visit.counted:
        return tag("span", text("counted", language), class_="badge good")
    if visit.reviewing:
        return tag("span", text("undecided", language), class_="badge wait")
    return tag("span", text("not_counted", language), class_="badge off")


def reasons(found: tuple[Reason, ...], language: str, settled: bool = False) -> Html:
    """Each reason in words; `settled`: without what is going to happen about it."""
    if not found:
        return join([])
    return tag(
        "ul", *(tag("li", cause(one, language) if settled else spoken.text(one, language)) for one in found), class_="reasons"
    )


def cause(found: Reason, language: str) -> str:
    """The reason alone. Its words are `cause; what happens now`, and the second half is over once a person has decided."""
    return spoken.text(found, language).partition(";")[0]


def visit_head(row: Row, local: Local, language: str) -> Html:
    """Time, place, service, state, proof; no person's name or code."""
    visit = row.visit
    if visit.start_ns is not None:
        when = clock(local.time(visit.start_ns))
        if visit.end_ns is not None and visit.end_ns != visit.start_ns:
            when += f"–{clock(local.time(visit.end_ns))}"
    else:
        when = text("no_tap", language)
    facts = [spoken.service(visit.service, language), spoken.text(visit.state, language)]
    if visit.taps:
        facts.append(f"{text('proof', language)}: {spoken.text(visit.grade, language)}")
    if visit.opens_ns and visit.closes_ns:
        window = f"{clock(local.time(visit.opens_ns))}–{clock(local.time(visit.closes_ns))}"
        facts.append(text("planned_at", language, window=window))
    line = (tag("b", when, class_="time"), " ", tag("span", visit.place, class_="place"), standing(visit, language))
    facts_line = tag("p", " · ".join(facts), class_="facts")
    return join([tag("p", *line, class_="line"), facts_line, reasons(visit.reasons, language, settled=not visit.reviewing)])
