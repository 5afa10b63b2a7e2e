"""Since when each device is quiet: the memory behind the silence rule, on the monotonic clock, which does not jump."""

from collections.abc import Collection

from edge_gateway.registry import Registry
from edge_gateway.rules import Returned, Verdict, View, look, silence
from edge_gateway.rules.rule import HomesSeen, VisitsSeen
from edge_gateway.rules.sensor_watch import SensorWatch


class Watch:
    """What the gateway heard in this run. It is not saved: after a restart every device has its whole time again.

    Attributes:
        heard: (site, device) -> monotonic ns of the last thing received; written by the pipeline for every message.
        visits: what the ledger said last.
        homes: what is known of homes and sites.
        sensors: how each sensor of each device does.
    """

    def __init__(self, registry: Registry) -> None:
        self.heard: dict[tuple[str, str], int] = {}
        self.visits: VisitsSeen | None = None
        self.homes = HomesSeen()
        self.sensors = SensorWatch()
        self._registry = registry
        self._expected: dict[tuple[str, str], int] = {}
        self._listening_since_ns: int | None = None

    def expect(self, registry: Registry, monotonic_ns: int) -> None:
        """A changed registry: a device that is new in it is expected from now on, not from the start of the gateway."""
        added = registry.devices.keys() - self._registry.devices.keys()
        self._expected |= dict.fromkeys(added, monotonic_ns)
        self._registry = registry

    def listening(self, monotonic_ns: int) -> None:
        """The broker was reached: silence is counted from here."""
        self._listening_since_ns = monotonic_ns

    def deaf(self) -> None:
        """The broker is away: nobody can be heard, nobody is accused."""
        self._listening_since_ns = None

    def view(self, now_ns: int, monotonic_ns: int, open_keys: Collection[str]) -> View:
        """What the rules may look at now."""
        heard, since_ns = self.heard, self._listening_since_ns
        expected, visits = self._expected, self.visits
        about = now_ns, self._registry, monotonic_ns, heard, expected, since_ns, open_keys, visits, self.homes
        return View(*about, self.sensors.faulty)

    def look(self, now_ns: int, monotonic_ns: int, open_keys: Collection[str]) -> list[Verdict]:
        """What the rules say to the state of things; call it every few seconds."""
        verdicts = look(self.view(now_ns, monotonic_ns, open_keys))
        for verdict in verdicts:
            if isinstance(verdict, Returned) and (covered := silence.covered_by(verdict.key, self._registry)):
                self._expected |= dict.fromkeys(covered, monotonic_ns)
        return verdicts
