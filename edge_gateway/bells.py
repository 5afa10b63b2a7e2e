"""An SOS that cannot be taken in (unregistered, cut short, a used identity) still rings, once, as far as it can be read."""

import zlib
from typing import Final

from edge_gateway import clock
from edge_gateway.decoders.senml import decode, identity
from edge_gateway.errors import Rejected
from edge_gateway.events import Event, Flag, Reading, split_name
from edge_gateway.speaker import Speaker
from edge_gateway.validate import validate

_RUNG: Final = 10_000


class Bells:
    """Remembers which of these were told: a device sends again what has no receipt."""

    def __init__(self, limits: clock.Limits) -> None:
        self._limits = limits
        self._rung: set[tuple[str, int]] = set()

    def forget(self) -> None:
        """Nothing of what was told is on disk."""
        self._rung.clear()

    def rang(self, topic: str, payload: bytes) -> bool:
        """Whether this message was told already."""
        return bool(self._rung) and (topic, zlib.crc32(payload)) in self._rung

    def heard(self, speaker: Speaker, topic: str, payload: bytes, received_ns: int) -> Event | None:
        """The event to ask the rules about; None when it is no SOS, or was told."""
        told = (topic, zlib.crc32(payload))
        if b"sos" not in payload or told in self._rung:
            return None
        clock_word, time_ns, error_s = "none", None, None
        values = [Reading("sos", None, int(Flag.MISSING))]
        try:
            message = validate(decode(payload), speaker.address)
            instant = next((i for i in message.instants if any(map(is_sos, i.readings))), None)
            if instant is not None:
                clock_word, time_ns, error_s, values = message.clock, instant.time_ns, message.error_s, instant.readings
            elif not any("sos" in refused.detail for refused in message.refused):
                return None
        except Rejected:
            pass  # it names an SOS, and more cannot be read
        if len(self._rung) >= _RUNG:
            self._rung.clear()
        self._rung.add(told)
        known, (boot, seq) = speaker.state, identity(payload) or (0, 0)
        quality = clock.DEVICE
        if time_ns is None or not self._limits.believable(time_ns, received_ns):
            time_ns, quality = received_ns, clock.RECEIPT
        return Event(
            known.site,
            known.device,
            speaker.place,
            boot,
            seq,
            time_ns,
            received_ns,
            clock_word,
            quality,
            error_s,
            next(reading.name for reading in values if is_sos(reading)),
            values,
        )


def is_sos(reading: Reading) -> bool:
    """Whether a reading is of an SOS button, on any channel."""
    return split_name(reading.name)[0] == "sos"
