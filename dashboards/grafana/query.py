"""InfluxQL as Grafana takes it: always raw text, always a data source with a fixed uid; runs on InfluxDB 1, 2 and 3.

Long ranges read the roll-ups by themselves: a panel has a target for the readings, one for the hours and one for the days, and
each holds only for its range of `$__interval_ms`, which Grafana fills in. A condition that is a constant `false` is answered at
once, without a look at the data.
"""

from collections.abc import Sequence
from typing import Any, Final

from dashboards.grafana.sdk import Builder, Dataquery, common

KANHU: Final = "kanhu"  # uid of the data source of readings
ROLLUPS: Final = "kanhu-rollups"  # uid of that of their hourly and daily sums
MIXED: Final = common.DataSourceRef(type_val="datasource", uid="-- Mixed --")

# Panels are some 400 to 1,500 points wide: hours from about ten days on, days from about four months on.
HOURS_FROM_MS: Final = 900_000
DAYS_FROM_MS: Final = 10_800_000

GOOD: Final = "<= 2"  # QARTOD flags of values that may be used: pass, not evaluated
FEW: Final = 2000  # rows a table may hold
NEWEST: Final = f"ORDER BY time DESC LIMIT {FEW}"


class InfluxQL(Builder[Dataquery], Dataquery):
    """One query of a panel.

    Args:
        ref: `A`, `B` ...
        query: with `$timeFilter`, and variables only as `=~ /^${name:regex}$/`.
        source: uid of the data source.
        alias: name of each series (`$tag_device`, `$col`); tables take columns by name and have none.
        table: rows instead of series.
    """

    def __init__(self, ref: str, query: str, source: str = KANHU, alias: str = "", table: bool = False) -> None:
        self.ref, self.query, self.source, self.alias, self.table = ref, query, source, alias, table

    def build(self) -> Dataquery:
        """Itself: there is nothing to put together."""
        return self

    def dataquery_type(self) -> str:
        """As the SDK asks of each kind of query."""
        return "influxdb"

    def to_json(self) -> dict[str, Any]:
        """As it stands in a dashboard."""
        written: dict[str, Any] = {
            "refId": self.ref,
            "datasource": influx(self.source),
            "query": self.query,
            "rawQuery": True,
            "resultFormat": "table" if self.table else "time_series",
        }
        if self.alias:
            written["alias"] = self.alias
        return written


def influx(uid: str = KANHU) -> dict[str, str]:
    """How a data source is named in JSON."""
    return {"type": "influxdb", "uid": uid}


def source(uid: str = KANHU) -> common.DataSourceRef:
    """How a data source is named to the SDK."""
    return common.DataSourceRef(type_val="influxdb", uid=uid)


def chosen(*variables: str) -> str:
    """The condition that a point belongs to what is chosen above: `site`, `place`, `device` are tags and variables alike."""
    return " AND ".join(f'"{name}" =~ /^${{{name}:regex}}$/' for name in variables)


def select(
    what: str,
    measurement: str,
    where: Sequence[str] = (),
    group: Sequence[str] = (),
    fill: str = "",
    tail: str = "",
) -> str:
    """A SELECT over the chosen time; `where` are further conditions, `group` tags (quoted here) or a `time(...)`."""
    return _select(what, f'"{measurement}"', where, group, fill, tail)


def within(what: str, inner: str, where: Sequence[str] = (), group: Sequence[str] = ()) -> str:
    """A SELECT over the rows of another: of the latest of each device the worst of each place."""
    return _select(what, f"({inner})", where, group)


def _select(what: str, origin: str, where: Sequence[str], group: Sequence[str], fill: str = "", tail: str = "") -> str:
    conditions = " AND ".join(["$timeFilter", *(one for one in where if one)])
    grouped = ", ".join(one if one.startswith("time(") else f'"{one}"' for one in group)
    parts = [f"SELECT {what} FROM {origin} WHERE {conditions}"]
    if grouped:
        parts.append(f"GROUP BY {grouped}")
    if fill:
        parts.append(f"fill({fill})")
    if tail:
        parts.append(tail)
    return " ".join(parts)


def leveled(
    ref: str,
    measurement: str,
    raw: str,
    rolled: str,
    where: Sequence[str] = (),
    tags: Sequence[str] = (),
    alias: str = "",
    zone: str = "Asia/Shanghai",
    raw_where: Sequence[str] = (),
    fill: str = "none",
    rolled_where: Sequence[str] = (),
) -> list[InfluxQL]:
    """Three targets of which one answers: readings, hours or days, by how long the chosen range is.

    Args:
        ref: of the first; the others are `<ref>h` and `<ref>d`.
        raw: what is selected from readings, `mean("ph")`.  rolled: from sums, `mean("ph_mean")`.
        where: conditions of all three.  raw_where: of readings only, such as their flag.  rolled_where: of sums only.
        tags: series are told apart by these.
    """
    hours, days = f"$__interval_ms >= {HOURS_FROM_MS}", f"$__interval_ms >= {DAYS_FROM_MS}"
    few, fewer = f"$__interval_ms < {HOURS_FROM_MS}", f"$__interval_ms < {DAYS_FROM_MS}"
    zoned = f"tz('{zone}')"
    # Below an hour they are hours all the same, above it as many as the panel has points; empty spans would cut every line.
    spans = "time($__interval)" if fill == "none" else "time(1h)"
    return [
        InfluxQL(ref, select(raw, measurement, [*where, *raw_where, few], ["time($__interval)", *tags], fill), KANHU, alias),
        InfluxQL(
            f"{ref}h",
            select(rolled, f"{measurement}_1h", [*where, *rolled_where, hours, fewer], [spans, *tags], fill),
            ROLLUPS,
            alias,
        ),
        InfluxQL(
            f"{ref}d",
            select(rolled, f"{measurement}_1d", [*where, *rolled_where, days], ["time(1d)", *tags], fill, zoned),
            ROLLUPS,
            alias,
        ),
    ]
