"""Real homes, replayed: on ordinary nights the rules of doors, beds and feet say nothing; what is put into them is found."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_gateway.homes.replay import Replayer
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.rules import bed_exit, deaf, door_night, wandering
from edge_gateway.rules.rule import Finding
from operations.homes.recordings import FRONT, Recording, casas, kasteren, mit, ordonez

MINUTE = 60 * 10**9
RULES = (door_night.RULE, wandering.RULE, bed_exit.RULE, deaf.RULE)


def found(recording: Recording, extra: tuple[Seen, ...] = ()) -> list[tuple[str, int]]:
    """(rule, when) of every alert; the recordings' clocks say local time."""
    world = Replayer(HomeSetting("s", "home", prewarn_s=0), "UTC", rules=RULES)
    said = []
    for seen in sorted((*recording.seen, *extra), key=lambda seen: seen.time_ns):
        said += world.feed(seen)
    return [(one.verdict.rule, one.at_ns) for one in said if isinstance(one.verdict, Finding)]


@pytest.mark.parametrize(
    ("name", "read"), [("casas_al", casas), ("kasteren_A", kasteren), ("ordonez_A", ordonez), ("mit_subject1", mit)]
)
def test_seventy_nine_ordinary_days_of_four_homes_raise_nothing(
    data: Path, name: str, read: Callable[[Path], Recording]
) -> None:
    assert found(read(data / "homes" / name)) == []


def test_a_door_that_is_left_open_in_a_recorded_night_is_found(data: Path) -> None:
    recording = casas(data / "homes" / "casas_al")
    first = datetime.fromtimestamp(recording.seen[0].time_ns / 1e9, UTC).replace(hour=23, minute=50, second=0, microsecond=0)
    at_ns = int(first.timestamp()) * 10**9
    opened = Seen(FRONT, 1.0, 1, at_ns, at_ns, "front")
    assert not any(seen.name == FRONT and at_ns <= seen.time_ns < at_ns + 20 * MINUTE for seen in recording.seen)
    ((rule, told_ns), *more) = found(recording, (opened,))
    assert (rule, more) == ("door-night", [])
    assert 15 * MINUTE <= told_ns - at_ns <= 17 * MINUTE
