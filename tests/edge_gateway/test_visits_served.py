"""Meals that were served, handed over and claimed: what fits, what is tolerated, and what is named as a difference."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.visits.canteen import with_meals
from edge_gateway.visits.records import (
    Card,
    CardKind,
    CardRole,
    Evidence,
    Grade,
    JudgedTap,
    Judgement,
    Plan,
    Reason,
    Ruling,
    Served,
    Slot,
    State,
    Tap,
    Visit,
)
from edge_gateway.visits.served import (
    DayTotal,
    Mismatch,
    all_totals,
    canteen_visit,
    compare,
    difference_words,
    differences,
    served,
    totals,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
DATE = "2026-11-21"
NOON_NS = int(datetime(2026, 11, 21, 4, tzinfo=UTC).timestamp()) * 10**9  # 12:00 in Shanghai
MINUTE_NS = 60 * 10**9
NAMED = (Mismatch.NOT_HANDED_OVER, Mismatch.NEVER_SERVED, Mismatch.NOT_WEIGHED, Mismatch.CLAIMED_WITHOUT_EITHER)


def at(minutes: float) -> int:
    """So many minutes after noon."""
    return NOON_NS + round(minutes * MINUTE_NS)


def date_of(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, SHANGHAI).strftime("%Y-%m-%d")


def meal(minutes: float, holder: str = "w1", mass_g: float | None = 512.0, role: CardRole = CardRole.COURIER) -> Served:
    time_ns = at(minutes)
    tap = f"s1/counter-1/1/{time_ns // 10**6}-{holder}"
    return Served(tap, "s1", "canteen", holder, role, date_of(time_ns), time_ns, mass_g, "factory", Grade.STRONG)


def visit(minutes: float, place: str = "p1", courier: str = "w1", service: str = "meal", **more: Any) -> Visit:
    time_ns = at(minutes)
    identity = more.pop("id", f"{place}-{minutes}")
    given_ = {"state": State.ON_TIME, "start_ns": time_ns, "counted": True, "taps": (f"s1/r/1/{minutes}",), **more}
    given_.setdefault("date", date_of(time_ns))
    return Visit(id=identity, site="s1", place=place, person="", service=service, courier=courier, **given_)


def kinds(meals: list[Served], visits: list[Visit], date: str = DATE) -> list[Mismatch]:
    return [found.kind for found in compare(meals, visits, date, SHANGHAI)]


def day(meals: list[Served], visits: list[Visit], holder: str = "w1", date: str = DATE) -> DayTotal:
    return next(total for total in totals(meals, visits, date) if total.holder == holder)


def test_a_meal_that_was_handed_over_within_hours_is_no_difference() -> None:
    meals, visits = [meal(-60), meal(-59)], [visit(0, "p1"), visit(20, "p2")]
    assert kinds(meals, visits) == []
    assert day(meals, visits) == DayTotal(
        "s1", "w1", CardRole.COURIER, DATE, served=2, grams=1024.0, handed_over=2, claimed=2, **zero("served", "grams")
    )


def zero(*but: str) -> dict[str, int]:
    names = {"unweighed", "confirmed", "shared_meals", "shared_visits", "uncompared", *(kind.value for kind in NAMED)}
    return dict.fromkeys(names - set(but), 0)


def test_an_unplanned_tap_with_a_meal_on_the_way_brought_it_and_without_one_it_is_no_difference() -> None:
    unplanned = [visit(0, "p1", service="", state=State.UNPLANNED), visit(20, "p2", service="", state=State.UNPLANNED)]
    assert kinds([meal(-60)], unplanned) == []
    total = day([meal(-60)], unplanned)
    assert (total.served, total.handed_over, total.claimed, total.uncompared) == (1, 1, 1, 0)
    # A visit that is known to be of a meal comes before it.
    assert kinds([meal(-60)], [unplanned[0], visit(20, "p2")]) == []
    assert kinds([], unplanned) == []


def test_a_meal_nobody_handed_over_is_named_with_its_weight_and_place() -> None:
    [found] = compare([meal(-60), meal(-59)], [visit(0)], DATE, SHANGHAI)
    assert (found.kind, found.holder, found.mass_g, found.clock, found.place) == (
        Mismatch.NOT_HANDED_OVER,
        "w1",
        512.0,
        "11:01",
        "canteen",
    )
    assert difference_words(found, "en") == "w1 took a meal (512 g) at canteen, 11:01; no visit is recorded for it."
    assert difference_words(found, "zh-CN") == "w1 11:01 在 canteen 取餐 512 克, 还没有对应的送达记录。"


def test_a_visit_without_a_meal_is_named_and_says_whether_it_is_claimed() -> None:
    [found] = compare([meal(-60)], [visit(0), visit(30, "p2", counted=False)], DATE, SHANGHAI)
    assert (found.kind, found.visit, found.claimed, found.place) == (Mismatch.NEVER_SERVED, "p2-30", False, "p2")


def test_a_claim_with_neither_meal_nor_tap_is_named() -> None:
    confirmed = visit(30, "p2", taps=(), start_ns=None, closes_ns=at(60))
    assert kinds([meal(-60)], [visit(0), confirmed]) == [Mismatch.CLAIMED_WITHOUT_EITHER]


@pytest.mark.parametrize("closes_ns", [at(60), 0])
def test_a_meal_is_evidence_for_a_visit_that_a_person_confirmed(closes_ns: int) -> None:
    meals, visits = [meal(-60)], [visit(30, taps=(), start_ns=None, closes_ns=closes_ns)]
    assert kinds(meals, visits) == []
    assert (day(meals, visits).confirmed, day(meals, visits).handed_over) == (1, 0)


def test_two_meals_left_at_one_stop_under_one_tap_are_no_difference() -> None:
    other = visit(0, "p1", courier="", id="b/2026-11-21", slot="b/2026-11-21", state=State.MISSED, counted=False, taps=())
    meals = [meal(-60), meal(-59)]
    assert kinds(meals, [visit(0, "p1"), other]) == []
    assert day(meals, [visit(0, "p1"), other]).shared_meals == 1
    assert kinds(meals, [visit(0, "p1")]) == [Mismatch.NOT_HANDED_OVER]  # nobody else is planned there
    assert kinds([*meals, meal(-58)], [visit(0, "p1"), other]) == [Mismatch.NOT_HANDED_OVER]


def test_two_people_s_meals_weighed_at_once_are_no_difference_and_take_none_from_the_next_stop() -> None:
    visits = [visit(0, "p1", id="a"), visit(1, "p1", id="b"), visit(20, "p2")]
    meals = [meal(-60, mass_g=1030.0), meal(-59)]
    assert kinds(meals, visits) == []
    assert day(meals, visits).shared_visits == 1


def test_the_same_place_an_hour_later_is_another_stop() -> None:
    assert kinds([meal(-60)], [visit(0, "p1"), visit(60, "p1")]) == [Mismatch.NEVER_SERVED]


def test_a_meal_carried_over_midnight_belongs_to_the_day_it_was_served() -> None:
    late = 11 * 60 + 50  # 23:50
    meals, visits = [meal(late)], [visit(late + 30)]
    assert visits[0].date == "2026-11-22"
    assert kinds(meals, visits) == kinds(meals, visits, "2026-11-22") == []
    assert day(meals, visits).handed_over == 1
    assert totals(meals, visits, "2026-11-22") == []


def test_lunch_is_not_handed_over_at_supper() -> None:
    assert sorted(kinds([meal(-60)], [visit(330)])) == [Mismatch.NEVER_SERVED, Mismatch.NOT_HANDED_OVER]


def test_clocks_a_few_minutes_apart_are_no_difference_and_nobody_hands_over_before_that() -> None:
    assert kinds([meal(0)], [visit(-4)]) == []
    assert len(kinds([meal(0)], [visit(-10)])) == 2


def test_a_scale_that_gave_no_weight_explains_the_visit() -> None:
    meals, visits = [meal(-60, mass_g=None), meal(-59)], [visit(0), visit(20, "p2")]
    [found] = compare(meals, visits, DATE, SHANGHAI)
    assert found.kind is Mismatch.NOT_WEIGHED
    assert (day(meals, visits).served, day(meals, visits).unweighed, day(meals, visits).not_weighed) == (1, 1, 1)


def test_a_card_at_the_counter_without_weight_and_visit_is_only_counted() -> None:
    assert kinds([meal(-60, mass_g=None)], []) == []
    assert day([meal(-60, mass_g=None)], []).unweighed == 1


def test_a_day_without_a_counter_accuses_nobody() -> None:
    visits = [visit(0), visit(20, "p2"), visit(0, "p3", courier="w2")]
    [found] = compare([], visits, DATE, SHANGHAI)
    assert (found.kind, found.count, found.holder) == (Mismatch.COUNTER_SILENT, 3, "")
    assert "3 visits cannot be compared" in difference_words(found, "en")
    assert day([], visits).uncompared == 2


def test_each_courier_has_his_own_meals() -> None:
    found = compare([meal(-60, "w1"), meal(-60, "w2")], [visit(0, courier="w2"), visit(5, "p2", "w2")], DATE, SHANGHAI)
    assert [(one.kind, one.holder) for one in found] == [(Mismatch.NOT_HANDED_OVER, "w1"), (Mismatch.NEVER_SERVED, "w2")]


def test_other_services_are_not_meals() -> None:
    bath = Visit("x", "s1", "p9", "", "bath", DATE, "w1", State.ON_TIME, start_ns=at(5), counted=True, taps=("t",))
    assert kinds([meal(-60)], [visit(0), bath]) == []


def test_what_a_person_declined_is_handed_over_and_not_claimed() -> None:
    total = day([meal(-60)], [visit(0, counted=False)])
    assert (total.handed_over, total.claimed, total.never_served) == (1, 0, 0)


# --- at the counter ---


def judged(role: CardRole = CardRole.COURIER, ruling: Ruling = Ruling.COUNTED, mass_g: float | None = 480.5) -> JudgedTap:
    tap = Tap("s1", "counter-1", "canteen", 3, 7, at(-60), at(-59), "ntp", 0, 0.1, "sun", "picc_data=", mass_g, "factory/start")
    card = Card("c-1", "s1", CardKind.NTAG424, role, "h1")
    return JudgedTap(tap, Evidence(Grade.STRONG, card), Judgement(ruling, Grade.STRONG))


def test_a_judged_tap_with_a_weight_is_a_meal_served() -> None:
    found = served(judged(), SHANGHAI)
    assert found == Served(
        "s1/counter-1/3/7", "s1", "canteen", "h1", CardRole.COURIER, DATE, at(-60), 480.5, "factory/start", Grade.STRONG
    )


def test_a_tap_in_review_is_a_meal_and_a_refused_or_repeated_one_is_none() -> None:
    reviewed = served(judged(ruling=Ruling.REVIEW), SHANGHAI)
    assert reviewed is not None and reviewed.reviewing
    assert served(judged(ruling=Ruling.REFUSED), SHANGHAI) is None
    assert served(judged(ruling=Ruling.REPEATED), SHANGHAI) is None


@pytest.mark.parametrize("role", [CardRole.PLACE, CardRole.SERVICE])
def test_a_card_that_is_nobody_s_takes_no_meal(role: CardRole) -> None:
    assert served(judged(role), SHANGHAI) is None


def test_an_elder_at_the_counter_is_served_and_handed_over_at_once() -> None:
    found = served(judged(CardRole.ELDER), SHANGHAI)
    assert found is not None
    eaten = canteen_visit(found)
    assert eaten is not None
    assert (eaten.id, eaten.person, eaten.place, eaten.service, eaten.counted) == (found.tap, "h1", "canteen", "meal", True)
    assert kinds([found], [eaten]) == kinds([found], []) == []
    total = day([found], [eaten], "h1")
    assert (total.served, total.handed_over, total.claimed, total.role) == (1, 1, 1, CardRole.ELDER)


def test_an_elder_whose_meal_had_no_weight_is_asked_about_until_a_person_has_confirmed_it() -> None:
    found = served(judged(CardRole.ELDER, mass_g=None), SHANGHAI)
    assert found is not None and canteen_visit(found) is None
    assert kinds([found], []) == [Mismatch.NOT_WEIGHED]
    confirmed = Visit("x", "s1", "canteen", "h1", "meal", DATE, "", State.ON_TIME, counted=True)
    assert kinds([found], [confirmed]) == []


def slot(opens: float, closes: float, person: str = "h1", place: str = "canteen", service: str = "meal") -> Slot:
    plan = Plan(f"{person}-{service}", "s1", place, person, service)
    return Slot(f"{plan.id}/{DATE}", plan, DATE, at(opens), at(closes), at(opens - 60), at(closes + 180), at(closes + 30))


def waiting(of: Slot, state: State = State.MISSED, by: str = "gateway") -> Visit:
    plan = of.plan
    return Visit(of.id, "s1", plan.place, plan.person, plan.service, DATE, "", state, of.id, of.opens_ns, of.closes_ns, by=by)


@pytest.mark.parametrize(
    ("opens", "closes", "state", "late_s"),
    [(-70, 0, State.ON_TIME, 0), (-200, -70, State.LATE, 600), (-30, 0, State.EARLY, -1800)],
)
def test_an_elder_s_meal_within_the_time_of_his_plan_is_the_planned_visit(
    opens: float, closes: float, state: State, late_s: int
) -> None:
    found, planned = served(judged(CardRole.ELDER), SHANGHAI), slot(opens, closes)
    assert found is not None
    [seen] = with_meals([waiting(planned)], [planned], [found])
    assert (seen.id, seen.slot, seen.state, seen.late_s) == (planned.id, planned.id, state, late_s)
    assert (seen.taps, seen.counted, seen.grade, seen.start_ns) == ((found.tap,), True, Grade.STRONG, found.time_ns)
    total = day([found], [seen], "h1")
    assert (total.served, total.handed_over, total.claimed) == (1, 1, 1)


def test_a_second_meal_another_person_and_another_service_are_visits_of_their_own() -> None:
    found = served(judged(CardRole.ELDER), SHANGHAI)
    assert found is not None
    for planned in (slot(-70, 0, "h2"), slot(-70, 0, place="p1"), slot(-70, 0, service="bath"), slot(200, 300)):
        assert [one.id for one in with_meals([], [planned], [found])] == [found.tap]
    planned = slot(-70, 0)
    second = msgspec.structs.replace(found, tap="s1/counter-1/3/8", time_ns=found.time_ns + MINUTE_NS)
    assert {one.id for one in with_meals([waiting(planned)], [planned], [second, found])} == {planned.id, second.tap}


def test_a_meal_that_comes_after_a_person_has_confirmed_the_visit_is_no_second_one_and_what_was_said_stays() -> None:
    found, planned = served(judged(CardRole.ELDER), SHANGHAI), slot(-70, 0)
    assert found is not None
    confirmed = waiting(planned, State.ON_TIME, by="wang")
    said = lambda visit: msgspec.structs.replace(visit, by="wang", comment="seen")  # noqa: E731
    [seen] = with_meals([confirmed], [planned], [found], said)
    assert (seen.id, seen.taps, seen.by, seen.comment) == (planned.id, (found.tap,), "wang", "seen")


def test_a_second_meal_soon_after_the_first_is_counted_and_looked_at() -> None:
    first, soon, evening = (meal(minutes, "h1", role=CardRole.ELDER) for minutes in (0, 40, 360))
    for meals in ([first, soon, evening], [evening, soon, first]):
        found = with_meals([], [], meals)
        assert [(one.state, one.reviewing) for one in found] == [
            (State.ON_TIME, False),
            (State.UNPLANNED, True),
            (State.ON_TIME, False),
        ]
        assert all(one.counted for one in found) and found[1].reasons == (Reason.UNPLANNED,)
    # Another elder's is his own, and what the plan expects is expected.
    assert not any(one.reviewing for one in with_meals([], [], [first, meal(40, "h2", role=CardRole.ELDER)]))
    lines = [slot(-30, 30), slot(31, 60)]
    lines[1] = msgspec.structs.replace(lines[1], id=f"second/{DATE}", from_ns=at(31))
    assert not any(one.reviewing for one in with_meals([], lines, [first, soon]))


def test_a_meal_by_the_number_of_a_card_alone_is_looked_at() -> None:
    weak = msgspec.structs.replace(meal(0, "h1", role=CardRole.ELDER), grade=Grade.WEAK)
    [found] = with_meals([], [], [weak])
    assert (found.counted, found.reviewing, found.reasons) == (True, True, (Reason.WEAKER_PROOF,))
    [found] = with_meals([], [slot(-70, -30)], [weak])
    assert (found.reviewing, found.reasons) == (True, (Reason.WEAKER_PROOF, Reason.LATE))


def test_a_courier_makes_no_canteen_visit() -> None:
    found = served(judged(), SHANGHAI)
    assert found is not None and canteen_visit(found) is None


# --- whatever happens ---

_minutes = st.integers(-400, 900)
_couriers = st.sampled_from(["w1", "w2"])
_meals = st.lists(
    st.builds(
        meal,
        _minutes,
        _couriers,
        st.sampled_from([None, 300.0, 500.0]),
        st.sampled_from([CardRole.COURIER, CardRole.COURIER, CardRole.ELDER]),
    ),
    max_size=12,
    unique_by=lambda one: one.tap,
)
_visits = st.lists(
    st.builds(
        lambda minutes, place, courier, state, counted, tapped, slot: visit(
            minutes,
            place,
            courier,
            state=state,
            counted=counted,
            taps=("t",) if tapped else (),
            slot=f"{place}-{minutes}" if slot else "",
            start_ns=at(minutes) if tapped else None,
            closes_ns=at(minutes) if slot else 0,
        ),
        _minutes,
        st.sampled_from(["p1", "p2", "p3"]),
        st.sampled_from(["w1", "w2", ""]),
        st.sampled_from([State.ON_TIME, State.LATE, State.MISSED, State.UNKNOWN]),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda one: one.id,
)


@given(_meals, _visits)
def test_the_sums_of_every_day_add_up(meals: list[Served], visits: list[Visit]) -> None:
    for total in all_totals(meals, visits):
        missing = total.not_handed_over - total.never_served - total.not_weighed - total.uncompared
        tolerated = total.shared_meals - total.shared_visits + total.confirmed
        if total.role is CardRole.COURIER:
            assert total.served == total.handed_over + tolerated + missing, total
        else:
            assert total.served == total.handed_over


@given(_meals, _visits)
def test_no_meal_and_no_visit_is_lost_or_counted_twice(meals: list[Served], visits: list[Visit]) -> None:
    all_of_them = all_totals(meals, visits)
    assert sum(total.served + total.unweighed for total in all_of_them) == len(meals)
    assert sum(total.grams for total in all_of_them) == sum(one.mass_g or 0 for one in meals)
    tapped = [one for one in visits if one.taps and one.state in (State.ON_TIME, State.LATE)]
    couriers = [total for total in all_of_them if total.role is CardRole.COURIER]
    assert sum(total.handed_over for total in couriers) == len(tapped)
    assert sum(total.claimed for total in all_of_them) == sum(one.counted for one in visits if one in tapped or one.counted)


@given(_meals, _visits)
def test_differences_are_those_of_the_sums(meals: list[Served], visits: list[Visit]) -> None:
    found = Counter(one.kind for one in differences(meals, visits, SHANGHAI))
    sums = all_totals(meals, visits)
    elders = sum(
        one.kind is Mismatch.NOT_WEIGHED and one.role is CardRole.ELDER for one in differences(meals, visits, SHANGHAI)
    )
    for kind in NAMED:
        expected = sum(getattr(total, kind.value) for total in sums)
        assert found[kind] == expected + (elders if kind is Mismatch.NOT_WEIGHED else 0)
    for one in differences(meals, visits, SHANGHAI):
        for language in ("en", "zh-CN"):
            assert difference_words(one, language)


@given(_meals, _visits, st.randoms(use_true_random=False))
def test_the_order_in_which_they_come_changes_nothing(meals: list[Served], visits: list[Visit], random: Any) -> None:
    before = differences(meals, visits, SHANGHAI)
    random.shuffle(meals)
    random.shuffle(visits)
    assert differences(meals, visits, SHANGHAI) == before


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8, unique=True))
def test_a_courier_who_hands_over_what_he_took_has_no_difference(minutes: list[int]) -> None:
    meals = [meal(-30 - number) for number in range(len(minutes))]
    assert kinds(meals, [visit(minute, f"p{minute}") for minute in minutes]) == []
