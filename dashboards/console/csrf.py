"""Requests that change something come from our own pages: the Origin, and a token of the session in every form.

Also for the opening request of NiceGUI's WebSocket, which carries clicks: a browser sends cookies with it from any page.
"""

import hmac
import socket
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs, urlsplit

from edge_gateway.settings import Console

FIELD: Final = "csrf"
HEADER: Final = b"x-csrf"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """The addresses this console may be called by, and so the origins its pages may have."""

    def __init__(self, console: Console) -> None:
        self._public = console.public_url.rstrip("/").lower()
        self._public_host = urlsplit(self._public).netloc
        name = socket.gethostname().lower()
        self._names = {"localhost", name, f"{name}.local"}

    def is_ours(self, host: str) -> bool:
        """Whether a Host header names us. Any other name could be an attacker's that points to this machine (DNS rebinding)."""
        host = host.lower()
        if self._public and host == self._public_host:
            return True
        name = urlsplit(f"//{host}").hostname or ""
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    def same(self, origin: str, scheme: str, host: str) -> bool:
        """Whether the page that sends this is ours.

        Args:
            origin: the Origin header; "" is refused: every browser sends it with a POST and a WebSocket.
            scheme: http or https, as the request came.
        """
        scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        origin = origin.lower()
        return bool(origin) and origin in (f"{scheme}://{host.lower()}", self._public or None)


def token_fits(expected: str, header: str, content_type: str, body: bytes) -> bool:
    """Whether a form's field or the header holds the token of the session."""
    given = header
    if not given and content_type.split(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            fields = parse_qs(body.decode("utf-8"), max_num_fields=200)
        except ValueError:
            return False
        given = (fields.get(FIELD) or [""])[0]
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
