"""Somebody on the line: hands everything on between two programs and keeps each byte that went out."""

import gzip
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers import free_port


@dataclass
class Line:
    """What went one way; `what` names it in a failure."""

    what: str
    port: int = 0
    pieces: list[bytes] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        """All of it so far, in order."""
        return b"".join(list(self.pieces))


@contextmanager
def tcp(what: str, target: int) -> Iterator[Line]:
    """A port that leads to `target`; kept is what goes there, not what comes back."""
    line, ends = Line(what, free_port()), list[socket.socket]()
    listener = socket.create_server(("127.0.0.1", line.port))

    def forward(source: socket.socket, sink: socket.socket, keep: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                if keep:
                    line.pieces.append(piece)
                sink.sendall(piece)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", target))
                except OSError:  # the target is away for a moment
                    near.close()
                    continue
                ends.extend((near, far))
                threading.Thread(target=forward, args=(near, far, True), daemon=True).start()
                threading.Thread(target=forward, args=(far, near, False), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield line
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for each in (listener, *ends):
            with suppress(OSError):
                each.close()


@contextmanager
def http_to(what: str, target: int | None) -> Iterator[Line]:
    """A web server that hands requests on to `target`, or with None answers 200 itself; kept are requests, unpacked."""
    line = Line(what)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            line.pieces.append(f"{self.command} {self.path}\n{self.headers}".encode() + plain + b"\n")
            status, answer, heads = 200, b"{}", list[tuple[str, str]]()
            if target is not None:
                with closing(http.client.HTTPConnection("127.0.0.1", target, timeout=30)) as far:
                    named = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                    far.request(self.command, self.path, body or None, named)
                    reply = far.getresponse()
                    status, answer, heads = reply.status, reply.read(), reply.getheaders()
            self.send_response(status)
            for name, value in heads:
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                    self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer if status != 204 else b"")

        do_GET = do_POST = do_PUT = do_DELETE = _any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    line.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield line
    finally:
        server.shutdown()
        server.server_close()
