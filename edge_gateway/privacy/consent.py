"""Whether a home may be watched: the person's last word counts. No file, no clock.

Without it nothing of what sensors tell of the home is stored, learned or judged. What somebody presses (SOS, I am fine), and
what warns of smoke, gas and water, works all the same; so does the courier's reader at the door, whose taps are the courier's.
"""

from functools import lru_cache
from typing import Final

from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import columns, split_name
from edge_gateway.homes.home import Home

_OF_DEVICES: Final = frozenset({"health", "gateway"})  # batteries, signal: they tell nothing of a person


def given(home: Home | None, required: bool) -> bool:
    """Whether it may be watched. `required`: not before somebody agreed; else until somebody no longer does."""
    if home is None or not home.consents:
        return not required
    return home.consents[-1].given


@lru_cache(maxsize=4096)
def watches(shape: str) -> bool:
    """Whether readings of this shape tell anything of a home, rather than of a device."""
    known = (QUANTITIES.get(split_name(name)[0]) for name, _ in columns(shape))
    return any(quantity is None or quantity.group not in _OF_DEVICES for quantity in known)
