"""What the demo's gateway remembers before it starts: how some homes lived in the last weeks, and one that has become quiet.

Weeks are not waited for: the days of the same simulated lives pass through the code that the gateway learns with.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from random import Random
from typing import Any, Final

from edge_gateway.events import Flag
from edge_gateway.homes.home import Watched, pack
from edge_gateway.homes.replay import Replayer
from edge_gateway.homes.seen import Seen
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.homes.watch import NOW, PAST
from edge_gateway.privacy import raw
from edge_gateway.registry import Registry
from edge_gateway.rules import inactivity
from edge_gateway.rules.rule import View
from edge_gateway.settings import Settings
from edge_gateway.store import Store
from edge_gateway.transaction import Commit

Key = tuple[str, str]  # site, device
# `simulator.village.home`: dice, device and beginning (s) to what it is going to say, in order of time.
Life = Callable[[Random, Key, float], Iterator[Any]]

DAYS: Final = 16  # two more than a home's habits need
LIVED: Final = ("home-1", "home-2", "home-3")
_DAY_S: Final = 86_400.0
_ZONE: Final = "Asia/Shanghai"
_STEP_S: Final = 600.0
_LONGEST_S: Final = 20 * 3600.0  # no limit is above 18 h


def remember(settings: Settings, life: Life, lived: Iterable[Key], still: Key, seed: int, now_s: float) -> None:
    """Write into the store of a gateway that does not run: homes that lived until now, and `still`, quiet for too long."""
    homes = [_replayed(key, _days(life, key, seed, now_s), now_s) for key in lived]
    homes.append(_quiet(still, list(_days(life, still, seed, now_s)), now_s))
    store = Store(settings.store_file, raw=raw.load(raw.key_file(settings.store_file), make=True))
    try:
        rows = [(*one.home.key, part, body) for one in homes for part, body in ((NOW, pack(one.home)), (PAST, pack(one.past)))]
        store.commit(Commit(homes=rows))
    finally:
        store.close()


def _quiet(key: Key, days: list[Seen], now_s: float) -> Replayer:
    """It stopped to live at the last moment at which the rule has something to say by now."""
    before = _replayed(key, [seen for seen in days if seen.time_ns < (now_s - _LONGEST_S) * 1e9], now_s - _LONGEST_S)
    one = before
    for quarter in range(16, int(_LONGEST_S / 900)):  # no limit is below 4 h
        one, until_ns = before.fork(), int((now_s - 900.0 * quarter) * 1e9)
        for seen in days:
            if before.now_ns <= seen.time_ns < until_ns:
                one.feed(seen)
        if list(inactivity.look_home(_watched(_until(one, now_s)), View(one.now_ns, Registry(), one.now_ns))):
            break
    return one


def _days(life: Life, key: Key, seed: int, now_s: float) -> Iterator[Seen]:
    """What its sensors of motion and door told; a word that says nothing new is left out."""
    known: dict[str, object] = {}
    plan = life(Random(f"{seed}/{'/'.join(key)}"), key, now_s - DAYS * _DAY_S)
    for planned in takewhile(lambda one: one.at_s < now_s, plan):
        for instant in planned.instants:
            for value in instant.values:
                if not isinstance(value.value, bool) or (not value.value and known.get(value.name) is False):
                    continue
                known[value.name] = value.value
                yield Seen(value.name, float(value.value), Flag.PASS, instant.time_ns, int(planned.at_s * 1e9), key[1])


def _replayed(key: Key, days: Iterable[Seen], now_s: float) -> Replayer:
    replayer = Replayer(HomeSetting(*key), _ZONE, rules=(), step_s=_STEP_S)
    for seen in days:
        replayer.feed(seen)
    return _until(replayer, now_s)


def _until(replayer: Replayer, now_s: float) -> Replayer:
    replayer.advance(int(now_s * 1e9))
    # It was watched since then; that no self-test was made in the weeks before is none of the demo's stories.
    replayer.home.since_ns = replayer.home.life_ns
    return replayer


def _watched(one: Replayer) -> Watched:
    return Watched(HomeSetting(*one.home.key), one.home, one.past, one.now_ns, _ZONE)
