"""Recorded homes of people who live alone, as the readings an `elder_home` and its sensors would have sent.

None of the sources states the zone of its local times: UTC here, so that no clock changes in the middle of a recording. An
interval of a source is two readings, the state as it begins and as it ends. What cannot be is refused and told, never mended.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from edge_gateway.errors import Misconfigured
from edge_gateway.events import Flag
from edge_gateway.homes.seen import Seen

SECOND: Final = 1_000_000_000
FRONT: Final = "contact.front"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Span = tuple[int, int]  # from, to; ns


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded home.

    Attributes:
        seen: what its sensors said, in the order of time.
        out: when nobody was at home, by the people who labelled it: the truth against which we are held.
        labels: what else they wrote: activity -> when.
        refused: rows that cannot be, as text.
        labelled: `out` is known; else only what the gateway itself made of the door.
    """

    name: str
    title: str
    seen: tuple[Seen, ...]
    out: tuple[Span, ...]
    labels: dict[str, tuple[Span, ...]]
    refused: tuple[str, ...] = ()
    labelled: bool = True

    @property
    def span(self) -> Span:
        """First and last reading."""
        return self.seen[0].time_ns, self.seen[-1].time_ns

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names of all sensors."""
        return tuple(sorted({seen.name for seen in self.seen}))


def load(folder: Path) -> list[Recording]:
    """All recorded homes that are in this folder.

    Raises:
        Misconfigured: there is none.
    """
    found = [read(folder / name) for name, read in SOURCES.items() if (folder / name).is_dir()]
    if not found:
        raise Misconfigured(
            f"no recorded home is in {folder}", f"it has to hold one of {', '.join(SOURCES)}; name it with --data"
        )
    return found


def casas(folder: Path) -> Recording:
    """CASAS "AL": motion in each room, lights, and the front door; each row carries what the person was doing."""
    kinds = {"ON": ("motion", 1.0), "OFF": ("motion", 0.0), "OPEN": ("contact", 1.0), "CLOSE": ("contact", 0.0)}
    seen, doing, refused = [], [], []
    for file in sorted(folder.glob("events_*.txt")):
        for number, line in enumerate(file.read_text(encoding="ascii").splitlines(), 1):
            try:
                day, clock, area, sensor, state, activity = line.split()
                kind, value = kinds[state]
                at_ns = _iso(day, clock)
            except (ValueError, KeyError) as error:
                refused.append(f"{file.name}:{number}: {error}")
                continue
            room = _word(area if area == "LoungeChair" else sensor)
            if sensor == "FrontDoor":
                name = FRONT
            elif sensor.endswith("Light"):
                name = f"light.{room}"
            else:
                name = f"{'contact' if sensor == 'Closet' else kind}.{room}"
            seen.append(_seen(name, value, at_ns))
            doing.append((at_ns, activity))
    labels = _runs(doing)
    left, came = labels.get("Leave_Home", ()), labels.get("Enter_Home", ())
    return _recording("casas_al", "CASAS AL", seen, _from_to(left, came), labels, refused)


def kasteren(folder: Path) -> Recording:
    """Van Kasteren's home A: contacts at doors and cupboards, the flush of the toilet."""
    names = {
        1: "contact.microwave",
        5: "contact.hall_toilet",
        6: "contact.hall_bathroom",
        7: "contact.cups_kitchen",
        8: "contact.fridge_kitchen",
        9: "contact.plates_kitchen",
        12: FRONT,
        13: "contact.dishwasher",
        14: "motion.toilet_flush",
        17: "contact.freezer_kitchen",
        18: "contact.pans_kitchen",
        20: "contact.washing_machine",
        23: "contact.groceries_kitchen",
        24: "contact.hall_bedroom",
    }
    acts = {1: "out", 4: "toilet", 5: "shower", 10: "sleep", 13: "breakfast", 15: "dinner", 17: "drink"}
    refused: list[str] = []
    rows = _intervals(folder / "kasterenSenseData.txt", "%d-%b-%Y %H:%M:%S", refused)
    seen = [reading for span, rest in rows for reading in _both(names[int(rest[0])], span)]
    labels: dict[str, list[Span]] = {}
    for span, rest in _intervals(folder / "kasterenActData.txt", "%d-%b-%Y %H:%M:%S", refused):
        labels.setdefault(acts[int(rest[0])], []).append(span)
    told = {name: tuple(spans) for name, spans in labels.items()}
    return _recording("kasteren_A", "van Kasteren A", seen, told.get("out", ()), told, refused)


def ordonez(folder: Path) -> Recording:
    """Ordonez' home A: pads in bed and seat, contacts, movement in the bathroom and at the cooker."""
    refused: list[str] = []
    kinds = {"PIR": "motion", "Flush": "motion", "Magnetic": "contact", "Electric": "contact"}
    seen: list[Seen] = []
    for span, (thing, kind, room) in _intervals(folder / "OrdonezA_Sensors.txt", "%Y-%m-%d %H:%M:%S", refused, 3):
        name = {"Bed": "bed", "Seat": "chair", "Maindoor": FRONT}.get(thing)
        seen += _both(name or f"{kinds[kind]}.{_word(thing)}_{_word(room)}", span)
    labels: dict[str, list[Span]] = {}
    for span, (activity, *_) in _intervals(folder / "OrdonezA_ADLs.txt", "%Y-%m-%d %H:%M:%S", refused):
        labels.setdefault(activity, []).append(span)
    told = {name: tuple(spans) for name, spans in labels.items()}
    return _recording("ordonez_A", "Ordonez A", seen, told.get("Leaving", ()), told, refused)


def mit(folder: Path) -> Recording:
    """PlaceLab's forerunner, subject 1: reed switches at 76 things, told only while an activity was labelled."""
    things = [row.split(",") for row in (folder / "sensors.csv").read_text(encoding="utf-8").splitlines() if row.strip()]
    names = {number: f"contact.{_word(room)}_{_word(thing)}_{number}" for number, room, thing in things}
    names["140"] = FRONT
    lines = (folder / "activities_data.csv").read_text(encoding="utf-8").split("\n")
    seen: list[Seen] = []
    labels: dict[str, list[Span]] = {}
    refused: list[str] = []
    for first in range(0, len(lines) - 4, 5):
        activity, date, start, end = (word.strip() for word in lines[first].split(","))
        from_ns = _clock(date, start)
        span = (from_ns, _after(from_ns, date, end))
        labels.setdefault(activity, []).append(span)
        ids, begun, ended = (lines[first + row].strip().split(",") for row in (1, 3, 4))
        for number, on, off in zip(ids, begun, ended, strict=True):
            if number.strip() not in names:
                refused.append(f"activities_data.csv:{first + 2}: no sensor {number}")
                continue
            on_ns = _after(from_ns, date, on)
            seen += _both(names[number.strip()], (on_ns, _after(on_ns, date, off)))
    told = {name: tuple(sorted(spans)) for name, spans in labels.items()}
    left = tuple(span for name, spans in told.items() if name.startswith("Going out") for span in spans)
    acts = tuple(sorted(span for name, spans in told.items() if not name.startswith("Going out") for span in spans))
    return _recording("mit_subject1", "MIT PlaceLab 1", seen, _from_to(tuple(sorted(left)), acts), told, refused)


SOURCES: Final[dict[str, Callable[[Path], Recording]]] = {
    "casas_al": casas,
    "kasteren_A": kasteren,
    "ordonez_A": ordonez,
    "mit_subject1": mit,
}


def _recording(
    name: str,
    title: str,
    seen: Sequence[Seen],
    out: Sequence[Span],
    labels: dict[str, tuple[Span, ...]],
    refused: Sequence[str],
) -> Recording:
    ordered = tuple(sorted(seen, key=lambda one: one.time_ns))
    return Recording(name, title, ordered, tuple(sorted(out)), labels, tuple(refused))


def _seen(name: str, value: float, at_ns: int) -> Seen:
    return Seen(name, value, Flag.PASS, at_ns, at_ns, "home")


def _both(name: str, span: Span) -> tuple[Seen, Seen]:
    return _seen(name, 1.0, span[0]), _seen(name, 0.0, span[1])


def _intervals(file: Path, form: str, refused: list[str], least: int = 1) -> Iterator[tuple[Span, list[str]]]:
    """Rows `start end word...` separated by tabs; what is no such row (the words above the table) is passed over."""
    for number, line in enumerate(file.read_text(encoding="latin-1").splitlines(), 1):
        words = [word.strip() for word in re.split(r"\t+", line.strip()) if word.strip()]
        # One source separates start and end by a tab in all rows but three.
        if words and (match := re.fullmatch(r"(\S+ \S+)\s+(\S+ \S+)", words[0])):
            words[:1] = match.groups()
        try:
            start, end = (datetime.strptime(word, form).replace(tzinfo=UTC) for word in words[:2])
        except ValueError:
            continue
        if len(words) < 2 + least or end < start:
            refused.append(f"{file.name}:{number}: {line.strip()[:100]!r} ends before it begins or is cut short")
            continue
        yield (_ns(start), _ns(end)), words[2:]


def _from_to(left: Sequence[Span], came: Sequence[Span]) -> tuple[Span, ...]:
    """Away from the end of each leaving to the next coming home; two leavings in a row are one."""
    spans = []
    for span, following in pairwise((*left, (2**63, 2**63))):
        back = next((start for start, _ in came if start > span[1]), None)
        if back is not None and back <= following[0]:
            spans.append((span[1], back))
    return tuple(spans)


def _runs(doing: Sequence[tuple[int, str]]) -> dict[str, tuple[Span, ...]]:
    """Rows with the same activity one after the other are one stretch of it."""
    labels: dict[str, list[Span]] = {}
    before = ""
    for at_ns, activity in doing:
        spans = labels.setdefault(activity, [])
        if activity == before:
            spans[-1] = (spans[-1][0], at_ns)
        else:
            spans.append((at_ns, at_ns))
        before = activity
    return {name: tuple(spans) for name, spans in labels.items()}


def _iso(day: str, clock: str) -> int:
    whole, _, fraction = clock.partition(".")
    # The source drops trailing zeros: .14962 is 149,620 us, not 14,962.
    return _ns(datetime.fromisoformat(f"{day} {whole}").replace(tzinfo=UTC)) + int(fraction.ljust(9, "0"))


def _clock(date: str, clock: str) -> int:
    """`4/1/2003` and `7:0:55`, without leading zeros."""
    month, day, year = (int(word) for word in date.split("/"))
    hour, minute, second = (int(word) for word in clock.split(":"))
    return _ns(datetime(year, month, day, hour, minute, second, tzinfo=UTC))


def _after(from_ns: int, date: str, clock: str) -> int:
    """The first time it was `clock` at or after `from_ns`: the source names a date only where an activity begins."""
    at_ns = _clock(date, clock)
    return at_ns if at_ns >= from_ns else at_ns + 86_400 * SECOND


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _word(camel: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", camel.strip()).lower()).strip("_")
