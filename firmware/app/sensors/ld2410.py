"""Hi-Link LD2410 (B, C) presence radar over UART at 256000 baud: reports, and the few settings a home needs.

Report:  F4 F3 F2 F1, length, 02 AA, state, moving cm, moving energy, still cm, still energy, detection cm, 55 00, F8 F7 F6 F5
Command: FD FC FB FA, length, command, values, 04 03 02 01. All numbers little endian.
"""

BAUD = 256000
_REPORT_HEAD = b"\xf4\xf3\xf2\xf1"
_REPORT_TAIL = b"\xf8\xf7\xf6\xf5"
_COMMAND_HEAD = b"\xfd\xfc\xfb\xfa"
_COMMAND_TAIL = b"\x04\x03\x02\x01"
_LONGEST = 64  # payload; an engineering report has 35 bytes
_BUFFER = 256


class Report:
    """One look of the radar. Distances in cm, energies 0..100."""

    def __init__(self, payload: bytes):
        self.moving = bool(payload[2] & 1)
        self.still = bool(payload[2] & 2)
        self.moving_cm = payload[3] | payload[4] << 8
        self.moving_energy = payload[5]
        self.still_cm = payload[6] | payload[7] << 8
        self.still_energy = payload[8]
        self.distance_cm = payload[9] | payload[10] << 8

    @property
    def present(self) -> bool:
        return self.moving or self.still


class Ld2410:
    """Reads a UART without blocking. `bad_frames` counts what had to be thrown away."""

    def __init__(self, uart):
        self.uart = uart
        self.bad_frames = 0
        self._buffer = bytearray()

    def poll(self) -> Report | None:
        """The newest whole report among what has arrived since the last call, or None."""
        data = self.uart.read()
        return self.feed(data) if data else None

    def feed(self, data: bytes) -> Report | None:
        self._buffer.extend(data[-_BUFFER:])
        newest = None
        while True:
            payload = self._next_payload()
            if payload is None:
                return newest
            if is_report(payload):
                newest = Report(payload)
            else:
                self.bad_frames += 1

    def _next_payload(self) -> bytes | None:
        buffer = self._buffer
        while True:
            start = buffer.find(_REPORT_HEAD)
            if start < 0:
                self._buffer = buffer[-3:]  # a head may have begun
                return None
            if start:
                buffer = self._buffer = buffer[start:]
            if len(buffer) < 6:
                return None
            length = buffer[4] | buffer[5] << 8
            if length <= _LONGEST:
                if len(buffer) < length + 10:
                    return None
                if bytes(buffer[length + 6 : length + 10]) == _REPORT_TAIL:
                    self._buffer = buffer[length + 10 :]
                    return bytes(buffer[6 : length + 6])
            # A byte was lost or bent: look for the next head behind this one.
            self.bad_frames += 1
            buffer = self._buffer = buffer[4:]


def is_report(payload: bytes) -> bool:
    return len(payload) >= 13 and payload[0] in (1, 2) and payload[1] == 0xAA and payload[-2] == 0x55 and payload[2] <= 3


def command(word: int, value: bytes = b"") -> bytes:
    body = bytes((word & 0xFF, word >> 8)) + value
    return _COMMAND_HEAD + bytes((len(body), 0)) + body + _COMMAND_TAIL


def settings(gates: int, hold_s: int) -> list:
    """The frames that set how far the radar sees (1..8 gates of 0.75 m) and how long it reports somebody who has left.

    Send them in order, 50 ms apart. The radar keeps them without power.
    """
    if not (1 <= gates <= 8 and 0 <= hold_s <= 65535):
        raise ValueError(f"gates 1..8 and hold_s 0..65535 expected, seen {gates} and {hold_s}")
    values = b""
    for key, value in ((0, gates), (1, gates), (2, hold_s)):
        values += bytes((key, 0)) + value.to_bytes(4, "little")
    return [command(0x00FF, b"\x01\x00"), command(0x0060, values), command(0x00FE)]
