"""CASAS "AL" home: one resident, 20 days of motion, door and light events, each labelled with an activity.

Lines are `date time area sensor value activity`. A device is an *area* and a channel is a *sensor* (in 4,132 rows the sensor is
not named like its area: `lounge-chair` sends `motion.living_room`), so a row is one instant of one device with two values: the
sensor's state and the activity. The source does not state the zone of its local times; UTC unless the caller knows better.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final

from edge_gateway.errors import Rejected
from edge_gateway.registry import Device, Site
from simulator.recordings.row import Recording, Row
from simulator.registry_text import registry_text
from simulator.senml import Value

SITE: Final = "casas-al"
_STATES: Final = {"ON": ("motion", True), "OFF": ("motion", False), "OPEN": ("contact", True), "CLOSE": ("contact", False)}
# area -> its sensors
_AREAS: Final = {
    "Bathroom": ("Bathroom", "BathroomLight"),
    "Bedroom": ("Bedroom", "Closet"),
    "Kitchen": ("Kitchen", "KitchenLight"),
    "LivingRoom": ("LivingRoom",),
    "LoungeChair": ("LivingRoom",),
    "OutsideDoor": ("Entry", "FrontDoor"),
    "WorkArea": ("WorkArea", "WorkAreaLight"),
}


def rows(path: Path, zone: tzinfo = UTC) -> Iterator[Row]:
    """Every line as a row.

    Raises:
        Rejected: a line that is not one of this recording.
    """
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            try:
                day, time, area, sensor, state, activity = line.split()
                values = (Value(_name(sensor, state), _STATES[state][1]), Value("activity", activity))
                yield Row(_words(area, "-"), _time_ns(day, time, zone), values)
            except (ValueError, KeyError) as error:
                raise Rejected("not_this_recording", f"{path.name}:{number}: {line[:100]!r} ({error})") from error


def registry(_path: Path) -> str:
    """Seven areas of one home; none is ever silent for too long, a person may be out."""
    devices = [
        Device(
            SITE,
            _words(area, "-"),
            place="al-home",
            model="casas",
            silence_s=0.0,
            measures=frozenset({"activity", *(_name(s, "OPEN" if s == "FrontDoor" else "ON") for s in sensors)}),
        )
        for area, sensors in _AREAS.items()
    ]
    return registry_text([Site(SITE, "CASAS AL", "UTC")], devices)


def _time_ns(day: str, time: str, zone: tzinfo) -> int:
    clock, _, fraction = time.partition(".")
    second = datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=zone)
    # The source drops trailing zeros: .14962 is 149,620 us, not 14,962.
    return int(second.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def _name(sensor: str, state: str) -> str:
    quantity = "light" if sensor.endswith("Light") else _STATES[state][0]
    return f"{quantity}.{_words(sensor, '_')}"


def _words(camel: str, joint: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", joint, camel).lower()


CASAS: Final = Recording(
    "casas-al",
    "a home with one resident, 39,768 events in 20 days (WSU CASAS)",
    "homes/casas_al/events_2011-06-15_to_07-04.txt",
    SITE,
    rows,
    registry,
)
