"""Whether a home may be watched: the person's last word counts. No file, no clock.

Without it nothing of what sensors tell of the home is stored, learned or judged. What somebody presses (SOS, I am fine), and
what warns of smoke, gas and water, works all the same; so does the courier's reader at the door, whose taps are the courier's.
"""

from functools import lru_cache
from typing import Final

from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import columns, split_name
from edge_gateway.homes.home import Home
from edge_gateway.message import Instant

# Batteries and signal tell nothing of a person; events are what somebody pressed, or what warns of smoke, gas and water.
_ALL_THE_SAME: Final = frozenset({"health", "gateway", "event"})


def given(home: Home | None, required: bool) -> bool:
    """Whether it may be watched. `required`: not before somebody agreed; else until somebody no longer does."""
    if home is None or not home.consents:
        return not required
    return home.consents[-1].given


@lru_cache(maxsize=4096)
def watches(shape: str) -> bool:
    """Whether readings of this shape tell anything of a home that needs its person's word."""
    return any(needs_consent(name) for name, _ in columns(shape))


def unwatched(instant: Instant) -> Instant | None:
    """What of an instant works without that word, however the device put it beside the rest; None: nothing."""
    stay = [reading for reading in instant.readings if not needs_consent(reading.name)]
    return Instant.of(instant.time_ns, instant.uptime_ns, stay) if stay else None


def needs_consent(name: str) -> bool:
    """Whether readings of this name tell anything of the person in whose home they are measured."""
    quantity = QUANTITIES.get(split_name(name)[0])
    return quantity is None or quantity.group not in _ALL_THE_SAME
