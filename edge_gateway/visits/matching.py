"""Which stop serves which slots of a place: one stop serves everybody there who expects it then."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from edge_gateway.visits.records import Slot
from edge_gateway.visits.stops import Stop

# A clock that may be this wrong does not tell one meal from the next.
VAGUE_NS: Final = 1_800_000_000_000


class Match:
    """What serves what.

    Attributes:
        by_slot: slot id -> its stops by time; the first one is the visit's start.
        spare: stops, or services named at a stop, that no slot expects: (stop, service or "").
        guessed: ids of slots that were found for a stop without a usable time.
        shared: ids of slots of several absent couriers that one substitute may have served.
    """

    def __init__(self, slots: Sequence[Slot], stops: Sequence[Stop]) -> None:
        self.by_slot: dict[str, list[Stop]] = defaultdict(list)
        self.guessed: set[str] = set()
        self.shared: set[str] = set()
        self._slots = [slot for slot in slots if not slot.cancelled]
        self._served: dict[int, set[str]] = defaultdict(set)  # position of the stop -> services it served
        self._ending: set[int] = set()  # positions of stops that only end what was begun
        self._open = [self._candidates(stop) for stop in stops]
        # Who is expected by name, then who may be anybody; of these first those who came for nothing else.
        for at, stop in enumerate(stops):
            if stop.courier:
                self._own(at, stop, by_name=True)
        named = set(self._served)
        for at, stop in sorted(enumerate(stops), key=lambda pair: (pair[0] in named, pair[0])):
            if stop.courier and at not in self._ending:
                self._own(at, stop, by_name=False)
        for at, stop in enumerate(stops):
            if stop.courier and at not in self._ending:
                self._substitute(at, stop)
        for at, stop in enumerate(stops):
            if not stop.courier:
                self._stranger(at, stop)
        for at, stop in enumerate(stops):
            if at not in self._served and stop.uncertainty_ns >= VAGUE_NS:
                self._vague(at, stop)
        for found in self.by_slot.values():
            found.sort(key=lambda stop: stop.key)
        self.spare = [(stop, service) for at, stop in enumerate(stops) for service in self._left(at, stop)]

    def _left(self, at: int, stop: Stop) -> list[str]:
        if not stop.services:
            return [] if at in self._served else [""]
        return [service for service in stop.services if service not in self._served[at]]

    def _candidates(self, stop: Stop) -> list[Slot]:
        """The slots a stop may serve: of each person and service those that are open, or else the nearest."""
        alike: dict[tuple[str, str], list[Slot]] = defaultdict(list)
        slack_ns = min(stop.uncertainty_ns, VAGUE_NS)
        early_ns, late_ns = stop.time_ns - slack_ns, stop.taps[-1].tap.time_ns + slack_ns
        for slot in self._slots:
            named = not stop.services or slot.plan.service in stop.services
            if named and early_ns <= slot.to_ns and late_ns >= slot.from_ns:
                alike[slot.plan.person, slot.plan.service].append(slot)
        found: list[Slot] = []
        for slots in alike.values():
            nearest_ns = min(_distance_ns(stop, slot) for slot in slots)
            at_it = [slot for slot in slots if _distance_ns(stop, slot) == nearest_ns]
            found += at_it if nearest_ns == 0 else at_it[:1]
        return found

    def _free(self, slot: Slot, stop: Stop) -> bool:
        """Nobody serves it, or this same person does."""
        found = self.by_slot.get(slot.id)
        return not found or found[0].who == stop.who

    def _serve(self, at: int, stop: Stop, slot: Slot) -> None:
        self.by_slot[slot.id].append(stop)
        self._served[at].add(slot.plan.service)

    def _own(self, at: int, stop: Stop, by_name: bool) -> None:
        who = stop.courier if by_name else ""
        own = [slot for slot in self._open[at] if slot.plan.courier == who and self._free(slot, stop)]
        if not stop.services and (ended := [slot for slot in own if self._ends(slot)]):
            own = ended
            self._ending.add(at)
        for slot in own:
            self._serve(at, stop, slot)

    def _ends(self, slot: Slot) -> bool:
        """Whether the next tap ends it: its service was named at its start, so a tap without a name is about nothing else."""
        found = self.by_slot.get(slot.id, [])
        return slot.plan.ends and len(found) == 1 and slot.plan.service in found[0].services

    def _substitute(self, at: int, stop: Stop) -> None:
        """Who has nothing of his own to do here stands in for a courier who did not come. If several did not, a person has to
        say for whom: a tap must not hide that somebody was forgotten."""
        if at in self._served:
            return
        absent = [slot for slot in self._open[at] if slot.plan.courier not in (stop.courier, "") and self._free(slot, stop)]
        if len({slot.plan.courier for slot in absent}) > 1:
            self.shared.update(slot.id for slot in absent)
        for slot in absent:
            self._serve(at, stop, slot)

    def _stranger(self, at: int, stop: Stop) -> None:
        for slot in self._open[at]:
            if self._free(slot, stop):
                self._serve(at, stop, slot)

    def _vague(self, at: int, stop: Stop) -> None:
        """The last slot before its arrival that nobody served."""
        fitting = [
            slot
            for slot in self._slots
            if slot.id not in self.by_slot
            and (not stop.services or slot.plan.service in stop.services)
            and (not stop.courier or slot.plan.courier in (stop.courier, ""))
            and stop.earliest_ns <= slot.to_ns
            and stop.latest_ns >= slot.from_ns
        ]
        if not fitting:
            return
        last = max(fitting, key=lambda slot: (slot.opens_ns, slot.id))
        for slot in fitting:
            if slot.opens_ns == last.opens_ns and slot.plan.service == last.plan.service:
                self.guessed.add(slot.id)
                self._serve(at, stop, slot)


def _distance_ns(stop: Stop, slot: Slot) -> int:
    """From the stop to the window; 0 inside."""
    return max(slot.opens_ns - stop.taps[-1].tap.time_ns, stop.time_ns - slot.closes_ns, 0)
