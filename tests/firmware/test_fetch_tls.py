"""An update over HTTPS under real MicroPython: only from a server that our own authority signed, by its own name."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.firmware.conftest import Run
from tests.servers import Certificates

CONTENT = bytes(range(256)) * 40
CODE = """
import asyncio, sys
from app import fetch, tls
with open(sys.argv[2], "rb") as file:
    authority = file.read()
async def main():
    try:
        found = await fetch.whole(sys.argv[1], 1 << 16, lambda: tls.context(authority))
        print("came", len(found))
    except (fetch.Interrupted, fetch.Unusable) as error:
        print(type(error).__name__, error)
asyncio.run(main())
"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(params=["broker", "other"])
def server(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[tuple[str, int]]:
    """A web server with the certificate for 127.0.0.1 (`broker`), or one for another name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.file(f"{request.param}.pem"), certificates.file(f"{request.param}.key"))
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that turn away
    made.socket = context.wrap_socket(made.socket, server_side=True)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield request.param, made.server_address[1]
    made.shutdown()
    made.server_close()
    thread.join(5)


@pytest.mark.parametrize("authority", ["ca", "stranger-ca"])
def test_only_the_right_server_is_believed(
    server: tuple[str, int], authority: str, certificates: Certificates, upy: Run
) -> None:
    name, port = server
    done = upy(CODE, f"https://127.0.0.1:{port}/x", str(certificates.file(f"{authority}.pem")), heap="256wK")
    if (name, authority) == ("broker", "ca"):
        assert done.stdout == f"came {len(CONTENT)}\n", done.stderr
    else:
        assert done.stdout.startswith("Interrupted download: ValueError"), done.stdout + done.stderr
