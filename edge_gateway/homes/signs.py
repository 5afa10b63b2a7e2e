"""Signs of life and their weight: what is life, what only may be, what a silence teaches when life ends it. Pure.

A sign of weight 1.0 is life beyond doubt: a button, a bed that is left, several movements. A lighter one, such as a single blip
of a motion detector, is life only in company: with another sign within the hour, of another sensor or of the same one again.
Times are wall clock, ns. Names in `home.timers` and `home.notes`: see `evidence`.
"""

from enum import IntEnum
from functools import lru_cache
from typing import Final

from edge_gateway.homes import away, bands, routine
from edge_gateway.homes.home import SIGNS, Home, Sign
from edge_gateway.homes.seen import Seen

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
COMPANY_NS: Final = 60 * MINUTE  # a blip with nothing else in so long is no life
AGAIN_NS: Final = 10 * SECOND  # the same detector again counts as company
# Where several rooms are watched, nobody is seen by one detector alone for so long: it is broken, or the sun shines on it.
SOLE_NS: Final = 12 * 60 * MINUTE
BEYOND_DOUBT: Final = 1.0
LIGHT: Final = 0.5
DOUBTFUL: Final = 0.25
_STUCK_NS: Final = 24 * 60 * MINUTE  # nobody lies or sits for longer: that bed or chair says nothing


class Kind(IntEnum):
    """What a quantity can say of a person."""

    MOTION = 1
    CONTACT = 2
    HELD = 3  # bed, chair
    LAMP = 4
    SWITCH = 5
    COUNT = 6
    ACT = 7  # a person pressed something


KINDS: Final = {
    "motion": Kind.MOTION,
    "presence": Kind.MOTION,
    "contact": Kind.CONTACT,
    "bed": Kind.HELD,
    "chair": Kind.HELD,
    "light": Kind.LAMP,
    "away": Kind.SWITCH,
    "movements": Kind.COUNT,
    "sos": Kind.ACT,
    "cancel": Kind.ACT,
    "pause": Kind.ACT,
    "medication": Kind.ACT,
    "meal": Kind.ACT,
}
SENSORS: Final = frozenset({Kind.MOTION, Kind.CONTACT, Kind.HELD, Kind.LAMP, Kind.COUNT})
_ROOMS: Final = frozenset({Kind.MOTION, Kind.HELD})


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind | None:
    """What a reading of this name can say of a person; None: nothing."""
    return KINDS.get(name.partition(".")[0])


def sign(
    seen: Seen, weight: float, home: Home, zone: str, again_ns: int = AGAIN_NS, inside: bool = True, rested_ns: int = 0
) -> bool:
    """Keep a sign; whether an absence or a question ended by it.

    Args:
        again_ns: so much later another sign of the same sensor is company for this one.
        inside: it cannot be of somebody before the door.
        rested_ns: since when the bed or chair was taken that is free now; 0: it is of no bed or chair.
    """
    time_ns, source = seen.at_ns, _source(seen.name)
    if weight >= LIGHT and _sole(home, source, time_ns):
        weight = DOUBTFUL
    if inside:
        away.room(home, time_ns, source, seen.value == 1.0)
    signs = home.signs
    lived = weight >= BEYOND_DOUBT or (weight >= LIGHT and (not home.life_ns or _in_company(signs, source, time_ns, again_ns)))
    if not signs or time_ns >= signs[-1].time_ns:
        home.signs = [*signs[1 - SIGNS :], Sign(time_ns, seen.name, seen.device, weight)]
    elif time_ns > signs[0].time_ns:
        home.signs = sorted([*signs, Sign(time_ns, seen.name, seen.device, weight)], key=_time)[-SIGNS:]
    if not lived or time_ns <= home.life_ns:
        return False
    _learn(home, seen.name, time_ns, zone, rested_ns)
    ended = inside and away.life(home, time_ns, home.life_ns)
    return _begin(home, time_ns, seen.name) or ended


def said(home: Home, at_ns: int, by: str) -> None:
    """A person has seen the elder, and all is well: a sign of life like any other, and the silence before it was no trouble."""
    if at_ns <= home.life_ns:
        return
    began_ns, today = start_ns(home), home.today
    if today is not None and home.away is None and not paused(home, at_ns) and began_ns:
        hour = (began_ns - today.from_ns) // (60 * MINUTE) % 24
        today.longest_s[hour] = max(today.longest_s[hour], (at_ns - began_ns) / 1e9)
        today.notes[f"fine.{hour}"] = today.longest_s[hour]  # however long it was, it teaches
    home.signs = [*home.signs, Sign(at_ns, "seen", by, BEYOND_DOUBT)][-SIGNS:]
    _begin(home, at_ns, "seen")


def start_ns(home: Home) -> int:
    """Since when it may be quiet: the last life, or the end of an absence or a pause after it."""
    return max(home.life_ns, home.timers.get("evidence.from", 0), home.since_ns)


def paused(home: Home, at_ns: int) -> bool:
    """Whether the elder did not want to be watched then."""
    return home.pause is not None and at_ns < home.pause.until_ns


def resting(home: Home, now_ns: int) -> tuple[str, int]:
    """The bed or chair that was taken last and still is, and since when; ("", 0): none."""
    found, since_ns = "", max(0, now_ns - _STUCK_NS)
    for name, state in home.states.items():
        if state.value == 1.0 and state.since_ns > since_ns and kind_of(name) is Kind.HELD:
            found, since_ns = name, state.since_ns
    return found, since_ns if found else 0


def occupied(home: Home, now_ns: int) -> bool:
    """Whether a bed, a chair or a radar says that somebody is there now."""
    return any(
        state.value == 1.0 and now_ns - state.since_ns < _STUCK_NS and (kind_of(name) is Kind.HELD or name[0] == "p")
        for name, state in home.states.items()
    )


def came_by_door(home: Home, time_ns: int) -> None:
    """The door was closed, then nothing, then it was opened: that was an absence, however it looked meanwhile."""
    home.timers["evidence.from"] = max(time_ns, home.timers.get("evidence.from", 0))
    away_s = (time_ns - home.life_ns) / 1e9
    if home.today is not None and home.away is None and away_s > 0:
        home.today.away_s += away_s
        home.today.out_s = max(home.today.out_s, away_s)


def _source(name: str) -> str:
    """A detector and its count are one and the same."""
    return "motion" + name[9:] if name.startswith("movements") else name


def _in_company(signs: list[Sign], source: str, time_ns: int, again_ns: int) -> bool:
    for other in reversed(signs):
        apart_ns = time_ns - other.time_ns
        if apart_ns > COMPANY_NS:
            return False
        if other.weight >= LIGHT and apart_ns >= 0 and (apart_ns >= again_ns or _source(other.name) != source):
            return True
    return False


def _sole(home: Home, source: str, time_ns: int) -> bool:
    """Whether one detector alone has spoken for too long, where there are others."""
    if home.notes.get("evidence.sole") != source:
        home.notes["evidence.sole"], home.timers["evidence.sole"] = source, time_ns
        return False
    if time_ns - home.timers.get("evidence.sole", time_ns) <= SOLE_NS:
        return False
    return any(name != source and state.value is not None and kind_of(name) in _ROOMS for name, state in home.states.items())


def _begin(home: Home, time_ns: int, name: str) -> bool:
    """Life; whether it answers a question. Also life from just before it, which came late: its reason is gone."""
    home.life_ns, home.life_name = time_ns, name
    if "evidence.deaf_s" in home.notes:
        del home.notes["evidence.deaf_s"]
    if home.asked is None:
        return False
    home.asked = None
    return True


def _learn(home: Home, name: str, time_ns: int, zone: str, rested_ns: int) -> None:
    """A silence ended by life: how long it was, in the hour in which it began. Of one in bed the bed knows more."""
    today = home.today
    if today is None:
        return
    today.hours[bands.hour_of(time_ns, zone)] += 1
    routine.life(today, name, time_ns)
    began_ns = start_ns(home)
    if home.away is not None or paused(home, time_ns):
        return
    resting_ns = rested_ns or resting(home, time_ns)[1]
    if resting_ns and resting_ns - began_ns < (time_ns - began_ns) // 2:
        return
    hour = bands.hour_of(began_ns, zone)
    silent_s = (time_ns - began_ns) / 1e9 - float(home.notes.get("evidence.deaf_s", 0.0))
    if silent_s > today.longest_s[hour]:
        today.longest_s[hour] = silent_s


def _time(one: Sign) -> int:
    return one.time_ns
