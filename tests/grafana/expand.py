"""What Grafana makes of a query before a database sees it; written after the sources of its InfluxDB data source (12.x).

The browser replaces dashboard variables (format `regex` unless the query says otherwise) and, in the queries of variables,
`$timeFilter`; the server replaces `$timeFilter`, `$__interval_ms` and `$__interval` in the queries of panels, annotations and
rules. Variables in rules are replaced by nobody.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

ALL: Final = "$__all"
# rangeutil.roundInterval: an interval below the first number becomes the second, ms.
STEPS: Final = (
    (10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1500, 1000), (3500, 2000), (7500, 5000),
    (12_500, 10_000), (17_500, 15_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000), (210_000, 120_000),
    (450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000), (2_700_000, 1_800_000),
    (5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000), (32_400_000, 21_600_000),
    (86_400_000, 43_200_000), (604_800_000, 86_400_000), (1_814_400_000, 604_800_000), (3_628_800_000, 2_592_000_000),
)  # fmt: skip
_YEAR_MS: Final = 31_536_000_000
_UNITS: Final = ((_YEAR_MS, "y"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms"))
_SPECIAL: Final = re.compile(r"[\\^$*+?.()|\[\]{}/]")
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]|\$(\w+)")
_BUILT_IN: Final = ("timeFilter", "interval", "__interval", "__interval_ms")
_LENGTHS_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "ms": 1}

Choice = str | Sequence[str]


@dataclass(frozen=True)
class Range:
    """What somebody looks at.

    Attributes:
        from_ms, to_ms: UTC, both ends included.
        points: `maxDataPoints`: how wide the panel is, in pixels, unless the panel says.
    """

    from_ms: int
    to_ms: int
    points: int = 1000

    def interval_ms(self, points: int | None = None, least: str = "") -> int:
        """`$__interval_ms` of a panel with its own `maxDataPoints` and least `interval`, such as `1m` or `>1m`."""
        exact = (self.to_ms - self.from_ms) / (points or self.points)
        rounded = next((step for below, step in STEPS if exact < below), _YEAR_MS)
        return max(rounded, length_ms(least.lstrip(">"))) if least else rounded


@dataclass(frozen=True)
class Variable:
    """A dashboard variable as it is set: one value, several, or ALL.

    Attributes:
        options: all values its query found; they stand for ALL where there is no `all_value`.
        all_value: put in for ALL as it is, unescaped.
    """

    value: Choice
    options: Sequence[str] = ()
    all_value: str = ""

    def text(self, form: str) -> str:
        """What stands in the query. Raises ValueError for a form that is not modelled here."""
        value = self.value
        if value == ALL or (not isinstance(value, str) and list(value) == [ALL]):
            if self.all_value:
                return self.all_value
            value = self.options
        values = [value] if isinstance(value, str) else list(value)
        if form == "regex":
            escaped = [_SPECIAL.sub(lambda m: "\\" + m[0], one) for one in values]
            return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
        if form == "raw":
            return ",".join(values)
        raise ValueError(f"variables of the form {form!r} are not modelled here")


def expand(query: str, from_ms: int, to_ms: int, interval_ms: int, variables: Mapping[str, Variable] | None = None) -> str:
    """The query of a panel or annotation as it is executed; with None for `variables` that of a rule."""
    text = _with_variables(query, variables) if variables is not None else query
    text = text.replace("$timeFilter", f"time >= {from_ms}ms and time <= {to_ms}ms")
    text = text.replace("$__interval_ms", str(interval_ms)).replace("$__interval", interval_text(interval_ms))
    return text.replace("$interval", interval_text(interval_ms))


def expand_variable(query: str, from_ms: int, to_ms: int, variables: Mapping[str, Variable]) -> str:
    """The query of a variable: only the browser touches it, and replaces the first `$timeFilter` alone."""
    return _with_variables(query, variables).replace("$timeFilter", f"time >= {from_ms}ms and time <= {to_ms}ms", 1)


def left_over(text: str) -> list[str]:
    """What nobody replaced; a database would take it literally."""
    return [found[0] for found in _VARIABLE.finditer(text)]


def interval_text(interval_ms: int) -> str:
    """As `gtime.FormatInterval`: the largest unit that fits, rounded down."""
    size, unit = next((size, unit) for size, unit in _UNITS if interval_ms >= size)
    return f"{interval_ms // size}{unit}"


def length_ms(text: str) -> int:
    """`90s`, `1m`, `2h`, `7d` -> ms."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d|w)", text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no length of time such as 30s or 1h")
    return int(found[1]) * _LENGTHS_MS[found[2]]


def _with_variables(query: str, variables: Mapping[str, Variable]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[5]
        form = match[2] or match[4] or "regex"
        if name in _BUILT_IN or name not in variables:
            return match[0]
        return variables[name].text(form)

    return _VARIABLE.sub(value, query)
