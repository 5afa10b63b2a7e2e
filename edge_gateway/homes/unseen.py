"""A tap on the wrong home: "seen, fine" taken back, so that nobody counts as alive because of a slip. Pure."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.homes.home import Day, Home
from edge_gateway.homes.said import SEEN

UNDO_NS: Final = 10 * 60 * 10**9
_OURS: Final = ("evidence.", "seen.")  # what a sign of life changes among timers and notes


@dataclass(frozen=True, slots=True)
class Before:
    """A home as it was before somebody said that all is well.

    Attributes:
        at_ns, by: when and who.  closed: keys of the alerts that it ended.
    """

    at_ns: int
    by: str
    life_ns: int
    life_name: str
    timers: dict[str, int]
    notes: dict[str, float | str]
    today: Day | None
    closed: tuple[str, ...] = ()


def before(home: Home, by: str, now_ns: int) -> Before:
    """To be asked before the sign of life is written down."""
    timers = {name: at_ns for name, at_ns in home.timers.items() if name.startswith(_OURS)}
    notes = {name: value for name, value in home.notes.items() if name.startswith(_OURS)}
    return Before(now_ns, by, home.life_ns, home.life_name, timers, notes, deepcopy(home.today))


def take_back(home: Home, was: Before | None, by: str, now_ns: int) -> None:
    """As if it had not been said; the rules raise again what it ended and what still is so.

    Raises:
        Rejected: `too_late`: it was not said, or long ago, or by somebody else, or life was seen since.
    """
    if was is None or was.by != by or not 0 <= now_ns - was.at_ns <= UNDO_NS:
        raise Rejected("too_late", "only who said it can take it back, within ten minutes")
    if home.life_ns != was.at_ns or home.life_name != SEEN:
        raise Rejected("too_late", "there was a sign of life since; nothing has to be taken back")
    home.signs = [sign for sign in home.signs if (sign.time_ns, sign.name) != (was.at_ns, SEEN)]
    home.life_ns, home.life_name, home.today = was.life_ns, was.life_name, was.today
    told = {f"told.{key}" for key in was.closed}
    home.timers = {n: at for n, at in home.timers.items() if not n.startswith(_OURS) and n not in told} | was.timers
    home.notes = {n: value for n, value in home.notes.items() if not n.startswith(_OURS) and n not in told} | was.notes
