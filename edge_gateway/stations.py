"""Where stations stand, as the registry says: a reading of `lat` and `lon` of each full hour.

A map that reads the database then shows a station also while it is silent. The time is the hour itself, so that a restart or a
second gateway on the same registry writes the same point again.
"""

from typing import TYPE_CHECKING, Final

from edge_gateway import clock
from edge_gateway.events import Flag, Reading, Readings
from edge_gateway.registry import Device, Registry

if TYPE_CHECKING:
    from edge_gateway.service import Gateway

_HOUR_NS: Final = 3600 * 10**9


class Stations:
    """Belongs to one gateway. What a failed transaction took away is written again in the next hour."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._told: dict[tuple[str, str], Readings] = {}

    def tick(self) -> None:
        """As often as one likes: puts into the outbox what is new since the last time."""
        g = self._gateway
        if g.full:
            return
        found = positions(g.pipeline.registry, g.clock_ns())
        new = [entry for key, entry in found.items() if self._told.get(key) != entry]
        self._told = found
        if new:
            g.pipeline.work.data += new
            g.committer.soon()


def positions(registry: Registry, now_ns: int) -> dict[tuple[str, str], Readings]:
    """Of every station with a position, at the full hour before now (wall clock)."""
    hour_ns = now_ns - now_ns % _HOUR_NS
    found = {}
    for key, device in registry.devices.items():
        if device.lat is not None and device.lon is not None:
            found[key] = _reading(device, device.lat, device.lon, hour_ns)
    return found


def _reading(device: Device, lat: float, lon: float, hour_ns: int) -> Readings:
    told = [Reading("lat", lat, int(Flag.PASS)), Reading("lon", lon, int(Flag.PASS))]
    # Boot 0 and number 0: it came in no message. Received at the hour too, so that the same is equal to the same.
    return Readings.of(device.site, device.id, device.place, 0, 0, hour_ns, hour_ns, "ntp", clock.DEVICE, None, told)
