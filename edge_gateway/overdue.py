"""How long each device and each quantity has been silent, in time in which the gateway could have heard it. Pure.

Three clocks. The wall clock tells people since when; the monotonic clock of one run tells for how long; the clock of
`Listening` adds up, over all runs, the time in which this gateway heard what devices say. Silence is measured on the third: a
gateway that is down, a broker that is away, a full disk, a wall clock that jumps make nobody silent, nor any silence shorter.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from math import ceil
from typing import Final

import msgspec

from edge_gateway.catalog import EVENTS, OWN_GROUPS, QUANTITIES, Kind
from edge_gateway.events import split_name
from edge_gateway.privacy.consent import needs_consent
from edge_gateway.registry import Device, Registry
from edge_gateway.state import DeviceState, Latest

# A device without `measures` may invent names; so many of them, those met first, are watched.
MOST_NAMES: Final = 64
# Where the store keeps what this module remembers: in the table of homes, at a site that no registry can have.
SITE: Final = "_gateway"
LISTENED, EXPECTED = "listened", "expected"
_SECOND: Final = 1e9
# Steps that are powers of two leave most bits of a float zero: InfluxDB 2 needs 5 bytes a point for them instead of 18.
_EIGHTH: Final = 8.0
_FINE: Final = 1024.0

Key = tuple[str, str]


class Listening:
    """Seconds in which the gateway heard devices, over all its runs."""

    def __init__(self) -> None:
        self._before_s = 0.0
        self._since_ns: int | None = None

    def at_least(self, seconds: float) -> None:
        """What was saved, or what a device says of it; the clock never goes back."""
        self._before_s = max(self._before_s, seconds)

    def hears(self, monotonic_ns: int) -> None:
        """From now on; again while it does already: nothing."""
        if self._since_ns is None:
            self._since_ns = monotonic_ns

    def deaf(self, monotonic_ns: int) -> None:
        """It hears nobody until `hears`."""
        self._before_s, self._since_ns = self.seconds(monotonic_ns), None

    def seconds(self, monotonic_ns: int) -> float:
        """So far."""
        running_ns = 0 if self._since_ns is None else max(0, monotonic_ns - self._since_ns)
        return self._before_s + running_ns / _SECOND


class Since(msgspec.Struct, array_like=True, frozen=True):
    """Since when something is expected: on the clock of `Listening`, and wall clock for people."""

    listened_s: float
    at_ns: int


class Expected(msgspec.Struct, array_like=True):
    """A device of the registry.

    Attributes:
        place: a tag of its series.
        since: since when it is expected.  names: the same of each quantity that its `measures` name.
    """

    place: str
    since: Since
    names: dict[str, Since] = {}


_Packed = dict[str, dict[str, Expected]]  # site -> device
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Packed).decode


def pack(expected: Mapping[Key, Expected]) -> bytes:
    """As it is kept on disk."""
    packed: _Packed = {}
    for (site, device), one in expected.items():
        packed.setdefault(site, {})[device] = one
    return _encode(packed)


def unpack(body: bytes) -> dict[Key, Expected]:
    """Of `pack`.

    Raises:
        msgspec.MsgspecError: the row is damaged.
    """
    return {(site, device): one for site, devices in _decode(body).items() for device, one in devices.items()}


def without(body: bytes, owns: Callable[[str, str, str], bool]) -> bytes | None:
    """A packed row without the devices of which `owns(site, place, device)`; None: it has none, or cannot be read."""
    try:
        expected = unpack(body)
    except msgspec.MsgspecError:
        return None
    stay = {key: one for key, one in expected.items() if not owns(key[0], one.place, key[1])}
    return None if len(stay) == len(expected) else pack(stay)


def follow(expected: dict[Key, Expected], registry: Registry, now: Since) -> bool:
    """Bring `expected` up to the registry; what is new in it counts from now. Whether anything changed."""
    gone = [key for key in expected if key not in registry.devices]
    for key in gone:
        del expected[key]
    changed = bool(gone)
    for key, device in registry.devices.items():
        names = [name for name in sorted(device.measures) if is_measured(name)]
        known = expected.get(key)
        if known is None:
            expected[key] = Expected(device.place, now, dict.fromkeys(names, now))
        elif known.place == device.place and known.names.keys() == set(names):
            continue
        else:
            known.place, known.names = device.place, {name: known.names.get(name, now) for name in names}
        changed = True
    return changed


def shift(expected: dict[Key, Expected], by_ns: int) -> None:
    """The wall clock jumped: what was a while ago stays that while ago."""
    for one in expected.values():
        one.since = msgspec.structs.replace(one.since, at_ns=one.since.at_ns + by_ns)
        one.names = {name: Since(since.listened_s, since.at_ns + by_ns) for name, since in one.names.items()}


@dataclass(frozen=True, slots=True)
class Silence:
    """How long something has been silent; `age_s` by the wall clock, `listened_s` as far as it could have been heard."""

    age_s: float
    listened_s: float

    @property
    def told_s(self) -> float:
        """The age as it is written down, to an eighth of a second."""
        return round(self.age_s * _EIGHTH) / _EIGHTH

    def against(self, limit_s: float) -> float:
        """The ratio that is silent above 1, to 1/1024 and never less than it is; 0 where there is no limit."""
        return ceil(self.listened_s / limit_s * _FINE) / _FINE if limit_s > 0 else 0.0


def of_device(state: DeviceState | None, expected: Expected, listened_s: float, now_ns: int) -> Silence:
    """Since it was heard; of one that never was, or not since somebody registered it anew, since it is expected."""
    heard = state is not None and state.heard_ns > 0
    since_s = max(state.listened_s, expected.since.listened_s) if state is not None and heard else expected.since.listened_s
    since_ns = state.heard_ns if state is not None and heard else expected.since.at_ns
    return _silence(since_ns, since_s, listened_s, now_ns)


def of_quantity(latest: Latest | None, since: Since, listened_s: float, now_ns: int) -> Silence:
    """Since a believable value was measured (age), and since one came in; without any, since it is expected."""
    if latest is None or not latest.seen_ns:
        return _silence(since.at_ns, since.listened_s, listened_s, now_ns)
    return _silence(latest.seen_ns, max(latest.seen_s, since.listened_s), listened_s, now_ns)


def _silence(since_ns: int, since_s: float, listened_s: float, now_ns: int) -> Silence:
    heard_s = max(0.0, listened_s - since_s)
    # So long at least: what a clock wrote down that was a year ahead would else be fresh until that time comes.
    return Silence(max((now_ns - since_ns) / _SECOND, heard_s), heard_s)


def limit_s(name: str, device: Device) -> float:
    """Longest silence of one quantity that is normal: the device's and the catalogue's; 0: nobody expects the device."""
    return max(device.silence_s, QUANTITIES[split_name(name)[0]].silence_s) if device.silence_s > 0 else 0.0


def quantities(device: Device, latest: Iterable[str], consented: bool) -> tuple[str, ...]:
    """The quantities of which something is expected: those the registry names, else those it has told.

    Args:
        consented: the home may be watched; without that word nothing that tells of its person is expected, or written.
    """
    if device.measures:
        return _declared(device.measures, consented)
    return _watched(latest, consented, MOST_NAMES)


@lru_cache(maxsize=1024)
def _declared(measures: frozenset[str], consented: bool) -> tuple[str, ...]:
    return _watched(sorted(measures), consented)


def _watched(names: Iterable[str], consented: bool, most: int | None = None) -> tuple[str, ...]:
    # A device that invents a thousand names is not asked for all of them in each round.
    return tuple(islice((name for name in names if is_measured(name) and (consented or not needs_consent(name))), most))


@lru_cache(maxsize=4096)
def is_measured(name: str) -> bool:
    """Whether silence of it means anything: no event, no text, nothing that has no cadence."""
    quantity = QUANTITIES.get(split_name(name)[0])
    return (
        quantity is not None
        and quantity.silence_s > 0
        and quantity.kind is not Kind.TEXT
        and quantity.group not in OWN_GROUPS
        and quantity.name not in EVENTS
    )
