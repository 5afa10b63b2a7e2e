"""What becomes of a tap: genuine ones are never refused, copies of codes are, and whatever does not fit is looked at."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_gateway.events import TimeQuality
from edge_gateway.visits import judge
from edge_gateway.visits.judge import Rules, after_revocation, uncertainty_ns
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
from tests.couriers.memory import MemoryDesk

S = 1_000_000_000
NOON = 1_795_000_000 * S
CARD = Card("c-7f3a9k", "futian", CardKind.NTAG424, CardRole.COURIER, "k-12")
NTAG21X = msgspec.structs.replace(CARD, id="c-old", kind=CardKind.NTAG21X)
TAG = msgspec.structs.replace(CARD, id="c-wall", role=CardRole.PLACE, holder="wutong-3")


def tap(at_s: float = 0.0, seq: int = 1, device: str = "rr-1", place: str = "wutong-3", **more: Any) -> Tap:
    time_ns = NOON + round(at_s * S)
    fields: dict[str, Any] = {"received_ns": time_ns + S, "clock": "ntp", "time_quality": 0, "error_s": 0.5, "boot": 1} | more
    return Tap(site="futian", device=device, place=place, seq=seq, time_ns=time_ns, proof="sun", text="", **fields)


def sun(counter: int | None, card: Card | None = CARD, **more: Any) -> Evidence:
    return Evidence(Grade.STRONG, card, "04de5f1eacc040", counter, **more)


def at_b(at_s: float, seq: int = 1, **more: Any) -> Tap:
    return tap(at_s, seq, device="rr-2", place="wutong-5", **more)


def test_a_good_code_with_a_new_counter_is_counted_with_its_grade() -> None:
    assert MemoryDesk().take(tap(), sun(5)) == Judgement(Ruling.COUNTED, Grade.STRONG)


@pytest.mark.parametrize("problem", [Reason.BAD_CODE, Reason.NOT_OUR_CARD])
def test_a_code_that_is_wrong_is_refused_and_forgotten(problem: Reason) -> None:
    desk = MemoryDesk()
    assert desk.take(tap(), sun(500, problem=problem)) == Judgement(Ruling.REFUSED, Grade.NONE, (problem,))
    assert desk.take(tap(60, 2), sun(5)).ruling is Ruling.COUNTED  # what a forger claims says nothing about the card


@pytest.mark.parametrize("problem", [Reason.UNKNOWN_CARD, Reason.WEAKER_PROOF, Reason.CARD_UNREADABLE, Reason.SLOW_ANSWER])
def test_every_other_problem_is_counted_and_looked_at(problem: Reason) -> None:
    found = MemoryDesk().take(tap(), Evidence(Grade.WEAK, problem=problem))
    assert found == Judgement(Ruling.REVIEW, Grade.WEAK, (problem,))


def test_the_same_tap_once_more_is_the_same_tap() -> None:
    desk = MemoryDesk()
    desk.take(tap(), sun(5))
    assert desk.take(tap(), sun(5)) == Judgement(Ruling.REPEATED, Grade.STRONG, same="futian/rr-1/1/1")
    assert desk.take(tap(9, 2), sun(5)).ruling is Ruling.REPEATED


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(tap(11, 2), id="same reader, later"),
        pytest.param(
            tap(11, 2, clock="none", time_quality=TimeQuality.RECEIPT, error_s=None), id="same reader that lost its clock"
        ),
        pytest.param(at_b(60), id="another reader"),
        pytest.param(tap(-9_000, 3, device=PHONE, place=""), id="a phone that says it was first"),
    ],
)
def test_a_code_that_was_used_is_refused_as_a_replay(copy: Tap) -> None:
    desk = MemoryDesk()
    desk.take(tap(), sun(5))
    assert desk.take(copy, sun(5)) == Judgement(Ruling.REFUSED, Grade.NONE, (Reason.REPLAY,), same="futian/rr-1/1/1")
    assert desk.judged["futian/rr-1/1/1"].judgement.ruling is Ruling.COUNTED


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(at_b(3_600), id="another reader, later"),
        pytest.param(tap(-3_600, device=PHONE, place=""), id="a phone"),
        pytest.param(at_b(1), id="within the error of the clocks"),
    ],
)
def test_a_copy_that_came_before_the_tap_of_an_offline_reader_does_not_get_that_tap_refused(copy: Tap) -> None:
    desk = MemoryDesk()
    desk.take(copy, sun(5))
    genuine = tap(received_ns=NOON + 90_000 * S)
    found = desk.take(genuine, sun(5))
    assert (found.ruling, found.reasons[0], found.suspects) == (Ruling.REVIEW, Reason.REPLAY, (copy.id,))
    assert desk.judged[copy.id].judgement.ruling is Ruling.REVIEW


@pytest.mark.parametrize("kind", [CardKind.NTAG21X, CardKind.UID])
def test_a_counter_that_anybody_can_count_on_puts_both_before_a_person(kind: CardKind) -> None:
    desk, card = MemoryDesk(), msgspec.structs.replace(NTAG21X, kind=kind)
    desk.take(tap(), sun(5, card))
    found = desk.take(at_b(3_600), sun(5, card))
    assert (found.ruling, found.reasons) == (Ruling.REVIEW, (Reason.CLONED_CARD,))
    assert desk.judged["futian/rr-1/1/1"].judgement.reasons == (Reason.CLONED_CARD,)


def test_a_tap_of_an_offline_reader_that_arrives_a_day_late_is_counted() -> None:
    desk = MemoryDesk()
    for at_s, counter in ((3_600, 11), (7_200, 12), (86_400, 13)):
        desk.take(at_b(at_s, counter), sun(counter))
    assert desk.take(tap(received_ns=NOON + 90_000 * S), sun(10)) == Judgement(Ruling.COUNTED, Grade.STRONG)


def test_inside_one_readers_stream_the_counter_must_rise() -> None:
    desk = MemoryDesk()
    desk.take(tap(0, 1), sun(5))
    found = desk.take(tap(1, 2), sun(4))
    assert (found.ruling, found.reasons) == (Ruling.REVIEW, (Reason.CLONED_CARD,))
    assert desk.judged["futian/rr-1/1/1"].judgement == Judgement(Ruling.REVIEW, Grade.STRONG, (Reason.CLONED_CARD,))


def test_a_stream_that_arrives_backwards_is_no_clone() -> None:
    desk = MemoryDesk()
    for seq in (4, 3, 2, 1):
        assert desk.take(tap(seq * 600, seq), sun(seq + 10)).ruling is Ruling.COUNTED


def test_counters_and_times_that_disagree_put_both_taps_into_review() -> None:
    desk = MemoryDesk()
    desk.take(tap(0), sun(20))
    found = desk.take(at_b(3_600), sun(12))  # harvested before, used after
    assert (found.ruling, found.reasons, found.suspects) == (
        Ruling.REVIEW,
        (Reason.COUNTER_OUT_OF_ORDER,),
        ("futian/rr-1/1/1",),
    )
    assert desk.judged["futian/rr-1/1/1"].judgement.reasons == (Reason.COUNTER_OUT_OF_ORDER,)


def test_one_harvested_code_does_not_put_a_week_of_good_taps_into_review() -> None:
    desk = MemoryDesk()
    for n in range(40):
        desk.take(tap(n * 3_600, n + 1), sun(100 + n))
    desk.take(at_b(200_000), sun(99))
    assert sum(one.judgement.ruling is Ruling.REVIEW for one in desk.judged.values()) == 2


def test_a_disagreement_is_found_beyond_a_neighbour_with_a_lost_clock() -> None:
    desk = MemoryDesk()
    desk.take(tap(0), sun(20))
    desk.take(at_b(0, 1, clock="none", time_quality=TimeQuality.RECEIPT, error_s=None), sun(19))
    assert Reason.COUNTER_OUT_OF_ORDER in desk.take(at_b(7_200, 2), sun(18)).reasons


def test_clocks_that_may_be_wrong_by_more_than_that_accuse_nobody() -> None:
    desk = MemoryDesk()
    desk.take(tap(0, error_s=400.0, clock="rtc"), sun(20))
    assert desk.take(at_b(600, error_s=0.1), sun(19)).ruling is Ruling.COUNTED


def test_what_the_desk_read_last_burns_the_counters_below_it() -> None:
    desk = MemoryDesk()
    desk.past.add(TAG.id, TapFact("", "futian", "desk", "", 0, 0, 30, NOON, S))
    assert desk.take(at_b(3_600, 2), sun(29, TAG)).reasons == (Reason.COUNTER_OUT_OF_ORDER,)
    assert desk.take(at_b(3_700, 3), sun(30, TAG)).reasons == (Reason.REPLAY,)
    assert desk.take(at_b(-3_600, 1), sun(28, TAG)).ruling is Ruling.COUNTED  # read before the audit, arrived after it


@pytest.mark.parametrize(("missing", "reasons"), [(50, ()), (51, (Reason.COUNTER_GAP,))])
def test_a_gap_is_looked_at_when_it_is_larger_than_phones_make(missing: int, reasons: tuple[Reason, ...]) -> None:
    desk = MemoryDesk()
    desk.take(tap(0), sun(5))
    assert desk.take(tap(3_600, 2), sun(5 + missing)).reasons == reasons


def test_seven_counters_within_three_minutes_are_a_burst() -> None:
    desk = MemoryDesk()
    found = desk.take_all((tap(20 * n, n + 1), sun(n)) for n in range(7))
    assert [one.reasons for one in found] == [()] * 6 + [(Reason.BURST,)]
    slower = MemoryDesk()
    assert all(one.ruling is Ruling.COUNTED for one in slower.take_all((tap(40 * n, n + 1), sun(n)) for n in range(20)))


def test_two_places_within_half_a_minute_put_both_taps_before_a_person() -> None:
    desk = MemoryDesk()
    desk.take(tap(0), sun(5))
    found = desk.take(at_b(30), sun(6))
    assert (found.reasons, found.suspects) == ((Reason.TWO_PLACES,), ("futian/rr-1/1/1",))
    assert desk.take(tap(31, 2), sun(7)).reasons == (Reason.TWO_PLACES,)


@pytest.mark.parametrize(
    ("where", "why"),
    [
        pytest.param(at_b(90), "time enough to walk", id="time enough"),
        pytest.param(at_b(30, error_s=60.0), "the clock may be wrong", id="clock"),
        pytest.param(tap(30, device="rr-9"), "two readers of one home", id="one home"),
        pytest.param(tap(30, device="rider-1", place=""), "a reader on a bicycle", id="carried"),
    ],
)
def test_two_taps_that_one_person_can_have_made_are_counted(where: Tap, why: str) -> None:
    desk = MemoryDesk()
    desk.take(tap(0), sun(5))
    assert desk.take(where, sun(6)).ruling is Ruling.COUNTED, why


def test_a_number_shown_elsewhere_puts_no_good_tap_into_review() -> None:
    for weak_first in (True, False):
        desk = MemoryDesk()
        pairs = [(at_b(0), sun(None, problem=Reason.WEAKER_PROOF)), (tap(20), sun(6))]
        desk.take_all(pairs if weak_first else pairs[::-1])
        assert desk.judged["futian/rr-1/1/1"].judgement.ruling is Ruling.COUNTED
        assert desk.judged["futian/rr-2/1/1"].judgement.ruling is Ruling.REVIEW


def test_a_revoked_cards_taps_are_looked_at_also_those_that_waited_in_a_reader() -> None:
    lost = msgspec.structs.replace(CARD, revoked_ns=NOON + 600 * S)
    waited = tap(0, received_ns=NOON + 700 * S)
    assert MemoryDesk().take(waited, sun(5, lost)).reasons == (Reason.REVOKED_CARD,)
    assert MemoryDesk().take(tap(800), sun(6, lost)).reasons == (Reason.REVOKED_CARD,)
    assert not after_revocation(tap(0), lost)
    assert after_revocation(tap(599.5), lost)
    assert not after_revocation(tap(), CARD)


def test_a_tap_without_any_time_is_looked_at() -> None:
    lost = tap(clock="none", time_quality=TimeQuality.RECEIPT, error_s=None)
    assert MemoryDesk().take(lost, sun(5)).reasons == (Reason.CLOCK_UNSYNCED,)


@pytest.mark.parametrize(
    ("where", "reasons"),
    [
        pytest.param({}, (Reason.LOCATION_UNVERIFIED,), id="no position"),
        pytest.param({"lat": 22.5500, "lon": 114.0500, "accuracy_m": 30.0}, (), id="there"),
        pytest.param({"lat": 22.5600, "lon": 114.0500, "accuracy_m": 30.0}, (Reason.LOCATION_UNVERIFIED,), id="1.1 km away"),
        pytest.param({"lat": 22.5500, "lon": 114.0500, "accuracy_m": 5_000.0}, (Reason.LOCATION_UNVERIFIED,), id="anywhere"),
        pytest.param({"lat": float("nan"), "lon": 114.0500, "accuracy_m": 5.0}, (Reason.LOCATION_UNVERIFIED,), id="nan"),
    ],
)
def test_a_phone_shows_where_it_is_or_is_looked_at(where: dict[str, Any], reasons: tuple[Reason, ...]) -> None:
    phone = tap(device=PHONE, place="", **where)
    assert judge.judge(phone, sun(5, TAG), MemoryDesk().past, at=(22.5501, 114.0502)).reasons == reasons
    assert judge.judge(phone, sun(5, TAG), MemoryDesk().past).reasons == (Reason.LOCATION_UNVERIFIED,)


@pytest.mark.parametrize(("late_s", "reasons"), [(40_000, ()), (50_000, (Reason.LOCATION_UNVERIFIED,))])
def test_where_a_phone_says_it_was_long_ago_nobody_can_verify(late_s: int, reasons: tuple[Reason, ...]) -> None:
    phone = tap(device=PHONE, place="", lat=22.55, lon=114.05, accuracy_m=30.0, received_ns=NOON + late_s * S)
    assert judge.judge(phone, sun(5, TAG), MemoryDesk().past, at=(22.55, 114.05)).reasons == reasons


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({"error_s": 0.1}, 1.0, id="never below the floor"),
        pytest.param({"error_s": 30.0}, 60.0, id="the device's own estimate, doubled"),
        pytest.param({"error_s": None, "clock": "rtc"}, 120.0, id="a clock that ran alone"),
        pytest.param({"error_s": None, "clock": "gnss"}, 1.0, id="satellites"),
        pytest.param({"error_s": None, "clock": "sundial"}, 120.0, id="unknown clock"),
        pytest.param({"error_s": -5.0, "clock": "ntp"}, 2.0, id="nonsense"),
        pytest.param({"error_s": float("inf"), "clock": "ntp"}, 2.0, id="infinite"),
        pytest.param({"error_s": 1e300}, 86_400.0, id="beyond a day"),
        pytest.param({"error_s": 0.1, "time_quality": TimeQuality.REPAIRED}, 120.0, id="computed from an uptime"),
        pytest.param({"error_s": 0.1, "time_quality": TimeQuality.RECEIPT}, 86_400.0, id="time of receipt"),
        pytest.param({"error_s": 0.1, "time_quality": TimeQuality.LATE}, 1.0, id="late is as good as any"),
    ],
)
def test_how_wrong_a_time_may_be(fields: dict[str, Any], seconds: float) -> None:
    assert uncertainty_ns(tap(**fields)) == seconds * S


def test_a_suspicion_passes_on_only_what_speaks_against_both() -> None:
    old = Judgement(Ruling.COUNTED, Grade.STRONG)
    by = Judgement(Ruling.REVIEW, Grade.WEAK, (Reason.WEAKER_PROOF, Reason.TWO_PLACES, Reason.CLOCK_UNSYNCED))
    assert judge.suspected(old, by) == Judgement(Ruling.REVIEW, Grade.STRONG, (Reason.TWO_PLACES,))
    refused = Judgement(Ruling.REFUSED, Grade.NONE, (Reason.BAD_CODE,))
    assert judge.suspected(refused, by) == refused


moves = st.lists(
    st.tuples(st.sampled_from(["rr-1", "rr-2", "rr-3"]), st.integers(100, 20_000), st.floats(0, 300)), min_size=1, max_size=15
)


@given(moves, st.randoms(use_true_random=False))
def test_genuine_taps_are_counted_in_whatever_order_they_arrive_as_long_as_clocks_keep_their_word(
    walk: list[tuple[str, int, float]], chance: Any
) -> None:
    at_s, taps = 0.0, []
    for number, (device, gap_s, error_s) in enumerate(walk):
        at_s += gap_s
        shown_s = at_s + chance.uniform(-error_s, error_s)
        taps.append((tap(shown_s, number + 1, device, f"home-{device}", error_s=error_s), sun(number)))
    chance.shuffle(taps)
    desk = MemoryDesk()
    assert {found.ruling for found in desk.take_all(taps)} == {Ruling.COUNTED}


anything = st.tuples(
    st.sampled_from(["rr-1", "rr-2", PHONE]), st.integers(1, 3), st.integers(1, 9), st.integers(0, 9_000), st.integers(0, 6)
)


@given(st.lists(anything, max_size=25), st.sampled_from(list(CardKind)))
def test_of_all_taps_with_one_counter_one_is_kept_and_none_is_without_a_ruling(
    rows: list[tuple[str, int, int, int, int]], kind: CardKind
) -> None:
    desk = MemoryDesk(Rules())
    card = msgspec.structs.replace(CARD, kind=kind)
    for device, boot, seq, at_s, counter in rows:
        one = tap(at_s, seq, device, "" if device == PHONE else device, boot=boot)
        if one.id not in desk.judged:
            desk.take(one, sun(counter, card))
    for counter in {row[4] for row in rows}:
        mine = [one for one in desk.judged.values() if one.evidence.counter == counter]
        kept = [one for one in mine if one.judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW)]
        if mine:
            assert kept
        assert len([one for one in kept if one.judgement.ruling is Ruling.COUNTED]) <= 1
        for judged in mine:
            repeated = judged.judgement.same
            assert not repeated or desk.judged[repeated].judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW)
