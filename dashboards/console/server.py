"""The console as a web server: its parts, and the way of a request: headers, gate, errors, page.

It reads the gateway's files and asks it over its socket; nothing of the gateway waits for it.
"""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.console import accept, courier, homes, inbound
from dashboards.console.access import Access
from dashboards.console.address import first_code_file
from dashboards.console.audit import Audit
from dashboards.console.gate import Errors, Gate
from dashboards.console.headers import Headers
from dashboards.console.pages import login
from dashboards.console.part import Part
from dashboards.console.reach import Reach
from dashboards.console.store import Store
from dashboards.console.users import Users
from edge_gateway.settings import Settings

PARTS: Final[tuple[Part, ...]] = (login.PART, *courier.parts(), *homes.PARTS, accept.part(), inbound.part())
_STATIC: Final = Path(__file__).parent / "static"
_CODE_LETTERS: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that look alike


@dataclass(slots=True)
class Console:
    """What every page may use; it is `request.state.console`.

    Attributes:
        first_code: makes the first administrator, once; "" when there is one.
    """

    settings: Settings
    store: Store
    audit: Audit
    users: Users
    access: Access
    reach: Reach
    first_code: str = ""
    code_file: Path = field(default_factory=Path)

    @property
    def cookie(self) -> str:
        """Name of the session's cookie. `__Host-` binds it to this very host, and browsers take it over https alone."""
        return "__Host-kanhu" if self.settings.console.secure else "kanhu"

    def wants_first(self) -> bool:
        """Whether the code can still make the first administrator; `kanhu console user add` may have made one since."""
        if self.first_code and not self.users.none_yet:
            self.code_used()
        return bool(self.first_code)

    def code_used(self) -> None:
        """The first administrator is made."""
        self.first_code = ""
        self.code_file.unlink(missing_ok=True)


def open_console(settings: Settings, reach: Reach | None = None) -> Console:
    """Open the console's file; makes the one-time code when nobody is there yet.

    Raises:
        Misconfigured: the file cannot be opened.
    """
    store = Store(settings.console_file)
    audit = Audit(store)
    users = Users(store, audit)
    access = Access(store, users, audit, settings.console)
    console = Console(settings, store, audit, users, access, reach or Reach(settings, audit))
    console.code_file = first_code_file(settings.data_dir)
    if users.none_yet:
        console.first_code = "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(3))
        _keep(console.code_file, console.first_code)
    else:
        console.code_file.unlink(missing_ok=True)
    return console


def create_app(settings: Settings, reach: Reach | None = None) -> FastAPI:
    """The whole console. NiceGUI is one for a process, so this is called once in it.

    Raises:
        Misconfigured: the console's file cannot be opened.
    """
    console = open_console(settings, reach)
    app = FastAPI(title="Kanhu", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.console = console
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    for part in PARTS:
        app.include_router(part.router)
    _with_nicegui(app, settings)
    # The last one added is the first a request meets.
    app.add_middleware(Errors)
    public = [path for part in PARTS for path in part.public]
    app.add_middleware(Gate, console=console, public=public, called=[path for part in PARTS for path in part.called])
    app.add_middleware(Headers, secure=settings.console.secure)
    app.add_middleware(_Gzip)
    return app


def _with_nicegui(app: FastAPI, settings: Settings) -> None:
    # Read when it is imported; it would write into the folder we were started in.
    os.environ["NICEGUI_STORAGE_PATH"] = str(settings.data_dir / "console")
    from nicegui import core, ui

    from dashboards.console.staff.pages import pages

    pages()
    # Its clicks come by WebSocket alone: for polling, a browser sends no Origin.
    core.app.config.socket_io_js_transports = ["websocket"]
    ui.run_with(app, title="看护 Kanhu", favicon=None, gzip_middleware_factory=None, tailwind=False, reconnect_timeout=30.0,
                show_welcome_message=False)  # fmt: skip


def _keep(file: Path, code: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(code + "\n")


class _Gzip:
    """Compresses files only: in a page, compression would tell its secrets by its length."""

    def __init__(self, app: ASGIApp) -> None:
        self._plain, self._small = app, GZipMiddleware(app, minimum_size=2000)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        files = scope["type"] == "http" and scope["path"].startswith(("/static/", "/_nicegui/"))
        await (self._small if files else self._plain)(scope, receive, send)
