"""Taps at a reader that is carried about: they were where the tag of a door was that it read within minutes of them. Pure."""

from collections.abc import Iterable
from typing import Final

from edge_gateway.events import TimeQuality
from edge_gateway.visits.judge import Rules
from edge_gateway.visits.records import PHONE, CardRole, JudgedTap, Ruling, Tap

_S: Final = 1_000_000_000
_HELD: Final = frozenset({Ruling.COUNTED, Ruling.REVIEW})


def is_carried(tap: Tap) -> bool:
    """Whether its reader has no place of its own."""
    return not tap.place and tap.device != PHONE


def is_door(one: JudgedTap) -> bool:
    """Whether it says where a carried reader was."""
    card = one.evidence.card
    return is_carried(one.tap) and card is not None and card.role is CardRole.PLACE


def _asks(one: JudgedTap) -> bool:
    """Whether a tag beside it says where it was: a person's card, a service's tag, a card nobody knows."""
    card = one.evidence.card
    role = card.role if card is not None else None
    return is_carried(one.tap) and one.judgement.ruling in _HELD and role not in (CardRole.PLACE, CardRole.ELDER)


def nearest_door(one: JudgedTap, near: Iterable[JudgedTap], rules: Rules) -> str:
    """The place of the tag that the same reader read nearest in time; "" when there is none within `service_s`."""
    if not _asks(one) or one.tap.time_quality == TimeQuality.RECEIPT:
        return ""
    best: tuple[int, int, str] | None = None
    place = ""
    for door in near:
        apart_ns = abs(door.tap.time_ns - one.tap.time_ns)
        known = door.tap.time_quality != TimeQuality.RECEIPT and door.judgement.ruling in _HELD
        if not (is_door(door) and known and door.tap.device == one.tap.device and apart_ns <= rules.service_s * _S):
            continue
        key = (apart_ns, door.tap.time_ns, door.tap.id)
        if best is None or key < best:
            best, place = key, door.place
    return place
