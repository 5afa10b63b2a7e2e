"""Somebody's phone: a real HTTP server that apprise's `json://` posts to, with answers a test can change."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Call:
    """One message as it came in."""

    at_s: float  # monotonic
    title: str
    message: str
    taken: bool


class Phone:
    """Attributes:
    calls: what came, refused ones too.
    status: what it answers; 200 takes the message.
    on_call: run before the answer goes out.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.status = 200
        self.on_call: Callable[[], None] = lambda: None
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = phone.status
                phone.calls.append(Call(time.monotonic(), body["title"], body["message"], status == 200))
                phone.on_call()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self._server.server_port}/"

    @property
    def taken(self) -> list[Call]:
        return [call for call in list(self.calls) if call.taken]

    def people(self) -> dict[str, str]:
        """The environment in which a gateway tells `li`, who has this phone."""
        return {"KANHU_ALERTS__PEOPLE": json.dumps([{"id": "li", "urls": [self.url]}])}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
