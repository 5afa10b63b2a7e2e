"""What the gateway has on disk, for screens and people: read-only, one consistent look, also while the gateway is down.

Everything a screen shows comes from here; everything a screen changes goes through `commands.call`.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from edge_gateway import alerts, state
from edge_gateway.alerts import Alert
from edge_gateway.errors import Misconfigured, Rejected, Unavailable
from edge_gateway.privacy.raw import opened
from edge_gateway.registry import Device, Registry
from edge_gateway.sequence import Boot
from edge_gateway.state import Counters, Latest
from edge_gateway.store_file import READABLE, SCHEMA_VERSION, read_only, version_of
from edge_gateway.transaction import Backlog

log = logging.getLogger(__name__)

OUTCOMES = ("stored", "duplicate", "held", "dead")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages first..last of a boot that have not come yet and were not declared lost."""

    boot: int
    first: int
    last: int

    @property
    def messages(self) -> int:
        """How many are missing."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One device: what is expected of it and what came.

    Attributes:
        expected: its line in the registry; None when somebody took it out.
        heard_ns: wall clock of its last message; 0: never.
        came: messages with a number that came, over all boots that are remembered.
        lost: messages that it declared lost.
        gaps: what is missing; came + lost + missing is all it ever numbered, as far as is known.
        latest: name -> newest value.
    """

    site: str
    device: str
    expected: Device | None
    heard_ns: int = 0
    online: bool | None = None
    firmware: str = ""
    config: int | None = None
    config_error: str = ""
    update: str = ""
    boots: int = 0
    came: int = 0
    lost: int = 0
    gaps: tuple[Gap, ...] = ()
    counters: Counters = field(default_factory=Counters)
    latest: Mapping[str, Latest] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`site/device`, as people and the broker call it."""
        return f"{self.site}/{self.device}"

    @property
    def missing(self) -> int:
        """Messages in gaps."""
        return sum(gap.messages for gap in self.gaps)

    def silent(self, now_ns: int) -> bool:
        """Whether it was heard once, but not for longer than the registry allows."""
        return bool(
            self.expected
            and self.expected.silence_s
            and self.heard_ns
            and now_ns - self.heard_ns > self.expected.silence_s * 1e9
        )


@dataclass(frozen=True, slots=True)
class HeldDevice:
    """A device nobody has registered, and how many of its messages wait."""

    site: str
    device: str
    messages: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Dead letters of one reason: different ones, and how often they came."""

    stage: str
    reason: str
    letters: int
    times: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter."""

    id: int
    first_ns: int
    last_ns: int
    times: int
    stage: str
    reason: str
    detail: str
    topic: str
    boot: int | None
    seq: int | None
    payload: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment, of one transaction.

    Attributes:
        totals: counters of the store; `messages_received` is the sum of the four `messages_<outcome>`.
        open_alerts: most urgent and oldest first.
        damaged_alerts: rows of alerts that cannot be read.
    """

    at_ns: int
    devices: tuple[DeviceView, ...]
    held: tuple[HeldDevice, ...]
    totals: Mapping[str, int]
    backlog: Backlog
    reasons: tuple[Reason, ...]
    open_alerts: tuple[Alert, ...]
    damaged_alerts: int = 0

    def total(self, outcome: str) -> int:
        """Messages that ended so; `received` for all."""
        return self.totals.get(f"messages_{outcome}", 0)

    @property
    def adds_up(self) -> bool:
        """Whether every message received ended in exactly one of the four ways."""
        return self.total("received") == sum(self.total(outcome) for outcome in OUTCOMES)

    def find(self, site: str, device: str) -> DeviceView | None:
        """A device that is registered or was heard."""
        return next((d for d in self.devices if (d.site, d.device) == (site, device)), None)


def snapshot(store: Path, registry: Registry, now_ns: int | None = None) -> Snapshot:
    """Look at a gateway's store file.

    Raises:
        Unavailable: there is none yet, or it cannot be read now.
        Misconfigured: it is of another version.
    """
    with _look(store) as db:
        states = {}
        for site, device, body in db.execute("SELECT site, device, body FROM device"):
            try:
                states[site, device] = state.unpack(body)
            except msgspec.DecodeError:
                continue  # the gateway counts it as `damaged_device_rows` at its next start
        open_alerts, damaged = _alerts(db.execute("SELECT body FROM alert WHERE open = 1"))
        return Snapshot(
            at_ns=time.time_ns() if now_ns is None else now_ns,
            devices=tuple(_devices(states, registry)),
            held=_held(db),
            totals=dict(db.execute("SELECT name, value FROM counter").fetchall()),
            backlog=_backlog(db),
            reasons=_reasons(db),
            open_alerts=tuple(open_alerts),
            damaged_alerts=damaged,
        )


def held_devices(store: Path) -> tuple[HeldDevice, ...]:
    """Devices nobody has registered. Raises as `snapshot`."""
    with _look(store) as db:
        return _held(db)


def alert_list(store: Path, *, closed: bool = False, limit: int = 200) -> list[Alert]:
    """Open alerts, most urgent and oldest first; with `closed` then the newest closed ones. Raises as `snapshot`."""
    with _look(store) as db:
        found, _ = _alerts(db.execute("SELECT body FROM alert WHERE open = 1"))
        if closed:
            over = db.execute("SELECT body FROM alert WHERE open = 0 ORDER BY raised_ns DESC LIMIT ?", (limit,))
            found += _alerts(over, in_order=True)[0]
        return found


def find_alert(store: Path, alert_id: str) -> Alert:
    """An alert by its id, open or closed.

    Raises:
        Rejected: `unknown_alert`. Others as `snapshot`.
    """
    with _look(store) as db:
        found, _ = _alerts(db.execute("SELECT body FROM alert WHERE id = ?", (alert_id,)))
    if not found:
        raise Rejected("unknown_alert", f"there is no alert {alert_id[:80]!r}; `kanhu alerts list --all` shows them")
    return found[0]


def reasons(store: Path) -> tuple[Reason, ...]:
    """How many dead letters there are for each reason, the most frequent first. Raises as `snapshot`."""
    with _look(store) as db:
        return _reasons(db)


def letters(store: Path, reason: str | None = None, limit: int = 50) -> list[Letter]:
    """Dead letters, the newest first. Raises as `snapshot`."""
    with _look(store) as db:
        rows = db.execute(
            f"SELECT {_LETTER} FROM dead_letter WHERE :reason IS NULL OR reason = :reason"
            " ORDER BY last_ns DESC, id DESC LIMIT :most",
            {"reason": reason, "most": limit},
        )
        return [_letter(store, row) for row in rows]


def find_letter(store: Path, number: int) -> Letter:
    """A dead letter by its number.

    Raises:
        Rejected: `unknown_dead_letter`. Others as `snapshot`.
    """
    with _look(store) as db:
        row = db.execute(f"SELECT {_LETTER} FROM dead_letter WHERE id = ?", (number,)).fetchone()
    if row is None:
        raise Rejected("unknown_dead_letter", f"there is no dead letter {number}; see `kanhu dead-letters list`")
    return _letter(store, row)


def _letter(store: Path, row: tuple[Any, ...]) -> Letter:
    """What cannot be opened is shown as it lies there."""
    letter = Letter(*row)
    try:
        return replace(letter, payload=opened(store, letter.payload))
    except (Unavailable, Misconfigured) as error:
        log.warning("%s", error)
        return letter


_LETTER = "id, first_ns, last_ns, times, stage, reason, detail, topic, boot, seq, payload"


@contextmanager
def _look(store: Path) -> Iterator[sqlite3.Connection]:
    """One read transaction: what is read in it belongs together."""
    db = read_only(store)
    try:
        db.execute("BEGIN")
        version = version_of(db, store)
        if version not in READABLE:
            raise Misconfigured(
                f"{store} has schema {version}, this program knows {SCHEMA_VERSION}", "use the version that wrote it"
            )
        yield db
    except sqlite3.Error as error:
        raise Unavailable(f"cannot read {store}: {error}") from error
    finally:
        db.close()


def _devices(states: Mapping[Key, state.DeviceState], registry: Registry) -> Iterator[DeviceView]:
    """Registered and heard devices, by name."""
    for key in sorted(states.keys() | registry.devices.keys()):
        expected, known = registry.devices.get(key), states.get(key)
        if known is None:
            yield DeviceView(*key, expected)
            continue
        yield DeviceView(
            *key,
            expected,
            heard_ns=known.heard_ns,
            online=known.online,
            firmware=known.firmware,
            config=known.config,
            config_error=known.config_error,
            update=known.update,
            boots=len(known.boots),
            came=sum(map(_came, known.boots)),
            lost=sum(boot.lost for boot in known.boots),
            gaps=tuple(Gap(boot.boot, first, last) for boot in known.boots for first, last in boot.gaps()),
            counters=known.counters,
            latest=known.latest,
        )


def _came(boot: Boot) -> int:
    return boot.upto + sum(last - first + 1 for first, last in boot.ahead) - boot.lost - boot.forgiven


def _held(db: sqlite3.Connection) -> tuple[HeldDevice, ...]:
    query = "SELECT site, device, count(*), min(received_ns), max(received_ns) FROM held GROUP BY site, device ORDER BY 4"
    return tuple(HeldDevice(*row) for row in db.execute(query))


def _backlog(db: sqlite3.Connection) -> Backlog:
    rows, entries, size = db.execute(
        "SELECT sum(rows), sum(entries), sum(bytes) FROM size WHERE what IN ('event', 'data')"
    ).fetchone()
    oldest = db.execute("SELECT min(received_ns) FROM outbox").fetchone()[0] if rows else None
    return Backlog(rows or 0, entries or 0, size or 0, oldest)


def _reasons(db: sqlite3.Connection) -> tuple[Reason, ...]:
    query = "SELECT stage, reason, count(*), sum(times) FROM dead_letter GROUP BY stage, reason ORDER BY 4 DESC, 2"
    return tuple(Reason(*row) for row in db.execute(query))


_RANK = {"urgent": 0, "warning": 1, "notice": 2}


def _alerts(rows: "sqlite3.Cursor | Sequence[tuple[bytes]]", *, in_order: bool = False) -> tuple[list[Alert], int]:
    """The alerts that can be read, and how many cannot."""
    found, damaged = [], 0
    for (body,) in rows:
        try:
            found.append(alerts.unpack(body))
        except msgspec.MsgspecError:
            damaged += 1
    if not in_order:
        found.sort(key=lambda alert: (_RANK[alert.severity], alert.raised_ns))
    return found, damaged
