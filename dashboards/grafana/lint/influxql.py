"""InfluxQL taken apart just far enough to see which names it asks for, how it groups and which of Grafana's words it holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from dashboards.grafana.lint.shape import split

GRAFANA_WORD: Final = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_][A-Za-z0-9_]*|\[\[[^\]]*\]\]")
CHOICE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*):regex\}")

_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)
    | (?P<name>"(?:[^"\\]|\\.)*")
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<number>\d+(?:\.\d+)?(?:[a-zµ]+)?)
    | (?P<grafana>\$[A-Za-z_][A-Za-z0-9_]*)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<sign>=~|!~|<=|>=|!=|<>|::|[-+*/%(),.;=<>])""",
    re.VERBOSE,
)
_REGEX: Final = re.compile(r"(?P<regex>/(?:[^/\\]|\\.)*/)")
# Without SLIMIT and SOFFSET, mode and sample, which InfluxDB 3 has not.
_WORDS: Final = split(
    "select from where and or group by order limit offset as asc desc true false null none previous linear "
    "show tag values with key in"
)
_FUNCTIONS: Final = split(
    "mean last first min max sum count median spread stddev percentile distinct top bottom integral "
    "derivative non_negative_derivative difference non_negative_difference moving_average cumulative_sum elapsed "
    "abs round floor ceil pow sqrt ln log log2 log10 exp time fill tz now"
)
_SUMS: Final = split("mean last first min max sum count median spread stddev percentile top bottom integral distinct")


class Token(NamedTuple):
    """One word of a query; `kind` as the group of `_TOKEN` says."""

    kind: str
    text: str

    @property
    def bare(self) -> str:
        """A name or text without its quotes."""
        return self.text[1:-1] if self.kind in ("name", "text") else self.text.lower()


@dataclass(frozen=True, slots=True)
class Query:
    """What a query asks.

    Attributes:
        measurements: it reads from, in order.
        names: fields and tags it names, without those it makes itself (`AS "x"`).
        made: names it gives (`AS "x"`).
        tags: it groups by.
        columns: it answers with, besides the time and the tags.
        sums: a function makes one value of many somewhere in it.  limited: it says how many rows it wants.
        fills: what `fill(...)` puts into gaps.
        times: what `time(...)` groups by, `1d` or `$__interval`.
        zones: of `tz('...')`.
        faults: what could not be read.
    """

    show: bool
    measurements: tuple[str, ...]
    names: frozenset[str]
    made: frozenset[str]
    tags: tuple[str, ...]
    columns: tuple[str, ...]
    sums: bool
    limited: bool
    fills: tuple[str, ...]
    times: tuple[str, ...]
    zones: tuple[str, ...]
    faults: tuple[str, ...]


@lru_cache(maxsize=1024)  # each query is looked at from several sides
def read(text: str) -> Query:
    """`text` as it stands in a dashboard or rule, with Grafana's words in it."""
    # A choice stands within a regular expression, where any letters will do.
    tokens, faults = _tokens(CHOICE.sub("x", text))
    if tokens and not faults:
        faults = list(_statement_faults(tokens))
    made = frozenset(token.bare for before, token in _pairs(tokens) if token.kind == "name" and before.bare == "as")
    grouped = frozenset(_grouped(tokens))
    measurements = tuple(_measurements(tokens))
    other = {"as", "from", "."}
    names = frozenset(
        token.bare
        for before, token in _pairs(tokens)
        if token.kind == "name" and not (before.kind in ("word", "sign") and before.bare in other)
    )
    return Query(
        show=bool(tokens) and tokens[0].bare == "show",
        measurements=measurements,
        names=names - made,
        made=made,
        tags=tuple(sorted(grouped)),
        columns=tuple(_columns(tokens)),
        sums=any(token.kind == "word" and token.bare in _SUMS for token in tokens),
        limited=any(token.kind == "word" and token.bare == "limit" for token in tokens),
        fills=tuple(_arguments(tokens, "fill")),
        times=tuple(_arguments(tokens, "time")),
        zones=tuple(_arguments(tokens, "tz")),
        faults=tuple(faults),
    )


def _tokens(text: str) -> tuple[list[Token], list[str]]:
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        # A stroke divides, except after a comparison with a pattern.
        found = (_REGEX if text[at] == "/" and tokens and tokens[-1].text in ("=~", "!~") else _TOKEN).match(text, at)
        if found is None or found.end() == at:
            return tokens, [f"cannot be read from {text[at : at + 30]!r} on"]
        kind = found.lastgroup or ""
        if kind != "space":
            tokens.append(Token(kind, found.group().strip()))
        at = found.end()
    return tokens, []


def _pairs(tokens: list[Token]) -> Iterator[tuple[Token, Token]]:
    return zip([Token("sign", ""), *tokens], tokens, strict=False)


def _statement_faults(tokens: list[Token]) -> Iterator[str]:
    head = [token.bare for token in tokens[:3]]
    if head[:1] != ["select"] and head != ["show", "tag", "values"]:
        yield "is no SELECT and no SHOW TAG VALUES: a dashboard only reads"
    depth = 0
    following = [*tokens[1:], Token("sign", "")]
    for (before, token), after in zip(_pairs(tokens), following, strict=True):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == ";":
            yield "holds two statements, of which Grafana shows one"
        if token.text == "*" and (before.bare in ("select", "(", "by", ",") or after.bare in ("from", ")")):
            yield "asks for *: name the columns, or a new field changes the panel"
        if token.kind == "word" and not (after.text == "(" or token.bare in _WORDS or token.bare == "time"):
            yield f"{token.text!r} is no word of InfluxQL; names stand in double quotes"
        if token.kind == "word" and after.text == "(" and token.bare not in _FUNCTIONS | {"from", "and", "or", "where", "in"}:
            yield f"{token.text}() is no function that InfluxDB 1, 2 and 3 have"
        if before.bare == "from" and before.kind == "word" and token.kind != "name" and token.text != "(":
            yield f'FROM {token.text}: a measurement stands in double quotes, FROM "climate"'
        if before.kind == "name" and token.text == "." and after.kind in ("name", "sign"):
            yield f"{before.text}.: names a database; the data source does that, and InfluxDB 3 knows no other way"
    if depth:
        yield "has not as many ( as )"


def _measurements(tokens: list[Token]) -> Iterator[str]:
    for before, token in _pairs(tokens):
        if before.kind == "word" and before.bare == "from" and token.kind == "name":
            yield token.bare


def _grouped(tokens: list[Token]) -> Iterator[str]:
    """Tags after each GROUP BY."""
    inside = False
    for before, token in _pairs(tokens):
        if token.kind == "word" and token.bare == "by" and before.bare == "group":
            inside = True
        elif token.kind == "word" and token.bare in ("fill", "order", "limit", "offset", "tz"):
            inside = False
        elif inside and token.kind == "name":
            yield token.bare


def _columns(tokens: list[Token]) -> Iterator[str]:
    """Names of what the outermost SELECT answers with: its alias, else the function's or the field's name."""
    depth = 0
    parts: list[list[Token]] = [[]]
    for token in tokens[1:]:
        if depth == 0 and token.kind == "word" and token.bare == "from":
            break
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    for part in parts:
        named = next((token for before, token in _pairs(part) if before.kind == "word" and before.bare == "as"), None)
        if named is not None or part:
            yield (named or part[0]).bare


def _arguments(tokens: list[Token], function: str) -> Iterator[str]:
    """First argument of each call of `function`."""
    for (before, token), after in zip(_pairs(tokens[1:]), tokens[2:], strict=False):
        if token.text == "(" and before.kind == "word" and before.bare == function:
            yield after.bare if after.kind == "text" else after.text
