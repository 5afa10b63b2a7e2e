"""Frames of the PN532 on its serial line: written whole, and found again in whatever bytes arrive.

[55 55 00 00 00]  00 00 FF  LEN LCS        D4 CMD data  DCS 00       LEN + LCS = 0, sum(D4 .. data) + DCS = 0  (mod 256)
                  00 00 FF  FF FF LENm LENl LCS  ...                 more than 255 bytes
                  00 00 FF  00 FF 00                                 ACK; from the host: give up the last command
"""

ACK = b"\x00\x00\xff\x00\xff\x00"
# Five rising edges wake the chip's serial line, the zeros give its oscillator time.
WAKE = b"\x55\x55\x00\x00\x00"
_LONGEST = 300  # a card's answer has at most 262 bytes
_START = b"\x00\xff"


def frame(body: bytes) -> bytes:
    """The bytes to send for D4, command and data."""
    size = len(body)
    if size <= 255:
        head = bytes((size, -size & 0xFF))
    else:
        high, low = size >> 8, size & 0xFF
        head = bytes((0xFF, 0xFF, high, low, -(high + low) & 0xFF))
    return b"\x00" + _START + head + body + bytes((-sum(body) & 0xFF, 0))


class Frames:
    """Takes bytes as they come and gives whole frames.

    bad: how many frames were thrown away for a wrong checksum or an impossible length.
    """

    def __init__(self) -> None:
        self.bad = 0
        self._buffer = b""

    def clear(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        self._buffer = (self._buffer + data)[-2 * _LONGEST :]

    def next(self) -> bytes | None:
        """The next frame's body (D5, code, data), `ACK` for an acknowledgement, or None when more bytes are needed."""
        while True:
            start = self._buffer.find(_START)
            if start < 0:
                self._buffer = self._buffer[-1:]  # its zero may be half of a beginning
                return None
            rest = self._buffer[start + 2 :]
            if len(rest) < 2:
                return None
            if rest[:2] == b"\x00\xff":
                self._buffer = rest[2:]
                return ACK
            if rest[:2] == b"\xff\xff":
                if len(rest) < 5:
                    return None
                size, check, at = rest[2] << 8 | rest[3], sum(rest[2:5]) & 0xFF, 5
            else:
                size, check, at = rest[0], (rest[0] + rest[1]) & 0xFF, 2
            if check or not 0 < size <= _LONGEST:
                # Not a beginning, or a bent one: look again right behind it.
                self.bad += 1
                self._buffer = rest
                continue
            if len(rest) < at + size + 1:
                return None
            body = rest[at : at + size]
            if (sum(body) + rest[at + size]) & 0xFF:
                self.bad += 1
                self._buffer = rest
                continue
            self._buffer = rest[at + size + 1 :]
            return body
