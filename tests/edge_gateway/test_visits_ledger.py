"""The ledger: taps become visits whatever comes when and how often, and what was there before is kept."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.visits import chain, days, ledger, look
from edge_gateway.visits.past import SqlPast, remember
from edge_gateway.visits.records import CardKind, CardRole, Evidence, Grade, Reason, Ruling, State, Tap, TapFact, Visit
from tests.couriers.cards import SITE
from tests.couriers.memory import MemoryPast
from tests.edge_gateway.visits_world import DAY, World, at

MEAL = f"meal-1/{DAY}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_a_tap_in_its_window_is_a_visit_with_the_six_elements(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    taken = world.take(world.tap(world.read(card), "11:20"))
    visit = world.visit()
    assert (visit.service, visit.person, visit.date, visit.place, visit.courier) == ("meal", "e-1", DAY, "w3-201", "k-1")
    assert (visit.start_ns, visit.state, visit.grade, visit.counted) == (at("11:20"), State.ON_TIME, Grade.STRONG, True)
    assert taken.counters() == {"taps_counted": 1}


def test_what_a_card_shows_is_in_no_byte_of_the_file_and_only_who_has_the_key_reads_it(world: World) -> None:
    plain = world.card("k-2", kind=CardKind.UID)
    uid = world.chips[plain.id].uid
    world.take(world.tap(uid.hex(), "11:20"), world.tap("04ffeeddccbbaa", "11:30"))
    with world.look() as ledger:
        assert [(t.tap.text, t.evidence.uid) for t in ledger.recent_taps(SITE, "door-1", 0)] == [("", "")] * 2
    world.close()
    raw = b"".join(file.read_bytes() for file in world.folder.glob("visits.db*"))
    for secret in (uid.hex().encode(), uid, b"04ffeeddccbbaa", world.ring.meta, world.ring.meta.hex().encode()):
        assert secret not in raw
    assert world.key.stat().st_mode & 0o777 == 0o600
    world.open()


def test_a_tap_that_is_handed_over_again_changes_nothing(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    tap = world.tap(world.read(card), "11:20")
    world.take(tap)
    with world.look() as ledger:
        before = ledger.head(), ledger.visits()
    assert world.take(tap, tap).known == 2
    with world.look() as ledger:
        assert (ledger.head(), ledger.visits()) == before


def test_another_tap_under_a_number_that_is_taken_is_told_and_changes_no_visit(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    tap = world.tap(world.read(card), "11:20")
    world.take(tap)
    assert world.take(Tap(*[*(getattr(tap, f) for f in tap.__struct_fields__[:11]), world.read(card)])).conflicts == 1
    assert world.kinds()[-1] == "failed"
    assert len(world.visits()) == 1


def test_a_late_tap_corrects_a_missed_visit_and_the_history_keeps_both(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    world.pass_time("13:00")
    assert world.visit().state is State.MISSED
    world.take(world.tap(world.read(card), "11:30", received_ns=at("15:00")))
    visit = world.visit()
    assert (visit.state, visit.start_ns) == (State.ON_TIME, at("11:30"))
    assert Reason.SYNCED_LATE in visit.reasons
    with world.look() as ledger:
        history = [entry.body["state"] for entry in ledger.history(MEAL, SITE)]
    assert history == ["planned", "missed", "on_time"]


def test_a_silent_reader_makes_a_visit_unknown_and_never_missed(world: World) -> None:
    world.plan()
    world.pass_time("11:00")
    world.pass_time("13:00", heard=False)
    visit = world.visit()
    assert (visit.state, visit.counted) == (State.UNKNOWN, False)
    assert Reason.READER_OFFLINE in visit.reasons
    seen = world.rounds.seen(world.now_ns, [])
    assert not seen.missed


@pytest.mark.parametrize("again", [False, True])
def test_a_clock_that_ran_ahead_and_was_set_back_stops_nobodys_protection(world: World, again: bool) -> None:
    world.plan()
    world.pass_time("11:00")
    ahead = at("11:00", "2027-03-01")
    world.rounds.readers([], ahead, True)
    world.now_ns = ahead
    for portion in world.rounds.due(ahead):
        world.rounds.derive(portion, ahead)
    world.rounds.passed(ahead)
    world.now_ns = at("11:01")
    if again:
        world.close()
        world.open()
    world.pass_time("12:40")
    assert world.visit().state is State.MISSED
    world.pass_time("12:40", "2026-11-21")
    assert world.visit("meal-1/2026-11-21").state is State.MISSED
    world.pass_time("11:00", "2026-11-22")
    world.pass_time("13:00", "2026-11-22", heard=False)
    assert world.visit("meal-1/2026-11-22").state is State.UNKNOWN


def test_a_replay_is_refused_and_shown_and_the_first_tap_stays_as_it_was(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    text = world.read(card)
    world.take(world.tap(text, "11:20"))
    before = world.visit()
    world.take(world.tap(text, "17:20", device="door-2"))
    assert world.visit() == before
    with world.look() as ledger:
        (refused,) = ledger.refused(SITE)
        assert (refused.judgement.ruling, refused.judgement.reasons) == (Ruling.REFUSED, (Reason.REPLAY,))
        assert not [visit for visit in ledger.visits() if visit.place == "w3-202" and visit.counted]


def test_counters_against_the_time_put_both_taps_before_a_person(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    harvested = world.read(card)
    world.take(world.tap(world.read(card), "11:20"))
    assert not world.visit().reviewing
    world.take(world.tap(harvested, "17:20", device="door-2"))
    assert world.visit().reviewing and Reason.COUNTER_OUT_OF_ORDER in world.visit().reasons
    assert "doubt" in world.kinds()
    with world.look() as ledger:
        assert {visit.place for visit in ledger.review_queue(SITE)} == {"w3-201", "w3-202"}


@pytest.mark.parametrize("seed", range(4))
def test_in_whatever_order_and_batches_taps_come_the_visits_are_the_same(tmp_path: Path, seed: int) -> None:
    found: list[list[Visit]] = []
    for turn in range(2):
        (tmp_path / str(turn)).mkdir()
        world = World(tmp_path / str(turn))
        with closing(world.ledger):
            one, two = world.card("k-1"), world.card("k-2")
            world.plan()
            world.plan(id="bath-1", service="bath", opens_min=900, closes_min=960, courier="k-2")
            world.plan(id="meal-2", place="w3-202", person="e-2")
            clocks = ["10:58", "11:20", "11:21", "15:10", "11:45", "17:00", "23:59"]
            taps = [
                world.tap(world.read(one if n % 3 else two), clock, "door-1" if n % 2 else "door-2", received_ns=at("23:59:50"))
                for n, clock in enumerate(clocks)
            ]
            if turn:
                Random(seed).shuffle(taps)
            world.now_ns = at("23:59:55")
            size = 1 + seed * turn
            for begin in range(0, len(taps), size):
                world.take(*taps[begin : begin + size])
            ids = {card.id: card.holder for card in (one, two)}
            assert len(ids) == 2
            found.append(world.visits())
    assert found[0] == found[1]


def test_a_fault_of_ours_stops_no_other_tap_and_is_put_before_a_person(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    card = world.card("k-1")
    world.plan()
    bad, good = world.tap("secret words", "11:10", "door-2"), world.tap(world.read(card), "11:20")
    real = ledger.evidence

    def evidence(tap: Tap, ring: object, former: object) -> Evidence:
        if tap.id == bad.id:
            raise RuntimeError(f"met {tap.text}")
        return real(tap, ring, former=former)  # type: ignore[arg-type]

    monkeypatch.setattr(ledger, "evidence", evidence)
    taken = world.take(bad, good)
    assert (taken.faults, world.visit().state) == (1, State.ON_TIME)
    with world.look() as seen:
        judged = seen.tap(bad.id)
        assert judged is not None and judged.judgement.ruling is Ruling.REVIEW
        assert [v.place for v in seen.review_queue(SITE)] == ["w3-202"]
        assert not [entry for entry in seen.log() if "secret words" in entry.text]


def test_one_cards_row_that_cannot_be_opened_stops_no_other_tap(world: World) -> None:
    bad, good, lost = (world.card(holder) for holder in ("k-1", "k-2", "k-3"))
    world.actions.revoke(bad.id, "zhang", "lost", at("23:00"))
    world.actions.revoke(lost.id, "zhang", "lost", None)
    with world.ledger.book.transaction():
        world.ledger.book.db.execute("UPDATE card SET sealed = zeroblob(40) WHERE id = ?", (bad.id,))
    world.plan(courier="k-2")
    taken = world.take(world.tap(world.read(bad), "11:10"), world.tap(world.read(good), "11:20"))
    assert (taken.faults, len(taken.judged), world.visit().state) == (1, 2, State.ON_TIME)
    with world.look() as seen:
        assert [visit.reviewing for visit in seen.visits(site=SITE)].count(True) == 1
    assert world.ledger.cards.revoked(SITE) == [world.chips[lost.id].uid]


def test_a_fault_of_ours_at_one_place_stops_no_other_and_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    card = world.card("k-1")
    world.plan()
    real = days.derive

    def derive(site: str, place: str, *more: object, **named: object) -> list[Visit]:
        if place == "w3-202":
            raise RuntimeError("a fault")
        return real(site, place, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(days, "derive", derive)
    taken = world.take(world.tap(world.read(card), "11:10", "door-2"), world.tap(world.read(card), "11:20"))
    assert (taken.faults, world.visit().state) == (1, State.ON_TIME)
    world.take(world.tap(world.read(card), "11:40", "door-2"))
    assert world.kinds().count("failed") == 1
    monkeypatch.undo()
    world.take(world.tap(world.read(card), "11:50", "door-2"))
    assert len([visit for visit in world.visits() if visit.place == "w3-202"]) == 1
    with world.look() as ledger:
        chain.verify(ledger.log())


def test_a_wrong_door_is_none_once_the_courier_was_at_the_right_one_whatever_came_first(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    first, second = world.read(card), world.read(card)
    world.take(world.tap(first, "11:20", "door-2", received_ns=at("11:25")))
    (wrong,) = world.visits(place="w3-202")
    assert wrong.state is State.WRONG_PLACE
    world.take(world.tap(second, "11:40"))
    (other,) = world.visits(place="w3-202")
    assert (other.state, world.visit().state) == (State.UNPLANNED, State.ON_TIME)


def test_a_plan_that_comes_later_says_the_same_as_one_that_was_there(world: World) -> None:
    card = world.card("k-1")
    world.take(world.tap(world.read(card), "11:20", "door-2"))
    assert [visit.state for visit in world.visits()] == [State.UNPLANNED]
    world.plan()
    (visit,) = world.visits(place="w3-202")
    assert visit.state is State.WRONG_PLACE


def test_a_line_that_is_changed_today_leaves_yesterday_as_it_was(world: World) -> None:
    world.now_ns = at("08:00", "2026-11-19")
    world.plan()
    world.pass_time("20:00", "2026-11-19")
    yesterday = world.visit("meal-1/2026-11-19")
    world.pass_time("08:00")
    world.plan(opens_min=720, closes_min=780)
    world.take(world.tap("04aabbccddeeff", "12:10", received_ns=at("12:11")))
    assert world.visit().opens_ns == at("12:00")
    world.actions.plan_remove(SITE, ["meal-1"], "zhang")
    for day in ("2026-11-19", DAY):
        with world.ledger.book.transaction():
            world.ledger.visits.derive({(SITE, "w3-201", day)}, world.now_ns)
    assert world.visit("meal-1/2026-11-19") == yesterday
    with world.look() as ledger:
        assert ledger.visit(MEAL, SITE) is None and ledger.history(MEAL, SITE)[-1].kind == "visit_gone"
        assert not ledger.plans(SITE) and [p.id for p in ledger.plans(SITE, on_date="2026-11-19")] == ["meal-1"]


def test_a_plan_that_is_wrong_in_two_rows_is_refused_whole_with_both(world: World) -> None:
    rows = [{"id": "a", "place": "w3-201"}, {"id": "B!", "place": "w3-201"}, {"id": "c", "place": "w3-201", "weekdays": "9"}]
    with pytest.raises(Rejected, match=r"row 2: .*row 3: "):
        world.actions.plan(SITE, "zhang", rows, False)
    with world.look() as ledger:
        assert ledger.plans() == []


def test_an_exception_and_a_holiday_cancel_what_was_expected(world: World) -> None:
    world.plan(holidays="none")
    world.pass_time("10:30")
    assert world.visit().state is State.PLANNED
    row = {"id": "x1", "date": DAY, "kind": "cancelled", "plan": "meal-1", "reason": "at her daughter's"}
    world.actions.exceptions(SITE, "zhang", [row], [])
    assert world.visit().state is State.CANCELLED
    world.actions.exceptions(SITE, "zhang", [], ["x1"])
    assert world.visit().state is State.PLANNED
    world.actions.holidays(SITE, "zhang", {DAY: "a day off"})
    assert not world.visits()
    assert world.kinds()[-1] == "visit_gone"


# Readers that are carried


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_door_a_card_and_a_service_at_a_carried_reader_are_one_visit_in_whatever_order_they_come(
    world: World, order: tuple[int, ...]
) -> None:
    door, card = world.card("w3-301", CardRole.PLACE), world.card("k-1")
    bath = world.card("bath", CardRole.SERVICE)
    world.plan(id="bath-1", place="w3-301", service="bath")
    taps = [
        world.tap(world.read(one), clock, "carried", received_ns=at("11:25"))
        for one, clock in ((card, "11:20:00"), (door, "11:20:20"), (bath, "11:21:10"))
    ]
    for one in order:
        world.take(taps[one])
    (visit,) = world.visits(counted=True)
    assert (visit.id, visit.place, visit.courier) == (f"bath-1/{DAY}", "w3-301", "k-1")
    assert (visit.state, visit.start_ns, visit.reviewing) == (State.ON_TIME, at("11:20"), False)
    assert sorted(visit.taps) == sorted(tap.id for tap in taps)
    assert not world.visits(place="")
    with world.look() as ledger:
        chain.verify(ledger.log())


def test_the_tag_of_a_door_has_its_courier_by_who_carries_the_reader(world: World) -> None:
    door = world.card("w3-301", CardRole.PLACE)
    bath = world.card("bath", CardRole.SERVICE)
    world.plan(place="w3-301")
    world.plan(id="bath-1", place="w3-301", service="bath")
    world.take(
        world.tap(world.read(bath), "11:19", "carried", courier="k-1"),
        world.tap(world.read(door), "11:20", "carried", courier="k-1"),
    )
    (visit,) = world.visits(counted=True)
    assert (visit.id, visit.courier, visit.reviewing, visit.grade) == (f"bath-1/{DAY}", "k-1", False, Grade.MEDIUM)
    assert Reason.CARD_FORGOTTEN not in visit.reasons


def test_who_shows_a_card_at_a_colleagues_reader_was_there_himself(world: World) -> None:
    door, card = world.card("w3-301", CardRole.PLACE), world.card("k-2")
    world.plan(place="w3-301")
    world.take(
        world.tap(world.read(door), "11:20", "carried", courier="k-1"),
        world.tap(world.read(card), "11:21", "carried", courier="k-1"),
    )
    (visit,) = world.visits(counted=True)
    assert (visit.courier, Reason.SUBSTITUTE in visit.reasons) == ("k-2", True)


def test_two_doors_within_minutes_have_each_the_card_that_was_shown_nearest(world: World) -> None:
    first, second = world.card("w3-301", CardRole.PLACE), world.card("w3-302", CardRole.PLACE)
    card = world.card("k-1")
    clocks = ((first, "11:20:00"), (card, "11:20:05"), (second, "11:21:30"), (card, "11:21:35"))
    world.take(*(world.tap(world.read(one), clock, "carried") for one, clock in clocks))
    found = [(visit.place, visit.courier, len(visit.taps)) for visit in world.visits()]
    assert found == [("w3-301", "k-1", 2), ("w3-302", "k-1", 2)]


def test_a_card_alone_at_a_carried_reader_is_a_visit_without_place_before_a_person(world: World) -> None:
    door, card = world.card("w3-301", CardRole.PLACE), world.card("k-1")
    world.take(world.tap(world.read(card), "11:20", "carried", courier="k-1"))
    (visit,) = world.visits()
    assert (visit.place, visit.courier, visit.reviewing) == ("", "k-1", True)
    world.take(world.tap(world.read(door), "11:22:01", "carried"), world.tap(world.read(door), "11:20", "carried-2"))
    assert len(world.visits(place="", courier="k-1")) == 1


def test_what_was_said_of_a_card_alone_goes_with_it_when_its_door_comes(world: World) -> None:
    door, card = world.card("w3-301", CardRole.PLACE), world.card("k-1")
    tag = world.tap(world.read(door), "11:20:30", "carried", received_ns=at("18:00"))
    alone = world.tap(world.read(card), "11:20", "carried")
    world.take(alone)
    world.now_ns = at("12:00")
    world.actions.decide(SITE, alone.id, "zhang", "decline", "nobody was there", {})
    world.take(tag)
    (visit,) = world.visits()
    assert (visit.place, visit.counted, visit.reviewing, visit.by) == ("w3-301", False, True, "zhang")


# What persons say


def test_a_persons_word_is_kept_with_who_when_and_why_and_what_was_there_before(world: World) -> None:
    world.plan()
    world.pass_time("13:00")
    n, visit = world.actions.decide(SITE, MEAL, "zhang", "confirm", "card_forgotten", {})
    assert (visit.state, visit.counted, visit.by) == (State.ON_TIME, True, "zhang")
    _, visit = world.actions.decide(SITE, MEAL, "li", "decline", "nobody was there", {})
    assert (visit.counted, visit.reviewing, visit.by) == (False, False, "li")
    with world.look() as ledger:
        history = ledger.history(MEAL, SITE)
        assert [(e.kind, e.by) for e in history][-4:] == [
            ("correction", "zhang"),
            ("visit", "zhang"),
            ("correction", "li"),
            ("visit", "li"),
        ]
        assert [(c.n, c.reason) for c in ledger.corrections(SITE)] == [(n, "card_forgotten"), (n + 2, "nobody was there")]
        chain.verify(ledger.log())


def test_a_courier_objects_to_his_own_visits_only_and_may_say_that_one_is_missing(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    world.take(world.tap(world.read(card), "12:40"))
    with pytest.raises(Rejected, match="not_yours"):
        world.actions.object(SITE, MEAL, "k-2", "not me")
    _, visit = world.actions.object(SITE, MEAL, "k-1", "the gate was locked")
    assert visit.reviewing and visit.counted
    _, claim = world.actions.miss(SITE, "k-1", DAY, "w3-202", "I was there at three", "bath")
    assert (claim.state, claim.reviewing, claim.counted, claim.courier) == (State.UNKNOWN, True, False, "k-1")
    _, claim = world.actions.decide(SITE, claim.id, "zhang", "confirm", "she says so too", {})
    assert (claim.counted, claim.reviewing) == (True, False)
    with pytest.raises(Rejected, match="bad_argument"):
        world.actions.miss(SITE, "k-1", "2026-11-21", "w3-202", "tomorrow", "")


def claimed(world: World, said: str = "confirm", courier: str = "k-1", service: str = "meal") -> str:
    """Missed, claimed by a courier at 13:30, and decided at 14:00; the claim's id."""
    world.plan()
    world.pass_time("13:30")
    assert world.visit().state is State.MISSED
    _, claim = world.actions.miss(SITE, courier, DAY, "w3-201", "I was there at twenty past", service)
    world.now_ns = at("14:00")
    if said:
        world.actions.decide(SITE, claim.id, "zhang", said, "asked her", {})
    return claim.id


def test_a_claim_that_was_confirmed_waits_for_a_person_again_when_its_tap_comes_after_all(world: World) -> None:
    card = world.card("k-1")
    claim = claimed(world)
    assert world.visit(claim).counted
    world.take(world.tap(world.read(card), "11:20", received_ns=at("18:00")))
    assert world.visit().counted and world.visit().state is State.ON_TIME
    again = world.visit(claim)
    assert (again.counted, again.reviewing, again.by) == (False, True, "gateway")
    assert Reason.TAP_CAME_LATER in again.reasons
    with world.look() as ledger:
        assert [visit.id for visit in ledger.review_queue(SITE)] == [claim]
    world.pass_time("20:00")
    assert world.visit(claim) == again
    world.now_ns = at("20:30")
    _, told = world.actions.decide(SITE, claim, "li", "approve", "she had two meals", {})
    assert (told.counted, told.reviewing, told.by) == (True, False, "li")
    assert world.visit().counted
    _, told = world.actions.decide(SITE, claim, "li", "decline", "it was the same", {})
    assert (told.counted, told.reviewing, world.visit().counted) == (False, False, True)


def test_the_double_stays_with_a_person_also_when_the_visit_of_the_tap_is_declined(world: World) -> None:
    card = world.card("k-1")
    claim = claimed(world)
    world.take(world.tap(world.read(card), "11:20", received_ns=at("18:00")))
    world.actions.decide(SITE, MEAL, "zhang", "decline", "nobody came", {})
    world.actions.object(SITE, claim, "k-1", "I was there")
    world.actions.decide(SITE, claim, "zhang", "note", "asked again", {})
    assert (world.visit(claim).counted, world.visit(claim).reviewing) == (False, True)


def test_a_double_without_a_line_in_the_plan_is_seen_too(world: World) -> None:
    card = world.card("k-1")
    _, claim = world.actions.miss(SITE, "k-1", DAY, "w3-202", "at ten past nine", "bath")
    world.actions.decide(SITE, claim.id, "zhang", "confirm", "asked her", {})
    world.take(world.tap(world.read(card), "09:10", "door-2", received_ns=at("18:00")))
    (other,) = [visit for visit in world.visits(place="w3-202") if visit.taps]
    assert other.state is State.UNPLANNED and other.counted
    assert (world.visit(claim.id).counted, world.visit(claim.id).reviewing) == (False, True)


@pytest.mark.parametrize(
    ("who", "clock", "door", "service"),
    [
        pytest.param("k-2", "11:20", "door-1", "meal", id="another courier"),
        pytest.param("k-1", "11:20", "door-2", "meal", id="another place"),
        pytest.param("k-1", "11:20", "door-1", "bath", id="another service"),
        pytest.param("k-1", "17:40", "door-1", "meal", id="a tap that was made after he said so"),
    ],
)
def test_a_claim_is_left_alone_by_a_tap_that_cannot_be_its_own(
    world: World, who: str, clock: str, door: str, service: str
) -> None:
    card = world.card(who)
    claim = claimed(world, service=service)
    before = world.visit(claim)
    world.take(world.tap(world.read(card), clock, door, received_ns=at("18:00")))
    assert world.visit(claim) == before and before.counted


def test_a_claim_nobody_decided_yet_says_that_its_tap_came_and_one_that_was_declined_is_left_alone(world: World) -> None:
    card = world.card("k-1")
    claim = claimed(world, said="")
    refused = claimed(world, said="decline")
    world.take(world.tap(world.read(card), "11:20", received_ns=at("18:00")))
    assert Reason.TAP_CAME_LATER in world.visit(claim).reasons and not world.visit(claim).counted
    assert (world.visit(refused).reviewing, world.visit(refused).counted) == (False, False)
    world.now_ns = at("19:00")
    _, told = world.actions.decide(SITE, claim, "zhang", "decline", "it is the same", {})
    assert (told.reviewing, told.counted) == (False, False)


# Cards


def test_a_revoked_cards_taps_since_then_are_put_before_a_person_also_those_that_are_here(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    world.take(world.tap(world.read(card), "11:20"))
    assert not world.visit().reviewing
    world.now_ns = at("12:00")
    world.actions.revoke(card.id, "zhang", "lost", at("11:00"))
    visit = world.visit()
    assert visit.reviewing and visit.counted and Reason.REVOKED_CARD in visit.reasons
    assert world.ledger.cards.revoked(SITE) == [world.chips[card.id].uid]


def test_a_card_is_enrolled_once_and_a_found_one_keeps_its_history(world: World) -> None:
    card = world.card("k-1")
    chip = world.chips[card.id]
    assert world.enrol(chip).id == card.id
    text = chip.read()
    world.take(world.tap(text, "11:20"))
    world.actions.revoke(card.id, "zhang", "lost", None)
    with pytest.raises(Rejected, match="card_revoked"):
        world.enrol(chip)
    again = world.enrol(chip, again=True)
    assert again.id != card.id and world.ledger.cards.revoked(SITE) == []
    world.take(world.tap(text, "18:00"))
    with world.look() as ledger:
        assert [t.judgement.reasons for t in ledger.refused(SITE)] == [(Reason.REPLAY,)]


@pytest.mark.parametrize("change", ["rotated", "given to another"])
def test_a_tap_that_waited_while_its_card_was_changed_is_its_holders_and_never_refused(world: World, change: str) -> None:
    card = world.card("k-1")
    world.plan()
    waits = world.tap(world.read(card), "11:20", received_ns=at("18:00"))
    world.now_ns = at("15:00")
    chip = world.chips[card.id]
    new = {"file": bytes(range(16)), "app3": bytes(16)}
    if change == "rotated":
        for done in (False, True):
            world.ledger.saved(lambda one, done=done: one.cards.rekey(one.cards.get(card.id), 2, new, "zhang", done))
    else:
        world.actions.revoke(card.id, "zhang", "k-1 left", None)
        with world.ledger.book.transaction():
            about = chip.card.kind, CardRole.COURIER, "k-2", 2, new
            world.ledger.cards.enrol(SITE, chip.uid, *about, None, "zhang", True)
    taken = world.take(waits)
    assert taken.judged[0].judgement.ruling in (Ruling.COUNTED, Ruling.REVIEW)
    visit = world.visit()
    assert (visit.courier, visit.start_ns, visit.counted) == ("k-1", at("11:20"), True)
    late = world.take(world.tap(chip.read(), "18:30", "door-2"))
    assert late.judged[0].judgement.ruling is Ruling.REVIEW and Reason.CLONED_CARD in late.judged[0].judgement.reasons


def test_a_master_of_another_site_is_noticed_before_it_spoils_a_card(world: World) -> None:
    world.card("k-1")
    with pytest.raises(Rejected, match="other_meta"), world.ledger.book.transaction():
        world.ledger.cards.add_meta(SITE, bytes(16), "zhang", False)


def test_an_audit_at_the_desk_burns_the_counters_below_it(world: World) -> None:
    card = world.card("w3-201", role=CardRole.PLACE)
    harvested = world.read(card)
    world.read(card)
    world.now_ns = at("10:00")
    world.ledger.saved(lambda one: one.cards.audit(card, 2, "zhang"))
    world.take(world.tap(harvested, "11:20", device="carried"))
    (visit,) = world.visits()
    assert visit.reviewing and Reason.COUNTER_OUT_OF_ORDER in visit.reasons


def test_sql_answers_as_memory_does(world: World) -> None:
    chance, memory = Random(3), MemoryPast()
    past = SqlPast(world.ledger.book.db, lambda card: card)
    world.ledger.book.db.execute("BEGIN")
    for n in range(400):
        card, counter = f"c-{n % 3}", chance.choice([None, chance.randrange(60)])
        fact = TapFact(
            f"t{n}", SITE, f"d{chance.randrange(3)}", "p", chance.randrange(3), n, counter, chance.randrange(10**6), 1000
        )
        remember(world.ledger.book.db, card, fact)
        memory.add(card, fact)
    world.ledger.book.db.execute("COMMIT")
    for n in range(300):
        card, counter, time_ns = f"c-{n % 4}", chance.randrange(60), chance.randrange(10**6)
        assert past.same(card, counter) == memory.same(card, counter)
        for side in ("lower", "higher"):
            one, two = getattr(past, side)(card, counter, 5), getattr(memory, side)(card, counter, 5)
            assert [fact.counter for fact in one] == [fact.counter for fact in two]
        assert {f.tap for f in past.recent(card, time_ns, 20_000)} == {f.tap for f in memory.recent(card, time_ns, 20_000)}
        where = (SITE, f"d{n % 3}", n % 3, n)
        assert past.stream(card, *where) == memory.stream(card, *where)


# Meals at a counter


def test_a_meal_weighed_at_a_counter_is_served_and_an_elder_who_eats_there_is_a_visit(world: World) -> None:
    courier, elder = world.card("k-1"), world.card("e-9", role=CardRole.ELDER)
    world.take(
        world.tap(world.read(courier), "10:30", "counter-1", mass_g=420.0, calibration="cal-1"),
        world.tap(world.read(elder), "11:40", "counter-1", mass_g=388.0, calibration="cal-1"),
    )
    with world.look() as ledger:
        assert [(s.holder, s.mass_g) for s in ledger.served(site=SITE)] == [("k-1", 420.0), ("e-9", 388.0)]
        (visit,) = ledger.visits()
    assert (visit.person, visit.place, visit.state) == ("e-9", "canteen", State.ON_TIME)


def test_a_tap_at_the_desk_reader_is_no_visit(world: World) -> None:
    card = world.card("k-1")
    world.take(world.tap(world.read(card), "10:30", "desk-1"))
    with world.look() as ledger:
        assert not ledger.visits()
        assert [t.courier for t in ledger.recent_taps(SITE, "desk-1", 0)] == ["k-1"]


# The file


def test_without_its_key_or_with_another_the_ledger_does_not_open_and_nothing_is_written(world: World) -> None:
    world.card("k-1")
    world.close()
    key = world.key.read_bytes()
    world.key.unlink()
    with pytest.raises(Misconfigured, match="backup"):
        world.open()
    assert not world.key.exists()
    world.key.write_bytes(os.urandom(32))
    world.key.chmod(0o600)
    with pytest.raises(Misconfigured, match="not the key"):
        world.open()
    world.key.chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        world.open()
    world.key.write_bytes(key)
    world.key.chmod(0o600)
    world.open()


class Disk:
    """The ledger's connection, over a disk that fails at these statements, each once."""

    def __init__(self, db: sqlite3.Connection, failing: list[str]) -> None:
        self._db, self._failing = db, failing

    def execute(self, sql: str, *values: Any) -> Any:
        if self._failing and sql.startswith(self._failing[0]):
            del self._failing[0]
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


def test_a_disk_that_fails_twice_leaves_no_hole_in_the_chain(world: World) -> None:
    card, book = world.card("k-1"), world.ledger.book
    taps = [world.tap(world.read(card), clock) for clock in ("11:10", "11:20")]
    db, failing = book.db, ["COMMIT", "SELECT n, hash"]
    book.db = Disk(db, failing)  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        world.take(taps[0])
    assert not failing
    book.db = db
    world.take(*taps)
    with world.look() as ledger:
        chain.verify(ledger.log())
        assert len(ledger.recent_taps(SITE, "door-1", 0)) == 2


def test_a_damaged_ledger_is_put_aside_and_goes_on_with_what_can_be_read(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    world.take(*(world.tap(world.read(card), "11:20", received_ns=at("11:20") + n) for n in range(300)))
    world.close()
    size = world.path.stat().st_size
    with world.path.open("r+b") as file:
        file.seek(0)
        file.write(b"no database, but")
        file.seek(size // 3 // 4096 * 4096)
        file.write(os.urandom(8 * 4096))
    world.open()
    aside = [f.name for f in world.folder.glob("visits.db.damaged-1*")]
    assert "visits.db.damaged-1" in aside
    assert world.kinds()[-1] == "rescued" or world.kinds() == ["rescued"]


def test_a_page_that_cannot_be_read_costs_only_its_rows(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    world.take(*(world.tap(world.read(card), "11:20", received_ns=at("11:20") + n) for n in range(300)))
    world.close()
    with closing(sqlite3.connect(world.path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'plan'").fetchone()
    with world.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    world.open()
    with world.look() as ledger:
        assert len(ledger.recent_taps(SITE, "door-1", 0, 1000)) == 300
        assert ledger.cards() and not ledger.plans()
        head = ledger.head()[0]
        (rescued,) = ledger.log(head)
        assert (rescued.kind, rescued.body["tap"], rescued.body["plan"]) == ("rescued", 300, 0)
        chain.verify(ledger.log())
    world.plan()
    world.take(world.tap(world.read(card), "11:50"))


class PowerCut(BaseException):
    """Nothing below may catch it."""


@pytest.mark.parametrize("renaming", range(4))
def test_the_power_going_while_a_damaged_ledger_is_replaced_loses_nothing_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch, renaming: int
) -> None:
    card = world.card("k-1")
    world.plan()
    world.take(*(world.tap(world.read(card), "11:20", received_ns=at("11:20") + n) for n in range(30)))
    world.close()
    with closing(sqlite3.connect(world.path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'plan'").fetchone()
    with world.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    left, rename = [renaming], Path.rename

    def renamed(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCut
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    with suppress(PowerCut):
        world.open()
        world.close()
    monkeypatch.undo()
    world.open()
    with world.look() as ledger:
        assert len(ledger.recent_taps(SITE, "door-1", 0, 1000)) == 30
        assert [one.id for one in ledger.cards()] == [card.id]
        assert [entry.kind for entry in ledger.log()].count("rescued") == 1
        chain.verify(ledger.log())


def test_changes_behind_the_lost_end_of_a_damaged_ledger_are_told(world: World) -> None:
    world.plan()
    told = world.rounds.untold(100)[0]
    world.rounds.told(told + 1000)  # as many entries were lost
    world.close()
    with closing(sqlite3.connect(world.path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'reader'").fetchone()
    with world.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    world.open()
    world.take(world.tap(world.read(world.card("k-1")), "11:20"))
    assert [change.state for change in world.rounds.untold(100)[1]] == ["on_time"]


def test_a_day_a_month_and_the_queue_are_found_without_going_through_all_visits_of_a_site(world: World) -> None:
    with world.look() as seen:
        asked: list[str] = []
        seen._db.set_trace_callback(asked.append)
        day = {"site": SITE, "date_from": DAY, "date_to": DAY}
        seen.visits(**day)
        seen.count(**day)
        list(seen.each_visit(**day))
        seen.log_range(**day)
        seen.review_queue(SITE)
        seen.count(site=SITE, reviewing=True)
        seen._db.set_trace_callback(None)
        plans = [seen._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()[0][3] for query in asked]
    assert [plan.split("INDEX ")[1].split()[0] for plan in plans] == ["visit_order"] * 4 + ["visit_review"] * 2


def test_a_look_sees_one_moment_and_never_writes(world: World) -> None:
    card = world.card("k-1")
    world.plan()
    with world.look() as ledger:
        assert ledger.count() == 1  # today's, since there is a plan
        world.take(world.tap(world.read(card), "11:20", "door-2"))
        assert ledger.count() == 1
    with world.look() as ledger:
        assert ledger.count() == 2
        assert ledger.totals(site=SITE).taps == 1
        assert [v.id for v in ledger.each_visit(courier="k-1", date_from=DAY, date_to=DAY)] == [v.id for v in ledger.visits()]
        assert ledger.visit_of_tap(f"{SITE}/door-2/1/1") in ledger.visits(place="w3-202")
        first, last = ledger.log_range(site=SITE, date_from=DAY, date_to=DAY)
        assert 0 < first < last <= ledger.head()[0]
        with pytest.raises(sqlite3.Error):
            ledger._db.execute("DELETE FROM visit")
    with pytest.raises(Exception, match="there is no"):
        look.open_ledger(world.folder / "nothing.db")
