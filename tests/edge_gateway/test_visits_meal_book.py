"""Meals of a counter in the ledger: what is known of one follows its tap, and the chain keeps each state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_gateway.visits import codec
from edge_gateway.visits.chain import LogEntry
from edge_gateway.visits.records import CardRole, Served, State
from tests.couriers.cards import SITE
from tests.edge_gateway.visits_world import DAY, World, at

CAL = "cal-1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def meals(world: World) -> list[Served]:
    with world.look() as ledger:
        return ledger.served()


def entries(world: World) -> list[LogEntry]:
    with world.look() as ledger:
        return [entry for entry in ledger.log() if entry.kind.startswith("served")]


def test_a_meal_is_an_entry_of_the_chain_with_everything_that_is_known_of_it(world: World) -> None:
    world.take(world.tap(world.read(world.card("k-1")), "10:30", "counter-1", mass_g=420.0, calibration=CAL))
    (meal,), (entry,) = meals(world), entries(world)
    assert (meal.holder, meal.role, meal.mass_g, meal.reviewing) == ("k-1", CardRole.COURIER, 420.0, False)
    assert (entry.kind, entry.subject) == ("served", f"{SITE}|{DAY}/{meal.tap}")
    assert codec.record_of(Served, entry.body) == meal


def test_a_meal_comes_under_review_when_a_later_tap_puts_its_own_in_doubt(world: World) -> None:
    card = world.card("k-1")
    harvested = world.read(card)
    world.take(world.tap(world.read(card), "10:30", "counter-1", mass_g=420.0, calibration=CAL))
    world.take(world.tap(harvested, "17:20", device="door-2"))
    (meal,) = meals(world)
    assert meal.reviewing and meal.mass_g == 420.0
    assert [entry.body["reviewing"] for entry in entries(world)] == [False, True]


def test_what_says_nothing_new_of_a_meal_writes_nothing(world: World) -> None:
    tap = world.tap(world.read(world.card("k-1")), "10:30", "counter-1", mass_g=420.0, calibration=CAL)
    world.take(tap)
    with world.look() as ledger:
        judged, before = ledger.tap(tap.id), ledger.head()
    assert judged is not None
    with world.ledger.book.transaction():
        world.ledger.meals.write(judged)
    with world.look() as ledger:
        assert ledger.head() == before


def test_an_elder_who_was_expected_at_the_counter_and_ate_there_is_not_missed(world: World) -> None:
    card = world.card("e-1", role=CardRole.ELDER)
    world.plan(place="canteen", person="e-1", courier="")
    world.pass_time("11:30")
    world.take(world.tap(world.read(card), "11:40", "counter-1", mass_g=388.0, calibration=CAL))
    world.pass_time("13:30")
    (visit,) = world.visits()
    assert (visit.id, visit.state, visit.start_ns, visit.counted) == (f"meal-1/{DAY}", State.ON_TIME, at("11:40"), True)
    with world.look() as ledger:
        states = [entry.body["state"] for entry in ledger.history(visit.id, SITE)]
    assert "missed" not in states
