"""The headers of every answer: what a browser may load, keep and tell others.

Our own pages have no script in the page at all. NiceGUI's pages need more, and this is the least that works:
- `'nonce-...'`: its page holds its import map and the call that starts it. User texts in there have `<` escaped, so each
  `<script` of the page is the template's own, and gets this answer's nonce.
- `'unsafe-eval'`: it runs what the server sends (`run_javascript`, slots, `:props`) with eval and Function.
- `style-src 'unsafe-inline'`: it adds style elements as it draws.
"""

import re
import secrets
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
NICEGUI: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Nothing for other sites. Not `no-referrer`: with it a browser sends `Origin: null` with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(self), payment=(), usb=()"),
)
_SCRIPT: Final = re.compile(rb"<script(?=[\s>])")


class Headers:
    """ASGI middleware. A header that the answer has already is kept.

    Args:
        secure: browsers come by https alone, and are told to go on doing so.
    """

    def __init__(self, app: ASGIApp, secure: bool) -> None:
        self._app, self._secure = app, secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        page = _Page(scope, send, self._secure)
        await self._app(scope, receive, page.send)


class _Page:
    """One answer. NiceGUI's pages are held back until they are whole, for the nonce."""

    def __init__(self, scope: Scope, send: Send, secure: bool) -> None:
        self._path: str = scope["path"]
        self._send, self._secure = send, secure
        self._held: dict[str, Any] | None = None
        self._body = bytearray()
        self._nonce = ""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(dict(message))
        elif self._held is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._whole()
        else:
            await self._send(message)

    async def _start(self, message: dict[str, Any]) -> None:
        headers: list[tuple[bytes, bytes]] = list(message["headers"])
        have = {name.lower() for name, _ in headers}
        if b"x-nicegui-content" in have:
            self._nonce = secrets.token_urlsafe(16)
            self._held = message
        headers += [(name, value) for name, value in self._wanted() if name not in have]
        message["headers"] = headers
        if self._held is None:
            await self._send(message)

    def _wanted(self) -> list[tuple[bytes, bytes]]:
        policy = NICEGUI.format(nonce=self._nonce) if self._nonce else OWN
        wanted = [*_ALWAYS, (b"content-security-policy", policy.encode())]
        if not self._path.startswith(("/static/", "/_nicegui/")):
            wanted.append((b"cache-control", b"no-store"))
        if self._secure:
            wanted.append((b"strict-transport-security", b"max-age=31536000"))
        return wanted

    async def _whole(self) -> None:
        assert self._held is not None
        body = _SCRIPT.sub(b'<script nonce="%s"' % self._nonce.encode(), bytes(self._body))
        headers = [(name, value) for name, value in self._held["headers"] if name.lower() != b"content-length"]
        self._held["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
        await self._send(self._held)
        await self._send({"type": "http.response.body", "body": body})
