"""Whether somebody is at home: seen at the door, told by the switch, or said by a person. Pure; times are wall clock, ns.

Going out and coming home look alike at a door, so what happened inside before and after it decides. In doubt the person is at
home: a wrong "at home" asks a question too many, a wrong "out" watches over nobody. Kept in `home.timers`:

    away.closed  the outer door was closed last
    away.shut    it was closed by somebody who may have left; nothing moved inside since
    away.back    the door was opened while nobody was at home; nothing moved inside since
    away.early   first sign of life inside although a person said that nobody is at home, after a long silence

and in `home.said` the absence whose end a person said, where it ended early.
"""

from typing import Final

from msgspec.structs import replace

from edge_gateway.homes import dates, routine
from edge_gateway.homes.home import Away, Home
from edge_gateway.homes.setting import HomeSetting

_MINUTE: Final = 60 * 1_000_000_000
OUT_AFTER_NS: Final = 15 * _MINUTE  # so long nothing moves behind the door that was closed
# A detector in the hall may still see the person who closes the door from outside.
_TAIL_NS: Final = _MINUTE // 2
_HALL: Final = "away.hall"  # note: the first sensor that began to see somebody after the door was closed
# Somebody who locks the door may open it once more; who is back from the dustbin was away for longer.
_ERRAND_NS: Final = 3 * _MINUTE // 2
# Who comes home opens the door again for the bags, the key, the neighbour.
_BAGS_NS: Final = 5 * _MINUTE
# One who has pressed the switch still walks through the home.
_LEAVING_NS: Final = 15 * _MINUTE
_GONE_NS: Final = 180 * _MINUTE  # said to be away: only after such a silence can somebody have come back
_STAYS_NS: Final = 60 * _MINUTE  # who is seen for so long is not there to water the plants
OUT, PRESSED, LONG, DAUGHTER = "out", "pressed", "long", "daughter"
KINDS: Final = (OUT, PRESSED, LONG, DAUGHTER)
_SAID: Final = (LONG, DAUGHTER)
_EXITS: Final = ("front", "main", "entr", "exit", "out", "door")


def is_exit(name: str, setting: HomeSetting) -> bool:
    """Whether a contact is of a door that leads outside."""
    if setting.exits:
        return name in setting.exits
    quantity, _, channel = name.partition(".")
    return quantity == "contact" and (not channel or channel.startswith(_EXITS))


def go(home: Home, kind: str, since_ns: int, until_ns: int = 0, by: str = "gateway") -> None:
    """Nobody is at home from now on; replaces what was known."""
    home.away = Away(kind, since_ns, until_ns, by, said_ns=since_ns if until_ns else 0)
    home.said = home.away if until_ns and kind in _SAID else None
    _forget(home)


def come(home: Home, at_ns: int) -> Away | None:
    """Somebody is at home again; what it was before. Silence is counted from here. A person who says so means it."""
    was, home.away = home.away, None
    if was is not None:
        home.timers["evidence.from"] = max(at_ns, home.timers.get("evidence.from", 0))
        today = home.today
        if today is not None and at_ns > was.since_ns:
            today.away_s += (at_ns - max(was.since_ns, today.from_ns)) / 1e9
            routine.held(today, "away", was.since_ns, at_ns)
            if was.kind in (OUT, PRESSED):
                today.out_s = max(today.out_s, (at_ns - was.since_ns) / 1e9)
    _forget(home)
    return was


def returned(home: Home, at_ns: int) -> None:
    """A person says that the elder is back: nothing that was said of a longer absence holds any more."""
    come(home, at_ns)
    home.said = None


def door(home: Home, at_ns: int, opened: bool) -> bool:
    """An outer door was opened or closed; whether somebody came home by it."""
    timers = home.timers
    if not opened:
        timers["away.closed"] = at_ns
        if "away.back" not in timers and home.away is None:
            timers["away.shut"] = at_ns
            home.notes.pop(_HALL, None)
        return False
    shut_ns = timers.pop("away.shut", None)
    if home.away is not None:
        if home.away.kind in _SAID or (home.away.kind == PRESSED and at_ns - home.away.since_ns < _LEAVING_NS):
            return False
        come(home, at_ns)
        timers["away.back"] = at_ns
        return True
    back_ns = timers.get("away.back")
    if back_ns is not None and at_ns - back_ns >= _BAGS_NS:
        del timers["away.back"]  # only looked in
    elif back_ns is None and shut_ns is not None and at_ns - shut_ns >= _ERRAND_NS:
        timers["away.back"] = at_ns  # went to the dustbin: nobody moved inside since the door was closed
    return False


def between_doors(home: Home, from_ns: int) -> bool:
    """Whether a silence that an outer door ends began as it was closed: seen from its end, nobody was at home."""
    closed_ns = home.timers.get("away.closed", 0)
    return closed_ns > 0 and abs(from_ns - closed_ns) <= 2 * _TAIL_NS


def room(home: Home, at_ns: int, source: str = "", begins: bool = False) -> None:
    """Something happened inside, be it only a blip: whoever closed the door is not behind it.

    Args:
        source, begins: the sensor, and whether it begins to see somebody. Who leaves may still be seen by the one in the hall;
            a second one that begins soon after the door was closed sees somebody who came in.
    """
    timers = home.timers
    if "away.shut" in timers:
        hall = home.notes.setdefault(_HALL, source) if begins else source
        if hall != source or at_ns - timers["away.shut"] > _TAIL_NS:
            del timers["away.shut"]
    if "away.back" in timers and at_ns > timers["away.back"]:
        del timers["away.back"]


def life(home: Home, at_ns: int, before_ns: int) -> bool:
    """Life beyond doubt inside, the last one at `before_ns`; whether an absence ended by it."""
    away = home.away
    if away is None or at_ns <= away.since_ns + _TAIL_NS:
        return False
    if away.kind in _SAID:
        if at_ns - max(before_ns, away.since_ns) >= _GONE_NS:
            home.timers["away.early"] = at_ns
        early_ns = home.timers.get("away.early", at_ns)
        if at_ns - early_ns < _STAYS_NS:
            return False
        come(home, at_ns)
        return True
    if away.kind == PRESSED and at_ns - away.since_ns < _LEAVING_NS:
        return False
    come(home, at_ns)
    return True


def advance(home: Home, now_ns: int) -> bool:
    """What follows from time alone; whether something changed."""
    away = home.away
    if away is not None:
        if away.until_ns and now_ns >= away.until_ns:
            come(home, away.until_ns)
            return True
        return False
    shut_ns = home.timers.get("away.shut")
    if shut_ns is None or now_ns - shut_ns < OUT_AFTER_NS:
        return False
    said = home.said
    go(home, OUT, shut_ns)
    if said is not None and not dates.is_over(said, now_ns):
        home.away = home.said = replace(said, kind=DAUGHTER, since_ns=shut_ns, by="gateway")
    return True


def _forget(home: Home) -> None:
    for name in ("away.shut", "away.back", "away.early"):
        home.timers.pop(name, None)
