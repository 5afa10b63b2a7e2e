"""Spans as Prometheus and Grafana write them: `90s`, `15m`, `1h30m`."""

import re
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_SPAN: Final = re.compile(r"(?:\d+(?:ms|[smhdw]))+|0")
_PART: Final = re.compile(r"(\d+)(ms|[smhdw])")

STEP_S: Final = 10
"""Grafana looks at its rules every 10 s: an interval between is refused, a `for` between is silently another."""


def seconds(span: str) -> float | None:
    """Of a span; None: it is none."""
    if _SPAN.fullmatch(span) is None:
        return None
    return sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(span))


def step_fault(span: str) -> str:
    """What is wrong with a span that has to fall on Grafana's steps; "": nothing."""
    length = seconds(span)
    if length is None:
        return f"{span!r} is no span such as 90s, 15m or 1h30m"
    return "" if length % STEP_S == 0 else f"{span!r} is no multiple of {STEP_S} s"
