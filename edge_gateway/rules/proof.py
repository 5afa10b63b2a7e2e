"""The last pieces of evidence of a home, each with its exact time, in words that need no translation."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from edge_gateway.homes.home import Home
from edge_gateway.rules import words
from edge_gateway.rules.rule import Finding

SHOWN: Final = 3


def last(home: Home, where: tzinfo, upto_ns: int, facts: Iterable[tuple[int, str]] = ()) -> tuple[str, ...]:
    """The last three of a home's signs of life and of `facts` (time, words), oldest first.

    Args:
        upto_ns: signs after it are not named. With a moment that stands still a standing alert says the same at every
            look, and the book does not take it for news.
    """
    found = {(at_ns, said) for at_ns, said in facts}
    found |= {(s.time_ns, f"{s.name} {s.device}".rstrip()) for s in home.signs if s.time_ns <= upto_ns}
    return tuple(f"{words.exact(at_ns, where)} {said}" for at_ns, said in sorted(found)[-SHOWN:])


def beside(finding: Finding, home: Home, where: tzinfo) -> Finding:
    """What happened at a home, with the last that was noticed there before it: who goes there wants to know in which room."""
    room = SHOWN - len(finding.evidence)
    before = [s for s in home.signs if s.time_ns < finding.occurred_ns and not any(s.name in said for said in finding.evidence)]
    if room <= 0 or not before:
        return finding
    noticed = tuple(f"{words.exact(s.time_ns, where)} {s.name} {s.device}".rstrip() for s in before[-room:])
    return replace(finding, evidence=(*noticed, *finding.evidence))
