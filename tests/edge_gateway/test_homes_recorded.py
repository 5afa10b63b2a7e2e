"""Real homes, replayed: who was out is taken for out, who slept is not asked, and a stuck sensor is no life."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from edge_gateway.homes import away, evidence
from edge_gateway.homes.home import Watched
from edge_gateway.homes.replay import Replayer, Said
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules.rule import Finding, Prewarn
from operations.homes.recordings import Recording, casas, kasteren, ordonez

HOUR = 3600 * 10**9
MINUTE = 60 * 10**9


class Played:
    """
    Attributes:
        out: (from, to) when the home was taken for empty.  said: what the rules said.
    """

    def __init__(self, recording: Recording, until_ns: int = 2**63, *, learning: bool = True) -> None:
        self.recording = recording
        self.world = Replayer(HomeSetting("s", "home"), "UTC", learning=learning)
        self.said: list[Said] = []
        self.out: list[tuple[int, int]] = []
        for seen in recording.seen:
            if seen.time_ns >= until_ns:
                self.said += self.world.advance(until_ns)
                break
            self.said += self.world.advance(seen.time_ns)
            before = self.world.home.away
            self.said += self.world.feed(seen)
            if before is not None and self.world.home.away is None:
                self.out.append((before.since_ns, seen.time_ns))

    @property
    def alarms(self) -> list[Finding]:
        """Alerts of inactivity."""
        found = [one.verdict for one in self.said if isinstance(one.verdict, Finding)]
        return [finding for finding in found if finding.rule == "inactivity"]

    def is_out(self, at_ns: int) -> bool:
        """Whether the home was taken for empty then, as known later."""
        return any(start <= at_ns < end for start, end in self.out)


@pytest.fixture(scope="module")
def homes(data: Path) -> Callable[[str], Recording]:
    readers = {"casas_al": casas, "kasteren_A": kasteren, "ordonez_A": ordonez}
    known: dict[str, Recording] = {}

    def read(name: str) -> Recording:
        if name not in known:
            known[name] = readers[name](data / "homes" / name)
        return known[name]

    return read


def test_the_three_long_silences_after_the_front_door_are_absences_and_the_fourth_is_sleep(
    homes: Callable[[str], Recording],
) -> None:
    played = Played(homes("casas_al"))
    long = [(end - start) / HOUR for start, end in played.out if end - start >= 4 * HOUR]
    assert long == [pytest.approx(hours, abs=0.01) for hours in (5.44, 4.32, 4.16)]
    assert played.alarms == []
    assert [one for one in played.said if isinstance(one.verdict, Prewarn)] == [], "nobody was even asked in twenty days"


def test_nearly_every_hour_that_people_labelled_as_out_is_taken_for_out(homes: Callable[[str], Recording]) -> None:
    for name, least in (("casas_al", 0.94), ("kasteren_A", 0.97)):
        played = Played(homes(name))
        minutes = [t for start, end in played.recording.out if end - start > 30 * MINUTE for t in range(start, end, MINUTE)]
        found = sum(played.is_out(minute) for minute in minutes) / len(minutes)
        assert found >= least, (name, found)


def test_who_is_at_home_is_hardly_ever_taken_for_out(homes: Callable[[str], Recording]) -> None:
    for name, most in (("casas_al", 0.004), ("kasteren_A", 0.02)):
        played = Played(homes(name))
        start, end = played.recording.span
        out = [(left - 5 * MINUTE, back + 5 * MINUTE) for left, back in played.recording.out]
        at_home = [t for t in range(start, end, MINUTE) if not any(left <= t < back for left, back in out)]
        wrong = sum(played.is_out(minute) for minute in at_home) / len(at_home)
        assert wrong <= most, (name, wrong)


def test_a_microwave_that_says_on_for_a_week_is_no_life(homes: Callable[[str], Recording]) -> None:
    recording = homes("kasteren_A")
    name = next(seen.name for seen in recording.seen if "microwave" in seen.name)
    world = Replayer(HomeSetting("s", "home"), "UTC")
    told = [seen for seen in recording.seen if seen.name == name]
    for seen in told:
        world.feed(seen)
    stuck = max(pairwise(told), key=lambda pair: pair[1].time_ns - pair[0].time_ns)
    assert (stuck[1].time_ns - stuck[0].time_ns) / HOUR > 160
    assert all(not stuck[0].time_ns + HOUR < sign.time_ns < stuck[1].time_ns for sign in world.home.signs)


def test_ten_hours_in_a_held_bed_are_no_silence(homes: Callable[[str], Recording]) -> None:
    played = Played(homes("ordonez_A"))
    beds = [day.held_s[0] / 3600 for day in played.world.past.days]
    assert max(beds) > 10
    assert played.alarms == []
    assert max(max(day.longest_s) for day in played.world.past.days) < 5 * 3600, "what was slept in a bed teaches no silence"


def test_a_home_of_its_own_limits_calls_three_times_as_early_by_day(homes: Callable[[str], Recording]) -> None:
    recording = homes("casas_al")
    start, _ = recording.span
    noon_ns = start - start % (24 * HOUR) + 17 * 24 * HOUR + 12 * HOUR
    delays = []
    for learning in (True, False):
        world = Played(recording, noon_ns, learning=learning).world.fork()
        assert world.home.away is None
        (called,) = [one for one in world.advance(noon_ns + 15 * HOUR) if isinstance(one.verdict, Finding)][:1]
        delays.append((called.at_ns - world.home.life_ns) / HOUR)
    assert delays == [pytest.approx(4.17, abs=0.05), pytest.approx(12.17, abs=0.05)]


def test_a_fork_changes_nothing_in_the_world_it_came_from(homes: Callable[[str], Recording]) -> None:
    recording = homes("ordonez_A")
    whole, parted = Replayer(HomeSetting("s", "home"), "UTC"), Replayer(HomeSetting("s", "home"), "UTC")
    for number, seen in enumerate(recording.seen):
        whole.feed(seen)
        if number % 50 == 0:
            parted.fork().advance(seen.time_ns + 30 * HOUR)
        parted.feed(seen)
    assert (whole.home, whole.past, whole.open) == (parted.home, parted.past, parted.open)
    watched = Watched(HomeSetting("s", "home"), whole.home, whole.past)
    assert evidence.quiet(watched, whole.now_ns).seconds < 12 * 3600
    assert whole.home.away is None or whole.home.away.kind == away.OUT
