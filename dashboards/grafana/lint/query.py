"""What is wrong with a query that Grafana would send without a word, and show as an empty or a false panel."""

import re
from collections.abc import Iterator, Set
from typing import Final

from dashboards.grafana.lint.influxql import CHOICE, GRAFANA_WORD, Query, read
from dashboards.grafana.lint.schema import judged, measurements
from dashboards.grafana.lint.shape import like

KANHU: Final = "kanhu"
ROLLUPS: Final = "kanhu-rollups"
SOURCES: Final = frozenset({KANHU, ROLLUPS})

# Filled in by Grafana's server; everything else by the browser, which alert rules have not.
_SERVER: Final = frozenset({"$timeFilter", "$__interval", "$__interval_ms"})
_LEVEL: Final = re.compile(r"\$__interval_ms\s*(<=|>=|<|>)\s*(\d+)")


def query_faults(text: str, source: str, variables: Set[str] | None, zone: str) -> Iterator[str]:
    """Of one query of a panel, a variable or an annotation, or of a rule.

    Args:
        source: uid of the data source it is sent to.
        variables: names of the dashboard's variables; None: it is a rule's, which has no browser to fill them in.
        zone: in which the site's days begin.
    """
    if not text.strip():
        yield "is empty"
        return
    yield from _word_faults(text, variables)
    query = read(text)
    yield from query.faults
    if not query.show and "$timeFilter" not in text:
        yield "has no $timeFilter and reads everything there is"
    if not query.faults:
        yield from _name_faults(query, source)
        yield from _day_faults(query, zone)
        yield from _gap_faults(query)
        if variables is not None:
            yield from _size_faults(query, text)


def level(text: str) -> tuple[tuple[str, int], ...]:
    """For which `$__interval_ms` a target answers: (comparison, milliseconds), all of which must hold."""
    return tuple((sign, int(limit)) for sign, limit in _LEVEL.findall(text))


def answers(levels: tuple[tuple[str, int], ...], interval_ms: int) -> bool:
    """Whether a target with these conditions answers at that interval."""
    holds = {"<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}
    return all(holds[sign](interval_ms, limit) for sign, limit in levels)


def _word_faults(text: str, variables: Set[str] | None) -> Iterator[str]:
    for found in GRAFANA_WORD.finditer(text):
        word = found.group()
        if word in _SERVER:
            continue
        choice = CHOICE.fullmatch(word)
        if variables is None:
            yield f"{word}: Grafana's server does not fill that in, and a rule has no browser: the answer would be empty"
        elif choice is None:
            yield f'{word}: a variable stands as "tag" =~ /^${{name:regex}}$/, which holds for one, several and all'
        elif choice.group(1) not in variables:
            yield f"{word}: the dashboard has no such variable; {like(choice.group(1), frozenset(variables))}"
        elif not (text[: found.start()].endswith("=~ /^") and text[found.end() :].startswith("$/")):
            yield f"{word}: stands as =~ /^{word}$/, or 'river-1' is also 'river-10'"


def _name_faults(query: Query, source: str) -> Iterator[str]:
    known = measurements()
    for name in query.measurements:
        if name not in known:
            yield f'FROM "{name}": there is no such measurement, and the panel would be empty; {like(name, known)}'
        elif known[name].rolled != (source == ROLLUPS):
            yield f'FROM "{name}" lies in the data source {ROLLUPS if known[name].rolled else KANHU!r}, not in {source!r}'
    read_from = [known[name] for name in query.measurements if name in known]
    if not read_from:
        return
    tags = frozenset().union(*(one.tags for one in read_from))
    fields = frozenset().union(*(one.fields for one in read_from))
    for name in sorted(query.names - tags - fields - {"time"}):
        yield f'"{name}" is neither a field nor a tag of {", ".join(query.measurements)}; {like(name, fields | tags)}'
    for tag in sorted(set(query.tags) - tags - query.made):
        yield f'GROUP BY "{tag}" is no tag of {", ".join(query.measurements)}'
    if query.show:
        return
    for name in sorted(query.names & judged() & fields):
        if f"{name}_flag" not in query.names:
            yield f'"{name}" is asked for without "{name}_flag": a value that failed its check would be shown as good'


def _day_faults(query: Query, zone: str) -> Iterator[str]:
    for wrong in sorted(set(query.zones) - {zone}):
        yield f"tz('{wrong}') is not the site's zone, {zone}"
    if any(re.fullmatch(r"\d+[dw]", length) for length in query.times) and not query.zones:
        yield f"groups by days without tz('{zone}'): they would begin at midnight UTC"


def _size_faults(query: Query, text: str) -> Iterator[str]:
    """A panel may be asked for years; the range of a rule is its own."""
    short = any(sign.startswith("<") for sign, _ in level(text))
    if not (query.show or query.sums or query.limited or short):
        yield "asks for every row of the range, a year of which no browser holds: sum them up, or LIMIT them"


def _gap_faults(query: Query) -> Iterator[str]:
    for how in sorted(set(query.fills) & {"previous", "linear"}):
        yield f"fill({how}) draws a value where nothing was measured: silence has to be seen"
