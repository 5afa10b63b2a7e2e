"""What did not happen in a recorded home, put into it: somebody goes away, falls; a sensor sticks or dies. Pure but for dice.

Every function takes readings in the order of time and gives readings in the order of time.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from random import Random
from typing import Final

from edge_gateway.events import Flag
from edge_gateway.homes.home import Home
from edge_gateway.homes.seen import Seen
from operations.homes.recordings import FRONT, SECOND, Span

DAY_NS: Final = 86_400 * SECOND
_HOUR_NS: Final = 3600 * SECOND
_TOLD_NS: Final = 600 * SECOND  # a state that holds is told again so often
_LETS_GO: Final = ("motion", "presence", "chair", "bed")


def reading(name: str, value: float, at_ns: int) -> Seen:
    """One reading of a sensor that is well."""
    return Seen(name, value, Flag.PASS, at_ns, at_ns, "home")


def moved(seen: Iterable[Seen], by_ns: int) -> Iterator[Seen]:
    """The same readings at another time."""
    for one in seen:
        yield Seen(one.name, one.value, one.flag, one.time_ns + by_ns, one.received_ns + by_ns, one.device, one.event)


def within(seen: Iterable[Seen], span: Span) -> list[Seen]:
    """The readings from then to then."""
    return [one for one in seen if span[0] <= one.time_ns < span[1]]


def absent(seen: Sequence[Seen], span: Span) -> list[Seen]:
    """Out by the front door and back by it. Who sat is up before, and sits down again if the recording has it so by then."""
    start, end = span
    inside = [one for one in seen if start <= one.time_ns <= end]
    before = _held(seen, start)
    after = before | {one.name: one.value for one in inside}
    left = [reading(name, 0.0, start - 60 * SECOND) for name, value in before.items() if value and _lets_go(name)]
    doors = zip((start, start + 8 * SECOND, end - 8 * SECOND, end), (1.0, 0.0, 1.0, 0.0), strict=True)
    door = [reading(FRONT, value, at_ns) for at_ns, value in doors]
    back = [reading(name, 1.0, end + 60 * SECOND) for name, value in after.items() if value and _lets_go(name)]
    kept = (one for one in seen if not start <= one.time_ns <= end)
    return list(merge(kept, left, door, back, key=_time))


def let_go(home: Home, at_ns: int) -> list[Seen]:
    """Somebody falls: who was in the bed or chair no longer is, movement ends; doors and lamps stay as they are."""
    held = [name for name, state in home.states.items() if state.value and _lets_go(name)]
    return [reading(name, 0.0, at_ns) for name in sorted(held)]


def stuck(seen: Sequence[Seen], name: str, span: Span) -> Iterator[Seen]:
    """The sensor says the same from then on, again and again, whatever happens."""
    others = (one for one in seen if one.name != name or one.time_ns < span[0])
    told = (reading(name, 1.0, at_ns) for at_ns in range(span[0], span[1], _TOLD_NS))
    return merge(others, told, key=_time)


def dead(seen: Sequence[Seen], name: str, span: Span) -> Iterator[Seen]:
    """The sensor says nothing from then on."""
    return (one for one in seen if one.name != name or one.time_ns < span[0])


def blips(names: Sequence[str], span: Span, every_h: float, dice: Random) -> Iterator[Seen]:
    """Lone signs of one second, of sun, a curtain or a draught, on average every so many hours."""
    at_ns = span[0]
    while (at_ns := at_ns + int(dice.expovariate(1.0 / every_h) * _HOUR_NS)) < span[1]:
        name = dice.choice(names)
        yield reading(name, 1.0, at_ns)
        yield reading(name, 0.0, at_ns + SECOND)


def moments(span: Span, count: int, out: Sequence[Span], dice: Random) -> list[int]:
    """So many moments of that time, at random, but none at which nobody was at home; fewer when somebody hardly ever was."""
    found: list[int] = []
    for _ in range(20 * count):
        at_ns = dice.randrange(*span)
        if len(found) == count:
            break
        if not any(start <= at_ns < end for start, end in out):
            found.append(at_ns)
    return sorted(found)


def _held(seen: Iterable[Seen], at_ns: int) -> dict[str, float | str | None]:
    return {one.name: one.value for one in seen if one.time_ns < at_ns}


def _lets_go(name: str) -> bool:
    return name.partition(".")[0] in _LETS_GO


def _time(seen: Seen) -> int:
    return seen.time_ns
