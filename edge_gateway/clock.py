"""The time of a reading: the device's when it can be trusted, else repaired from boot and uptime, else that of receipt."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.events import TimeQuality
from edge_gateway.message import Birth, Instant
from edge_gateway.sequence import Boot

_S: Final = 1_000_000_000
DEVICE: Final = int(TimeQuality.DEVICE)
REPAIRED: Final = int(TimeQuality.REPAIRED)
RECEIPT: Final = int(TimeQuality.RECEIPT)
LATE: Final = int(TimeQuality.LATE)


@dataclass(frozen=True, slots=True)
class Limits:
    """Which device times are believable, ns: from `floor_ns` to `future_ns` ahead; more than `late_ns` behind is marked."""

    floor_ns: int
    late_ns: int
    future_ns: int

    @classmethod
    def of(cls, floor: str, late_s: float, future_s: float) -> "Limits":
        """From settings; `floor` is ISO 8601 with a zone.

        Raises:
            Misconfigured: `floor` is no such time.
        """
        try:
            moment = datetime.fromisoformat(floor)
        except ValueError as error:
            raise Misconfigured(f"gateway.time_floor is {floor!r}", "write it as 2024-01-01T00:00:00Z") from error
        if moment.tzinfo is None:
            raise Misconfigured(f"gateway.time_floor {floor!r} has no zone", "write it as 2024-01-01T00:00:00Z")
        return cls(int(moment.timestamp()) * _S, int(late_s * _S), int(future_s * _S))

    def believable(self, time_ns: int, received_ns: int) -> bool:
        """Whether a device that says it knows the time can be right. A gateway whose clock is not set contradicts nobody."""
        return self.floor_ns <= time_ns and (time_ns <= received_ns + self.future_ns or received_ns < self.floor_ns)


def measured_at(
    instant: Instant, trusted: bool, boot: Boot, is_current: bool, received_ns: int, limits: Limits
) -> tuple[int, int]:
    """The time of an instant, ns UTC, and its `TimeQuality`.

    Args:
        trusted: the message says its clock is set (`clk` is not `none`).
        boot: its boot, for the pair (UTC, uptime); see `learn`.
        is_current: the device has not rebooted since; only then does the moment of receipt say anything about the uptime.
    """
    time_ns = instant.time_ns
    if trusted and time_ns is not None and limits.believable(time_ns, received_ns):
        return time_ns, DEVICE if received_ns - time_ns <= limits.late_ns else LATE
    uptime_ns = instant.uptime_ns
    if uptime_ns is None:
        return received_ns, RECEIPT
    if boot.offset_ns is not None and limits.believable(boot.offset_ns + uptime_ns, received_ns):
        return boot.offset_ns + uptime_ns, REPAIRED
    if is_current and boot.arrival_ns is not None and limits.believable(boot.arrival_ns + uptime_ns, received_ns):
        return min(boot.arrival_ns + uptime_ns, received_ns), RECEIPT
    return received_ns, RECEIPT


def learn(boot: Boot, time_ns: int | None, uptime_ns: int | None, trusted: bool, received_ns: int, limits: Limits) -> None:
    """Keep what a message or birth says about the relation of uptime and UTC in this boot."""
    if uptime_ns is None:
        return
    arrival_ns = received_ns - uptime_ns
    if boot.arrival_ns is None or arrival_ns < boot.arrival_ns:
        boot.arrival_ns = arrival_ns
    if trusted and time_ns is not None and limits.believable(time_ns, received_ns):
        boot.offset_ns = time_ns - uptime_ns


def learn_birth(boot: Boot, birth: Birth, received_ns: int, limits: Limits) -> None:
    """As `learn`, from a birth message."""
    time_ns = None if birth.time is None else round(birth.time * 1e6) * 1000
    uptime_ns = None if birth.up is None else round(birth.up * 1e6) * 1000
    learn(boot, time_ns, uptime_ns, birth.clk != "none", received_ns, limits)
