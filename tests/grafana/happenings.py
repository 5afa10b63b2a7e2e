"""What devices tell in the story that fills the dashboards: recordings of real homes and rivers, and three days of a village.

Times are UTC seconds, and everything ends at `end_s`. The recordings are moved by whole days, so that their mornings stay
mornings; only the last of them may end up to a day earlier than the story.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from random import Random
from typing import Final

from simulator import village
from simulator.plan import Key, Planned, at_once
from simulator.recordings import RECORDINGS
from simulator.recordings.cnemc import device_id
from simulator.recordings.row import Recording, Row
from simulator.replay import pack
from simulator.senml import Instant, Loss, Value
from tests.grafana.meals import Meals
from tests.grafana.telling import Speaker, Told
from tests.recordings.expected import EXPECTED, Expected, cn_answers

DAY_S: Final = 86_400
DAY_NS: Final = DAY_S * 10**9
# Of each recording the last so many days; the rest would say nothing new and take longer.
RECORDED: Final = {"casas-al": 10, "logan-main-street-2017": 150, "logan-tony-grove-2014": 40, "cn-stations": 200}
PROVINCE: Final = ("浙江省", "太湖流域")  # of 1,900 stations every fourth of one province and basin
LIVED_S: Final = 2 * DAY_S  # of the village
BEGINS_S: Final = 3 * DAY_S  # before the end: until then nothing but recordings
TOWN: Final = "wutong"
RIVER: Final = "qingxi"
# Namesakes in another community and another river: whoever takes them together shows nonsense.
HOMES: Final = ((TOWN, "home-1"), (TOWN, "home-2"), (TOWN, "home-3"), ("hehuan", "home-1"))
STREAM: Final = ("baisha", "probe-2")
FELL_SILENT_S: Final = 3 * 3600.0  # before the end somebody pulls home-2's plug
REBOOT_S: Final = 20 * 3600.0
HEALTH: Final = frozenset(
    {"rssi", "memory_free", "uptime", "outbox_records", "restarts", "reconnects", "battery_level", "battery_voltage"}
    | {"firmware", "reset_cause"}
)
DEPTH: Final = "2m"
# What probe-3 measures at a depth of its own: in the middle of the believable range, and beyond it; in the catalogue's unit.
WATER: Final = {
    "water_temperature": (19.0, 55.0), "ph": (7.6, 15.0), "dissolved_oxygen": (7.9, 31.0), "conductivity": (0.04, 9.0),
    "turbidity": (12.0, 5000.0), "water_level": (1.4, 120.0), "cod_mn": (3.1, 2000.0), "ammonia_n": (0.2, 2000.0),
    "total_p": (0.09, 2000.0), "total_n": (1.4, 2000.0), "chlorophyll_a": (0.004, 20.0), "algae_density": (2e6, 2e13),
}  # fmt: skip


@dataclass
class Script:
    """All messages of the story, in the order in which they come.

    Attributes:
        end_s: UTC.
    """

    data: Path
    end_s: float

    def messages(self) -> Iterator[Told]:
        told = [*(self._recorded(RECORDINGS[name]) for name in RECORDED), *self._village(), Meals(self.end_s).messages()]
        ordered = sorted((one for each in told for one in each), key=lambda one: one.at_s)
        return takewhile(lambda one: one.at_s <= self.end_s, ordered)

    # --- recordings

    def _recorded(self, recording: Recording) -> Iterator[Told]:
        rows = self.rows(recording)
        shift_ns = self.shift_ns(recording, rows)
        began_s = (min(row.time_ns for row in rows) + shift_ns) / 1e9 - 60
        speakers: dict[Key, Speaker] = {}
        for planned in pack(rows, recording.site, shift_ns):
            speaker = speakers.get(planned.key)
            if speaker is None:
                speaker = speakers[planned.key] = Speaker(*planned.key, began_s)
                yield speaker.born(planned.at_s - 1, recording.cadence_s, f"replay {recording.name}")
            yield speaker.says(planned)

    def rows(self, recording: Recording) -> list[Row]:
        """Those that are told."""
        rows: Iterable[Row] = recording.rows(self.data / recording.path)
        if recording.name == "cn-stations":
            chosen = stations(self.data)
            rows = (row for row in rows if row.device in chosen)
        found = list(rows)
        since_ns = max(row.time_ns for row in found) - RECORDED[recording.name] * DAY_NS
        return [row for row in found if row.time_ns > since_ns]

    def shift_ns(self, recording: Recording, rows: Iterable[Row]) -> int:
        last_ns = max(row.time_ns for row in rows)
        return (round(self.end_s * 1e9) - last_ns) // DAY_NS * DAY_NS

    def expected(self, name: str) -> Iterator[Expected]:
        """What of a recording must be in the database, by code that shares nothing with what sent it."""
        path, read = EXPECTED[name]
        chosen = stations(self.data) if name == "cn-stations" else frozenset[str]()
        found = [one for one in read(self.data / path) if not chosen or one[0] in chosen]
        last_ns = max(one[2] for one in found)
        shift_ns = (round(self.end_s * 1e9) - last_ns) // DAY_NS * DAY_NS
        for device, quantity, time_ns, value in found:
            if time_ns > last_ns - RECORDED[name] * DAY_NS:
                yield device, quantity, time_ns + shift_ns, value

    # --- the village

    def _village(self) -> Iterator[Iterable[Told]]:
        start_s = self.end_s - LIVED_S
        for site, name in HOMES:
            plan = village.home(Random(f"grafana/{site}/{name}"), (site, name), start_s)
            ends_s = self.end_s - (FELL_SILENT_S if name == "home-2" else 0)
            yield self._lived(site, name, plan, ends_s, 60.0)
        for site, name, life in ((RIVER, "probe-1", village.boat), (RIVER, "probe-2", village.probe), (*STREAM, village.probe)):
            plan = life(Random(f"grafana/{site}/{name}"), (site, name), start_s)
            yield self._lived(site, name, plan, self.end_s, 300.0)
        yield self._deep()
        yield self._strange()

    def _lived(self, site: str, device: str, plan: Iterator[Planned], ends_s: float, cadence_s: float) -> Iterator[Told]:
        """A life with one reboot, one message that came twice and one range that was lost."""
        start_s = self.end_s - LIVED_S
        speaker = Speaker(site, device, start_s - 600)
        yield speaker.born(start_s - 1, cadence_s, "1.2.0 3fa1")
        beats = count(1)
        for planned in takewhile(lambda one: one.at_s < ends_s, plan):
            number = next(beats)
            if planned.at_s > self.end_s - REBOOT_S and speaker.boot == 1:
                yield speaker.gone(planned.at_s - 30)
                speaker.boot, speaker.seq, speaker.began_s = 2, 0, planned.at_s - 20
                yield speaker.born(planned.at_s - 15, cadence_s, "1.2.1 77c0")
            health = self._health(planned, number, device) if number % 20 == 1 else None
            if health is not None:
                yield speaker.says(health)
            if number in (200, 2000, 450):
                speaker.seq += 4  # dropped by the device, which says so with its next message
                yield speaker.says(planned, losses=(Loss(speaker.boot, speaker.seq - 3, speaker.seq),))
                continue
            told = speaker.says(planned)
            yield told
            if number % 300 == 0:
                yield Told(told.at_s + 20, site, device, told.lane, told.payload)

    @staticmethod
    def _health(planned: Planned, number: int, device: str) -> Planned:
        level = max(12.0, 80.0 - number / 40) if device == "home-3" else 90.0 - number / 200
        values: tuple[Value, ...] = (
            Value("rssi", -95.0 - number % 7, "dBW"),
            Value("memory_free", 61_000.0 + number % 900, "B"),
            Value("uptime", float(number * 60), "s"),
            Value("outbox_records", float(number % 3), "count"),
            Value("restarts", 0.0, "count"),
            Value("reconnects", float(number // 400), "count"),
            Value("battery_level", round(level, 1), "%EL"),
            Value("battery_voltage", round(3.5 + level / 200, 3), "V"),
            Value("firmware", "1.2.1 77c0"),
            Value("reset_cause", "power on"),
        )
        if device.startswith("home-"):
            night = village.hour_of(planned.at_s) < 6
            values += (
                Value("bed", night),
                Value("bed.guest", False),
                Value("presence.living_room", not night),
                Value("temperature.bedroom", 18.0 + number % 30 / 10, "Cel"),
                Value("temperature.balcony", 40.0, "Cel"),  # nobody lives there
                Value("co2", 600.0 + number % 50, "ppm"),
            )
        at_s = planned.at_s - 5
        return Planned(planned.key, at_s, (Instant(round(at_s * 1e6) * 1000, values),))

    def _deep(self) -> Iterator[Told]:
        """probe-3: of twenty readings one is impossible and two have no value; once it was calibrated and once maintained."""
        start_s = self.end_s - LIVED_S
        speaker = Speaker(RIVER, "probe-3", start_s - 60)
        yield speaker.born(start_s - 1, 900.0, "1.2.0 3fa1")
        for number in range(round(LIVED_S / 900)):
            at_s = start_s + 900 * number
            turn = number % 20
            values = [
                Value(f"{name}.{DEPTH}", None if turn in (3, 4) else bad if turn == 9 else round(good + good * turn / 200, 6))
                for name, (good, bad) in WATER.items()
            ]
            values.append(Value("station_status", "维护" if number % 60 == 55 else "正常"))
            if number % 60 == 56:
                values.append(Value("calibration", "pH 4.01 7.00 9.18"))
            yield speaker.says(at_once((RIVER, "probe-3"), at_s, *values))

    def _strange(self) -> Iterator[Told]:
        """A device nobody registered, and bytes that are no message."""
        for number in range(3):
            at_s = self.end_s - 5 * 3600 + 600 * number
            guest = Speaker(TOWN, "new-device", at_s - 60)
            yield guest.says(at_once((TOWN, "new-device"), at_s, Value("temperature", 21.0)))
            yield Told(at_s + 1, TOWN, "home-1", "data", b"[{ no message")


def stations(data: Path) -> frozenset[str]:
    """Ids of every fourth station of one province and basin."""
    found = {
        device_id(cells[0], _shown(cells[2]))
        for _, answer in cn_answers(data / RECORDINGS["cn-stations"].path)
        for cells in _rows(answer)
        if (cells[0], cells[1]) == PROVINCE
    }
    assert found, PROVINCE
    return frozenset(sorted(found)[::4])


def _rows(answer: dict[str, object]) -> list[list[str]]:
    rows = answer["tbody"]
    assert isinstance(rows, list)
    return rows


def _shown(cell: str) -> str:
    return html.unescape(re.sub("<[^>]*>", "", cell)).strip()
