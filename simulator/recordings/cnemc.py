"""Chinese national automatic water stations: the raw JSON answers of the public service, 174 days of 2020.

* A device is a station, found by province and name (19 names occur in several provinces); its id is `cn-` and ten hexadecimal
  digits of SHA-256 over `province/station`, because the names are not ASCII. The registry's note tells the names.
* The value sent is the raw one of the tooltip (`原始值`); the displayed one is always its rounding. `--`, `*` and a
  filtered extreme are missing; which were filtered goes into the text `station_status.filtered`. An empty class is not
  sent; `-` is, as published.
* Times are Beijing time without a year: the file's year, or the year before where that would lie after the file's day. A row
  without a time gets 00:00 of the file's day and states an uncertainty of a day.
* A station may repeat an instant (stopped ones show their last values for weeks; 临淮乡 occurs twice a day): the k-th
  repetition is k microseconds later, in the order of the files, so that nothing is lost and a second import lands on the first.
"""

import hashlib
import html
import json
import re
import tarfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.registry import Device, Site
from simulator.recordings.row import Recording, Row
from simulator.registry_text import registry_text
from simulator.senml import Value

SITE: Final = "cn-stations"
CADENCE_S: Final = 4 * 3600.0
BEIJING: Final = timezone(timedelta(hours=8))
DAY_S: Final = 86_400.0
# cells 5 to 15 of a row, in this order
_QUANTITIES: Final = (
    ("water_temperature", "Cel"),
    ("ph", "pH"),
    ("dissolved_oxygen", "mg/l"),
    ("conductivity", "uS/cm"),
    ("turbidity", "NTU"),
    ("cod_mn", "mg/l"),
    ("ammonia_n", "mg/l"),
    ("total_p", "mg/l"),
    ("total_n", "mg/l"),
    ("chlorophyll_a", "mg/l"),
    ("algae_density", "1/l"),
)
_TAG: Final = re.compile(r"<[^>]*>")
_RAW: Final = re.compile(r"title='原始值：([^']*)'")
_FILTERED: Final = "极值过滤"


def rows(path: Path) -> Iterator[Row]:
    """Every row of every day.

    Raises:
        Rejected: a file that is not one of these answers.
    """
    taken: set[tuple[str, int]] = set()
    for day, cells in _answers(path):
        try:
            row = _row(day, cells)
        except (ValueError, TypeError, IndexError) as error:
            raise Rejected("not_this_recording", f"{day}: {str(cells)[:200]} ({error})") from error
        time_ns = row.time_ns
        while (row.device, time_ns) in taken:
            time_ns += 1000
        taken.add((row.device, time_ns))
        yield row if time_ns == row.time_ns else Row(row.device, time_ns, row.values, row.err_s)


def registry(path: Path) -> str:
    """All stations, with province, name and basin as the note; a station that stopped is no alarm here."""
    notes: dict[tuple[str, str], str] = {}
    for _, cells in _answers(path):
        province, basin, station = cells[0], cells[1], _shown(cells[2])
        notes.setdefault((SITE, device_id(province, station)), f"{province} {station} ({basin})")
    devices = [Device(SITE, device, device, "station", CADENCE_S, 0.0) for _, device in notes]
    return registry_text([Site(SITE, "国家地表水自动监测站")], devices, notes)


def device_id(province: str, station: str) -> str:
    """Stable ASCII id of a station."""
    return f"cn-{hashlib.sha256(f'{province}/{station}'.encode()).hexdigest()[:10]}"


def _answers(path: Path) -> Iterator[tuple[date, list[str]]]:
    """(day of the file, cells) of every table row, in the order of the days."""
    for archive in sorted(path.glob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            for member in sorted((m for m in tar if m.isfile()), key=lambda m: m.name):
                file = tar.extractfile(member)
                if file is None:
                    raise Rejected("not_this_recording", f"{archive.name}: cannot read {member.name}")
                day = date.fromisoformat(Path(member.name).stem)
                for cells in json.load(file)["tbody"]:
                    yield day, cells


def _row(day: date, cells: list[str]) -> Row:
    province, _, station, clock, published, *measured, status = cells
    values = [Value(name, _number(cell), unit) for (name, unit), cell in zip(_QUANTITIES, measured, strict=True)]
    values.append(Value("station_status", status))
    if published:
        values.append(Value("published_class", published))
    if filtered := [name for (name, _), cell in zip(_QUANTITIES, measured, strict=True) if _FILTERED in cell]:
        values.append(Value("station_status.filtered", " ".join(filtered)))
    time = _time(day, clock) if clock else datetime(day.year, day.month, day.day, tzinfo=BEIJING)
    err_s = None if clock else DAY_S
    return Row(device_id(province, _shown(station)), int(time.timestamp()) * 1_000_000_000, tuple(values), err_s)


def _time(day: date, clock: str) -> datetime:
    time = datetime.strptime(f"{day.year}-{clock} +0800", "%Y-%m-%d %H:%M %z")
    # A station that stopped last year still shows its last time.
    return time if time.date() <= day + timedelta(days=1) else time.replace(year=day.year - 1)


def _number(cell: str) -> float | None:
    raw = _RAW.search(cell)
    if raw:
        return float(raw.group(1))
    shown = _shown(cell)
    return None if shown in {"--", "*", ""} else float(shown)


def _shown(cell: str) -> str:
    return html.unescape(_TAG.sub("", cell)).strip()


CNEMC: Final = Recording(
    "cn-stations",
    "1,900 river and lake stations of China, 20,658 rows in 174 days",
    "water/cn_stations",
    SITE,
    rows,
    registry,
    clk="ntp",
    cadence_s=CADENCE_S,
)
