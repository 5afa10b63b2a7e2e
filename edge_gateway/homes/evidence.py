"""What a reading says of the person: a sign of life, a state that holds, or nothing. Pure; times are wall clock, ns.

Only changes count, see `signs`: a sensor that says the same for hours says nothing. Kept in `home`:

    timers  evidence.from   silence is counted from here at the earliest: the end of an absence or a pause
            evidence.told   the newest moment of which a device that speaks at a cadence has told
            evidence.gap, evidence.gap_to   the last stretch of which none has told, as far as nothing came afterwards
            evidence.sole   since when all signs come from one sensor
    notes   evidence.sole   that sensor
            evidence.deaf_s seconds since the last life of which no device has told
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from edge_gateway.events import Flag
from edge_gateway.homes import away, dates, routine, signs
from edge_gateway.homes.home import Held, Home, Sign, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.homes.signs import BEYOND_DOUBT, DOUBTFUL, LIGHT, MINUTE, SECOND, Kind, sign
from edge_gateway.homes.signs import start_ns as start_ns

# States that one device may bring into a home; it can invent any number of channels, and all of them are saved with the home.
MOST_OF_A_DEVICE: Final = 64
_ACT_NS: Final = 2 * SECOND  # a door that is opened and closed is no vibration
_FLICKER_NS: Final = 3 * SECOND
_MOVING_NS: Final = 10 * MINUTE  # a detector that goes on saying "motion" for longer is stuck


@dataclass(frozen=True, slots=True)
class Quiet:
    """How long nothing was seen of a person who is at home.

    Attributes:
        start_ns: since when; the last life, or the end of an absence or a pause after it.
        seconds: of silence of which the devices have told.
        deaf: no device tells anything now, or none can be believed: nobody can say whether it is quiet.
        resting: name of the bed or chair that is taken, "" none; since when in `resting_ns`.
    """

    start_ns: int
    seconds: float
    deaf: bool
    resting: str = ""
    resting_ns: int = 0


def observe(seen: Seen, setting: HomeSetting, home: Home, zone: str) -> bool:
    """Keep what one reading says; whether that must not be forgotten by a power cut."""
    kind = signs.kind_of(seen.name)
    if kind is None or seen.flag == Flag.FAIL:
        return False
    value = seen.value if isinstance(seen.value, float) else None
    if kind is Kind.ACT:
        if value == 1.0:
            sign(seen, BEYOND_DOUBT, home, zone)
        return value == 1.0
    # A device whose clock is ahead must not promise signs of life: `at_ns` is never later than when it came.
    at_ns = seen.at_ns
    if seen.name not in home.states and sum(state.device == seen.device for state in home.states.values()) >= MOST_OF_A_DEVICE:
        return False
    if kind is Kind.COUNT:
        home.states[seen.name] = Held(value, at_ns, at_ns, seen.device)
        return value is not None and value >= 1.0 and sign(seen, BEYOND_DOUBT if value >= 2.0 else LIGHT, home, zone)
    state = home.states.get(seen.name)
    if state is None:
        return _first(kind, value, seen, home, zone)
    if at_ns < state.told_ns:
        return False
    was, was_ns = state.value, state.since_ns
    state.told_ns, state.device = at_ns, seen.device
    if was == value:
        moves = kind is Kind.MOTION and value == 1.0 and seen.name[0] == "m" and at_ns - was_ns <= _MOVING_NS
        return moves and sign(seen, LIGHT, home, zone)
    state.value, state.since_ns = value, at_ns
    ended = was is not None and value is not None and _changed(kind, seen, was_ns, setting, home, zone)
    return ended or kind is not Kind.MOTION  # what moves all day is saved now and then


def told(home: Home, time_ns: int, silence_s: float) -> None:
    """A device that speaks at a cadence told of `time_ns`. What comes late from its memory fills the gap it left."""
    timers = home.timers
    last_ns = timers.get("evidence.told")
    if last_ns is None or 0 < time_ns - last_ns <= silence_s * SECOND:
        timers["evidence.told"] = time_ns
        return
    if time_ns > last_ns:
        _deaf(home, time_ns - last_ns)
        timers["evidence.told"], timers["evidence.gap"], timers["evidence.gap_to"] = time_ns, last_ns, time_ns
        return
    gap_ns = timers.get("evidence.gap")
    if gap_ns is not None and gap_ns < time_ns <= min(timers["evidence.gap_to"], gap_ns + int(silence_s * SECOND)):
        _deaf(home, gap_ns - time_ns)
        timers["evidence.gap"] = time_ns


def advance(watched: Watched, now_ns: int) -> bool:
    """What follows from time alone; whether something changed."""
    home = watched.home
    if home.pause is not None:
        home.timers["evidence.from"] = max(home.timers.get("evidence.from", 0), min(now_ns, home.pause.until_ns))
    if "away.shut" in home.timers and (signs.occupied(home, now_ns) or not _believed(watched)):
        # A visitor left, and the elder is in the chair; or nobody could see whether anything moves inside.
        del home.timers["away.shut"]
    return away.advance(home, now_ns)


def mend(home: Home, now_ns: int, forward: bool = False) -> None:
    """What lies ahead of the clock was written by another clock: it happened now, or it would hold for ever."""
    home.life_ns, home.since_ns = min(home.life_ns, now_ns), min(home.since_ns, now_ns)
    if home.signs and home.signs[-1].time_ns > now_ns:
        home.signs = [Sign(min(s.time_ns, now_ns), s.name, s.device, s.weight) for s in home.signs]
    for state in home.states.values():
        state.since_ns, state.told_ns = min(state.since_ns, now_ns), min(state.told_ns, now_ns)
    for name in [name for name, at_ns in home.timers.items() if at_ns > now_ns]:
        if name.startswith("told."):  # said once too often rather than never again
            del home.timers[name]
            home.notes.pop(name, None)
        else:
            home.timers[name] = now_ns
    home.test.mend(now_ns)
    if home.asked is not None and home.asked.asked_ns > now_ns:
        home.asked = None
    if home.away is not None:
        home.away = dates.mended(home.away, now_ns, forward)
    if home.said is not None:
        home.said = dates.mended(home.said, now_ns, forward)
    if home.pause is not None:
        home.pause = dates.mended(home.pause, now_ns, forward)


def settle(home: Home, now_ns: int) -> None:
    """What time alone makes of ends that were written by a clock that was ahead; after `mend`."""
    if home.away is not None:
        home.away = dates.settled(home.away, now_ns)
    if home.said is not None:
        home.said = None if dates.is_over(home.said, now_ns) else dates.settled(home.said, now_ns)
    if home.pause is not None:
        home.pause = dates.settled(home.pause, now_ns)


def sees(measures: Collection[str]) -> bool:
    """Whether a device that may send these could see a person; empty: it may send anything."""
    return not measures or any(signs.kind_of(name) in signs.SENSORS for name in measures)


def quiet(watched: Watched, now_ns: int, from_ns: int = 0) -> Quiet:
    """How long it has been quiet in a home in which somebody is; counted from `from_ns` at the earliest."""
    home = watched.home
    since_ns = max(start_ns(home), from_ns)
    unheard_s = float(home.notes.get("evidence.deaf_s", 0.0))
    told_ns, deaf = home.timers.get("evidence.told"), not _believed(watched)
    if watched.silence_s and told_ns is not None and now_ns - told_ns > watched.silence_s * SECOND:
        unheard_s, deaf = unheard_s + (now_ns - max(told_ns, since_ns)) / 1e9, True
    resting, resting_ns = signs.resting(home, now_ns)
    return Quiet(since_ns, max(0.0, (now_ns - since_ns) / 1e9 - unheard_s), deaf, resting, resting_ns)


def said_fine(home: Home, at_ns: int, by: str) -> None:
    """A person has seen the elder, and all is well: a sign of life like any other."""
    signs.said(home, at_ns, by)


def _first(kind: Kind, value: float | None, seen: Seen, home: Home, zone: str) -> bool:
    """The first word of a sensor: how it stands, not that it changed."""
    home.states[seen.name] = Held(value, seen.at_ns, seen.at_ns, seen.device)
    if value == 1.0 and kind is Kind.MOTION:
        sign(seen, LIGHT, home, zone)
    elif value == 1.0 and kind is Kind.SWITCH:
        away.go(home, away.PRESSED, seen.at_ns)
    return True


def _changed(kind: Kind, seen: Seen, was_ns: int, setting: HomeSetting, home: Home, zone: str) -> bool:
    """A state changed after it was known; whether an absence or a question ended by it."""
    on, held_ns = seen.value == 1.0, seen.at_ns - was_ns
    if kind is Kind.MOTION:
        if on:
            return sign(seen, LIGHT, home, zone)
        # Until now it moved, but how long a detector says so after one blip is a matter of its make.
        return held_ns <= _MOVING_NS and sign(seen, LIGHT, home, zone, again_ns=held_ns + 1)
    if kind is Kind.CONTACT:
        inside = not away.is_exit(seen.name, setting)
        if not inside and on and away.between_doors(home, home.life_ns):
            signs.came_by_door(home, seen.at_ns)
        came = not inside and away.door(home, seen.at_ns, on)
        return sign(seen, LIGHT, home, zone, again_ns=_ACT_NS, inside=inside) or came
    if kind is Kind.HELD:
        if not on:
            _rested(seen.name, was_ns, seen.at_ns, home)
        weight = BEYOND_DOUBT if held_ns >= _FLICKER_NS else DOUBTFUL
        return sign(seen, weight, home, zone, rested_ns=0 if on else was_ns)
    if kind is Kind.LAMP:
        return sign(seen, LIGHT, home, zone)
    ended = sign(seen, BEYOND_DOUBT, home, zone)
    if on:
        away.go(home, away.PRESSED, seen.at_ns)
    elif home.away is not None and home.away.kind in (away.PRESSED, away.OUT):
        away.come(home, seen.at_ns)
    return ended


def _rested(name: str, from_ns: int, to_ns: int, home: Home) -> None:
    """A bed or chair is free again."""
    if home.today is None:
        return
    at = 0 if name.startswith("bed") else 1
    home.today.held_s[at] = max(home.today.held_s[at], (to_ns - from_ns) / 1e9)
    routine.held(home.today, ("bed", "chair")[at], from_ns, to_ns)


def _believed(watched: Watched) -> bool:
    """Whether any sensor that could see somebody inside can be believed. A home with buttons and a front door only has none."""
    for name, state in watched.home.states.items():
        if state.value is not None and signs.kind_of(name) in signs.SENSORS and not away.is_exit(name, watched.setting):
            return True
    return False


def _deaf(home: Home, by_ns: int) -> None:
    home.notes["evidence.deaf_s"] = max(0.0, float(home.notes.get("evidence.deaf_s", 0.0)) + by_ns / 1e9)
    if home.today is not None:
        home.today.deaf_s = max(0.0, home.today.deaf_s + by_ns / 1e9)
