"""The judge of every fault: what devices generated, what they hold receipts for, and where it is now, record by record.

C1 conservation: everything receipted is in the database, in the outbox or in the dead letters; lost 0.  C2 no doubles.
C3 integrity: values and times exact.  C4 liveness: `World.live_again`.  C5 accounting: the gateway's counters add up.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from edge_gateway import events, state
from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import Event, Readings, split_name
from simulator.device import SimulatedDevice
from tests.databases import Database, InfluxQLServer

Key = tuple[str, str, str, int]  # site, device, name, time_ns
Facts = dict[Key, float | str | None]
Message = tuple[str, str, int, int]  # site, device, boot, seq

# What holds no readings of devices.
_NOT_READINGS: Final = ("status", "alert", "loss")


class Stored(Protocol):
    """A database, read by code that shares nothing with what wrote it."""

    def facts(self) -> Facts:
        """Every reading and detail of an event."""

    def events(self) -> Counter[Message]:
        """Which messages the stored events came in."""

    def holds(self, key: Key) -> bool:
        """Whether this one is there."""


class Embedded:
    """`readings.db`, by SQL."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def facts(self) -> Facts:
        query = (
            "SELECT site, device, field, channel, time_ns, value, text FROM reading JOIN series ON series.id = reading.series"
            " WHERE flag IS NOT NULL AND measurement NOT LIKE '%\\_1_' ESCAPE '\\'"
        )
        found: Facts = {}
        for site, device, name, channel, time_ns, value, text in self._rows(query):
            _put(found, (site, device, _named(name, channel), time_ns), value if text is None else text)
        return found

    def events(self) -> Counter[Message]:
        query = (
            "SELECT site, device, field, time_ns, kind, value FROM reading JOIN series ON series.id = reading.series"
            " WHERE measurement = 'event' AND field IN ('boot', 'seq')"
        )
        parts: dict[tuple[str, str, int, str], dict[str, int]] = {}
        for site, device, name, time_ns, kind, value in self._rows(query):
            parts.setdefault((site, device, time_ns, kind), {})[name] = value
        return Counter((site, device, p["boot"], p["seq"]) for (site, device, _, _), p in parts.items())

    def holds(self, key: Key) -> bool:
        query = (
            "SELECT 1 FROM reading JOIN series ON series.id = reading.series"
            " WHERE site = ? AND device = ? AND field = ? AND channel = ? AND time_ns = ?"
        )
        return bool(self._rows(query, (*key[:2], *split_name(key[2]), key[3])))

    def _rows(self, query: str, arguments: tuple[object, ...] = ()) -> list[Any]:
        if not self._file.exists():
            return []
        with closing(sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query, arguments).fetchall()


class Influx:
    """InfluxDB 1 or 2, by InfluxQL over plain HTTP."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def facts(self) -> Facts:
        server = self._database.server
        assert isinstance(server, InfluxQLServer)
        found: Facts = {}
        for measurement in server.measurements(self._database.name) - set(_NOT_READINGS):
            for row in server.rows(self._database.name, measurement):
                for name in [key.removesuffix("_flag") for key in row if key.endswith("_flag")]:
                    _put(found, (row["site"], row["device"], _named(name, row.get("channel", "")), row["time"]), row.get(name))
        return found

    def events(self) -> Counter[Message]:
        rows = self._database.rows("event")
        # One event with details on several channels is several lines.
        seen = {(row["site"], row["device"], row["time"], row["kind"], row["boot"], row["seq"]) for row in rows}
        return Counter((site, device, boot, seq) for site, device, _, _, boot, seq in seen)

    def holds(self, key: Key) -> bool:
        site, device, name, time_ns = key
        server = self._database.server
        assert isinstance(server, InfluxQLServer)
        quantity = split_name(name)[0]
        query = (
            f'SELECT "{quantity}_flag" FROM "{QUANTITIES[quantity].group}"'
            f" WHERE site = '{site}' AND device = '{device}' AND time = {time_ns}"
        )
        return bool(server.query(self._database.name, query))


@dataclass(frozen=True)
class Spool:
    """What a gateway's own file holds; read when the gateway stands still or is away."""

    outbox: Facts
    dead: frozenset[tuple[str, str, int | None, int | None]]
    dead_times: int
    held: int
    totals: Mapping[str, int]
    devices: Mapping[tuple[str, str], state.DeviceState]
    outbox_entries: int

    @classmethod
    def read(cls, file: Path) -> "Spool":
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            outbox: Facts = {}
            entries = 0
            for (body,) in db.execute("SELECT body FROM outbox"):
                for entry in events.unpack(body):
                    entries += 1
                    if isinstance(entry, Readings | Event):
                        for reading in entry.readings:
                            _put(outbox, (entry.site, entry.device, reading.name, entry.time_ns), reading.value)
            dead = frozenset(db.execute("SELECT site, device, boot, seq FROM dead_letter"))
            return cls(
                outbox,
                dead,
                db.execute("SELECT coalesce(sum(times), 0) FROM dead_letter WHERE stage = 'decode'").fetchone()[0],
                db.execute("SELECT count(*) FROM held").fetchone()[0],
                dict(db.execute("SELECT name, value FROM counter")),
                {
                    (site, device): state.unpack(body)
                    for site, device, body in db.execute("SELECT site, device, body FROM device")
                },
                entries,
            )


@dataclass
class Verdict:
    """What the comparison found; `str` is the line for the scoreboard."""

    generated: int = 0
    receipted: int = 0
    lost: list[Key] = field(default_factory=list)
    doubled: list[object] = field(default_factory=list)
    changed: list[object] = field(default_factory=list)
    invented: list[Key] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"readings {self.generated}, receipted {self.receipted}: lost {len(self.lost)}, doubled {len(self.doubled)},"
            f" changed {len(self.changed)}, invented {len(self.invented)}, accounts {'; '.join(self.unaccounted) or 'even'}"
        )

    def require(self) -> None:
        """Fails with examples."""
        wrong = [*self.lost[:5], *self.doubled[:5], *self.changed[:5], *self.invented[:5], *self.unaccounted]
        assert not wrong, f"{self}\n{wrong}"


def judge(devices: Iterable[SimulatedDevice], stored: Stored, spool: Spool, own_times: bool = True) -> Verdict:
    """Compare. Every device must `remember`; of a device with a trusted clock each (name, instant) is generated once.

    Args:
        own_times: false when clocks were unset or wrong; then values are compared by device and name, not by time.
    """
    verdict = Verdict()
    held = stored.facts()
    for key, value in spool.outbox.items():
        if held.setdefault(key, value) != value:
            verdict.changed.append((key, held[key], value))
    made: Facts = {}
    must: set[Key] = set()
    keys = set()
    for device in devices:
        keys.add(device.key)
        pending = device.outbox.pending.keys()
        for message in device.generated:
            receipted = (message.boot, message.seq) not in pending
            refused = (*device.key, message.boot, message.seq) in spool.dead
            for instant in message.instants:
                for value in instant.values:
                    key = (*device.key, value.name, instant.time_ns)
                    assert not own_times or key not in made, f"the test itself generates {key} twice"
                    made[key] = in_catalogue_units(value.name, value.value, value.unit)
                    if split_name(value.name)[0] == "tap":  # what a card showed stays in the gateway
                        made[key] = f"{message.boot}-{message.seq}"
                    verdict.generated += 1
                    verdict.receipted += receipted
                    if receipted and not refused:
                        must.add(key)
    held = {key: value for key, value in held.items() if key[:2] in keys}
    if own_times:
        _compare(verdict, held, made, must)
    else:
        _compare_values(verdict, held, made, must)
    verdict.doubled += [message for message, times in stored.events().items() if times > 1]
    verdict.unaccounted += uneven(spool)
    return verdict


def uneven(spool: Spool) -> list[str]:
    """C5, each sum that does not add up."""
    t = spool.totals
    ended = {name: t.get(f"messages_{name}", 0) for name in ("stored", "duplicate", "held", "dead")}
    sums = {
        f"received {t.get('messages_received', 0)} = {ended}": t.get("messages_received", 0) == sum(ended.values()),
        "entries: " + json.dumps({name: n for name, n in t.items() if name.startswith("entries")}): t.get("entries_stored", 0)
        == t.get("entries_sent", 0) + t.get("entries_refused", 0) + t.get("entries_dropped_quota", 0) + spool.outbox_entries,
    }
    return [text for text, holds in sums.items() if not holds]


def in_catalogue_units(name: str, value: float | bool | str | None, unit: str) -> float | str | None:
    """A generated value as a database has to hold it."""
    if value is None or isinstance(value, str):
        return value
    quantity = QUANTITIES[split_name(name)[0]]
    if unit and unit != quantity.unit:
        factor, offset = quantity.also[unit]
        return value * factor + offset
    return float(value)


def _compare(verdict: Verdict, held: Facts, made: Facts, must: set[Key]) -> None:
    verdict.lost += sorted(must - held.keys())
    verdict.invented += sorted(held.keys() - made.keys())
    verdict.changed += [(key, made[key], value) for key, value in held.items() if key in made and made[key] != value]


def _compare_values(verdict: Verdict, held: Facts, made: Facts, must: set[Key]) -> None:
    def by_name(facts: Iterable[tuple[Key, float | str | None]]) -> Counter[tuple[str, str, str, object]]:
        return Counter((*key[:3], value) for key, value in facts)

    have, could, should = by_name(held.items()), by_name(made.items()), by_name((key, made[key]) for key in must)
    verdict.lost += [(*key[:3], 0) for key in (should - have).elements()]
    verdict.invented += [(*key[:3], 0) for key in (have - could).elements()]


def _put(facts: Facts, key: Key, value: object) -> None:
    assert value is None or isinstance(value, float | int | str)
    assert facts.setdefault(key, value) == value, f"{key} holds both {facts[key]!r} and {value!r}"


def _named(name: str, channel: object) -> str:
    return f"{name}.{channel}" if channel else name
