"""A courier's pages on a ledger in memory and a gateway that writes down what it is asked; a browser of a phone's size."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.console.courier import parts
from dashboards.console.courier.ports import Ports
from dashboards.console.roles import Forbidden
from edge_gateway.errors import Rejected, Unavailable
from edge_gateway.visits.chain import LogEntry
from edge_gateway.visits.look import CourierLink
from edge_gateway.visits.records import (
    Card,
    CardKind,
    CardRole,
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
from tests.servers import eventually
from tests.web import serving

ZONE = ZoneInfo("Asia/Shanghai")
TOKEN, OTHER_TOKEN = "A" * 21 + "1", "B" * 21 + "2"
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=ZONE)
S = 1_000_000_000


def ns(*when: int) -> int:
    """Nanoseconds of a local time."""
    return int(datetime(*when, tzinfo=ZONE).astimezone(UTC).timestamp()) * S  # type: ignore[misc,arg-type]


def visit(id_: str, day: int, hour: int, **changes: Any) -> Visit:
    """A meal brought to wutong-3-201 on a day of November 2026, on time and proved."""
    plain: dict[str, Any] = {
        "site": "wutong", "place": "wutong-3-201", "person": "e-secret", "service": "meal", "date": f"2026-11-{day:02}",
        "courier": "r-17", "state": State.ON_TIME, "slot": id_, "opens_ns": ns(2026, 11, day, 11, 0),
        "closes_ns": ns(2026, 11, day, 12, 0), "start_ns": ns(2026, 11, day, hour, 32), "grade": Grade.STRONG, "counted": True,
        "taps": (f"wutong/reader-1/1/{day}",),
    }  # fmt: skip
    return Visit(id=id_, **{**plain, **changes})


def tap(seq: int, at_ns: int, courier: str = "r-17", *, ruling: Ruling = Ruling.COUNTED, **changes: Any) -> JudgedTap:
    """A tap of a courier's card at the reader `desk-1`."""
    grade = changes.pop("grade", Grade.STRONG)
    reasons: tuple[Reason, ...] = changes.pop("reasons", ())
    card = changes.pop("card", Card(f"c-{courier}", "wutong", CardKind.NTAG424, CardRole.COURIER, courier))
    plain: dict[str, Any] = {"device": "desk-1", "place": "office", "received_ns": at_ns, **changes}
    one = Tap("wutong", plain["device"], plain["place"], 1, seq, at_ns, plain["received_ns"], "ntp", 0, 0.1, "sun", "")
    return JudgedTap(one, Evidence(grade, card, counter=seq), Judgement(ruling, grade, reasons))


@dataclass
class FakeLedger:
    """What the pages read, in lists."""

    links: dict[str, CourierLink] = field(default_factory=dict)
    all_visits: list[Visit] = field(default_factory=list)
    all_taps: list[JudgedTap] = field(default_factory=list)
    entries: dict[str, list[LogEntry]] = field(default_factory=dict)
    away: bool = False

    @contextmanager
    def open(self) -> Iterator["FakeLedger"]:
        if self.away:
            raise Unavailable("no ledger")
        yield self

    def find_courier_by_token(self, token: str, now_ns: int) -> CourierLink | None:
        link = self.links.get(token)
        return link if link is not None and now_ns < link.until_ns else None

    def visits(self, *, site: str, courier: str, date_from: str, date_to: str, limit: int, newest_first: bool) -> list[Visit]:
        found = [v for v in self.all_visits if (v.site, v.courier) == (site, courier) and date_from <= v.date <= date_to]
        return sorted(found, key=lambda v: v.date, reverse=newest_first)[:limit]

    def visit(self, visit_id: str, site: str) -> Visit | None:
        return next((v for v in self.all_visits if (v.id, v.site) == (visit_id, site)), None)

    def history(self, visit_id: str, site: str) -> list[LogEntry]:
        return self.entries.get(visit_id, [])

    def taps(self, visit: Visit) -> list[JudgedTap]:
        return [t for t in self.all_taps if t.tap.id in visit.taps]

    def courier_taps(self, courier: str, date_from: str, date_to: str, *, limit: int) -> list[JudgedTap]:
        days = [
            (f"{datetime.fromtimestamp(t.tap.time_ns / S, ZONE):%Y-%m-%d}", t) for t in self.all_taps if t.courier == courier
        ]
        return [t for day, t in days if date_from <= day <= date_to][:limit]

    def served(self, **_conditions: Any) -> list[Served]:
        return []

    def recent_taps(self, site: str, device: str, since_ns: int) -> list[JudgedTap]:
        return [t for t in self.all_taps if (t.tap.site, t.tap.device) == (site, device) and t.tap.received_ns >= since_ns]


@dataclass
class FakeGateway:
    """Writes down commands; a phone's taps are known by (phone, seq) as at the real one."""

    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    taps: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)
    fails: Exception | None = None

    def call(self, command: str, timeout_s: float = 10.0, /, **arguments: Any) -> Any:
        if self.fails is not None:
            raise self.fails
        self.asked.append((command, arguments))
        if command == "visits.tap":
            key = (arguments["phone"], arguments["seq"])
            if self.taps.setdefault(key, arguments)["text"] != arguments["text"]:
                raise Rejected("conflict", "another tap has this number")
        return {}

    def of(self, command: str) -> list[dict[str, Any]]:
        """The arguments of each time this was asked."""
        return [arguments for name, arguments in self.asked if name == command]


@dataclass
class Courier:
    """The pages and what is behind them."""

    ledger: FakeLedger
    gateway: FakeGateway
    now_ns: int
    desk_readers: tuple[str, ...] = ("wutong/desk-1",)
    phone_site: str = "wutong"
    forbidden: Exception | None = None

    def app(self) -> FastAPI:
        app = FastAPI()
        app.add_exception_handler(Forbidden, lambda _request, _error: Response("forbidden", 403))
        for part in parts(lambda _request: self.ports()):
            app.include_router(part.router)
        return app

    def ports(self) -> Ports:
        return Ports(
            open_ledger=self.ledger.open,  # type: ignore[arg-type]
            call=self.gateway.call,
            zone_of=lambda _site: ZONE,
            desk_readers=self.desk_readers,
            phone_site=self.phone_site,
            kiosk=self.guard,
            now_ns=lambda: self.now_ns,
        )

    def guard(self, _request: Request) -> None:
        if self.forbidden is not None:
            raise self.forbidden


def courier(now: datetime = NOW) -> Courier:
    """Couriers r-17 and r-9, each with a link until the end of the year."""
    until = ns(2026, 12, 31, 0, 0)
    links = {TOKEN: CourierLink("r-17", "wutong", until), OTHER_TOKEN: CourierLink("r-9", "wutong", until)}
    return Courier(FakeLedger(links), FakeGateway(), int(now.timestamp()) * S)


def said(n: int, at_ns: int, visit_id: str, action: str, by: str, reason: str) -> LogEntry:
    """A correction in the log."""
    body = {"n": n, "visit": visit_id, "at_ns": at_ns, "action": action, "by": by, "reason": reason, "changes": {}}
    return LogEntry(n, at_ns, "correction", f"wutong|{visit_id}", by, msgspec.json.encode(body).decode(), "")


@contextmanager
def serving_at(app: FastAPI, port: int) -> Iterator[None]:
    """The application at this very port of 127.0.0.1: a browser keeps things by address and port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, 60, "the web server")
        yield
    finally:
        server.should_exit = True
        thread.join(30)


class Switch:
    """One web server for the tests of a file; each test puts its own application behind it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@contextmanager
def switched() -> Iterator[tuple[str, Switch]]:
    """The address of the server, and its switch."""
    switch = Switch()
    with serving(switch) as address:
        yield address, switch
