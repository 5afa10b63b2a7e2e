"""One fixture of the linter: a change that breaks a good object, and what the linter then has to say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Json = Any


@dataclass(frozen=True)
class Broken:
    """`fault` is a part of the line that must be among the linter's."""

    name: str
    change: Callable[[Json], object]
    fault: str


def put(path: str, value: Json) -> Callable[[Json], object]:
    """A change that sets what is at `panels.1.targets.0.query`; numbers are places in lists."""

    def change(held: Json) -> None:
        inner, key = reach(held, path)
        inner[key] = value

    return change


def drop(path: str) -> Callable[[Json], object]:
    """A change that takes away what is there."""

    def change(held: Json) -> None:
        inner, key = reach(held, path)
        del inner[key]

    return change


def edit(path: str, old: str, new: str) -> Callable[[Json], object]:
    """A change of a part of a text."""

    def change(held: Json) -> None:
        inner, key = reach(held, path)
        assert old in inner[key], f"{old!r} is not in {inner[key]!r}"
        inner[key] = inner[key].replace(old, new)

    return change


def add(path: str, value: Json) -> Callable[[Json], object]:
    """A change that appends to a list."""

    def change(held: Json) -> None:
        inner, key = reach(held, path)
        inner[key].append(value)

    return change


def both(*changes: Callable[[Json], object]) -> Callable[[Json], object]:
    """Several changes, one after the other."""

    def change(held: Json) -> None:
        for one in changes:
            one(held)

    return change


def reach(held: Json, path: str) -> tuple[Json, Json]:
    """The container and the key that a path names."""
    *way, last = (int(part) if part.lstrip("-").isdigit() else part for part in path.split("."))
    for part in way:
        held = held[part]
    return held, last
