"""At midnight all homes learn at once, and nothing else may wait for that."""

from itertools import pairwise

from edge_gateway.events import Reading, Readings
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.homes.watch import HomeWatch
from edge_gateway.registry import Registry, Site
from edge_gateway.rules.rule import View

SECOND = 10**9
DAY_NS = 86_400 * SECOND
MIDNIGHT_NS = 20_500 * DAY_NS
HOMES = 70


def test_the_days_of_many_homes_are_closed_a_few_at_a_time_and_none_is_forgotten() -> None:
    settings = {("s", f"h-{number}"): HomeSetting("s", f"h-{number}") for number in range(HOMES)}
    registry = Registry({"s": Site("s", "s", "UTC")}, {}, settings)
    watch = HomeWatch(registry)
    before_ns = MIDNIGHT_NS - 60 * SECOND
    watch.look(View(before_ns, registry))
    for site, place in settings:
        moved = [Reading("motion.kitchen", 1.0, 1)]
        watch.observe(Readings.of(site, "d", place, 1, 1, before_ns, before_ns, "ntp", 0, None, moved))
    watch.look(View(before_ns + 10 * SECOND, registry))
    closed = []
    for second in range(8):
        watch.look(View(MIDNIGHT_NS + second * SECOND, registry))
        closed.append(sum(1 for past in watch.pasts.values() if past.days))
    assert closed[0] < HOMES / 2
    assert all(later - earlier <= closed[0] for earlier, later in pairwise(closed))
    assert closed[-1] == HOMES
    assert {home.today.date for home in watch.homes.values() if home.today} == {"2026-02-16"}
