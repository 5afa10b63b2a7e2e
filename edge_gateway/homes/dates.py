"""An end that a person wrote down is a date, and stays one when the gateway's clock is set right; pure.

Unless it was written by a clock that was ahead: then the home would be unwatched until that time comes, and the end is as far
away as it was meant to be. A clock that is behind for a moment looks the same, so what was written is kept, and holds again
once the clock is past the moment in which it was written. Of a `Pause` and an `Away`:

    until_ns   the end that holds
    said_ns    when the end was written down, by the clock of then; it moves with no jump. 0 (older files): at `since_ns`
    date_ns    the end as it was written, while `until_ns` is another; else 0
"""

from typing import TypeVar

from msgspec.structs import replace

from edge_gateway.homes.home import Away, Pause

Said = TypeVar("Said", Pause, Away)


def mended(said: Said, now_ns: int) -> Said:
    """What it is for a clock that may have been set, or for a gateway that was started again."""
    since_ns, said_ns = min(said.since_ns, now_ns), said.said_ns or said.since_ns
    if not said.until_ns:
        return replace(said, since_ns=since_ns)
    date_ns = said.date_ns or said.until_ns
    if said_ns <= now_ns:
        return replace(said, since_ns=since_ns, until_ns=date_ns, said_ns=said_ns, date_ns=0)
    # The smaller: each start of the gateway would else begin it anew.
    until_ns = min(said.until_ns, now_ns + date_ns - said_ns)
    return replace(said, since_ns=since_ns, until_ns=until_ns, said_ns=said_ns, date_ns=date_ns)


def is_over(said: Pause | Away, now_ns: int) -> bool:
    """Whether its end has come; one without an end is not over."""
    return 0 < said.until_ns <= now_ns


def settled(pause: Pause) -> Pause:
    """Of one that is over: it ended when it ended, and what was written does not begin it again a year later."""
    return replace(pause, said_ns=pause.since_ns, date_ns=0) if pause.date_ns else pause
