"""One reading of a home, as evidence and rules see it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of a home, in a lane of readings or of events.

    Attributes:
        name: with channel.  value: as in `events.Reading`; None: the sensor says that it cannot be believed.
        time_ns: when it was measured; received_ns: when it came; wall clock.
        event: it came as an event.
    """

    name: str
    value: float | str | None
    flag: int
    time_ns: int
    received_ns: int
    device: str
    event: bool = False

    @property
    def at_ns(self) -> int:
        """When it was measured, as far as it can be: a device whose clock is ahead tells nothing of the future."""
        return min(self.time_ns, self.received_ns)
