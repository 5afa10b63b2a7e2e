"""How many readings a period should have had, by the cadence that the registry says of each device. Pure.

Counted on one clock for all: a device with a cadence of four hours should speak in every fourth hour and not in the three
between, so that the hours of a day add up to what the day should have had.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.events import split_name
from edge_gateway.registry import Device, Registry
from ingest.rows import SUMMED

_POSITION: Final = "position"
_NONE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Plan:
    """What is expected of one device.

    Attributes:
        cadence_ns: between two of its messages.
        series: measurement -> channel -> quantities it is known to send; of these a period without any reading is told too.
        fixed: it stands still: its positions are the registry's, not its own.
    """

    place: str
    cadence_ns: int
    series: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    fixed: bool = False

    def readings(self, measurement: str, start_ns: int, end_ns: int) -> int | None:
        """How many a period should have had of each quantity; None: nobody knows."""
        if self.fixed and measurement == _POSITION:
            return None
        # Multiples of the cadence from the start to before the end.
        return -(-end_ns // self.cadence_ns) - -(-start_ns // self.cadence_ns)

    def channels(self, measurement: str) -> Mapping[str, tuple[str, ...]]:
        """Channel -> quantities that are to come in a measurement; empty: nobody knows which."""
        return self.series.get(measurement, _NONE)


Plans = Mapping[tuple[str, str], Plan]  # by (site, device)


def plans_of(registry: Registry) -> dict[tuple[str, str], Plan]:
    """Of every device that speaks by a cadence; one that is never silent (`silence_s` 0) speaks when something happens."""
    return {key: _plan(device, registry) for key, device in registry.devices.items() if device.silence_s and device.cadence_s}


def _plan(device: Device, registry: Registry) -> Plan:
    fixed = device.lat is not None
    # A home that says nothing may have its reasons: a pause, a person who does not agree. Nobody counts what it did not say.
    series = {} if (device.site, device.place) in registry.homes else _series(device, fixed)
    return Plan(device.place, max(round(device.cadence_s * 1e9), 1), series, fixed)


def _series(device: Device, fixed: bool) -> dict[str, dict[str, tuple[str, ...]]]:
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in sorted(device.measures):
        quantity, channel = split_name(name)
        about = QUANTITIES[quantity]
        if about.kind is not Kind.TEXT and about.group in SUMMED and not (fixed and about.group == _POSITION):
            channels = found.setdefault(about.group, {})
            channels[channel] = (*channels.get(channel, ()), quantity)
    return found
