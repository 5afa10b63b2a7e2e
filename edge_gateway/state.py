"""What the gateway remembers of one device, saved as one row in the transaction of the messages that changed it."""

from typing import Final

import msgspec

from edge_gateway.sequence import Boot

# A boot that is forgotten can no longer be told from a new one, so many are kept; an old one costs some 30 bytes.
MAX_BOOTS: Final = 64
# Names with channels, of which a device may invent any number: the row is written with every commit that touches it.
MAX_NAMES: Final = 1024


class Latest(msgspec.Struct, array_like=True, gc=False):
    """The newest value of one name by measurement time, whatever arrived last. Fields may only be added at the end.

    Attributes:
        seen_ns: when its newest believable value was measured, wall clock; 0: there was none.
        seen_s: when such a value was last taken in, on the clock of `listening`.
    """

    time_ns: int
    value: float | str | None
    flag: int
    seen_ns: int = 0
    seen_s: float = 0.0

    def see(self, time_ns: int, listened_s: float) -> None:
        """A believable value came; it may be older than others."""
        self.seen_ns = max(self.seen_ns, time_ns)
        self.seen_s = listened_s


class Counters(msgspec.Struct, array_like=True):
    """Messages by how they ended, since the device was first heard; `stored + duplicate + held + dead` is all there were."""

    stored: int = 0
    duplicate: int = 0
    dead: int = 0
    held: int = 0  # of those now stored or dead, how many were held before; the held ones of now are in the `held` table
    conflict: int = 0  # of the dead: same identity with other content
    readings: int = 0
    refused: int = 0  # single records taken out of stored messages
    lost: int = 0  # declared lost by the device
    late: int = 0
    untimed: int = 0  # entries whose time is the gateway's receipt
    shifted: int = 0
    two_devices: int = 0  # messages that prove two devices use one name
    boots: int = 0  # that were new when they were heard of


class DeviceState(msgspec.Struct, array_like=True):
    """Everything remembered of one device. Fields may only be added at the end, with a default.

    Attributes:
        boots: oldest first; the last is the current one.
        heard_ns: when the gateway last received anything from it, wall clock.
        latest: name -> newest value.
        online: what its last birth or will said; None before the first.
        update: what became of the last update of its firmware, in its own words.
        listened_s: when the gateway last received anything from it, on the clock of `listening`.
    """

    site: str
    device: str
    boots: list[Boot] = []
    heard_ns: int = 0
    latest: dict[str, Latest] = {}
    counters: Counters = msgspec.field(default_factory=Counters)
    online: bool | None = None
    firmware: str = ""
    config: int | None = None
    config_error: str = ""
    update: str = ""
    listened_s: float = 0.0

    def boot(self, number: int) -> tuple[Boot, bool]:
        """The boot with this number (made if new), and whether it is the current one."""
        boots = self.boots
        if boots and boots[-1].boot == number:
            return boots[-1], True
        for boot in boots:
            if boot.boot == number:
                return boot, False
        if len(boots) >= 2:
            boots[-2].settle()
        self._count_boot()
        if len(boots) >= MAX_BOOTS:
            del boots[0]
        boots.append(Boot(number))
        return boots[-1], True

    def past(self, number: int) -> Boot:
        """The boot with this number, made as an old one if it is unknown: a device spoke of a boot we never heard."""
        boot = self.find(number)
        if boot is None:
            self._count_boot()
            boot = Boot(number)
            self.boots.insert(max(len(self.boots) - 1, 0), boot)
            if len(self.boots) > MAX_BOOTS:
                del self.boots[0]
        return boot

    def _count_boot(self) -> None:
        # A state of an older version has counted none; those it remembers were there.
        self.counters.boots = max(self.counters.boots, len(self.boots)) + 1

    def find(self, number: int) -> Boot | None:
        """The boot with this number, if it is remembered."""
        return next((b for b in self.boots if b.boot == number), None)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(DeviceState).decode


def pack(state: DeviceState) -> bytes:
    """The row of a device."""
    return _encode(state)


def unpack(row: bytes) -> DeviceState:
    """A device from its row.

    Raises:
        msgspec.DecodeError: the row is damaged.
    """
    return _decode(row)
