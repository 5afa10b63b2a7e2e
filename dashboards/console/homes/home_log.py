"""Who looked at a home and who changed something, in words, the newest first."""

import re
from typing import Final

from dashboards.console.homes.frame import Visit
from dashboards.console.homes.words import TEXTS, emergency, moment, pick
from dashboards.console.html import Html, tag
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.homes.round import AWAY, EMERGENCY, Facts
from edge_gateway.homes.said import ELDER
from edge_gateway.homes.watch import Note

_LINES: Final = 40
_UNTIL: Final = re.compile(r"\s*until=(\d{1,19})")


async def section(of: Visit, facts: Facts, place: str) -> Html:
    """The last lines of the home's log."""
    try:
        found = await of.console.reach.look(lambda look: look.log(facts.site, place, _LINES))
    except (Unavailable, Misconfigured):
        found = []
    lines = [
        tag("li", tag("b", moment(note.at_ns, of.now_ns, facts.zone, of.lang)), tag("span", words(of, note, facts)))
        for note in found
    ]
    told = tag("ol", *lines, class_="story") if lines else tag("p", of.say("nothing_yet"), class_="facts")
    return tag("details", tag("summary", of.say("who_looked")), told, class_="card", id="log")


def words(of: Visit, note: Note, facts: Facts) -> str:
    """zhang · 暂停 · 到 明天 08:00 · 家里来客."""
    what = of.say(f"log_{note.what}") if f"log_{note.what}" in TEXTS else note.what
    until = _UNTIL.search(note.detail)
    rest = _UNTIL.sub("", note.detail).strip()
    first, _, more = rest.partition(" ")
    if note.what == "away" and first in AWAY:
        rest = " ".join(part for part in (pick(AWAY[first], of.lang), more) if part)
    elif note.what == "emergency" and first in EMERGENCY:
        rest = emergency(first, of.lang)
    elif note.what == "looked":
        rest = {"home": of.say("call_place"), "alert": of.say("alert")}.get(rest, rest)
    elif note.what == "consent" and first in ("given", "withdrawn"):
        rest = f"{of.say('consent_yes' if first == 'given' else 'consent_no')} {more}"
    end = of.say("until_when", when=moment(int(until[1]), of.now_ns, facts.zone, of.lang)) if until else ""
    who = of.say("the_elder") if note.who == ELDER else note.who
    return " · ".join(part for part in (who, what, end, rest) if part)
