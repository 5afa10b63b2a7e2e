"""How often a home would have called for nothing, and how late it would have called when it had to.

The readings go through the code of the running gateway (`Replayer`). What a rule learned it learned before the scored days
began, and goes on learning from days that are over; nothing ever sees a day before it has passed. A fall is silence from a
random moment: the world is copied there, nothing moves any more, and the time until people are called is the delay. Every alarm
without a fall is false, although the person at home could have cancelled it: a recording answers no question.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from heapq import merge
from random import Random
from typing import Final, NamedTuple

from edge_gateway.errors import Misconfigured
from edge_gateway.homes import bands
from edge_gateway.homes.bands import Band
from edge_gateway.homes.replay import Replayer, Said
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import away_long, inactivity
from edge_gateway.rules.rule import Finding, Prewarn, Returned
from operations.homes import simulate
from operations.homes.recordings import FRONT, Recording, Span
from operations.homes.simulate import DAY_NS

ZONE: Final = "UTC"
LEARNED_DAYS: Final = 14
_HOUR_NS: Final = DAY_NS // 24
_GIVEN_UP_NS: Final = 48 * _HOUR_NS  # a fall nobody was called for by then is missed
_STEP_NS: Final = 60_000_000_000
_ALARM: Final = "inactivity/"
_AWAY: Final = "away-long/"
_RULES: Final = (inactivity.RULE, away_long.RULE)
_LEAST_SCORED: Final = 5
_MOST_ROUNDS: Final = 8
BLIPS_H: Final = 3.0  # a lone sign that is none comes on average so often
SENSORS: Final = 6  # so many of a home's sensors are broken, one after the other


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


class Scenario(StrEnum):
    """What is done to the scored days."""

    RECORDED = "recorded"
    ABSENT = "absent"
    STUCK = "stuck"
    DEAD = "dead"
    BLIPS = "blips"  # a fall, and lone signs that are none
    BED = "bed"  # does not get up again: the bed stays held


@dataclass(frozen=True, slots=True)
class Fall:
    """
    Attributes:
        by_day: it happened in the home's day.
        delay_s: until people were called; None: not within 48 h.
        asked_s: until one contact was asked after somebody who was thought to be out; None: nobody was.
    """

    at_ns: int
    by_day: bool
    delay_s: float | None
    asked_s: float | None = None


@dataclass(slots=True)
class Run:
    """One home, one way, one scenario.

    Attributes:
        days: scored.  false: when it alarmed for nothing, ns.  asked: questions at home.  notices: about long absences.
        absences: simulated ones.  sensor: the one that was broken.
    """

    home: str
    way: str
    scenario: Scenario
    days: float
    false: list[int] = field(default_factory=list)
    asked: int = 0
    notices: int = 0
    absences: int = 0
    sensor: str = ""
    falls: list[Fall] = field(default_factory=list)


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


def score(
    prepared: Prepared,
    ways: Sequence[Way] = WAYS,
    *,
    seed: int = 1,
    falls_a_day: float = 12.0,
    scenarios: Collection[Scenario] = tuple(Scenario),
) -> list[Run]:
    """These scenarios of one home for each way."""
    runs = []
    for way in ways:
        start = taught(prepared, way)
        chosen = (plan for plan in _plans(prepared, seed, falls_a_day) if plan.scenario in scenarios)
        runs += [_run(start.fork(), prepared, way, plan) for plan in chosen]
    return runs


def shorter(prepared: Prepared, *, seed: int = 1, falls_a_day: float = 12.0) -> list[Run]:
    """The recorded days under shorter fixed limits: what a lower delay costs without learning."""
    plan = next(_plans(prepared, seed, falls_a_day))
    return [_run(taught(prepared, way), prepared, way, plan) for way in SHORTER]


@dataclass(frozen=True, slots=True)
class _Plan:
    """`after`: what is still told after a fall, for the span that follows it."""

    scenario: Scenario
    seen: Sequence[Seen]
    moments: Sequence[int]
    after: Callable[[Span], Iterable[Seen]]
    absences: int = 0
    sensor: str = ""


def _plans(prepared: Prepared, seed: int, falls_a_day: float) -> Iterator[_Plan]:
    name, span, out = prepared.recording.name, prepared.span, prepared.recording.out
    count = round(falls_a_day * prepared.days)

    def falls(what: str, part: float = 1.0) -> list[int]:
        # Not so near the end of the recording that a fall could not be told from it.
        return simulate.moments(span, round(count * part), out, Random(f"{seed}/{name}/{what}"))

    yield _Plan(Scenario.RECORDED, prepared.scored, falls("falls"), _nothing)
    away = _absences(prepared, Random(f"{seed}/{name}/absences"))
    yield _Plan(Scenario.ABSENT, _without(prepared.scored, away), (), _nothing, absences=len(away))
    sensors = prepared.recording.sensors
    lone = [sensor for sensor in sensors if sensor.startswith("motion.")] or [s for s in sensors if s != FRONT]
    yield _Plan(Scenario.BLIPS, prepared.scored, falls("falls"), _lone_blips(lone, f"{seed}/{name}/blips"))
    if "bed" in sensors:
        yield _Plan(Scenario.BED, prepared.scored, falls("bed", 2.0), _nothing)
    broken = Random(f"{seed}/{name}/sensors").sample(sensors, min(SENSORS, len(sensors)))
    for sensor in sorted(broken):
        moments = falls(f"stuck/{sensor}", 0.25)
        seen = tuple(simulate.stuck(prepared.scored, sensor, span))
        yield _Plan(Scenario.STUCK, seen, moments, _always(sensor), sensor=sensor)
        seen = tuple(simulate.dead(prepared.scored, sensor, span))
        yield _Plan(Scenario.DEAD, seen, moments, _nothing, sensor=sensor)


def _nothing(_span: Span) -> Iterable[Seen]:
    return ()


def _always(sensor: str) -> Callable[[Span], Iterable[Seen]]:
    return lambda span: simulate.stuck((), sensor, span)


def _lone_blips(sensors: Sequence[str], seed: str) -> Callable[[Span], Iterable[Seen]]:
    return lambda span: simulate.blips(sensors, span, BLIPS_H, Random(f"{seed}/{span[0]}"))


def _absences(prepared: Prepared, dice: Random) -> list[Span]:
    """On each scored day one, of 1 to 24 h, mostly short; none begins or ends while the recorded person is out."""
    found: list[Span] = []
    out = prepared.recording.out
    for day in range(prepared.span[0], prepared.span[1] - DAY_NS + 1, DAY_NS):
        for start in simulate.moments((day + 8 * _HOUR_NS, day + 18 * _HOUR_NS), 8, out, dice):
            end = start + int(24.0 ** dice.random() * _HOUR_NS)
            home_again = not any(left - _HOUR_NS // 4 <= end < back for left, back in out)
            if home_again and end < prepared.span[1] and (not found or start > found[-1][1] + 2 * _HOUR_NS):
                found.append((start, end))
                break
    return found


def _without(seen: Sequence[Seen], away: Sequence[Span]) -> Sequence[Seen]:
    for span in away:
        seen = simulate.absent(seen, span)
    return seen


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
        _visited(world)
    world.advance(prepared.span[0] + 2 * _STEP_NS)
    return world


def _visited(world: Replayer) -> None:
    """Somebody came, and the person is well: an alert that does not end by itself is closed with the first sign of life."""
    for key, finding in list(world.open.items()):
        if world.home.life_ns > finding.occurred_ns:
            world.close(key)


def _run(world: Replayer, prepared: Prepared, way: Way, plan: _Plan) -> Run:
    run = Run(prepared.recording.name, way.name, plan.scenario, prepared.days, absences=plan.absences, sensor=plan.sensor)
    moments = deque(plan.moments)

    def count(said: Iterable[Said], before: set[str]) -> None:
        known = set(before)
        for one in said:
            verdict = one.verdict
            if isinstance(verdict, Prewarn):
                run.asked += 1
            elif isinstance(verdict, Returned):
                known.discard(verdict.key)
            elif verdict.key not in known:
                known.add(verdict.key)
                if verdict.key.startswith(_ALARM):
                    run.false.append(one.at_ns)
                else:
                    run.notices += 1

    for one in plan.seen:
        while moments and moments[0] <= one.received_ns:
            at_ns, before = moments.popleft(), set(world.open)
            count(world.advance(at_ns), before)
            if (fallen := _fall(world, at_ns, plan, prepared)) is not None:
                run.falls.append(fallen)
        before = set(world.open)
        count(world.feed(one), before)
        _visited(world)
    before = set(world.open)
    count(world.advance(prepared.span[1]), before)
    return run


def _fall(before: Replayer, at_ns: int, plan: _Plan, prepared: Prepared) -> Fall | None:
    """What becomes of a fall now; None: it cannot happen (nobody is at home or in bed), or people are on their way already."""
    if not prepared.recording.labelled and before.home.away is not None:
        return None
    held = any(state.value for name, state in before.home.states.items() if name.partition(".")[0] == "bed")
    if (plan.scenario is Scenario.BED and not held) or any(key.startswith(_ALARM) for key in before.open):
        return None
    world = before.fork()
    told = [] if plan.scenario is Scenario.BED else simulate.let_go(world.home, at_ns)
    later = plan.after((at_ns, at_ns + _GIVEN_UP_NS))
    by_day = bands.band_at(at_ns, prepared.setting, prepared.zone) is Band.DAY
    said: list[Said] = []
    for one in merge(told, later, key=lambda seen: seen.time_ns):
        said += world.feed(one)
        if _first(said, _ALARM) is not None:
            break
    while _first(said, _ALARM) is None and world.now_ns < at_ns + _GIVEN_UP_NS:
        said += world.advance(world.now_ns + _HOUR_NS)
    called, asked = _first(said, _ALARM), _first(said, _AWAY)
    return Fall(at_ns, by_day, *(None if when is None else (when - at_ns) / 1e9 for when in (called, asked)))


def _first(said: Iterable[Said], key: str) -> int | None:
    return next((one.at_ns for one in said if isinstance(one.verdict, Finding) and one.verdict.key.startswith(key)), None)
