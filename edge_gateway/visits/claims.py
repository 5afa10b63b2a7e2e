"""A courier said that a visit is missing, and its tap came after all: both would be paid unless a person says so. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from edge_gateway.visits import corrections
from edge_gateway.visits.judge import Rules, uncertainty_ns
from edge_gateway.visits.records import GATEWAY, Correction, JudgedTap, Reason, Visit

_DECIDES: Final = frozenset({corrections.APPROVE, corrections.DECLINE, corrections.CONFIRM})


def looked_at(
    claim: Visit, said: Sequence[Correction], visits: Iterable[Visit], taps: Mapping[str, JudgedTap], rules: Rules
) -> Visit:
    """The claim, under review and not counted while a visit that came by tap since may be the same one.

    Nothing is taken away by that: the visit itself counts. Whoever decides anew sees both.

    Args:
        claim: after what was said about it.
        said: that, the courier's own word first.
        visits: of its place. taps: theirs by id.
    """
    decided = [one for one in said if one.action in _DECIDES or corrections.counts(one)]
    if decided and not claim.counted:
        return claim
    told_ns, decided_ns = said[0].at_ns, max(one.at_ns for one in (said[0], *decided))
    service = claim.service if any(one.changes.get("service") for one in said) else ""
    for visit in visits:
        own = [taps[name] for name in visit.taps if name in taps]
        if not own or visit.date != claim.date or not (_alike(visit.courier, claim.courier) and _alike(visit.service, service)):
            continue
        # What was tapped after he said so is not what he meant.
        before = any(one.tap.time_ns - uncertainty_ns(one.tap, rules) <= told_ns for one in own)
        if before and all(one.tap.received_ns > decided_ns for one in own):
            reasons = tuple(dict.fromkeys((*claim.reasons, Reason.TAP_CAME_LATER)))
            return replace(claim, reviewing=True, counted=False, reasons=reasons, by=GATEWAY)
    return claim


def _alike(one: str, other: str) -> bool:
    """The same, or one of them is not known."""
    return one == other or not (one and other)
