"""A pretend telephone for the demo: it takes the messages that would go to a person, so that the screen can show them."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

OWNER = "zhang"


class Telephone:
    """Listens on a free port of this machine; `messages` grows, newest last."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        took = self._took

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                took(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, name="telephone", daemon=True).start()

    @property
    def people(self) -> dict[str, Any]:
        """Settings for the section `alerts`: one person, whose only channel this is."""
        return {"people": [{"id": OWNER, "name": "张", "urls": [f"json://127.0.0.1:{self._server.server_port}/"]}]}

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def _took(self, body: bytes) -> None:
        try:
            told = json.loads(body)
            self.messages.append(f"{told['title']}: {told['message'].splitlines()[0]}")
        except (ValueError, KeyError, IndexError):
            self.messages.append("a message that cannot be read")
        del self.messages[:-5]
