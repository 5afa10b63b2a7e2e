"""The visits of a place: which tap belongs to which slot, and what is said where there is none."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_gateway.errors import Rejected
from edge_gateway.events import TimeQuality
from edge_gateway.visits import corrections, days, plan
from edge_gateway.visits.judge import Rules
from edge_gateway.visits.records import (
    DONE,
    Card,
    CardKind,
    CardRole,
    Correction,
    Evidence,
    Grade,
    JudgedTap,
    Judgement,
    Outage,
    Plan,
    PlanException,
    Reason,
    Ruling,
    Slot,
    State,
    Tap,
    Visit,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
S = 1_000_000_000
MIN = 60 * S
DAY = 86_400 * S
MIDNIGHT = 1_763_222_400 * S  # 2025-11-16 00:00 in Shanghai, a Sunday
PLACE = "wutong-3"
LUNCH = Plan("lunch", "futian", PLACE, person="p1", courier="k-1")
EVENING = MIDNIGHT + 20 * 3600 * S
LAST_HOUR = MIDNIGHT + 2 * DAY


def clock(text: str, day: int = 0) -> int:
    hour, minute, *second = (int(part) for part in text.split(":"))
    return MIDNIGHT + day * DAY + (hour * 3600 + minute * 60 + sum(second)) * S


def card(holder: str, role: CardRole = CardRole.COURIER) -> Card:
    return Card(f"c-{holder}", "futian", CardKind.NTAG424, role, holder)


def tapped(
    at: str | int,
    who: str = "k-1",
    role: CardRole = CardRole.COURIER,
    ruling: Ruling = Ruling.COUNTED,
    reasons: tuple[Reason, ...] = (),
    seq: int = 0,
    **more: Any,
) -> JudgedTap:
    time_ns = clock(at) if isinstance(at, str) else at
    fields: dict[str, Any] = {"received_ns": time_ns + S, "clock": "ntp", "time_quality": 0, "error_s": 0.2} | more
    tap = Tap(
        site="futian",
        device="rr-1",
        place=PLACE,
        boot=1,
        seq=seq or time_ns // S,
        time_ns=time_ns,
        proof="sun",
        text="",
        **fields,
    )
    evidence = Evidence(Grade.STRONG, card(who, role), "04", time_ns // S) if who else Evidence(Grade.WEAK, None, "99")
    return JudgedTap(tap, evidence, Judgement(ruling, evidence.grade, reasons))


def slots(*plans: Plan, first: str = "2025-11-16", last: str = "2025-11-16", off: Sequence[PlanException] = ()) -> list[Slot]:
    return plan.slots(plans, off, (), SHANGHAI, first, last)


def derive(expected: Sequence[Slot], *taps: JudgedTap, now: int = LAST_HOUR, **more: Any) -> list[Visit]:
    options: dict[str, Any] = {"outages": (), "corrections": (), "elsewhere": (), "has_reader": True} | more
    away, said = options.pop("outages"), options.pop("corrections")
    return days.derive("futian", PLACE, expected, taps, away, said, now, Rules(), zone=SHANGHAI, **options)


def one(found: list[Visit]) -> Visit:
    assert len(found) == 1, found
    return found[0]


def test_a_tap_in_the_window_is_a_visit_with_its_six_elements() -> None:
    visit = one(derive(slots(LUNCH), tapped("11:20")))
    six = (visit.service, visit.person, visit.date, visit.place, visit.courier, visit.start_ns)
    assert six == ("meal", "p1", "2025-11-16", PLACE, "k-1", clock("11:20"))
    assert (visit.id, visit.state, visit.grade, visit.counted, visit.reviewing) == (
        "lunch/2025-11-16",
        State.ON_TIME,
        Grade.STRONG,
        True,
        False,
    )
    assert (visit.reasons, visit.late_s, visit.end_ns, visit.by) == ((), 0, None, "gateway")


@pytest.mark.parametrize(
    ("at", "state", "late_s"),
    [
        ("10:10", State.EARLY, -3000),
        ("10:59:59", State.ON_TIME, 0),
        ("11:00", State.ON_TIME, 0),
        ("12:00", State.ON_TIME, 0),
        ("12:05", State.LATE, 300),
        ("14:59", State.LATE, 10740),
        ("15:05", State.UNPLANNED, 0),
        ("09:55", State.UNPLANNED, 0),
    ],
)
def test_early_late_and_not_meant(at: str, state: State, late_s: int) -> None:
    visit = next(visit for visit in derive(slots(LUNCH), tapped(at)) if visit.taps)
    assert (visit.state, visit.late_s, visit.counted) == (state, late_s, True)
    assert visit.reviewing is (state is State.UNPLANNED)


def test_a_clock_that_may_be_the_reason_makes_nobody_late() -> None:
    expected = slots(LUNCH)
    assert one(derive(expected, tapped("12:05", error_s=200.0))).state is State.ON_TIME
    assert one(derive(expected, tapped("12:05", error_s=30.0))).state is State.LATE
    assert one(derive(expected, tapped("10:58", error_s=200.0, received_ns=clock("11:30")))).state is State.ON_TIME


def test_nobody_can_have_tapped_after_the_tap_arrived() -> None:
    early = tapped("10:30", error_s=3000.0, received_ns=clock("10:31"))
    assert one(derive(slots(LUNCH), early)).state is State.EARLY


def test_a_tap_of_a_reader_without_time_is_counted_and_looked_at() -> None:
    lost = tapped("16:30", error_s=None, clock="none", time_quality=TimeQuality.RECEIPT, received_ns=clock("16:30"))
    visit = one(derive(slots(LUNCH), lost))
    assert (visit.state, visit.counted, visit.reviewing) == (State.ON_TIME, True, True)
    assert visit.reasons == (Reason.CLOCK_UNSYNCED,)


def test_taps_without_time_that_arrive_together_are_not_one_stop() -> None:
    dinner = msgspec.structs.replace(LUNCH, id="dinner", opens_min=1020, closes_min=1080)
    nothing: dict[str, Any] = {
        "error_s": None,
        "clock": "none",
        "time_quality": TimeQuality.RECEIPT,
        "received_ns": clock("22:00"),
    }
    found = derive(slots(LUNCH, dinner), tapped("22:00", seq=1, **nothing), tapped("22:00", seq=2, **nothing))
    assert [(visit.slot, visit.state) for visit in found] == [
        ("lunch/2025-11-16", State.ON_TIME),
        ("dinner/2025-11-16", State.ON_TIME),
    ]


def test_two_peoples_meals_at_one_door_need_one_tap() -> None:
    second = msgspec.structs.replace(LUNCH, id="lunch2", person="p2", opens_min=690, closes_min=750)
    found = derive(slots(LUNCH, second), tapped("12:10"))
    assert [(visit.person, visit.state) for visit in found] == [("p1", State.LATE), ("p2", State.ON_TIME)]
    assert found[0].taps == found[1].taps


def test_two_lines_for_one_home_without_names_are_both_served() -> None:
    home = msgspec.structs.replace(LUNCH, person="")
    found = derive(slots(home, msgspec.structs.replace(home, id="lunch2")), tapped("11:30"))
    assert [visit.state for visit in found] == [State.ON_TIME, State.ON_TIME]


def test_a_double_tap_is_one_visit_and_both_taps_are_kept() -> None:
    visit = one(derive(slots(LUNCH), tapped("11:20"), tapped("11:20:40"), tapped("11:40")))
    assert visit.start_ns == clock("11:20")
    assert len(visit.taps) == 3


def test_of_a_late_lunch_and_an_early_dinner_a_tap_is_the_nearer() -> None:
    lunch = msgspec.structs.replace(LUNCH, late_min=600)
    dinner = msgspec.structs.replace(LUNCH, id="dinner", opens_min=1020, closes_min=1080, early_min=600)
    found = derive(slots(lunch, dinner), tapped("15:00"))
    assert [(visit.slot[:5], visit.state) for visit in found] == [("lunch", State.MISSED), ("dinne", State.EARLY)]


def test_a_service_that_needs_an_end_takes_the_second_tap_as_one() -> None:
    bath = Plan("bath", "futian", PLACE, "p1", "bath", opens_min=840, closes_min=900, ends=True)
    visit = one(derive(slots(bath), tapped("14:00"), tapped("14:01"), tapped("14:45"), tapped("15:30")))
    assert (visit.start_ns, visit.end_ns, len(visit.taps)) == (clock("14:00"), clock("14:45"), 4)
    assert one(derive(slots(bath), tapped("14:00"), tapped("14:02"))).end_ns is None


def test_a_services_tag_after_the_card_names_the_service() -> None:
    meal = Plan("meal", "futian", PLACE, "p1", "meal", opens_min=840, closes_min=960)
    bath = Plan("bath", "futian", PLACE, "p1", "bath", opens_min=840, closes_min=960, ends=True)
    tag = tapped("14:01", "bath", CardRole.SERVICE)
    found = derive(slots(meal, bath), tapped("14:00"), tag, tapped("14:50"))
    states = {visit.service: visit for visit in found}
    assert states["meal"].state is State.MISSED  # the tap that ends the bath is no meal
    assert (states["bath"].taps[1], states["bath"].end_ns) == (tag.tap.id, clock("14:50"))


def test_a_service_named_that_nobody_planned_is_a_visit_of_its_own() -> None:
    found = derive(
        slots(LUNCH), tapped("11:00"), tapped("11:01", "bath", CardRole.SERVICE), tapped("11:01:30", "meal", CardRole.SERVICE)
    )
    assert [(visit.service, visit.state) for visit in found] == [("meal", State.ON_TIME), ("bath", State.UNPLANNED)]
    assert found[1].start_ns == clock("11:00")


def test_a_services_tag_without_a_card_is_not_lost() -> None:
    visit = one(derive(slots(LUNCH), tapped("11:20", "meal", CardRole.SERVICE)))
    assert (visit.state, visit.courier, visit.reviewing, visit.counted) == (State.ON_TIME, "", True, True)
    assert visit.reasons == (Reason.CARD_FORGOTTEN,)


def test_a_substitute_is_named_and_not_suspected() -> None:
    visit = one(derive(slots(LUNCH), tapped("11:20", "k-2")))
    assert (visit.courier, visit.reasons, visit.reviewing) == ("k-2", (Reason.SUBSTITUTE,), False)


def test_a_member_of_staff_who_was_there_then_is_asked_whether_he_brought_it() -> None:
    for courier, reasons in (("k-1", (Reason.SUBSTITUTE,)), ("", ())):
        expected = slots(msgspec.structs.replace(LUNCH, courier=courier))
        visit = one(derive(expected, tapped("11:20", "s-1", CardRole.STAFF)))
        assert (visit.courier, visit.counted, visit.reviewing, visit.reasons) == ("s-1", True, True, reasons)
    named = slots(msgspec.structs.replace(LUNCH, courier="s-1"))
    assert one(derive(named, tapped("11:20", "s-1", CardRole.STAFF))).reviewing is False


def test_who_has_his_own_to_do_here_hides_nobody_who_was_forgotten() -> None:
    second = msgspec.structs.replace(LUNCH, id="lunch2", person="p2", courier="k-2")
    states = {visit.person: visit.state for visit in derive(slots(LUNCH, second), tapped("11:20"))}
    assert states == {"p1": State.ON_TIME, "p2": State.MISSED}


def test_a_substitute_for_one_of_two_absent_couriers_is_asked_for_whom() -> None:
    second = msgspec.structs.replace(LUNCH, id="lunch2", person="p2", courier="k-2")
    found = derive(slots(LUNCH, second), tapped("11:20", "k-3"))
    assert [(visit.state, visit.reviewing) for visit in found] == [(State.ON_TIME, True)] * 2
    later = derive(slots(LUNCH, second), tapped("11:20", "k-3"), tapped("11:40", "k-2"))
    assert [(visit.courier, visit.reviewing) for visit in later] == [("k-3", False), ("k-2", False)]


def test_when_the_planned_courier_comes_after_all_the_visit_is_his() -> None:
    found = derive(slots(LUNCH), tapped("11:10", "k-2"), tapped("11:40"))
    assert [(visit.courier, visit.state) for visit in found] == [("k-1", State.ON_TIME), ("k-2", State.UNPLANNED)]


def test_a_line_for_anybody_goes_to_who_came_for_nothing_else() -> None:
    bath = Plan("bath", "futian", PLACE, "p1", "bath", opens_min=660, closes_min=720, courier="nurse")
    meal = msgspec.structs.replace(LUNCH, courier="")
    found = {
        visit.service: visit.courier for visit in derive(slots(meal, bath), tapped("11:05", "nurse"), tapped("11:40", "k-1"))
    }
    assert found == {"bath": "nurse", "meal": "k-1"}


def test_an_unknown_card_serves_only_what_no_courier_served() -> None:
    strange = tapped("11:10", "", ruling=Ruling.REVIEW, reasons=(Reason.UNKNOWN_CARD,))
    alone = one(derive(slots(LUNCH), strange))
    assert (alone.state, alone.courier, alone.reviewing, alone.reasons) == (State.ON_TIME, "", True, (Reason.UNKNOWN_CARD,))
    both = derive(slots(LUNCH), strange, tapped("11:40"))
    assert sorted((visit.courier, visit.state) for visit in both) == [("", State.UNPLANNED), ("k-1", State.ON_TIME)]


def test_a_refused_tap_makes_no_visit_and_a_repeated_or_elders_one_none_either() -> None:
    refused = tapped("11:10", ruling=Ruling.REFUSED, reasons=(Reason.REPLAY,))
    repeated = tapped("11:11", ruling=Ruling.REPEATED)
    assert one(derive(slots(LUNCH), refused, repeated, tapped("11:12", "p1", CardRole.ELDER))).state is State.MISSED


def test_a_courier_who_was_to_be_at_another_door_then_is_at_the_wrong_one() -> None:
    other = plan.slots([msgspec.structs.replace(LUNCH, id="x", place="wutong-5")], (), (), SHANGHAI, "2025-11-16", "2025-11-16")
    visit = one(derive([], tapped("11:20"), elsewhere=other))
    assert (visit.state, visit.reviewing, visit.counted, visit.reasons) == (
        State.WRONG_PLACE,
        True,
        True,
        (Reason.WRONG_PLACE,),
    )
    assert one(derive([], tapped("16:20"), elsewhere=other)).state is State.UNPLANNED
    assert one(derive([], tapped("11:20", "k-2"), elsewhere=other)).state is State.UNPLANNED


def test_where_nobody_knows_the_place_it_is_not_the_wrong_one() -> None:
    somewhere = tapped("11:20")
    somewhere = msgspec.structs.replace(somewhere, tap=msgspec.structs.replace(somewhere.tap, place="", device="carried-1"))
    found = days.derive(
        "futian", "", [], [somewhere], (), (), LAST_HOUR, Rules(), zone=SHANGHAI, has_reader=False, elsewhere=slots(LUNCH)
    )
    assert (one(found).state, one(found).counted, one(found).reviewing) == (State.UNPLANNED, True, True)


def test_who_has_been_at_every_door_that_expected_him_is_at_no_wrong_one() -> None:
    lines = [msgspec.structs.replace(LUNCH, id=name, place=place) for name, place in (("x", "wutong-5"), ("y", "wutong-7"))]
    other = plan.slots(lines, (), (), SHANGHAI, "2025-11-16", "2025-11-16")

    def state(*been: tuple[str, str, int]) -> State:
        return one(derive([], tapped("11:20"), elsewhere=days.owed(other, been))).state

    at_5, at_7 = ("k-1", "wutong-5", clock("11:10")), ("k-1", "wutong-7", clock("11:40"))
    assert state() is state(at_5) is state(at_7) is State.WRONG_PLACE
    assert state(at_5, at_7) is state(at_7, at_5) is State.UNPLANNED
    assert state(at_5, ("k-2", "wutong-7", clock("11:40"))) is State.WRONG_PLACE  # somebody else was there
    assert state(at_5, ("k-1", "wutong-7", clock("19:40"))) is State.WRONG_PLACE  # much later


def test_two_unplanned_taps_within_the_hour_are_one_visit_with_an_end() -> None:
    visit = one(derive([], tapped("16:00"), tapped("16:40")))
    assert (visit.start_ns, visit.end_ns, visit.date) == (clock("16:00"), clock("16:40"), "2025-11-16")
    assert len(derive([], tapped("16:00"), tapped("17:40"))) == 2


def test_a_visit_is_planned_until_its_grace_is_over_and_missed_then() -> None:
    assert one(derive(slots(LUNCH), now=clock("12:29:59"))).state is State.PLANNED
    visit = one(derive(slots(LUNCH), now=clock("12:30")))
    assert (visit.state, visit.counted, visit.reviewing, visit.courier) == (State.MISSED, False, False, "k-1")


def test_a_tap_that_comes_when_it_was_missed_already_makes_it_late() -> None:
    assert one(derive(slots(LUNCH), tapped("13:00"), now=clock("13:01"))).state is State.LATE


def test_a_late_sync_keeps_the_time_of_the_tap_and_says_so() -> None:
    visit = one(derive(slots(LUNCH), tapped("11:20", received_ns=clock("19:00"))))
    assert (visit.state, visit.start_ns, visit.reasons, visit.reviewing) == (
        State.ON_TIME,
        clock("11:20"),
        (Reason.SYNCED_LATE,),
        False,
    )


def gone(cause: str, start: str, end: str | None, synced: bool = False, place: str = PLACE) -> Outage:
    return Outage("futian", "rr-1", place, clock(start), None if end is None else clock(end), cause, synced)


@pytest.mark.parametrize(
    ("outage", "state", "reasons"),
    [
        (gone("reader_offline", "11:30", None), State.UNKNOWN, (Reason.READER_OFFLINE,)),
        (gone("reader_offline", "09:00", "10:00"), State.UNKNOWN, (Reason.READER_OFFLINE,)),
        (gone("reader_offline", "12:29", "18:00"), State.UNKNOWN, (Reason.READER_OFFLINE,)),
        (gone("reader_offline", "11:00", "18:00", synced=True), State.MISSED, ()),
        (gone("gateway_down", "11:00", "18:00", synced=True), State.MISSED, ()),
        (gone("gateway_down", "11:00", "18:00"), State.UNKNOWN, (Reason.GATEWAY_DOWN,)),
        (gone("reader_dead", "11:00", "11:10", synced=True), State.UNKNOWN, (Reason.READER_DEAD,)),
        (gone("reader_dead", "09:00", "09:59"), State.MISSED, ()),
        (gone("reader_dead", "12:31", None), State.MISSED, ()),
        (gone("reader_dead", "11:00", "12:00", place="wutong-5"), State.MISSED, ()),
    ],
)
def test_nobody_missed_a_visit_that_could_not_be_seen(outage: Outage, state: State, reasons: tuple[Reason, ...]) -> None:
    visit = one(derive(slots(LUNCH), outages=[outage]))
    assert (visit.state, visit.reasons, visit.counted) == (state, reasons, False)


def test_a_reader_not_heard_since_the_visit_was_due_has_missed_nothing_yet() -> None:
    expected, now = slots(LUNCH), clock("12:31")
    assert one(derive(expected, now=now, heard_ns=clock("12:29"))).state is State.PLANNED
    assert one(derive(expected, now=now, heard_ns=clock("12:30:30"))).state is State.MISSED
    assert (
        one(derive(expected, now=now, heard_ns=clock("12:29"), outages=[gone("reader_offline", "12:29", None)])).state
        is State.UNKNOWN
    )


def test_where_no_reader_is_nobody_knows() -> None:
    assert one(derive(slots(LUNCH), has_reader=False)).reasons == (Reason.NO_READER,)
    assert one(derive(slots(LUNCH), has_reader=False, now=clock("12:00"))).state is State.PLANNED
    assert one(derive(slots(LUNCH), tapped("11:20"), has_reader=False)).state is State.ON_TIME


def test_a_cancelled_visit_is_neither_missed_nor_served() -> None:
    off = slots(LUNCH, off=[PlanException("e", "futian", "2025-11-16", "cancelled", plan="lunch", reason="在女儿家")])
    assert (one(derive(off)).state, one(derive(off)).comment) == (State.CANCELLED, "在女儿家")
    assert {visit.state for visit in derive(off, tapped("11:20"))} == {State.CANCELLED, State.UNPLANNED}


def said(action: str, reason: str = "checked", n: int = 1, visit: str = "lunch/2025-11-16", **changes: Any) -> Correction:
    return Correction(n, visit, clock("18:00") + n, action, "s-1", reason, changes)


def test_a_visit_by_a_number_alone_is_counted_and_looked_at() -> None:
    strong = tapped("11:20")
    weak = msgspec.structs.replace(strong, judgement=Judgement(Ruling.COUNTED, Grade.WEAK))
    visit = one(derive(slots(LUNCH), weak))
    assert (visit.counted, visit.reviewing, visit.reasons) == (True, True, (Reason.WEAKER_PROOF,))
    assert one(derive(slots(LUNCH), weak, corrections=[said("approve")])).reviewing is False
    # A better proof at the same stop is proof enough.
    better = msgspec.structs.replace(tapped("11:21"), judgement=Judgement(Ruling.COUNTED, Grade.MEDIUM))
    assert one(derive(slots(LUNCH), weak, better)).reviewing is False


def test_what_a_person_said_last_decides_and_a_machine_deducts_nothing() -> None:
    doubt = tapped("11:20", ruling=Ruling.REVIEW, reasons=(Reason.COUNTER_GAP,))
    before = one(derive(slots(LUNCH), doubt))
    assert (before.counted, before.reviewing, before.by) == (True, True, "gateway")
    for words, counted, reviewing in (
        ([said("approve")], True, False),
        ([said("decline")], False, False),
        ([said("decline"), said("object", "我去了", 2)], False, True),
        ([said("decline"), said("object", "我去了", 2), said("approve", "seen", 3)], True, False),
        ([said("approve"), said("decline", "no", 2)], False, False),
        ([said("note", "called him")], True, True),
    ):
        for order in (words, words[::-1]):
            visit = one(derive(slots(LUNCH), doubt, corrections=order))
            assert (visit.counted, visit.reviewing) == (counted, reviewing), words
            assert (visit.by, visit.comment) == ("s-1", words[-1].reason)


def test_a_visit_without_a_tap_is_confirmed_by_a_person() -> None:
    visit = one(derive(slots(LUNCH), corrections=[said("confirm", "card_forgotten", start_ns=clock("11:15"), courier="k-2")]))
    assert (visit.state, visit.counted, visit.courier, visit.start_ns) == (State.ON_TIME, True, "k-2", clock("11:15"))
    assert visit.reasons == (Reason.VISIT_WITHOUT_TAP, Reason.CARD_FORGOTTEN)
    assert visit.grade is Grade.NONE


def test_a_doubtful_tap_that_comes_after_the_decision_asks_for_another() -> None:
    late = tapped("11:40", ruling=Ruling.REVIEW, reasons=(Reason.BURST,), received_ns=clock("19:00"))
    visit = one(derive(slots(LUNCH), tapped("11:20"), late, corrections=[said("approve")]))
    assert visit.reviewing


@pytest.mark.parametrize(
    "word",
    [said("decline"), said("change", state="missed"), said("change", counted=False)],
    ids=["decline", "state", "counted"],
)
def test_a_tap_that_comes_after_a_visit_was_declined_without_it_is_put_before_a_person(word: Correction) -> None:
    before = one(derive(slots(LUNCH), corrections=[word]))
    assert (before.counted, before.reviewing) == (False, False)
    waited = tapped("11:20", received_ns=clock("19:00"))  # in a reader that was offline
    after = one(derive(slots(LUNCH), waited, corrections=[word]))
    assert (after.counted, after.reviewing) == (False, True)
    seen = msgspec.structs.replace(said("decline", "not his", 2), at_ns=clock("19:30"))
    for words in ([word, seen], [seen, word]):
        assert one(derive(slots(LUNCH), waited, corrections=words)).reviewing is False
    here = tapped("11:20", received_ns=clock("11:20:05"))
    assert one(derive(slots(LUNCH), here, corrections=[word])).reviewing is False


def test_a_visit_that_a_person_says_took_place_counts_also_when_he_only_changes_its_state() -> None:
    visit = one(derive(slots(LUNCH), corrections=[said("change", state="on_time")]))
    assert (visit.state, visit.counted) == (State.ON_TIME, True)
    assert one(derive(slots(LUNCH), corrections=[said("change", state="on_time", counted=False)])).counted is False
    # Of a declined one only the state was wrong.
    words = [said("decline"), said("change", n=2, state="late")]
    visit = one(derive(slots(LUNCH), tapped("11:20"), corrections=words))
    assert (visit.state, visit.counted) == (State.LATE, False)


def test_a_correction_of_an_unplanned_visit_follows_its_tap() -> None:
    first, second = tapped("16:00"), tapped("16:01")
    about = said("decline", visit=second.tap.id)
    assert one(derive([], second, corrections=[about])).counted is False
    assert one(derive([], first, second, corrections=[about])).counted is False  # an earlier tap came and named it anew


@pytest.mark.parametrize(
    ("action", "reason", "changes", "told"),
    [
        ("erase", "x", {}, "action is 'erase'"),
        ("approve", "", {}, "reason is missing"),
        ("approve", "x" * 501, {}, "at most 500"),
        ("approve", "x", {"counted": True}, "approve changes no fields"),
        ("change", "x", {}, "change names no field"),
        ("change", "x", {"state": "lost"}, "state cannot be 'lost'"),
        ("change", "x", {"start_ns": True}, "start_ns cannot be"),
        ("change", "x", {"start_ns": 10**30}, "start_ns cannot be"),
        ("change", "x", {"id": "other"}, "id cannot be"),
        ("change", "x", {"person": "王伟"}, "person cannot be"),
    ],
)
def test_a_correction_that_cannot_be_applied_is_refused_with_what_was_seen(
    action: str, reason: str, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(Rejected, match="bad_correction") as caught:
        corrections.check(action, reason, changes)
    assert told in str(caught.value)


def test_a_change_of_a_strange_field_from_an_old_file_stops_no_day() -> None:
    visit = one(
        derive(slots(LUNCH), tapped("11:20"), corrections=[said("change", "x", state="lost", person="p9", colour="red")])
    )
    assert (visit.state, visit.person) == (State.ON_TIME, "p9")
    assert one(derive(slots(LUNCH), tapped("11:20"), corrections=[said("change", "x", state="missed")])).counted is False


# ---- whatever comes in which order -------------------------------------------------------------------------------------------

WEEK = [
    LUNCH,
    msgspec.structs.replace(LUNCH, id="lunch2", person="p2", courier="k-2", opens_min=690, closes_min=750),
    msgspec.structs.replace(LUNCH, id="dinner", opens_min=1020, closes_min=1080, courier=""),
    Plan("bath", "futian", PLACE, "p1", "bath", (1, 3, 5, 7), 840, 900, ends=True, courier="nurse"),
    Plan("call", "futian", PLACE, "p2", "call", (1, 2, 3, 4, 5, 6, 7), 1380, 1470, courier=""),
]
FIRST = date(2025, 11, 13)
DATES = [(FIRST + timedelta(n)).isoformat() for n in range(7)]

moments = st.builds(
    lambda day, minute, second: clock("00:00", day - 3) + minute * MIN + second * S,
    st.integers(1, 5),
    st.integers(0, 1439),
    st.integers(0, 59),
)
people = st.sampled_from(
    [
        ("k-1", CardRole.COURIER),
        ("k-2", CardRole.COURIER),
        ("nurse", CardRole.COURIER),
        ("s-1", CardRole.STAFF),
        ("", CardRole.COURIER),
    ]
)
tags = st.sampled_from(
    [("bath", CardRole.SERVICE), ("meal", CardRole.SERVICE), (PLACE, CardRole.PLACE), ("p1", CardRole.ELDER)]
)
rulings = st.sampled_from([Ruling.COUNTED] * 6 + [Ruling.REVIEW] * 2 + [Ruling.REFUSED, Ruling.REPEATED])
clocks = st.sampled_from([("ntp", 0, 0.2)] * 5 + [("rtc", 4, 90.0), ("rtc", 0, 4_000.0), ("none", 1, None)])


@st.composite
def tap_lists(draw: st.DrawFn, vague: bool = True) -> list[JudgedTap]:
    found: list[JudgedTap] = []
    for seq in range(1, draw(st.integers(0, 14)) + 1):
        at = draw(moments)
        if found and draw(st.booleans()):
            at = found[-1].tap.time_ns + draw(st.integers(0, 400)) * S
        who, role = draw(st.one_of(people, people, tags))
        kind, quality, error_s = draw(clocks)
        if vague and draw(st.integers(0, 9)) == 0:
            kind, quality, error_s = "none", 2, None
        if not vague and error_s == 4_000.0:
            error_s = 40.0
        ruling = draw(rulings)
        reasons = () if ruling is Ruling.COUNTED else (Reason.COUNTER_GAP,)
        late_s = 0 if quality == 2 else draw(st.sampled_from([1, 1, 900, 90_000]))
        found.append(
            tapped(
                at,
                who,
                role,
                ruling,
                reasons,
                seq,
                clock=kind,
                time_quality=quality,
                error_s=error_s,
                received_ns=at + late_s * S,
            )
        )
    return found


@settings(max_examples=150, deadline=None)
@given(tap_lists(), st.randoms(use_true_random=False))
def test_the_order_in_which_taps_arrive_changes_nothing_and_none_is_lost(taps: list[JudgedTap], chance: Any) -> None:
    expected = plan.slots(WEEK, (), (), SHANGHAI, DATES[0], DATES[-1])
    found = derive(expected, *taps, now=clock("12:00", 1))
    shuffled, mixed = taps[:], expected[:]
    chance.shuffle(shuffled)
    chance.shuffle(mixed)
    assert derive(mixed, *shuffled, *taps[:3], now=clock("12:00", 1)) == found

    assert sorted(visit.slot for visit in found if visit.slot) == sorted(slot.id for slot in expected)
    assert len({visit.id for visit in found}) == len(found)
    held = {
        one.tap.id
        for one in taps
        if one.judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW) and _role(one) is not CardRole.ELDER
    }
    in_visits = Counter(name for visit in found for name in visit.taps)
    assert set(in_visits) == held
    # A tap in several visits served several people who expected it then, or has a service's name in each.
    for name in (name for name, count in in_visits.items() if count > 1):
        assert sum(1 for visit in found if name in visit.taps and not visit.slot and not visit.service) <= 1
    for visit in found:
        assert visit.counted is (visit.state in DONE) is bool(visit.taps)
        assert visit.start_ns is None or visit.end_ns is None or visit.end_ns > visit.start_ns


def _role(one: JudgedTap) -> CardRole | None:
    return one.evidence.card.role if one.evidence.card else None


@settings(max_examples=100, deadline=None)
@given(tap_lists(vague=False))
def test_days_derived_one_by_one_are_those_derived_at_once(taps: list[JudgedTap]) -> None:
    whole = derive(plan.slots(WEEK, (), (), SHANGHAI, DATES[0], DATES[-1]), *taps, now=clock("12:00", 1))
    single: list[Visit] = []
    for number in range(1, 6):
        day = FIRST + timedelta(number)
        first, last = (day - timedelta(1)).isoformat(), (day + timedelta(1)).isoformat()
        near = [one for one in taps if first <= days._local_date(one.tap.time_ns, SHANGHAI) <= last]
        found = derive(plan.slots(WEEK, (), (), SHANGHAI, first, last), *near, now=clock("12:00", 1))
        single += [visit for visit in found if visit.date == day.isoformat()]
    inner = [visit for visit in whole if DATES[1] <= visit.date <= DATES[5]]
    assert sorted(single, key=lambda visit: visit.id) == sorted(inner, key=lambda visit: visit.id)
