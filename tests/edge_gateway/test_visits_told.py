"""What the database is told of visits, in the end: each once, where it is now, whatever it was before."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from edge_gateway.events import VisitChange
from tests.couriers.cards import SITE
from tests.edge_gateway.visits_world import DAY, World, at

YESTERDAY = (date.fromisoformat(DAY) - timedelta(1)).isoformat()
Row = tuple[str, str]  # visit, state


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


class Database:
    """Points of one series and time replace each other, as in every database of ours."""

    def __init__(self, world: World, at_once: int = 100) -> None:
        self._world, self._at_once = world, at_once
        self._points: dict[tuple[str, str, str, str, int], VisitChange] = {}

    def hear(self) -> list[VisitChange]:
        """All that was not told yet."""
        told: list[VisitChange] = []
        while True:
            upto, changes = self._world.rounds.untold(self._at_once)
            told += changes
            for one in changes:
                self._points[one.site, one.place, one.service, one.plan, one.time_ns] = one
            if not changes:
                return told
            self._world.rounds.told(upto)

    def rows(self) -> list[Row]:
        return sorted((one.visit, one.state) for one in self._points.values() if one.state != "gone")


def ledger(world: World) -> list[Row]:
    return sorted((one.id, one.state.value) for one in world.visits())


@pytest.mark.parametrize("in_between", [True, False])
def test_a_wrong_door_that_turned_out_to_be_none_is_counted_once(world: World, in_between: bool) -> None:
    card, database = world.card("k-1"), Database(world)
    world.plan()
    first, second = world.read(card), world.read(card)
    world.take(world.tap(first, "11:20", "door-2", received_ns=at("11:25")))
    if in_between:
        database.hear()
    world.take(world.tap(second, "11:40"))
    database.hear()
    assert database.rows() == ledger(world)
    assert {state for _, state in database.rows()} == {"on_time", "unplanned"}


def test_a_line_that_is_moved_today_is_planned_once(world: World) -> None:
    card, database = world.card("k-1"), Database(world)
    world.plan()
    world.pass_time("10:00")
    database.hear()
    world.plan(opens_min=720, closes_min=780)
    world.take(world.tap(world.read(card), "12:20"))
    database.hear()
    assert database.rows() == ledger(world)
    assert [state for _, state in database.rows()] == ["on_time"]


def test_a_line_that_is_moved_to_another_place_is_planned_there_only(world: World) -> None:
    database = Database(world)
    world.plan()
    world.pass_time("10:00")
    database.hear()
    world.plan(place="w3-202")
    world.pass_time("10:30")
    database.hear()
    assert database.rows() == ledger(world)
    assert len(database.rows()) == 1


def test_a_claim_counts_on_the_day_on_which_it_was_and_no_more_on_that_of_the_claim(world: World) -> None:
    database = Database(world)
    world.now_ns = at("09:00")
    _, claim = world.actions.miss(SITE, "k-1", YESTERDAY, "w3-202", "I was there at three", "bath")
    database.hear()
    assert database.rows() == [(claim.id, "unknown")]
    world.actions.decide(SITE, claim.id, "zhang", "change", "asked her", {"start_ns": at("15:00", YESTERDAY)})
    told = database.hear()
    assert [one.state for one in told] == ["gone", told[-1].state]
    assert database.rows() == ledger(world)
    assert told[-1].time_ns == at("15:00", YESTERDAY)


def test_what_stays_where_it_is_is_told_once(world: World) -> None:
    card, database = world.card("k-1"), Database(world)
    world.plan()
    world.pass_time("10:30")
    world.take(world.tap(world.read(card), "11:20"))
    assert [one.state for one in database.hear()] == ["planned", "on_time"]
    assert database.hear() == []


@pytest.mark.parametrize("seed", range(12))
def test_any_day_ends_with_each_visit_once(world: World, seed: int) -> None:
    dice = Random(seed)
    card, database = world.card("k-1"), Database(world, at_once=dice.choice([1, 3, 100]))
    world.plan()
    minute = 10 * 60
    for _ in range(14):
        minute += dice.randrange(1, 25)
        now = f"{minute // 60:02}:{minute % 60:02}"
        event = dice.randrange(6)
        if event == 0:
            world.plan(opens_min=dice.choice([660, 690, 720]), closes_min=800, place=dice.choice(["w3-201", "w3-202"]))
        elif event == 1:
            world.take(world.tap(world.read(card), now, dice.choice(["door-1", "door-2"])))
        elif event == 2 and world.visits():
            seen = dice.choice(world.visits())
            world.actions.decide(SITE, seen.id, "zhang", "change", "asked", {"service": dice.choice(["bath", "meal"])})
        elif event == 3:
            world.actions.miss(SITE, "k-1", DAY, "w3-202", f"at {now}", "meal")
        elif event == 4:
            database.hear()
        world.pass_time(now)
    database.hear()
    assert database.rows() == ledger(world)
    assert len({visit for visit, _ in database.rows()}) == len(database.rows())
    assert database.rows()
