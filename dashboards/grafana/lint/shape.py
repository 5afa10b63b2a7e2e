"""What a piece of JSON may look like: explicit lists of keys, since Grafana drops a key it does not know without a word."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any  # what a JSON or YAML file holds; looked at before it is used


_SHOWN: Final = 15


@dataclass(frozen=True, slots=True)
class Plain:
    """One value of a type; `called` says it in a fault."""

    called: str
    types: tuple[type, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few values that Grafana knows."""

    values: frozenset[str | int]


@dataclass(frozen=True, slots=True)
class Looks:
    """A text of a certain look; `called` says it in a fault."""

    called: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose entries all look alike."""

    entry: "Shape"


@dataclass(frozen=True, slots=True)
class MapOf:
    """Any keys, values that look alike."""

    value: "Shape"


@dataclass(frozen=True, slots=True)
class Either:
    """The first that the value's type fits decides."""

    shapes: "tuple[Shape, ...]"


@dataclass(frozen=True, slots=True)
class Keys:
    """A mapping with these keys and no others."""

    known: "Mapping[str, Shape]" = field(default_factory=lambda: MappingProxyType({}))
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tagged:
    """A mapping that says in one of its keys which of several kinds it is."""

    by: str
    kinds: "Mapping[str, Keys]"


Shape: TypeAlias = Plain | OneOf | Looks | ListOf | MapOf | Either | Keys | Tagged

TEXT: Final = Plain("a text", (str,))
WHOLE: Final = Plain("a whole number", (int,))
NUMBER: Final = Plain("a number", (int, float))
FLAG: Final = Plain("true or false", (bool,))
NULL: Final = Plain("null", (type(None),))
ANYTHING: Final = Plain("anything", (object,))
TEXTS: Final = ListOf(TEXT)
NUMBERS: Final = ListOf(NUMBER)


def keys(known: "Mapping[str, Shape]", needed: str = "") -> Keys:
    """A mapping; `needed` are the keys that must be there, with blanks between."""
    return Keys(MappingProxyType(dict(known)), split(needed))


def named(shape: "Shape", names: str) -> "dict[str, Shape]":
    """The same shape for several keys, with blanks between their names."""
    return dict.fromkeys(names.split(), shape)


def split(values: str) -> frozenset[str]:
    """Words with blanks between."""
    return frozenset(values.split())


def words(values: str) -> OneOf:
    """One of these words, with blanks between."""
    return OneOf(split(values))


def numbers(*values: int) -> OneOf:
    """One of these whole numbers."""
    return OneOf(frozenset(values))


def either(*shapes: "Shape") -> Either:
    """Any of these."""
    return Either(shapes)


def more(base: Keys, known: "Mapping[str, Shape]", needed: str = "") -> Keys:
    """`base` with further keys."""
    return Keys(MappingProxyType({**base.known, **known}), base.needed | split(needed))


def faults(value: Json, shape: "Shape", where: str = "") -> Iterator[str]:
    """What is wrong with `value`, a line each; `where` is the path to it, `options.legend`."""
    match shape:
        case Keys(known, needed) if isinstance(value, dict):
            yield from _key_faults(value, known, needed, where)
        case MapOf(inner) if isinstance(value, dict):
            for key, one in value.items():
                yield from faults(one, inner, _path(where, str(key)))
        case ListOf(entry) if isinstance(value, list):
            for at, one in enumerate(value):
                yield from faults(one, entry, f"{where}[{at}]")
        case Tagged(by, kinds) if isinstance(value, dict):
            kind = value.get(by)
            if not isinstance(kind, str) or kind not in kinds:
                yield f"{_path(where, by)}: {short(kind)} is unknown; {like(str(kind), kinds)}"
            else:
                yield from faults(value, more(kinds[kind], {by: TEXT}), where)
        case Either(shapes):
            fitting = next((one for one in shapes if _fits(value, one)), None)
            if fitting is None:
                yield f"{where}: {short(value)} is not {_called(shape)}"
            else:
                yield from faults(value, fitting, where)
        case _ if not _fits(value, shape):
            yield f"{where}: {short(value)} is not {_called(shape)}"


def short(value: Json) -> str:
    """A value as a fault shows it."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def like(name: str, known: "Mapping[str, object] | frozenset[str]") -> str:
    """What is known instead of `name`: the nearest, else the first few."""
    folded = {str(one).lower(): str(one) for one in known}
    near = get_close_matches(name.lower(), list(folded), n=1)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return f"known are {_some(known)}" if known else "none is known"


def _some(known: Iterable[object]) -> str:
    words = sorted(str(one) for one in known)
    return ", ".join(words[:_SHOWN]) + (" ..." if len(words) > _SHOWN else "")


def _key_faults(value: dict[str, Json], known: "Mapping[str, Shape]", needed: frozenset[str], where: str) -> Iterator[str]:
    for key, one in value.items():
        if key not in known:
            yield f"{_path(where, str(key))}: unknown key, which Grafana ignores; {like(str(key), known)}"
        else:
            yield from faults(one, known[key], _path(where, key))
    for key in sorted(needed - value.keys()):
        yield f"{_path(where, key)}: is missing"


def _fits(value: Json, shape: "Shape") -> bool:
    match shape:
        case Plain(_, types):
            # True is an int to Python and none to Grafana.
            return isinstance(value, types) and (not isinstance(value, bool) or bool in types or object in types)
        case OneOf(values):
            return isinstance(value, str | int) and not isinstance(value, bool) and value in values
        case Looks(_, pattern):
            return isinstance(value, str) and pattern.fullmatch(value) is not None
        case ListOf():
            return isinstance(value, list)
        case Keys() | MapOf() | Tagged():
            return isinstance(value, dict)
        case Either(shapes):
            return any(_fits(value, one) for one in shapes)


def _called(shape: "Shape") -> str:
    match shape:
        case Plain(called) | Looks(called):
            return called
        case OneOf(values):
            return f"one of {_some(values)}"
        case ListOf():
            return "a list"
        case Keys() | MapOf() | Tagged():
            return "a mapping"
        case Either(shapes):
            return " or ".join(_called(one) for one in shapes)


def _path(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
