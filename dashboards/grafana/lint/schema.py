"""Measurements, their fields and tags, as docs/data-model.md has them: Grafana shows an unknown name as an empty panel."""

from functools import cache
from typing import Final, NamedTuple

from edge_gateway.catalog import NOT_SUMMED, QUANTITIES, Kind, Quantity
from ingest.visit_days import STATES

TAGS: Final = frozenset({"site", "device", "place", "channel"})
HOURLY: Final = "_1h"
DAILY: Final = "_1d"

# Written by devices and sensors: a number of these may be nonsense, which only its flag says.
MEASURED: Final = frozenset({"climate", "presence", "power", "water", "position", "health"})

_OWN: Final[dict[str, tuple[str, str]]] = {
    # measurement: (fields, tags besides those of all)
    "loss": ("lost boot first last", ""),
    "status": ("online boot firmware", ""),
    "alert": ("alert state by reason waited_s", "rule severity"),
    "visit": ("visit state grade person courier reasons counted reviewing late_s", "kind"),
}
_VISITS_OF_A_DAY: Final = frozenset({"late_s_max", *(f"{name}_count" for name in (*STATES, "reviewing"))})


class Measurement(NamedTuple):
    """What may be asked of one."""

    fields: frozenset[str]
    tags: frozenset[str]
    rolled: bool = False  # lies in the database of roll-ups


@cache
def measurements() -> dict[str, Measurement]:
    """All of them, by name."""
    found: dict[str, Measurement] = {}
    for group in sorted({quantity.group for quantity in QUANTITIES.values()}):
        members = [quantity for quantity in QUANTITIES.values() if quantity.group == group]
        event = group == "event"
        own = {"boot", "seq"} if event else set()
        fields = frozenset({"time_quality", "clock_error_s", *own, *(name for one in members for name in _raw(one))})
        found[group] = Measurement(fields, TAGS | {"kind"} if event else TAGS)
        if not event and group not in NOT_SUMMED:
            rolled = frozenset({"expected", *(name for one in members for name in _rolled(one))})
            found[group + HOURLY] = found[group + DAILY] = Measurement(rolled, TAGS, rolled=True)
    for name, (fields_, tags) in _OWN.items():
        found[name] = Measurement(frozenset(fields_.split()), TAGS | frozenset(tags.split()))
    found["visit" + DAILY] = Measurement(_VISITS_OF_A_DAY, TAGS - {"channel"} | {"kind"}, rolled=True)
    return found


@cache
def judged() -> frozenset[str]:
    """Fields whose value only counts together with its flag."""
    return frozenset(one.name for one in QUANTITIES.values() if one.kind is Kind.NUMBER and one.group in MEASURED)


def _raw(quantity: Quantity) -> list[str]:
    return [quantity.name, *(f"{quantity.name}_{more}" for more in ("flag", "raw", "calibration"))]


def _rolled(quantity: Quantity) -> list[str]:
    if quantity.kind is Kind.TEXT:
        return []
    return [f"{quantity.name}_{more}" for more in ("mean", "min", "max", "count", "bad")]
