"""A web server in a thread, and a plain client that follows no redirect."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import uvicorn

from tests.servers import eventually, free_port


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()


def ask(url: str, fields: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """GET, or POST of a form. Raises OSError."""
    if fields is None:
        return send(url, None, headers)
    return send(url, urlencode(fields).encode(), {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})})


def send(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """GET, or POST of a body. Raises OSError."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=15)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET" if body is None else "POST", path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of this application while it is served."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, 10, "the web server")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
