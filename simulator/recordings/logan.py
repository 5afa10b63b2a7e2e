"""Logan River Observatory, Utah: one sonde, every 15 minutes; what the sensors gave, not what was corrected afterwards.

`-9999`, `NULL` and an empty cell are missing. Conductivity is sent in uS/cm and stage in cm, as in the files; the technician's
`_qual` labels stay beside the row. The zone of the times is not stated in the source; UTC unless the caller knows better.
"""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.registry import Device, Site
from simulator.recordings.row import Recording, Row
from simulator.registry_text import registry_text
from simulator.senml import Value

SITE: Final = "logan-river"
CADENCE_S: Final = 900.0
# column -> (name, unit of the file)
_COLUMNS: Final = {
    "temp": ("water_temperature", "Cel"),
    "cond": ("conductivity", "uS/cm"),
    "ph": ("ph", "pH"),
    "do": ("dissolved_oxygen", "mg/l"),
    "turb": ("turbidity", "NTU"),
    "stage": ("water_level", "cm"),
}
_MISSING: Final = frozenset({"", "NULL"})


def rows(path: Path, device: str, zone: tzinfo = UTC) -> Iterator[Row]:
    """Every row of one station's file.

    Raises:
        Rejected: a row that is not one of these files.
    """
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        for number, cells in enumerate(csv.DictReader(file), 2):
            try:
                # Two formats, `2014-05-30 14:30:00.000` and `2019-01-01 00:15`: both are ISO.
                time = datetime.fromisoformat(cells["datetime"]).replace(tzinfo=zone)
                measured = [(name, unit, column) for column, (name, unit) in _COLUMNS.items() if column in cells]
                values = tuple(Value(name, _number(cells[column]), unit) for name, unit, column in measured)
                labels = tuple((n, q) for n, _, c in measured if (q := cells.get(f"{c}_qual") or "NULL") not in _MISSING)
                yield Row(device, int(time.timestamp()) * 1_000_000_000, values, labels=labels)
            except (KeyError, ValueError, TypeError) as error:
                raise Rejected("not_this_recording", f"{path.name}:{number}: {error}") from error


def registry(path: Path, device: str) -> str:
    """One probe with the quantities its file has."""
    with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file))
    measures = frozenset(name for column, (name, _) in _COLUMNS.items() if column in header)
    probe = Device(SITE, device, device, "river_probe", CADENCE_S, 3 * CADENCE_S, measures)
    return registry_text([Site(SITE, "Logan River", "America/Denver")], [probe])


def _number(cell: str) -> float | None:
    if cell in _MISSING:
        return None
    value = float(cell)
    return None if value == -9999 else value


def _recording(name: str, file: str, device: str, title: str) -> Recording:
    return Recording(
        name,
        title,
        f"water/logan_river/{file}.csv.gz",
        SITE,
        partial(rows, device=device),
        partial(registry, device=device),
        cadence_s=CADENCE_S,
    )


LOGAN: Final = (
    _recording("logan-tony-grove-2014", "TonyGrove2014", "tony-grove", "a mountain river, 20,674 rows, with start-up values"),
    _recording("logan-tony-grove-2019", "TonyGrove2019", "tony-grove", "a mountain river, 30,450 rows"),
    _recording("logan-franklin-basin-2014", "FranklinBasin2014", "franklin-basin", "the upper river, 18,668 rows"),
    _recording("logan-main-street-2019", "MainStreet2019", "main-street", "the river in town, 25,881 rows, drifting oxygen"),
    _recording("logan-main-street-2017", "MS2017", "main-street", "the river in town, 35,019 rows, a whole year"),
)
