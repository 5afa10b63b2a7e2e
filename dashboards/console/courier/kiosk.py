"""Two taps of one card at the desk's reader open a courier's record for a short while. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from edge_gateway.visits.records import CardRole, Grade, JudgedTap, Reason, Ruling

BETWEEN_NS: Final = 10_000_000_000
SHOWN_NS: Final = 30_000_000_000
# A tap that comes from a reader's memory is of somebody who has left long ago; a clock may be this much off.
FRESH_NS: Final = 60_000_000_000
# What says that this may not be the courier himself.
_DOUBTS: Final = frozenset(
    {Reason.REVOKED_CARD, Reason.UNKNOWN_CARD, Reason.CLONED_CARD, Reason.WEAKER_PROOF, Reason.COUNTER_OUT_OF_ORDER}
)


@dataclass(frozen=True)
class Opened:
    """Whose record is shown.

    Attributes:
        key: the same as long as it is the same showing.
        proven: False: his card shows only a number that anybody can copy.
    """

    site: str
    courier: str
    key: str
    until_ns: int
    proven: bool


def opened(taps: Sequence[JudgedTap], now_ns: int) -> Opened | None:
    """The newest pair of taps of one courier's card, if it is not over. `taps`: of one reader, in any order."""
    ordered = sorted((tap for tap in taps if _counts(tap, now_ns)), key=lambda tap: (tap.tap.time_ns, tap.tap.seq))
    for first, second in reversed(list(pairwise(ordered))):
        until = max(first.tap.received_ns, second.tap.received_ns) + SHOWN_NS
        if _same_card(first, second) and second.tap.time_ns - first.tap.time_ns <= BETWEEN_NS and now_ns < until:
            proven = all(tap.evidence.grade in (Grade.STRONG, Grade.MEDIUM) for tap in (first, second))
            return Opened(second.tap.site, second.courier, f"{first.tap.id} {second.tap.id}", until, proven)
    return None


def _counts(tap: JudgedTap, now_ns: int) -> bool:
    card = tap.evidence.card
    return (
        card is not None
        and card.role is CardRole.COURIER
        and card.revoked_ns is None
        and tap.judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW)
        and not _DOUBTS.intersection(tap.judgement.reasons)
        and abs(now_ns - tap.tap.time_ns) <= FRESH_NS
    )


def _same_card(first: JudgedTap, second: JudgedTap) -> bool:
    """One card, read twice: not one reading that came twice."""
    if first.evidence.card is None or second.evidence.card is None or first.tap.id == second.tap.id:
        return False
    return first.evidence.card.id == second.evidence.card.id
