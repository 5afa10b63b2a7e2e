"""Fixtures of the faults: a seed a test, and worlds that end with it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.phone import Phone
from tests.faults.world import World, seeded
from tests.servers import Mosquitto


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    return seeded(request.node.name)


@pytest.fixture
def world(tmp_path: Path, mosquitto: Mosquitto, random: Random) -> Iterator[Callable[..., World]]:
    """Makes a world on this test's broker; at most one a test."""
    made: list[World] = []

    def make(**arguments: Any) -> World:
        assert not made
        made.append(World(tmp_path, mosquitto, random, **arguments))
        return made[0]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def phone() -> Iterator[Phone]:
    one = Phone()
    yield one
    one.close()
