"""How often a home would have called for nothing, and how late it would have called when it had to.

The readings go through the code of the running gateway (`Replayer`). A fall is silence from a random moment: the world is
copied there, nothing moves any more, and the time until people are called is the delay. Every alarm without a fall is false,
although the person at home could have cancelled it: a recording answers no question.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import merge
from random import Random
from typing import Final

from edge_gateway.homes import bands
from edge_gateway.homes.bands import Band
from edge_gateway.homes.replay import Replayer, Said
from edge_gateway.homes.seen import Seen
from edge_gateway.rules.rule import Finding, Prewarn, Returned
from operations.homes import simulate
from operations.homes.prepared import SHORTER, WAYS, Prepared, Way, taught, visited
from operations.homes.recordings import FRONT, Span
from operations.homes.simulate import DAY_NS

_HOUR_NS: Final = DAY_NS // 24
_GIVEN_UP_NS: Final = 48 * _HOUR_NS  # a fall nobody was called for by then is missed
_ALARM: Final = "inactivity/"
_AWAY: Final = "away-long/"
BLIPS_H: Final = 3.0  # a lone sign that is none comes on average so often
SENSORS: Final = 6  # so many of a home's sensors are broken, one after the other


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
        visited(world)
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
