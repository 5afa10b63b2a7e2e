"""What a database must hold after a recording went through the platform, read from the source files by code of its own.

Nothing here uses the importers. Each function yields (device, name, time_ns, value): value in the catalogue's unit, a state as
1.0 or 0.0, None for "measured, but there is no value".
"""

import csv
import datetime as dt
import gzip
import hashlib
import html
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

Expected = tuple[str, str, int, float | str | None]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def casas(path: Path) -> Iterator[Expected]:
    """Two values a line: the sensor's state and the activity."""
    devices = {
        "Bathroom": "bathroom", "Bedroom": "bedroom", "Kitchen": "kitchen", "LivingRoom": "living-room",
        "LoungeChair": "lounge-chair", "OutsideDoor": "outside-door", "WorkArea": "work-area",
    }  # fmt: skip
    names = {
        "Bathroom": "motion.bathroom", "BathroomLight": "light.bathroom_light", "Bedroom": "motion.bedroom",
        "Closet": "motion.closet", "Entry": "motion.entry", "FrontDoor": "contact.front_door", "Kitchen": "motion.kitchen",
        "KitchenLight": "light.kitchen_light", "LivingRoom": "motion.living_room", "WorkArea": "motion.work_area",
        "WorkAreaLight": "light.work_area_light",
    }  # fmt: skip
    for line in path.read_text(encoding="ascii").splitlines():
        day, time, area, sensor, state, activity = line.split(" ")
        hours, minutes, seconds = time.split(":")
        whole = (dt.date.fromisoformat(day) - dt.date(1970, 1, 1)).days * 86_400 + int(hours) * 3600 + int(minutes) * 60
        time_ns = int((whole + Decimal(seconds)) * 10**9)
        yield devices[area], names[sensor], time_ns, 1.0 if state in ("ON", "OPEN") else 0.0
        yield devices[area], "activity", time_ns, activity


def logan(path: Path, device: str) -> Iterator[Expected]:
    """One value a sensor and row."""
    names = {
        "temp": ("water_temperature", 1.0), "cond": ("conductivity", 1e-4), "ph": ("ph", 1.0),
        "do": ("dissolved_oxygen", 1.0), "turb": ("turbidity", 1.0), "stage": ("water_level", 0.01),
    }  # fmt: skip
    with gzip.open(path, "rt", encoding="utf-8", newline=None) as file:
        header, *lines = (line.split(",") for line in file.read().splitlines() if line)
    for cells in lines:
        year, month, day, hour, minute = map(int, re.findall(r"\d+", cells[0])[:5])
        time_ns = (dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(seconds=1) * 10**9
        for column, (name, factor) in names.items():
            if column in header:
                cell = cells[header.index(column)]
                yield device, name, time_ns, None if cell in ("NULL", "-9999", "") else float(cell) * factor


def cn_answers(path: Path) -> Iterator[tuple[dt.date, dict[str, object]]]:
    """(day, answer) of the 174 files."""
    for archive in sorted(path.glob("2020-*.tar.gz")):
        with tarfile.open(archive) as tar:
            names = sorted(name for name in tar.getnames() if name.endswith(".json"))
            for name in names:
                file = tar.extractfile(name)
                assert file is not None
                yield dt.date.fromisoformat(name[-15:-5]), json.loads(file.read())


def cn_stations(path: Path) -> Iterator[Expected]:
    """Eleven values a row, the status, the class where there is one, and what was filtered where something was."""
    names = (
        "water_temperature", "ph", "dissolved_oxygen", "conductivity", "turbidity", "cod_mn", "ammonia_n",
        "total_p", "total_n", "chlorophyll_a", "algae_density",
    )  # fmt: skip
    seen: Counter[tuple[str, int]] = Counter()
    for day, answer in cn_answers(path):
        rows = answer["tbody"]
        assert isinstance(rows, list)
        for cells in rows:
            station = html.unescape(re.sub("<.*?>", "", cells[2])).strip()
            device = "cn-" + hashlib.sha256(f"{cells[0]}/{station}".encode()).hexdigest()[:10]
            if cells[3] is None:
                time = dt.datetime.combine(day, dt.time(), dt.UTC)
            else:
                month, date, hour, minute = map(int, re.split("[- :]", cells[3]))
                year = 2020 if (month, date) <= (day.month, day.day + 1) else 2019
                time = dt.datetime(year, month, date, hour, minute, tzinfo=dt.UTC)
            base_ns = ((time - _EPOCH) // dt.timedelta(seconds=1) - 8 * 3600) * 10**9
            time_ns = base_ns + seen[device, base_ns] * 1000
            seen[device, base_ns] += 1
            filtered = []
            for name, cell in zip(names, cells[5:16], strict=True):
                raw = re.search("原始值：([-0-9.eE+]+)'", cell)
                value = float(raw[1]) if raw else None
                yield device, name, time_ns, value * 1e-4 if value is not None and name == "conductivity" else value
                if "极值过滤" in cell:
                    filtered.append(name)
            yield device, "station_status", time_ns, cells[16]
            if cells[4]:
                yield device, "published_class", time_ns, cells[4]
            if filtered:
                yield device, "station_status.filtered", time_ns, " ".join(filtered)


# name of the recording -> (path below the data folder, expected tuples)
EXPECTED: dict[str, tuple[str, Callable[[Path], Iterator[Expected]]]] = {
    "casas-al": ("homes/casas_al/events_2011-06-15_to_07-04.txt", casas),
    "logan-tony-grove-2014": ("water/logan_river/TonyGrove2014.csv.gz", lambda path: logan(path, "tony-grove")),
    "logan-tony-grove-2019": ("water/logan_river/TonyGrove2019.csv.gz", lambda path: logan(path, "tony-grove")),
    "logan-franklin-basin-2014": ("water/logan_river/FranklinBasin2014.csv.gz", lambda path: logan(path, "franklin-basin")),
    "logan-main-street-2019": ("water/logan_river/MainStreet2019.csv.gz", lambda path: logan(path, "main-street")),
    "logan-main-street-2017": ("water/logan_river/MS2017.csv.gz", lambda path: logan(path, "main-street")),
    "cn-stations": ("water/cn_stations", cn_stations),
}


def label_counts(path: Path) -> dict[str, int]:
    """Values a technician labelled, by column of a Logan file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [c for c in rows[0] if c.endswith("_qual")]
    return {c.removesuffix("_qual"): sum(row[c] not in ("NULL", "", None) for row in rows) for c in columns}
