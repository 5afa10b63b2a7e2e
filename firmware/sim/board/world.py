"""A little world around a simulated board, the same for the same seed: somebody at home, a courier, a river."""

import math
from collections.abc import Callable
from random import Random
from typing import Final

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
_SLEEP_H: Final = (22.5, 6.5)
_MEALS_H: Final = (11.5, 17.5)


class Home:
    """Somebody old who lives alone, by the hour of the day (UTC + `zone_h`).

    Args:
        unix_ms: the true time.
    """

    def __init__(self, seed: str, unix_ms: Callable[[], int], zone_h: float = 8) -> None:
        self.random = Random(f"home {seed}")
        self._unix_ms = unix_ms
        self._zone_ms = int(zone_h * HOUR_MS)
        self._warmth = self.random.uniform(-1.5, 1.5)
        self._early_h = self.random.uniform(-0.7, 0.7)

    def hour(self) -> float:
        """Local time of day in hours."""
        return (self._unix_ms() + self._zone_ms) % DAY_MS / HOUR_MS

    def in_bed(self) -> bool:
        down, up = (edge + self._early_h for edge in _SLEEP_H)
        return not up <= self.hour() < down

    def celsius(self) -> float:
        return 21 + self._warmth + 2 * math.sin(2 * math.pi * (self.hour() - 9) / 24)

    def percent(self) -> float:
        return 52 - 8 * math.sin(2 * math.pi * (self.hour() - 9) / 24)

    def radar_cm(self) -> int | None:
        """How far from the radar somebody moves; None: nobody does."""
        return None if self.in_bed() or self.random.random() < 0.3 else self.random.randrange(80, 420)

    def next_movement_ms(self) -> int:
        """Until the PIR sees somebody again."""
        usual_s = 3600 if self.in_bed() else 90
        return int(self.random.expovariate(1 / usual_s) * 1000) + 3000

    def next_door_ms(self) -> int:
        """Until the door is opened again."""
        return int(self.random.expovariate(1 / (12 * 3600 if self.in_bed() else 3 * 3600)) * 1000) + 5000


class Courier:
    """Brings meals around noon and in the evening; between `quick` ones about a minute apart."""

    def __init__(self, seed: str, unix_ms: Callable[[], int], quick: bool, zone_h: float = 8) -> None:
        self.random = Random(f"courier {seed}")
        self._unix_ms = unix_ms
        self._quick = quick
        self._zone_ms = int(zone_h * HOUR_MS)

    def next_ms(self) -> int:
        """Until the card is held to the reader again."""
        if self._quick:
            return int(self.random.uniform(20, 100) * 1000)
        hour = (self._unix_ms() + self._zone_ms) % DAY_MS / HOUR_MS
        wait_h = min((meal - hour) % 24 for meal in _MEALS_H)
        return int((wait_h + self.random.uniform(0, 0.7)) * HOUR_MS)


class River:
    """Water with its days and its slow changes. `unix_ms` is the true time."""

    def __init__(self, seed: str, unix_ms: Callable[[], int]) -> None:
        self._unix_ms = unix_ms
        random = Random(f"river {seed}")
        self.place = (31.2303 + random.uniform(-0.05, 0.05), 121.4741 + random.uniform(-0.05, 0.05))
        self._phases = [random.uniform(0, 2 * math.pi) for _ in range(4)]

    def _wave(self, days: float, which: int) -> float:
        return math.sin(2 * math.pi * self._unix_ms() / (days * DAY_MS) + self._phases[which])

    def celsius(self) -> float:
        return 17 + 2.5 * self._wave(1, 0) + 3 * self._wave(11, 1)

    def ph(self) -> float:
        return 7.6 + 0.25 * self._wave(1, 0) + 0.1 * self._wave(5, 2)

    def oxygen_mg_l(self) -> float:
        return 8.4 + 1.2 * self._wave(1, 0) - 0.05 * (self.celsius() - 17)

    def conductivity_us(self) -> float:
        return 380 + 40 * self._wave(7, 2)

    def level_m(self) -> float:
        return 1.2 + 0.15 * self._wave(9, 3) + 0.02 * self._wave(0.52, 1)

    def battery_v(self) -> float:
        return 3.95 + 0.08 * self._wave(1, 0)
