"""What the gateway has on disk of its homes, for screens: read-only, one consistent look, also while the gateway is down.

What moved last in a home is on disk half a minute later at most; what a person said, an alert and a pause at once.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Final

import msgspec

from edge_gateway import state
from edge_gateway.alerts.alert import Alert, unpack
from edge_gateway.errors import Misconfigured, Unavailable
from edge_gateway.homes.home import Asked, Away, Consent, Home, Past, Pause, Test, unpack_home, unpack_past
from edge_gateway.homes.round import Facts, warmth
from edge_gateway.homes.watch import NOW, PAST, Note
from edge_gateway.registry import Registry
from edge_gateway.rules import Severity, emergency
from edge_gateway.state import DeviceState
from edge_gateway.store_file import READABLE, SCHEMA_VERSION, read_only, version_of

_RANK: Final = {Severity.URGENT: 0, Severity.WARNING: 1, Severity.NOTICE: 2}
_SCANNED: Final = 5000  # closed alerts that are looked through for those of one home
_HOMES_SINCE: Final = 3  # schema; a file that an older gateway left knows no homes yet


class _Limits(msgspec.Struct):
    """What of `Past` is read for a whole site."""

    limits_s: list[float] = []


class _Brief(msgspec.Struct):
    """What of `Home` the round asks for: a thousand homes with all their signs and states are a quarter of a second."""

    site: str
    place: str
    since_ns: int = 0
    life_ns: int = 0
    life_name: str = ""
    away: Away | None = None
    pause: Pause | None = None
    asked: Asked | None = None
    test: Test = msgspec.field(default_factory=Test)
    timers: dict[str, int] = {}
    notes: dict[str, float | str] = {}
    consents: list[Consent] = []

    def home(self) -> Home:
        """As a home without signs, states and its day."""
        return Home(**{name: getattr(self, name) for name in self.__struct_fields__})


_brief: Final = msgspec.msgpack.Decoder(_Brief).decode
_limits: Final = msgspec.msgpack.Decoder(_Limits).decode


@contextmanager
def open_homes(store_file: Path) -> "Iterator[HomesLook]":
    """Look at a gateway's store; for one thread.

    Raises:
        Unavailable: there is none yet, or it cannot be read now.
        Misconfigured: it is of another version.
    """
    db = read_only(store_file)
    try:
        db.execute("BEGIN")
        version = version_of(db, store_file)
        if version not in READABLE:
            raise Misconfigured(
                f"{store_file} has schema {version}, this program knows {SCHEMA_VERSION}", "use the version that wrote it"
            )
        yield HomesLook(db, has_homes=version >= _HOMES_SINCE)
    except sqlite3.Error as error:
        raise Unavailable(f"cannot read {store_file}: {error}") from error
    finally:
        db.close()


class HomesLook:
    """One look. A row that cannot be read is passed over: the gateway counts it at its next start, and says so."""

    def __init__(self, db: sqlite3.Connection, has_homes: bool = True) -> None:
        self._db, self._has_homes = db, has_homes

    def home(self, site: str, place: str) -> Home | None:
        """What is remembered of a home; None: nothing yet."""
        body = self._part(site, place, NOW)
        try:
            return unpack_home(body) if body is not None else None
        except msgspec.MsgspecError:
            return None

    def memory(self, site: str) -> Home:
        """What is remembered of a whole site: its emergency mode."""
        return self.home(site, "") or Home(site, "")

    def homes(self, site: str, brief: bool = False) -> dict[str, Home]:
        """Place -> what is remembered; without the site's own memory. `brief`: without signs, states and today."""
        found: dict[str, Home] = {}
        if not self._has_homes:
            return found
        query = "SELECT place, body FROM home WHERE site = ? AND part = ? AND place <> ''"
        for place, body in self._db.execute(query, (site, NOW)):
            try:
                found[place] = _brief(body).home() if brief else unpack_home(body)
            except msgspec.MsgspecError:
                continue
        return found

    def facts(self, site: str, registry: Registry, zone: tzinfo, now_ns: int, consent_required: bool = False) -> Facts:
        """What the morning round is made of. `consent_required`: as in the gateway's settings."""
        standing = emergency.standing(self.memory(site), now_ns)
        return Facts(
            site,
            {place: setting for (there, place), setting in registry.homes.items() if there == site},
            self.homes(site, brief=True),
            self.alerts(),
            now_ns,
            zone,
            self.limits(site),
            warmth(self.devices(site), registry, site, now_ns),
            standing.kind if standing is not None else "",
            consent_required,
        )

    def past(self, site: str, place: str) -> Past:
        """What was learned of a home; empty: nothing yet."""
        body = self._part(site, place, PAST)
        try:
            return unpack_past(body) if body is not None else Past()
        except msgspec.MsgspecError:
            return Past()

    def limits(self, site: str) -> dict[str, list[float]]:
        """Place -> longest silence of each band in seconds, as it was learned; without the days behind it, which are many."""
        found: dict[str, list[float]] = {}
        if not self._has_homes:
            return found
        for place, body in self._db.execute("SELECT place, body FROM home WHERE site = ? AND part = ?", (site, PAST)):
            try:
                found[place] = _limits(body).limits_s
            except msgspec.MsgspecError:
                continue
        return found

    def log(self, site: str, place: str, limit: int = 100) -> list[Note]:
        """Who did what to a home and who looked, the newest first."""
        if not self._has_homes:
            return []
        query = (
            "SELECT site, place, at_ns, who, what, detail FROM home_log WHERE site = ? AND place = ? ORDER BY id DESC LIMIT ?"
        )
        return [Note(*row) for row in self._db.execute(query, (site, place, limit))]

    def alerts(
        self,
        site: str | None = None,
        place: str | None = None,
        open_only: bool = True,
        since_ns: int = 0,
        limit: int = 1000,
    ) -> list[Alert]:
        """Open alerts, most urgent and oldest first; unless `open_only` then closed ones raised since then, newest first."""

        def fits(alert: Alert) -> bool:
            return site in (None, alert.site) and place in (None, alert.place)

        found = [alert for alert in self._read("SELECT body FROM alert WHERE open = 1") if fits(alert)]
        found.sort(key=lambda alert: (_RANK[alert.severity], alert.raised_ns))
        if not open_only:
            query = f"SELECT body FROM alert WHERE open = 0 AND raised_ns >= ? ORDER BY raised_ns DESC LIMIT {_SCANNED}"
            for alert in self._read(query, since_ns):
                if len(found) >= limit:
                    break
                if fits(alert):
                    found.append(alert)
        return found[:limit]

    def alert(self, id_: str) -> Alert | None:
        """One alert, open or closed; None: there is none, or its row is damaged."""
        return next(self._read("SELECT body FROM alert WHERE id = ?", id_), None)

    def devices(self, site: str) -> dict[str, DeviceState]:
        """Device -> what is remembered of it: when it was heard, and its newest values."""
        found: dict[str, DeviceState] = {}
        for device, body in self._db.execute("SELECT device, body FROM device WHERE site = ?", (site,)):
            try:
                found[device] = state.unpack(body)
            except msgspec.DecodeError:
                continue
        return found

    def _part(self, site: str, place: str, part: str) -> bytes | None:
        if not self._has_homes:
            return None
        query = "SELECT body FROM home WHERE site = ? AND place = ? AND part = ?"
        row = self._db.execute(query, (site, place, part)).fetchone()
        return bytes(row[0]) if row else None

    def _read(self, query: str, *values: object) -> Iterator[Alert]:
        for (body,) in self._db.execute(query, values):
            try:
                yield unpack(body)
            except msgspec.MsgspecError:
                continue
