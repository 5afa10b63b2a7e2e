"""A device's message after decoding and validation, before it has a place in the sequence and a trusted time."""

from collections.abc import Sequence
from typing import Final

import msgspec

from edge_gateway.events import More, Reading, Values, columns_of, readings_of, shape_of

CLOCKS: Final = frozenset({"ntp", "gnss", "rtc", "none"})
LIMIT: Final = 2**32 - 1  # of boot and seq
LATEST_S: Final = 2.0**33  # year 2242: fits 64 bits of nanoseconds, and milliseconds taken for seconds do not pass


class Instant(msgspec.Struct, frozen=True, gc=False):
    """Readings taken together.

    Attributes:
        time_ns: by the device's clock, None when it has none.
        uptime_ns: if it was stated.
        shape, values, more: as in `events.Readings`.
    """

    time_ns: int | None
    uptime_ns: int | None
    shape: str
    values: Values
    more: More | None = None

    @classmethod
    def of(cls, time_ns: int | None, uptime_ns: int | None, readings: Sequence[Reading]) -> "Instant":
        """The instant of these readings."""
        return cls(time_ns, uptime_ns, shape_of(readings), *columns_of(readings))

    @property
    def readings(self) -> list[Reading]:
        """The readings one by one, for whoever is not in a hurry."""
        return readings_of(self.shape, self.values, self.more)


class Refused(msgspec.Struct, frozen=True, gc=False):
    """One record of a message that can never be accepted; its neighbours go on."""

    reason: str
    detail: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """One decoded message.

    Attributes:
        boot, seq: its identity, with the device of the topic.
        clock: ntp, gnss, rtc or none.
        error_s: stated uncertainty of the clock, seconds.
        instants: at least one, unless only losses were declared or everything was refused.
        losses: (boot, first, last) ranges the device dropped.
        refused: records that were taken out.
    """

    boot: int
    seq: int
    clock: str
    error_s: float | None
    instants: list[Instant]
    losses: list[tuple[int, int, int]]
    refused: list[Refused]


class Birth(msgspec.Struct, frozen=True, gc=False):
    """What a device says of itself after each connect, or the broker of it when it is gone; `docs/contract.md` section 5."""

    online: bool
    boot: int | None = None
    clk: str = "none"
    time: float | None = None
    up: float | None = None
    firmware: str = ""
    cadence: float | None = None
    config: int | None = None
    config_error: str = ""
    update: str = ""
    oldest: list[tuple[int, int]] = []  # (boot, lowest seq it still holds), for each boot with unreceipted messages
