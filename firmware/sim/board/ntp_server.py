"""An NTP server on 127.0.0.1 that tells the world's time, which for a virtual board is virtual."""

import socket
import struct
import threading
from collections.abc import Callable
from typing import Final

_TO_1900_S: Final = 2208988800


class NtpServer:
    """Answers one datagram with one.

    Args:
        unix_ms: the true time.
    Attributes:
        off_ms: how much it lies.
        silent: it does not answer.
        stratum, mode: as told; 2 and 4 (server). Stratum 0 is the kiss of death.
        asked: how often.
    """

    def __init__(self, unix_ms: Callable[[], int]) -> None:
        self.off_ms = 0
        self.silent = False
        self.stratum = 2
        self.mode = 4
        self.asked = 0
        self._unix_ms = unix_ms
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="ntp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self.address)
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._closed:
            asked, who = self._socket.recvfrom(512)
            if len(asked) < 48:
                continue
            self.asked += 1
            if not self.silent:
                self._socket.sendto(self._answer(asked[40:48]), who)

    def _answer(self, originate: bytes) -> bytes:
        now = timestamp(self._unix_ms() + self.off_ms)
        head = struct.pack("!BBbb11s", 4 << 3 | self.mode, self.stratum, 6, -20, b"\0" * 8 + b"SIM")
        return head.ljust(16, b"\0") + now + originate + now + now


def timestamp(unix_ms: int) -> bytes:
    """64-bit NTP time."""
    seconds, ms = divmod(unix_ms, 1000)
    return struct.pack("!II", (seconds + _TO_1900_S) & 0xFFFFFFFF, (ms << 32) // 1000)
