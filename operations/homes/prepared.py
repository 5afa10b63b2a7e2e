"""A recording parted in two: days from which a home learns, and days that are scored after them.

What a rule learned it learned before the scored days began, and goes on learning from days that are over; nothing ever sees a
day before it has passed.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from edge_gateway.errors import Misconfigured
from edge_gateway.homes import bands
from edge_gateway.homes.replay import Replayer
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import away_long, inactivity
from operations.homes import simulate
from operations.homes.recordings import Recording, Span
from operations.homes.simulate import DAY_NS

ZONE: Final = "UTC"
LEARNED_DAYS: Final = 14
_LEAST_SCORED: Final = 5
_MOST_ROUNDS: Final = 8
_STEP_NS: Final = 60_000_000_000
_RULES: Final = (inactivity.RULE, away_long.RULE)


class Way(NamedTuple):
    """One way to decide; `limit_h` without learning."""

    name: str
    limit_h: float = 12.0
    learning: bool = False
    model: bool = False


FIXED: Final = Way("fixed 12 h")
PERSONAL: Final = Way("personal", learning=True)
MODEL: Final = Way("model", learning=True, model=True)
WAYS: Final = (FIXED, PERSONAL, MODEL)
SHORTER: Final = (Way("fixed 8 h", 8.0), Way("fixed 6 h", 6.0), Way("fixed 4 h", 4.0))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A home's readings, parted: `lesson` is past when `scored` begins.

    Attributes:
        span: of the scored days.  learned_days: in the lesson.  rounds: how often the lesson's days were played to fill it.
        setting, zone: of the home.
    """

    recording: Recording
    setting: HomeSetting
    zone: str
    lesson: tuple[Seen, ...]
    scored: tuple[Seen, ...]
    span: Span
    learned_days: int
    rounds: int

    @property
    def days(self) -> float:
        """Scored days."""
        return (self.span[1] - self.span[0]) / DAY_NS


def prepare(recording: Recording, setting: HomeSetting | None = None, zone: str = ZONE) -> Prepared:
    """Part a recording: the scored days begin with the first midnight at which personal limits were learned.

    Where fewer than five whole days would be left, the first half is played as often as learning needs, and the second scored.

    Raises:
        Misconfigured: too short for either.
    """
    setting = setting or HomeSetting("score", recording.name.lower())
    shift_ns = recording.span[0] - bands.midnight_of(recording.span[0], zone)
    first = recording.span[0] - shift_ns + (DAY_NS if shift_ns else 0)
    days = (recording.span[1] - first) // DAY_NS
    if days < 2 * _LEAST_SCORED:
        raise Misconfigured(f"{recording.name} has {max(0, days)} whole days", f"a score needs at least {2 * _LEAST_SCORED}")
    whole = Prepared(recording, setting, zone, (), (), (first, first + days * DAY_NS), 0, 1)
    for learned in range(LEARNED_DAYS, days - _LEAST_SCORED + 1):
        if taught(parted := _parted(whole, learned, 1), PERSONAL).past.limits_s:
            return parted
    for rounds in range(2, _MOST_ROUNDS + 1):
        if taught(parted := _parted(whole, days // 2, rounds), PERSONAL).past.limits_s:
            return parted
    raise Misconfigured(f"{recording.name}: no limits are learned from {days // 2} days", "its days are not complete")


def exchanged(prepared: Prepared) -> Prepared:
    """The halves exchanged: learned from the later days, scored on the earlier ones; a second look, which no home can have.

    Raises:
        Misconfigured: the later days are too few to learn from.
    """
    recording, (cut, last) = prepared.recording, prepared.span
    first = cut - prepared.learned_days * DAY_NS
    later, days = simulate.within(recording.seen, (cut, last)), (last - cut) // DAY_NS
    scored = tuple(simulate.within(recording.seen, (first, cut)))
    for rounds in range(1, 2 * _MOST_ROUNDS):
        turns = range(rounds, 0, -1)
        lesson = tuple(one for turn in turns for one in simulate.moved(later, first - cut - turn * days * DAY_NS))
        other = replace(prepared, lesson=lesson, scored=scored, span=(first, cut), learned_days=days, rounds=rounds)
        if taught(other, PERSONAL).past.limits_s:
            return other
    raise Misconfigured(f"{recording.name}: no limits are learned from its last {days} days", "its days are not complete")


def _parted(whole: Prepared, learned: int, rounds: int) -> Prepared:
    first, last = whole.span
    begin = first + learned * DAY_NS
    past = simulate.within(whole.recording.seen, (first, begin))
    lesson = [one for turn in range(rounds) for one in simulate.moved(past, (turn - rounds + 1) * learned * DAY_NS)]
    scored = simulate.within(whole.recording.seen, (begin, last))
    return replace(whole, lesson=tuple(lesson), scored=tuple(scored), span=(begin, last), learned_days=learned, rounds=rounds)


def taught(prepared: Prepared, way: Way) -> Replayer:
    """A home as it is when its scored days begin, a minute after midnight: then the day before has taught what it can."""
    setting = replace(prepared.setting, limit_h=way.limit_h, model=way.model)
    world = Replayer(setting, prepared.zone, learning=way.learning, rules=_RULES)
    for one in prepared.lesson:
        world.feed(one)
        visited(world)
    world.advance(prepared.span[0] + 2 * _STEP_NS)
    return world


def visited(world: Replayer) -> None:
    """Somebody came, and the person is well: an alert that does not end by itself is closed with the first sign of life."""
    for key, finding in list(world.open.items()):
        if world.home.life_ns > finding.occurred_ns:
            world.close(key)
