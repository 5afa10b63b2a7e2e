"""Three days of meals in the story: two readers, two couriers, and what goes wrong with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from simulator.couriers import Card
from simulator.plan import Planned
from simulator.senml import Instant, Value
from tests.grafana.telling import Speaker, Told

TOWN: Final = "wutong"
ZONE: Final = ZoneInfo("Asia/Shanghai")
READERS: Final = {"reader-1": "home-1", "reader-2": "home-2"}
FIRST_DAY: Final = -2  # of the story, counted from its last
_BEAT_S: Final = 300.0
# reader-2 is without network: (day, from, to)
_AWAY: Final = ((-1, "10:00", "14:00"), (-1, "16:00", "20:00"), (0, "10:00", "23:00"))


@dataclass(frozen=True)
class Tapped:
    """Somebody held a card to a reader; `skip` readings were lost on the way, `copied`: an old code was shown again; the
    reader knew no time: not `timed`."""

    day: int
    clock: str
    reader: str
    courier: str
    skip: int = 0
    copied: bool = False
    timed: bool = True


TAPS: Final = (
    Tapped(-2, "11:20", "reader-1", "k-1"),
    Tapped(-2, "11:25", "reader-2", "k-1"),
    Tapped(-2, "17:20", "reader-1", "k-1"),
    Tapped(-2, "18:40", "reader-2", "k-2"),  # late
    Tapped(-1, "11:22", "reader-1", "k-1"),
    Tapped(-1, "11:31", "reader-2", "k-1"),  # arrives in the afternoon
    Tapped(-1, "15:05", "reader-1", "k-2"),  # his tea is for the other home
    Tapped(-1, "17:25", "reader-1", "k-1", skip=90),  # somebody looks at it
    Tapped(-1, "18:05", "reader-1", "k-1", copied=True),
    Tapped(-1, "20:30", "reader-1", "k-2"),  # nobody planned it
    Tapped(0, "07:30", "reader-1", "k-1"),  # early
    Tapped(0, "09:30", "reader-1", "k-2", timed=False),
    Tapped(0, "12:20", "reader-1", "k-1"),  # late
)


@dataclass
class Meals:
    """Plan, cards and messages; `end_s` is the end of the story, UTC."""

    end_s: float

    def __post_init__(self) -> None:
        chance = Random("grafana/cards")
        meta = chance.randbytes(16)
        self.cards = {name: Card.made(chance, meta) for name in ("k-1", "k-2")}

    def at(self, day: int, clock: str) -> float:
        """UTC seconds of a local time, `day` 0 is the day of the end."""
        last = datetime.fromtimestamp(self.end_s, ZONE).date()
        return datetime.combine(last + timedelta(day), time.fromisoformat(clock), ZONE).timestamp()

    def plan(self) -> list[dict[str, Any]]:
        """Lunch and dinner in two homes, breakfast in one, tea in the other; a bath in the third, which has no reader."""
        meals = [(f"{meal}-{n}", n, opens, "k-1") for meal, opens in (("lunch", 660), ("dinner", 1020)) for n in (1, 2)]
        meals += [("breakfast-1", 1, 480, "k-1"), ("tea-2", 2, 900, "k-2"), ("bath-3", 3, 750, "k-2")]
        return [
            {"id": name, "site": TOWN, "place": f"home-{n}", "service": "bath" if n == 3 else "meal", "opens_min": opens,
             "closes_min": opens + 60, "late_min": 60, "courier": courier, "person": f"e-{n}"}
            for name, n, opens, courier in meals
        ]  # fmt: skip

    def messages(self) -> Iterator[Told]:
        chance, counters, shown = Random("grafana/taps"), dict.fromkeys(self.cards, 0), dict[str, str]()
        texts: dict[Tapped, str] = {}
        for tapped in TAPS:
            counters[tapped.courier] += 1 + tapped.skip
            if not tapped.copied:
                shown[tapped.courier] = self.cards[tapped.courier].text(counters[tapped.courier], chance)
            texts[tapped] = shown[tapped.courier]
        for reader in READERS:
            yield from self._reader(reader, {one: text for one, text in texts.items() if one.reader == reader})

    def _reader(self, reader: str, texts: dict[Tapped, str]) -> Iterator[Told]:
        away = [(self.at(day, a), self.at(day, b)) for day, a, b in _AWAY] if reader == "reader-2" else []
        began_s = self.at(FIRST_DAY, "06:00")
        speaker = Speaker(TOWN, reader, began_s - 60)
        yield speaker.born(began_s, _BEAT_S, "0.9.4 51de")
        beats = [(began_s + _BEAT_S * n, None) for n in range(1, int((self.end_s - began_s) / _BEAT_S))]
        acts = [(self.at(one.day, one.clock), (text, one.timed)) for one, text in texts.items()]
        was_away = False
        for at_s, act in sorted([*beats, *acts], key=lambda act: act[0]):
            gone = next(((a, b) for a, b in away if a <= at_s < b), None)
            if gone is not None and not was_away:
                yield speaker.gone(gone[0] + 60)
            if gone is None and was_away:
                yield speaker.born(at_s - 1, _BEAT_S, "0.9.4 51de")
            was_away = gone is not None
            late_s = gone[1] + _BEAT_S - at_s if gone is not None else 1.0
            text, timed = act or (None, True)
            speaker.clk = "ntp" if timed else "none"
            yield speaker.says(self._said(reader, at_s, text), late_s)

    @staticmethod
    def _said(reader: str, at_s: float, text: str | None) -> Planned:
        values = (
            (
                Value("battery_level", 88.0, "%EL"),
                Value("outbox_records", 0.0, "count"),
                Value("rssi", -88.0, "dBW"),
                Value("reader_resets", 2.0, "count"),
            )
            if text is None
            else (Value("tap", text), Value("proof", "sun"))
        )
        return Planned((TOWN, reader), at_s, (Instant(round(at_s * 1e6) * 1000, values),), event=text is not None)
