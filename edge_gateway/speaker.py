"""Who speaks on a topic, looked up once, and what is remembered of them between messages."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from edge_gateway import topics
from edge_gateway.events import Flag, Reading, TimeQuality, Values, columns, columns_of, shape_of
from edge_gateway.likeness import Likenesses
from edge_gateway.registry import Device, Registry
from edge_gateway.sequence import Boot
from edge_gateway.state import MAX_NAMES, DeviceState, Latest
from edge_gateway.topics import Up
from edge_gateway.work import Key, Work

_RECENT_INSTANTS: Final = 32
_TOPICS: Final = 20_000
_FAIL: Final = int(Flag.FAIL)


_Taken = tuple[int, str, Values]  # time_ns, shape and values; see `Readings`


@dataclass(slots=True)
class Recent:
    """What one device measured lately, on all of its topics.

    Attributes:
        state: whose `latest` is behind by what is in `newest`, until `fold`.
        instants: what the last instants are taken by, oldest first, to keep two readings of one instant apart.
        crowded: stated time -> the first that is free behind it. A clock that stands still outlives `instants`.
        newest: by shape, what is not in `state.latest` yet.
    """

    state: DeviceState
    instants: dict[int, _Taken]
    newest: dict[str, _Taken] = field(default_factory=dict)
    crowded: dict[int, int] = field(default_factory=dict)

    def remember(self, time_ns: int, shape: str, values: Values) -> None:
        """Keep the newest value of each name, and what this instant is taken by."""
        taken = time_ns, shape, values
        instants, newest = self.instants, self.newest
        if time_ns in instants:
            _, others, before = instants[time_ns]
            instants[time_ns] = time_ns, f"{others},{shape}", before + values
        else:
            instants[time_ns] = taken
            if len(instants) > _RECENT_INSTANTS:
                del instants[next(iter(instants))]
        self.state.counters.readings += len(values)
        last = newest.get(shape)
        if last is None or last[0] < time_ns:
            newest[shape] = taken
        elif last[0] == time_ns:
            del newest[shape]  # of one instant the last counts, also among shapes that share a name
            newest[shape] = taken

    def fold(self, listened_s: float) -> None:
        """Bring `state.latest` up to date: of each name the value measured last, whatever arrived last."""
        latest = self.state.latest
        for time_ns, shape, values in self.newest.values():
            for (name, flag), value in zip(columns(shape), values, strict=True):
                last = latest.get(name)
                if last is None:
                    if len(latest) >= MAX_NAMES:
                        continue  # stored all the same: only the newest value is not remembered
                    last = latest[name] = Latest(time_ns, value, flag)
                elif last.time_ns <= time_ns:
                    last.time_ns, last.value, last.flag = time_ns, value, flag
                if value is not None and flag != _FAIL:
                    last.see(time_ns, listened_s)
        self.newest.clear()

    def apart(self, time_ns: int, quality: int, shape: str) -> tuple[int, int]:
        """Another message of this device measured the same name at this instant: keep both, the second 1 ns later, marked."""
        names, stated_ns = {name for name, _ in columns(shape)}, time_ns
        if time_ns not in self.instants:
            time_ns, quality = self.crowded[stated_ns], TimeQuality.SHIFTED
        while (taken := self.instants.get(time_ns)) and any(name in names for name, _ in columns(taken[1])):
            time_ns += 1
            quality = TimeQuality.SHIFTED
        if time_ns != stated_ns:
            time_ns = max(time_ns, self.crowded.pop(stated_ns, 0))
            self.crowded[stated_ns] = time_ns + 1
            if len(self.crowded) > _RECENT_INSTANTS:
                del self.crowded[next(iter(self.crowded))]
        return time_ns, int(quality)

    def holds(self, time_ns: int, shape: str, values: Values) -> bool:
        """Whether this instant is taken, and by no other value for any of these names."""
        taken = self.instants.get(time_ns)
        if taken is None:
            return False
        known = {name: value for (name, _), value in zip(columns(taken[1]), taken[2], strict=True)}
        return all(known.get(name, value) == value for (name, _), value in zip(columns(shape), values, strict=True))


@dataclass(slots=True)
class Speaker:
    """One topic, looked up once: who writes it and what is remembered of them."""

    address: topics.Address
    device: Device | None
    state: DeviceState
    recent: Recent
    place: str
    is_event: bool
    home: bool  # its readings tell of a home that is watched over
    # What it has sent; of the other channels nothing is learned.
    alike: Likenesses = field(default_factory=Likenesses)
    # The commit in which this speaker's state and receipt are already noted, so that most messages need not note them again.
    touched_in: Work | None = None
    owed: Boot | None = None
    owed_in: Work | None = None


class Speakers:
    """Topic -> speaker, for the devices in `states`."""

    def __init__(self) -> None:
        self._by_topic: dict[str, Speaker] = {}
        self._recent: dict[Key, Recent] = {}
        self.get = self._by_topic.get

    def forget(self) -> None:
        """Look everybody up again: the registry changed."""
        self._by_topic.clear()

    def forget_all(self) -> None:
        """As `forget`, and what was measured lately too: the states changed under it."""
        self._by_topic.clear()
        self._recent.clear()

    def find(self, topic: str, registry: Registry, states: dict[Key, DeviceState]) -> Speaker:
        """Who writes this topic; a registered device nobody has heard yet gets a state.

        Raises:
            Rejected: `bad_topic`.
        """
        address = topics.parse(topic)
        key = (address.site, address.device)
        device = registry.find(*key)
        known = states.get(key)
        if known is None:
            known = DeviceState(*key)
            if device is not None:
                states[key] = known
        place = device.place if device else ""
        recent = self._recent_of(key, known, key in states)
        home = (address.site, place) in registry.homes
        speaker = Speaker(address, device, known, recent, place, address.channel is Up.EVENT, home)
        if len(self._by_topic) >= _TOPICS:
            self._by_topic.clear()
        self._by_topic[topic] = speaker
        return speaker

    def fold(self, keys: Iterable[Key], listened_s: float) -> None:
        """Bring the `latest` of these devices up to date; `listened_s`: now, on the clock of `listening`."""
        for key in keys:
            recent = self._recent.get(key)
            if recent is not None and recent.newest:
                recent.fold(listened_s)

    def _recent_of(self, key: Key, known: DeviceState, keep: bool) -> Recent:
        recent = self._recent.get(key)
        if recent is None:
            together: dict[int, list[Reading]] = {}
            for name, latest in sorted(known.latest.items(), key=lambda item: item[1].time_ns):
                together.setdefault(latest.time_ns, []).append(Reading(name, latest.value, latest.flag))
            instants: dict[int, _Taken] = {
                time_ns: (time_ns, shape_of(readings), columns_of(readings)[0]) for time_ns, readings in together.items()
            }
            recent = Recent(known, instants)
            # Devices state whole microseconds: what is left over is how far a reading was moved before the restart.
            moved = sorted(time_ns for time_ns in instants if time_ns % 1000)[-_RECENT_INSTANTS:]
            recent.crowded = {time_ns - time_ns % 1000: time_ns + 1 for time_ns in moved}
            if keep:
                self._recent[key] = recent
        return recent
