"""The supervisor: whoever ends or hangs is started again, and the watchdog is fed only while all are alive."""

import asyncio

from app import supervisor as module
from app import ticks as real
from app.supervisor import Supervisor
from scaffold import run


class Watchdog:
    def __init__(self):
        self.fed = 0

    def feed(self):
        self.fed += 1


class Ticks:
    """`app.ticks` as the supervisor sees it; moved by hand."""

    def __init__(self):
        self.at = 1000

    def now(self):
        return self.at

    since = staticmethod(real.since)
    after = staticmethod(real.after)


def moved(scenario):
    """Run `scenario(ticks)` with time in its hands."""
    ticks = Ticks()
    module.ticks = ticks
    try:
        return run(scenario(ticks))
    finally:
        module.ticks = real


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def stay(beat):
    while True:
        await asyncio.sleep(3600)


def test_a_task_that_raises_is_started_again_with_growing_distance():
    async def scenario(ticks):
        starts = []

        async def fails(beat):
            starts.append(ticks.at)
            raise OSError("no bus")

        keeper = Supervisor()
        keeper.add("sensor", fails)
        for _ in range(40):
            keeper.look()
            await settle()
            ticks.at += 1000
        return starts, keeper.restarts

    starts, restarts = moved(scenario)
    distances = [(starts[i + 1] - starts[i]) // 1000 for i in range(len(starts) - 1)]
    assert distances == [1, 2, 4, 8, 16], distances
    assert restarts == 5


def test_a_failure_is_logged_once_and_its_end_once():
    from app import log

    async def scenario(ticks):
        async def fails(beat):
            if ticks.at < 20_000:
                raise ValueError("bad")
            await stay(beat)

        keeper = Supervisor()
        keeper.add("odd", fails, limit_s=1000)
        for _ in range(200):
            keeper.look()
            await settle()
            ticks.at += 1000

    before = len([line for line in log.lines() if " odd: " in line])
    moved(scenario)
    said = [line for line in log.lines() if " odd: " in line][before:]
    assert len(said) == 2, said
    assert "ValueError: bad" in said[0] and "well again" in said[1]


def test_the_watchdog_starves_when_a_task_hangs_and_cannot_be_ended():
    async def scenario(ticks):
        async def stubborn(beat):
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    if ticks.at > 999_000:
                        raise

        dog = Watchdog()
        keeper = Supervisor(dog)
        keeper.add("stubborn", stubborn, limit_s=30)
        for _ in range(31):
            keeper.look()
            await settle()
            ticks.at += 1000
        fed = dog.fed
        for _ in range(60):
            keeper.look()
            await settle()
            ticks.at += 1000
        ticks.at = 1_000_000
        keeper.look()
        await settle()
        return fed, dog.fed

    fed, later = moved(scenario)
    assert fed == 31
    assert later == 31


def test_a_task_that_hangs_is_ended_and_started_again_then_the_watchdog_is_fed_again():
    async def scenario(ticks):
        starts = []

        async def hangs(beat):
            starts.append(ticks.at)
            await stay(beat)

        dog = Watchdog()
        keeper = Supervisor(dog)
        keeper.add("hangs", hangs, limit_s=10)
        for _ in range(20):
            keeper.look()
            await settle()
            ticks.at += 1000
        return len(starts), dog.fed

    starts, fed = moved(scenario)
    assert starts == 2
    assert 18 <= fed <= 19


def test_one_that_beats_stays():
    async def scenario(ticks):
        starts = []

        async def good(beat):
            starts.append(1)
            while True:
                beat()
                await asyncio.sleep(0)

        keeper = Supervisor(Watchdog())
        keeper.add("good", good, limit_s=5)
        for _ in range(30):
            keeper.look()
            await settle()
            ticks.at += 1000
        return len(starts), keeper.restarts

    assert moved(scenario) == (1, 0)


def reset_after(patience):
    async def scenario(ticks):
        given_up = []

        async def fails(beat):
            raise OSError("gone")

        keeper = Supervisor(None, given_up.append, patience)
        keeper.add("radio", fails)
        for second in range(40_000):
            keeper.look()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if given_up:
                return second, given_up[0]
            ticks.at += 1000
        return None

    return moved(scenario)


def test_a_task_that_only_fails_ends_in_a_reset_which_tells_why():
    second, reason = reset_after(0)
    assert 300 < second < 600
    assert reason == "radio: OSError: gone"


def test_a_reset_that_did_not_help_is_not_repeated_as_soon():
    assert reset_after(3)[0] > 4 * reset_after(0)[0]


def test_a_job_that_fails_disturbs_nobody():
    async def scenario(ticks):
        async def bad():
            raise RuntimeError("job")

        keeper = Supervisor()
        keeper.once("job", bad())
        await settle()
        return keeper._jobs

    assert moved(scenario) == []
