"""Who is expected: sites, places, devices and what they measure, as a person wrote them down in TOML."""

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from edge_gateway.catalog import OWN_GROUPS, QUANTITIES
from edge_gateway.errors import Misconfigured
from edge_gateway.events import split_name
from edge_gateway.homes import setting
from edge_gateway.homes.setting import HomeSetting
from edge_gateway.topics import ID

DEFAULT_CADENCE_S: Final = 300.0
ELDER_HOME: Final = "elder_home"  # the model whose place is a home that is watched over
# facts: mains 60 s is lost at 180 s, battery devices after 3 intervals; one factor for both.
SILENCE_FACTOR: Final = 3.0
_POSITION: Final = {"lat": 90.0, "lon": 180.0}  # degrees, either side of 0
_DEVICE_KEYS: Final = frozenset(
    {"site", "id", "place", "model", "cadence_s", "silence_s", "measures", "note", "holder", "via", *_POSITION}
)


@dataclass(frozen=True, slots=True)
class Site:
    """A community or a river; `zone` is an IANA time zone for screens, never for storage."""

    id: str
    name: str
    zone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Device:
    """One device that is expected to speak.

    Attributes:
        site, id: as in its topic.
        place: id of the home, door or river point it belongs to; "" when it moves.
        model: `elder_home`, `rider_reader`, `meal_counter`, `river_probe` or a free word.
        cadence_s: its own declared interval between messages, seconds.
        silence_s: it counts as silent after so many seconds; 0: never (an event-only device without heartbeat).
        measures: names (with channel) it may send; empty: any quantity of the catalogue.
        holder: courier who carries a reader without a place; taps of tags at doors are his. "": nobody says.
        via: the receiver in between (radio gateway, access point) that carries its messages; "": none, or nobody says.
        lat, lon: where a station stands, degrees WGS 84; None: it moves, is at a home, or nobody says.
    """

    site: str
    id: str
    place: str = ""
    model: str = ""
    cadence_s: float = DEFAULT_CADENCE_S
    silence_s: float = DEFAULT_CADENCE_S * SILENCE_FACTOR
    measures: frozenset[str] = frozenset()
    holder: str = ""
    via: str = ""
    lat: float | None = None
    lon: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(site, device): how a device is found everywhere."""
        return self.site, self.id


@dataclass(frozen=True, slots=True)
class Registry:
    """A consistent set of sites, devices and homes; a change makes a new one.

    Attributes:
        homes: (site, place) -> what was written down about a home; one with an `elder_home` device needs no words of its own.
    """

    sites: Mapping[str, Site] = field(default_factory=dict)
    devices: Mapping[tuple[str, str], Device] = field(default_factory=dict)
    homes: Mapping[tuple[str, str], HomeSetting] = field(default_factory=dict)

    def find(self, site: str, device: str) -> Device | None:
        """The device, or None when nobody has registered it."""
        return self.devices.get((site, device))


def load(path: Path) -> Registry:
    """Read a registry file.

    Raises:
        Misconfigured: every problem of the file at once, each with its place and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Registry()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"cannot read the registry {path}: {error}", "make it a readable UTF-8 TOML file") from error
    return parse(text, str(path))


def parse(text: str, source: str = "registry") -> Registry:
    """Registry from TOML text; see `docs/operations.md` for the format. Raises as `load`."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{source} is not TOML: {error}", "mend the line it names") from error
    unknown = sorted(tree.keys() - {"sites", "devices", "homes"})
    problems: list[str] = [f"unknown section [{key}]; known are [sites.<id>], [[devices]] and [[homes]]" for key in unknown]
    sites = _sites(tree.get("sites", {}), problems)
    devices: dict[tuple[str, str], Device] = {}
    rows = tree.get("devices", [])
    if not isinstance(rows, list):
        problems.append("devices must be a list: write [[devices]] with two brackets")
        rows = []
    for number, row in enumerate(rows, 1):
        device = _device(row, f"devices[{number}]", sites, problems)
        if device is None:
            continue
        if device.key in devices:
            problems.append(f"devices[{number}]: {device.site}/{device.id} is there twice")
        devices[device.key] = device
    homes = _homes(tree.get("homes", []), sites, devices.values(), problems)
    # The database knows homes by pseudonyms alone; a position would say who lives there.
    shown = [device for device in devices.values() if device.lat is not None and (device.site, device.place) in homes]
    problems += [f"{device.site}/{device.id}: lat and lon are for stations; {device.place} is a home" for device in shown]
    if problems:
        raise Misconfigured(f"{source}: " + "; ".join(problems), "mend these and save; the last good registry stays in use")
    return Registry(sites, devices, homes)


def from_csv(text: str, known: Registry) -> list[Device]:
    """Devices from CSV: header `site,id,place,model,cadence_s,silence_s,measures,holder,via,lat,lon`; spaces between measures.

    Raises:
        Misconfigured: every bad row at once, with its line number.
    """
    problems: list[str] = []
    devices: list[Device] = []
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    for row in reader:
        where = f"line {reader.line_num}"
        if None in row:
            problems.append(f"{where}: more cells than the header has")
            continue
        cells: dict[str, Any] = {k: v.strip() for k, v in row.items() if v and v.strip()}
        for key in ("cadence_s", "silence_s", *_POSITION):
            if key in cells:
                try:
                    cells[key] = float(cells[key])
                except ValueError:
                    unit = "degrees" if key in _POSITION else "seconds"
                    problems.append(f"{where}: {key} {cells[key]!r} is not a number of {unit}")
                    del cells[key]
        if "measures" in cells:
            cells["measures"] = cells["measures"].split()
        device = _device(cells, where, known.sites, problems)
        if device is not None:
            devices.append(device)
    if problems:
        raise Misconfigured("CSV: " + "; ".join(problems), "nothing was imported")
    return devices


def _sites(tree: Any, problems: list[str]) -> dict[str, Site]:
    sites: dict[str, Site] = {}
    if not isinstance(tree, dict):
        problems.append("sites must be tables [sites.<id>]")
        return sites
    for site_id, row in tree.items():
        if ID.fullmatch(site_id) is None:
            problems.append(f"site id {site_id!r}: a-z, 0-9, - and _, at most 48 characters")
        elif not isinstance(row, dict) or row.keys() - {"name", "zone"}:
            problems.append(f"[sites.{site_id}]: keys are name and zone")
        else:
            sites[site_id] = Site(site_id, str(row.get("name", site_id)), str(row.get("zone", "Asia/Shanghai")))
    return sites


def _homes(
    rows: Any, sites: Mapping[str, Site], devices: Iterable[Device], problems: list[str]
) -> dict[tuple[str, str], HomeSetting]:
    """Those that were written down, then every place with an `elder_home` device, as any home."""
    homes: dict[tuple[str, str], HomeSetting] = {}
    if not isinstance(rows, list):
        problems.append("homes must be a list: write [[homes]] with two brackets")
        rows = []
    for number, row in enumerate(rows, 1):
        home = setting.parse(row, f"homes[{number}]", sites, problems)
        if home is None:
            continue
        if home.key in homes:
            problems.append(f"homes[{number}]: {home.site}/{home.place} is there twice")
        homes[home.key] = home
    for device in devices:
        if device.model == ELDER_HOME and device.place:
            homes.setdefault((device.site, device.place), HomeSetting(device.site, device.place))
    return homes


def _device(row: Any, where: str, sites: Mapping[str, Site], problems: list[str]) -> Device | None:
    before = len(problems)
    if not isinstance(row, dict):
        problems.append(f"{where}: must be a table")
        return None
    if unknown := row.keys() - _DEVICE_KEYS:
        problems.append(f"{where}: unknown {', '.join(sorted(unknown))}; known are {', '.join(sorted(_DEVICE_KEYS))}")
    site, device, place, holder = row.get("site"), row.get("id"), row.get("place", ""), row.get("holder", "")
    via = row.get("via", "")
    if via != "" and (not isinstance(via, str) or ID.fullmatch(via) is None or via == device):
        problems.append(f"{where}: via is {via!r}; a receiver's id: a-z, 0-9, - and _, at most 48 characters, not its own")
    for key, value in (("site", site), ("id", device)):
        if not isinstance(value, str) or ID.fullmatch(value) is None:
            problems.append(f"{where}: {key} is {value!r}; a-z, 0-9, - and _, at most 48 characters")
    if place != "" and (not isinstance(place, str) or ID.fullmatch(place) is None):
        problems.append(f"{where}: place is {place!r}; a-z, 0-9, - and _, at most 48 characters")
    if holder != "" and (not isinstance(holder, str) or ID.fullmatch(holder) is None):
        problems.append(f"{where}: holder is {holder!r}; a courier's id: a-z, 0-9, - and _, at most 48 characters")
    elif holder and place:
        problems.append(f"{where}: holder is {holder!r}, but it has place {place!r}; only what is carried about has a holder")
    if isinstance(site, str) and site not in sites:
        problems.append(f"{where}: site {site!r} has no [sites.{site}]")
    cadence_s = _seconds(row, "cadence_s", DEFAULT_CADENCE_S, where, problems)
    silence_s = _seconds(row, "silence_s", cadence_s * SILENCE_FACTOR, where, problems)
    if cadence_s == 0:
        problems.append(f"{where}: cadence_s is 0; give the seconds between two messages (silence_s = 0: never silent)")
    lat, lon = _position(row, where, problems)
    if lat is not None and holder:
        problems.append(f"{where}: lat and lon are for stations; {holder!r} carries it about")
    measures = row.get("measures", [])
    names = measures if isinstance(measures, Iterable) and not isinstance(measures, str) else [measures]
    strange = [n for n in names if not isinstance(n, str) or not _can_measure(n)]
    problems += [f"{where}: measures names {name!r}, which is not in the catalogue" for name in strange]
    if len(problems) > before:
        return None
    model = str(row.get("model", ""))
    about = frozenset(measures), str(holder), str(via), lat, lon
    return Device(str(site), str(device), str(place), model, cadence_s, silence_s, *about)


def _position(row: Mapping[str, Any], where: str, problems: list[str]) -> tuple[float | None, float | None]:
    """(lat, lon); (None, None) where there is none, or it cannot be."""
    if not row.keys() & _POSITION.keys():
        return None, None
    before = len(problems)
    for key, most in _POSITION.items():
        value = row.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            problems.append(f"{where}: {key} is {value!r}; degrees from -{most:g} to {most:g}, and both of lat and lon")
    return (None, None) if len(problems) > before else (float(row["lat"]), float(row["lon"]))


def _can_measure(name: str) -> bool:
    quantity = QUANTITIES.get(split_name(name)[0])
    return quantity is not None and quantity.group not in OWN_GROUPS


def _seconds(row: Mapping[str, Any], key: str, default: float, where: str, problems: list[str]) -> float:
    value = row.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 400 * 86_400:
        problems.append(f"{where}: {key} is {value!r}; seconds from 0 to 400 days")
        return default
    return float(value)
