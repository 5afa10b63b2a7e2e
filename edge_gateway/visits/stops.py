"""A stop: the taps one courier made at one place within minutes, with the tags of services that he tapped beside his card."""

from collections.abc import Iterable, Sequence
from typing import Final

from edge_gateway.events import TimeQuality
from edge_gateway.visits.carried import is_carried, is_door
from edge_gateway.visits.judge import Rules, uncertainty_ns
from edge_gateway.visits.records import CardRole, JudgedTap, Ruling, Tap

_S: Final = 1_000_000_000
_HELD: Final = frozenset({Ruling.COUNTED, Ruling.REVIEW})


class Stop:
    """One stop of one person; made by `stops` and not changed afterwards.

    Attributes:
        who: the courier, or what else tells this person's taps from others'.
        courier: "" when nobody knows.
        taps: of the person's card, by time, and of the tag at the door that a carried reader read beside it; of a stop at
            which only a service's tag was tapped, of that.
        services: service -> its tags' taps.
    """

    __slots__ = ("courier", "first", "services", "taps", "time_ns", "uncertainty_ns", "who")

    def __init__(self, who: str, courier: str, first: JudgedTap, rules: Rules) -> None:
        self.who = who
        self.courier = courier
        self.first = first
        self.taps = [first]
        self.services: dict[str, list[JudgedTap]] = {}
        self.time_ns = first.tap.time_ns
        self.uncertainty_ns = uncertainty_ns(first.tap, rules)

    @property
    def key(self) -> tuple[int, str]:
        """Order of stops: by time, and for ever the same."""
        return self.time_ns, self.first.tap.id

    @property
    def earliest_ns(self) -> int:
        return self.time_ns - self.uncertainty_ns

    @property
    def latest_ns(self) -> int:
        """Nobody taps after the tap has arrived; a clock ahead of the gateway's keeps its word."""
        return max(self.time_ns, min(self.time_ns + self.uncertainty_ns, self.first.tap.received_ns))


def stops(taps: Iterable[JudgedTap], rules: Rules) -> list[Stop]:
    """The stops of one place, by time. Taps that are refused or repeated make none, nor do the elders' cards."""
    held = {one.tap.id: one for one in taps if one.judgement.ruling in _HELD and _role(one) is not CardRole.ELDER}
    in_order = sorted(held.values(), key=lambda one: (one.tap.time_ns, one.tap.id))
    found = _of_people([one for one in in_order if _role(one) is not CardRole.SERVICE], rules)
    lonely: list[JudgedTap] = []
    for tag in (one for one in in_order if _role(one) is CardRole.SERVICE):
        stop = _named_by(tag, found, rules)
        if stop is None:
            lonely.append(tag)
        else:
            stop.services.setdefault(_holder(tag), []).append(tag)
    found += _of_tags(lonely, rules)
    return sorted(found, key=lambda stop: stop.key)


def _of_people(taps: Sequence[JudgedTap], rules: Rules) -> list[Stop]:
    found: list[Stop] = []
    last: dict[str, Stop] = {}
    for one in taps:
        person = _beside(one, taps, rules) if is_door(one) else one
        card = person.evidence.card
        who = person.courier or (card.id if card is not None else person.evidence.uid) or person.tap.id
        stop = last.get(who)
        if stop is not None and _together(stop, one, rules):
            stop.taps.append(one)
            continue
        last[who] = Stop(who, person.courier, one, rules)
        found.append(last[who])
    return found


def _beside(door: JudgedTap, taps: Sequence[JudgedTap], rules: Rules) -> JudgedTap:
    """The card that was shown nearest to a tag at a door, at the reader that read both: it says who was there, before the
    registry does. The tag itself when there is none."""
    best: tuple[int, int, str] | None = None
    person = door
    for one in taps:
        apart_ns = abs(one.tap.time_ns - door.tap.time_ns)
        if one.tap.device != door.tap.device or is_door(one) or apart_ns > rules.service_s * _S:
            continue
        key = (apart_ns, one.tap.time_ns, one.tap.id)
        if best is None or key < best:
            best, person = key, one
    return person


def _of_tags(tags: Sequence[JudgedTap], rules: Rules) -> list[Stop]:
    """Stops at which a service was named and nobody's card was shown."""
    found: list[Stop] = []
    last: dict[str, Stop] = {}
    for tag in tags:
        service = _holder(tag)
        stop = last.get(service)
        if stop is not None and _together(stop, tag, rules):
            stop.taps.append(tag)
            continue
        last[service] = stop = Stop(f"service {service}", tag.courier, tag, rules)
        stop.services[service] = []
        found.append(stop)
    return found


def _together(stop: Stop, one: JudgedTap, rules: Rules) -> bool:
    if _has_no_time(one) and _has_no_time(stop.first):  # all that waited in a reader arrives at one moment
        return False
    return one.tap.time_ns - stop.time_ns <= rules.fold_s * _S


def _has_no_time(one: JudgedTap) -> bool:
    return one.tap.time_quality == TimeQuality.RECEIPT and one.tap.time_ns >= one.tap.received_ns


def _named_by(tag: JudgedTap, found: Sequence[Stop], rules: Rules) -> Stop | None:
    """The stop of the last card shown shortly before a service's tag; at a carried reader else of the next one after it."""
    best: tuple[bool, int, str] | None = None
    named: Stop | None = None
    for stop in found:
        for one in stop.taps:
            ago_ns = tag.tap.time_ns - one.tap.time_ns
            later = ago_ns < 0
            if abs(ago_ns) > rules.service_s * _S or (later and not _at_one_carried(tag.tap, one.tap)):
                continue
            key = (not later, -one.tap.time_ns if later else one.tap.time_ns, one.tap.id)
            if best is None or key > best:
                best, named = key, stop
    return named


def _at_one_carried(one: Tap, other: Tap) -> bool:
    return is_carried(one) and one.device == other.device


def _role(one: JudgedTap) -> CardRole | None:
    return one.evidence.card.role if one.evidence.card is not None else None


def _holder(one: JudgedTap) -> str:
    return one.evidence.card.holder if one.evidence.card is not None else ""
