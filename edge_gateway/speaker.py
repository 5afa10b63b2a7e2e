"""Who speaks on a topic, looked up once, and what is remembered of them between messages."""

from dataclasses import dataclass
from typing import Final

from edge_gateway import topics
from edge_gateway.events import Reading, TimeQuality
from edge_gateway.registry import Device, Registry
from edge_gateway.sequence import Boot
from edge_gateway.state import MAX_NAMES, DeviceState, Latest
from edge_gateway.topics import Up
from edge_gateway.work import Key, Work

_RECENT_INSTANTS: Final = 32
_TOPICS: Final = 20_000


@dataclass(slots=True)
class Speaker:
    """One topic, looked up once: who writes it and what is remembered of them."""

    address: topics.Address
    device: Device | None
    state: DeviceState
    # Names measured at recent instants, oldest first, to keep two readings of one instant apart.
    instants: dict[int, list[Reading]]
    place: str
    is_event: bool
    # The commit in which this speaker's state and receipt are already noted, so that most messages need not note them again.
    touched_in: Work | None = None
    owed: Boot | None = None
    owed_in: Work | None = None

    def remember(self, time_ns: int, values: list[Reading]) -> None:
        """Keep the newest value of each name, and what this instant is taken by."""
        instants = self.instants
        if time_ns in instants:
            instants[time_ns] = instants[time_ns] + values
        else:
            instants[time_ns] = values
            if len(instants) > _RECENT_INSTANTS:
                del instants[next(iter(instants))]
        known = self.state
        known.counters.readings += len(values)
        latest = known.latest
        for reading in values:
            last = latest.get(reading.name)
            if last is None:
                if len(latest) >= MAX_NAMES:
                    continue  # stored all the same: only the newest value is not remembered
                latest[reading.name] = Latest(time_ns, reading.value, reading.flag)
            elif last.time_ns <= time_ns:
                last.time_ns, last.value, last.flag = time_ns, reading.value, reading.flag

    def apart(self, time_ns: int, quality: int, values: list[Reading]) -> tuple[int, int]:
        """Another message of this device measured the same name at this instant: keep both, the second 1 ns later, marked."""
        names = {r.name for r in values}
        while any(r.name in names for r in self.instants.get(time_ns, ())):
            time_ns += 1
            quality = TimeQuality.SHIFTED
        return time_ns, int(quality)


class Speakers:
    """Topic -> speaker, for the devices in `states`."""

    def __init__(self) -> None:
        self._by_topic: dict[str, Speaker] = {}
        self._instants: dict[Key, dict[int, list[Reading]]] = {}
        self.get = self._by_topic.get

    def forget(self) -> None:
        """Look everybody up again: the registry changed."""
        self._by_topic.clear()

    def forget_all(self) -> None:
        """As `forget`, and the recent instants too: the states changed under them."""
        self._by_topic.clear()
        self._instants.clear()

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
        speaker = Speaker(
            address, device, known, self._instants_of(key, known, key in states), place, address.channel is Up.EVENT
        )
        if len(self._by_topic) >= _TOPICS:
            self._by_topic.clear()
        self._by_topic[topic] = speaker
        return speaker

    def _instants_of(self, key: Key, known: DeviceState, keep: bool) -> dict[int, list[Reading]]:
        instants = self._instants.get(key)
        if instants is None:
            instants = {}
            for name, latest in sorted(known.latest.items(), key=lambda item: item[1].time_ns):
                instants.setdefault(latest.time_ns, []).append(Reading(name, latest.value))
            if keep:
                self._instants[key] = instants
        return instants
