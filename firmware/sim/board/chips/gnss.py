"""A GNSS receiver: once a second two NMEA sentences, no fix at first, its own idea of the date until then."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_SECOND_MS: Final = 1000
_LATE_MS: Final = 180  # after the second it tells, at 9600 baud


class Gnss:
    """Speaks while it has power.

    Args:
        now_ms: of the board. `after(ms, action)` of the board's clock.
        unix_ms: the true time. place: latitude and longitude in degrees.
        fix_after_ms: from power to the first fix: 1 s hot, 30 s cold; None: never (a roof).
    """

    def __init__(
        self,
        now_ms: Callable[[], int],
        after: Callable[[int, Callable[[], object]], object],
        unix_ms: Callable[[], int],
        place: Callable[[], tuple[float, float]],
        fix_after_ms: int | None = 28_000,
    ) -> None:
        self._now_ms, self._after, self._unix_ms, self._place = now_ms, after, unix_ms, place
        self.fix_after_ms = fix_after_ms
        self._on_since: int | None = None
        self._send: Callable[..., None] = lambda data, after_ms=0: None

    def connect(self, send: Callable[..., None]) -> None:
        self._send = send

    def receive(self, data: bytes) -> None:
        """Configuration is taken and ignored."""

    def power(self, on: bool) -> None:
        if not on:
            self._on_since = None
        elif self._on_since is None:
            self._on_since = self._now_ms()
            self._tick(self._on_since)

    def _tick(self, life: int) -> None:
        if self._on_since != life:
            return
        now = self._now_ms()
        fixed = self.fix_after_ms is not None and now - life >= self.fix_after_ms
        second = self._unix_ms() // _SECOND_MS * _SECOND_MS
        self._send(sentences(second if fixed else None, self._place()), after_ms=0)
        # The next sentence comes a little after the next full second.
        self._after(_SECOND_MS - self._unix_ms() % _SECOND_MS + _LATE_MS, lambda: self._tick(life))


def sentences(unix_ms: int | None, place: tuple[float, float], satellites: int = 9) -> bytes:
    """RMC and GGA; without a time those of a receiver that knows nothing yet."""
    if unix_ms is None:
        return sealed("GNRMC,000012.00,V,,,,,,,060180,,,N") + sealed("GNGGA,000012.00,,,,,0,00,99.99,,,,,,")
    at = datetime.fromtimestamp(unix_ms / 1000, UTC)
    clock = at.strftime("%H%M%S") + f".{at.microsecond // 10_000:02d}"
    where = f"{angle(place[0], 2)},{'N' if place[0] >= 0 else 'S'},{angle(place[1], 3)},{'E' if place[1] >= 0 else 'W'}"
    return sealed(f"GNRMC,{clock},A,{where},0.1,,{at:%d%m%y},,,A") + sealed(
        f"GNGGA,{clock},{where},1,{satellites:02d},0.9,12.0,M,9.5,M,,"
    )


def angle(degrees: float, digits: int) -> str:
    whole, minutes = divmod(round(abs(degrees) * 60 * 10**7), 60 * 10**7)
    return f"{whole:0{digits}d}{minutes // 10**7:02d}.{minutes % 10**7:07d}"


def sealed(text: str) -> bytes:
    value = 0
    for byte in text.encode():
        value ^= byte
    return f"${text}*{value:02X}\r\n".encode()
