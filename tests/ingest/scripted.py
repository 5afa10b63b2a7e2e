"""An HTTP server that answers as told: for answers a real database cannot be made to give."""

import gzip
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from edge_gateway.settings import Influx

CLOSE: Final = 0  # in place of a status: close the connection without an answer
SILENCE: Final = -1  # never answer


@dataclass
class Reply:
    """One answer; `status` may be CLOSE or SILENCE."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Scripted:
    """`answer` is asked with the lines of each request; `requests` keeps them, and `held` what was answered with 204."""

    answer: Callable[[list[bytes]], Reply]
    port: int = 0
    requests: list[list[bytes]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    held: list[bytes] = field(default_factory=list)
    connections: int = 0

    def settings(self, **changes: object) -> Influx:
        return Influx.model_validate({"url": f"http://127.0.0.1:{self.port}", "timeout_s": 5.0, **changes})


@contextmanager
def scripted(answer: Callable[[list[bytes]], Reply]) -> Iterator[Scripted]:
    """A server with this answer, on a free port, one connection at a time."""
    script = Scripted(answer)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script.port = listener.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listener, script), daemon=True)
        thread.start()
        yield script
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(listener: socket.socket, script: Scripted) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        script.connections += 1
        # An OSError is a client that went away, which it may.
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            connection.settimeout(10)
            while _one(connection, stream, script):
                pass


def _one(connection: socket.socket, stream: BinaryIO, script: Scripted) -> bool:
    """One request and its answer; False when the connection is over."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        text = stream.readline()
        if not text:
            return False
        head += text
    length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])  # type: ignore[index]
    lines = gzip.decompress(stream.read(length)).split(b"\n")
    script.heads.append(head.decode())
    script.requests.append(lines)
    reply = script.answer(lines)
    if reply.status == 204:
        script.held += lines
    if reply.status == CLOSE:
        return False
    if reply.status == SILENCE:
        stream.read(1)  # until the client gives up
        return False
    body = reply.body.encode()
    headers = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
    size = "" if reply.status == 204 else f"Content-Length: {len(body)}\r\n"
    connection.sendall(f"HTTP/1.1 {reply.status} X\r\n{headers}{size}\r\n".encode() + body)
    return reply.headers.get("Connection") != "close"
