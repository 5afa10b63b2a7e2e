"""LD2410: reports on its own, ten times a second on a real one; answers commands."""

from collections.abc import Callable
from typing import Final

_HEAD, _TAIL = bytes.fromhex("f4f3f2f1"), bytes.fromhex("f8f7f6f5")
_COMMAND_HEAD, _COMMAND_TAIL = bytes.fromhex("fdfcfbfa"), bytes.fromhex("04030201")
_MOVING: Final = 1
_STILL: Final = 2


class Ld2410:
    """Reports what `moving_cm()` and `still_cm()` say, None: nobody.

    Args:
        after: `after(ms, action)` of the board's clock.
        every_ms: a real one reports each 100 ms; a simulated week is quicker with less.

    Attributes:
        settings: key -> value of the last command 0x60 (0 and 1: gates, 2: seconds).
    """

    def __init__(
        self,
        after: Callable[[int, Callable[[], object]], object],
        moving_cm: Callable[[], int | None],
        still_cm: Callable[[], int | None] = lambda: None,
        every_ms: int = 100,
    ) -> None:
        self._after, self._moving_cm, self._still_cm, self._every_ms = after, moving_cm, still_cm, every_ms
        self.settings: dict[int, int] = {}
        self._open = False
        self._heard = b""
        self._send: Callable[..., None] = lambda data, after_ms=0: None

    def connect(self, send: Callable[..., None]) -> None:
        self._send = send
        self._after(self._every_ms, self._tick)

    def receive(self, data: bytes) -> None:
        self._heard += data
        while (end := self._heard.find(_COMMAND_TAIL)) >= 0:
            start = self._heard.find(_COMMAND_HEAD)
            frame, self._heard = self._heard[start + 6 : end] if start >= 0 else b"", self._heard[end + 4 :]
            if len(frame) >= 2:
                self._command(int.from_bytes(frame[:2], "little"), frame[2:])

    def _command(self, word: int, value: bytes) -> None:
        if word == 0x00FF:
            self._open = True
        elif word == 0x00FE:
            self._open = False
        elif word == 0x0060 and self._open:
            self.settings = {
                int.from_bytes(value[i : i + 2], "little"): int.from_bytes(value[i + 2 : i + 6], "little")
                for i in range(0, len(value) - 5, 6)
            }
        elif not self._open:
            return
        body = (word | 0x0100).to_bytes(2, "little") + b"\x00\x00"
        self._send(_COMMAND_HEAD + len(body).to_bytes(2, "little") + body + _COMMAND_TAIL, after_ms=5)

    def _tick(self) -> None:
        if not self._open:
            self._send(report(self._moving_cm(), self._still_cm()))
        self._after(self._every_ms, self._tick)


def report(moving_cm: int | None, still_cm: int | None) -> bytes:
    state = (_MOVING if moving_cm is not None else 0) | (_STILL if still_cm is not None else 0)
    nearest = min((cm for cm in (moving_cm, still_cm) if cm is not None), default=0)
    body = bytes((2, 0xAA, state))
    for cm in (moving_cm, still_cm):
        body += (cm or 0).to_bytes(2, "little") + bytes((0 if cm is None else 60,))
    body += nearest.to_bytes(2, "little") + b"\x55\x00"
    return _HEAD + len(body).to_bytes(2, "little") + body + _TAIL
