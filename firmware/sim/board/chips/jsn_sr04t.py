"""JSN-SR04T in its serial mode: 0x55 asks, a frame of four bytes answers; no echo, no answer."""

from collections.abc import Callable
from typing import Final

_ASK: Final = 0x55
_NEAR_M, _FAR_M = 0.2, 6.0
_MODULE_M_S: Final = 340.0


class JsnSr04t:
    """Shows `metres()` as a module does that takes sound for 340 m/s fast, in air of `celsius()`.

    Args:
        echo: False: a leaf, foam, an angle; nothing comes back.
    """

    def __init__(
        self, metres: Callable[[], float], celsius: Callable[[], float] = lambda: 14.36, echo: Callable[[], bool] = lambda: True
    ) -> None:
        self._metres, self._celsius, self._echo = metres, celsius, echo
        self._send: Callable[..., None] = lambda data, after_ms=0: None

    def connect(self, send: Callable[..., None]) -> None:
        self._send = send

    def receive(self, data: bytes) -> None:
        metres = self._metres()
        for byte in data:
            if byte == _ASK and self._echo() and _NEAR_M <= metres <= _FAR_M:
                mm = round(metres * 1000 * _MODULE_M_S / (331.3 + 0.606 * self._celsius()))
                body = bytes((0xFF, mm >> 8, mm & 255))
                # There and back, and four characters at 9600 baud.
                self._send(body + bytes((sum(body) & 255,)), after_ms=round(metres * 6) + 5)
