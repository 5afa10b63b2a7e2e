"""A home's own past, as the database keeps it, ready to be scored like a recorded home."""

from collections.abc import Iterator
from typing import Final

from edge_gateway.catalog import QUANTITIES, Kind
from edge_gateway.errors import Misconfigured
from edge_gateway.events import Flag
from edge_gateway.homes.seen import Seen
from edge_gateway.settings import Settings
from ingest.points import FLAG
from ingest.query import open_reader
from ingest.rows import Reader, Row
from operations.homes.recordings import Recording

DAYS: Final = 60
_DAY_NS: Final = 86_400 * 1_000_000_000


def read(settings: Settings, site: str, place: str, now_ns: int, days: int = DAYS) -> Recording:
    """What the sensors of this home said in the last days; nobody labelled when the person was out.

    Raises:
        Misconfigured: nothing of this home is stored, or this database cannot be read back.
        Unavailable: as `Reader.rows`.
    """
    reader = open_reader(settings)
    try:
        seen = sorted(_seen(reader, site, place, now_ns - days * _DAY_NS, now_ns + 1), key=lambda one: one.time_ns)
    finally:
        reader.close()
    if not seen:
        hint = "raw readings are kept for a while only; see `kanhu privacy retention`"
        raise Misconfigured(f"the database holds nothing of {site}/{place} from the last {days} days", hint)
    return Recording(place, f"{site}/{place}", tuple(seen), (), {}, labelled=False)


def _seen(reader: Reader, site: str, place: str, start_ns: int, end_ns: int) -> Iterator[Seen]:
    for measurement in ("presence", "event"):
        for row in reader.rows(measurement, start_ns, end_ns, site):
            if row.tags.get("place") == place:
                yield from _readings(row, measurement == "event")


def _readings(row: Row, event: bool) -> Iterator[Seen]:
    channel = row.tags.get("channel", "")
    for field, value in row.fields.items():
        quantity = field.removesuffix(FLAG)
        if field == quantity or quantity not in QUANTITIES or QUANTITIES[quantity].kind is Kind.TEXT:
            continue
        # Every reading has its flag; one without a value is that of a sensor that cannot be believed.
        told = row.fields.get(quantity)
        number = float(told) if isinstance(told, int | float) else None
        name = f"{quantity}.{channel}" if channel else quantity
        flag = int(value) if number is not None and isinstance(value, int | float) else int(Flag.MISSING)
        yield Seen(name, number, flag, row.time_ns, row.time_ns, row.tags.get("device", ""), event)
