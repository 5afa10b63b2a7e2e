"""The simulated courier's card is one the gateway knows, its round is in order, and the plan expects it."""

from random import Random

from edge_gateway.nfc import sun
from edge_gateway.visits.plan import check
from simulator.couriers import Courier, couriers, plan


def courier() -> Courier:
    return next(couriers("wutong", [f"home-{n}" for n in range(1, 6)], 1))


def test_the_gateway_reads_the_cards_codes() -> None:
    card, random = courier().card, Random(1)
    for counter in (1, 2, 70_000):
        found = sun.identify(card.text(counter, random), [card.meta])
        assert found is not None
        assert (found.uid, found.counter) == (card.uid, counter)
        assert sun.check(found, card.file)
        assert not sun.check(found, bytes(16))


def test_the_counter_rises_from_door_to_door_and_from_round_to_round() -> None:
    walked = courier()
    taps = [walked.tap(stop, lap, 100_000.0 * lap, Random(stop)) for lap in range(3) for stop in range(5)]
    found = [sun.identify(text, [walked.card.meta]) for _, text in taps]
    assert [one.counter for one in found if one is not None] == list(range(1, 16))
    assert [at_s for at_s, _ in taps] == sorted(at_s for at_s, _ in taps)


def test_the_plan_is_one_the_gateway_takes_and_leaves_one_home_out() -> None:
    for minute in (0, 700, 1439):
        rows = plan(courier(), minute, (690, 1050))
        assert len({check(row).id for row in rows}) == len(rows)
        assert {row["place"] for row in rows} == {"home-1", "home-2", "home-3", "home-4"}
