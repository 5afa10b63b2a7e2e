"""What becomes of one tap: counted, looked at by a person, refused, or the same once more. Never refused because it came late.

A code is refused when it is wrong, or when it surely is a copy of one that was used before. Everything else that does not fit
is counted and put before a person: a wrong clock gives the same signs as a thief.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from edge_gateway.events import TimeQuality
from edge_gateway.visits.records import (
    PHONE,
    Card,
    CardKind,
    CardRole,
    Evidence,
    Grade,
    Judgement,
    Reason,
    Ruling,
    Tap,
    TapFact,
)

_S: Final = 1_000_000_000
_EARTH_M: Final = 6_371_000.0
_REFUSED: Final = frozenset({Reason.BAD_CODE, Reason.NOT_OUR_CARD})
# Also a card that is enrolled for its number alone may show signature and counter.
_COUNTED_IN_CLEAR: Final = frozenset({CardKind.NTAG21X, CardKind.UID})
# Signs that speak against two taps, of which nobody can say which is the wrong one.
MUTUAL: Final = frozenset({Reason.REPLAY, Reason.CLONED_CARD, Reason.COUNTER_OUT_OF_ORDER, Reason.TWO_PLACES})
_CLOCK_S: Final = {"gnss": 1.0, "ntp": 2.0, "rtc": 120.0}


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of judging and matching; seconds unless named otherwise.

    Attributes:
        repeat_s: the same code from the same reader within this time is the same reading.
        travel_s: less between two places is faster than anybody walks.
        gap: so many counters may be missing between two taps (phones count too).
        burst, burst_s: more counters used within this time are a burst.
        neighbours: how many taps with lower and with higher counters are compared.
        clock_factor, clock_floor_s: a device's own estimate of its error is taken times this, and is never below that.
        repaired_s: how wrong a time computed from an uptime may be.
        receipt_s: how long before its receipt a tap without any time may have been.
        accuracy_m, near_m: a phone's position is one up to this accuracy, and at the place within this distance.
        phone_late_s: a phone that was offline for a round is believed where and when it was. Longer ago is only its word: codes
            collected at a tag on one day could be handed in for all days of a month.
        fold_s: taps of one courier at one place within this time are one stop.
        stay_s: taps of one courier within this time are one visit, where nothing was planned.
        service_s: a service's tag names the service of a tap that was at most so long before.
        synced_late_s: a tap that arrived later than this was kept by an offline reader.
    """

    repeat_s: float = 10.0
    travel_s: float = 60.0
    gap: int = 50
    burst: int = 6
    burst_s: float = 180.0
    neighbours: int = 8
    clock_factor: float = 2.0
    clock_floor_s: float = 1.0
    repaired_s: float = 120.0
    receipt_s: float = 86_400.0
    accuracy_m: float = 200.0
    near_m: float = 300.0
    phone_late_s: float = 43_200.0
    fold_s: float = 180.0
    stay_s: float = 3_600.0
    service_s: float = 120.0
    synced_late_s: float = 600.0


DEFAULT: Final = Rules()


class Past(Protocol):
    """What is remembered of a card's taps. Only taps that were counted or are under review are in it: not the refused, not the
    repeated. A reading at the desk (enrolment, audit) that burned the counters below it is a fact with `tap` ""."""

    def same(self, card: str, counter: int) -> TapFact | None:
        """The first tap accepted with this counter."""

    def lower(self, card: str, counter: int, limit: int) -> Sequence[TapFact]:
        """The taps with lower counters, the nearest counter first, at most `limit`."""

    def higher(self, card: str, counter: int, limit: int) -> Sequence[TapFact]:
        """The taps with higher counters, the nearest counter first, at most `limit`."""

    def recent(self, card: str, around_ns: int, within_ns: int) -> Sequence[TapFact]:
        """The taps whose `time_ns` is at most `within_ns` away."""

    def stream(self, card: str, site: str, device: str, boot: int, seq: int) -> tuple[TapFact | None, TapFact | None]:
        """The card's last tap before and first tap after `seq` in this boot of this device."""


def uncertainty_ns(tap: Tap, rules: Rules = DEFAULT) -> int:
    """How far the true moment of a tap may be from its `time_ns`, to one side; a time of receipt is only ever too late."""
    if tap.time_quality == TimeQuality.RECEIPT:
        return round(rules.receipt_s * _S)
    if tap.error_s is None or not math.isfinite(tap.error_s) or tap.error_s < 0:
        error_s = _CLOCK_S.get(tap.clock, 120.0)
    else:
        error_s = min(tap.error_s * rules.clock_factor, rules.receipt_s)
    if tap.time_quality == TimeQuality.REPAIRED:
        error_s = max(error_s, rules.repaired_s)
    return round(max(error_s, rules.clock_floor_s) * _S)


def fact(tap: Tap, evidence: Evidence, rules: Rules = DEFAULT) -> TapFact:
    """What to remember of a tap."""
    where = tap.site, tap.device, tap.place, tap.boot, tap.seq
    return TapFact(tap.id, *where, evidence.counter, tap.time_ns, uncertainty_ns(tap, rules))


def after_revocation(tap: Tap, card: Card, rules: Rules = DEFAULT) -> bool:
    """Whether a person has to look because the card is revoked: it was tapped or arrived after that, or may have been."""
    if card.revoked_ns is None:
        return False
    return max(tap.received_ns, tap.time_ns + uncertainty_ns(tap, rules)) >= card.revoked_ns


def judge(tap: Tap, evidence: Evidence, past: Past, rules: Rules = DEFAULT, at: tuple[float, float] | None = None) -> Judgement:
    """What becomes of this tap, by its proof and by what is remembered of its card.

    Args:
        at: latitude and longitude of the place, if they are known: what a phone's position is compared with.
    """
    if evidence.problem in _REFUSED:
        return Judgement(Ruling.REFUSED, Grade.NONE, (evidence.problem,))
    signs = _Signs(tap, evidence, rules)
    if evidence.problem is not None:
        signs.add(evidence.problem)
    card = evidence.card
    if card is not None:
        if after_revocation(tap, card, rules):
            signs.add(Reason.REVOKED_CARD)
        if (settled := _used_before(signs, card, past)) is not None:
            return settled
        _order(signs, card, past)
        _company(signs, card, past)
    if tap.time_quality == TimeQuality.RECEIPT:
        signs.add(Reason.CLOCK_UNSYNCED)
    if tap.device == PHONE and not _is_there(tap, rules, at):
        signs.add(Reason.LOCATION_UNVERIFIED)
    return signs.judgement()


def suspected(old: Judgement, by: Judgement) -> Judgement:
    """What the judgement of an earlier tap becomes that a later one, judged `by`, speaks against."""
    if old.ruling not in (Ruling.COUNTED, Ruling.REVIEW):
        return old
    reasons = dict.fromkeys((*old.reasons, *(reason for reason in by.reasons if reason in MUTUAL)))
    return msgspec.structs.replace(old, ruling=Ruling.REVIEW, reasons=tuple(reasons))


class _Signs:
    """What speaks against a tap, gathered in the order found."""

    def __init__(self, tap: Tap, evidence: Evidence, rules: Rules) -> None:
        self.tap = tap
        self.evidence = evidence
        self.rules = rules
        self.fact = fact(tap, evidence, rules)
        self._reasons: dict[Reason, None] = {}
        self._suspects: dict[str, None] = {}

    def add(self, reason: Reason, other: TapFact | None = None) -> None:
        """A sign, and the earlier tap it speaks against as well."""
        self._reasons[reason] = None
        if other is not None and other.tap:
            self._suspects[other.tap] = None

    def judgement(self) -> Judgement:
        ruling = Ruling.REVIEW if self._reasons else Ruling.COUNTED
        return Judgement(ruling, self.evidence.grade, tuple(self._reasons), tuple(self._suspects))


def _used_before(signs: _Signs, card: Card, past: Past) -> Judgement | None:
    """A counter is used once. None: it was not, or nobody can say which of the two is the copy."""
    counter, mine = signs.evidence.counter, signs.fact
    first = None if counter is None else past.same(card.id, counter)
    if first is None:
        return None
    same_reader = (first.site, first.device) == (mine.site, mine.device)
    if first.tap == mine.tap or (same_reader and abs(first.time_ns - mine.time_ns) <= signs.rules.repeat_s * _S):
        return Judgement(Ruling.REPEATED, signs.evidence.grade, same=first.tap)
    if card.kind in _COUNTED_IN_CLEAR:
        # Its counter is no secret: whoever copied the card counts as well, and may have been first.
        signs.add(Reason.CLONED_CARD, first)
        return None
    if _surely_later(mine, first):
        return Judgement(Ruling.REFUSED, Grade.NONE, (Reason.REPLAY,), same=first.tap)
    # A copy may be here before the tap of an offline reader that it was copied from.
    signs.add(Reason.REPLAY, first)
    return None


def _surely_later(mine: TapFact, first: TapFact) -> bool:
    """Whether `mine` is the copy. A phone's word about its time is no proof that it was first."""
    if mine.device == PHONE:
        return True
    if first.device == PHONE:
        return False
    if (first.site, first.device, first.boot) == (mine.site, mine.device, mine.boot):
        return mine.seq > first.seq
    return _before(first, mine)


def _order(signs: _Signs, card: Card, past: Past) -> None:
    """Counters rise in each reader's own stream, and with time across readers."""
    counter, mine, rules = signs.evidence.counter, signs.fact, signs.rules
    if counter is None:
        return
    earlier, later = past.stream(card.id, mine.site, mine.device, mine.boot, mine.seq)
    if earlier is not None and earlier.counter is not None and earlier.counter > counter:
        signs.add(Reason.CLONED_CARD, earlier)
    if later is not None and later.counter is not None and later.counter < counter:
        signs.add(Reason.CLONED_CARD, later)
    lower = past.lower(card.id, counter, rules.neighbours)
    higher = past.higher(card.id, counter, rules.neighbours)
    # Of each side only the nearest comes under suspicion with it: one wrong tap shall not put a week of good ones into review.
    if (found := next((one for one in lower if _before(mine, one)), None)) is not None:
        signs.add(Reason.COUNTER_OUT_OF_ORDER, found)
    if (found := next((one for one in higher if _before(one, mine)), None)) is not None:
        signs.add(Reason.COUNTER_OUT_OF_ORDER, found)
    if lower and lower[0].counter is not None and counter - lower[0].counter > rules.gap:
        signs.add(Reason.COUNTER_GAP)


def _before(one: TapFact, other: TapFact) -> bool:
    """Whether one tap was before another whatever their clocks did."""
    return one.time_ns + one.uncertainty_ns < other.time_ns - other.uncertainty_ns


def _company(signs: _Signs, card: Card, past: Past) -> None:
    """Many taps within minutes, or two places at once."""
    mine, rules = signs.fact, signs.rules
    window_ns = round(max(rules.burst_s, rules.travel_s) * _S)
    if mine.uncertainty_ns > window_ns:  # its neighbours in time are not its neighbours
        return
    around = [one for one in past.recent(card.id, mine.time_ns, window_ns) if one.uncertainty_ns <= window_ns]
    if _is_burst(around, mine, rules):
        signs.add(Reason.BURST)
    if card.role is CardRole.PLACE:  # it hangs at a door
        return
    for one in around:
        apart_ns = abs(one.time_ns - mine.time_ns) + one.uncertainty_ns + mine.uncertainty_ns
        other_place = bool(one.place and mine.place) and (one.site, one.place) != (mine.site, mine.place)
        if not other_place or apart_ns >= rules.travel_s * _S:
            continue
        # Anybody can show a card's number somewhere: that says nothing against the card itself, which also has a counter.
        if mine.counter is None:
            signs.add(Reason.TWO_PLACES, one if one.counter is None else None)
        elif one.counter is not None:
            signs.add(Reason.TWO_PLACES, one)


def _is_burst(around: Sequence[TapFact], mine: TapFact, rules: Rules) -> bool:
    """Whether any `burst_s` that holds this tap holds too many counters of its card."""
    if mine.counter is None:
        return False
    times = sorted({(one.counter, one.time_ns) for one in (*around, mine) if one.counter is not None}, key=lambda pair: pair[1])
    for start, (_, since_ns) in enumerate(times):
        within = [counter for counter, time_ns in times[start:] if time_ns - since_ns <= rules.burst_s * _S]
        held = since_ns <= mine.time_ns <= since_ns + rules.burst_s * _S
        if held and len(set(within)) > rules.burst:
            return True
    return False


def _is_there(tap: Tap, rules: Rules, at: tuple[float, float] | None) -> bool:
    """Whether a phone showed that it is at the place."""
    if tap.lat is None or tap.lon is None or tap.accuracy_m is None or at is None:
        return False
    if tap.received_ns - tap.time_ns > rules.phone_late_s * _S:
        return False
    return tap.accuracy_m <= rules.accuracy_m and _distance_m((tap.lat, tap.lon), at) <= rules.near_m + tap.accuracy_m


def _distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance (haversine)."""
    (lat1, lon1), (lat2, lon2) = ((math.radians(a), math.radians(b)) for a, b in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, half)))
