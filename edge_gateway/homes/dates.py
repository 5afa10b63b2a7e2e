"""An end that a person wrote down is a date, and stays one when the gateway's clock is set right; pure.

Unless it was written by a clock that was ahead: then the home would be unwatched until that time comes, and the end is as far
away as it was meant to be. A clock that is behind for a moment looks the same, so what was written is kept, and holds again
if the clock then jumps past the moment in which it was written. Of a `Pause` and an `Away`:

    until_ns   the end that holds
    said_ns    when the end was written down, by the clock of then; it moves with no jump. 0 (older files): at `since_ns`
    date_ns    the end as it was written, while `until_ns` is another; else 0
"""

from typing import TypeVar

from msgspec.structs import replace

from edge_gateway.homes.home import Away, Pause

Said = TypeVar("Said", Pause, Away)


def mended(said: Said, now_ns: int, forward: bool = False) -> Said:
    """What it is for a clock that was set, or for a gateway that was started again.

    Args:
        forward: the clock jumped ahead while the gateway ran: only then it may have been behind before.
    """
    since_ns, said_ns = min(said.since_ns, now_ns), said.said_ns or said.since_ns
    if not said.until_ns:
        return replace(said, since_ns=since_ns)
    date_ns = said.date_ns or said.until_ns
    if said_ns > now_ns:
        # The smaller: each start of the gateway would else begin it anew.
        until_ns = min(said.until_ns, now_ns + date_ns - said_ns)
        return replace(said, since_ns=since_ns, until_ns=until_ns, said_ns=said_ns, date_ns=date_ns)
    if said.date_ns and forward:
        # A pause moves with no jump, so that it began at a time that never was.
        since_ns = said_ns if isinstance(said, Pause) else since_ns
        return replace(said, since_ns=since_ns, until_ns=date_ns, said_ns=said_ns, date_ns=0)
    return replace(said, since_ns=since_ns, said_ns=said_ns)


def settled(said: Said, now_ns: int) -> Said:
    """Once time has gone by the moment in which it was written, that clock was ahead: the date it wrote counts no more."""
    over = is_over(said, now_ns)
    return replace(said, said_ns=said.since_ns, date_ns=0) if said.date_ns and (over or said.said_ns <= now_ns) else said


def is_over(said: Pause | Away, now_ns: int) -> bool:
    """Whether its end has come; one without an end is not over."""
    return 0 < said.until_ns <= now_ns
