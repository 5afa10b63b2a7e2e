"""What a check has found: good, doubtful or broken; what was seen; what to do next."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edge_gateway.settings import Settings


class Outcome(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"  # works, but something will be missing or lost one day
    FAIL = "fail"  # does not work


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a check; `next_step` is empty only when all is well."""

    outcome: Outcome
    seen: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One question about this installation, asked without changing anything."""

    name: str
    run: Callable[[Settings], Result]


def ok(seen: str) -> Result:
    """All is well."""
    return Result(Outcome.OK, seen)


def warn(seen: str, next_step: str) -> Result:
    """Works, but."""
    return Result(Outcome.WARN, seen, next_step)


def fail(seen: str, next_step: str) -> Result:
    """Does not work."""
    return Result(Outcome.FAIL, seen, next_step)
