"""The words of a visit: tap, card, plan, slot, visit, correction. Plain records that every part of visits passes on.

All times are integer nanoseconds since 1970 UTC; a `date` is the local date of the site, `2026-11-21`. Persons, cards and
places are pseudonyms; who is behind them is in the sealed map only. Structs are array-like: fields are only added at the end.
"""

from enum import StrEnum
from typing import Final

import msgspec

PHONE: Final = "phone"  # `Tap.device` of what a phone sent
GATEWAY: Final = "gateway"  # `by` of what no person did


class Grade(StrEnum):
    """How good the proof of a tap is, best first."""

    STRONG = "strong"  # the card was there at that time: live authentication, or a one-time code at a fixed reader
    MEDIUM = "medium"  # a one-time code of a tag that others can reach (wall tag, phone), or counter and signature
    WEAK = "weak"  # a number anybody can copy
    NONE = "none"  # nothing that holds


class Ruling(StrEnum):
    """What becomes of one tap. None of them loses it."""

    COUNTED = "counted"
    REVIEW = "review"  # counted, and a person looks at it
    REFUSED = "refused"  # an attack by its own proof (wrong code, replay): kept, shown, never a visit by itself
    REPEATED = "repeated"  # the same tap once more


class Reason(StrEnum):
    """Why a tap or visit is what it is. Words for people: `words.py`."""

    # refused
    BAD_CODE = "bad_code"  # our card's number, but the code is wrong
    REPLAY = "replay"  # this card's counter was used by another tap
    NOT_OUR_CARD = "not_our_card"  # the text decrypts to nothing
    # review: the card
    UNKNOWN_CARD = "unknown_card"
    REVOKED_CARD = "revoked_card"
    WEAKER_PROOF = "weaker_proof"  # only a number: of a card that can do better, or of one that was enrolled for no more
    CLONED_CARD = "cloned_card"  # the counter stands where it stood, or went back
    COUNTER_OUT_OF_ORDER = "counter_out_of_order"  # counters and times of this card's taps disagree
    COUNTER_GAP = "counter_gap"
    BURST = "burst"  # many readings of one card within minutes
    TWO_PLACES = "two_places"  # at two places faster than anybody can walk
    SLOW_ANSWER = "slow_answer"  # the card answered the live question as late as one that is far away
    CARD_UNREADABLE = "card_unreadable"
    # review: the time and the place
    CLOCK_UNSYNCED = "clock_unsynced"
    WRONG_PLACE = "wrong_place"
    LOCATION_UNVERIFIED = "location_unverified"
    UNPLANNED = "unplanned"
    # told, not reviewed
    EARLY = "early"
    LATE = "late"
    SUBSTITUTE = "substitute"  # another courier than planned
    SYNCED_LATE = "synced_late"  # the reader was offline; the time is that of the tap
    # why there is no tap
    READER_OFFLINE = "reader_offline"
    READER_DEAD = "reader_dead"
    GATEWAY_DOWN = "gateway_down"
    NO_READER = "no_reader"
    CARD_FORGOTTEN = "card_forgotten"
    VISIT_WITHOUT_TAP = "visit_without_tap"  # a person confirmed it
    ELDER_ABSENT = "elder_absent"
    OBJECTION = "objection"
    TAP_CAME_LATER = "tap_came_later"  # of a visit that a courier missed: it may stand twice now


class State(StrEnum):
    """Where a visit stands."""

    PLANNED = "planned"  # its window, or the grace after it, is not over
    ON_TIME = "on_time"
    EARLY = "early"
    LATE = "late"
    WRONG_PLACE = "wrong_place"
    UNPLANNED = "unplanned"
    MISSED = "missed"  # the reader was alive all the time, and nobody tapped
    UNKNOWN = "unknown"  # nobody can say: the reader was away
    CANCELLED = "cancelled"  # by an exception of the plan


DONE: Final = frozenset({State.ON_TIME, State.EARLY, State.LATE, State.WRONG_PLACE, State.UNPLANNED})


class Tap(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One tap as it came from a reader, a counter or a phone; never changed afterwards.

    Attributes:
        site, device, place: of the reader, by the registry at the time of receipt; place "" for a carried reader.
        boot, seq: with site and device its identity.
        time_ns, clock, time_quality, error_s: as in `events.Event`.
        proof: what kind of evidence the reader says it is: sun, counter_signature, uid, or "".
        text: what the card gave (docs/contract.md). Local to the gateway: it may hold a card's number.
        mass_g: grams on the scale beside the reader.  calibration: its id.
        lat, lon, accuracy_m: where a phone said it was, once, at check-in.
        courier: whom the phone's personal link or the registry's entry of a carried reader names; "" for a fixed reader.
    """

    site: str
    device: str
    place: str
    boot: int
    seq: int
    time_ns: int
    received_ns: int
    clock: str
    time_quality: int
    error_s: float | None
    proof: str
    text: str
    mass_g: float | None = None
    calibration: str | None = None
    lat: float | None = None
    lon: float | None = None
    accuracy_m: float | None = None
    courier: str = ""

    @property
    def id(self) -> str:
        """`site/device/boot/seq`."""
        return f"{self.site}/{self.device}/{self.boot}/{self.seq}"


class CardKind(StrEnum):
    """What a card can prove."""

    NTAG424 = "ntag424"  # SUN with AES
    NTAG424_LRP = "ntag424_lrp"
    NTAG21X = "ntag21x"  # counter and the maker's signature
    UID = "uid"


class CardRole(StrEnum):
    """Whose card it is; decides what a tap of it means."""

    COURIER = "courier"  # holder: a courier
    PLACE = "place"  # holder: a place; a tag at the door
    SERVICE = "service"  # holder: a service such as `bath`; tapped after the courier's card it names the service
    STAFF = "staff"  # holder: a member of staff; an audit tap burns all lower counters
    ELDER = "elder"  # holder: the elder, at the counter of a canteen


class Card(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One enrolled card. Its number and keys are sealed elsewhere.

    Attributes:
        id: random pseudonym, `c-7f3a9k`.  holder: see `CardRole`.
        key_version: of the keys on the card now; taps under the version before are still read while it is being changed.
        revoked_ns: from then on its taps go to review; None: it is good.
        reason: why it was revoked.
    """

    id: str
    site: str
    kind: CardKind
    role: CardRole
    holder: str
    key_version: int = 1
    enrolled_ns: int = 0
    revoked_ns: int | None = None
    reason: str = ""


class Evidence(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the proof of one tap is worth by arithmetic alone; nothing of history yet.

    Attributes:
        card: the enrolled card, if it is one.  uid: its number as lower-case hex, for who may see it; "" unknown.
        counter: SDMReadCtr or NFC counter; None: it shows none.
        live: the card also answered a fresh question (EV2).
        problem: BAD_CODE, NOT_OUR_CARD, UNKNOWN_CARD, WEAKER_PROOF, CARD_UNREADABLE; None: good.
    """

    grade: Grade
    card: Card | None = None
    uid: str = ""
    counter: int | None = None
    live: bool = False
    problem: Reason | None = None


class TapFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is remembered of an earlier tap of a card, to judge the next one by.

    Attributes:
        uncertainty_ns: how wrong `time_ns` may be, one side (`judge.uncertainty_ns`).
    """

    tap: str
    site: str
    device: str
    place: str
    boot: int
    seq: int
    counter: int | None
    time_ns: int
    uncertainty_ns: int


class Judgement(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one tap.

    Attributes:
        suspects: earlier taps (ids) that this one puts into review too, with `reasons`.
        same: REPEATED or a replay: the tap it repeats.
    """

    ruling: Ruling
    grade: Grade
    reasons: tuple[Reason, ...] = ()
    suspects: tuple[str, ...] = ()
    same: str = ""


class JudgedTap(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A tap with everything that matching needs.

    Attributes:
        door: place of the tag that the same carried reader read within minutes of it (`carried.py`).
    """

    tap: Tap
    evidence: Evidence
    judgement: Judgement
    door: str = ""

    @property
    def courier(self) -> str:
        """Who tapped; "" when nobody knows."""
        card = self.evidence.card
        return card.holder if card is not None and card.role in (CardRole.COURIER, CardRole.STAFF) else self.tap.courier

    @property
    def place(self) -> str:
        """Where it was: the reader's place, else that of the tag at the door or beside it; "" when nobody knows."""
        card = self.evidence.card
        if self.tap.place or card is None or card.role is not CardRole.PLACE:
            return self.tap.place or self.door
        return card.holder


class Plan(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line of the plan: who is to be visited when, for what.

    Attributes:
        id: `[a-z0-9_-]{1,48}`, unique in the site.
        person: the elder; "" stands for whoever lives at the place.
        service: meal, bath, call, or another word of the site.
        weekdays: ISO numbers, 1 Monday .. 7 Sunday.
        opens_min, closes_min: minutes of the local day; closes after midnight: more than 1440.
        grace_min: after `closes` before it counts as missed.
        early_min, late_min: how far outside the window a tap still belongs to it.
        courier: who is to come; "" anybody.
        first, last: local dates, inclusive; last "" for ever.
        holidays: `as_usual`, `none` (not on holidays) or `only`.
        ends: the service needs a second tap as its end.
    """

    id: str
    site: str
    place: str
    person: str = ""
    service: str = "meal"
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    opens_min: int = 660
    closes_min: int = 720
    grace_min: int = 30
    early_min: int = 60
    late_min: int = 180
    courier: str = ""
    first: str = "2000-01-01"
    last: str = ""
    holidays: str = "as_usual"
    ends: bool = False


class PlanException(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One day that is different.

    Attributes:
        plan, place, person: what it is about; "" is any; at least one is set.
        kind: `cancelled`, or `moved` to opens_min, closes_min.
    """

    id: str
    site: str
    date: str
    kind: str
    plan: str = ""
    place: str = ""
    person: str = ""
    opens_min: int = 0
    closes_min: int = 0
    reason: str = ""


class Slot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One visit that is expected: a line of the plan on one date.

    Attributes:
        id: `<plan>/<date>`, unique in the site.
        from_ns, to_ns: taps between belong to it.  due_ns: closes and grace: after it, missed or unknown.
        cancelled: by an exception.
    """

    id: str
    plan: Plan
    date: str
    opens_ns: int
    closes_ns: int
    from_ns: int
    to_ns: int
    due_ns: int
    cancelled: str = ""


class Outage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A time in which a reader could not be heard.

    Attributes:
        place: of the reader; "" for a carried one.
        to_ns: None: it lasts.
        cause: `reader_offline` (it went on recording: same boot afterwards), `reader_dead` (it was off) or `gateway_down`.
        synced: everything that it recorded in this time is here by now.
    """

    site: str
    device: str
    place: str
    from_ns: int
    to_ns: int | None
    cause: str
    synced: bool = False


class Correction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a person said about a visit; the newest decides, all are kept.

    Attributes:
        n: its number in the chain.
        action: `approve`, `decline`, `confirm` (it took place without a tap), `change`, `object` (by the courier), `note`.
        by: id of the person.  reason: a `Reason` or own words.
        changes: for `change`: field of `Visit` -> new value (state, person, service, courier, start_ns, end_ns, counted).
    """

    n: int
    visit: str
    at_ns: int
    action: str
    by: str
    reason: str
    changes: dict[str, str | int | bool | None] = {}


class Visit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row of the ledger, with the six elements of electronic visit verification: service, person (at place), date, place,
    courier, start and end.

    Attributes:
        id: the slot's id, or the first tap's id when nothing was planned.
        slot: the slot's id or "".
        start_ns, end_ns: times of the taps, not of their arrival; None where there is none.
        reviewing: it waits for a person; it is counted all the same until a person declines.
        counted: it goes into the claim.
        reasons: in the order found.
        late_s: start after (positive) or before (negative) the window; 0 within.
        by: who changed it last: `gateway` or a person.
    """

    id: str
    site: str
    place: str
    person: str
    service: str
    date: str
    courier: str
    state: State
    slot: str = ""
    opens_ns: int = 0
    closes_ns: int = 0
    start_ns: int | None = None
    end_ns: int | None = None
    late_s: int = 0
    grade: Grade = Grade.NONE
    reviewing: bool = False
    counted: bool = False
    reasons: tuple[Reason, ...] = ()
    taps: tuple[str, ...] = ()
    received_ns: int = 0
    by: str = GATEWAY
    comment: str = ""


class Served(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A meal that was weighed at the counter: `holder` took it (a courier, or the elder himself).

    Attributes:
        place: of the counter.  date: local, of `time_ns`.
        mass_g: None: the card was held there, and the scale gave no weight; nobody knows whether it was a meal.
    """

    tap: str
    site: str
    place: str
    holder: str
    role: CardRole
    date: str
    time_ns: int
    mass_g: float | None
    calibration: str
    grade: Grade
    reviewing: bool = False
