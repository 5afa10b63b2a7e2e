"""What a reading says of the person: a sign of life, a state that holds, or nothing. Pure; times are wall clock, ns."""

from typing import Final

from edge_gateway.events import Flag, split_name
from edge_gateway.homes.home import SIGNS, Held, Home, Sign, Watched
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting

_STATES: Final = frozenset({"motion", "presence", "contact", "bed", "chair", "light", "away"})
_LIVE: Final = frozenset({"motion", "presence", "contact", "bed", "chair", "light", "movements"})
_ACTS: Final = frozenset({"sos", "cancel"})


def observe(seen: Seen, setting: HomeSetting, home: Home, zone: str) -> bool:
    """Keep what one reading says; whether that must not be forgotten by a power cut."""
    quantity = split_name(seen.name)[0]
    if seen.flag == Flag.FAIL:
        return False
    changed = quantity in _STATES and _hold(seen, home)
    if (quantity in _ACTS or quantity == "movements" or (quantity in _LIVE and changed)) and seen.value not in (None, 0.0):
        home.signs = [*home.signs, Sign(seen.time_ns, seen.name, seen.device, 1.0)][-SIGNS:]
        if seen.time_ns > home.life_ns:
            home.life_ns, home.life_name = seen.time_ns, seen.name
    return changed


def advance(watched: Watched, now_ns: int) -> bool:
    """What follows from time alone; whether something changed."""
    return False


def _hold(seen: Seen, home: Home) -> bool:
    value = seen.value if isinstance(seen.value, float) else None
    state = home.states.get(seen.name)
    if state is None:
        home.states[seen.name] = Held(value, seen.time_ns, seen.time_ns, seen.device)
        return True
    if seen.time_ns < state.told_ns:
        return False
    changed = state.value != value
    if changed:
        state.value, state.since_ns = value, seen.time_ns
    state.told_ns, state.device = seen.time_ns, seen.device
    return changed
