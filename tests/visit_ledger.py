"""A ledger of visits as a file, with its chain, made fast: for what reads ledgers. What writes them in truth is the gateway."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from edge_gateway.visits import codec, served
from edge_gateway.visits.chain import GENESIS, body_hash, canonical, link
from edge_gateway.visits.ledger_file import connect
from edge_gateway.visits.look import subject
from edge_gateway.visits.records import (
    Correction,
    Evidence,
    Grade,
    JudgedTap,
    Judgement,
    Reason,
    Ruling,
    Served,
    State,
    Tap,
    Visit,
)

S = 1_000_000_000
ZONE = ZoneInfo("Asia/Shanghai")


def at(day: str, clock: str) -> int:
    """UTC ns of a local time in Shanghai."""
    moment = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)) * S


class LedgerFile:
    """Writes entries with their chain, and the tables that `look` reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = connect(path)
        self.db.execute("PRAGMA synchronous = OFF")
        self.db.execute("BEGIN")
        self.n, self.head = 0, GENESIS
        self._rows: dict[str, list[tuple[Any, ...]]] = {"log": [], "visit": [], "served": []}
        self._first: dict[tuple[str, str], int] = {}

    def write(self, kind: str, about: str, by: str, body: Mapping[str, Any], at_ns: int) -> int:
        """One entry; its number."""
        text = canonical(dict(body)).decode()
        self.n += 1
        self.head = link(self.head, self.n, at_ns, kind, about, by, body_hash(text))
        self._rows["log"].append((self.n, at_ns, kind, about, by, text, self.head))
        if len(self._rows["log"]) >= 20_000:
            self._flush()
        return self.n

    def visit(self, visit: Visit, at_ns: int = 0, steps: int = 1) -> None:
        """A visit as it stands now; with `steps` 2 it was planned before."""
        first = self._first.get((visit.site, visit.id), self.n + 1)
        about = subject(visit.site, visit.id)
        if steps > 1:
            before = {**codec.plain(visit), "state": "planned", "counted": False, "start_ns": None, "taps": [], "reasons": []}
            self.write("visit", about, "gateway", before, visit.opens_ns - 8 * 3600 * S)
            shown = sha256(visit.id.encode()).hexdigest()
            tap = {"id": visit.taps[0] if visit.taps else "", "shown": shown, "time_ns": visit.start_ns, "ruling": "counted"}
            self.write("tap", f"{visit.site}/r1/1/{self.n}", "gateway", tap, visit.start_ns or visit.closes_ns)
        n = self.write("visit", about, visit.by, codec.plain(visit), at_ns or visit.received_ns or visit.closes_ns)
        begins_ns = visit.opens_ns or visit.start_ns or 0
        row = (visit.site, visit.id, visit.place, visit.date, visit.person, visit.service, visit.courier, visit.state.value)
        if steps == 1:
            self._first[visit.site, visit.id] = first
        self._rows["visit"].append((*row, visit.reviewing, visit.counted, begins_ns, first, n, codec.pack(visit)))

    def served(self, meal: Served, at_ns: int = 0) -> None:
        """A meal of the counter as it stands now."""
        self.write("served", served.subject(meal), "gateway", codec.plain(meal), at_ns or meal.time_ns)
        row = (meal.tap, meal.site, meal.place, meal.holder, meal.date, meal.time_ns, codec.pack(meal))
        self._rows["served"].append(row)

    def corrected(self, before: Visit, after: Visit, action: str, reason: str, at_ns: int, **changes: Any) -> None:
        """What a person said, and what became of the visit."""
        about = subject(before.site, before.id)
        said = Correction(self.n + 1, before.id, at_ns, action, after.by, reason, changes)
        n = self.write("correction", about, after.by, codec.plain(said), at_ns)
        self.db.execute(
            "INSERT INTO correction (n, site, visit, place, date, body) VALUES (?, ?, ?, ?, ?, ?)",
            (n, before.site, before.id, before.place, before.date, codec.pack(said)),
        )
        self.visit(after, at_ns)

    def refused(self, tap: Tap, reason: Reason, courier: str = "") -> None:
        """A tap that was refused."""
        judgement = Judgement(Ruling.REFUSED, Grade.NONE, (reason,))
        judged = JudgedTap(tap, Evidence(Grade.NONE, problem=reason), judgement)
        body = {**codec.plain(tap), **codec.plain(judgement), "courier": courier}
        self.write("tap", tap.id, "gateway", body, tap.received_ns)
        day = datetime.fromtimestamp(tap.time_ns // S, ZONE).date().isoformat()
        self.db.execute(
            "INSERT INTO tap (id, site, place, device, boot, seq, time_ns, date, received_ns, use, chip, courier, ruling, mark,"
            " body, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'visit', '', ?, 'refused', x'00', ?, x'00')",
            (
                tap.id,
                tap.site,
                tap.place,
                tap.device,
                tap.boot,
                tap.seq,
                tap.time_ns,
                day,
                tap.received_ns,
                courier,
                codec.pack(judged),
            ),
        )

    def _flush(self) -> None:
        columns = "n, at_ns, kind, subject, by, body, hash"
        self.db.executemany(f"INSERT INTO log ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", self._rows["log"])
        columns = "site, id, place, date, person, service, courier, state, reviewing, counted, begins_ns, first_n, last_n, body"
        marks = ", ".join("?" * 14)
        self.db.executemany(f"INSERT OR REPLACE INTO visit ({columns}) VALUES ({marks})", self._rows["visit"])
        columns = "tap, site, place, holder, date, time_ns, body"
        self.db.executemany(f"INSERT OR REPLACE INTO served ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", self._rows["served"])
        for rows in self._rows.values():
            rows.clear()

    def close(self) -> None:
        """All is in the file."""
        self._flush()
        self.db.execute("COMMIT")
        self.db.close()


def month(visits: int, site: str = "wutong", year_month: str = "2026-11", couriers: int = 40, seed: int = 1) -> Iterator[Visit]:
    """Synthetic visits of a month, by day and time: mostly on time, a few of everything else."""
    chance = random.Random(seed)
    first = date.fromisoformat(f"{year_month}-01")
    days = ((first + timedelta(32)).replace(day=1) - first).days
    a_day = -(-visits // days)
    for n in range(visits):
        day = (first + timedelta(n // a_day)).isoformat()
        home = n % a_day
        opens_ns = at(day, "11:00") if home % 2 else at(day, "17:00")
        start_ns = opens_ns + chance.randrange(3600) * S
        state, reasons, late_s, grade, taps = State.ON_TIME, (), 0, Grade.STRONG, (f"{site}/r-{home}/3/{n}",)
        luck = chance.random()
        if luck < 0.04:
            state, reasons, late_s = State.LATE, (Reason.LATE,), chance.randrange(60, 5400)
            start_ns = opens_ns + (3600 + late_s) * S
        elif luck < 0.06:
            reasons, grade = (Reason.SYNCED_LATE,), Grade.MEDIUM
        elif luck < 0.07:
            state, reasons, taps = State.UNKNOWN, (Reason.READER_OFFLINE,), ()
        elif luck < 0.075:
            state, taps = State.MISSED, ()
        elif luck < 0.09:
            reasons = (Reason.COUNTER_OUT_OF_ORDER,)
        here = bool(taps)
        yield Visit(
            f"m-{home}/{day}", site, f"p-{home // 2}", f"e-{home // 2}", "meal", day,
            f"k-{home % couriers:02}" if here else "", state, f"m-{home}/{day}", opens_ns, opens_ns + 3600 * S,
            start_ns if here else None, None, late_s, grade if here else Grade.NONE, Reason.COUNTER_OUT_OF_ORDER in reasons,
            here, reasons, taps, start_ns + chance.randrange(2, 600) * S if here else 0,
        )  # fmt: skip
