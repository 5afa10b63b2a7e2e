"""A ledger with a day of visits, a gateway's socket in a thread, and the console as a real process."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from playwright.sync_api import Page

from dashboards.console.access import Access
from dashboards.console.audit import Audit
from dashboards.console.roles import Role
from dashboards.console.store import Store
from dashboards.console.users import User, Users, hashed
from edge_gateway import commands, registry
from edge_gateway.errors import Rejected
from edge_gateway.settings import Console
from edge_gateway.settings import Visits as VisitSettings
from edge_gateway.visits import codec, corrections
from edge_gateway.visits.ledger import Ledger
from edge_gateway.visits.look import open_ledger
from edge_gateway.visits.records import Correction, Grade, Plan, Reason, State, Visit
from tests.servers import eventually, free_port
from tests.web import Answer, ask

ROOT = Path(__file__).resolve().parents[2]
ZONE = ZoneInfo("Asia/Shanghai")
DATE = "2026-11-20"
PASSWORD = "correct horse 7"
# Once for all tests: it is slow on purpose.
HASH = hashed(PASSWORD)
EVIL = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{7*7}}'
REGISTRY = '[sites.yunhe]\nname = "运河社区"\n[sites.other]\nname = "别处"\n'
NAMES = {"e-1": "王秀英", "r-17": "李强"}


def at(hour: int, minute: int = 0) -> int:
    """Nanoseconds of a time of the day."""
    return int(datetime(2026, 11, 20, hour, minute, tzinfo=ZONE).timestamp()) * 10**9


def visit(number: int, state: State, **more: Any) -> Visit:
    """A meal planned from 11 to 12."""
    plain: dict[str, Any] = {
        "site": "yunhe", "place": f"p-{number}", "person": f"e-{number}", "service": "meal", "date": DATE, "courier": "r-17",
        "state": state, "opens_ns": at(11), "closes_ns": at(12), "grade": Grade.STRONG, "counted": True,
        "start_ns": at(11, 20 + number), "slot": f"meal-{number}/{DATE}",
    }  # fmt: skip
    return Visit(id=f"meal-{number}/{DATE}", **{**plain, **more})


VISITS = (
    visit(1, State.ON_TIME),
    visit(2, State.LATE, start_ns=at(12, 12), late_s=720, reasons=(Reason.LATE,)),
    visit(3, State.ON_TIME, reviewing=True, reasons=(Reason.COUNTER_OUT_OF_ORDER,), grade=Grade.MEDIUM),
    visit(4, State.UNPLANNED, reviewing=True, reasons=(Reason.UNPLANNED,), comment=EVIL, opens_ns=0, closes_ns=0, slot=""),
    visit(5, State.MISSED, start_ns=None, counted=False, grade=Grade.NONE),
    visit(6, State.UNKNOWN, start_ns=None, counted=False, grade=Grade.NONE, reasons=(Reason.READER_OFFLINE,)),
    visit(7, State.PLANNED, start_ns=None, counted=False, grade=Grade.NONE, opens_ns=at(17), closes_ns=at(18)),
)

PLANS = tuple(Plan(f"meal-{n}", "yunhe", f"p-{n}", f"e-{n}", courier="r-17", weekdays=(1, 2, 3, 4, 5)) for n in (1, 2, 3))


class Village:
    """The ledger and who writes it: a thread that answers at the gateway's socket."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        data_dir.mkdir(mode=0o700, parents=True)
        self.file = data_dir / "visits.db"
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> "Village":
        known = registry.parse(REGISTRY)
        self._thread.start()
        self._run(self._open(known))
        self.come()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.go()
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def come(self) -> None:
        """The gateway answers."""
        handlers: Mapping[str, commands.Handler] = {
            "ping": self._ping, "visits.decide": self._decide, "people.reveal": self._reveal, "visits.except": self._except,
        }  # fmt: skip
        self._server = self._run(commands.serve(self.data_dir / "gateway.sock", handlers))

    def go(self) -> None:
        """The gateway is gone."""
        if self._server is not None:
            self._loop.call_soon_threadsafe(self._server.close)
            (self.data_dir / "gateway.sock").unlink(missing_ok=True)
            self._server = None

    def anew(self) -> None:
        """The day as it was, and a gateway that was asked nothing."""
        self.asked.clear()
        if self._server is None:
            self.come()
        self._run(self._fill())

    def visit(self, number: int) -> Visit:
        """As the ledger has it now."""
        with open_ledger(self.file) as ledger:
            found = ledger.visit(f"meal-{number}/{DATE}", "yunhe")
        assert found is not None
        return found

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self, known: registry.Registry) -> None:
        self.ledger = Ledger(self.file, self.data_dir / "visits.key", known, VisitSettings(), lambda: at(19))
        await self._fill()

    async def _fill(self) -> None:
        with self.ledger.book.transaction():
            for one in VISITS:
                self.ledger.visits._save(one)
            for plan in PLANS:
                row = (plan.site, plan.id, "2000-01-01", "", codec.pack(plan))
                self.ledger.book.db.execute("INSERT OR IGNORE INTO plan VALUES (?, ?, ?, ?, ?)", row)

    async def _close(self) -> None:
        self.ledger.close()

    async def _ping(self, _: Mapping[str, Any]) -> str:
        return "pong"

    async def _decide(self, arguments: Mapping[str, Any]) -> Any:
        self.asked.append(("visits.decide", dict(arguments)))
        corrections.check(arguments["action"], arguments["reason"], arguments.get("changes") or {})
        with open_ledger(self.file) as ledger:
            before = ledger.visit(arguments["visit"], arguments["site"])
        if before is None:
            raise Rejected("unknown_visit", arguments["visit"])
        book = self.ledger.book
        with book.transaction():
            about = (arguments["visit"], at(19), arguments["action"], arguments["by"], arguments["reason"])
            said = Correction(book.n + 1, *about, arguments.get("changes") or {})
            book.write("correction", f"{before.site}|{before.id}", said.by, msgspec.to_builtins(_plain(said)))
            after = corrections.apply(before, [said])
            self.ledger.visits._save(after)
        return {"n": said.n, "visit": _plain(after)}

    async def _reveal(self, arguments: Mapping[str, Any]) -> Any:
        self.asked.append(("people.reveal", dict(arguments)))
        return {id_: {"name": NAMES[id_], "phone": "", "address": ""} for id_ in arguments["ids"] if id_ in NAMES}

    async def _except(self, arguments: Mapping[str, Any]) -> Any:
        self.asked.append(("visits.except", dict(arguments)))
        return {"saved": len(arguments["rows"])}


def _plain(record: msgspec.Struct) -> dict[str, Any]:
    return {name: msgspec.to_builtins(getattr(record, name)) for name in record.__struct_fields__}


class ConsoleProcess:
    """`kanhu console` in a folder of its own."""

    def __init__(self, folder: Path, village: Any, accounts: bool = True, registry: str = REGISTRY, **settings: Any) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.village = village
        self.log = folder / "console.log"
        self._settings = folder / "kanhu.toml"
        (folder / "registry.toml").write_text(registry, encoding="utf-8")
        lines = [f'data_dir = "{village.data_dir}"', f'registry = "{folder / "registry.toml"}"', "[console]"]
        lines += [f"port = {self.port}", *(f"{key} = {value}" for key, value in settings.items())]
        self._settings.write_text("\n".join(lines), encoding="utf-8")
        if accounts:
            self._accounts()
        self.process: subprocess.Popen[bytes] | None = None

    def _accounts(self) -> None:
        store = Store(self.village.data_dir / "console.db")
        users = Users(store, Audit(store))
        for id_, role, place in (
            ("admin", Role.ADMIN, "*"), ("anna", Role.STAFF, "yunhe"), ("ben", Role.STAFF, "yunhe/p-1"),
            ("eve", Role.STAFF, "yunhe"),
            ("tom", Role.TECHNICIAN, "*"), ("screen", Role.KIOSK, "yunhe"), ("vera", Role.VOLUNTEER, "*"),
            ("mei", Role.STAFF, "yunhe/w3-202"),
        ):  # fmt: skip
            users.add(User(id_, role, (place,)), HASH, "test")
        store.close()

    def __enter__(self) -> "ConsoleProcess":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end(signal.SIGTERM)

    def start(self) -> None:
        """Until it answers."""
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "kanhu", "console", "--settings", str(self._settings)]
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ))
        eventually(self._answers, 60, "the console")

    def end(self, how: signal.Signals) -> None:
        """By its own pid."""
        process, self.process = self.process, None
        if process is not None:
            process.send_signal(how)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
        try:
            return self.get("/login").status in (200, 303)
        except OSError:
            return False

    def get(self, path: str, cookie: str = "") -> Answer:
        """A page, as somebody."""
        return ask(self.url + path, headers={"Cookie": f"kanhu={cookie}"} if cookie else {})

    def post(self, path: str, fields: Mapping[str, str], cookie: str = "", origin: str | None = None) -> Answer:
        """A form, as somebody, from a page of this origin."""
        headers = {"Origin": self.url if origin is None else origin}
        return ask(self.url + path, fields, {name: value for name, value in headers.items() if value} | _cookie(cookie))

    def log_in(self, name: str, password: str = PASSWORD) -> str:
        """The cookie's value."""
        answer = self.post("/login", {"name": name, "password": password})
        assert answer.status == 303, answer.text
        return answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]

    def type_in(self, page: Page, name: str) -> None:
        """Log in as a person does."""
        page.goto(f"{self.url}/login")
        page.fill("[name=name]", name)
        page.fill("[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(f"{self.url}/ledger")

    def enter(self, page: Page, name: str, path: str) -> None:
        """Be logged in and go there."""
        page.context.add_cookies([{"name": "kanhu", "value": self.cookie(name), "url": self.url}])
        page.goto(self.url + path)

    def cookie(self, name: str) -> str:
        """Of a new session, without the half second that a password takes."""
        store = Store(self.village.data_dir / "console.db")
        users = Users(store, Audit(store))
        user = users.find(name)
        assert user is not None
        cookie, _ = Access(store, users, Audit(store), Console()).begin(user, "127.0.0.1")
        store.close()
        return cookie


def _cookie(value: str) -> dict[str, str]:
    return {"Cookie": f"kanhu={value}"} if value else {}


def live(page: Page) -> None:
    """Wait until clicks reach the server."""
    page.wait_for_function("() => window.socket && window.socket.connected && window.did_handshake", timeout=60_000)
