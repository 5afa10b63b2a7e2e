"""What a reading says of the person: a sign of life, a state that holds, or nothing. Pure; times are wall clock, ns.

A sign has a weight. One of 1.0 is life beyond doubt: a button, a bed that is left, several movements. A lighter one, such as a
single blip of a motion detector, is life only in company: with another sign within the hour, of another sensor or of the same
one again. Only changes count; a sensor that says the same for hours says nothing. Kept in `home`:

    timers  evidence.from   silence is counted from here at the earliest: the end of an absence or a pause
            evidence.told   the newest moment of which a device that speaks at a cadence has told
            evidence.gap, evidence.gap_to   the last stretch of which none has told, as far as nothing came afterwards
            evidence.sole   since when all signs come from one sensor
    notes   evidence.sole   that sensor
            evidence.deaf_s seconds since the last life of which no device has told
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edge_gateway.events import Flag
from edge_gateway.homes import away, bands, routine
from edge_gateway.homes.home import SIGNS, Away, Held, Home, Sign, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
COMPANY_NS: Final = 60 * _MINUTE  # a blip with nothing else in so long is no life
_AGAIN_NS: Final = 10 * _SECOND  # the same detector again counts as company
_ACT_NS: Final = 2 * _SECOND  # a door that is opened and closed is no vibration
_FLICKER_NS: Final = 3 * _SECOND
_MOVING_NS: Final = 10 * _MINUTE  # a detector that goes on saying "motion" for longer is stuck
# Where several rooms are watched, nobody is seen by one detector alone for so long: it is broken, or the sun shines on it.
SOLE_NS: Final = 12 * 60 * _MINUTE
_BEYOND_DOUBT: Final = 1.0


class _Kind(IntEnum):
    MOTION = 1
    CONTACT = 2
    HELD = 3  # bed, chair
    LIGHT = 4
    SWITCH = 5
    COUNT = 6
    ACT = 7  # a person pressed something


_KINDS: Final = {
    "motion": _Kind.MOTION,
    "presence": _Kind.MOTION,
    "contact": _Kind.CONTACT,
    "bed": _Kind.HELD,
    "chair": _Kind.HELD,
    "light": _Kind.LIGHT,
    "away": _Kind.SWITCH,
    "movements": _Kind.COUNT,
    "sos": _Kind.ACT,
    "cancel": _Kind.ACT,
    "medication": _Kind.ACT,
    "meal": _Kind.ACT,
}
_ROOMS: Final = ("motion", "presence", "bed", "chair")
_SENSORS: Final = frozenset({_Kind.MOTION, _Kind.CONTACT, _Kind.HELD, _Kind.LIGHT, _Kind.COUNT})


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
    name = seen.name
    kind = _KINDS.get(name.partition(".")[0])
    if kind is None or seen.flag == Flag.FAIL:
        return False
    value = seen.value if isinstance(seen.value, float) else None
    # A device whose clock is ahead must not promise signs of life.
    time_ns = min(seen.time_ns, seen.received_ns)
    if kind is _Kind.ACT:
        return value == 1.0 and _sign(seen, time_ns, _BEYOND_DOUBT, _AGAIN_NS, home, zone)
    if kind is _Kind.COUNT:
        home.states[name] = Held(value, time_ns, time_ns, seen.device)
        if value is not None and value >= 1.0:
            _sign(seen, time_ns, _BEYOND_DOUBT if value >= 2.0 else 0.5, _AGAIN_NS, home, zone)
        return False
    state = home.states.get(name)
    if state is None:
        home.states[name] = Held(value, time_ns, time_ns, seen.device)
        if value == 1.0 and kind is _Kind.MOTION:
            _sign(seen, time_ns, 0.5, _AGAIN_NS, home, zone)
        elif value == 1.0 and kind is _Kind.SWITCH:
            away.go(home, away.PRESSED, time_ns)
        return True
    if time_ns < state.told_ns:
        return False
    was, was_ns = state.value, state.since_ns
    state.told_ns, state.device = time_ns, seen.device
    if was == value:
        if value == 1.0 and kind is _Kind.MOTION and name[0] == "m" and time_ns - was_ns <= _MOVING_NS:
            _sign(seen, time_ns, 0.5, _AGAIN_NS, home, zone)
        return False
    state.value, state.since_ns = value, time_ns
    if was is not None and value is not None:
        _changed(kind, seen, time_ns, was_ns, setting, home, zone)
    return True


def told(home: Home, time_ns: int, silence_s: float) -> None:
    """A device that speaks at a cadence told of `time_ns`. What comes late from its memory fills the gap it left."""
    timers = home.timers
    last_ns = timers.get("evidence.told")
    if last_ns is None or 0 < time_ns - last_ns <= silence_s * _SECOND:
        timers["evidence.told"] = time_ns
        return
    if time_ns > last_ns:
        _deaf(home, time_ns - last_ns)
        timers["evidence.told"], timers["evidence.gap"], timers["evidence.gap_to"] = time_ns, last_ns, time_ns
        return
    gap_ns = timers.get("evidence.gap")
    if gap_ns is not None and gap_ns < time_ns <= min(timers["evidence.gap_to"], gap_ns + int(silence_s * _SECOND)):
        _deaf(home, gap_ns - time_ns)
        timers["evidence.gap"] = time_ns


def advance(watched: Watched, now_ns: int) -> bool:
    """What follows from time alone; whether something changed."""
    home = watched.home
    if home.pause is not None:
        home.timers["evidence.from"] = max(home.timers.get("evidence.from", 0), min(now_ns, home.pause.until_ns))
    return away.advance(home, now_ns)


def mend(home: Home, now_ns: int) -> None:
    """What lies ahead of the clock was written by another clock: it happened now, or it would hold for ever."""
    home.life_ns, home.since_ns = min(home.life_ns, now_ns), min(home.since_ns, now_ns)
    if home.signs and home.signs[-1].time_ns > now_ns:
        home.signs = [Sign(min(s.time_ns, now_ns), s.name, s.device, s.weight) for s in home.signs]
    for state in home.states.values():
        state.since_ns, state.told_ns = min(state.since_ns, now_ns), min(state.told_ns, now_ns)
    for name, at_ns in home.timers.items():
        if at_ns > now_ns and name.startswith(("evidence.", "away.")) and name != "away.said":
            home.timers[name] = now_ns
    if home.asked is not None and home.asked.asked_ns > now_ns:
        home.asked = None
    if home.away is not None and home.away.since_ns > now_ns:
        home.away = Away(home.away.kind, now_ns, home.away.until_ns, home.away.by)


def sees(measures: Collection[str]) -> bool:
    """Whether a device that may send these could see a person; empty: it may send anything."""
    kinds = [_KINDS.get(name.partition(".")[0]) for name in measures]
    return not kinds or any(kind in _SENSORS for kind in kinds)


def start_ns(home: Home) -> int:
    """Since when it may be quiet: the last life, or the end of an absence or a pause after it."""
    return max(home.life_ns, home.timers.get("evidence.from", 0), home.since_ns)


def quiet(watched: Watched, now_ns: int) -> Quiet:
    """How long it has been quiet in a home in which somebody is."""
    home = watched.home
    since_ns = start_ns(home)
    unheard_s = float(home.notes.get("evidence.deaf_s", 0.0))
    told_ns, deaf = home.timers.get("evidence.told"), not _believed(home)
    if watched.silence_s and told_ns is not None and now_ns - told_ns > watched.silence_s * _SECOND:
        unheard_s, deaf = unheard_s + (now_ns - max(told_ns, since_ns)) / 1e9, True
    resting, resting_ns = _resting(home)
    return Quiet(since_ns, max(0.0, (now_ns - since_ns) / 1e9 - unheard_s), deaf, resting, resting_ns)


def said_fine(home: Home, at_ns: int, by: str) -> None:
    """A person has seen the elder, and all is well: a sign of life like any other."""
    if at_ns <= home.life_ns:
        return
    began_ns, today = start_ns(home), home.today
    if today is not None and home.away is None and home.pause is None and began_ns:
        # Whoever looked says that this silence was no trouble: it teaches, however long it was.
        hour = (began_ns - today.from_ns) // (60 * _MINUTE) % 24
        today.longest_s[hour] = max(today.longest_s[hour], (at_ns - began_ns) / 1e9)
        today.notes[f"fine.{hour}"] = today.longest_s[hour]
    home.signs = [*home.signs, Sign(at_ns, "seen", by, _BEYOND_DOUBT)][-SIGNS:]
    _begin(home, at_ns, "seen")


def _changed(kind: _Kind, seen: Seen, time_ns: int, was_ns: int, setting: HomeSetting, home: Home, zone: str) -> None:
    on = seen.value == 1.0
    if kind is _Kind.MOTION:
        if on:
            _sign(seen, time_ns, 0.5, _AGAIN_NS, home, zone)
        elif time_ns - was_ns <= _MOVING_NS:
            # Until now it moved, but how long a detector says so after one blip is a matter of its make.
            _sign(seen, time_ns, 0.5, time_ns - was_ns + 1, home, zone)
    elif kind is _Kind.CONTACT:
        inside = not away.is_exit(seen.name, setting)
        if not inside and on and away.between_doors(home, home.life_ns):
            _came(home, time_ns)
        if not inside:
            away.door(home, time_ns, on)
        _sign(seen, time_ns, 0.5, _ACT_NS, home, zone, inside=inside)
    elif kind is _Kind.HELD:
        rested_s = 0.0 if on else (time_ns - was_ns) / 1e9
        if rested_s and home.today is not None:
            at = 0 if seen.name[0] == "b" else 1
            home.today.held_s[at] = max(home.today.held_s[at], rested_s)
            if at == 0:
                routine.held(home.today, "bed", was_ns, time_ns)
        weight = _BEYOND_DOUBT if time_ns - was_ns >= _FLICKER_NS else 0.25
        _sign(seen, time_ns, weight, _AGAIN_NS, home, zone, rested_ns=0 if on else was_ns)
    elif kind is _Kind.SWITCH:
        _sign(seen, time_ns, _BEYOND_DOUBT, _AGAIN_NS, home, zone)
        if on:
            away.go(home, away.PRESSED, time_ns)
        elif home.away is not None and home.away.kind in (away.PRESSED, away.OUT):
            away.come(home, time_ns)
    else:
        _sign(seen, time_ns, 0.5, _AGAIN_NS, home, zone)


def _sign(
    seen: Seen, time_ns: int, weight: float, again_ns: int, home: Home, zone: str, inside: bool = True, rested_ns: int = 0
) -> bool:
    """Keep a sign; whether it is life. `again_ns`: so much later the same sensor is company for itself."""
    source = seen.name.replace("movements", "motion", 1)
    if weight >= 0.5 and _alone(home, source, time_ns):
        weight = 0.25
    if inside:
        away.room(home, time_ns)
    signs = home.signs
    lived = weight >= 0.5 and (weight >= _BEYOND_DOUBT or not home.life_ns or _in_company(signs, source, time_ns, again_ns))
    if not signs or time_ns >= signs[-1].time_ns:
        home.signs = [*signs[1 - SIGNS :], Sign(time_ns, seen.name, seen.device, weight)]
    elif time_ns > signs[0].time_ns:
        home.signs = sorted([*signs, Sign(time_ns, seen.name, seen.device, weight)], key=_time)[-SIGNS:]
    if not lived or time_ns <= home.life_ns:
        return False
    _learn(home, seen.name, time_ns, zone, rested_ns)
    ended = inside and away.life(home, time_ns, home.life_ns)
    _begin(home, time_ns, seen.name)
    return ended or weight >= _BEYOND_DOUBT


def _in_company(signs: list[Sign], source: str, time_ns: int, again_ns: int) -> bool:
    for sign in reversed(signs):
        apart_ns = time_ns - sign.time_ns
        if apart_ns > COMPANY_NS:
            return False
        if (
            sign.weight >= 0.5
            and apart_ns >= 0
            and (apart_ns >= again_ns or sign.name.replace("movements", "motion", 1) != source)
        ):
            return True
    return False


def _alone(home: Home, source: str, time_ns: int) -> bool:
    """Whether one detector alone has spoken for too long, where there are others."""
    if home.notes.get("evidence.sole") != source:
        home.notes["evidence.sole"], home.timers["evidence.sole"] = source, time_ns
        return False
    if time_ns - home.timers.get("evidence.sole", time_ns) <= SOLE_NS:
        return False
    return any(name != source and name.partition(".")[0] in _ROOMS and s.value is not None for name, s in home.states.items())


def _begin(home: Home, time_ns: int, name: str) -> None:
    home.life_ns, home.life_name = time_ns, name
    if "evidence.deaf_s" in home.notes:
        del home.notes["evidence.deaf_s"]
    if home.asked is not None and time_ns >= home.asked.asked_ns:
        home.asked = None


def _came(home: Home, time_ns: int) -> None:
    """The door was closed, then nothing, then it was opened: that was an absence, however it looked meanwhile."""
    home.timers["evidence.from"] = max(time_ns, home.timers.get("evidence.from", 0))
    away_s = (time_ns - home.life_ns) / 1e9
    if home.today is not None and home.away is None and away_s > 0:
        home.today.away_s += away_s
        home.today.out_s = max(home.today.out_s, away_s)


def _learn(home: Home, name: str, time_ns: int, zone: str, rested_ns: int) -> None:
    """A silence ended by life: how long it was, in the hour in which it began. Of one in bed the bed knows more."""
    today = home.today
    if today is None:
        return
    today.hours[bands.hour_of(time_ns, zone)] += 1
    routine.life(today, name, time_ns)
    began_ns = start_ns(home)
    if home.away is not None or home.pause is not None:
        return
    resting_ns = rested_ns or _resting(home)[1]
    if resting_ns and resting_ns - began_ns < (time_ns - began_ns) // 2:
        return
    hour = bands.hour_of(began_ns, zone)
    silent_s = (time_ns - began_ns) / 1e9 - float(home.notes.get("evidence.deaf_s", 0.0))
    if silent_s > today.longest_s[hour]:
        today.longest_s[hour] = silent_s


def _resting(home: Home) -> tuple[str, int]:
    """The bed or chair that was taken last and still is."""
    found, since_ns = "", 0
    for name, state in home.states.items():
        if state.value == 1.0 and state.since_ns > since_ns and _KINDS.get(name.partition(".")[0]) is _Kind.HELD:
            found, since_ns = name, state.since_ns
    return found, since_ns


def _believed(home: Home) -> bool:
    """Whether any sensor that could see the person can be believed; a home with nothing but buttons has none."""
    for name, state in home.states.items():
        if state.value is not None and _KINDS.get(name.partition(".")[0]) in _SENSORS:
            return True
    return False


def _deaf(home: Home, by_ns: int) -> None:
    home.notes["evidence.deaf_s"] = max(0.0, float(home.notes.get("evidence.deaf_s", 0.0)) + by_ns / 1e9)
    if home.today is not None:
        home.today.deaf_s = max(0.0, home.today.deaf_s + by_ns / 1e9)


def _time(sign: Sign) -> int:
    return sign.time_ns
