"""The time of day from an NTP server (RFC 4330): one question, and an answer that is checked before it is believed."""

import asyncio
import os
import socket
import time

from app import addresses

PORT = 123
_SIZE = 48
_1900_TO_1970_S = 2208988800
_ERA_S = 1 << 32  # the seconds of NTP begin again at 0 in 2036
_UNSYNCHRONISED = 3
_MOST_MS = 0x7FFFFFFF


class Failed(OSError):
    """No usable answer; another server, or the same one later, may give one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


async def query(host: str, timeout_ms: int, port: int = PORT) -> tuple:
    """`(unix_ms, err_ms)` at the moment of returning; the error is half the round trip and what the server says of itself.

    Raises:
        Failed: no answer in time, or one that cannot be believed.
    """
    nonce = os.urandom(8)
    try:
        address = socket.getaddrinfo(addresses.resolve(host), port, 0, socket.SOCK_DGRAM)[0][-1]
        channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        addresses.forget(host)
        raise Failed("%s: %s" % (host, error))
    try:
        channel.setblocking(False)
        channel.connect(address)  # so that only this server is heard
        sent = time.ticks_ms()
        channel.send(request(nonce))
        answer = await asyncio.wait_for_ms(_answer(channel, nonce), timeout_ms)
        round_trip_ms = time.ticks_diff(time.ticks_ms(), sent)
        return told(answer, nonce, round_trip_ms)
    except asyncio.TimeoutError:
        addresses.forget(host)
        raise Failed("%s: no answer within %d ms" % (host, timeout_ms))
    except (OSError, ValueError) as error:
        raise Failed("%s: %s" % (host, error))
    finally:
        channel.close()


async def _answer(channel, nonce: bytes) -> bytes:
    """The first datagram that answers our question; others (late, forged) are passed over."""
    stream = asyncio.StreamReader(channel)
    while True:
        # Only waits: `read(48)` would go on until 48 bytes have come, of however many datagrams.
        await stream.read(0)
        datagram = channel.recv(_SIZE)
        if datagram[24:32] == nonce:
            return datagram


def request(nonce: bytes) -> bytes:
    """A client's question, version 4. Instead of our time it has a `nonce`, which only who saw the question can repeat."""
    return b"\x23" + bytes(39) + nonce


def told(answer: bytes, nonce: bytes, round_trip_ms: int) -> tuple:
    """`(unix_ms, err_ms)` of an answer that came `round_trip_ms` after its question.

    Raises:
        ValueError: it cannot be believed; says why.
    """
    if len(answer) < _SIZE or bytes(answer[24:32]) != nonce:
        raise ValueError("an answer to another question")
    leap, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    if mode != 4:
        raise ValueError("mode %d, no server" % mode)
    if stratum == 0:
        raise ValueError("sent away: %r" % bytes(answer[12:16]))
    if stratum > 15 or leap == _UNSYNCHRONISED:
        raise ValueError("a server that does not know the time")
    received_ms, sent_ms = _unix_ms(answer, 32), _unix_ms(answer, 40)
    inside_ms = sent_ms - received_ms
    if not 0 <= inside_ms <= round_trip_ms + 1:
        raise ValueError("%d ms at the server, %d ms in all" % (inside_ms, round_trip_ms))
    half_ms = (max(0, round_trip_ms - inside_ms) + 1) // 2
    distance_ms = _short_ms(answer, 4) // 2 + _short_ms(answer, 8)
    return sent_ms + half_ms, min(half_ms + distance_ms + 1, _MOST_MS)


def _unix_ms(answer: bytes, at: int) -> int:
    seconds = int.from_bytes(answer[at : at + 4], "big")
    if not seconds:
        raise ValueError("no time in it")
    if seconds < _ERA_S // 2:
        seconds += _ERA_S
    return (seconds - _1900_TO_1970_S) * 1000 + (int.from_bytes(answer[at + 4 : at + 8], "big") * 1000 >> 32)


def _short_ms(answer: bytes, at: int) -> int:
    """NTP's short format, 16 bits of seconds and 16 of fraction (root delay and dispersion)."""
    return int.from_bytes(answer[at : at + 4], "big") * 1000 >> 16
