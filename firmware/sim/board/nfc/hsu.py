"""The chip's end of the serial line: frames found in the host's bytes, and frames written."""

from collections.abc import Iterator
from enum import Enum
from itertools import pairwise

ACK = bytes.fromhex("0000ff00ff00")
ERROR = bytes.fromhex("0000ff01ff7f8100")
LONGEST = 265
# Rising edges on the line that wake a sleeping chip, and bytes it then misses while its oscillator starts.
WAKE_EDGES = 5
DEAF_BYTES = 2


class Sign(Enum):
    ACK = "ack"  # from the host: give up
    NACK = "nack"  # send the last answer again
    BAD = "bad"  # wrong checksum


def written(body: bytes) -> bytes:
    size = len(body)
    if size <= 255:
        head = bytes([size, -size & 0xFF])
    else:
        length = size.to_bytes(2, "big")
        head = b"\xff\xff" + length + bytes([-sum(length) & 0xFF])
    return b"\x00\x00\xff" + head + body + bytes([-sum(body) & 0xFF, 0])


class Reader:
    """Takes the host's bytes as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | Sign]:
        self._buffer += data
        while (item := self._take()) is not None:
            yield item

    def _take(self) -> bytes | Sign | None:
        buffer = self._buffer
        start = buffer.find(b"\x00\xff")
        if start < 0:
            del buffer[:-1]
            return None
        del buffer[:start]
        if len(buffer) < 4:
            return None
        first, second = buffer[2], buffer[3]
        if (first, second) in ((0x00, 0xFF), (0xFF, 0x00)):
            del buffer[:4]
            return Sign.ACK if first == 0 else Sign.NACK
        if (first, second) == (0xFF, 0xFF):
            if len(buffer) < 7:
                return None
            at, size, sound = 7, buffer[4] << 8 | buffer[5], sum(buffer[4:7]) & 0xFF == 0
        else:
            at, size, sound = 4, first, (first + second) & 0xFF == 0
        if not sound or not 0 < size <= LONGEST:
            del buffer[:2]
            return Sign.BAD
        if len(buffer) < at + size + 1:
            return None
        body, check = bytes(buffer[at : at + size]), buffer[at + size]
        del buffer[: at + size + 1]
        return body if (sum(body) + check) & 0xFF == 0 else Sign.BAD


def rising_edges(byte: int) -> int:
    """Rising edges of one byte on the wire: start bit 0, eight bits with the lowest first, stop bit 1."""
    levels = [0, *(byte >> i & 1 for i in range(8)), 1]
    return sum(1 for a, b in pairwise(levels) if b > a)
